"""Tiles that cover a large picture with an overlap: plain integers, shared by planning and tasks.

Everything is counted in latents.
"""

from dataclasses import dataclass

LARGEST = 128  # a side up to which a picture is worked on as a whole
OVERLAP = 32  # of two neighbours, at least


@dataclass(frozen=True, kw_only=True)
class Tiles:
    """All tiles have one size, and lie in rows and columns as evenly as whole numbers allow."""

    height: int
    width: int
    tops: tuple[int, ...]
    lefts: tuple[int, ...]

    @property
    def count(self) -> int:
        return len(self.tops) * len(self.lefts)


def tiles(height: int, width: int, multiple: int) -> Tiles:
    """The fewest tiles that cover a picture of this size, which is a multiple of `multiple`.

    So are those of the tiles, of at most `LARGEST` along each side.  A single one covers a picture
    that is no larger.
    """
    tile_height, tops = _along(height, multiple)
    tile_width, lefts = _along(width, multiple)
    return Tiles(height=tile_height, width=tile_width, tops=tops, lefts=lefts)


def _along(length: int, multiple: int) -> tuple[int, tuple[int, ...]]:
    """The length of the tiles along one side, and where each begins."""
    largest = max(LARGEST // multiple * multiple, multiple)
    if length <= largest:
        return length, (0,)
    overlap = min(OVERLAP, largest // 2)
    count = _divided(length - overlap, largest - overlap)
    side = _divided(_divided(length + (count - 1) * overlap, count), multiple) * multiple
    return side, tuple(place * (length - side) // (count - 1) for place in range(count))


def _divided(value: int, by: int) -> int:
    """Rounded up."""
    return -(-value // by)
