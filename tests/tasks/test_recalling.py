"""What a recipe means here: which fields of a Request it gives, and what is said of the rest."""

import hashlib
import json
import shutil
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image, PngImagePlugin

from darkroom.checkpoints import catalog
from darkroom.contracts import Recipe, Request
from darkroom.errors import RequestError
from darkroom.images import io, provenance
from darkroom.tasks import recalling
from tests.images.test_metadata import RECIPE

if TYPE_CHECKING:
    from tests.tiny import TinyCheckpoint


@pytest.fixture
def models(
    tiny_checkpoint: "TinyCheckpoint", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    shutil.copy(tiny_checkpoint.safetensors, folder / "sd-v1-4.safetensors")
    monkeypatch.setenv("DARKROOM_MODELS_FOLDER", str(folder))
    return folder


@pytest.fixture
def digest(models: Path) -> str:
    return hashlib.sha256((models / "sd-v1-4.safetensors").read_bytes()).hexdigest()


def ours(folder: Path, recipe: Recipe) -> Path:
    file = folder / "ours.png"
    raster = io.from_pil(Image.new("RGB", (recipe.width, recipe.height)))
    file.write_bytes(io.encode(raster, mark=provenance.new_mark("0.1.0"), recipe=recipe))
    return file


def theirs(folder: Path, **texts: Any) -> Path:
    chunks = PngImagePlugin.PngInfo()
    for key, text in texts.items():
        chunks.add_itxt(key, text if isinstance(text, str) else json.dumps(text))
    file = folder / "theirs.png"
    Image.new("RGB", (64, 64)).save(file, pnginfo=chunks)
    return file


def a1111(folder: Path, settings: str, prompt: str = "a cat") -> Path:
    return theirs(folder, parameters=f"{prompt}\nSteps: 20, CFG scale: 7, {settings}")


def test_ours_gives_every_setting(tmp_path: Path, digest: str) -> None:
    recipe = replace(
        RECIPE, model_sha256=digest, negative="fog", clip_skip=2, noise="nv", tiling="x", eta=0.3
    )
    found = recalling.like(ours(tmp_path, recipe))
    assert found.remarks == ()
    assert found.fields.keys() <= {entry.name for entry in fields(Request)}
    same = ["prompt", "negative", "seed", "steps", "sampler", "schedule", "guidance", "eta"]
    same += ["width", "height", "clip_skip", "noise", "tiling", "prompt_syntax"]
    assert {name: found.fields[name] for name in same} == {n: getattr(recipe, n) for n in same}
    assert found.fields["model"] == "sd-v1-4", "by its hash"
    assert not {"precision", "device", "image", "task", "watermark"} & found.fields.keys()


def test_each_task_takes_what_it_has_a_use_for(tmp_path: Path, digest: str) -> None:
    edited = replace(RECIPE, task="img2img", strength=0.6, model_sha256=digest)
    found = recalling.like(ours(tmp_path, edited), "txt2img")
    assert "strength" not in found.fields
    assert found.remarks == ("Left out, for txt2img takes none of it: strength.",)
    assert recalling.like(ours(tmp_path, edited), "img2img").fields["strength"] == 0.6
    large = replace(RECIPE, hires=2.0, hires_steps=4, hires_strength=0.5, model_sha256=digest)
    assert recalling.like(ours(tmp_path, large), "txt2img").fields["hires"] == 2.0
    found = recalling.like(ours(tmp_path, large), "img2img")
    assert not any(name.startswith("hires") for name in found.fields)
    assert found.remarks == (
        "Left out, for img2img takes none of it: second pass, hires strength, hires steps.",
    )


def test_a_model_that_is_not_installed_is_named(tmp_path: Path, models: Path) -> None:
    found = recalling.like(ours(tmp_path, replace(RECIPE, model="lost", model_sha256="e" * 64)))
    assert "model" not in found.fields
    (remark,) = found.remarks
    assert remark.startswith("The model lost is not installed (its SHA-256 is eeee")
    assert remark.endswith("The usual model is used.")


@pytest.mark.parametrize(
    "name",
    ["sd-v1-4", "sd-v1-4.safetensors", "SD-v1-4.ckpt", "models/sd/sd-v1-4.ckpt", "x\\sd-v1-4"],
)
def test_a_name_alone_is_enough_where_there_is_no_hash(
    name: str, tmp_path: Path, models: Path
) -> None:
    found = recalling.like(a1111(tmp_path, f"Sampler: DDIM, Seed: 1, Model: {name}"))
    assert found.fields["model"] == "sd-v1-4"
    assert found.remarks == ()


def test_short_and_old_hashes_are_known(tmp_path: Path, models: Path, digest: str) -> None:
    file = models / "sd-v1-4.safetensors"
    with file.open("rb") as content:
        content.seek(2**20)
        old = hashlib.sha256(content.read(2**16)).hexdigest()[:8]
    for told in (digest[:10], digest[:12], old):
        found = recalling.like(a1111(tmp_path, f"Sampler: DDIM, Seed: 1, Model hash: {told}"))
        assert found.fields["model"] == "sd-v1-4", told
    found = recalling.like(a1111(tmp_path, "Sampler: DDIM, Seed: 1, Model hash: 0123456789"))
    assert "model" not in found.fields
    assert "Its model is not installed (its SHA-256 begins with 0123456789)" in found.remarks[0]


def test_the_mini_that_comes_along_is_installed(tmp_path: Path, models: Path) -> None:
    recipe = replace(RECIPE, model_sha256=catalog.sha256(catalog.find("mini")))
    assert recalling.like(ours(tmp_path, recipe)).fields["model"] == "mini"


@pytest.mark.parametrize(
    ("settings", "sampler", "schedule"),
    [
        ("Sampler: Euler a", "euler_ancestral", "normal"),
        ("Sampler: DPM++ 2M Karras", "dpmpp_2m", "karras"),
        ("Sampler: DPM++ 2M, Schedule type: Karras", "dpmpp_2m", "karras"),
        ("Sampler: DPM++ 2M, Schedule type: Automatic", "dpmpp_2m", "karras"),
        ("Sampler: DPM++ 2M, Schedule type: Uniform", "dpmpp_2m", "normal"),
        ("Sampler: DPM++ 2M", "dpmpp_2m", "normal"),
        ("Sampler: DPM++ 3M SDE Exponential", "dpmpp_3m_sde", "exponential"),
        ("Sampler: DPM2 a Karras", "dpm_2_ancestral", "karras"),
        ("Sampler: LMS", "lms", "normal"),
        ("Sampler: DDIM", "ddim", "ldm"),
        ("Sampler: PLMS", "plms", "ldm"),
        ("Sampler: Heun, Schedule type: SGM Uniform", "heun", "sgm_uniform"),
    ],
)
def test_samplers_of_a1111(settings: str, sampler: str, schedule: str, tmp_path: Path) -> None:
    found = recalling.like(a1111(tmp_path, f"{settings}, Seed: 1"))
    assert (found.fields["sampler"], found.fields["schedule"]) == (sampler, schedule)
    assert found.fields["prompt_syntax"] == "a1111"
    assert found.fields["noise"] == "nv"


def test_what_has_no_meaning_here_is_named(tmp_path: Path) -> None:
    settings = (
        "Sampler: DPM adaptive, Schedule type: Turbo, Seed: 1, Eta: 0.5, Mask blur: 4, VAE hash: 12"
    )
    found = recalling.like(a1111(tmp_path, settings, "a cat <lora:ink:0.5>, <lora:glow:1>"))
    assert not {"sampler", "schedule"} & found.fields.keys()
    said = "\n".join(found.remarks)
    for part in ("'DPM adaptive'", "'Turbo'", "made with ink, glow beside", "Mask blur: 4"):
        assert part in said
    assert "VAE hash" not in said


def test_what_a_sampler_does_not_take_is_left_out(tmp_path: Path) -> None:
    settings = "Sampler: Euler, Seed: 1, Eta: 0.5, Sigma churn: 5"
    found = recalling.like(a1111(tmp_path, settings))
    assert found.fields["churn"] == 5
    assert "eta" not in found.fields
    assert found.remarks == ("Its eta is left out: the sampler euler takes none here.",)


def test_seeds_beyond_ours_are_left_out(tmp_path: Path) -> None:
    settings = "Sampler: Euler, Seed: 18446744073709551615, ENSD: -1, Variation seed: 5"
    found = recalling.like(a1111(tmp_path, settings))
    assert not {"seed", "seed_offset", "variation_seed"} & found.fields.keys()
    assert len(found.remarks) == 2


def test_invokeai_and_comfyui_keep_their_grammar(tmp_path: Path) -> None:
    data = {"positive_prompt": "a (cat)1.2", "scheduler": "euler_a", "steps": 9, "seed": 1}
    found = recalling.like(theirs(tmp_path, invokeai_metadata=data))
    assert found.fields["prompt_syntax"] == "invokeai"
    assert found.fields["sampler"] == "euler_ancestral"


def test_another_programs_image_is_made_again_as_far_as_it_can_be(
    tmp_path: Path, models: Path
) -> None:
    settings = "Sampler: Euler, Seed: 1, Size: 64x64, Model: sd-v1-4"
    replay = recalling.replay(a1111(tmp_path, settings))
    assert replay.recipe is None
    assert replay.request == Request(
        prompt="a cat",
        negative="",
        model="sd-v1-4",
        steps=20,
        sampler="euler",
        schedule="normal",
        guidance=7.0,
        width=64,
        height=64,
        seed=1,
        prompt_syntax="a1111",
        noise="nv",
    )
    with pytest.raises(RequestError, match="lacks seed, sampler"):
        recalling.replay(a1111(tmp_path, "Sampler: DPM fast, Size: 64x64"))
    edited = a1111(tmp_path, f"{settings}, Denoising strength: 0.5")
    with pytest.raises(RequestError, match=r"The input image with which .* is needed"):
        recalling.replay(edited)
    request = recalling.replay(edited, inputs=recalling.Inputs(image=b"a file")).request
    assert (request.task, request.image, request.strength) == ("img2img", b"a file", 0.5)


def test_every_input_file_must_be_the_very_one(tmp_path: Path, models: Path) -> None:
    files = {"image": b"image", "mask": b"mask", "depth": b"depth"}
    told = {name: hashlib.sha256(file).hexdigest() for name, file in files.items()}
    recipe = replace(
        RECIPE,
        task="inpaint",
        model="sd-v1-4",
        input_sha256=told["image"],
        mask_sha256=told["mask"],
        depth_sha256=told["depth"],
        images_sha256=tuple(hashlib.sha256(file).hexdigest() for file in (b"one", b"two")),
    )
    file = ours(tmp_path, recipe)
    whole = recalling.Inputs(**files, images=(b"one", b"two"))
    request = recalling.replay(file, inputs=whole).request
    assert (request.task, request.image, request.mask) == ("inpaint", b"image", b"mask")
    assert (request.depth, request.images) == (b"depth", (b"one", b"two"))

    def said(**changes: Any) -> str:
        with pytest.raises(RequestError) as refused:
            recalling.replay(file, inputs=replace(whole, **changes))
        return f"{refused.value.message} {refused.value.hint}"

    assert "The mask with which this image was made is needed" in said(mask=None)
    assert "--depth FILE" in said(depth=None)
    assert "--image FILE" in said(images=(b"one",))
    assert "That mask is not the file" in said(mask=b"another")
    assert "That further image is not the file" in said(images=(b"two", b"one"))
    assert "made with 2 further image" in said(images=(b"one", b"two", b"three"))
    other = replace(whole, mask=b"another")
    taken = recalling.replay(file, inputs=other, any_input=True)
    assert taken.request.mask == b"another"
    assert any(remark.startswith("Another mask is taken") for remark in taken.remarks)
    with pytest.raises(RequestError, match="made with no mask"):
        recalling.replay(ours(tmp_path, replace(recipe, mask_sha256=None)), inputs=whole)
