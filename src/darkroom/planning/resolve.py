"""From a Request, in which much is left unsaid, to Resolved, in which nothing is.

What was not said comes from the sampler, then from the model's metadata, then from the house.
Every wish that cannot be meant is refused here, with the nearest one that can.
"""

import math
import re
from numbers import Integral, Real
from typing import TypeVar, get_args

from darkroom import names
from darkroom.contracts import ModelSpec, Precision, Prediction, Request, Resolved, Task
from darkroom.errors import RequestError
from darkroom.timesteps import ldm_timesteps

# The house's defaults, where neither sampler nor model has any.
SAMPLER = "dpmpp_2m"
SCHEDULE = "karras"
STEPS = 20
GUIDANCE = 7.5
STRENGTH = 0.75
ETA = 0.0

SIZE_MULTIPLE = 8
# Beyond, a model repeats its subject, and attention grows with the fourth power of the side.
MAX_TIMES_NATIVE = 8
MAX_SEED = 2**63 - 1  # what torch and every file format take
MAX_COUNT = 10_000
AUTO_BATCH = 8  # images at once where the user leaves it to the plan
MAX_GUIDANCE = 100.0  # either way; far beyond the range in which images are images
MAX_PROMPT_BYTES = 100_000
# The invisible watermark needs a picture of at least this area (invisible-watermark 0.2.0).
WATERMARK_AREA = 65_536
WATERMARKS = {"sd1": b"StableDiffusionV1"}

T = TypeVar("T")

_DEVICES = ("cpu", "cuda", "mps", "xpu")


def resolve(
    request: Request,
    spec: ModelSpec,
    *,
    seed: int | None = None,
    input_size: tuple[int, int] | None = None,
) -> Resolved:
    """Fill in what `request` leaves unsaid for this model.

    `seed`: for a request that names none (0 if neither does).  `input_size`: width and height in
    pixels of the upright input image, from which img2img takes its size.

    Raises:
        RequestError: a wish that cannot be meant.
    """
    _check_texts(request)
    _check_task(request)
    _check_choice("precision", request.precision, get_args(Precision))
    _check_choice("prediction", request.prediction, get_args(Prediction))
    _check_device(request.device)
    if request.ema and not spec.ema:
        raise RequestError(
            f"{spec.name} holds no EMA copies, the moving averages of its weights.",
            "Leave ema out: the weights that it holds are the ones to use.",
        )

    prediction = spec.prediction if request.prediction is None else request.prediction
    sampler, schedule = _sampler_and_schedule(request, spec)
    record = names.SAMPLERS[sampler]
    if prediction not in record.predictions:
        raise RequestError(
            f"The sampler {sampler} is made for models that predict "
            f"{' or '.join(record.predictions)}, and {spec.name} predicts {prediction}.",
            "Choose another sampler: ddim works with every model.",
        )
    asked = _first(request.steps, spec.defaults.steps, STEPS)
    requested = _whole("Steps", asked, 1, names.SCHEDULES[schedule].max_steps)
    width, height = _size(request, spec, input_size)
    count = _whole("Count", request.count, 1, MAX_COUNT)
    return Resolved(
        request=request,
        sampler=sampler,
        schedule=schedule,
        steps=(
            len(ldm_timesteps(requested)) if names.SCHEDULES[schedule].on_ldm_grid else requested
        ),
        requested_steps=requested,
        guidance=_guidance(_first(request.guidance, spec.defaults.guidance, GUIDANCE)),
        eta=_eta(request.eta, sampler),
        strength=_strength(request),
        width=width,
        height=height,
        canvas_width=round_up(width, spec.multiple),
        canvas_height=round_up(height, spec.multiple),
        seed=_seed(_first(request.seed, seed, 0), count),
        count=count,
        batch=min(count, _whole("Batch", _first(request.batch, AUTO_BATCH), 1, MAX_COUNT)),
        prediction=prediction,
        watermark=_watermark(request, spec, width, height),
    )


