"""The command `darkroom styles`."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import in_process


def test_styles_are_listed_in_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "styles.csv"
    file.write_text("name,prompt,negative_prompt\nmine,{prompt} by me,photo\n", "utf-8")
    monkeypatch.setenv("DARKROOM_STYLES_FILE", str(file))
    said = in_process("styles")
    assert said.exit_code == 0
    lines = said.stdout.splitlines()
    assert lines[:2] == ["Your own", "  mine  {prompt} by me | photo"]
    assert "Medium" in lines
    groups = json.loads(in_process("styles", "--json").stdout)["groups"]
    assert groups["Your own"] == {"mine": {"prompt": "{prompt} by me", "negative": "photo"}}
    assert "oil painting" in groups["Medium"]
