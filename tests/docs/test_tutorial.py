"""The tutorial and the README's Python run as they stand, with Mini, in an empty folder."""

import itertools
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer.testing

from darkroom.cli.app import app

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"[Pp]ut this into `([\w.]+)`:\s*$")
SETTING = re.compile(r"(DARKROOM_\w+)=(\S+)")


@dataclass(frozen=True)
class Block:
    """A fenced block; `file` is the name that the sentence before it gives to a text."""

    language: str
    text: str
    file: str | None


def blocks(page: Path) -> Iterator[Block]:
    source = page.read_text(encoding="utf-8")
    for found in BLOCK.finditer(source):
        named = FILE.search(source[: found.start()])
        yield Block(found[1], found[2], named[1] if named else None)


def run_console(line: str, patch: pytest.MonkeyPatch) -> None:
    """`$ NAME=value darkroom …`, in this process: torch is loaded once."""
    words = shlex.split(line.removeprefix("$ "))
    with patch.context() as here:
        while setting := SETTING.fullmatch(words[0]):
            here.setenv(setting[1], setting[2])
            words.pop(0)
        assert words[0] == "darkroom", line
        done = typer.testing.CliRunner().invoke(app, words[1:])
    assert done.exit_code == 0, f"{line}\n{done.output}"
    for flag, target in itertools.pairwise(words):
        if flag in ("--out", "--preview") and "--plan" not in words:
            assert Path(target).exists(), f"{line} made no {target}"


def test_the_tutorial_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    scope: dict[str, object] = {}
    for block in blocks(ROOT / "docs" / "tutorial.md"):
        if block.language == "console":
            for line in block.text.splitlines():
                run_console(line, monkeypatch)
        elif block.language == "python":
            exec(compile(block.text, "tutorial.md", "exec"), scope)
        elif block.file:
            Path(block.file).write_text(block.text, encoding="utf-8")
    for made in ("hamster.png", "red.png", "from-python.png", "apple-8.png"):
        assert Path(made).stat().st_size > 0
    assert len(list(Path("apples").iterdir())) == 5, "four images and their grid"


def test_the_python_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for block in blocks(ROOT / "README.md"):
        if block.language == "python":
            exec(compile(block.text, "README.md", "exec"), {})
    assert Path("hamster.png").stat().st_size > 0
