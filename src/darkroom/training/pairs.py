"""Pieces of scenes, large and small: what an upscaler learns from."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import load_file, save, save_file
from torch import Tensor
from torch.nn import functional as F

from darkroom.models.autoencoder import Autoencoder
from darkroom.text.tokenizer import Tokenizer
from darkroom.training.ahead import Ahead
from darkroom.training.crops import Kind, crop, large, pixels
from darkroom.training.scenes.captions import caption
from darkroom.training.scenes.layout import training_scene
from darkroom.training.scenes.painter import Painter

CHUNK = 256  # pieces that one worker draws at a time
FACTOR = 4
ENLARGED = (1.0, 1.0, 1.0, 1.0, 1.5, 2.0, 2.0)  # what an image of Mini's shows is that large
REDRAWN = 0.25  # the part of small pictures that went through another model's autoencoder


@dataclass(frozen=True)
class Pairs:
    """N pieces: `large` [N, 3, S, S] uint8, their scaled latents [N, Z, s, s] float16, and of each
    scene a caption [N, T] int16.
    """

    large: Tensor
    latents: Tensor
    ids: Tensor


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Pixels [B, 3, S, S] in [-1, 1], latents [B, Z, s, s] float32, captions [B, T] int64."""

    large: Tensor
    latents: Tensor
    ids: Tensor


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """Pieces drawn and described, a chunk of them at a time; none beyond `count`."""

    names: tuple[str, ...]
    side: int
    count: int
    seed: int
    font: Path | None

    @cached_property
    def painter(self) -> Painter:
        return Painter(self.font)

    def __call__(self, chunk: int) -> list[tuple[NDArray[np.uint8], str]]:
        drawn = []
        for index in range(CHUNK * chunk, min(CHUNK * (chunk + 1), self.count)):
            scene = training_scene(self.seed, index, self.names, "all")
            scene = large(scene, ENLARGED[index % len(ENLARGED)])
            rng = np.random.default_rng((self.seed, index, 4))
            piece = crop(self.painter.paint(scene), scene, self.side, rng)
            drawn.append((piece, caption(rng, scene)))
        return drawn


def cached(
    path: Path,
    drawing: Drawing,
    autoencoder: Autoencoder,
    tokenizer: Tokenizer,
    *,
    scale: float,
    workers: int = 0,
) -> Pairs:
    """The pieces of `drawing`, made once, and again where `path` holds others.

    `scale`: the factor from what the autoencoder encodes to scaled latents.
    """
    weights = hashlib.sha256(save(autoencoder.state_dict())).hexdigest()
    about = [drawing.names, drawing.side, drawing.count, drawing.seed, ENLARGED, scale, weights]
    made_for = json.dumps(about)
    if path.exists():
        with safe_open(path, framework="pt") as file:
            known = file.metadata()["made_for"] == made_for
        if known:
            return Pairs(**load_file(path))
    parts = []
    with Ahead(drawing, workers) as drawn:
        for chunk in range(-(-drawing.count // CHUNK)):
            pieces, captions = zip(*drawn(chunk), strict=True)
            parts.append(_encoded(pieces, captions, autoencoder, tokenizer, scale))
    found = Pairs(
        *(
            torch.cat([getattr(part, one.name) for part in parts]).contiguous()
            for one in fields(Pairs)
        )
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    tensors = {one.name: getattr(found, one.name) for one in fields(Pairs)}
    save_file(tensors, temporary, {"made_for": made_for})
    temporary.replace(path)
    return found


@torch.no_grad()
def _encoded(
    pieces: Sequence[NDArray[np.uint8]],
    captions: Sequence[str],
    autoencoder: Autoencoder,
    tokenizer: Tokenizer,
    scale: float,
) -> Pairs:
    device = next(autoencoder.parameters()).device
    with torch.autocast(device.type, torch.bfloat16):
        mean = torch.cat([autoencoder.encode(part.to(device)) for part in pixels(pieces).split(32)])
    return Pairs(
        large=torch.from_numpy(np.stack(pieces)).permute(0, 3, 1, 2).contiguous(),
        latents=(mean.float() * scale).half().cpu(),
        ids=torch.tensor([tokenizer.chunk(text).ids for text in captions], dtype=torch.int16),
    )


@dataclass(frozen=True, kw_only=True)
class Batches:
    """Draws batches at random, of what they are from a step on; smaller pieces are cut out."""

    pairs: Pairs
    kinds: tuple[Kind, ...]
    seed: int
    device: torch.device

    def __call__(self, step: int) -> Batch:
        rng = np.random.default_rng((self.seed, 78, step))
        pairs, kind = self.pairs, [kind for kind in self.kinds if kind.since <= step][-1]
        rows = torch.from_numpy(rng.integers(len(pairs.large), size=kind.batch))
        small = kind.side // FACTOR
        y, x = rng.integers(pairs.latents.shape[-1] - small + 1, size=2)
        pieces = pairs.large[rows][
            ..., FACTOR * y : FACTOR * (y + small), FACTOR * x : FACTOR * (x + small)
        ]
        latents = pairs.latents[rows][..., y : y + small, x : x + small]
        return Batch(
            large=pieces.to(self.device).float() / 127.5 - 1,
            latents=latents.to(self.device).float(),
            ids=pairs.ids[rows].to(self.device).long(),
        )


def shrunk(
    pixels: Tensor,
    generator: torch.Generator,
    redraw: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """Small pictures [B, 3, S / 4, S / 4] of 8 bits, as people have them.

    Each was shrunk by a filter between an average and a bicubic one.  `redraw`: what some of them
    went through before.
    """
    average = F.avg_pool2d(pixels, FACTOR)
    sharp = F.interpolate(pixels, average.shape[2:], mode="bicubic", antialias=True)
    dice = torch.rand(2, len(pixels), generator=generator, device=pixels.device)
    small = average.lerp(sharp, dice[0, :, None, None, None]).clamp(-1, 1)
    if redraw is not None and (chosen := dice[1] < REDRAWN).any():
        small[chosen] = redraw(small[chosen]).clamp(-1, 1)
    return ((small + 1) * 127.5).round() / 127.5 - 1
