"""The same wish by flags, on `/api`, on `/v1` and on `/sdapi` is the same Request."""

import base64
import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from darkroom.cli import saving
from darkroom.contracts import Request, Task
from darkroom.server import a1111_wishes, jobs, openai_wishes
from darkroom.server.a1111_bodies import Img2Img, Txt2Img
from darkroom.server.a1111_wishes import Options
from darkroom.server.model_names import ModelNames
from darkroom.server.pictures import DecodedPictures
from tests.cli.conftest import in_process
from tests.server.conftest import House


@dataclass(frozen=True)
class Row:
    """One wish in every tongue.  `openai` is `rest` where nothing else is said."""

    flags: list[object]
    rest: dict[str, Any]
    a1111: dict[str, Any]
    openai: dict[str, Any] | None = None
    task: Task = "txt2img"
    files: tuple[str, ...] = field(default=())


WISHES = {
    "nothing": Row([], {}, {}),
    "zeros": Row(
        ["--seed", 0, "--guidance", 0, "--negative", ""],
        {"seed": 0, "guidance": 0, "negative": ""},
        {"seed": 0, "cfg_scale": 0, "negative_prompt": ""},
    ),
    "size and count": Row(
        ["--width", 64, "--height", 32, "--count", 6, "--seed", 7, "--steps", 5],
        {"width": 64, "height": 32, "count": 6, "seed": 7, "steps": 5},
        {"width": 64, "height": 32, "batch_size": 2, "n_iter": 3, "seed": 7, "steps": 5},
        {"size": "64x32", "n": 6, "seed": 7, "steps": 5},
    ),
    "model and negative": Row(
        ["--model", "mini", "--negative", "blur", "--clip-skip", 2],
        {"model": "mini", "negative": "blur", "clip_skip": 2},
        {
            "negative_prompt": "blur",
            "override_settings": {
                "sd_model_checkpoint": "mini.safetensors",
                "CLIP_stop_at_last_layers": 2,
            },
        },
    ),
    "sampling": Row(
        ["--sampler", "dpmpp_2m", "--schedule", "karras", "--guidance", 6.5],
        {"sampler": "dpmpp_2m", "schedule": "karras", "guidance": 6.5},
        {"sampler_name": "DPM++ 2M Karras", "cfg_scale": 6.5},
    ),
    "noise of steps": Row(
        ["--sampler", "euler", "--churn", 5, "--churn-start", 1, "--churn-end", 10,
         "--noise-scale", 1.003, "--noise", "nv", "--seed-offset", 31337],
        {"sampler": "euler", "churn": 5, "churn_start": 1, "churn_end": 10,
         "noise_scale": 1.003, "noise": "nv", "seed_offset": 31337},
        {"sampler_index": "Euler", "s_churn": 5, "s_tmin": 1, "s_tmax": 10, "s_noise": 1.003,
         "override_settings": {"randn_source": "GPU", "eta_noise_seed_delta": 31337}},
    ),
    "eta": Row(
        ["--sampler", "ddim", "--eta", 0.5],
        {"sampler": "ddim", "eta": 0.5},
        {"sampler_name": "DDIM", "eta": 0.5},
    ),
    "variation": Row(
        ["--seed", 3, "--variation-strength", 0.25, "--variation-seed", 9, "--count", 2],
        {"seed": 3, "variation_strength": 0.25, "variation_seed": 9, "count": 2},
        {"seed": 3, "subseed_strength": 0.25, "subseed": 9, "n_iter": 2},
        {"seed": 3, "variation_strength": 0.25, "variation_seed": 9, "n": 2},
    ),
    "tiling": Row(["--tiling", "both"], {"tiling": "both"}, {"tiling": True}),
    "two passes": Row(
        ["--hires", 2, "--hires-strength", 0.4, "--hires-steps", 7, "--hires-enlarger", "latent"],
        {"hires": 2, "hires_strength": 0.4, "hires_steps": 7, "hires_enlarger": "latent"},
        {"enable_hr": True, "hr_scale": 2, "denoising_strength": 0.4,
         "hr_second_pass_steps": 7, "hr_upscaler": "Latent"},
    ),
    "from an image": Row(
        ["--strength", 0.5, "--seed", 1, "--width", 64, "--height", 64],
        {"strength": 0.5, "seed": 1, "width": 64, "height": 64},
        {"denoising_strength": 0.5, "seed": 1, "width": 64, "height": 64},
        {"strength": "0.5", "seed": "1", "size": "64x64"},
        task="img2img",
        files=("image",),
    ),
    "an image that stays": Row(
        ["--strength", 0], {"strength": 0}, {"denoising_strength": 0}, {"strength": "0"},
        task="img2img", files=("image",),
    ),
    "under a mask": Row(
        ["--strength", 0.75, "--mask-blur", 4, "--fill", "original", "--region", "masked",
         "--padding", 16, "--seed", 1],
        {"strength": 0.75, "mask_blur": 4, "fill": "original", "region": "masked",
         "region_padding": 16, "seed": 1},
        {"denoising_strength": 0.75, "mask_blur": 4, "inpainting_fill": 1,
         "inpaint_full_res": True, "inpaint_full_res_padding": 16, "seed": 1},
        {"strength": "0.75", "mask_blur": "4", "fill": "original", "region": "masked",
         "region_padding": "16", "seed": "1"},
        task="inpaint", files=("image", "mask"),
    ),
    "around a mask": Row(
        ["--mask-invert", "--region", "whole"],
        {"mask_invert": True, "region": "whole"},
        {"inpainting_mask_invert": 1, "inpaint_full_res": 0},
        {"mask_invert": "true", "region": "whole"},
        task="inpaint", files=("image", "mask"),
    ),
}  # fmt: skip


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """An image, a mask that is white where to paint, and one that is transparent there."""
    found = {name: tmp_path / f"{name}.png" for name in ("image", "mask", "clear")}
    Image.new("RGB", (64, 64), "red").save(found["image"])
    painted = np.zeros((64, 64), np.uint8)
    painted[:, :20] = 255
    Image.fromarray(painted).save(found["mask"])
    clear = Image.new("RGBA", (64, 64), "blue")
    clear.putalpha(Image.fromarray(255 - painted))
    clear.save(found["clear"])
    return found


