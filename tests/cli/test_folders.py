"""Folders of diffusers, in shards and in `.fp16.` files, from the command line to the image."""

import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
from PIL import Image, ImageChops

from tests import tiny
from tests.cli.conftest import Run
from tests.tasks.pictures import photograph
from tests.tiny import Kind

WISHES: dict[Kind, list[object]] = {
    "sd1": ["txt2img", "a cat"],
    "sd2-v": ["txt2img", "a cat"],
    "pix2pix": ["img2img", "photo.png", "a cat"],
    "sd2-inpaint": ["inpaint", "photo.png", "mask.png", "a cat"],
    "sd2-depth": ["depth2img", "photo.png", "a cat"],
    "x4": ["upscale", "photo.png"],
    "unclip-l": ["vary", "photo.png"],
}


def in_shards(file: Path, variant: str) -> None:
    """Two files and a list of what lies in which."""
    state = safetensors.torch.load_file(file)
    stem = file.name.removesuffix(".safetensors")
    places: dict[str, str] = {}
    for number in (1, 2):
        name = f"{stem}{variant}-0000{number}-of-00002.safetensors"
        part = dict(list(state.items())[number - 1 :: 2])
        safetensors.torch.save_file(part, file.with_name(name), {"format": "pt"})
        places |= dict.fromkeys(part, name)
    listed = json.dumps({"metadata": {}, "weight_map": places})
    file.with_name(f"{file.name}.index{variant}.json").write_text(listed)
    file.unlink()


@pytest.mark.parametrize("variant", ["", ".fp16"], ids=["shards", "fp16"])
@pytest.mark.parametrize("kind", WISHES)
def test_a_folder_makes_the_image_of_the_file(
    kind: Kind, variant: str, run: Run, tmp_path: Path
) -> None:
    Path("photo.png").write_bytes(photograph(32, 32))
    mask = Image.new("L", (32, 32))
    mask.paste(255, (8, 8, 24, 24))
    mask.save("mask.png")
    file = tiny.write(tmp_path, kind).safetensors
    folder = tmp_path / "folder"
    assert run("models", "convert", file, folder).exit_code == 0
    for part in folder.rglob("*.safetensors"):
        if part.parent.name in {"unet", "text_encoder"}:
            in_shards(part, variant)
        elif variant:
            part.rename(part.with_name(part.name.replace(".safetensors", ".fp16.safetensors")))

    for model, out in (file, "file.png"), (folder, "folder.png"):
        done = run(*WISHES[kind], "--seed", 1, "--model", model, "--out", out)
        assert done.exit_code == 0, done.stderr
    with Image.open("file.png") as one, Image.open("folder.png") as other:
        apart = ImageChops.difference(one.convert("RGB"), other.convert("RGB"))
        assert np.asarray(apart).max() <= 1
        assert len(one.convert("RGB").getcolors(100_000) or ()) > 9, "a picture"
