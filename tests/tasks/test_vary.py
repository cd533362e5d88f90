"""Variations of images."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage
from transformers.image_utils import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

from darkroom import api
from darkroom.contracts import Request
from darkroom.errors import RequestError
from darkroom.images import io
from darkroom.tasks.engine import Engine
from darkroom.tasks.pixels import clip_picture
from tests.tasks.pictures import distance, done, photograph
from tests.tiny import Kind

Opened = Callable[[Kind], Engine]


@pytest.fixture
def engine(opened: Opened) -> Engine:
    return opened("unclip-l")


def wish(engine: Engine, **said: Any) -> Request:
    small = Request(
        task="vary",
        model=engine.model,
        image=photograph(50, 40),
        steps=2,
        seed=7,
        width=32,
        height=32,
        device="cpu",
        precision="fp32",
    )
    return replace(small, **said)


def other() -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (30, 30, 3), dtype=np.uint8)
    return io.encode_pillow(Image.fromarray(noise))


def made(engine: Engine, **said: Any) -> Any:
    return done(engine.run(wish(engine, **said)))[0].image


@pytest.mark.parametrize(("height", "width"), [(90, 300), (64, 64), (20, 500), (1, 1), (63, 65)])
def test_clip_sees_what_the_reference_shows_it(height: int, width: int) -> None:
    """kornia's resize: a Gaussian (scipy's here), then bicubic between the corners."""
    side = 56
    colours = torch.rand(3, height, width, generator=torch.Generator().manual_seed(0)) * 2 - 1
    blurred = colours.numpy().astype(float)
    for axis, length in ((1, height), (2, width)):
        sigma = (length / side - 1) / 2
        if sigma > 0:
            size = int(max(4 * sigma, 3))
            radius = (size + (size % 2 == 0)) // 2
            blurred = ndimage.gaussian_filter1d(blurred, sigma, axis, mode="mirror", radius=radius)
    small = torch.nn.functional.interpolate(
        torch.tensor(blurred)[None], (side, side), mode="bicubic", align_corners=True
    )[0]
    mean, std = (
        torch.tensor(values)[:, None, None] for values in (OPENAI_CLIP_MEAN, OPENAI_CLIP_STD)
    )
    expected = ((small + 1) / 2 - mean) / std
    torch.testing.assert_close(clip_picture(colours, side).double(), expected, atol=1e-4, rtol=0)


def test_the_image_counts_and_the_native_size_is_taken(engine: Engine) -> None:
    first = made(engine)
    assert distance(first, made(engine, image=other())) > 10
    whole = made(engine, width=None, height=None)
    assert (whole.width, whole.height) == (64, 64)


def test_images_do_not_depend_on_their_batch(engine: Engine) -> None:
    together = done(engine.run(wish(engine, count=2, batch=2, noise_level=200)))
    alone = made(engine, seed=8, noise_level=200)
    assert distance(together[1].image, alone) <= 1


def test_weights_are_proportions(engine: Engine) -> None:
    images = {"images": (other(),)}
    even = made(engine, **images)
    assert distance(even, made(engine, **images, image_weights=(2.0, 2.0))) <= 1
    assert distance(even, made(engine, **images, image_weights=(1e-320, 1e-320))) <= 1
    assert distance(made(engine, **images, image_weights=(3.0, 0.0)), made(engine)) <= 1
    assert (
        distance(made(engine, **images, image_weights=(0.0, 1.0)), made(engine, image=other())) <= 1
    )
    assert distance(even, made(engine)) > 5


def test_a_recipe_makes_it_again(engine: Engine) -> None:
    (image,) = done(engine.run(wish(engine, images=(other(),), image_weights=(1.0, 0.5))))
    assert image.recipe.image_weights == (1.0, 0.5)
    assert len(image.recipe.images_sha256) == 1
    assert image.recipe.noise_level == 0


def test_one_further_image_is_a_sequence_of_one(engine: Engine, tmp_path: Path) -> None:
    file = tmp_path / "b.png"
    file.write_bytes(other())
    model = api.load(engine.model, device="cpu", precision="fp32")

    def varied(images: Any) -> Any:
        return model.vary(photograph(50, 40), images=images, width=32, height=32, steps=1, seed=7)

    expected = varied([file]).image
    for images in str(file), file, other(), Image.open(file), (one for one in [str(file)]):
        made = varied(images).image
        assert made.recipe.images_sha256 == expected.recipe.images_sha256
    assert len(varied(varied([file])).image.recipe.images_sha256) == 1


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"image_weights": (1.0, 1.0)}, "There are 2 weights for 1 images"),
        ({"image_weights": (0.0,)}, "The weights of all images are 0"),
        ({"image_weights": (-1.0,)}, "The weight of an image -1 is out of range"),
        ({"image_weights": (float("nan"),)}, "is not a number"),
        ({"noise_level": 1000}, "Noise level 1000 is out of range"),
        ({"image": None}, "There is no image"),
        ({"depth": b""}, "vary takes no depth map"),
    ],
)
def test_refused(engine: Engine, said: dict[str, Any], told: str) -> None:
    with pytest.raises(RequestError, match=told) as caught:
        engine.plan(wish(engine, **said))
    assert caught.value.hint
