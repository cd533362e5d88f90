"""Enlarging: sizes, tiles, noise, and what is refused."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from darkroom import tiles
from darkroom.contracts import Machine, Request
from darkroom.errors import ImageError, RequestError
from darkroom.images import io
from darkroom.planning.plan import plan
from darkroom.planning.resolve import resolve
from darkroom.tasks.engine import Engine
from tests.tasks.pictures import distance, done, noted, photograph
from tests.tiny import Kind

Opened = Callable[[Kind], Engine]


@pytest.fixture
def engine(opened: Opened) -> Engine:
    return opened("x4")


def wish(engine: Engine, image: bytes, **said: Any) -> Request:
    small = Request(
        task="upscale",
        model=engine.model,
        image=image,
        prompt="a cat",
        steps=2,
        seed=7,
        device="cpu",
        precision="fp32",
    )
    return replace(small, **said)


@pytest.mark.parametrize("size", [(16, 16), (20, 12), (1, 1), (33, 5)])
def test_four_times_any_size(engine: Engine, size: tuple[int, int]) -> None:
    (image,) = done(engine.run(wish(engine, photograph(*size))))
    assert (image.image.width, image.image.height) == (4 * size[0], 4 * size[1])
    assert image.recipe.noise_level == 20
    assert image.recipe.strength is None
    assert image.recipe.input_sha256 is not None


def test_images_do_not_depend_on_their_batch(engine: Engine) -> None:
    """Noise on the small picture is drawn for each image from its own seed, and before the rest."""
    said = {"count": 3, "sampler": "euler_ancestral"}
    together = done(engine.run(wish(engine, photograph(16, 12), batch=3, **said)))
    for place, image in enumerate(together):
        (alone,) = done(
            engine.run(wish(engine, photograph(16, 12), sampler="euler_ancestral", seed=7 + place))
        )
        assert distance(alone.image, image.image) <= 1
    assert distance(together[0].image, together[1].image) > 20


def test_noise_level_and_prompt_count(engine: Engine) -> None:
    plain = done(engine.run(wish(engine, photograph(16, 12))))[0].image
    for said in ({"noise_level": 300}, {"prompt": "a dog"}, {"guidance": 2.0}):
        assert distance(done(engine.run(wish(engine, photograph(16, 12), **said)))[0].image, plain)


def test_without_words_nothing_is_guided(engine: Engine) -> None:
    resolved, how = engine.plan(wish(engine, photograph(16, 12), prompt=""))
    assert resolved.guidance == 1
    assert how.evaluations == how.steps
    said = done(engine.run(wish(engine, photograph(16, 12), prompt="", guidance=9.0)))[0].image
    assert (
        distance(said, done(engine.run(wish(engine, photograph(16, 12), prompt="")))[0].image) <= 1
    )


def test_large_pictures_are_made_in_tiles(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every network sees tiles only, and the whole picture's noise is that without tiles."""
    monkeypatch.setattr(tiles, "LARGEST", 16)
    monkeypatch.setattr(tiles, "OVERLAP", 4)
    small = photograph(40, 24)
    networks = engine._load(*engine.plan(wish(engine, small))).networks
    seen: list[tuple[int, int]] = []

    def remember(_: Any, inputs: tuple[torch.Tensor, ...]) -> None:
        seen.append((inputs[0].shape[2], inputs[0].shape[3]))

    hooks = [
        part.register_forward_pre_hook(remember)
        for part in (networks.unet, networks.autoencoder.decoder)
    ]
    (image,) = done(engine.run(wish(engine, small)))
    for hook in hooks:
        hook.remove()
    assert (image.image.width, image.image.height) == (160, 96)
    found = tiles.tiles(24, 40, engine.spec.unet.multiple)
    assert found.count == 6
    # Two steps; the decoder looks at each tile twice.
    assert seen == [(found.height, found.width)] * 6 * 4


def test_tiles_agree_with_the_whole(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """One step, from the same noise: random weights look far, and still most of it is the same."""
    small = photograph(32, 32)
    whole = io.to_array(done(engine.run(wish(engine, small, steps=4)))[0].image).astype(int)
    monkeypatch.setattr(tiles, "LARGEST", 24)
    monkeypatch.setattr(tiles, "OVERLAP", 8)
    tiled = io.to_array(done(engine.run(wish(engine, small, steps=4)))[0].image).astype(int)
    other = io.to_array(done(engine.run(wish(engine, small, steps=4, seed=8)))[0].image).astype(int)
    assert np.abs(tiled - whole).mean() < 0.6 * np.abs(other - whole).mean()


MACHINE = Machine(
    device="cpu",
    name="a PC",
    cores=2,
    memory_total=2**34,
    memory_free=2**34,
    speed={"fp32": 1e11},
)


def test_the_plan_counts_tiles(engine: Engine) -> None:
    def planned(side: int) -> Any:
        request = wish(engine, photograph(2, 2), prompt="")
        return plan(resolve(request, engine.spec, input_size=(side, side)), engine.spec, MACHINE)

    one, many = planned(128), planned(512)
    assert 25 <= many.seconds / one.seconds <= 50  # 25 tiles, which the decoder looks at twice
    # What grows is the picture alone.
    assert many.peak_bytes - one.peak_bytes == 60 * 2048**2
    assert many.batch == 1


def test_too_large_for_memory_says_what_would_fit(engine: Engine) -> None:
    resolved = resolve(wish(engine, b""), engine.spec, input_size=(4000, 3000))
    with pytest.raises(RequestError, match="16000 × 12000 needs") as caught:
        plan(resolved, engine.spec, replace(MACHINE, memory_free=2**32))
    assert "Give an image of" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("size", "said", "told"),
    [
        ((30_000, 2), {}, "at most|enlarged 4 times would be"),
        ((5000, 9), {}, "enlarged 4 times would be 20000 × 36"),
        ((16, 16), {"noise_level": 351}, "Noise level 351 is out of range"),
        ((16, 16), {"width": 128}, "becomes 64 × 64"),
        ((16, 16), {"tiling": "x"}, "continue at its other edge"),
        ((16, 16), {"strength": 0.5}, "upscale takes no strength"),
        ((16, 16), {"mask": b""}, "upscale takes no mask"),
        ((16, 16), {"images": (b"",)}, "upscale takes no further images"),
        ((16, 16), {"task": "inpaint"}, "it cannot do inpaint"),
    ],
)
def test_refused(engine: Engine, size: tuple[int, int], said: dict[str, Any], told: str) -> None:
    with pytest.raises((RequestError, ImageError), match=told) as caught:
        engine.plan(wish(engine, photograph(*size), **said))
    assert caught.value.hint


def test_remarks_are_few(engine: Engine) -> None:
    assert noted(engine.run(wish(engine, photograph(16, 16)))) == []
