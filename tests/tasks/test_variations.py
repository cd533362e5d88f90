"""Variations, tiling, noise, guidance in parts and second passes, on a random model."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from darkroom.contracts import Raster, Stepped
from darkroom.diffusion.noise import Noise
from darkroom.errors import RequestError
from darkroom.images import io
from darkroom.models.unet import UNet
from darkroom.names import SAMPLERS
from darkroom.tasks import runs
from darkroom.tasks.engine import Engine
from tests.tasks.conftest import Wish
from tests.tasks.pictures import distance, done, noted

DETERMINISTIC = {"sampler": "euler"}


def one(engine: Engine, wish: Wish, **said: Any) -> Raster:
    (image,) = done(engine.run(wish(**said)))
    return image.image


# Variations


def test_no_variation_is_the_seeds_image_and_the_whole_way_is_the_others(
    engine: Engine, wish: Wish
) -> None:
    said: dict[str, Any] = {**DETERMINISTIC, "variation_seed": 99}
    none = one(engine, wish, **said, variation_strength=0.0)
    half = one(engine, wish, **said, variation_strength=0.5)
    whole = one(engine, wish, **said, variation_strength=1.0)
    own, other = one(engine, wish, **DETERMINISTIC), one(engine, wish, **DETERMINISTIC, seed=99)
    assert none == own
    assert distance(whole, other) <= 1
    assert min(distance(half, own), distance(half, other)) > 5


def test_variations_of_one_seed_count_the_variation_seed(engine: Engine, wish: Wish) -> None:
    said = {"variation_seed": 20, "variation_strength": 0.4}
    images = done(engine.run(wish(**said, count=3, batch=2)))
    assert [(image.seed, image.recipe.variation_seed) for image in images] == [
        (7, 20),
        (7, 21),
        (7, 22),
    ]
    assert len({image.image.data for image in images}) == 3
    alone = one(engine, wish, **said | {"variation_seed": 21})
    assert distance(images[1].image, alone) <= 1


def test_a_variation_seed_that_was_not_said_is_drawn_and_recorded(
    engine: Engine, wish: Wish
) -> None:
    (first,) = done(engine.run(wish(variation_strength=0.3)))
    (other,) = done(engine.run(wish(variation_strength=0.3)))
    assert first.recipe.variation_seed not in {None, other.recipe.variation_seed}
    again = one(engine, wish, variation_strength=0.3, variation_seed=first.recipe.variation_seed)
    assert again == first.image


def test_noise_sources_and_offsets_give_other_images(engine: Engine, wish: Wish) -> None:
    pictures = {
        one(engine, wish, **said).data
        for said in ({}, {"noise": "nv"}, {"seed_offset": 31337}, {"noise_scale": 0.5})
    }
    assert len(pictures) == 4
    still = {"sampler": "dpmpp_2m"}
    assert one(engine, wish, **still, seed_offset=5) == one(engine, wish, **still)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_an_image_is_the_same_alone_and_among_others(
    engine: Engine, wish: Wish, sampler: str
) -> None:
    record = SAMPLERS[sampler]
    said: dict[str, Any] = {"sampler": sampler, "steps": 3}
    said |= {"eta": 0.7} if record.eta is not None else {}
    said |= {"churn": 0.5} if record.churn else {}
    together = done(engine.run(wish(**said, count=3, batch=3)))
    assert distance(together[2].image, one(engine, wish, **said, seed=9)) <= 1


# Tiling


@pytest.mark.parametrize(
    ("tiling", "shifts"),
    [("x", [(0, 16)]), ("y", [(16, 0)]), ("both", [(0, 16), (16, 0), (16, 16)])],
)
def test_a_tiled_image_continues_at_its_other_edge(
    engine: Engine,
    wish: Wish,
    monkeypatch: pytest.MonkeyPatch,
    tiling: str,
    shifts: list[tuple[int, int]],
) -> None:
    """Rolled noise gives the same image rolled: nothing in it knows where the edge is."""
    said: dict[str, Any] = {**DETERMINISTIC, "width": 48, "height": 48, "steps": 2}
    draw = Noise.draw
    straight = {name: one(engine, wish, **said, tiling=name) for name in (tiling, "none")}
    for down, across in shifts:
        in_latents = down // 8, across // 8
        with monkeypatch.context() as patch:
            patch.setattr(
                Noise, "draw", lambda self, shape, by=in_latents: draw(self, shape).roll(by, (2, 3))
            )
            rolled = {name: one(engine, wish, **said, tiling=name) for name in (tiling, "none")}
        expected = {
            name: io.from_array(np.roll(io.to_array(image), (down, across), (0, 1)))
            for name, image in straight.items()
        }
        assert distance(rolled[tiling], expected[tiling]) <= 1
        assert distance(rolled["none"], expected["none"]) > 5


def test_tiling_ends_with_its_request_even_between_two_that_take_turns(
    engine: Engine, wish: Wish
) -> None:
    plain = one(engine, wish)
    tiled = engine.run(wish(tiling="both"))
    next(tiled), next(tiled)
    assert one(engine, wish) == plain
    assert distance(done(tiled)[0].image, plain) > 1


# Guidance in parts


def test_guidance_over_no_step_is_no_guidance(engine: Engine, wish: Wish) -> None:
    without = one(engine, wish, guidance=1.0)
    assert one(engine, wish, guidance_start=0.4, guidance_end=0.4) == without
    part = one(engine, wish, guidance_end=0.4)
    assert part not in (without, one(engine, wish))
    assert one(engine, wish, guidance_start=0.0, guidance_end=1.0) == one(engine, wish)


def test_rescale_changes_the_guided_image_alone(engine: Engine, wish: Wish) -> None:
    assert one(engine, wish, rescale=0.7) != one(engine, wish)
    assert one(engine, wish, rescale=0.7, guidance=1.0) == one(engine, wish, guidance=1.0)


# Two passes


@pytest.mark.parametrize("enlarger", ["latent", "lanczos"])
@pytest.mark.parametrize("sampler", ["ddim", "euler_ancestral"])
def test_a_large_image_is_made_in_two_passes(
    engine: Engine, wish: Wish, enlarger: str, sampler: str
) -> None:
    said: dict[str, Any] = {"hires": 1.5, "hires_enlarger": enlarger, "sampler": sampler}
    said |= {"steps": 4, "width": 40, "height": 24}  # neither is what the U-Net can take
    events = list(engine.run(wish(**said, count=2, batch=2), previews=True))
    plan = engine.plan(wish(**said))[1]
    assert plan.steps == 6
    steps = [event for event in events if isinstance(event, Stepped)]
    assert [(event.step, event.steps) for event in steps] == [(i, 6) for i in range(1, 7)]
    assert [event.previews[0].width for event in steps] == [5] * 4 + [7] * 2
    first, second = done(iter(events))
    assert (first.image.width, first.image.height) == (56, 32)
    recipe = second.recipe
    assert (recipe.width, recipe.height, recipe.hires) == (40, 24, 1.5)
    assert (recipe.hires_strength, recipe.hires_steps) == (0.5, 2)
    assert recipe.hires_enlarger == enlarger
    assert distance(one(engine, wish, **said, seed=8), second.image) <= 1


def test_the_second_pass_changes_as_much_as_its_strength_says(engine: Engine, wish: Wish) -> None:
    said: dict[str, Any] = {**DETERMINISTIC, "hires": 2.0, "steps": 6}
    only_larger = one(engine, wish, **said, hires_strength=0.0)
    assert (only_larger.width, only_larger.height) == (64, 64)
    far = [
        np.abs(
            io.to_array(one(engine, wish, **said, hires_strength=strength)).astype(int)
            - io.to_array(only_larger)
        ).mean()
        for strength in (0.2, 0.5, 1.0)
    ]
    assert 0 < far[0] < far[1] < far[2]
    assert "only enlarged" in noted(engine.run(wish(**said, hires_strength=0.0)))[0]


def test_the_first_pass_is_the_small_image(
    engine: Engine, wish: Wish, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes to the second pass is what the first alone would have become."""
    seen: list[Tensor] = []
    real = runs.Run.from_latent

    def watched(self: runs.Run, batch: Any, noise: Any, latent: Tensor) -> Any:
        seen.append(latent)
        return real(self, batch, noise, latent)

    monkeypatch.setattr(runs.Run, "from_latent", watched)
    one(engine, wish, **DETERMINISTIC, hires=1.0, hires_enlarger="latent")
    small = one(engine, wish, **DETERMINISTIC)
    networks = engine._load(*engine.plan(wish())).networks
    colours = networks.autoencoder.decode(seen[0] / engine.spec.latent_scale)[0]
    pixels = (((colours + 1) / 2).clamp(0, 1) * 255).byte().permute(1, 2, 0)
    assert distance(small, io.from_array(pixels.contiguous().numpy())) <= 1


