"""Ways to run the command line, and what it may never do."""

import functools
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from darkroom.cli.app import app
from tests.tiny import TinyCheckpoint

SOURCE = Path(__file__).parents[2] / "src"

Run = Callable[..., Result]


def in_process(*arguments: object) -> Result:
    """The command in this process: quick, with the exit code and both streams apart."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="darkroom")


def environment() -> dict[str, str]:
    """As in a person's shell: no test runner to be seen, and nothing to reach."""
    kept = {name: value for name, value in os.environ.items() if name not in {"CI", "COLUMNS"}}
    return {name: value for name, value in kept.items() if not name.startswith("PYTEST")} | {
        "PYTHONPATH": str(SOURCE),
        "OMP_NUM_THREADS": "1",
    }


def command(*arguments: object, before: str = "", after: str = "") -> list[str]:
    """The command line of a process of its own; `before` and `after` are Python around it."""
    script = (
        f"import sys\n{before}\nfrom darkroom.cli.app import main\ntry:\n    main()\nfinally:\n"
    )
    script += f"    pass\n    {after}\n"
    return [sys.executable, "-W", "error", "-c", script, *map(str, arguments)]


def in_a_shell(
    *arguments: object, before: str = "", after: str = ""
) -> "subprocess.CompletedProcess[str]":
    """The command in a process of its own."""
    return subprocess.run(
        command(*arguments, before=before, after=after),
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def assert_refused(done: Result, code: int) -> str:
    """One error, one hint, no trace, no result; returns what is said."""
    assert done.exit_code == code, done.stderr
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert sum(line.startswith("error: ") for line in lines) == 1, done.stderr
    assert sum(line.startswith("hint: ") for line in lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.fixture
def run(tiny_checkpoint: TinyCheckpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command with the tiny checkpoint and few steps, in an empty working directory."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr("platformdirs.user_pictures_path", lambda: tmp_path / "nowhere")
    monkeypatch.setenv("DARKROOM_MODEL", str(tiny_checkpoint.safetensors))
    monkeypatch.setenv("DARKROOM_STEPS", "2")
    monkeypatch.setenv("DARKROOM_DEVICE", "cpu")
    monkeypatch.setenv("DARKROOM_PRECISION", "fp32")
    return in_process


@pytest.fixture
def make(run: Run) -> Run:
    """`txt2img` there."""
    return functools.partial(run, "txt2img")
