"""The mask of a wish to inpaint: out of its file, or out of the image's transparent parts."""

from functools import lru_cache

import numpy as np

from darkroom.contracts import Painting
from darkroom.errors import RequestError
from darkroom.images import io, masks, screening
from darkroom.images.io import Pixels, ReadImage


@lru_cache(maxsize=1)  # a wish is judged more than once
def mask_of(
    image: ReadImage, file: bytes | None, painting: Painting
) -> tuple[masks.Mask, tuple[str, ...]]:
    """The mask of the extended image, and what is to be said about it.

    Raises:
        RequestError: nothing says where to paint, or nothing would be painted.
        ImageError: the mask is no image, or the extended image is larger than any may be.
    """
    screening.check_size(painting.width, painting.height, "The extended image")
    drawn, notes = _drawn(image, file, extended=any(painting.extend))
    mask = masks.finished(
        drawn,
        invert=painting.invert,
        grow=painting.grow,
        blur=painting.blur,
        extend=painting.extend,
    )
    if not mask.painted.any():
        colour = "white" if painting.invert else "black"
        raise RequestError(
            f"The mask is {colour} everywhere: nothing would be painted.",
            "What is white in it is painted, or what is black where it is inverted.",
        )
    return mask, notes


def _drawn(
    image: ReadImage, file: bytes | None, *, extended: bool
) -> tuple[Pixels, tuple[str, ...]]:
    """The mask at the size of the image."""
    width, height = image.size
    if file is not None:
        read = io.read(file, "The mask")
        mask = masks.of_file(read)
        notes = tuple(f"The mask: {_lowered(note)}" for note in read.notes)
        across, down = mask.shape[1], mask.shape[0]
        if (across, down) == (width, height):
            return mask, notes
        note = f"The mask, {across} x {down}, was stretched to the image's {width} x {height}."
        return masks.fit(mask, width, height), (*notes, note)
    if image.mask is not None:
        return masks.of_alpha(image.mask), ("Its transparent parts are the mask.",)
    if extended:
        return np.zeros((height, width), np.uint8), ()
    raise RequestError(
        "There is no mask: nothing says where to paint.",
        "Give a picture that is white there, or an image that is transparent there.",
    )


def _lowered(note: str) -> str:
    """A note about an image, as what is said of a mask: transparent parts of one are black."""
    said = "Its transparent parts are not painted." if note == io.OVER_WHITE else note
    return f"{said[0].lower()}{said[1:]}"