@pytest.mark.parametrize("row", WISHES.values(), ids=WISHES)
def test_equal_wishes(
    row: Row, house: House, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {name: files[name].read_bytes() for name in row.files}
    by_flags = _by_flags(row, files, monkeypatch)
    assert _by_rest(row, house, given) == by_flags
    assert _by_a1111(row, house, given) == by_flags
    assert _by_openai(row, house, given, files["clear"].read_bytes()) == by_flags


def _by_flags(row: Row, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Request:
    asked: list[Request] = []
    monkeypatch.setattr(saving, "carry_out", lambda requests, _: asked.extend(requests))
    done = in_process(row.task, *(files[name] for name in row.files), "a cat", *row.flags)
    assert done.exit_code == 0, done.stderr
    (request,) = asked
    return request


def _by_rest(row: Row, house: House, given: dict[str, bytes]) -> Request:
    kept = {name: house.services.store.inputs.keep(data) for name, data in given.items()}
    return jobs.wished(house.services, {"task": row.task, "prompt": "a cat", **kept, **row.rest})


def _by_a1111(row: Row, house: House, given: dict[str, bytes]) -> Request:
    known = ModelNames(house.services.shelf)
    nothing = Options(said={})
    if not row.files:
        body = Txt2Img.model_validate({"prompt": "a cat", **row.a1111})
        (request,) = a1111_wishes.txt2img(body, nothing, known).requests
        return request
    said = {"prompt": "a cat", "init_images": [_text(given["image"])], **row.a1111}
    if "mask" in given:
        said["mask"] = "data:image/png;base64," + _text(given["mask"])
    image = Img2Img.model_validate(said)
    (request,) = a1111_wishes.img2img(image, nothing, known, _pictures(house)).requests
    return request


def _by_openai(row: Row, house: House, given: dict[str, bytes], clear: bytes) -> Request:
    known, read = ModelNames(house.services.shelf), house.services.store.inputs.read
    said = {"prompt": "a cat", **(row.rest if row.openai is None else row.openai)}
    if not row.files:
        return openai_wishes.generation(said, known, read).request
    mask = clear if "mask" in given else None
    pictures = _pictures(house)
    return openai_wishes.edit(said, [given["image"]], mask, known, pictures, read).request


def _pictures(house: House) -> DecodedPictures:
    return DecodedPictures(lambda data: house.services.decoder.decode(data).png)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_settings_say_what_no_client_says(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARKROOM_STEPS", "9")
    monkeypatch.setenv("DARKROOM_NOISE", "nv")
    monkeypatch.setenv("DARKROOM_DEVICE", "auto")
    row = Row([], {"noise": "cpu"}, {"override_settings": {"randn_source": "CPU"}})
    by_rest = _by_rest(row, house, {})
    assert by_rest == Request(prompt="a cat", steps=9, noise="cpu")
    assert _by_a1111(row, house, {}) == _by_openai(row, house, {}, b"") == by_rest
    assert _by_flags(Row(["--noise", "cpu"], {}, {}), {}, monkeypatch) == by_rest


def test_masks_of_other_programs_mean_the_same(house: House, files: dict[str, Path]) -> None:
    """A mask may be white where to paint, opaque there, or clear there."""
    pictures = _pictures(house)
    white = files["mask"].read_bytes()
    assert pictures.mask(white) == white
    strokes = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    strokes.paste((0, 0, 0, 255), (0, 0, 20, 64))
    strokes.save(files["mask"])
    made = [pictures.mask(files["mask"].read_bytes()), pictures.clear_parts(_read(files, "clear"))]
    assert {hashlib.sha256(one).hexdigest() for one in made} == {hashlib.sha256(white).hexdigest()}


def _read(files: dict[str, Path], name: str) -> bytes:
    return files[name].read_bytes()


@pytest.mark.parametrize(
    ("way", "size", "wanted", "found"),
    [
        ("crop", (64, 32), (32, 32), (32, 32)),
        ("fill", (64, 32), (32, 32), (64, 64)),
        ("crop", (32, 64), (64, 32), (32, 16)),
        ("fill", (30, 60), (90, 30), (180, 60)),
        ("crop", (64, 64), (512, 512), (64, 64)),
        ("crop", (1, 9), (9, 1), (1, 1)),
    ],
)
def test_shapes(
    house: House,
    tmp_path: Path,
    way: Any,
    size: tuple[int, int],
    wanted: tuple[int, int],
    found: tuple[int, int],
) -> None:
    file = tmp_path / "image.png"
    Image.new("RGB", size, "green").save(file)
    made = _pictures(house).fitted(file.read_bytes(), *wanted, way)
    file.write_bytes(made)
    image = Image.open(file).convert("RGB")
    assert image.size == found
    assert image.getextrema() == ((0, 0), (128, 128), (0, 0))
