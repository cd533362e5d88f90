"""How weights act on embeddings: each tool's arithmetic.

Letters: S stages of a prompt, T tokens of a chunk, W width.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

_HARDLY = 0.02


def keep_mean(embeddings: Tensor, weights: Tensor, shares: Tensor) -> Tensor:
    """A1111: each embedding times its weight, then all so that their mean is what it was.

    `embeddings` [S, T, W]: the same chunk at all stages of a prompt, which share one mean as
    they do there; `weights` [S, T]; `shares` [S], 1 in sum: of the steps.  Where there is hardly a
    mean (a small model's is a thousandth of its deviation, CLIP's a tenth), keeping it would
    multiply by chance: the weights stand alone.
    """
    if bool((weights == 1).all()):
        return embeddings
    shares = shares.to(embeddings.device)
    weighted = embeddings * weights[..., None]
    mean = embeddings.mean((1, 2)) @ shares
    if mean.abs() < _HARDLY * embeddings.std():
        return weighted
    return weighted * (mean / (weighted.mean((1, 2)) @ shares))


def from_empty(embeddings: Tensor, empty: Tensor, weights: Tensor) -> Tensor:
    """ComfyUI: so far along the line from the empty prompt's embedding to this one.

    `embeddings`, `empty` [T, W]; `weights` [T].
    """
    moved = empty + (embeddings - empty) * weights[:, None]
    return torch.where(weights[:, None] == 1, embeddings, moved)


def blended(embeddings: Sequence[Tensor], shares: Sequence[float]) -> Tensor:
    """The sum of embeddings [T, W] by their shares."""
    return torch.stack([e * share for e, share in zip(embeddings, shares, strict=True)]).sum(0)


def less(embedding: Tensor, without: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """InvokeAI (compel): towards what the prompt is without the words that count less than 1.

    `without`: embeddings [T, W] with the words of one fragment hidden, for each of `weights`.
    The share of each is tan((1 - weight) π / 2): none at weight 1, as much as the prompt's own at
    one half, all of it at 0.
    """
    shares = [1.0, *(math.tan((1 - max(weight, 1e-5)) * math.pi / 2) for weight in weights)]
    return blended([embedding, *without], [share / sum(shares) for share in shares])
