"""How upscalers are measured: the figures on cases that are known."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from darkroom.cli.app import app
from darkroom.evaluation import enlarging
from darkroom.evaluation.enlarging import psnr, sharpness
from tests.tiny import TinyCheckpoint, write

SCENES = Path(__file__).parents[1] / "data" / "scenes.png"


@pytest.fixture
def truth() -> enlarging.Pixels:
    return np.asarray(Image.open(SCENES).convert("RGB"))[:128, :128]


def blurred(image: enlarging.Pixels, factor: int) -> enlarging.Pixels:
    side = image.shape[0] // factor
    small = Image.fromarray(image).resize((side, side), Image.Resampling.BOX)
    return np.asarray(small.resize(image.shape[:2], Image.Resampling.BICUBIC))


def test_the_truth_is_as_near_and_as_sharp_as_can_be(truth: enlarging.Pixels) -> None:
    assert psnr(truth, truth) > 70
    assert sharpness(truth, truth) == pytest.approx(1)
    off = np.clip(truth.astype(int) + 5, 0, 255).astype(np.uint8)
    assert psnr(off, np.clip(off.astype(int) - 5, 0, 255).astype(np.uint8)) == pytest.approx(
        20 * np.log10(255 / 5), abs=0.1
    )


def test_what_is_blurred_is_less_sharp_and_noise_makes_nothing_sharper(
    truth: enlarging.Pixels,
) -> None:
    values = [sharpness(blurred(truth, factor), truth) for factor in (1, 2, 4, 8)]
    assert values == sorted(values, reverse=True)
    noise = np.random.default_rng(0).normal(0, 25, truth.shape)
    noisy = np.clip(blurred(truth, 4) + noise, 0, 255).astype(np.uint8)
    assert sharpness(noisy, truth) == pytest.approx(values[2], abs=0.05)
    plain = np.full_like(truth, 90)
    assert sharpness(plain, plain) == 1
    moved = np.roll(truth, 6, axis=1)
    assert sharpness(moved, truth) < 0.3


def test_an_upscaler_is_compared_with_filters(truth: enlarging.Pixels, tmp_path: Path) -> None:
    checkpoint = write(tmp_path, "x4").safetensors
    report = enlarging.evaluate(str(checkpoint), [truth])
    said = json.loads(json.dumps(report.values()))
    assert (said["scenes"], said["model"]) == (1, "tiny-x4")
    for figures in said["shrunk by"].values():
        assert list(figures) == ["tiny-x4", "bicubic", "lanczos"]
        assert figures["lanczos"]["edges"] > figures["bicubic"]["edges"] > 0.1
        assert figures["lanczos"]["psnr"] > 15 > figures["tiny-x4"]["psnr"]


def test_other_models_are_refused(tiny_checkpoint: TinyCheckpoint, tmp_path: Path) -> None:
    model = str(tiny_checkpoint.safetensors)
    font = tmp_path / "none.ttf"
    done = CliRunner().invoke(app, ["evaluate", "upscaler", "--model", model, "--font", str(font)])
    assert done.exit_code == 2
    assert "does not enlarge images" in done.stderr