def _first(*values: T | None) -> T:
    """The first value that was said; 0 is a value."""
    return next(value for value in values if value is not None)


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


def _check_task(request: Request) -> None:
    _check_choice("task", request.task, get_args(Task))
    if request.task == "img2img" and request.image is None:
        raise RequestError("There is no image to start from.", "Give one, or use txt2img.")
    if request.task == "txt2img" and request.image is not None:
        raise RequestError("txt2img takes no image.", "Use img2img to start from one.")
    if request.task == "txt2img" and request.strength is not None:
        raise RequestError(
            "Strength says how far to change an image, and txt2img has none.",
            "Leave it out, or use img2img.",
        )


def _check_choice(kind: str, value: str | None, choices: tuple[str, ...]) -> None:
    if value is not None and value not in choices:
        raise names.unknown(kind, value, {choice: choice for choice in choices})


def _check_device(device: str | None) -> None:
    """Whether there can be such a device; which ones are there, the runtime knows."""
    if device is not None and not re.fullmatch(r"cpu|mps|(cuda|xpu)(:\d{1,3})?", device):
        raise names.unknown("device", device, {choice: choice for choice in _DEVICES})


def _sampler_and_schedule(request: Request, spec: ModelSpec) -> tuple[str, str]:
    """Names of both, a pair that works.

    A sampler that was asked for brings its own schedule; the model's applies with the model's
    own sampler, and where a sampler has none.
    """
    usual, usual_schedule = names.sampler_named(_first(spec.defaults.sampler, SAMPLER))
    if spec.defaults.schedule is not None:
        usual_schedule = names.schedule_named(spec.defaults.schedule)
    elif usual_schedule is None and spec.zero_terminal_snr:
        usual_schedule = "trailing"  # only it begins where such a model learnt to (2305.08891)

    sampler, said = (
        (usual, None) if request.sampler is None else names.sampler_named(request.sampler)
    )
    record = names.SAMPLERS[sampler]
    if request.schedule is not None:
        schedule = names.schedule_named(request.schedule)
        if said not in {None, schedule}:
            raise RequestError(
                f"The sampler's name asks for the schedule {said}, the request for {schedule}.",
                "Leave one of them out.",
            )
        said = schedule
    if said is None:
        bound = record.schedule is not None and sampler != usual
        said = _first(None if bound else usual_schedule, record.schedule, SCHEDULE)
    if record.schedules is not None and said not in record.schedules:
        raise RequestError(
            f"The sampler {sampler} is defined on the schedule "
            f"{' or '.join(record.schedules)} only, not on {said}.",
            "Leave the schedule out, or choose another sampler.",
        )
    return sampler, said


def _size(request: Request, spec: ModelSpec, input_size: tuple[int, int] | None) -> tuple[int, int]:
    """Width and height of the image in pixels.

    An input image keeps its shape: within the model's native area, or beside the side that was
    asked for.
    """
    native = spec.native_width, spec.native_height
    largest = MAX_TIMES_NATIVE * max(native)
    width = _side("Width", request.width, largest, native[0])
    height = _side("Height", request.height, largest, native[1])
    if input_size is None:
        return (
            _first(width, spec.defaults.width, native[0]),
            _first(height, spec.defaults.height, native[1]),
        )
    if width is not None:
        scale = width / input_size[0]
    elif height is not None:
        scale = height / input_size[1]
    else:
        scale = math.sqrt(native[0] * native[1] / (input_size[0] * input_size[1]))

    def fit(side: int) -> int:
        nearest = SIZE_MULTIPLE * round(side * scale / SIZE_MULTIPLE)
        return min(max(nearest, SIZE_MULTIPLE), largest)

    return _first(width, fit(input_size[0])), _first(height, fit(input_size[1]))


def _side(name: str, value: int | None, largest: int, native: int) -> int | None:
    if value is None:
        return None
    value = _whole(name, value, SIZE_MULTIPLE, largest, f"the model was made for {native}")
    if value % SIZE_MULTIPLE:
        below = value - value % SIZE_MULTIPLE
        raise RequestError(
            f"{name} {value} is not a multiple of {SIZE_MULTIPLE}.",
            f"The nearest that work are {below} and {below + SIZE_MULTIPLE}.",
        )
    return value


