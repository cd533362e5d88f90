"""The page for those who come from 2022: every line runs, and then and now make one picture.

Each command runs as it stands on the page, but for fewer steps and pixels that are added at its
end, on random checkpoints of a few megabytes that bear the names of the published ones.
"""

import importlib
import shlex
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from darkroom.images import io
from tests import tiny
from tests.docs.test_tutorial import ROOT, blocks, run_console
from tests.tiny import Kind

CHECKPOINTS: Mapping[str, Kind] = {
    "sd-v1-4.ckpt": "sd1",
    "512-base-ema.ckpt": "sd2",
    "v2-1_768-ema-pruned.ckpt": "sd2-v",
    "512-inpainting-ema.ckpt": "sd2-inpaint",
    "512-depth-ema.ckpt": "sd2-depth",
    "x4-upscaler-ema.ckpt": "x4",
    "sd21-unclip-h.ckpt": "unclip-h",
}
PICTURES = ("bird.png", "hamster.png", "room.png", "small.png")
FEW = "--steps 2"
SMALL = f"{FEW} --width 64 --height 64"
# What is added to a command, by the name of the script or the word after `darkroom`.
ADDED = {
    "compvis/scripts/txt2img.py": "--ddim_steps 2 --H 64 --W 64",
    "compvis/scripts/img2img.py": "--ddim_steps 2",
    "basujindal/optimizedSD/optimized_txt2img.py": "--ddim_steps 2 --H 64 --W 64",
    "stability/scripts/txt2img.py": "--steps 2 --H 64 --W 64",
    "stability/scripts/gradio/inpainting.py": FEW,
    "stability/scripts/gradio/depth2img.py": FEW,
    "stability/scripts/gradio/superresolution.py": FEW,
    "stability/scripts/streamlit/stableunclip.py": "--steps 2 --H 64 --W 64",
    "stability/scripts/tests/test_watermark.py": "",
    "txt2img": SMALL,
    "img2img": SMALL,
    "inpaint": SMALL,
    "depth2img": SMALL,
    "upscale": FEW,
    "vary": SMALL,
    "inspect": "",
}


def prepare() -> None:
    for name, kind in CHECKPOINTS.items():
        tiny.write(Path(), kind).ckpt.rename(name)
    for name in PICTURES:
        Image.effect_mandelbrot((64, 64), (-2, -1, 1, 1), 50).convert("RGB").save(name)
    mask = np.zeros((64, 64), np.uint8)
    mask[16:48, 16:48] = 255
    Image.fromarray(mask).save("brush.png")


def then(words: list[str]) -> None:
    """`python compat/…`, in this process."""
    script = words[1]
    module = importlib.import_module(script.removesuffix(".py").replace("/", "."))
    added = shlex.split(ADDED[script.removeprefix("compat/")])
    assert module.main([*words[2:], *added]) == 0, words


def images() -> set[Path]:
    """All but grids and maps of depths."""
    found = set(Path().rglob("*.png"))
    return {file for file in found if not file.name.startswith(("grid-", "depth"))}


def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    prepare()
    made: list[Path] = []
    for block in blocks(ROOT / "docs" / "from-2022.md"):
        (line,) = block.text.splitlines()
        words, before = shlex.split(line.removeprefix("$ ")), images()
        if words[0] == "python":
            then(words)
        else:
            run_console(f"{line} {ADDED[words[1]]}", monkeypatch)
        made += images() - before
    pairs = list(zip(made[::2], made[1::2], strict=True))
    assert len(pairs) == 9
    for old, new in pairs:
        assert np.array_equal(io.read_file(old).pixels, io.read_file(new).pixels), (old, new)
        assert io.read_file(new).pixels.std() > 1, "a flat image would prove nothing"
