"""From what AUTOMATIC1111's API is sent to our Requests: the only place where the two meet.

What was not said stays unsaid.  What would make another image and does not exist here is refused;
what says nothing (a script without arguments, churn 0) is left out; what is done in another way is
told in a remark.
"""

import base64
import binascii
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from darkroom import names
from darkroom.contracts import Enlarger, Fill, ModelTask, NoiseSource, Request, Task
from darkroom.errors import RequestError
from darkroom.images.io import Format
from darkroom.planning.resolve import MAX_COUNT
from darkroom.planning.suitability import taken_by
from darkroom.server.a1111_bodies import SHOWN, Img2Img, Making, Txt2Img
from darkroom.server.model_names import Models
from darkroom.server.pictures import Pictures
from darkroom.server.wishing import completed
from darkroom.tasks.judging import SEEDS

ENLARGERS: Mapping[str, Enlarger] = {
    "Latent": "latent",
    "Latent (antialiased)": "latent",
    "Latent (bicubic)": "latent",
    "Latent (bicubic antialiased)": "latent",
    "Lanczos": "lanczos",
}
# What stands under the mask before.  Its first kind spreads the colours around; here is nothing.
FILLS: Mapping[int, Fill] = {0: "blank", 1: "original", 2: "noise", 3: "blank"}
NOISES: Mapping[str, NoiseSource] = {"CPU": "cpu", "GPU": "nv", "NV": "nv"}
FORMATS: Mapping[str, Format] = {"png": "png", "jpg": "jpeg", "jpeg": "jpeg", "webp": "webp"}

T = TypeVar("T")
MAX_SENT = 500  # images in one answer

_TASKS: Mapping[ModelTask, Task] = {"depth2img": "depth2img", "vary": "vary", "upscale": "upscale"}
_NO_MODEL = {"", "none", "automatic"}