def round_up(value: int, multiple: int) -> int:
    """The smallest multiple that is no smaller."""
    return -(-value // multiple) * multiple


def _seed(seed: int, count: int) -> int:
    seed = _whole("Seed", seed, 0, MAX_SEED)
    if seed + count - 1 > MAX_SEED:
        raise RequestError(
            f"The seeds of {count} images from {seed} on pass the largest, {MAX_SEED}.",
            f"The largest seed for so many is {MAX_SEED - count + 1}.",
        )
    return seed


def _guidance(value: float) -> float:
    return _real("Guidance", value, -MAX_GUIDANCE, MAX_GUIDANCE, "7.5 is usual")


def _eta(value: float | None, sampler: str) -> float:
    if value is None:
        return _first(names.SAMPLERS[sampler].eta, ETA)
    eta = _real("Eta", value, 0.0, 1.0, "0 draws no fresh noise")
    if eta != 0 and not names.SAMPLERS[sampler].uses_eta:
        takers = ", ".join(name for name, record in names.SAMPLERS.items() if record.uses_eta)
        raise RequestError(
            f"The sampler {sampler} has no eta.", f"Leave it out, or choose one of {takers}."
        )
    return eta


def _strength(request: Request) -> float:
    """How much of the image is made anew: all of it in txt2img."""
    if request.task == "txt2img":
        return 1.0
    value = _first(request.strength, STRENGTH)
    return _real("Strength", value, 0.0, 1.0, "0 keeps the image, 1 leaves little of it")


def _watermark(request: Request, spec: ModelSpec, width: int, height: int) -> bytes | None:
    """The payload, by default where the picture is large enough to hold it."""
    fits = width * height >= WATERMARK_AREA
    if request.watermark is None:
        return WATERMARKS[spec.family] if fits and not spec.demonstration else None
    if request.watermark and not fits:
        raise RequestError(
            f"An image of {width} × {height} is too small for the invisible watermark.",
            f"It needs {WATERMARK_AREA:,} pixels, 256 × 256 for example.",
        )
    return WATERMARKS[spec.family] if request.watermark else None


def _whole(name: str, value: object, low: int, high: int, usual: str = "") -> int:
    """`value` as an int if it is a whole number, of numpy's too, from low to high."""
    hint = _range(str(low), str(high), usual)
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise RequestError(f"{name} must be a whole number.", hint)
    value = int(value)
    if not low <= value <= high:
        # Python refuses to write the longest numbers out.
        shown = str(value) if value.bit_length() <= 128 else f"of {value.bit_length()} bits"
        raise _out_of_range(name, shown, str(low if value < low else high), hint)
    return value


def _real(name: str, value: object, low: float, high: float, usual: str) -> float:
    """`value` as a float if it is a number, of numpy's too, from low to high."""
    hint = _range(f"{low:g}", f"{high:g}", usual)
    if isinstance(value, bool) or not isinstance(value, Real):
        raise RequestError(f"{name} must be a number.", hint)
    try:
        number = float(value)
    except OverflowError:  # an integer beyond every float
        number = -math.inf if value < 0 else math.inf
    if math.isnan(number):
        raise RequestError(f"{name} is not a number (NaN).", hint)
    if not low <= number <= high:
        shown = f"{number:g}" if abs(number) < 1e300 else "of such a size"
        raise _out_of_range(name, shown, f"{low if number < low else high:g}", hint)
    return number


def _out_of_range(name: str, shown: str, nearest: str, hint: str) -> RequestError:
    return RequestError(
        f"{name} {shown} is out of range; the nearest that works is {nearest}.", hint
    )


def _range(low: str, high: str, usual: str) -> str:
    return f"Choose from {low} to {high}; {usual}." if usual else f"Choose from {low} to {high}."
