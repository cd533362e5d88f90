"""What AUTOMATIC1111's API is sent becomes the Request that it means."""

import base64
from typing import Any, Literal

import pytest

from darkroom.contracts import ModelTask, Request
from darkroom.errors import DarkroomError, RequestError
from darkroom.server import a1111_wishes
from darkroom.server.a1111_bodies import Img2Img, Txt2Img
from darkroom.server.a1111_wishes import Options, Wish

NOTHING = Options(said={})


class Shelf:
    """Models by name; what each was made for is its name's first word."""

    def named(self, title: str) -> str:
        if title.startswith("no"):
            raise RequestError("There is no such model.")
        return title.partition(" [")[0]

    def made_for(self, name: str) -> ModelTask:
        tasks: dict[str, ModelTask] = {"depth": "depth2img", "vary": "vary", "pix": "pix2pix"}
        return tasks.get(name.partition("-")[0], "txt2img")


class Frames:
    """Says what it was asked to do."""

    def fitted(self, file: bytes, width: int, height: int, way: Literal["crop", "fill"]) -> bytes:
        return file + f" {way} {width}x{height}".encode()

    def mask(self, file: bytes) -> bytes:
        return b"mask of " + file

    def clear_parts(self, file: bytes) -> bytes:
        return b"clear parts of " + file


def from_text(said: dict[str, Any], options: Options = NOTHING) -> Wish:
    return a1111_wishes.txt2img(Txt2Img.model_validate(said), options, Shelf())


def from_image(said: dict[str, Any], options: Options = NOTHING) -> Wish:
    body = Img2Img.model_validate({"init_images": [encoded(b"a picture")], **said})
    return a1111_wishes.img2img(body, options, Shelf(), Frames())


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


# What the PyPI client sends where its user says a prompt alone.
PYPI = {
    "enable_hr": False, "hr_scale": 2, "hr_upscaler": "Latent", "hr_second_pass_steps": 0,
    "hr_resize_x": 0, "hr_resize_y": 0, "hr_checkpoint_name": None, "hr_sampler_name": None,
    "hr_scheduler": None, "hr_prompt": "", "hr_negative_prompt": "", "denoising_strength": 0.7,
    "firstphase_width": 0, "firstphase_height": 0, "prompt": "a cat", "styles": [], "seed": -1,
    "subseed": -1, "subseed_strength": 0.0, "seed_resize_from_h": 0, "seed_resize_from_w": 0,
    "batch_size": 1, "n_iter": 1, "steps": 20, "cfg_scale": 7.0, "width": 512, "height": 512,
    "restore_faces": False, "tiling": False, "do_not_save_samples": False,
    "do_not_save_grid": False, "negative_prompt": "", "eta": 1.0, "s_churn": 0, "s_tmax": 0,
    "s_tmin": 0, "s_noise": 1, "override_settings": {},
    "override_settings_restore_afterwards": True, "sampler_name": "Euler a",
    "scheduler": "automatic", "sampler_index": "Euler a", "script_name": None, "script_args": [],
    "send_images": True, "save_images": False, "alwayson_scripts": {},
}  # fmt: skip


def test_a_client_that_says_everything_says_little() -> None:
    wish = from_text(PYPI)
    assert wish.requests == (
        Request(
            prompt="a cat",
            sampler="euler_ancestral",
            steps=20,
            guidance=7.0,
            width=512,
            height=512,
        ),
    )
    assert wish.remarks == ("Every image is kept in the gallery; delete it there.",)
    assert wish.send_images and wish.file_format == "png" and wish.styles == ()


