"""Scenes drawn, described and encoded once, so that training on latents never waits for pixels.

A set is one safetensors file with, for each frame size, latents and captions already cut into
tokens.  Letters: N scenes of one size, V captions of each, T tokens, Z latent channels.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass, field, fields
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import load_file, save, save_file
from torch import Tensor

from darkroom.models.autoencoder import Autoencoder
from darkroom.text.tokenizer import Tokenizer
from darkroom.training.ahead import Ahead
from darkroom.training.crops import pixels
from darkroom.training.scenes.captions import caption, swapped
from darkroom.training.scenes.layout import SIZES, Scene, Stage, training_scene
from darkroom.training.scenes.painter import Painter

CHUNK = 256  # scenes that one worker draws at a time
VARIANTS = 4
NONE = -1  # stands in every place of a caption that does not exist


@dataclass(frozen=True)
class Frames:
    """Scenes of one size.

    `latents` [N, Z, h, w] float16, scaled.  `ids` [N, V, T] int16, captions as people write them.
    `whole` [N, 2, T] int16: one that leaves nothing out, and one of what a bag of words would take
    for the same (NONE where there is no such thing).  `labels` [N] int64: equal where the same is
    shown.
    """

    latents: Tensor
    ids: Tensor
    whole: Tensor
    labels: Tensor

    def to(self, device: torch.device | str) -> "Frames":
        """The same on a device."""
        return Frames(*(tensor.to(device) for tensor in self.tensors()))

    def tensors(self) -> tuple[Tensor, ...]:
        """All four, in order."""
        return self.latents, self.ids, self.whole, self.labels


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Which scenes: the first `count` of the set `seed` in a stage of the curriculum."""

    seed: int
    stage: Stage
    count: int
    names: tuple[str, ...]


Drawn = tuple[Scene, NDArray[np.uint8], NDArray[np.int16], NDArray[np.int16]]
"""A scene, its picture, its captions [V, T] and [2, T]."""


@dataclass(frozen=True)
class Drawing:
    """Scenes drawn and described, a chunk of them at a time."""

    asked: Asked
    font: Path | None
    tokenizer: Tokenizer
    words: dict[str, list[int]] = field(default_factory=dict)

    @cached_property
    def painter(self) -> Painter:
        return Painter(self.font)

    def __call__(self, chunk: int) -> list[Drawn]:
        """Those from number `CHUNK * chunk` on; none beyond the count."""
        asked, drawn = self.asked, []
        for index in range(CHUNK * chunk, min(CHUNK * (chunk + 1), asked.count)):
            scene = training_scene(asked.seed, index, asked.names, asked.stage)
            rng = np.random.default_rng((asked.seed, index, 1))
            said = [caption(rng, scene) for _ in range(VARIANTS)]
            other = swapped(scene)
            whole = self._ids([caption(rng, scene, whole=True)] * 2)
            whole[1] = NONE if other is None else self._ids([caption(rng, other, whole=True)])[0]
            drawn.append((scene, self.painter.paint(scene), self._ids(said), whole))
        return drawn

    def _ids(self, captions: Sequence[str]) -> NDArray[np.int16]:
        tokenizer = self.tokenizer
        ids = np.full((len(captions), tokenizer.context_length), tokenizer.pad, np.int16)
        for row, text in zip(ids, captions, strict=True):
            found = [i for word in text.split() for i in self._word(word)][: len(row) - 2]
            row[: len(found) + 2] = (tokenizer.bos, *found, tokenizer.eos)
        return ids

    def _word(self, word: str) -> list[int]:
        """Its tokens, which do not depend on the words around it."""
        if word not in self.words:
            self.words[word] = self.tokenizer.encode(word)
        return self.words[word]


def cached(
    path: Path,
    asked: Asked,
    autoencoder: Autoencoder,
    tokenizer: Tokenizer,
    *,
    font: Path | None,
    scale: float,
    workers: int = 0,
) -> dict[tuple[int, int], Frames]:
    """The set of scenes, by width and height in pixels.

    `scale`: the factor from what the autoencoder encodes to scaled latents.  `workers`: processes
    that draw; 0 draws in this one.  Made once, and again where `path` holds another set or one of
    an autoencoder with other weights.
    """
    made_for = _fingerprint(asked, autoencoder, tokenizer, scale)
    if (found := _read(path, made_for)) is not None:
        return found
    parts: dict[tuple[int, int], list[Frames]] = {}
    with Ahead(Drawing(asked, font, tokenizer), workers) as drawing:
        for chunk in range(-(-asked.count // CHUNK)):
            drawn = drawing(chunk)
            for width, height in SIZES:
                chosen = [one for one in drawn if (one[0].width, one[0].height) == (width, height)]
                if chosen:
                    frames = _encoded(chosen, autoencoder, scale)
                    parts.setdefault((width, height), []).append(frames)
    joined = {size: _joined(frames) for size, frames in parts.items()}
    tensors = {
        f"{width}x{height}/{one.name}": getattr(frames, one.name)
        for (width, height), frames in joined.items()
        for one in fields(frames)
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    save_file(tensors, temporary, {"made_for": made_for})
    temporary.replace(path)
    return joined


@torch.no_grad()
def _encoded(
    drawn: Sequence[Drawn],
    autoencoder: Autoencoder,
    scale: float,
) -> Frames:
    device = next(autoencoder.parameters()).device
    with torch.autocast(device.type, torch.bfloat16):
        mean = autoencoder.encode(pixels([picture for _, picture, *_ in drawn]).to(device))
    return Frames(
        latents=(mean.float() * scale).half().cpu(),
        ids=torch.from_numpy(np.stack([ids for *_, ids, _ in drawn])),
        whole=torch.from_numpy(np.stack([whole for *_, whole in drawn])),
        labels=torch.tensor([label(scene) for scene, *_ in drawn]),
    )


def label(scene: Scene) -> int:
    """Equal for scenes of which the same can be said, but for sizes and places."""
    shown = [(one.name, one.style, one.colour) for one in scene.figures]
    text = json.dumps([shown, scene.background.name, scene.relation])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "little")


def _joined(parts: Sequence[Frames]) -> Frames:
    return Frames(
        *(
            torch.cat(tensors).contiguous()
            for tensors in zip(*(part.tensors() for part in parts), strict=True)
        )
    )


def _read(path: Path, made_for: str) -> dict[tuple[int, int], Frames] | None:
    if not path.exists():
        return None
    with safe_open(path, framework="pt") as file:
        if file.metadata()["made_for"] != made_for:
            return None
    tensors, found = load_file(path), {}
    for width, height in SIZES:
        keys = [f"{width}x{height}/{one.name}" for one in fields(Frames)]
        if keys[0] in tensors:
            found[width, height] = Frames(*(tensors[key] for key in keys))
    return found


def _fingerprint(asked: Asked, autoencoder: Autoencoder, tokenizer: Tokenizer, scale: float) -> str:
    weights = hashlib.sha256(save(autoencoder.state_dict())).hexdigest()
    return json.dumps([astuple(asked), scale, tokenizer.vocabulary, weights])
