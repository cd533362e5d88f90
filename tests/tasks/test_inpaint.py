"""Inpainting: what the mask covers changes, and nothing else, by a byte."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from darkroom.contracts import ImageDone, Request, Sides
from darkroom.errors import ImageError, RequestError
from darkroom.images import inspection, io, masks
from darkroom.planning import again
from darkroom.tasks import finish
from darkroom.tasks.engine import Engine
from darkroom.tasks.studio import Studio
from tests.tasks.conftest import Wish
from tests.tasks.pictures import distance, done, noted, photograph
from tests.tasks.test_inpaint_oracle import engine_of, networks

PHOTO = photograph(40, 56)


@pytest.fixture(scope="module")
def made_for_it(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """A model with nine channels."""
    return engine_of(networks(9), tmp_path_factory.mktemp("models"))


def png(pixels: NDArray[Any]) -> bytes:
    return io.encode_pillow(PIL.Image.fromarray(pixels))


def box_mask(width: int, height: int, box: Sides) -> bytes:
    mask = np.zeros((height, width), np.uint8)
    mask[box[1] : box[3], box[0] : box[2]] = 255
    return png(mask)


MASK = box_mask(40, 56, (8, 8, 30, 40))


def painted(wish: Wish, **said: Any) -> Request:
    """A small wish to inpaint, with whatever is said changed."""
    usual = {"task": "inpaint", "image": PHOTO, "mask": MASK, "width": None, "height": None}
    return wish(**{**usual, "steps": 2, **said})


def one(engine: Engine, request: Request) -> ImageDone:
    (image,) = done(engine.run(replace(request, model=engine.model)))
    return image


def refusal(engine: Engine, request: Request) -> str:
    with pytest.raises((RequestError, ImageError)) as caught:
        engine.run(request)
    return f"{caught.value.message} {caught.value.hint}"


@st.composite
def wishes(draw: st.DrawFn) -> dict[str, Any]:
    """Any image with any mask, and everything that may be said about the two."""
    width, height = draw(st.integers(2, 90)), draw(st.integers(2, 90))
    across, down = draw(st.sampled_from([(width, height), (7, 5), (64, 64)]))
    bits = draw(st.integers(1, 2**16))
    mask = np.random.default_rng(bits).random((down, across)) < draw(st.sampled_from([0.02, 0.5]))
    mask[down // 2, across // 2] = True
    region = draw(st.sampled_from(["whole", "masked"]))
    return {
        "image": photograph(width, height),
        "mask": png(mask.astype(np.uint8) * 255),
        "mask_invert": draw(st.booleans()),
        "mask_grow": draw(st.sampled_from([None, 0, 1, 9])),
        "mask_blur": draw(st.sampled_from([None, 0, 2, 12])),
        "region": region,
        "region_padding": draw(st.sampled_from([None, 0, 5])) if region == "masked" else None,
        "extend": draw(st.sampled_from([None, (0, 0, 0, 0), (3, 0, 0, 9), (0, 17, 40, 0)])),
        "strength": draw(st.sampled_from([None, 0.0, 0.6])),
        "fill": draw(st.sampled_from([None, "noise", "blank"])),
        "steps": 1,
        "guidance": 1.0,
    }


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=wishes(), nine=st.booleans())
def test_outside_the_mask_every_byte_is_the_input(
    engine: Engine, made_for_it: Engine, wish: Wish, said: dict[str, Any], nine: bool
) -> None:
    request = painted(wish, **said)
    model = made_for_it if nine else engine
    before, mask = before_and_mask(request)
    if not mask.painted.any():
        assert "everywhere: nothing would be painted" in refusal(
            model, replace(request, model=model.model)
        )
        return
    image = one(model, request)
    assert (image.image.height, image.image.width) == mask.mixture.shape
    outside = mask.mixture == 0
    assert np.array_equal(io.to_array(image.image)[outside], before[outside])
    assert image.recipe.outside_unchanged


def before_and_mask(request: Request) -> tuple[io.Pixels, masks.Mask]:
    """The extended input, and what of it may be new."""
    before = io.read(request.image or b"").pixels
    height, width, _ = before.shape
    extend = request.extend or (0, 0, 0, 0)
    mask = masks.finished(
        masks.fit(masks.of_file(io.read(request.mask or b"")), width, height),
        invert=request.mask_invert,
        grow=request.mask_grow or 0,
        blur=request.mask_blur or 0,
        extend=extend,
    )
    return masks.extended(before, extend), mask


@pytest.mark.parametrize("nine", [False, True], ids=["ordinary", "made for it"])
@pytest.mark.parametrize("region", ["whole", "masked"])
def test_inside_the_mask_the_seed_and_the_prompt_paint(
    engine: Engine, made_for_it: Engine, wish: Wish, nine: bool, region: str
) -> None:
    model = made_for_it if nine else engine
    request = painted(wish, region=region, prompt="a cat", seed=1)
    first = one(model, request)
    inside = np.zeros((56, 40), bool)
    inside[8:40, 8:30] = True
    before = io.read(PHOTO).pixels
    changed = (io.to_array(first.image) != before).any(axis=2)
    assert changed[inside].mean() > 0.9
    assert not changed[~inside].any()
    assert distance(first.image, one(model, replace(request, seed=2)).image) > 20
    assert distance(first.image, one(model, replace(request, prompt="a dog")).image) > 5


def test_what_is_around_is_seen(engine: Engine, made_for_it: Engine, wish: Wish) -> None:
    """The same mask, noise and words in another picture give another part."""
    other = png(np.full((56, 40, 3), 250, np.uint8))
    for model in engine, made_for_it:
        here = one(model, painted(wish, steps=4))
        there = one(model, painted(wish, steps=4, image=other))
        inside = (slice(8, 40), slice(8, 30))
        a, b = (io.to_array(image.image)[inside].astype(int) for image in (here, there))
        assert np.abs(a - b).max() > 2


def test_strength_0_gives_the_image_through_the_autoencoder(engine: Engine, wish: Wish) -> None:
    image = one(engine, painted(wish, strength=0.0))
    assert image.recipe.strength == 0.0
    assert image.recipe.outside_unchanged


def test_fill_matters_below_strength_1(engine: Engine, wish: Wish) -> None:
    fills = ["original", "noise", "blank"]
    part = [one(engine, painted(wish, fill=fill, strength=0.5, steps=4)).image for fill in fills]
    assert len({image.data for image in part}) == 3
    whole = [one(engine, painted(wish, fill=fill)).image for fill in fills]
    assert len({image.data for image in whole}) == 1


def test_the_transparent_part_of_an_image_is_painted(engine: Engine, wish: Wish) -> None:
    pixels = io.read(PHOTO).pixels
    alpha = np.full((56, 40, 1), 255, np.uint8)
    alpha[8:40, 8:30] = 0
    events = list(
        engine.run(painted(wish, image=png(np.concatenate([pixels, alpha], -1)), mask=None))
    )
    assert "Its transparent parts are the mask." in noted(iter(events))
    (image,) = done(iter(events))
    changed = (io.to_array(image.image) != pixels).any(axis=2)
    assert changed[8:40, 8:30].mean() > 0.9
    assert changed.sum() == changed[8:40, 8:30].sum()
    assert image.recipe.mask_sha256 is None
    assert image.recipe.outside_unchanged


def test_an_image_continues_beyond_its_edge(engine: Engine, wish: Wish) -> None:
    image = one(engine, painted(wish, mask=None, extend=(0, 8, 24, 0)))
    assert (image.image.width, image.image.height) == (64, 64)
    pixels = io.to_array(image.image)
    assert np.array_equal(pixels[8:, :40], io.read(PHOTO).pixels)
    assert pixels[:, 40:].std() > 10
    assert image.recipe.outside_unchanged
    assert image.recipe.extend == (0, 8, 24, 0)


def test_a_watermark_that_is_asked_for_ends_the_claim(engine: Engine, wish: Wish) -> None:
    photo = photograph(256, 256)
    mask = box_mask(256, 256, (0, 0, 64, 64))
    plain = painted(wish, image=photo, mask=mask, region="masked", steps=1)
    assert one(engine, plain).recipe.watermark is None
    assert one(engine, plain).recipe.outside_unchanged
    marked = one(engine, replace(plain, watermark=True)).recipe
    assert (marked.watermark, marked.outside_unchanged) == ("StableDiffusionV1", False)


def test_the_claim_is_of_the_pixels_in_the_file(engine: Engine, wish: Wish, tmp_path: Path) -> None:
    image = one(engine, painted(wish))
    for name, quality, kept in (
        ("a.png", None, True),
        ("a.webp", None, True),
        ("b.webp", 90, False),
        ("a.jpg", None, False),
    ):
        finish.write(image, tmp_path / name, quality=quality)
        recipe = inspection.inspect_file(tmp_path / name).recipe
        assert recipe is not None
        assert recipe.outside_unchanged is kept, name


def test_it_is_made_again_from_its_recipe_alone_and_in_a_batch(
    engine: Engine, made_for_it: Engine, wish: Wish
) -> None:
    request = painted(
        wish,
        mask_grow=2,
        mask_blur=3,
        region="masked",
        extend=(0, 0, 8, 0),
        strength=0.8,
        fill="noise",
        steps=3,
    )
    for model in engine, made_for_it:
        first, second, third = done(
            model.run(replace(request, model=model.model, count=3, batch=3))
        )
        assert distance(first.image, third.image) > 0
        wished = again.request_of(second.recipe, image=request.image, mask=request.mask)
        alone = one(model, wished)
        assert distance(alone.image, second.image) <= 1
        assert alone.recipe == second.recipe


def test_images_in_two_batches_are_the_same(engine: Engine, wish: Wish) -> None:
    request = painted(wish, count=3, fill="noise", strength=0.7, steps=3)
    together = done(engine.run(replace(request, batch=3)))
    apart = done(engine.run(replace(request, batch=2)))
    for ours, theirs in zip(together, apart, strict=True):
        assert distance(ours.image, theirs.image) <= 1


@pytest.mark.parametrize("sampler", ["ddim", "plms", "dpm_solver", "euler_ancestral", "dpmpp_sde"])
def test_every_kind_of_sampler_keeps_what_is_known(
    engine: Engine, wish: Wish, sampler: str
) -> None:
    for strength in 1.0, 0.6:
        image = one(engine, painted(wish, sampler=sampler, strength=strength, steps=4))
        assert image.recipe.outside_unchanged


def test_a_mask_of_another_size_is_fitted_and_that_is_said(engine: Engine, wish: Wish) -> None:
    request = painted(wish, mask=box_mask(20, 28, (4, 4, 15, 20)))
    said = noted(engine.run(request))
    assert "The mask, 20 x 28, was stretched to the image's 40 x 56." in said
    assert distance(one(engine, request).image, one(engine, painted(wish)).image) <= 1


@pytest.mark.parametrize(("strength", "nine", "readings"), [(1.0, 1, 1), (0.6, 2, 1), (0.0, 2, 1)])
def test_an_image_is_read_as_often_as_it_is_needed(
    engine: Engine,
    made_for_it: Engine,
    wish: Wish,
    strength: float,
    nine: int,
    readings: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[Tensor] = []
    encode = Studio.encode

    def counted(studio: Studio, colours: Tensor) -> Tensor:
        read.append(colours)
        return encode(studio, colours)

    monkeypatch.setattr(Studio, "encode", counted)
    for model, expected in (made_for_it, nine), (engine, readings):
        read.clear()
        one(model, painted(wish, strength=strength))
        assert len(read) == expected


def test_what_was_done_to_a_mask_is_said(engine: Engine, wish: Wish) -> None:
    drawn = PIL.Image.open(BytesIO(MASK))
    turned, frames, clear, deep = (BytesIO() for _ in range(4))
    exif = drawn.getexif()
    exif[0x0112] = 3
    drawn.rotate(180).save(turned, "png", exif=exif)
    drawn.save(frames, "gif", save_all=True, append_images=[PIL.Image.new("L", drawn.size)])
    with_alpha = drawn.convert("RGBA")
    with_alpha.putalpha(drawn)
    with_alpha.save(clear, "png")
    PIL.Image.fromarray(np.asarray(drawn).astype(np.uint16) * 257).save(deep, "png")
    usual = one(engine, painted(wish))
    for file, says in (
        (turned, "The mask: it was turned upright."),
        (frames, "The mask: the file holds 2 frames; the first was taken."),
        (clear, "The mask: its transparent parts are not painted."),
        (deep, "The mask: its 16 bits a channel were reduced to 8."),
    ):
        request = painted(wish, mask=file.getvalue())
        assert says in noted(engine.run(request))
        assert distance(one(engine, request).image, usual.image) <= 1


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({"mask": box_mask(40, 56, (0, 0, 0, 0))}, "The mask is black everywhere: nothing would"),
        (
            {"mask": box_mask(40, 56, (0, 0, 40, 56)), "mask_invert": True},
            "The mask is white everywhere: nothing would be painted.",
        ),
        ({"mask": None}, "There is no mask: nothing says where to paint."),
        ({"mask": b"no image"}, "The mask is"),
        ({"image": b"no image"}, "The image is"),
        ({"image": None}, "There is no image to start from."),
        ({"image": photograph(3000, 2)}, "An image of 3000 × 2 is too narrow"),
        ({"extend": (0, 4096, 0, 0)}, "An image of 40 × 4152 is too narrow"),
        ({"hires": 2}, "inpaint takes no second pass."),
        ({"fill": "latent"}, "There is no fill 'latent'"),
    ],
)
def test_what_cannot_be_painted(
    engine: Engine, wish: Wish, said: dict[str, Any], says: str
) -> None:
    assert says in refusal(engine, painted(wish, **said))


def test_an_image_may_be_extended_only_to_what_may_be_opened(engine: Engine, wish: Wish) -> None:
    wide = png(np.zeros((1, 32_000, 3), np.uint8))
    request = painted(wish, image=wide, mask=None, extend=(4096, 0, 0, 0))
    assert "The extended image claims 36096 x 1" in refusal(engine, request)


def test_a_model_made_for_inpainting_does_nothing_else(made_for_it: Engine, wish: Wish) -> None:
    said = refusal(made_for_it, wish(model=made_for_it.model))
    assert "is made for inpainting: it cannot do txt2img." in said
