"""What is not said, and what cannot be meant."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from darkroom.contracts import ModelDefaults, ModelSpec, Pass, Request, Resolved
from darkroom.errors import RequestError
from darkroom.names import SAMPLERS
from darkroom.planning.resolve import resolve
from tests.planning.specs import SMALL, V1

PHOTO: dict[str, Any] = {"task": "img2img", "image": b"an image"}


def made(spec: ModelSpec = V1, size: tuple[int, int] | None = None, **wishes: Any) -> Resolved:
    return resolve(Request(**wishes), spec, seed=7, input_size=size)


def refusal(spec: ModelSpec = V1, size: tuple[int, int] | None = None, **wishes: Any) -> str:
    """Message and hint: one sentence each, printable, of bearable length."""
    with pytest.raises(RequestError) as caught:
        made(spec, size, **wishes)
    message, hint = caught.value.message, caught.value.hint
    for sentence in (message, hint):
        assert sentence.isprintable()
        assert sentence.endswith(".")
        assert ". " not in sentence
        assert len(sentence) < 250
    return f"{message} {hint}"


def test_the_house_defaults() -> None:
    got = made()
    assert (got.sampler, got.schedule) == ("dpmpp_2m", "karras")
    assert (got.guidance, got.eta, got.rescale) == (7.5, 0.0, 0.0)
    assert (got.guidance_start, got.guidance_end) == (0.0, 1.0)
    assert (got.churn, got.churn_start, got.churn_end, got.noise_scale) == (0, 0, math.inf, 1)
    assert (got.prompt_syntax, got.clip_skip, got.noise, got.tiling) == ("a1111", 1, "cpu", "none")
    assert (got.variation_strength, got.seed_offset, got.hires) == (0.0, 0, None)
    whole = Pass(
        width=512,
        height=512,
        canvas_width=512,
        canvas_height=512,
        steps=20,
        requested_steps=20,
        runs=20,
    )
    assert got.passes == (whole,)
    assert (got.seed, got.count, got.batch, got.strength) == (7, 1, 1, 1.0)
    assert (got.prediction, got.watermark) == ("eps", b"StableDiffusionV1")


def test_zero_is_a_value() -> None:
    got = made(guidance=0, seed=0, eta=0.0, prompt="")
    assert (got.guidance, got.seed, got.eta) == (0.0, 0, 0.0)
    assert made(**PHOTO, strength=0).strength == 0.0
    assert made(**PHOTO, strength=1).strength == 1.0


def test_averaged_weights_where_the_file_holds_them() -> None:
    assert made(replace(V1, ema=True), ema=True).request.ema
    assert not made(replace(V1, ema=True)).request.ema


def test_the_model_says_what_the_user_does_not() -> None:
    defaults = ModelDefaults(
        steps=8,
        sampler="euler_ancestral",
        schedule="normal",
        guidance=0.0,
        width=256,
        height=320,
    )
    got = made(replace(V1, defaults=defaults))
    assert (got.sampler, got.schedule, got.passes[0].steps) == ("euler_ancestral", "normal", 8)
    assert (got.guidance, got.width, got.height) == (0.0, 256, 320)
    got = made(replace(V1, defaults=defaults), steps=3, guidance=2.0, width=512, sampler="ddim")
    assert (got.sampler, got.schedule, got.passes[0].steps) == ("ddim", "ldm", 3)
    assert (got.guidance, got.width, got.height) == (2.0, 512, 320)


def test_the_model_says_how_much_noise() -> None:
    wish = {**PHOTO, "task": "upscale"}
    usual = replace(V1, task="upscale", noise_levels=351)
    spec = replace(usual, defaults=ModelDefaults(noise_level=0))
    assert made(usual, (64, 64), **wish).noise_level == 20
    assert made(spec, (64, 64), **wish).noise_level == 0
    assert made(spec, (64, 64), **wish, noise_level=50).noise_level == 50


@pytest.mark.parametrize(
    ("default", "ztsnr", "sampler", "schedule", "expected"),
    [
        # default sampler and schedule of the model, zero-terminal SNR, the user's two, the result
        ((None, None), False, None, None, ("dpmpp_2m", "karras")),
        ((None, None), False, "ddim", None, ("ddim", "ldm")),
        ((None, None), False, "plms", None, ("plms", "ldm")),
        ((None, None), False, "dpm_solver", None, ("dpm_solver", "time_uniform")),
        ((None, None), False, "euler", None, ("euler", "karras")),
        ((None, None), False, "Euler a", None, ("euler_ancestral", "karras")),
        ((None, None), False, "DPM++ 2M Karras", None, ("dpmpp_2m", "karras")),
        ((None, None), False, "DPM++ 2M Karras", "Karras", ("dpmpp_2m", "karras")),
        ((None, None), False, "DPM++ 2M Normal", None, ("dpmpp_2m", "normal")),
        ((None, None), False, None, "trailing", ("dpmpp_2m", "trailing")),
        ((None, None), False, "ddim", "trailing", ("ddim", "trailing")),
        ((None, None), True, None, None, ("dpmpp_2m", "trailing")),
        ((None, None), True, "euler", None, ("euler", "trailing")),
        ((None, None), True, "ddim", None, ("ddim", "ldm")),
        ((None, None), True, "dpmpp_2m", None, ("dpmpp_2m", "trailing")),
        ((None, None), True, None, "karras", ("dpmpp_2m", "karras")),
        (("ddim", "trailing"), False, None, None, ("ddim", "trailing")),
        (("ddim", "trailing"), False, "ddim", None, ("ddim", "trailing")),
        (("ddim", "trailing"), False, "plms", None, ("plms", "ldm")),
        (("ddim", "trailing"), False, "euler", None, ("euler", "trailing")),
        (("ddim", None), False, None, None, ("ddim", "ldm")),
        (("ddim", None), True, None, None, ("ddim", "trailing")),
        (("DPM++ 2M Karras", None), True, None, None, ("dpmpp_2m", "karras")),
        ((None, "normal"), True, None, None, ("dpmpp_2m", "normal")),
    ],
)
def test_where_the_schedule_comes_from(
    default: tuple[str | None, str | None],
    ztsnr: bool,
    sampler: str | None,
    schedule: str | None,
    expected: tuple[str, str],
) -> None:
    spec = replace(
        V1,
        zero_terminal_snr=ztsnr,
        defaults=ModelDefaults(sampler=default[0], schedule=default[1]),
    )
    got = made(spec, sampler=sampler, schedule=schedule)
    assert (got.sampler, got.schedule) == expected


@pytest.mark.parametrize(("asked", "run"), [(1, 1), (10, 10), (15, 16), (50, 50), (499, 500)])
def test_the_real_count_of_steps(asked: int, run: int) -> None:
    got = made(sampler="ddim", steps=asked)
    assert (got.passes[0].steps, got.passes[0].requested_steps) == (run, asked)
    assert made(steps=asked).passes[0].steps == asked


@pytest.mark.parametrize(
    ("wishes", "says"),
    [
        # sizes
        (
            {"width": 500},
            "Width 500 is not a multiple of 8. The nearest that work are 496 and 504.",
        ),
        ({"height": 513}, "512 and 520"),
        ({"width": 0}, "the nearest that works is 8"),
        ({"height": -64}, "the nearest that works is 8"),
        ({"width": 4104}, "the nearest that works is 4096"),
        ({"width": 10**9}, "the nearest that works is 4096"),
        ({"width": 512.0}, "whole number"),
        ({"width": True}, "whole number"),
        # steps
        ({"steps": 0}, "the nearest that works is 1"),
        ({"steps": -3}, "Steps -3"),
        ({"steps": 10**9}, "the nearest that works is 1000"),
        ({"steps": 1001}, "the nearest that works is 1000"),
        ({"steps": 501, "sampler": "ddim"}, "the nearest that works is 500"),
        ({"steps": 10**5000}, "bits"),
        # guidance, eta, strength
        ({"guidance": float("nan")}, "NaN"),
        ({"guidance": float("inf")}, "the nearest that works is 100"),
        ({"guidance": float("-inf")}, "the nearest that works is -100"),
        ({"guidance": 10**5000}, "the nearest that works is 100"),
        ({"guidance": "7"}, "must be a number"),
        ({"eta": -0.1, "sampler": "ddim"}, "the nearest that works is 0"),
        ({"eta": 1.5, "sampler": "ddim"}, "the nearest that works is 1"),
        ({"eta": float("nan")}, "NaN"),
        ({"eta": 0.5, "sampler": "plms"}, "The sampler plms has no eta. Leave it out, or"),
        ({"eta": 0.5}, "choose one of ddim"),
        ({**PHOTO, "strength": 1.5}, "the nearest that works is 1"),
        ({**PHOTO, "strength": -0.25}, "the nearest that works is 0"),
        ({**PHOTO, "strength": float("nan")}, "NaN"),
        # seeds and counts
        ({"seed": -5}, "the nearest that works is 0"),
        ({"seed": 2**70}, "the nearest that works is 9223372036854775807"),
        ({"seed": 2**63}, "9223372036854775807"),
        ({"seed": 2**63 - 1, "count": 2}, "The largest seed for so many is 9223372036854775806."),
        ({"count": 0}, "the nearest that works is 1"),
        ({"count": -1}, "Count -1"),
        ({"count": 10**9}, "the nearest that works is 10000"),
        ({"batch": 0}, "Batch 0"),
        ({"batch": 10**9}, "Batch 1000000000"),
        # texts
        ({"prompt": "a" * 100_000}, "100,000 bytes"),
        ({"negative": "é" * 50_000}, "The negative prompt is 100,000 bytes or longer"),
        ({"negative": None}, "The negative prompt must be text."),
        ({"prompt": "a\0b"}, "NUL"),
        ({"prompt": "\ud800"}, "no text in UTF-8, at character 1"),
        (
            {"negative": "caf\udce9"},
            "negative prompt holds bytes that are no text in UTF-8, at character 4",
        ),
        # names
        ({"sampler": "dpmpp_2n"}, "the nearest is dpmpp_2m"),
        ({"schedule": "karas"}, "the nearest is karras"),
        ({"precision": "bf61"}, "the nearest is bf16"),
        ({"prediction": "epsilon"}, "the nearest is eps"),
        ({"device": "cudo"}, "the nearest is cuda"),
        ({"device": "cuda:x"}, "There is no device"),
        ({"task": "txt2imgs"}, "the nearest is txt2img"),
        # what contradicts itself
        ({"task": "img2img"}, "There is no image to start from."),
        ({"image": b"x"}, "txt2img takes no image."),
        ({"strength": 0.5}, "txt2img takes no strength. Leave it out, or use img2img, inpaint or"),
        ({"sampler": "DPM++ 2M Karras", "schedule": "normal"}, "asks for the schedule karras"),
        ({"sampler": "plms", "schedule": "karras"}, "on the schedule ldm only, not on karras"),
        ({"sampler": "dpm_solver", "schedule": "ldm"}, "on the schedule time_uniform only"),
        (
            {"sampler": "plms", "prediction": "v"},
            "The sampler plms is made for models that predict eps, and sd-v1-4 predicts v.",
        ),
        ({"watermark": True, "width": 64, "height": 64}, "64 × 64 is too small"),
        # guidance in parts, churn and fresh noise
        ({"rescale": 1.5}, "the nearest that works is 1"),
        ({"rescale": -1}, "the nearest that works is 0"),
        ({"guidance_start": 50}, "Guidance start 50 is out of range; the nearest that works is 1"),
        ({"guidance_end": -0.5}, "the nearest that works is 0"),
        ({"guidance_start": 0.6, "guidance_end": 0.5}, "at 0.5, before it begins, at 0.6"),
        ({"churn": -1, "sampler": "euler"}, "the nearest that works is 0"),
        ({"churn": 101, "sampler": "euler"}, "the nearest that works is 100"),
        ({"churn": 1, "sampler": "ddim"}, "The sampler ddim has no churn. Leave it out, or"),
        ({"churn_start": -1}, "the nearest that works is 0"),
        ({"churn_end": 1e6}, "the nearest that works is 1000"),
        ({"churn_end": float("nan")}, "NaN"),
        ({"noise_scale": 3}, "the nearest that works is 2"),
        # prompts
        ({"prompt_syntax": "a1112"}, "the nearest is a1111"),
        ({"clip_skip": 0}, "the nearest that works is 1"),
        ({"clip_skip": 13}, "the nearest that works is 12"),
        # variations and noise
        ({"variation_strength": 1.1}, "the nearest that works is 1"),
        ({"variation_strength": float("nan")}, "NaN"),
        ({"variation_seed": 5}, "A variation seed without a variation strength changes nothing."),
        ({"variation_seed": -1, "variation_strength": 0.1}, "the nearest that works is 0"),
        (
            {"variation_seed": 2**63 - 1, "variation_strength": 0.1, "count": 2},
            "The largest seed for so many is 9223372036854775806.",
        ),
        ({"noise": "gpu"}, "There is no noise 'gpu'"),
        ({"seed_offset": -1}, "the nearest that works is 0"),
        # tiling and second passes
        ({"tiling": "xy"}, "There is no tiling 'xy'"),
        (
            {"tiling": "x", "width": 520},
            "of 64, which tiling needs with this model. The nearest that work are 512 and 576.",
        ),
        ({"tiling": "both", "height": 8}, "The nearest that works is 64."),
        ({"hires": 0.5}, "the nearest that works is 1"),
        ({"hires": 5}, "the nearest that works is 4"),
        ({"hires": 4, "width": 2048}, "The most that works is hires 2, or begin smaller."),
        ({"hires": 2, "hires_strength": 1.5}, "the nearest that works is 1"),
        ({"hires": 2, "hires_steps": 0}, "the nearest that works is 1"),
        ({"hires": 2, "hires_steps": 1001}, "the nearest that works is 1000"),
        ({"hires": 2, "hires_enlarger": "esrgan"}, "There is no enlarger 'esrgan'"),
        ({"hires_strength": 0.5}, "Hires strength is about the second pass of a large image"),
        ({"hires_steps": 5}, "such as hires 2"),
        ({**PHOTO, "hires": 2}, "img2img takes no second pass. Leave it out, or use txt2img."),
        # what another task, or another model, takes
        ({"mask": b"x"}, "txt2img takes no mask. Leave it out, or use inpaint."),
        ({**PHOTO, "mask_grow": 3}, "img2img takes no growth of a mask."),
        ({"extend": (0, 0, 8, 0)}, "txt2img takes no extension."),
        ({"depth": b"x"}, "txt2img takes no depth map. Leave it out, or use depth2img."),
        ({"images": (b"x",)}, "txt2img takes no further images."),
        (
            {**PHOTO, "noise_level": 0},
            "takes no noise level. Leave it out, or use upscale or vary.",
        ),
        ({**PHOTO, "task": "depth2img"}, "sd-v1-4 is made for images from prompts"),
        (
            {**PHOTO, "task": "upscale"},
            "or choose a model for enlarging images (darkroom models pull sd-x4-upscaler).",
        ),
        ({**PHOTO, "image_guidance": 1.5}, "follow instructions, and sd-v1-4 is none"),
        ({"ema": True}, "sd-v1-4 holds no EMA copies"),
    ],
)
def test_what_cannot_be_meant(wishes: dict[str, Any], says: str) -> None:
    assert says in refusal(**wishes)


@pytest.mark.parametrize(
    "wishes",
    [
        {"width": 8, "height": 8},
        {"width": 4096, "height": 4096},
        {"steps": 1},
        {"steps": 1000},
        {"guidance": 1},
        {"guidance": -2.5},
        {"eta": 1.0, "sampler": "ddim"},
        {"eta": 0.0, "sampler": "plms"},
        {"seed": 2**63 - 1},
        {"seed": 2**63 - 2, "count": 2},
        {"count": 10_000},
        {"prompt": "a" * 99_999},
        {"prompt": "😀\U0010ffff\x07\u202e"},
        {"device": "cuda:7"},
        {"device": "cpu", "precision": "fp16", "prediction": "v"},
        {"rescale": 0, "guidance_start": 0, "guidance_end": 0},
        {"guidance_start": 1.0},
        {"churn": 0, "sampler": "ddim"},
        {"churn": 100, "churn_start": 0, "churn_end": math.inf, "sampler": "euler"},
        {"noise_scale": 0, "seed_offset": 0, "clip_skip": 12},
        {"variation_seed": 0, "variation_strength": 0},
        {"variation_strength": 1},
        {"seed": 2**63 - 1, "count": 2, "variation_strength": 0.1},
        {"seed": 2**63 - 1, "seed_offset": 2**63 - 1},
        {"tiling": "x", "height": 520},
        {"tiling": "none", "width": 520},
        {"hires": 1, "hires_strength": 0},
        {"hires": 4, "hires_steps": 1000, "hires_strength": 0.01},
    ],
)
def test_what_can_be_meant(wishes: dict[str, Any]) -> None:
    assert made(**wishes).request == Request(**wishes)


def test_numbers_of_numpy_are_numbers() -> None:
    got = made(
        steps=np.int64(5),
        width=np.int32(64),
        seed=np.uint64(3),
        guidance=np.float32(7.5),
        count=np.int8(2),
    )
    values = [
        got.passes[0].steps,
        got.passes[0].requested_steps,
        got.width,
        got.seed,
        got.guidance,
        got.count,
    ]
    assert values == [5, 5, 64, 3, 7.5, 2]
    assert {type(value) for value in values} == {int, float}
    assert "NaN" in refusal(guidance=np.float32("nan"))
    assert "whole number" in refusal(seed=np.float64(3))


def test_the_model_bounds_the_size() -> None:
    assert "made for 64" in refusal(SMALL, width=520)
    assert made(SMALL, width=512).width == 512


@pytest.mark.parametrize(
    ("width", "canvas"), [(8, 64), (64, 64), (72, 128), (504, 512), (512, 512), (520, 576)]
)
def test_the_canvas_is_what_the_unet_can_take(width: int, canvas: int) -> None:
    got = made(width=width, height=512)
    assert (got.width, got.passes[0].canvas_width, got.passes[0].canvas_height) == (
        width,
        canvas,
        512,
    )


@pytest.mark.parametrize(
    ("size", "wishes", "expected"),
    [
        ((512, 512), {}, (512, 512)),
        ((1024, 1024), {}, (512, 512)),
        ((1, 1), {}, (512, 512)),
        ((4000, 3000), {}, (592, 440)),
        ((3000, 4000), {}, (440, 592)),
        ((1920, 1080), {}, (680, 384)),
        ((64, 1), {}, (4096, 64)),
        ((1, 10_000), {"width": 8, "height": 4096}, (8, 4096)),
        ((4000, 3000), {"width": 800}, (800, 600)),
        ((4000, 3000), {"height": 600}, (800, 600)),
        ((4000, 3000), {"width": 512, "height": 512}, (512, 512)),
        ((10, 500), {"width": 512}, (512, 4096)),
    ],
)
def test_img2img_keeps_the_shape(
    size: tuple[int, int], wishes: dict[str, Any], expected: tuple[int, int]
) -> None:
    got = made(size=size, **PHOTO, **wishes)
    assert (got.width, got.height) == expected
    assert got.strength == 0.75


@given(st.integers(1, 20_000), st.integers(1, 20_000))
def test_any_input_gets_a_size_near_the_native_area(width: int, height: int) -> None:
    assume(max(width, height) <= 64 * min(width, height))
    got = made(size=(width, height), **PHOTO)
    assert got.width % 8 == got.height % 8 == 0
    assert min(got.width, got.height) >= 8
    assert max(got.width, got.height) <= 4096
    if 1 / 8 < width / height < 8:
        assert 0.9 < got.width * got.height / 512**2 < 1.1
        assert 0.9 < got.width / got.height / (width / height) < 1.1


@pytest.mark.parametrize(
    ("wishes", "steps", "runs"),
    [
        # As many steps as the first pass spends on the same levels, whatever else is said.
        ({"steps": 20}, 20, 10),
        ({"steps": 15, "hires_strength": 0.3}, 13, 4),
        ({"steps": 1}, 2, 1),
        ({"steps": 20, "hires_strength": 1}, 20, 20),
        # As A1111 does: so many of them, at the end of a schedule that is long enough.
        ({"steps": 20, "hires_steps": 15}, 30, 15),
        ({"hires_steps": 15, "hires_strength": 0.7}, 21, 15),
        ({"hires_steps": 900}, 1000, 900),
        ({"hires_strength": 0}, 20, 0),
        # These noise one level above the one that they evaluate first, so there must be one.
        ({"sampler": "ddim", "hires_steps": 20, "hires_strength": 1}, 22, 20),
    ],
)
def test_the_steps_of_a_second_pass(wishes: dict[str, Any], steps: int, runs: int) -> None:
    first, second = made(hires=2, **wishes).passes
    assert first.runs == first.steps
    assert (second.steps, second.runs) == (steps, runs)
    assert second.runs + SAMPLERS[wishes.get("sampler", "euler")].starts_below <= second.steps


@pytest.mark.parametrize(
    ("wishes", "size"),
    [
        ({"hires": 2}, (1024, 1024)),
        ({"hires": 1.5, "width": 520}, (776, 768)),
        ({"hires": 1.2, "width": 40, "height": 8}, (48, 8)),
        ({"hires": 1.3, "tiling": "x"}, (640, 664)),
    ],
)
def test_the_size_of_a_second_pass(wishes: dict[str, Any], size: tuple[int, int]) -> None:
    got = made(**wishes)
    assert (got.width, got.height) == (got.passes[1].width, got.passes[1].height) == size


def test_a_tiled_image_takes_a_size_that_is_not_cropped() -> None:
    got = made(size=(1920, 1080), **PHOTO, tiling="both")
    assert (got.width, got.height) == (got.passes[0].canvas_width, got.passes[0].canvas_height)


def test_a_large_image_may_hold_a_watermark_that_the_small_one_cannot() -> None:
    small: dict[str, Any] = {"width": 128, "height": 128}
    assert made(**small).watermark is None
    assert made(**small, hires=2).watermark == b"StableDiffusionV1"


@pytest.mark.parametrize(
    ("spec", "wishes", "payload"),
    [
        (V1, {}, b"StableDiffusionV1"),
        (V1, {"width": 256, "height": 256}, b"StableDiffusionV1"),
        (V1, {"width": 256, "height": 248}, None),
        (V1, {"watermark": False}, None),
        (V1, {"watermark": True}, b"StableDiffusionV1"),
        (SMALL, {}, None),
        (SMALL, {"width": 512, "height": 512}, None),
        (SMALL, {"width": 256, "height": 256, "watermark": True}, b"StableDiffusionV1"),
    ],
)
def test_the_watermark(spec: ModelSpec, wishes: dict[str, Any], payload: bytes | None) -> None:
    assert made(spec, **wishes).watermark == payload


def test_a_batch_is_no_larger_than_the_count() -> None:
    assert made(count=3).batch == 3
    assert made(count=100).batch == 8
    assert made(count=3, batch=2).batch == 2
    assert made(count=3, batch=50).batch == 3


def test_the_users_seed_comes_first() -> None:
    assert made(seed=3).seed == 3
    assert made().seed == 7
    assert resolve(Request(), V1).seed == 0


def test_the_request_itself_is_kept() -> None:
    request = Request(prompt="a  Cat", sampler="Euler a")
    assert resolve(request, V1).request is request


WISHES = st.fixed_dictionaries(
    {},
    optional={
        "prompt": st.text(st.characters()),
        "steps": st.integers(),
        "sampler": st.sampled_from(["ddim", "plms", "Euler a Karras", "dpm", ""]) | st.text(),
        "schedule": st.sampled_from(["ldm", "Karras", "trailing"]) | st.text(),
        "guidance": st.floats() | st.integers(),
        "eta": st.floats(),
        "width": st.integers(-16, 600).map(lambda n: 8 * n) | st.integers(),
        "height": st.integers(),
        "seed": st.integers(),
        "count": st.integers(),
        "batch": st.integers(),
        "precision": st.sampled_from(["fp32", "int4"]),
        "device": st.sampled_from(["cpu", "cuda:0", "tpu"]),
        "watermark": st.booleans(),
        "strength": st.floats(),
        "rescale": st.floats(),
        "guidance_start": st.floats(),
        "guidance_end": st.floats(),
        "churn": st.floats(),
        "churn_end": st.floats(),
        "clip_skip": st.integers(),
        "variation_seed": st.integers(),
        "variation_strength": st.floats(0, 2),
        "seed_offset": st.integers(),
        "tiling": st.sampled_from(["x", "both", "z"]),
        "hires": st.floats(0.9, 5) | st.integers(),
        "hires_strength": st.floats(0, 1),
        "hires_steps": st.integers(-1, 1500),
    },
)


@given(WISHES, st.sampled_from([V1, SMALL]))
def test_every_request_is_resolved_or_refused(wishes: dict[str, Any], spec: ModelSpec) -> None:
    try:
        got = made(spec, **wishes)
    except RequestError:
        return
    for one in got.passes:
        assert 1 <= one.requested_steps <= one.steps <= 1000
        assert 0 <= one.runs <= one.steps
        assert one.canvas_width % spec.multiple == one.canvas_height % spec.multiple == 0
    assert 1 <= got.batch <= got.count
    last = (got.seed if got.variation_seed is None else got.variation_seed) + got.count - 1
    assert 0 <= got.seed < 2**63 > last
