"""The page on variations runs as it stands, with Mini, in an empty folder."""

from pathlib import Path

import pytest

from darkroom.images import inspection
from tests.docs.test_tutorial import ROOT, blocks, run_console


def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for block in blocks(ROOT / "docs" / "variations.md"):
        if block.language == "console":
            for line in block.text.splitlines():
                run_console(line, monkeypatch)
        elif block.file:
            Path(block.file).write_text(block.text, encoding="utf-8")
    found = {name: inspection.inspect_file(Path(f"{name}.png")) for name in ("hamster", "large")}
    assert found["large"].width == 2 * found["hamster"].width
    family = sorted(Path("hamsters").glob("*-3-*.png"))
    third = [inspection.inspect_file(path).recipe for path in (family[2], Path("third.png"))]
    assert len(list(Path("pets").iterdir())) == 5, "four images and their grid"
    assert third[0] is not None
    assert third[0] == third[1]
