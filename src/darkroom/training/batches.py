"""Batches of cached scenes: batch `n` depends on the seed and on `n` alone."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from darkroom.training.cache import Frames


@dataclass(frozen=True)
class Batch:
    """Scenes of one size: scaled latents [B, Z, h, w] float32, one caption [B, T], the captions
    of the contrastive start [B, 2, T], all int64; labels [B].
    """

    latents: Tensor
    ids: Tensor
    whole: Tensor
    labels: Tensor


@dataclass(frozen=True, kw_only=True)
class Batches:
    """Draws batches of `size` from sets that lie on one device; sizes of frames take turns at
    random, as often as there are scenes of them.
    """

    sets: Mapping[tuple[int, int], Frames]
    size: int
    seed: int

    def __call__(self, step: int) -> Batch:
        rng = np.random.default_rng((self.seed, 77, step))
        frames = list(self.sets.values())
        counts = np.array([len(one.latents) for one in frames])
        chosen = frames[int(rng.choice(len(frames), p=counts / counts.sum()))]
        rows = torch.from_numpy(rng.integers(len(chosen.latents), size=self.size))
        variants = torch.from_numpy(rng.integers(chosen.ids.shape[1], size=self.size))
        rows, variants = rows.to(chosen.ids.device), variants.to(chosen.ids.device)
        return Batch(
            latents=chosen.latents[rows].float(),
            ids=chosen.ids[rows, variants].long(),
            whole=chosen.whole[rows].long(),
            labels=chosen.labels[rows],
        )
