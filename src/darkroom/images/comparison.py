"""How far two pictures are apart."""

from dataclasses import dataclass

import numpy as np

from darkroom.images.io import Pixels


@dataclass(frozen=True, kw_only=True)
class Difference:
    """In levels of 255: of the pixel channel that differs most, and on average over all."""

    largest: int
    mean: float


def difference(one: Pixels, other: Pixels) -> Difference:
    """The difference of two uint8 arrays [H, W, 3].  ValueError where their sizes differ."""
    if one.shape != other.shape:
        raise ValueError(f"{one.shape} and {other.shape}")
    apart = np.abs(one.astype(np.int16) - other)
    return Difference(largest=int(apart.max()), mean=float(apart.mean()))
