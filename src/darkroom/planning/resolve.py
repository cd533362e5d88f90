"""From a Request, in which much is left unsaid, to Resolved, in which nothing is.

What was not said comes from the sampler, then from the model's metadata, then from the house.
Every wish that cannot be meant is refused here, with the nearest one that can.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import get_args

from darkroom import names
from darkroom.contracts import (
    Enlarger,
    Hires,
    ModelSpec,
    NoiseSource,
    Painting,
    Pass,
    Precision,
    Prediction,
    PromptSyntax,
    Request,
    Resolved,
    Safety,
    Sides,
    Task,
    Tiling,
)
from darkroom.errors import RequestError
from darkroom.planning import checks, suitability
from darkroom.planning.checks import first
from darkroom.planning.painting import painting
from darkroom.planning.passes import passes

# The house's defaults, where neither sampler nor model has any.
SAMPLER = "dpmpp_2m"
SCHEDULE = "karras"
GUIDANCE = 7.5
# Those of the reference's own programs for these tasks.
GUIDANCES: Mapping[Task, float] = {"depth2img": 9.0, "upscale": 9.0, "vary": 10.0}
# How much of an image is made anew; of the other tasks all.
STRENGTHS: Mapping[Task, float] = {"img2img": 0.75, "inpaint": 1.0, "depth2img": 0.9}
NOISE_LEVELS: Mapping[Task, int] = {"upscale": 20, "vary": 0}
IMAGE_GUIDANCE = 1.5  # InstructPix2Pix
ETA = 0.0
PROMPT_SYNTAX: PromptSyntax = "a1111"  # what most prompts of the world are written in
# Enlarging pixels keeps edges at any strength; enlarged latents are soft below about 0.55.
ENLARGER: Enlarger = "lanczos"
HIRES_STRENGTH = 0.5

MAX_SEED = 2**63 - 1  # what torch and every file format take
MAX_COUNT = 10_000
AUTO_BATCH = 8  # images at once where the user leaves it to the plan
MAX_GUIDANCE = 100.0  # either way; far beyond the range in which images are images
MAX_CHURN = 100.0
MAX_SIGMA = 1000.0  # no schedule comes near
MAX_NOISE_SCALE = 2.0
MAX_HIRES = 4.0
MAX_WEIGHT = 100.0
MAX_PROMPT_BYTES = 100_000
# The invisible watermark needs a picture of at least this area (invisible-watermark 0.2.0).
WATERMARK_AREA = 65_536
WATERMARKS = {"sd1": b"StableDiffusionV1", "sd2": b"SDV2"}

_DEVICES = ("cpu", "cuda", "mps", "xpu")


def resolve(
    request: Request,
    spec: ModelSpec,
    *,
    seed: int | None = None,
    variation_seed: int | None = None,
    input_size: tuple[int, int] | None = None,
    seen: Sides | None = None,
    safety: Safety = "off",
) -> Resolved:
    """Fill in what `request` leaves unsaid for this model.

    `seed`, `variation_seed`: for a request that names none (0 if neither does).  `input_size`:
    width and height in pixels of the upright input image, from which img2img takes its size.
    `seen`: left, top, right and bottom of what inpainting shows the model, None for the whole.
    `safety`: for a request that says nothing about it.

    Raises:
        RequestError: a wish that cannot be meant.
    """
    _check(request, spec)
    prediction = spec.prediction if request.prediction is None else request.prediction
    sampler, schedule = _sampler_and_schedule(request, spec)
    _check_prediction(sampler, prediction, spec)
    strength, hires = _strength(request, spec), _hires(request)
    painted = _painted(request, spec, input_size, seen)
    input_size = input_size if painted is None else _size_of(painted.box)
    # At strength 1 an image leaves no trace in the noise; img2img of old still begins with it.
    from_noise = strength == 1 and (request.task != "img2img" or spec.task == "pix2pix")
    kept, chosen = None if from_noise else strength, (sampler, schedule)
    made = passes(request, spec, chosen, strength=kept, hires=hires, input_size=input_size)
    count = checks.whole("Count", request.count, 1, MAX_COUNT)
    guidance_start, guidance_end = _interval(request)
    variation_strength = _variation_strength(request)
    seed = first(request.seed, seed, 0)
    other = first(request.variation_seed, variation_seed, 0) if variation_strength else None
    return Resolved(
        request=request,
        passes=made,
        sampler=sampler,
        schedule=schedule,
        guidance=_guidance(request, spec),
        rescale=checks.real("Rescale", first(request.rescale, 0), 0, 1, "0.7 is usual"),
        guidance_start=guidance_start,
        guidance_end=guidance_end,
        eta=_eta(request.eta, sampler),
        churn=_churn(request, sampler),
        churn_start=checks.real("Churn start", first(request.churn_start, 0), 0, MAX_SIGMA),
        churn_end=_churn_end(request),
        noise_scale=checks.real("Noise scale", first(request.noise_scale, 1), 0, MAX_NOISE_SCALE),
        prompt_syntax=first(request.prompt_syntax, PROMPT_SYNTAX),
        clip_skip=_clip_skip(request, spec),
        strength=strength,
        from_noise=from_noise,
        seed=_seed("Seed", seed, count if other is None else 1),
        variation_seed=None if other is None else _seed("Variation seed", other, count),
        variation_strength=variation_strength,
        seed_offset=checks.whole("Seed offset", first(request.seed_offset, 0), 0, MAX_SEED),
        noise=first(request.noise, "cpu"),
        tiling=first(request.tiling, "none"),
        hires=hires,
        painting=painted,
        noise_level=_noise_level(request, spec),
        image_guidance=_image_guidance(request, spec),
        count=count,
        batch=min(count, checks.whole("Batch", first(request.batch, AUTO_BATCH), 1, MAX_COUNT)),
        prediction=prediction,
        safety=first(request.safety, safety),
        watermark=_watermark(request, spec, made[-1] if painted is None else painted),
    )


def _check(request: Request, spec: ModelSpec) -> None:
    """What can be said of each wish by itself."""
    _check_texts(request)
    suitability.check(request, spec)
    _check_choices(request)
    _check_device(request.device)
    if request.ema and not spec.ema:
        raise RequestError(
            f"{spec.name} holds no EMA copies, the moving averages of its weights.",
            "Leave ema out: the weights that it holds are the ones to use.",
        )


def _painted(
    request: Request, spec: ModelSpec, input_size: tuple[int, int] | None, seen: Sides | None
) -> Painting | None:
    found = painting(request, first(input_size, (spec.native_width, spec.native_height)))
    return found if found is None or seen is None else replace(found, box=seen)


def _size_of(box: Sides) -> tuple[int, int]:
    left, top, right, bottom = box
    return right - left, bottom - top


def _check_texts(request: Request) -> None:
    for what, text in (("prompt", request.prompt), ("negative prompt", request.negative)):
        if not isinstance(text, str):
            raise RequestError(f"The {what} must be text.", 'For none write "".')
        if len(text.encode("utf-8", "surrogatepass")) >= MAX_PROMPT_BYTES:
            raise RequestError(
                f"The {what} is {MAX_PROMPT_BYTES:,} bytes or longer.",
                "A model reads about 75 words; shorten it.",
            )
        if "\0" in text:
            raise RequestError(f"The {what} holds a NUL character.", "Remove it.")
        # Bytes of a command line that are no text, or halves of a character out of JSON.
        if found := re.search("[\ud800-\udfff]", text):
            raise RequestError(
                f"The {what} holds bytes that are no text in UTF-8, at character "
                f"{found.start() + 1}.",
                "Write it anew there; a terminal must be set to UTF-8, such as LANG=C.UTF-8.",
            )


def _check_choices(request: Request) -> None:
    checks.choice("precision", request.precision, get_args(Precision))
    checks.choice("prediction", request.prediction, get_args(Prediction))
    checks.choice("prompt syntax", request.prompt_syntax, get_args(PromptSyntax))
    checks.choice("noise", request.noise, get_args(NoiseSource))
    checks.choice("tiling", request.tiling, get_args(Tiling))
    checks.choice("safety policy", request.safety, get_args(Safety))
    checks.choice("enlarger", request.hires_enlarger, get_args(Enlarger))
    _check_weights(request)


def _check_weights(request: Request) -> None:
    weights, images = request.image_weights, 1 + len(request.images)
    if not weights:
        return
    if len(weights) != images:
        raise RequestError(
            f"There are {len(weights)} weights for {images} images.",
            "Give one for each image, in their order, or none to mix them evenly.",
        )
    for weight in weights:
        checks.real("The weight of an image", weight, 0, MAX_WEIGHT, "1 is usual")
    if sum(weights) == 0:
        raise RequestError(
            "The weights of all images are 0.", "Give one of them a weight above 0, such as 1."
        )


def _check_prediction(sampler: str, prediction: Prediction, spec: ModelSpec) -> None:
    made_for = names.SAMPLERS[sampler].predictions
    if prediction not in made_for:
        raise RequestError(
            f"The sampler {sampler} is made for models that predict "
            f"{' or '.join(made_for)}, and {spec.name} predicts {prediction}.",
            "Choose another sampler: ddim works with every model.",
        )


def _check_device(device: str | None) -> None:
    """Whether there can be such a device; which ones are there, the runtime knows."""
    if device is not None and not re.fullmatch(r"cpu|mps|(cuda|xpu)(:\d{1,3})?", device):
        raise names.unknown("device", device, {choice: choice for choice in _DEVICES})


def _sampler_and_schedule(request: Request, spec: ModelSpec) -> tuple[str, str]:
    """Names of both, a pair that works.

    A sampler that was asked for brings its own schedule; the model's applies with the model's
    own sampler, and where a sampler has none.
    """
    usual, usual_schedule = names.sampler_named(first(spec.defaults.sampler, SAMPLER))
    if spec.defaults.schedule is not None:
        usual_schedule = names.schedule_named(spec.defaults.schedule)
    elif usual_schedule is None and spec.zero_terminal_snr:
        usual_schedule = "trailing"  # only it begins where such a model learnt to (2305.08891)

    sampler, said = (
        (usual, None) if request.sampler is None else names.sampler_named(request.sampler)
    )
    record = names.SAMPLERS[sampler]
    schedule = None if request.schedule is None else names.schedule_named(request.schedule)
    if schedule is not None:
        if said not in {None, schedule}:
            raise RequestError(
                f"The sampler's name asks for the schedule {said}, the request for {schedule}.",
                "Leave one of them out.",
            )
        said = schedule
    if said is None:
        bound = record.schedule is not None and sampler != usual
        said = first(None if bound else usual_schedule, record.schedule, SCHEDULE)
    if record.schedules is not None and said not in record.schedules:
        raise RequestError(
            f"The sampler {sampler} is defined on the schedule "
            f"{' or '.join(record.schedules)} only, not on {said}.",
            "Leave the schedule out, or choose another sampler.",
        )
    return sampler, said


def _seed(name: str, seed: int, count: int) -> int:
    seed = checks.whole(name, seed, 0, MAX_SEED)
    if seed + count - 1 > MAX_SEED:
        raise RequestError(
            f"The seeds of {count} images from {seed} on pass the largest, {MAX_SEED}.",
            f"The largest seed for so many is {MAX_SEED - count + 1}.",
        )
    return seed


def _variation_strength(request: Request) -> float:
    if request.variation_strength is None and request.variation_seed is not None:
        raise RequestError(
            "A variation seed without a variation strength changes nothing.",
            "Say how far towards it: a variation strength of 0.1 is a little, 1 is all the way.",
        )
    value = first(request.variation_strength, 0)
    return checks.real("Variation strength", value, 0, 1, "0.1 is a little")


def _guidance(request: Request, spec: ModelSpec) -> float:
    usual = GUIDANCES.get(request.task, GUIDANCE)
    if request.task == "upscale" and request.prompt == request.negative:
        usual = 1.0  # nothing to guide: all else that the U-Net sees is the same for both
    value = first(request.guidance, spec.defaults.guidance, usual)
    return checks.real("Guidance", value, -MAX_GUIDANCE, MAX_GUIDANCE, "7.5 is usual")


def _interval(request: Request) -> tuple[float, float]:
    """The part of the schedule in which guidance acts."""
    start = checks.real(
        "Guidance start", first(request.guidance_start, 0), 0, 1, "0 is the first step"
    )
    end = checks.real("Guidance end", first(request.guidance_end, 1), 0, 1, "1 is the last step")
    if end < start:
        raise RequestError(
            f"Guidance would end, at {end:g}, before it begins, at {start:g}.",
            "Exchange the two, or leave one of them out.",
        )
    return start, end


def _eta(value: float | None, sampler: str) -> float:
    if value is None:
        return first(names.SAMPLERS[sampler].eta, ETA)
    eta = checks.real("Eta", value, 0.0, 1.0, "0 draws no fresh noise")
    if eta != 0 and not names.SAMPLERS[sampler].uses_eta:
        raise _not_taken("eta", sampler, [n for n, r in names.SAMPLERS.items() if r.uses_eta])
    return eta


def _churn(request: Request, sampler: str) -> float:
    value = first(request.churn, 0)
    churn = checks.real("Churn", value, 0, MAX_CHURN, "0 draws no fresh noise")
    if churn != 0 and not names.SAMPLERS[sampler].churn:
        raise _not_taken("churn", sampler, [n for n, r in names.SAMPLERS.items() if r.churn])
    return churn


def _churn_end(request: Request) -> float:
    if request.churn_end is None or request.churn_end == math.inf:
        return math.inf
    return checks.real("Churn end", request.churn_end, 0, MAX_SIGMA)


def _not_taken(what: str, sampler: str, takers: list[str]) -> RequestError:
    return RequestError(
        f"The sampler {sampler} has no {what}.",
        f"Leave it out, or choose one of {', '.join(takers)}.",
    )


def _clip_skip(request: Request, spec: ModelSpec) -> int:
    layers = spec.text_encoder.layers
    return checks.whole("Clip skip", first(request.clip_skip, 1), 1, layers, "1 skips nothing")


def _hires(request: Request) -> Hires | None:
    if request.hires is None:
        for name in ("hires_strength", "hires_steps", "hires_enlarger"):
            if getattr(request, name) is not None:
                raise RequestError(
                    f"{name.replace('_', ' ').capitalize()} is about the second pass of a large "
                    "image, and none is asked for.",
                    "Ask for one by its factor, such as hires 2, or leave it out.",
                )
        return None
    strength = first(request.hires_strength, HIRES_STRENGTH)
    return Hires(
        factor=checks.real("Hires", request.hires, 1, MAX_HIRES, "2 is usual"),
        strength=checks.real("Hires strength", strength, 0, 1, "0 only enlarges the image"),
        enlarger=first(request.hires_enlarger, ENLARGER),
    )


def _strength(request: Request, spec: ModelSpec) -> float:
    """How much of the image is made anew: all of it in txt2img, and where it is seen besides."""
    usual = 1.0 if spec.task == "pix2pix" else STRENGTHS.get(request.task, 1.0)
    value = first(request.strength, usual)
    return checks.real("Strength", value, 0.0, 1.0, "0 keeps the image, 1 leaves little of it")


def _noise_level(request: Request, spec: ModelSpec) -> int | None:
    if spec.noise_levels is None:
        return None
    usual = first(spec.defaults.noise_level, NOISE_LEVELS[request.task])
    value = first(request.noise_level, usual)
    return checks.whole("Noise level", value, 0, spec.noise_levels - 1, f"{usual} is usual")


def _image_guidance(request: Request, spec: ModelSpec) -> float | None:
    if spec.task != "pix2pix":
        return None
    value = first(request.image_guidance, IMAGE_GUIDANCE)
    return checks.real("Image guidance", value, -MAX_GUIDANCE, MAX_GUIDANCE, "1.5 is usual")


def _watermark(request: Request, spec: ModelSpec, image: Pass | Painting) -> bytes | None:
    """The payload, by default where the picture is large enough to hold it.

    Never by default in a picture of which a part is to stay as it is.
    """
    fits = image.width * image.height >= WATERMARK_AREA
    if request.watermark is None and request.task == "inpaint":
        return None
    if request.watermark is None:
        return WATERMARKS[spec.family] if fits and not spec.demonstration else None
    if request.watermark and not fits:
        raise RequestError(
            f"An image of {image.width} × {image.height} is too small for the invisible watermark.",
            f"It needs {WATERMARK_AREA:,} pixels, 256 × 256 for example.",
        )
    return WATERMARKS[spec.family] if request.watermark else None
