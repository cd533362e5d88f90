"""`darkroom evaluate mini`: a report that can be read by people and by programs."""

import base64
import dataclasses
import io
import json
import re
from pathlib import Path

import PIL.Image
import pytest
from typer.testing import CliRunner

from darkroom.checkpoints import catalog
from darkroom.cli.app import app
from darkroom.evaluation.mini import spec_of, unknown
from darkroom.evaluation.suites import trials
from darkroom.evaluation.vocabulary import COLOURS
from tests.evaluation.conftest import GLYPHS
from tests.tiny import TinyCheckpoint


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    folder = tmp_path_factory.mktemp("report") / "new"
    command = [
        "evaluate",
        "mini",
        "--glyphs",
        str(GLYPHS),
        "--suite",
        "single",
        "--suite",
        "sketch",
    ]
    done = CliRunner().invoke(app, [*command, "--count", "2", "--out", str(folder), "--json"])
    assert done.exit_code == 0, done.output
    return folder, json.loads(done.stdout)


def test_the_report_says_the_same_on_paper_and_to_programs(
    report: tuple[Path, dict[str, object]],
) -> None:
    folder, told = report
    assert json.loads((folder / "report.json").read_text("utf-8")) == told
    assert told["sha256"] == catalog.sha256(catalog.find("mini"))
    suites = told["suites"]
    assert isinstance(suites, dict)
    assert list(suites) == ["single", "sketch"]
    for suite in suites.values():
        assert suite["prompts"] == 2
        for figures in (suite["model"], suite["drawings"], suite["reconstructions"]):
            assert {"object", "background", "all of it", "parts agree"} <= set(figures)
        assert suite["drawings"]["all of it"] == 1


def test_the_page_needs_nothing_else_and_its_images_say_what_they_are(
    report: tuple[Path, dict[str, object]],
) -> None:
    html = (report[0] / "index.html").read_text("utf-8")
    assert not re.search(r"<script|https?:|src=\"(?!data:)", html)
    images = [base64.b64decode(data) for data in re.findall(r"base64,([^\"]+)", html)]
    assert len(images) == 4
    for data in images:
        assert PIL.Image.open(io.BytesIO(data)).size == (64, 64)
        assert b"trainedAlgorithmicMedia" in data


def test_a_report_that_stands_there_is_not_replaced(
    report: tuple[Path, dict[str, object]],
) -> None:
    command = ["evaluate", "mini", "--glyphs", str(GLYPHS), "--suite", "single", "--count", "1"]
    done = CliRunner().invoke(app, [*command, "--out", str(report[0])])
    assert done.exit_code == 1
    assert "report.json" in done.stderr
    assert "images" not in done.stderr, "said before the work"


@pytest.mark.parametrize("flags", [("--suite", "cats"), ("--glyphs", "missing.npz")])
def test_what_cannot_be_is_said_in_two_lines(flags: tuple[str, str], tmp_path: Path) -> None:
    command = ["evaluate", "mini", "--glyphs", str(GLYPHS), "--out", str(tmp_path), *flags]
    done = CliRunner().invoke(app, command)
    assert done.exit_code in {1, 2}
    assert done.stderr.count("\n") == 2 and "hint:" in done.stderr


def test_a_model_of_another_kind_is_refused(
    tiny_checkpoint: TinyCheckpoint, tmp_path: Path
) -> None:
    command = ["evaluate", "mini", "--glyphs", str(GLYPHS), "--out", str(tmp_path)]
    done = CliRunner().invoke(app, [*command, "--model", str(tiny_checkpoint.safetensors)])
    assert done.exit_code == 2
    assert "cannot be measured" in done.stderr


def test_words_that_a_model_does_not_know_are_found() -> None:
    words = ("a", "an", "on", "background", "circle", *COLOURS)
    poor = dataclasses.replace(spec_of("mini"), words=words)
    assert unknown(poor, trials("shape", (), 50)) == ["cross", "hexagon", "square", "triangle"]
