"""The page on files runs as it stands, with Mini, in an empty folder, and names every field."""

from pathlib import Path

import pytest

from darkroom.images import inspection, naming
from darkroom.images.foreign.recipe import NAMES
from tests.docs.test_tutorial import ROOT, blocks, run_console

PAGE = ROOT / "docs" / "files.md"


def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for block in blocks(PAGE):
        if block.language == "console":
            for line in block.text.splitlines():
                run_console(line, monkeypatch)
    names = sorted(file.name[10:] for file in Path("hamsters").iterdir())
    assert names == [f"-{seed}-a-hamster-on-a-blue-background.png" for seed in (3, 4)]
    found = [inspection.inspect_file(Path(f"{name}.png")).recipe for name in ("hamster", "again")]
    assert found[0] is not None
    assert found[0] == found[1]


def test_the_page_names_everything() -> None:
    text = PAGE.read_text("utf-8")
    for name in naming.FIELDS:
        assert f"`{{{name}}}`" in text, name
    for program in NAMES.values():
        assert f"| {program}" in text, program