def test_a_tiled_image_stays_one_when_it_is_enlarged(engine: Engine, wish: Wish) -> None:
    """Enlarging alone: its edges continue each other as its middle does."""
    for enlarger in ("latent", "lanczos"):
        said = {"hires": 2.0, "hires_strength": 0.0, "hires_enlarger": enlarger, "tiling": "both"}
        image = io.to_array(one(engine, wish, **said)).astype(int)
        across = np.abs(np.diff(image, axis=1, append=image[:, :1])).mean((0, 2))
        assert across[-1] < 2.5 * across[:-1].max()


# Prompts


def test_marks_are_read_and_a_schedule_changes_the_prompt_on_the_way(
    engine: Engine, wish: Wish
) -> None:
    still: dict[str, Any] = {**DETERMINISTIC, "steps": 4}
    cat, dog = (one(engine, wish, **still, prompt=name) for name in ("a cat", "a dog"))
    assert one(engine, wish, **still, prompt="a [cat:dog:0]") == dog
    assert one(engine, wish, **still, prompt="a [cat:dog:9]") == cat
    assert one(engine, wish, **still, prompt="a [cat:dog:0.5]") not in (cat, dog)
    assert one(engine, wish, **still, prompt="(a cat:1.4)") != cat
    marks = {"prompt": "(a cat:1.4)", "prompt_syntax": "plain"}
    assert one(engine, wish, **still, **marks) != one(engine, wish, **still, prompt="(a cat:1.4)")


