"""Masks: which pixels are painted anew, and which stay as they are.

As uint8 [H, W], 255 is painted, 0 stays, and what lies between is mixed.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from darkroom.contracts import Sides
from darkroom.images.io import Pixels, ReadImage

PAINTED = 128  # from here on


@dataclass(frozen=True, kw_only=True, eq=False)
class Mask:
    """A mask as it is used.

    `painted`: bool [H, W], where the model paints.  `mixture`: uint8 [H, W], how much of that is
    taken: 0 where the image stays as it is.
    """

    painted: NDArray[np.bool_]
    mixture: Pixels


def of_file(image: ReadImage) -> Pixels:
    """The mask in a picture: white is painted, and black or transparent parts are not."""
    grey = np.asarray(Image.fromarray(image.pixels).convert("L"))
    if image.mask is None:
        return grey
    # Transparent parts were laid over white; taken off again, they lie over black.
    white = 255 - image.mask.astype(np.int16)
    return np.clip(grey - white, 0, 255).astype(np.uint8)


def of_alpha(alpha: Pixels) -> Pixels:
    """The mask in a picture's own alpha channel: transparent parts are painted."""
    return 255 - alpha


def fit(mask: Pixels, width: int, height: int) -> Pixels:
    """The mask stretched to this size."""
    if mask.shape == (height, width):
        return mask
    resized = Image.fromarray(mask).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(resized)


def finished(mask: Pixels, *, invert: bool, grow: int, blur: int, extend: Sides) -> Mask:
    """A mask made hard, then inverted, extended, grown and blurred, in this order.

    `grow`, `blur`: pixels.  `extend`: pixels added left, above, right and below, all painted.
    """
    left, top, right, bottom = extend
    painted = (mask >= PAINTED) != invert
    painted = np.pad(painted, ((top, bottom), (left, right)), constant_values=True)
    if grow:
        painted = _grown(painted, grow)
    mixture = painted.astype(np.uint8) * 255
    if blur:
        soft = np.asarray(Image.fromarray(mixture).filter(ImageFilter.GaussianBlur(blur)))
        mixture[:] = 255  # beyond the old edge there is nothing to mix with
        within = slice(top, top + mask.shape[0]), slice(left, left + mask.shape[1])
        mixture[within] = soft[within]
    return Mask(painted=painted, mixture=mixture)


def extended(pixels: Pixels, extend: Sides) -> Pixels:
    """An image uint8 [H, W, 3] with so many pixels more on each side, its edge repeated."""
    left, top, right, bottom = extend
    return np.pad(pixels, ((top, bottom), (left, right), (0, 0)), mode="edge")


def bounds(mask: Pixels | NDArray[np.bool_]) -> Sides:
    """Left, top, right and bottom of what is not 0, of which there must be something."""
    rows, columns = (np.flatnonzero(np.any(mask, axis=axis)) for axis in (1, 0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def resized(painted: NDArray[np.bool_], width: int, height: int) -> NDArray[np.bool_]:
    """Where the model paints, at another size, [height, width]: wherever any of it is painted."""
    if painted.shape == (height, width):
        return painted
    image = Image.fromarray(painted.astype(np.uint8) * 255)
    return np.asarray(image.resize((width, height), Image.Resampling.BOX)) > 0


def mixed(old: Pixels, new: Pixels, mixture: Pixels) -> Pixels:
    """`new` where the mixture is 255, `old` where it is 0, all uint8, and between in between."""
    share = mixture[..., None].astype(np.uint16)
    return ((old * (255 - share) + new * share + 127) // 255).astype(np.uint8)


def unchanged(old: Pixels, new: Pixels, mixture: Pixels) -> bool:
    """Whether every pixel where the mixture is 0 is the same in both."""
    return bool(np.array_equal(old[mixture == 0], new[mixture == 0]))


def _grown(painted: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    """Everything within `radius` pixels of what is painted, measured straight."""
    if not painted.any():
        return painted
    height, width = painted.shape
    left, top, right, bottom = bounds(painted)
    left, right = max(left - radius, 0), min(right + radius, width)
    top, bottom = max(top - radius, 0), min(bottom + radius, height)
    near = painted[top:bottom, left:right]
    grown = near.copy()
    for rise in range(-radius, radius + 1):
        reach = int((radius**2 - rise**2) ** 0.5)
        row = _reached(near, reach)
        if rise > 0:
            grown[rise:] |= row[:-rise]
        elif rise < 0:
            grown[:rise] |= row[-rise:]
        else:
            grown |= row
    result = painted.copy()
    result[top:bottom, left:right] = grown
    return result


def _reached(painted: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """Everything in a row within `reach` columns of what is painted in it."""
    counts = np.cumsum(np.pad(painted, ((0, 0), (reach + 1, reach))), axis=1, dtype=np.int32)
    return counts[:, 2 * reach + 1 :] > counts[:, : -(2 * reach + 1)]
