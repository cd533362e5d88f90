"""Where all noise comes from: one generator an image, always on the CPU, always float32.

Image k of a request is the same alone, in any batch, in any order and on any device, because its
numbers are drawn one image at a time, in the order in which the task uses them.
"""

import bisect
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from darkroom import names
from darkroom.contracts import NoiseSource
from darkroom.diffusion.philox import Philox

StepNoise = Callable[[float, float], Tensor]
"""`noise(sigma, sigma_next)`: unit normal [B, C, h, w] for the way between two levels."""

_SEEDS = 2**64


class Noise:
    """Unit normal noise for a batch, image b from `seeds[b]` alone.

    `source`: `cpu` is torch's own generator on the CPU; `nv` draws what torch draws on an NVIDIA
    card.  `offset` is added to the seeds of the noise of the steps, which otherwise goes on where
    the noise before it ended.
    """

    def __init__(
        self, seeds: Sequence[int], *, source: NoiseSource = "cpu", offset: int = 0
    ) -> None:
        self._seeds = seeds
        self._source = source
        self._offset = offset
        self._images = _streams(seeds, source)

    def draw(self, shape: Sequence[int]) -> Tensor:
        """The next noise of the shape of *one* image: float32 [B, *shape] on the CPU."""
        return torch.stack([draw(shape) for draw in self._images])

    def steps(self, sampler: str, shape: Sequence[int], *, scale: float = 1.0) -> StepNoise:
        """The noise that one run of `sampler` draws for images of `shape` [C, h, w].

        To be taken when the start has been drawn.  `scale` makes all of it weaker or stronger
        (S_noise of Karras et al. 2206.00364, algorithm 2).
        """
        if self._offset:
            shifted = [(seed + self._offset) % _SEEDS for seed in self._seeds]
            self._images = _streams(shifted, self._source)
        if names.SAMPLERS[sampler].noise == "path":
            path = BrownianPath(lambda: self.draw(shape))
            return lambda sigma, sigma_next: scale * path(sigma, sigma_next)
        return lambda _sigma, _sigma_next: scale * self.draw(shape)


class BrownianPath:
    """One Brownian motion over sigma an image, seen a piece at a time.

    A piece is `(W(sigma_next) - W(sigma)) / √|sigma_next - sigma|`, unit normal by itself.
    Pieces that overlap share what they have in common, as k-diffusion's noise for samplers of
    stochastic equations does.  Each level that is new costs one draw, `sigma` before
    `sigma_next`; between two known levels the path is bridged.  Runs descend: what lies above a
    piece is forgotten.
    """

    def __init__(self, draw: Callable[[], Tensor]) -> None:
        """`draw()`: the next unit normal noise of the batch, [B, C, h, w]."""
        self._draw = draw
        self._levels: list[float] = []  # ascending
        self._values: dict[float, Tensor] = {}

    def __call__(self, sigma: float, sigma_next: float) -> Tensor:
        """Unit normal [B, C, h, w], float32, for two levels that differ, in either order."""
        begin, end = self._at(sigma), self._at(sigma_next)
        while self._levels[-1] > max(sigma, sigma_next):
            del self._values[self._levels.pop()]
        return ((end - begin) / math.sqrt(abs(sigma_next - sigma))).float()

    def _at(self, sigma: float) -> Tensor:
        """W at one level, in double precision: small pieces are differences of large values."""
        if sigma not in self._values:
            self._values[sigma] = self._new(sigma)
            bisect.insort(self._levels, sigma)
        return self._values[sigma]

    def _new(self, sigma: float) -> Tensor:
        """The value at a level that is not known, given those that are."""
        fresh = self._draw().double()
        if not self._levels:
            return torch.zeros_like(fresh)
        place = bisect.bisect(self._levels, sigma)
        known = self._levels[max(place - 1, 0) : place + 1]
        if place in {0, len(self._levels)}:
            return self._values[known[0]] + math.sqrt(abs(sigma - known[0])) * fresh
        low, high = known
        share = (sigma - low) / (high - low)
        mean = torch.lerp(self._values[low], self._values[high], share)
        return mean + math.sqrt(share * (high - sigma)) * fresh


def varied(first: Tensor, other: Tensor, strength: float) -> Tensor:
    """The start noise `first`, turned by `strength` (0 … 1) of the way towards `other`.

    Both [B, C, h, w], unit normal, and so is the result.  Each column of a latent is turned on
    its own sphere (Shoemake 1985, "Animating rotation with quaternion curves"), as the web
    interface that made variations popular does, so that its variations can be made again.
    """
    cosine = torch.cosine_similarity(first.double(), other.double(), dim=-2)[..., None, :]
    angle = cosine.clamp(-1, 1).acos()
    span = angle.sin()
    turned = ((1 - strength) * angle).sin() * first + (strength * angle).sin() * other
    return torch.where(span > 0, turned / span, first).to(first)


def _streams(seeds: Sequence[int], source: NoiseSource) -> list[Callable[[Sequence[int]], Tensor]]:
    """For each seed, what draws the next noise of a given shape."""
    if source == "nv":
        return [Philox(seed).draw for seed in seeds]
    return [_torch_stream(seed) for seed in seeds]


def _torch_stream(seed: int) -> Callable[[Sequence[int]], Tensor]:
    generator = torch.Generator("cpu").manual_seed(seed)
    return lambda shape: torch.randn(*shape, generator=generator, dtype=torch.float32)
