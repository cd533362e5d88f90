"""Scenes are encoded once, and again when what they were encoded with has changed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from darkroom.text.tokenizer import Tokenizer, pruned_merges
from darkroom.training import cache
from darkroom.training.autoencoder import new_autoencoder
from darkroom.training.batches import Batches
from darkroom.training.cache import NONE, Asked, Frames, cached
from darkroom.training.crops import pixels
from darkroom.training.scenes.captions import caption, swapped, words
from darkroom.training.scenes.layout import SIZES, training_scene
from tests.training.brush import AUTOENCODER, Brush

ASKED = Asked(seed=1, stage="all", count=60, names=("cat", "dog", "car", "star"))
TOKENIZER = Tokenizer(merges=pruned_merges(words(ASKED.names)), context_length=16)


@pytest.fixture(autouse=True)
def brush(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "Painter", Brush)
    Brush.painted = 0


def made(
    path: Path, asked: Asked = ASKED, *, weight: float = 0.0, scale: float = 0.5
) -> dict[tuple[int, int], Frames]:
    model = new_autoencoder(AUTOENCODER, seed=1)
    with torch.no_grad():
        model.quant_conv.weight += weight
    return cached(path, asked, model, TOKENIZER, font=None, scale=scale)


def test_they_are_what_the_autoencoder_says_scaled(tmp_path: Path) -> None:
    path = tmp_path / "scenes.safetensors"
    sets = made(path)
    assert set(sets) == set(SIZES)
    assert sum(len(frames.latents) for frames in sets.values()) == ASKED.count
    every = [training_scene(1, i, ASKED.names, "all") for i in range(ASKED.count)]
    square = [scene for scene in every if (scene.width, scene.height) == (128, 128)]
    with torch.no_grad():
        model = new_autoencoder(AUTOENCODER, seed=1)
        expected = 0.5 * model.encode(pixels([Brush().paint(scene) for scene in square]))
    latents = sets[128, 128].latents.float()
    assert (latents - expected).norm() < 0.02 * expected.norm()  # encoded in bf16
    said = {caption(np.random.default_rng((1, i, 1)), scene) for i, scene in enumerate(every)}
    known = {TOKENIZER.chunk(text).ids for text in said}
    firsts = {tuple(ids.tolist()) for frames in sets.values() for ids in frames.ids[:, 0]}
    assert firsts == known

    twisted = (sets[128, 128].whole[:, 1] != NONE).all(dim=1)
    assert twisted.tolist() == [swapped(scene) is not None for scene in square]

    Brush.painted = 0
    again = made(path)
    assert all(
        torch.equal(old, new)
        for size in SIZES
        for old, new in zip(sets[size].tensors(), again[size].tensors(), strict=True)
    )
    assert Brush.painted == 0


@pytest.mark.parametrize("change", ["weights", "scale", "seed", "count", "names", "stage"])
def test_any_change_encodes_them_again(change: str, tmp_path: Path) -> None:
    path = tmp_path / "scenes.safetensors"
    few = replace(ASKED, count=4)
    made(path, few)
    Brush.painted = 0
    if change == "weights":
        made(path, few, weight=1.0)
    elif change == "scale":
        made(path, few, scale=0.25)
    else:
        other = {"seed": 2, "count": 5, "names": ("cat", "dog"), "stage": "large"}[change]
        made(path, replace(few, **{change: other}))  # type: ignore[arg-type]
    assert Brush.painted > 0


def test_a_batch_depends_on_its_number_alone(tmp_path: Path) -> None:
    sets = made(tmp_path / "scenes.safetensors")
    batches, again = (Batches(sets=sets, size=5, seed=3) for _ in range(2))
    drawn = [batches(step) for step in range(30)]
    assert {tuple(batch.latents.shape[2:]) for batch in drawn} == {(16, 16), (12, 20), (20, 12)}
    assert torch.equal(again(7).latents, drawn[7].latents)
    assert torch.equal(again(7).ids, drawn[7].ids)
    assert not np.array_equal(drawn[0].labels, drawn[1].labels)
