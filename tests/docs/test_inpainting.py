"""The page on inpainting runs as it stands, with Mini, in an empty folder."""

from pathlib import Path

import numpy as np
import pytest

from darkroom.images import inspection, io
from tests.docs.test_tutorial import ROOT, blocks, run_console


def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    scope: dict[str, object] = {}
    for block in blocks(ROOT / "docs" / "inpainting.md"):
        if block.language == "python":
            exec(compile(block.text, "inpainting.md", "exec"), scope)
        for line in block.text.splitlines() if block.language == "console" else ():
            run_console(line, monkeypatch)
    before, wide, apple, dog = (
        io.read_file(Path(f"{name}.png")).pixels for name in ("hamster", "wide", "apple", "dog")
    )
    assert np.array_equal(wide[:, :64], before)
    for painted in apple, dog:
        assert np.array_equal(painted[:, :66], wide[:, :66])
        assert np.abs(painted[:, 66:].astype(int) - wide[:, 66:]).mean() > 10
    for name in ("wide", "apple", "dog"):
        recipe = inspection.inspect_file(Path(f"{name}.png")).recipe
        assert recipe is not None
        assert recipe.outside_unchanged
    assert len(list(Path("cats").iterdir())) == 4, "three images and their grid"