@pytest.mark.parametrize(
    ("said", "fields"),
    [
        ({}, {}),
        ({"prompt": "x", "negative_prompt": "y"}, {"prompt": "x", "negative": "y"}),
        ({"seed": 0, "cfg_scale": 0, "steps": 1}, {"seed": 0, "guidance": 0.0, "steps": 1}),
        ({"sampler_name": "DPM++ 2M Karras"}, {"sampler": "dpmpp_2m", "schedule": "karras"}),
        (
            {"sampler_name": "DPM++ 2M", "scheduler": "SGM Uniform"},
            {"sampler": "dpmpp_2m", "schedule": "sgm_uniform"},
        ),
        ({"sampler_index": "Heun"}, {"sampler": "heun"}),
        ({"sampler_name": "DDIM", "eta": 0.5}, {"sampler": "ddim", "eta": 0.5}),
        ({"sampler_name": "DDIM", "eta": 0}, {"sampler": "ddim"}),
        ({"sampler_name": "Euler a", "eta": 0}, {"sampler": "euler_ancestral", "eta": 0.0}),
        ({"sampler_name": "Heun", "eta": 0.5}, {"sampler": "heun"}),
        (
            {"sampler_name": "Euler", "s_churn": 5, "s_tmin": 1, "s_tmax": 0, "s_noise": 1.003},
            {"sampler": "euler", "churn": 5.0, "churn_start": 1.0, "noise_scale": 1.003},
        ),
        ({"sampler_name": "DPM++ 2M", "s_churn": 5}, {"sampler": "dpmpp_2m"}),
        ({"batch_size": 2, "n_iter": 3}, {"count": 6}),
        ({"n_iter": 3}, {"count": 3}),
        ({"n_iter": 1000, "send_images": False}, {"count": 1000}),
        (
            {"seed": 5, "subseed": 7, "subseed_strength": 0.1},
            {"seed": 5, "variation_seed": 7, "variation_strength": 0.1},
        ),
        ({"subseed": 7, "subseed_strength": 0}, {}),
        ({"subseed_strength": 1}, {"variation_strength": 1.0}),
        ({"tiling": True}, {"tiling": "both"}),
        (
            {"enable_hr": True, "hr_scale": 1.5, "steps": 9, "denoising_strength": 0.4,
             "hr_upscaler": "Latent (bicubic)"},
            {"hires": 1.5, "hires_steps": 9, "steps": 9, "hires_strength": 0.4,
             "hires_enlarger": "latent"},
        ),
        (
            {"enable_hr": True, "hr_resize_x": 96, "width": 64, "height": 64,
             "hr_second_pass_steps": 3},
            {"hires": 1.5, "hires_steps": 3, "width": 64, "height": 64},
        ),
        ({"enable_hr": False, "denoising_strength": 0.3, "hr_scale": 3}, {}),
        (
            {"override_settings": {"sd_model_checkpoint": "tiny [0123456789]",
                                   "CLIP_stop_at_last_layers": 2, "eta_noise_seed_delta": 31337,
                                   "randn_source": "NV", "sd_vae": "Automatic"}},
            {"model": "tiny", "clip_skip": 2, "seed_offset": 31337, "noise": "nv"},
        ),
        ({"override_settings": {"eta_noise_seed_delta": 0}}, {}),
        ({"steps": "12", "width": 64.0}, {"steps": 12, "width": 64}),
        ({"alwayson_scripts": {"ControlNet": {"args": []}, "ADetailer": {"args": [False]}}}, {}),
        ({"alwayson_scripts": {"ControlNet": {"args": [{"enabled": False, "model": "x"}]}}}, {}),
        ({"script_name": "", "script_args": []}, {}),
        ({"prompt": "a \ud800"}, {"prompt": "a ?"}),
    ],
)  # fmt: skip
def test_from_text(said: dict[str, Any], fields: dict[str, Any]) -> None:
    assert from_text(said).requests == (Request(**fields),)


@pytest.mark.parametrize(
    ("said", "fields"),
    [
        ({}, {}),
        ({"denoising_strength": 0}, {"strength": 0.0}),
        ({"image_cfg_scale": 1.5}, {}),
        ({"resize_mode": 0, "width": 64, "height": 32}, {"width": 64, "height": 32}),
        (
            {"resize_mode": 1, "width": 64, "height": 32},
            {"width": 64, "height": 32, "image": b"a picture crop 64x32"},
        ),
        (
            {"resize_mode": 2, "width": 64, "height": 32},
            {"width": 64, "height": 32, "image": b"a picture fill 64x32"},
        ),
        (
            {"mask": encoded(b"M"), "mask_blur": 4, "inpainting_fill": 1, "inpaint_full_res": True,
             "inpaint_full_res_padding": 32, "inpainting_mask_invert": 1,
             "denoising_strength": 0.75},
            {"task": "inpaint", "mask": b"mask of M", "mask_blur": 4, "fill": "original",
             "region": "masked", "region_padding": 32, "mask_invert": True, "strength": 0.75},
        ),
        (
            {"mask": encoded(b"M"), "inpaint_full_res": False, "inpaint_full_res_padding": 32,
             "inpainting_fill": 2, "inpainting_mask_invert": 0},
            {"task": "inpaint", "mask": b"mask of M", "region": "whole", "fill": "noise"},
        ),
        ({"mask": encoded(b"M")}, {"task": "inpaint", "mask": b"mask of M"}),
        ({"mask_blur": 4, "inpainting_fill": 0, "inpaint_full_res": True}, {}),
        (
            {"override_settings": {"sd_model_checkpoint": "depth-x"}, "denoising_strength": 0.9},
            {"task": "depth2img", "model": "depth-x", "strength": 0.9},
        ),
        (
            {"override_settings": {"sd_model_checkpoint": "vary-x"}, "denoising_strength": 0.9},
            {"task": "vary", "model": "vary-x"},
        ),
        (
            {"override_settings": {"sd_model_checkpoint": "pix-x"}, "image_cfg_scale": 1.2},
            {"model": "pix-x", "image_guidance": 1.2},
        ),
    ],
)  # fmt: skip
def test_from_an_image(said: dict[str, Any], fields: dict[str, Any]) -> None:
    usual: dict[str, Any] = {"task": "img2img", "image": b"a picture"}
    assert from_image(said).requests == (Request(**{**usual, **fields}),)


