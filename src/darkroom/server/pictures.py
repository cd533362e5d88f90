"""What other programs' interfaces do to a picture before it becomes an input of ours."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from PIL import Image

from darkroom.errors import ImageError, RequestError

_OPAQUE = 128  # A1111 paints where a mask is more opaque than this
Way = Literal["crop", "fill"]


class Pictures(Protocol):
    """Opens what clients send, where it can do no harm.  All raise ImageError for what is none."""

    def fitted(self, file: bytes, width: int, height: int, way: Way) -> bytes:
        """A PNG file of this picture with the shape of another size.

        A part is cut off on both sides, or the edge is repeated; its resolution stays.
        """

    def mask(self, file: bytes) -> bytes:
        """A mask that is white where to paint, of one that may say so by being opaque there."""

    def clear_parts(self, file: bytes) -> bytes:
        """A mask that is white where this picture is transparent; RequestError where none is."""


@dataclass(frozen=True)
class DecodedPictures:
    """`decode` makes the PNG file of any image file, or raises ImageError."""

    decode: Callable[[bytes], bytes]

    def fitted(self, file: bytes, width: int, height: int, way: Way) -> bytes:
        image = self._open(file)
        before, after = image.size, _shape(image.size, width, height, larger=way == "fill")
        if before == after:
            return file
        left, top = (after[0] - before[0]) // 2, (after[1] - before[1]) // 2
        if way == "crop":
            box = -left, -top, after[0] - left, after[1] - top
            return _png(image.crop(box))
        right, bottom = after[0] - before[0] - left, after[1] - before[1] - top
        pixels = np.pad(np.asarray(image), ((top, bottom), (left, right), (0, 0)), mode="edge")
        return _png(Image.fromarray(pixels))

    def mask(self, file: bytes) -> bytes:
        alpha = self._open(file).getchannel("A")
        if alpha.getextrema() == (255, 255):
            return file
        return _png(Image.fromarray((np.asarray(alpha) > _OPAQUE).astype(np.uint8) * 255))

    def clear_parts(self, file: bytes) -> bytes:
        alpha = self._open(file).getchannel("A")
        if alpha.getextrema() == (255, 255):
            raise RequestError(
                "The mask is transparent nowhere: nothing would be painted.",
                "Erase what is to be painted, and save it as PNG.",
            )
        return _png(Image.fromarray(255 - np.asarray(alpha)))

    def _open(self, file: bytes) -> Image.Image:
        """RGBA pixels out of a file that was made anew."""
        return Image.open(io.BytesIO(self.decode(file)), formats=("PNG",)).convert("RGBA")


def _shape(size: tuple[int, int], width: int, height: int, *, larger: bool) -> tuple[int, int]:
    """The size nearest to this one with the proportions of another, within it or around it."""
    if width < 1 or height < 1:
        raise RequestError(f"An image of {width} × {height} is none.", "Ask for a larger one.")
    wide = size[0] * height > size[1] * width
    if wide == larger:
        found = size[0], max(1, round(size[0] * height / width))
    else:
        found = max(1, round(size[1] * width / height)), size[1]
    if max(found) > 2**14:
        raise ImageError(
            f"An image of {size[0]} × {size[1]} cannot be made {width} × {height}.",
            "Cut it yourself.",
        )
    return found


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
