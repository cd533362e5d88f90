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


@dataclass(frozen=True, slots=True, eq=False)
class Label:
    """What some networks are told beside the time, and what with the negative prompt.

    Whole numbers [1 or B] or vectors [1 or B, V].
    """

    value: Tensor
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
    beside: Tensor | None = None,
    label: Label | None = None,
    image_scale: float | None = None,
) -> Denoise:
    """`denoise(x, sigma)` = negative + scale · Σ weight · (part - negative), of denoised images.

    Denoised images are linear in what the network predicts, so this is the same for eps and v.
    The sum over parts is the conjunction of Liu et al. (2206.01714).  What has no share
    in the result is not evaluated: at scale 1 the negative prompt (the weights of the parts
    being 1 in sum), at scale 0 the parts.  Contexts of one length make one batch, the negative
    first.

    `rescale`: 0 … 1, see `_rescaled`.  `interval`: the highest and the lowest sigma at which
    guidance acts; outside, the scale is 1 (Kynkäänniemi et al. 2404.07724).

    `beside` [1 or B, C', h, w]: what the network sees beside x; `label`: what it is told beside
    the time.  `image_scale`: where `beside` is an image to be edited, how strongly it pulls;
    without it, which is zeros, the negative prompt is looked at once more (Brooks et al.
    2211.09800, eq. 3).
    """

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        now = conditions(sigma)
        acts = interval is None or interval[1] <= float(sigma) <= interval[0]
        unguided = _shares(now, 1.0, None if image_scale is None else 1.0)
        shares = _shares(now, scale, image_scale) if acts else unguided
        adjusts = rescale > 0 and shares != unguided
        told, untold = (None, None) if label is None else (label.value, label.negative)
        looks = [_Look(now.negative, beside, untold)]
        looks += [_Look(part.context, beside, told) for part in now.parts]
        if image_scale is not None and beside is not None:
            looks.append(_Look(now.negative, torch.zeros_like(beside), untold))
        needed = [
            k for k, share in enumerate(shares) if share != 0 or (adjusts and unguided[k] != 0)
        ]
        seen = _evaluate(denoiser, x, sigma, [looks[k] for k in needed])
        denoised = _combined([shares[k] for k in needed], seen)
        if not adjusts:
            return denoised
        plain = _combined([unguided[k] for k in needed], seen)
        return _rescaled(x, float(sigma), denoised, plain, rescale)

    return denoise


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """What one evaluation sees beside x."""

    context: Tensor
    beside: Tensor | None
    label: Tensor | None


def _shares(conditions: Conditions, scale: float, image_scale: float | None) -> list[float]:
    """What each denoised image counts in the result, the negative's first; 1 in sum.

    Where an image is edited, the last is what is seen without it.
    """
    parts = [scale * part.weight for part in conditions.parts]
    if image_scale is None:
        return [1 - sum(parts), *parts]
    return [image_scale - sum(parts), *parts, 1 - image_scale]


def _combined(shares: Sequence[float], images: Sequence[Tensor]) -> Tensor:
    """The sum of the images by their shares, written as steps from the first of them."""
    first, *others = images
    result = first
    for share, image in zip(shares[1:], others, strict=True):
        if share != 0:
            result = result + share * (image - first)
    return result


def _evaluate(denoiser: Denoiser, x: Tensor, sigma: Tensor, looks: Sequence[_Look]) -> list[Tensor]:
    """The denoised images of each look, those with contexts of one length in one batch."""
    by_length: dict[int, list[int]] = {}
    for k, look in enumerate(looks):
        by_length.setdefault(look.context.shape[-2], []).append(k)
    found: dict[int, Tensor] = {}
    for group in by_length.values():
        denoised = denoiser(
            x.repeat(len(group), 1, 1, 1),
            sigma,
            torch.cat([looks[k].context.expand(len(x), -1, -1) for k in group]),
            _rows([looks[k].beside for k in group], len(x)),
            _rows([looks[k].label for k in group], len(x)),
        )
        found.update(zip(group, denoised.chunk(len(group)), strict=True))
    return [found[k] for k in range(len(looks))]


def _rows(values: Sequence[Tensor | None], images: int) -> Tensor | None:
    """Values [1 or B, …] of each look, all of them or none, as rows of one batch."""
    rows = [one.expand(images, *one.shape[1:]) for one in values if one is not None]
    return torch.cat(rows) if rows else None


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