def test_a_schedule_goes_on_in_the_second_pass(engine: Engine, wish: Wish) -> None:
    """There integers count on from the first pass, and fractions from 1 (as in A1111)."""
    said: dict[str, Any] = {**DETERMINISTIC, "steps": 4, "hires": 1.0, "hires_steps": 4}
    cat = one(engine, wish, **said, prompt="a cat")
    late = one(engine, wish, **said, prompt="a [cat:dog:1.5]")
    assert late != cat
    assert one(engine, wish, **said, prompt="a [cat:dog:6]") == late
    assert one(engine, wish, **said, prompt="a [cat:dog:8]") == cat


def test_text_that_no_model_follows_is_refused_before_anything_runs(
    engine: Engine, wish: Wish
) -> None:
    with pytest.raises(RequestError, match="weight"):
        engine.run(wish(prompt="(a cat:1000)"))
    with pytest.raises(RequestError, match="times as long"):
        engine.plan(wish(prompt="cat " * 3000))


# The forecast


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"count": 3, "batch": 2},
        {"guidance": 1.0},
        {"guidance": 0.0},
        {"sampler": "plms", "steps": 4},
        {"guidance_start": 0.3, "guidance_end": 0.7, "steps": 6},
        {"hires": 2.0, "steps": 4},
        {"hires": 2.0, "steps": 4, "hires_strength": 0.0},
        {"hires": 1.5, "steps": 4, "hires_steps": 7, "guidance_end": 0.5},
        {"variation_strength": 0.5, "tiling": "x"},
        {"guidance": 0.0, "rescale": 0.5},
        {"prompt": "a cat AND a dog :0.5"},
        {"prompt": "a cat AND a dog :0.5", "guidance": 1.0},
        {"prompt": "a cat :0.5 AND a dog :0.5", "guidance": 1.0, "rescale": 0.5},
        {"prompt": "cat " * 80},
        {"prompt": "cat " * 80 + " AND a dog", "guidance_end": 0.5},
        {"prompt": "cat " * 80, "negative": "a BREAK b BREAK c", "prompt_syntax": "comfyui"},
        {"prompt": "cat " * 80, "prompt_syntax": "plain"},
        {"sampler": "restart", "steps": 24, "schedule": "karras"},
        {"sampler": "dpmpp_sde", "hires": 2.0, "steps": 4},
        *({"sampler": sampler} for sampler in SAMPLERS),
    ],
    ids=str,
)
def test_the_plan_says_exactly_what_the_unet_computes(
    engine: Engine, wish: Wish, monkeypatch: pytest.MonkeyPatch, said: dict[str, Any]
) -> None:
    rows = 0
    real = UNet.forward

    def counting(self: UNet, x: Tensor, *rest: Tensor) -> Tensor:
        nonlocal rows
        rows += len(x)
        return real(self, x, *rest)

    monkeypatch.setattr(UNet, "forward", counting)
    events = list(engine.run(wish(**said)))
    plan = engine.plan(wish(**said))[1]
    assert plan.evaluations == rows
    told = [event.step for event in events if isinstance(event, Stepped) and event.first == 0]
    assert told == [*range(1, plan.steps + 1)]


def test_the_recipe_says_what_was_not_usual(engine: Engine, wish: Wish) -> None:
    said: dict[str, Any] = {
        "sampler": "euler",
        "rescale": 0.3,
        "guidance_start": 0.1,
        "guidance_end": 0.9,
        "churn": 0.2,
        "churn_start": 0.5,
        "churn_end": 9.0,
        "noise_scale": 1.01,
        "prompt_syntax": "plain",
        "clip_skip": 1,
        "variation_seed": 5,
        "variation_strength": 0.25,
        "noise": "nv",
        "seed_offset": 3,
        "tiling": "y",
        "hires": 2.0,
        "hires_strength": 0.4,
        "hires_steps": 2,
        "hires_enlarger": "latent",
    }
    (image,) = done(engine.run(wish(**said)))
    assert {name: getattr(image.recipe, name) for name in said} == said
    (usual,) = done(engine.run(wish()))
    assert (usual.recipe.churn_end, usual.recipe.hires, usual.recipe.variation_seed) == (None,) * 3
    assert usual.recipe.prompt_syntax == "a1111"
    assert math.isinf(engine.plan(wish())[0].churn_end)
    torch.testing.assert_close(image.recipe.guidance, 7.5)
