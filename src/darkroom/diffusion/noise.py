"""Where all noise comes from: one generator an image, always on the CPU, always float32.

Image k of a request is the same alone, in any batch, in any order and on any device, because its
numbers are drawn one image at a time, in the order in which the task uses them.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


class Noise:
    """Unit normal noise for a batch, image b from `seeds[b]` alone."""

    def __init__(self, seeds: Sequence[int]) -> None:
        self._generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]

    def draw(self, shape: Sequence[int]) -> Tensor:
        """The next noise of the shape of *one* image: float32 [B, *shape] on the CPU."""
        return torch.stack(
            [torch.randn(*shape, generator=g, dtype=torch.float32) for g in self._generators]
        )
