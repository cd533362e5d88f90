"""`darkroom train`: what it says, where it stops, what it refuses."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner, Result

from darkroom.cli.app import app
from darkroom.training import cache, crops, mini, recipe
from darkroom.training.scenes import painter
from tests.training.brush import Brush, tiny_recipe


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (cache, crops, mini, painter):
        monkeypatch.setattr(module, "Painter", Brush)
    monkeypatch.setattr(mini, "CHECKED", 6)
    monkeypatch.setattr(recipe, "PATIENT", tiny_recipe())
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)


def train(*arguments: object) -> Result:
    return CliRunner().invoke(
        app, ["train", *map(str, arguments)], prog_name="darkroom", catch_exceptions=False
    )


def test_it_says_how_long_it_will_take_and_that_it_paused(tmp_path: Path) -> None:
    done = train("mini", "--state", tmp_path, "--objects", 4, "--steps", 1)
    assert done.exit_code == 0
    assert done.stdout == ""
    assert "autoencoder: 3 steps" in done.stderr
    assert "Paused. The same command goes on from here." in done.stderr
    assert (tmp_path / "autoencoder.safetensors").exists()


def test_a_sheet_shows_scenes_and_captions_say_what_they_are(tmp_path: Path) -> None:
    path = tmp_path / "sheet.png"
    done = train("scenes", "--sheet", path, "--count", 14, "--captions", "--stage", "large")
    assert done.exit_code == 0
    assert len(done.stdout.splitlines()) == 14
    with Image.open(path) as sheet:
        assert sheet.size == (12 * 128, 2 * 128)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("scenes", "--sheet", "x.png", "--stage", "huge"), "large, moved, all"),
        (("mini", "--state", "x", "--objects", 967), "966"),
        (("mini", "--state", "x", "--device", "gpu"), "cpu or cuda"),
    ],
)
def test_what_cannot_be_is_refused_with_a_hint(
    arguments: tuple[object, ...], word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = train(*arguments)
    assert done.exit_code == 2
    assert word in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_card_that_is_not_there_is_missed_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    done = train("mini", "--state", tmp_path, "--device", "cuda")
    assert done.exit_code == 2
    assert "--device cpu" in done.stderr