@dataclass(frozen=True, kw_only=True)
class Options:
    """What can be settled for later calls, or for one by `override_settings`."""

    said: Mapping[str, Any]

    def but(self, others: Mapping[str, Any] | None) -> "Options":
        return Options(said={**self.said, **(others or {})})


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What to make, and what shall come back.

    `requests`: one, or one for each of several input images.  `remarks`: a sentence for each thing
    that is not as the client may think.
    """

    requests: tuple[Request, ...]
    styles: tuple[str, ...]
    file_format: Format
    send_images: bool
    remarks: tuple[str, ...]


def txt2img(body: Txt2Img, options: Options, models: Models) -> Wish:
    """Raises RequestError for what there is not, ModelError for a model that is not installed."""
    now = options.but(body.override_settings)
    remarks = list(_remarks(body))
    said = _making(body, now, models) | _hires(body)
    if body.firstphase_width or body.firstphase_height:
        remarks.append("firstphase_width and _height do nothing: width and height are the first's.")
    return _wish(body, now, (completed({"task": "txt2img", **said}),), remarks)


def img2img(body: Img2Img, options: Options, models: Models, pictures: Pictures) -> Wish:
    """As `txt2img`; ImageError also for a picture that is none."""
    now = options.but(body.override_settings)
    remarks = list(_remarks(body))
    if not body.init_images:
        raise RequestError("There is no image to start from.", "Send it in init_images, as base64.")
    said = _making(body, now, models)
    first = completed(said)
    task = _TASKS.get(models.made_for(first.model), "inpaint" if body.mask else "img2img")
    said["task"] = task
    if taken_by("strength", task):
        said["strength"] = body.denoising_strength
    elif body.denoising_strength is not None:
        remarks.append(f"denoising_strength does nothing with {first.model}.")
    if body.image_cfg_scale is not None and models.made_for(first.model) == "pix2pix":
        said["image_guidance"] = body.image_cfg_scale
    if task == "inpaint":
        said |= _painting(body, pictures)
        if body.inpainting_fill == 0:
            remarks.append("inpainting_fill 0 is done as 3: nothing stands under the mask before.")
    if body.initial_noise_multiplier not in {None, 1}:
        remarks.append("initial_noise_multiplier does nothing here.")
    files = [_shaped(body, file_of(text), pictures) for text in body.init_images]
    requests = _one_each(said, files, body)
    return _wish(body, now, requests, remarks)


def file_of(text: str) -> bytes:
    """The file in base64 or a data URL.  RequestError for anything else; nothing is fetched."""
    if text[:8].lower().startswith(("http:", "https:", "file:")):
        raise RequestError("Images are not fetched from addresses.", "Send the file as base64.")
    kind, comma, rest = text.partition(",")
    try:
        data = base64.b64decode("".join((rest if comma else kind).split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise RequestError("An image is no base64.", "Send the bytes of its file so.") from error
    if not data:
        raise RequestError("An image is empty.", "Send the bytes of its file as base64.")
    return data


def _wish(body: Making, now: Options, requests: tuple[Request, ...], remarks: list[str]) -> Wish:
    unknown = body.unknown()
    if unknown:
        remarks.append(f"Unknown and without effect: {', '.join(unknown[:20])}.")
    if body.send_images is not False and sum(one.count for one in requests) > MAX_SENT:
        raise RequestError(
            f"An answer holds at most {MAX_SENT} images.",
            "Ask for fewer, or send send_images false: they are in the gallery as well.",
        )
    return Wish(
        requests=requests,
        styles=tuple(body.styles or ()),
        file_format=_choice("samples_format", now.said.get("samples_format"), FORMATS) or "png",
        send_images=body.send_images is not False,
        remarks=tuple(remarks),
    )


def _one_each(said: dict[str, Any], files: list[bytes], body: Img2Img) -> tuple[Request, ...]:
    """One request for one image; for several, one each and round, seeds counting through."""
    if len(files) == 1:
        return (completed({**said, "image": files[0]}),)
    rounds = 1 if body.n_iter is None else body.n_iter
    if len(files) * rounds > MAX_COUNT:
        raise RequestError(f"These are more than {MAX_COUNT:,} images.", "Ask for fewer rounds.")
    seed = said.get("seed")
    seed = secrets.randbelow(SEEDS) if seed is None else seed
    varied = said.get("variation_strength") is not None
    if varied:
        raise RequestError(
            "Several images cannot be varied at once.", "Send them in calls of their own."
        )
    return tuple(
        completed({**said, "image": file, "count": 1, "seed": seed + place})
        for place, file in enumerate(files * max(rounds, 1))
    )


def _making(body: Making, now: Options, models: Models) -> dict[str, Any]:
    """The fields of a Request that both tasks say; None where nothing was said."""
    refuse_missing(body)
    sampler, schedule = _sampling(body)
    strength = body.subseed_strength or None
    return {
        "prompt": body.prompt,
        "negative": body.negative_prompt,
        "steps": body.steps,
        "sampler": sampler,
        "schedule": schedule,
        "guidance": body.cfg_scale,
        "width": body.width,
        "height": body.height,
        "seed": _seed(body.seed),
        "count": _count(body),
        "variation_strength": strength,
        "variation_seed": None if strength is None else _seed(body.subseed),
        "tiling": "both" if body.tiling else None,
        **_noise_of_steps(body, now, sampler),
        **_settled(now, models),
    }


def _settled(now: Options, models: Models) -> dict[str, Any]:
    """What options say, of this call or for all."""
    said = now.said
    return {
        "model": _model(said.get("sd_model_checkpoint"), models),
        "vae": _model(said.get("sd_vae"), models),
        "clip_skip": _whole("CLIP_stop_at_last_layers", said.get("CLIP_stop_at_last_layers")),
        "seed_offset": _whole("eta_noise_seed_delta", said.get("eta_noise_seed_delta")) or None,
        "noise": _choice("randn_source", said.get("randn_source"), NOISES),
    }


def _model(title: object, models: Models) -> str | None:
    if title is None or (isinstance(title, str) and title.strip().lower() in _NO_MODEL):
        return None
    if not isinstance(title, str):
        raise RequestError("A model is called by a text.", "sd-models lists the titles.")
    return models.named(title)


def _sampling(body: Making) -> tuple[str | None, str | None]:
    """Our names of sampler and schedule; a joint label's schedule gives way to the said one."""
    label = body.sampler_name or body.sampler_index
    sampler, joint = names.sampler_named(label) if label else (None, None)
    said = names.schedule_named(body.scheduler) if body.scheduler else None
    return sampler, joint if said is None else said