def test_several_images_are_made_in_rounds() -> None:
    images = [encoded(b"one"), encoded(b"two")]
    made = from_image({"init_images": images, "n_iter": 2, "seed": 5}).requests
    assert [(request.image, request.seed, request.count) for request in made] == [
        (b"one", 5, 1),
        (b"two", 6, 1),
        (b"one", 7, 1),
        (b"two", 8, 1),
    ]
    seeds = [request.seed for request in from_image({"init_images": images}).requests]
    assert seeds[0] is not None and seeds[1] == seeds[0] + 1


def test_options_hold_until_a_call_says_otherwise() -> None:
    options = Options(said={"sd_model_checkpoint": "tiny", "CLIP_stop_at_last_layers": 2})
    assert from_text({}, options).requests == (Request(model="tiny", clip_skip=2),)
    override = {"override_settings": {"sd_model_checkpoint": "other"}}
    assert from_text(override, options).requests == (Request(model="other", clip_skip=2),)


def test_what_is_unknown_is_told() -> None:
    wish = from_text({"frobnicate": 3, "zero": 0, "override_settings": {"some_option": 1}})
    assert any("frobnicate" in remark and "zero" not in remark for remark in wish.remarks)
    assert any("some_option" in remark for remark in wish.remarks)


@pytest.mark.parametrize(
    "said",
    [
        {"script_name": "X/Y/Z plot"},
        {"alwayson_scripts": {"ControlNet": {"args": [{"image": "x", "enabled": True}]}}},
        {"alwayson_scripts": {"ControlNet": {"args": {"model": "x"}}}},
        {"refiner_checkpoint": "x"},
        {"restore_faces": True},
        {"seed_resize_from_w": 64},
        {"infotext": "Steps: 1"},
        {"sampler_name": "Euler z"},
        {"scheduler": "Sometimes"},
        {"batch_size": 0},
        {"batch_size": 8, "n_iter": 63},
        {"enable_hr": True, "hr_upscaler": "ESRGAN_4x"},
        {"enable_hr": True, "hr_sampler_name": "Heun"},
        {"enable_hr": True, "prompt": "a", "hr_prompt": "b"},
        {"enable_hr": True, "hr_resize_x": 96},
        {"enable_hr": True, "width": 64, "height": 64, "hr_resize_x": 96, "hr_resize_y": 128},
        {"override_settings": {"sd_model_checkpoint": "no model"}},
        {"override_settings": {"sd_model_checkpoint": 7}},
        {"override_settings": {"CLIP_stop_at_last_layers": "two"}},
        {"override_settings": {"randn_source": "dice"}},
        {"override_settings": {"samples_format": "gif"}},
    ],
)
def test_what_there_is_not_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(DarkroomError) as refused:
        from_text(said)
    assert refused.value.message


@pytest.mark.parametrize(
    "said",
    [
        {"init_images": []},
        {"init_images": None},
        {"init_images": ["not base64!"]},
        {"init_images": [""]},
        {"init_images": ["http://127.0.0.1/x.png"]},
        {"resize_mode": 3},
        {"mask": encoded(b"M"), "inpainting_fill": 9},
        {"mask": "%%%"},
    ],
)
def test_images_that_cannot_be_meant(said: dict[str, Any]) -> None:
    with pytest.raises(RequestError):
        from_image(said)


def test_a_data_url_is_an_image_too() -> None:
    data = b"\x89PNG..."
    for text in (encoded(data), f"data:image/png;base64,{encoded(data)}", f" {encoded(data)}\n"):
        assert a1111_wishes.file_of(text) == data
