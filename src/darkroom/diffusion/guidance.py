"""Classifier-free guidance (Ho & Salimans 2207.12598), of one prompt or of several at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from darkroom.diffusion.denoiser import Denoiser
from darkroom.diffusion.samplers import Denoise


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One prompt of several, and how much it weighs; `context` [1 or B, T, W]."""

    context: Tensor
    weight: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Conditions:
    """What an image shall be and what not, as embeddings; each may have its own length T.

    `negative`: [1 or B, T, W].
    """

    parts: tuple[Part, ...]
    negative: Tensor


Follow = Callable[[Tensor], Conditions]
"""`conditions(sigma)`: what holds at one noise level, a float64 scalar on the CPU."""


def guided(
    denoiser: Denoiser,
    conditions: Follow,
    scale: float,
    *,
    rescale: float = 0.0,
    interval: tuple[float, float] | None = None,
) -> Denoise:
    """`denoise(x, sigma)` = negative + scale · Σ weight · (part - negative), of denoised images.

    Denoised images are linear in what the network predicts, so this is the same for eps and v.
    The sum over parts is the conjunction of Liu et al. (2206.01714).  What has no share
    in the result is not evaluated: at scale 1 the negative prompt (the weights of the parts
    being 1 in sum), at scale 0 the parts.  Contexts of one length make one batch, the negative
    first.

    `rescale`: 0 … 1, see `_rescaled`.  `interval`: the highest and the lowest sigma at which
    guidance acts; outside, the scale is 1 (Kynkäänniemi et al. 2404.07724).
    """

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        now = conditions(sigma)
        acts = interval is None or interval[1] <= float(sigma) <= interval[0]
        unguided = _shares(now, 1.0)
        shares = _shares(now, scale) if acts else unguided
        adjusts = rescale > 0 and shares != unguided
        contexts = [now.negative, *(part.context for part in now.parts)]
        needed = [
            k for k, share in enumerate(shares) if share != 0 or (adjusts and unguided[k] != 0)
        ]
        seen = _evaluate(denoiser, x, sigma, [contexts[k] for k in needed])
        denoised = _combined([shares[k] for k in needed], seen)
        if not adjusts:
            return denoised
        plain = _combined([unguided[k] for k in needed], seen)
        return _rescaled(x, float(sigma), denoised, plain, rescale)

    return denoise


def _shares(conditions: Conditions, scale: float) -> list[float]:
    """What each denoised image counts in the result, the negative's first; 1 in sum."""
    parts = [scale * part.weight for part in conditions.parts]
    return [1 - sum(parts), *parts]


def _combined(shares: Sequence[float], images: Sequence[Tensor]) -> Tensor:
    """The sum of the images by their shares, written as steps from the first of them."""
    first, *others = images
    result = first
    for share, image in zip(shares[1:], others, strict=True):
        if share != 0:
            result = result + share * (image - first)
    return result


def _evaluate(
    denoiser: Denoiser, x: Tensor, sigma: Tensor, contexts: Sequence[Tensor]
) -> list[Tensor]:
    """The denoised images under each context, those of one length in one batch."""
    by_length: dict[int, list[int]] = {}
    for k, context in enumerate(contexts):
        by_length.setdefault(context.shape[-2], []).append(k)
    found: dict[int, Tensor] = {}
    for group in by_length.values():
        together = torch.cat([contexts[k].expand(len(x), -1, -1) for k in group])
        denoised = denoiser(x.repeat(len(group), 1, 1, 1), sigma, together)
        found.update(zip(group, denoised.chunk(len(group)), strict=True))
    return [found[k] for k in range(len(contexts))]


def _rescaled(x: Tensor, sigma: float, guided_image: Tensor, plain: Tensor, share: float) -> Tensor:
    """Guidance without its excess of contrast (Lin et al. 2305.08891, section 3.4, eq. 15-16).

    The standard deviation of the guided v is led back to that of the unguided, by `share` of the
    way.  The paper's models predict v; for models of eps the same v is meant.
    """
    # denoised = skip x - out v, so that v is what is missing to skip x, but for a factor.
    skipped = x / (1 + sigma**2)
    v, v_plain = skipped - guided_image, skipped - plain
    dims = tuple(range(1, x.ndim))
    kept = v_plain.std(dims, keepdim=True) / v.std(dims, keepdim=True)
    return skipped - v * (share * kept + 1 - share)