def _noise_of_steps(body: Making, now: Options, sampler: str | None) -> dict[str, Any]:
    """Eta and churn.  Clients send them with samplers that take none, and mean nothing by it."""
    record = names.SAMPLERS.get(sampler or "")
    eta: object = body.eta
    if eta is None:
        eta = now.said.get("eta_ddim" if sampler == "ddim" else "eta_ancestral")
    if isinstance(eta, bool) or not isinstance(eta, int | float):
        eta = None
    if record is not None and (not record.uses_eta or eta == record.eta):
        eta = None
    churn = body.s_churn if record is None or record.churn else None
    return {
        "eta": eta if record is not None else None,
        "churn": churn or None,
        "churn_start": (body.s_tmin or None) if churn else None,
        "churn_end": (body.s_tmax or None) if churn else None,  # 0: no end
        "noise_scale": None if body.s_noise == 1 else body.s_noise,
    }


def _seed(seed: int | None) -> int | None:
    return None if seed == -1 else seed


def _count(body: Making) -> int | None:
    said = [number for number in (body.batch_size, body.n_iter) if number is not None]
    for number in said:
        if number < 1:
            raise RequestError(f"A batch of {number} is none.", "Ask for 1 at least.")
    return None if not said else said[0] * (said[1] if len(said) == 2 else 1)


def _hires(body: Txt2Img) -> dict[str, Any]:
    """The second pass, where there is one; else denoising_strength means nothing."""
    if not body.enable_hr:
        return {}
    same = {"", "Use same sampler", "Use same scheduler", "Use same checkpoint"}
    for name in ("hr_sampler_name", "hr_scheduler", "hr_checkpoint_name"):
        if (getattr(body, name) or "") not in same:
            raise _not_here(f"{name} of its own", "Leave it out: both passes have the same.")
    if (body.hr_prompt or body.prompt) != body.prompt or (
        body.hr_negative_prompt or body.negative_prompt
    ) != body.negative_prompt:
        raise _not_here("a prompt of the second pass", "Leave it out: both have the same.")
    return {
        "hires": _factor(body),
        "hires_strength": body.denoising_strength,
        # 0 means as many as the first pass.
        "hires_steps": body.hr_second_pass_steps or body.steps,
        "hires_enlarger": _choice("hr_upscaler", body.hr_upscaler, ENLARGERS),
    }


def _factor(body: Txt2Img) -> float:
    """How many times larger the second pass is."""
    across, down = body.hr_resize_x or 0, body.hr_resize_y or 0
    if not across and not down:
        return 2.0 if body.hr_scale is None else body.hr_scale
    if not body.width or not body.height:
        raise RequestError(
            "The size of the second pass is said, but not that of the first.",
            "Say width and height, or hr_scale in place of hr_resize_x and hr_resize_y.",
        )
    if across and down and across * body.height != down * body.width:
        raise RequestError(
            f"The second pass would be of another shape: {across} x {down} after "
            f"{body.width} x {body.height}.",
            "Say hr_scale, or only one of hr_resize_x and hr_resize_y.",
        )
    return across / body.width if across else down / body.height


