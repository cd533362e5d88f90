"""The client of AUTOMATIC1111's API from PyPI, against a running server."""

import json
import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import webuiapi
from PIL import Image

from tests import tiny
from tests.clients.conftest import Served

PROMPT = "a hamster on a blue background"
SIZE = {"width": 64, "height": 64}


@pytest.fixture
def api(served: Served) -> Any:
    return webuiapi.WebUIApi(
        host="127.0.0.1", port=served.port, username="anybody", password=served.token, steps=3
    )


def drawn(api: Any, **wish: Any) -> Any:
    return api.txt2img(prompt=PROMPT, **{**SIZE, "seed": 1, **wish})


def test_images_of_a_prompt(api: Any) -> None:
    made = drawn(api, batch_size=2, n_iter=2, sampler_name="DPM++ 2M", scheduler="Karras")
    assert [image.size for image in made.images] == [(64, 64)] * 4
    info = made.info
    assert info["all_seeds"] == [1, 2, 3, 4] and info["seed"] == 1
    assert info["all_prompts"] == [PROMPT] * 4 and info["all_negative_prompts"] == [""] * 4
    assert (info["width"], info["height"], info["steps"], info["cfg_scale"]) == (64, 64, 3, 7)
    assert (info["sampler_name"], info["sd_model_name"]) == ("DPM++ 2M", "mini")
    assert len(info["sd_model_hash"]) == 10 and len(info["job_timestamp"]) == 14
    assert info["extra_generation_params"] == {"Schedule type": "Karras"}
    for place, text in enumerate(info["infotexts"]):
        assert text == made.images[place].text["parameters"]  # as the original does
        assert f"Seed: {1 + place}, Size: 64x64" in text
    assert made.parameters["batch_size"] == 2 and made.parameters["prompt"] == PROMPT


def test_random_seeds_are_told(api: Any) -> None:
    made = drawn(api, seed=-1, n_iter=2)
    first, second = made.info["all_seeds"]
    assert second == first + 1 and first >= 0
    again = drawn(api, seed=second)
    difference = np.asarray(again.image, int) - np.asarray(made.images[1], int)
    assert np.abs(difference).max() <= 2  # a batch of another size, another rounding


def test_variations_and_two_passes(api: Any) -> None:
    varied = drawn(api, subseed=5, subseed_strength=0.3, batch_size=2)
    assert varied.info["all_seeds"] == [1, 1] and varied.info["all_subseeds"] == [5, 6]
    assert varied.info["subseed_strength"] == 0.3
    large = drawn(api, enable_hr=True, hr_scale=2, hr_upscaler="Lanczos", denoising_strength=0.5)
    assert large.image.size == (128, 128) and large.info["width"] == 64
    assert "Hires upscale: 2" in large.info["infotexts"][0]


def test_images_of_an_image(api: Any) -> None:
    image = Image.new("RGB", (64, 64), "red")
    made = api.img2img(
        images=[image], prompt=PROMPT, denoising_strength=0.6, seed=3, cfg_scale=5, **SIZE
    )
    assert made.image.size == (64, 64) and made.info["denoising_strength"] == 0.6
    assert "init_images" not in made.parameters
    wide = api.img2img(images=[image], prompt=PROMPT, resize_mode=1, width=64, height=32)
    assert wide.image.size == (64, 32)
    two = api.img2img(images=[image, image], prompt=PROMPT, seed=3, batch_size=2, **SIZE)
    assert two.info["all_seeds"] == [3, 4]


def test_what_a_mask_leaves_stays(api: Any) -> None:
    image, mask = Image.new("RGB", (64, 64), "red"), Image.new("L", (64, 64), 0)
    mask.paste(255, (0, 0, 24, 64))
    for wish in (
        {"inpaint_full_res": False, "mask_blur": 0},
        {"inpaint_full_res": True, "inpaint_full_res_padding": 8, "mask_blur": 2},
    ):
        made = api.img2img(
            images=[image], mask_image=mask, prompt=PROMPT, denoising_strength=1, **wish, **SIZE
        )
        found = np.asarray(made.image)
        assert (found[:, 40:] == (255, 0, 0)).all() and (found[:, :24] != (255, 0, 0)).any()


def test_enlarging(api: Any) -> None:
    image = Image.new("RGB", (30, 20), "green")
    assert api.extra_single_image(image, upscaler_1="Lanczos", upscaling_resize=3).image.size == (
        90,
        60,
    )
    made = api.extra_batch_images(
        [image, image], upscaler_1="Lanczos", resize_mode=1, upscaling_resize_w=40,
        upscaling_resize_h=40,
    )  # fmt: skip
    assert [one.size for one in made.images] == [(40, 40)] * 2
    assert api.extra_single_image(image, upscaler_1="None").image.size == (30, 20)
    with pytest.raises(RuntimeError, match="no upscaler"):
        api.extra_single_image(image, upscaler_1="R-ESRGAN 4x+")


@pytest.fixture
def x4_model() -> Iterator[str]:
    """The name of a small upscaler in the folder of models, for as long as it is needed."""
    folder = Path(os.environ["DARKROOM_MODELS_FOLDER"]) / "enlarging"
    folder.mkdir(parents=True)
    yield tiny.write(folder, "x4").safetensors.stem
    shutil.rmtree(folder)


