"""What tests of tasks look at: images, remarks, and pictures to start from."""

from collections.abc import Iterator

import numpy as np

from darkroom.contracts import Event, ImageDone, Noted, Raster
from darkroom.images import io, provenance


def done(events: Iterator[Event]) -> list[ImageDone]:
    return [event for event in events if isinstance(event, ImageDone)]


def noted(events: Iterator[Event]) -> list[str]:
    return [event.message for event in events if isinstance(event, Noted)]


def distance(a: Raster, b: Raster) -> int:
    """The largest difference of two images, in levels of 255."""
    assert (a.width, a.height) == (b.width, b.height)
    return int(np.abs(io.to_array(a).astype(int) - io.to_array(b)).max())


def photograph(width: int, height: int) -> bytes:
    """A PNG with gradients and a hard edge."""
    y, x = np.mgrid[:height, :width]
    pixels = np.stack([x * 255 // width, y * 255 // height, (x > y) * 255], -1).astype(np.uint8)
    mark = provenance.new_mark("test")
    return io.encode(io.from_array(pixels), "png", mark=mark)