def _painting(body: Img2Img, pictures: Pictures) -> dict[str, Any]:
    """What is painted, and what the model sees."""
    masked = body.inpaint_full_res
    fill = body.inpainting_fill
    if fill is not None and fill not in FILLS:
        raise RequestError(f"There is no inpainting_fill {fill}.", "0, 1, 2 and 3 are there.")
    blurs = {body.mask_blur_x, body.mask_blur_y} - {None}
    if body.mask_blur is None and len(blurs) == 2:
        raise _not_here("a blur across that is another than down", "Say mask_blur.")
    return {
        "mask": None if body.mask is None else pictures.mask(file_of(body.mask)),
        "mask_invert": body.inpainting_mask_invert or None,
        "mask_blur": body.mask_blur if body.mask_blur is not None else next(iter(blurs), None),
        "fill": None if fill is None else FILLS[fill],
        "region": None if masked is None else "masked" if masked else "whole",
        "region_padding": body.inpaint_full_res_padding if masked else None,
    }


def _shaped(body: Img2Img, file: bytes, pictures: Pictures) -> bytes:
    """The image, cut or continued to the shape that was asked for, where that is to be."""
    mode = body.resize_mode
    if mode not in {None, 0, 1, 2}:
        raise _not_here(f"resize_mode {mode}", "0 stretches, 1 cuts and 2 continues the edge.")
    if not mode or not body.width or not body.height or body.mask:
        return file
    return pictures.fitted(file, body.width, body.height, "crop" if mode == 1 else "fill")


def refuse_missing(body: Making) -> None:
    """RequestError for what would make another image and does not exist here."""
    if body.script_name and body.script_name != "None":
        raise RequestError(
            f"Script {body.script_name[:SHOWN]!r} not found.", "No scripts run here; leave it out."
        )
    for name, script in (body.alwayson_scripts or {}).items():
        if _acts(script):
            raise _not_here(f"the always-on script {name[:SHOWN]!r}", "Leave it out.")
    if body.refiner_checkpoint and body.refiner_checkpoint != "None":
        raise _not_here("a refiner", "Leave refiner_checkpoint out.")
    if body.restore_faces:
        raise _not_here("restoring faces", "Send restore_faces false, or inpaint the face.")
    if max(body.seed_resize_from_w or 0, body.seed_resize_from_h or 0) > 0:
        raise _not_here("resizing from a seed", "Leave seed_resize_from_w and _h out.")
    if body.infotext:
        raise _not_here("a wish as infotext", "Send its settings as fields.")


def _acts(script: object) -> bool:
    """Whether an always-on script would do anything: clients send it without arguments or off."""
    arguments = script.get("args") if isinstance(script, Mapping) else script
    several = arguments if isinstance(arguments, list) else [arguments]
    return any(
        bool(one) and not (isinstance(one, Mapping) and one.get("enabled") is False)
        for one in several
    )


def _remarks(body: Making) -> list[str]:
    remarks = []
    if body.s_min_uncond:
        remarks.append("s_min_uncond does nothing here.")
    if body.save_images is False or body.do_not_save_samples:
        remarks.append("Every image is kept in the gallery; delete it there.")
    unknown = [
        ascii(name[:SHOWN])[1:-1] for name in body.override_settings or {} if name not in SETTLED
    ]
    if unknown:
        remarks.append(f"Options without effect here: {', '.join(unknown[:20])}.")
    return remarks


SETTLED = (
    "sd_model_checkpoint",
    "sd_vae",
    "CLIP_stop_at_last_layers",
    "eta_noise_seed_delta",
    "eta_ddim",
    "eta_ancestral",
    "randn_source",
    "samples_format",
)


def _choice(name: str, said: object, choices: Mapping[str, T]) -> T | None:
    """What a text stands for, whatever its case; None where nothing was said."""
    if said is None or said == "":
        return None
    found = {key.casefold(): value for key, value in choices.items()}.get(str(said).casefold())
    if found is None:
        raise RequestError(
            f"There is no {name} {str(said)[:SHOWN]!r} here.", f"Choose {', '.join(choices)}."
        )
    return found


def _whole(name: str, said: object) -> int | None:
    if said is None:
        return None
    if isinstance(said, float) and said.is_integer():
        said = int(said)
    if isinstance(said, bool) or not isinstance(said, int):
        raise RequestError(f"{name} must be a whole number.", "Send it as a number.")
    return said


def _not_here(what: str, hint: str) -> RequestError:
    return RequestError(f"There is no such thing here: {what}.", hint)
