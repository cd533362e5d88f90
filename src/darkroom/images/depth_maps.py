"""Depth maps: grey pictures in which what is nearer is brighter.

In memory they are float32 [H, W] from 0, farthest, to 1.
"""

import io as streams

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from darkroom.errors import RequestError
from darkroom.images import io

Depths = NDArray[np.float32]

# Of the aspect ratio: a map may have the size at which a network looked, to multiples of 32.
_TOLERANCE = 0.05


def read(data: bytes, name: str = "The depth map") -> Depths:
    """The map in an image file: 8 or 16 bits of grey, or colours of which the brightness counts.

    ImageError for what `images.io.read` does not take.
    """
    image, frames = io.open_screened(data, name)
    if image.mode.startswith("I;16"):
        grey = np.asarray(io.upright(image, name))
        return (grey / 65535).astype(np.float32)
    pixels = io.normalise(image, frames, name).pixels
    grey = np.asarray(Image.fromarray(pixels).convert("L"))
    return (grey / 255).astype(np.float32)


def check_aspect(depths: Depths, size: tuple[int, int]) -> None:
    """RequestError where a map has another shape than the image of this width and height."""
    height, width = depths.shape
    across, down = width * size[1], height * size[0]
    rounding = 1 / min(width, height, *size)
    if abs(across - down) > (_TOLERANCE + rounding) * max(across, down):
        raise RequestError(
            f"The depth map is {width} x {height}, another shape than the image's "
            f"{size[0]} x {size[1]}.",
            "Give one that shows the same cut-out, or leave it out to have depths measured.",
        )


def normalised(depths: NDArray[np.floating]) -> Depths:
    """Any depths, stretched so that they go from 0 to 1; all 0 where they do not differ."""
    low, high = float(depths.min()), float(depths.max())
    if high <= low:
        return np.zeros(depths.shape, np.float32)
    return ((depths - low) / (high - low)).astype(np.float32)


def encode(depths: Depths) -> bytes:
    """A PNG file of 16 bits of grey, which `read` gives back."""
    grey = np.round(depths * 65535).astype(np.uint16)
    buffer = streams.BytesIO()
    Image.fromarray(grey).save(buffer, "PNG")
    return buffer.getvalue()
