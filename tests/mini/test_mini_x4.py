"""Mini's upscaler: nearer to the truth and sharper than any filter, and still the same picture."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from darkroom import api
from darkroom.checkpoints import catalog
from darkroom.evaluation import enlarging
from darkroom.evaluation.judge import Judge
from darkroom.evaluation.mini import images, known_objects, spec_of
from darkroom.evaluation.scenes import Drawer
from darkroom.evaluation.scoring import ask
from darkroom.evaluation.suites import trials

DATA = Path(__file__).parents[1] / "data"
SIDE = enlarging.SIDE


@pytest.fixture(scope="module")
def truths() -> list[NDArray[np.uint8]]:
    """Scenes that training never showed, written by `enlarging.scenes`: a sheet of six a row."""
    sheet = np.asarray(Image.open(DATA / "scenes.png").convert("RGB"))
    return [
        sheet[y : y + SIDE, x : x + SIDE]
        for y in range(0, sheet.shape[0], SIDE)
        for x in range(0, sheet.shape[1], SIDE)
    ]


@pytest.fixture(scope="module")
def model() -> api.Model:
    return api.load("mini-x4")


def test_it_beats_bicubic_and_lanczos(truths: list[NDArray[np.uint8]]) -> None:
    """In PSNR and at the edges, however the images became small."""
    assert len(truths) == 24
    report = enlarging.evaluate("mini-x4", truths)
    for figures in report.figures.values():
        made = figures["mini-x4"]
        for usual in figures["bicubic"], figures["lanczos"]:
            assert made.psnr > usual.psnr + 1
            assert made.edges > 1.3 * usual.edges


def test_an_image_of_mini_becomes_four_times_as_large_and_shows_the_same(model: api.Model) -> None:
    judge = Judge.open(DATA / "judge.npz")
    asked = trials("single", known_objects(spec_of("mini"), judge), 6)
    small = list(images(api.load("mini"), asked, Drawer(judge.glyphs)))
    seen = 0
    for trial, image in zip(asked, small, strict=True):
        made = model.upscale(Image.fromarray(image), seed=trial.seed).image
        assert made.pil.size == (256, 256)
        large = np.asarray(made.pil)
        assert enlarging.psnr(shrunk(large), image) > 24, "the same colours in the same places"
        again = ask(judge, trial, shrunk(large))
        seen += again.right["object"] or not ask(judge, trial, image).right["object"]
        assert again.right["background"]
    assert seen >= 5


def test_a_large_image_has_no_seams(model: api.Model) -> None:
    """Larger than a tile: a smooth picture stays smooth, and keeps its colours."""
    y, x = np.mgrid[0:132, 0:132]
    ramp = np.stack([60 + x, 60 + y, 200 - x], -1).astype(np.uint8)
    made = np.asarray(model.upscale(Image.fromarray(ramp), seed=1).pil)
    assert made.shape == (528, 528, 3)
    assert np.abs(shrunk(made).astype(float) - ramp).mean() < 8
    for axis in (0, 1):
        rows = made.astype(float).mean(axis=(1 - axis, 2))[8:-8]  # at the very edge it knows less
        assert np.abs(np.diff(rows)).max() < 1.5


def test_the_command_needs_no_model_by_name_and_says_what_it_is(
    tmp_path: Path, truths: list[NDArray[np.uint8]]
) -> None:
    from tests.cli.conftest import in_process

    file, out = tmp_path / "small.png", tmp_path / "large.png"
    Image.fromarray(truths[0]).resize((32, 24)).save(file)
    done = in_process("upscale", file, "--out", out)
    assert done.exit_code == 0, done.stderr
    assert "mini-x4 is a small demonstration" in done.stderr
    assert "darkroom models pull sd-x4-upscaler" in done.stderr
    with Image.open(out) as made:
        assert made.size == (128, 96)


def test_the_file_says_what_it_is() -> None:
    spec = spec_of("mini-x4")
    assert (spec.task, spec.family, spec.prediction) == ("upscale", "sd2", "v")
    assert (spec.unet.in_channels, spec.unet.classes, spec.autoencoder.factor) == (7, 1000, 4)
    assert spec.demonstration and spec.zero_terminal_snr
    assert spec.latent_scale == 0.08333
    assert spec.stored_bytes < 20 * 2**20
    both = [model.stored_bytes for model in catalog.installed() if model.name in catalog.PACKAGED]
    assert len(both) == 2 and sum(both) < 64 * 2**20


def shrunk(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = image.shape[0] // 4, image.shape[1] // 4
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BOX))
