"""What inpainting paints, and how much of the image the model sees."""

from typing import get_args

from darkroom.contracts import Fill, Painting, Region, Request, Sides
from darkroom.errors import RequestError
from darkroom.planning import checks
from darkroom.planning.checks import first

PADDING = 32  # pixels around the masked part, as A1111 has it
MAX_GROW = 256
MAX_BLUR = 256
MAX_PADDING = 4096
MAX_EXTEND = 4096
# What is narrower than this share of its length is seen with more of the image beside it.
NARROWEST = 0.5


def painting(request: Request, size: tuple[int, int]) -> Painting | None:
    """What a request says about painting on an image of this width and height, all of it seen.

    None for other tasks than inpaint.

    Raises:
        RequestError: a wish that cannot be meant.
    """
    if request.task != "inpaint":
        return None
    checks.choice("fill", request.fill, get_args(Fill))
    checks.choice("region", request.region, get_args(Region))
    region: Region = first(request.region, "whole")
    if region == "whole" and request.region_padding is not None:
        raise RequestError(
            "Padding is about the masked region, and the whole image is asked for.",
            "Leave it out, or ask for the region masked.",
        )
    extend = _extend(request.extend)
    left, top, right, bottom = extend
    width, height = size[0] + left + right, size[1] + top + bottom
    return Painting(
        invert=request.mask_invert,
        grow=checks.whole("Mask grow", first(request.mask_grow, 0), 0, MAX_GROW),
        blur=checks.whole("Mask blur", first(request.mask_blur, 0), 0, MAX_BLUR),
        fill=first(request.fill, "original"),
        region=region,
        padding=checks.whole(
            "Region padding", first(request.region_padding, PADDING), 0, MAX_PADDING
        ),
        extend=extend,
        width=width,
        height=height,
        box=(0, 0, width, height),
    )


def _extend(said: Sides | None) -> Sides:
    if said is None:
        return 0, 0, 0, 0
    if len(said) != 4:
        raise RequestError(
            "An extension is four numbers of pixels.", "Say left, top, right and bottom: 0,0,128,0."
        )
    left, top, right, bottom = (checks.whole("Extension", side, 0, MAX_EXTEND) for side in said)
    return left, top, right, bottom


def seen(painting: Painting, painted: Sides) -> Sides:
    """Left, top, right and bottom of what the model shall see, `painted` being those of the mask.

    The whole image; or what is painted with its padding, and more where that is narrow and the
    image has it.
    """
    if painting.region == "whole":
        return 0, 0, painting.width, painting.height
    left, top, right, bottom = painted
    across = left - painting.padding, right + painting.padding
    down = top - painting.padding, bottom + painting.padding
    left, right = _within(*across, painting.width)
    top, bottom = _within(*down, painting.height)
    left, right = _widened(left, right, int(NARROWEST * (bottom - top)), painting.width)
    top, bottom = _widened(top, bottom, int(NARROWEST * (right - left)), painting.height)
    return left, top, right, bottom


def _within(low: int, high: int, most: int) -> tuple[int, int]:
    return max(low, 0), min(high, most)


def _widened(low: int, high: int, least: int, most: int) -> tuple[int, int]:
    """A stretch of at least this length around the same middle, as far as there is room."""
    missing = min(least, most) - (high - low)
    if missing <= 0:
        return low, high
    low = min(max(low - missing // 2, 0), most - (high - low) - missing)
    return low, low + min(least, most)
