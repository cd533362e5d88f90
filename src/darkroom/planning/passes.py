"""The runs of the sampler that a request asks for: how large the image is, and how many steps."""

import math

from darkroom import names
from darkroom.contracts import Hires, ModelSpec, Pass, Request
from darkroom.errors import RequestError
from darkroom.planning import checks
from darkroom.planning.checks import first
from darkroom.timesteps import ldm_timesteps, steps_from_image

STEPS = 20  # where neither the user nor the model says

SIZE_MULTIPLE = 8
# Beyond, a model repeats its subject, and attention grows with the fourth power of the side.
MAX_TIMES_NATIVE = 8
# Of an enlarged picture, in pixels: larger ones no common program opens.
MAX_ENLARGED = 16_384
# Painted smaller than it is, a part of an image comes back blurred; up to so many times the native
# area a model keeps its composition.
SHARP = 2


def passes(
    request: Request,
    spec: ModelSpec,
    chosen: tuple[str, str],
    *,
    strength: float | None,
    hires: Hires | None,
    input_size: tuple[int, int] | None,
) -> tuple[Pass, ...]:
    """One pass, or two where there is `hires`, each with its size and its steps.

    `chosen`: names of the sampler and the schedule.  `strength`: None to start from noise.

    Raises:
        RequestError: there can be no such size, or not so many steps.
    """
    sampler, schedule = chosen
    below = names.SAMPLERS[sampler].starts_below
    most = names.SCHEDULES[schedule].max_steps
    steps = checks.whole("Steps", first(request.steps, spec.defaults.steps, STEPS), 1, most)
    size = _size(request, spec, input_size)
    if strength is not None:
        left = steps_from_image(strength, steps, starts_below=below)
        return (_pass(spec, size, schedule, steps, left),)
    whole = _pass(spec, size, schedule, steps)
    if hires is None:
        return (whole,)
    large = _enlarged(size, hires, request, spec)
    usual = max(1, int(hires.strength * steps))  # levels as close together as in the first pass
    left = checks.whole("Hires steps", first(request.hires_steps, usual), 1, most - below)
    if hires.strength == 0:
        return whole, _pass(spec, large, schedule, steps, 0)
    # As A1111 does: so many steps are run, whatever the schedule that they are the end of.
    asked = min(max(left + below, int(left / hires.strength)), most)
    return whole, _pass(spec, large, schedule, asked, left)


def _pass(
    spec: ModelSpec, size: tuple[int, int], schedule: str, requested: int, runs: int | None = None
) -> Pass:
    """`runs`: the last steps that are run, None for all."""
    steps = len(ldm_timesteps(requested)) if names.SCHEDULES[schedule].on_ldm_grid else requested
    return Pass(
        width=size[0],
        height=size[1],
        canvas_width=round_up(size[0], spec.multiple),
        canvas_height=round_up(size[1], spec.multiple),
        steps=steps,
        requested_steps=requested,
        runs=steps if runs is None else runs,
    )


def _size(request: Request, spec: ModelSpec, input_size: tuple[int, int] | None) -> tuple[int, int]:
    """Width and height of the first pass's image in pixels.

    An input image keeps its shape: within the model's native area, or beside the side that was
    asked for.
    """
    if request.task == "upscale" and input_size is not None:
        return _upscaled(request, spec, input_size)
    native = spec.native_width, spec.native_height
    largest = MAX_TIMES_NATIVE * max(native)
    across, down = _multiples(request, spec)
    width = _side("Width", request.width, largest, native[0], across)
    height = _side("Height", request.height, largest, native[1], down)
    if input_size is None or request.task == "vary":
        return (
            first(width, spec.defaults.width, native[0]),
            first(height, spec.defaults.height, native[1]),
        )
    if None in {width, height}:
        check_shape(input_size, "Cut it, or say both width and height of the one to make.")
    if width is not None:
        scale = width / input_size[0]
    elif height is not None:
        scale = height / input_size[1]
    else:
        times = input_size[0] * input_size[1] / (native[0] * native[1])
        scale = 1.0 if request.task == "inpaint" and 1 < times <= SHARP else times**-0.5

    def fit(side: int, multiple: int) -> int:
        return min(max(multiple * round(side * scale / multiple), multiple), largest)

    return first(width, fit(input_size[0], across)), first(height, fit(input_size[1], down))


def _upscaled(request: Request, spec: ModelSpec, input_size: tuple[int, int]) -> tuple[int, int]:
    """So many times the image as the model enlarges, no more and no less."""
    factor = spec.autoencoder.factor
    width, height = (factor * side for side in input_size)
    shown = f"An image of {input_size[0]} × {input_size[1]}"
    if max(width, height) > MAX_ENLARGED:
        raise RequestError(
            f"{shown} enlarged {factor} times would be {width} × {height}.",
            f"{MAX_ENLARGED // factor} on a side is the most; cut it or make it smaller.",
        )
    if (first(request.width, width), first(request.height, height)) != (width, height):
        raise RequestError(
            f"{shown} becomes {width} × {height}: {spec.name} enlarges {factor} times.",
            "Leave width and height out, and resize the image before or afterwards.",
        )
    if request.tiling not in {None, "none"}:
        raise RequestError(
            "An enlarged image cannot be made to continue at its other edge.", "Leave tiling out."
        )
    return width, height


def check_shape(size: tuple[int, int], hint: str) -> None:
    """RequestError where no image between the smallest size and the largest has this shape."""
    if max(size) > MAX_TIMES_NATIVE**2 * min(size):
        raise RequestError(
            f"An image of {size[0]} × {size[1]} is too narrow: one side is more than "
            f"{MAX_TIMES_NATIVE**2} times the other.",
            hint,
        )


def _multiples(request: Request, spec: ModelSpec) -> tuple[int, int]:
    """Of what width and height must be multiples: an image is not cropped where it continues."""
    return (
        spec.multiple if request.tiling in {"x", "both"} else SIZE_MULTIPLE,
        spec.multiple if request.tiling in {"y", "both"} else SIZE_MULTIPLE,
    )


def _side(name: str, value: int | None, largest: int, native: int, multiple: int) -> int | None:
    if value is None:
        return None
    value = checks.whole(name, value, SIZE_MULTIPLE, largest, f"the model was made for {native}")
    if value % multiple:
        needed = "" if multiple == SIZE_MULTIPLE else ", which tiling needs with this model"
        below = value - value % multiple
        raise RequestError(
            f"{name} {value} is not a multiple of {multiple}{needed}.",
            f"The nearest that work are {below} and {below + multiple}."
            if below
            else f"The nearest that works is {multiple}.",
        )
    return value


def _enlarged(
    size: tuple[int, int], hires: Hires, request: Request, spec: ModelSpec
) -> tuple[int, int]:
    """The size of the second pass: `factor` times the first, or as near below as can be."""
    largest = MAX_TIMES_NATIVE * max(spec.native_width, spec.native_height)
    across, down = _multiples(request, spec)
    width, height = (
        int(side * hires.factor + 1e-6) // multiple * multiple
        for side, multiple in zip(size, (across, down), strict=True)
    )
    if max(width, height) > largest:
        fits = math.floor(100 * largest / max(size)) / 100
        raise RequestError(
            f"Enlarged {hires.factor:g} times the image is {width} × {height}, "
            f"and {largest} is the most for {spec.name}.",
            f"The most that works is hires {fits:g}, or begin smaller.",
        )
    return width, height


def round_up(value: int, multiple: int) -> int:
    """The smallest multiple that is no smaller."""
    return -(-value // multiple) * multiple
