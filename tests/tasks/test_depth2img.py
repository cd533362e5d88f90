"""Images by the depths of another."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from darkroom.contracts import DepthMapped, Request
from darkroom.errors import RequestError
from darkroom.images import depth_maps, io
from darkroom.planning.depth import seen_size
from darkroom.tasks.engine import Engine
from tests.tasks.pictures import distance, done, photograph
from tests.tiny import Kind

Opened = Callable[[Kind], Engine]


@pytest.fixture
def engine(opened: Opened) -> Engine:
    return opened("sd2-depth")


def wish(engine: Engine, **said: Any) -> Request:
    small = Request(
        task="depth2img",
        model=engine.model,
        image=photograph(64, 48),
        prompt="a cat",
        steps=4,
        seed=7,
        width=64,
        height=48,
        device="cpu",
        precision="fp32",
    )
    return replace(small, **said)


def made(engine: Engine, **said: Any) -> Any:
    return done(engine.run(wish(engine, **said)))[0].image


def slope(direction: int) -> bytes:
    levels = np.linspace(0, 1, 64, dtype=np.float32)[::direction]
    return depth_maps.encode(np.tile(levels, (48, 1)))


@pytest.mark.parametrize("width", [32, 100, 384, 511, 768, 3000])
@pytest.mark.parametrize("height", [32, 200, 384, 640, 2000])
def test_the_size_is_midas_minimal(width: int, height: int) -> None:
    scale_height, scale_width = 384 / height, 384 / width
    scale = scale_width if abs(1 - scale_width) < abs(1 - scale_height) else scale_height
    expected = [max(32, int(np.round(scale * side / 32) * 32)) for side in (width, height)]
    assert list(seen_size(width, height)) == [min(side, 3072) for side in expected]


def test_the_map_that_was_measured_does_the_same(engine: Engine) -> None:
    events = list(engine.run(wish(engine)))
    (map_event,) = (event for event in events if isinstance(event, DepthMapped))
    depths = depth_maps.read(map_event.file)
    assert depths.shape == seen_size(64, 48)[::-1]
    assert (depths.min(), depths.max()) == (0, 1)
    assert distance(done(iter(events))[0].image, made(engine, depth=map_event.file)) <= 1


def test_what_the_network_is_shown(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The colours, resized without smoothing."""
    networks = engine._load(*engine.plan(wish(engine))).networks
    assert networks.depth is not None
    seen: list[torch.Tensor] = []
    hook = networks.depth.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    made(engine)
    hook.remove()
    y, x = np.mgrid[:48, :64]
    pixels = np.stack([x * 255 // 64, y * 255 // 48, (x > y) * 255], -1)
    colours = torch.tensor(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1
    width, height = seen_size(64, 48)
    expected = torch.nn.functional.interpolate(colours, (height, width), mode="bicubic")
    torch.testing.assert_close(seen[0], expected)


def test_the_map_counts_and_its_scale_does_not(engine: Engine) -> None:
    one = made(engine, depth=slope(1))
    assert distance(one, made(engine, depth=slope(-1))) > 10
    faint = (0.25 + depth_maps.read(slope(1)) / 2).astype(np.float32)
    assert distance(one, made(engine, depth=depth_maps.encode(faint))) <= 1


def test_at_strength_1_only_the_depths_are_left(engine: Engine) -> None:
    said = {"strength": 1.0, "depth": slope(1)}
    other = io.encode_pillow(Image.new("RGB", (64, 48), "white"))
    assert distance(made(engine, **said), made(engine, **said, image=other)) == 0
    resolved, how = engine.plan(wish(engine, **said))
    assert resolved.from_noise
    assert how.steps == 4


def test_at_strength_0_the_image_stays(engine: Engine) -> None:
    maps = [made(engine, strength=0.0, depth=slope(way)) for way in (1, -1)]
    assert distance(*maps) == 0


def test_a_flat_map_is_borne(engine: Engine) -> None:
    flat = [depth_maps.encode(np.full((48, 64), level, np.float32)) for level in (0.3, 0.9)]
    images = [made(engine, depth=one) for one in flat]
    assert distance(*images) == 0


def test_images_do_not_depend_on_their_batch(engine: Engine) -> None:
    together = done(engine.run(wish(engine, count=2, batch=2, sampler="euler_ancestral")))
    alone = made(engine, seed=8, sampler="euler_ancestral")
    assert distance(together[1].image, alone) <= 1


def test_the_recipe(engine: Engine) -> None:
    (image,) = done(engine.run(wish(engine, depth=slope(1))))
    assert image.recipe.task == "depth2img"
    assert image.recipe.strength == 0.9
    assert image.recipe.guidance == 9
    assert image.recipe.depth_sha256 is not None


def test_without_its_network_a_model_needs_a_map(engine: Engine) -> None:
    bare = Engine(engine.model, replace(engine.spec, depth=None))
    with pytest.raises(RequestError, match="comes without the network that measures depths"):
        bare.plan(wish(engine))
    resolved, _ = bare.plan(wish(engine, depth=slope(1)))
    assert resolved.strength == 0.9


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"depth": depth_maps.encode(np.zeros((48, 48), np.float32))}, "another shape than"),
        ({"mask": b""}, "depth2img takes no mask"),
        ({"task": "inpaint"}, "made for images of a given depth: it cannot do inpaint"),
        ({"task": "txt2img", "image": None}, "it cannot do txt2img"),
        ({"strength": 1.5}, "Strength 1.5 is out of range"),
    ],
)
def test_refused(engine: Engine, said: dict[str, Any], told: str) -> None:
    with pytest.raises(RequestError, match=told) as caught:
        engine.plan(wish(engine, **said))
    assert caught.value.hint