def test_enlarging_by_a_model(api: Any, x4_model: str) -> None:
    image = Image.new("RGB", (16, 16), "green")
    (row,) = (one for one in api.get_upscalers() if one["name"] == x4_model)
    assert row["scale"] == 4
    made = api.extra_single_image(image, upscaler_1=x4_model, upscaling_resize=4)
    assert made.image.size == (64, 64)
    recipe = json.loads(made.image.text["darkroom"])
    assert (recipe["task"], recipe["model"]) == ("upscale", x4_model)
    smaller = api.extra_single_image(image, upscaler_1=x4_model, upscaling_resize=2)
    assert smaller.image.size == (32, 32)
    assert b"compositeWithTrainedAlgorithmicMedia" in smaller.image.info["xmp"]


def test_what_an_image_tells(api: Any) -> None:
    made = drawn(api)
    told = api.png_info(made.image)
    assert told.info == made.info["infotexts"][0]
    fields = told.parameters
    assert fields["Prompt"] == PROMPT and fields["Steps"] == "3" and fields["Size-1"] == "64"
    assert api.png_info(Image.new("RGB", (8, 8))).info == ""


def test_lists(api: Any) -> None:
    assert "Euler a" in api.util_get_sampler_names()
    assert {"automatic", "karras"} <= set(api.util_get_scheduler_names())
    (mini,) = (model for model in api.get_sd_models() if model["model_name"] == "mini")
    assert mini["title"] in api.util_get_model_names() and "/" not in mini["filename"]
    assert {"None", "Lanczos"} <= {one["name"] for one in api.get_upscalers()}
    assert {"name", "prompt", "negative_prompt"} == set(api.get_prompt_styles()[0])
    for name in ("sd_vae", "loras", "hypernetworks", "face_restorers", "realesrgan_models"):
        assert getattr(api, f"get_{name}")() == []
    assert api.get_embeddings() == {"loaded": {}, "skipped": {}}
    assert api.get_scripts() == {"txt2img": [], "img2img": []}
    assert api.get_memory()["ram"]["total"] > 0
    assert api.get_cmd_flags()["api"] is True and api.get_latent_upscale_modes()
    assert api.refresh_checkpoints() is None


def test_options(api: Any) -> None:
    api.util_set_model("mini")
    assert api.util_get_current_model() == api.get_options()["sd_model_checkpoint"]
    api.set_options({"CLIP_stop_at_last_layers": 2})
    try:
        assert drawn(api).info["clip_skip"] == 2
        override = {"CLIP_stop_at_last_layers": 1, "sd_model_checkpoint": "mini"}
        assert drawn(api, override_settings=override).info["clip_skip"] == 1
    finally:
        api.set_options({"CLIP_stop_at_last_layers": 1})


def test_styles_and_wildcards(api: Any) -> None:
    style = api.get_prompt_styles()[0]["name"]
    made = drawn(api, styles=[style])
    assert made.info["prompt"] != PROMPT and made.info["styles"] == [style]


def test_progress_and_interrupt(api: Any) -> None:
    came: list[Any] = []
    asking = threading.Thread(target=lambda: came.append(drawn(api, steps=500, n_iter=40)))
    asking.start()
    try:
        told = _until(api, lambda told: told["state"]["sampling_step"] > 1)
        assert 0 < told["progress"] < 1 and told["state"]["job_count"] == 40
        assert told["state"]["sampling_steps"] == 500 and told["current_image"]
    finally:
        api.interrupt()
        asking.join(60)
    (made,) = came
    assert len(made.images) < 40 and len(made.info["all_seeds"]) == len(made.images)
    assert _until(api, lambda told: told["state"]["job_count"] == 0)["progress"] == 0


def test_skip(api: Any) -> None:
    came: list[Any] = []
    override = {"seed": 1, "n_iter": 1, "steps": 600}
    asking = threading.Thread(target=lambda: came.append(drawn(api, **override)))
    asking.start()
    _until(api, lambda told: told["state"]["sampling_step"] > 0)
    assert api.skip() is None
    asking.join(60)
    assert came[0].images == []


def _until(api: Any, is_so: Any) -> dict[str, Any]:
    for _ in range(600):
        told: dict[str, Any] = api.get_progress()
        if is_so(told):
            return told
        time.sleep(0.05)
    raise AssertionError(told)


def test_refusals(api: Any, served: Served) -> None:
    for wish in (
        {"sampler_name": "Euler z"},
        {"script_name": "X/Y/Z plot"},
        {"override_settings": {"sd_model_checkpoint": "absent"}},
        {"width": 63},
    ):
        with pytest.raises(RuntimeError) as refused:
            drawn(api, **wish)
        status, text = refused.value.args
        assert 400 <= status < 500 and '"detail"' in text and "Traceback" not in text
    stranger = webuiapi.WebUIApi(
        host="127.0.0.1", port=served.port, username="anybody", password="wrong"
    )
    with pytest.raises(RuntimeError, match="401"):
        drawn(stranger)
