"""What inpainting shows the model, and at which size."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.contracts import Painting, Request, Resolved, Sides
from darkroom.errors import RequestError
from darkroom.planning.painting import painting, seen
from darkroom.planning.resolve import resolve
from tests.planning.specs import SMALL, V1


def wished(size: tuple[int, int] = (640, 480), **said: Any) -> Painting:
    found = painting(Request(task="inpaint", image=b"x", **said), size)
    assert found is not None
    return found


def resolved(size: tuple[int, int], seen: Sides | None = None, **said: Any) -> Resolved:
    request = Request(task="inpaint", image=b"x", mask=b"y", **said)
    return resolve(request, V1, input_size=size, seen=seen)


def test_what_is_not_said() -> None:
    assert wished() == Painting(
        invert=False,
        grow=0,
        blur=0,
        fill="original",
        region="whole",
        padding=32,
        extend=(0, 0, 0, 0),
        width=640,
        height=480,
        box=(0, 0, 640, 480),
    )
    assert painting(Request(), (640, 480)) is None


def test_an_extension_makes_the_image_larger() -> None:
    wide = wished(extend=(1, 2, 3, 4))
    assert (wide.width, wide.height) == (644, 486)
    image = resolved((512, 512), extend=(0, 0, 256, 0))
    assert (image.width, image.height) == (768, 512)


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({"mask_grow": -1}, "the nearest that works is 0"),
        ({"mask_blur": 257}, "the nearest that works is 256"),
        ({"fill": "nois"}, "the nearest is noise"),
        ({"region": "mask"}, "the nearest is masked"),
        ({"region_padding": 8}, "Padding is about the masked region"),
        ({"region": "masked", "region_padding": -8}, "the nearest that works is 0"),
        ({"extend": (0, 0, -8, 0)}, "the nearest that works is 0"),
        ({"extend": (0, 0, 8)}, "An extension is four numbers"),
        ({"extend": (0, 0, 8, 0.5)}, "must be a whole number"),
    ],
)
def test_what_cannot_be_meant(said: dict[str, Any], says: str) -> None:
    with pytest.raises(RequestError) as caught:
        wished(**said)
    assert says in f"{caught.value.message} {caught.value.hint}"


@given(
    size=st.tuples(st.integers(1, 500), st.integers(1, 500)),
    corners=st.tuples(*[st.floats(0, 1)] * 4),
    padding=st.integers(0, 600),
)
def test_the_masked_part_is_seen_whole_and_within_the_image(
    size: tuple[int, int], corners: tuple[float, ...], padding: int
) -> None:
    (left, right), (top, bottom) = (
        sorted(round(corner * length) for corner in pair)
        for pair, length in ((corners[:2], size[0]), (corners[2:], size[1]))
    )
    left, top = min(left, size[0] - 1), min(top, size[1] - 1)
    painted = left, top, max(right, left + 1), max(bottom, top + 1)
    box = seen(wished(size, region="masked", region_padding=padding), painted)
    assert 0 <= box[0] <= max(painted[0] - padding, 0)
    assert 0 <= box[1] <= max(painted[1] - padding, 0)
    assert min(painted[2] + padding, size[0]) <= box[2] <= size[0]
    assert min(painted[3] + padding, size[1]) <= box[3] <= size[1]
    across, down = box[2] - box[0], box[3] - box[1]
    assert across >= min(down // 2, size[0])
    assert down >= min(across // 2, size[1])
    assert seen(wished(size), painted) == (0, 0, *size)


@pytest.mark.parametrize(
    ("size", "made"),
    [
        ((512, 512), (512, 512)),
        ((768, 512), (768, 512)),  # not more than twice the native area: not blurred
        ((500, 375), (592, 440)),
        ((700, 701), (704, 704)),
        ((4000, 3000), (592, 440)),
        ((64, 64), (512, 512)),
    ],
)
def test_at_which_size_an_image_is_painted(size: tuple[int, int], made: tuple[int, int]) -> None:
    found = resolved(size)
    assert (found.passes[0].width, found.passes[0].height) == made
    assert (found.width, found.height) == size


def test_the_masked_region_is_made_at_the_native_size() -> None:
    found = resolved((4000, 3000), (1000, 1000, 1200, 1300), region="masked")
    assert (found.passes[0].width, found.passes[0].height) == (416, 624)
    assert (found.width, found.height) == (4000, 3000)
    asked = resolved((4000, 3000), (1000, 1000, 1200, 1300), region="masked", width=512, height=512)
    assert (asked.passes[0].width, asked.passes[0].height) == (512, 512)


def test_painting_starts_from_noise_and_bears_no_watermark() -> None:
    found = resolved((512, 512), steps=10)
    assert (found.strength, found.from_noise, found.passes[0].runs) == (1.0, True, 10)
    assert found.watermark is None
    assert resolved((512, 512), watermark=True).watermark == b"StableDiffusionV1"
    part = resolved((512, 512), steps=10, strength=0.5, sampler="ddim", schedule="ldm")
    assert (part.from_noise, part.passes[0].runs) == (False, 5)


def test_a_shape_that_no_image_can_have() -> None:
    for task in "img2img", "inpaint":
        request = Request(task=task, image=b"x")
        with pytest.raises(RequestError, match="30000 × 2 is too narrow"):
            resolve(request, V1, input_size=(30_000, 2))
        sized = replace(request, width=512, height=64)
        assert resolve(sized, V1, input_size=(30_000, 2)).passes[0].width == 512
    assert resolve(Request(task="img2img", image=b"x"), V1, input_size=(64, 1)).width == 4096


@pytest.mark.parametrize("made_for", ["depth2img", "upscale", "vary", "pix2pix"])
def test_models_for_other_tasks_do_not_inpaint(made_for: Any) -> None:
    spec = replace(SMALL, task=made_for)
    with pytest.raises(RequestError, match=r"small is made for .*: it cannot do inpaint"):
        resolve(Request(task="inpaint", image=b"x"), spec, input_size=(64, 64))


def test_image_guidance_of_a_model_that_follows_instructions() -> None:
    spec = replace(V1, task="pix2pix")
    edit = Request(task="img2img", image=b"x", steps=10)
    found = resolve(edit, spec, input_size=(512, 512))
    assert (found.image_guidance, found.strength, found.from_noise) == (1.5, 1.0, True)
    assert found.passes[0].runs == 10
    part = resolve(replace(edit, strength=0.5), spec, input_size=(512, 512))
    assert (part.from_noise, part.passes[0].runs < 10) == (False, True)
    said = resolve(replace(edit, image_guidance=0), spec, input_size=(512, 512))
    assert said.image_guidance == 0
    with pytest.raises(RequestError, match="cannot do txt2img"):
        resolve(Request(), spec)
