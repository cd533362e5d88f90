"""The help of the commands that make images, on a narrow terminal."""

import dataclasses
import re

import pytest

from darkroom.cli import flags
from darkroom.cli.flags import Flags
from tests.cli.conftest import in_process

PANELS = (
    *(flags.IMAGE, flags.PROMPT, flags.SAMPLING, flags.VARIATION, flags.LARGE, flags.FINE),
    *(flags.MODEL, flags.RESULT, flags.TALK),
)


@pytest.mark.parametrize("command", ["txt2img", "img2img"])
def test_every_flag_is_explained_in_its_panel(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERMINAL_WIDTH", "80")
    said = in_process(command, "--help").stdout
    lines = said.splitlines()
    assert max(map(len, lines)) <= 80
    titles = [match[1] for line in lines if (match := re.match(r"╭─ (.+?) ─", line))]
    assert titles == ["Arguments", "Options", *PANELS]
    for field in dataclasses.fields(Flags):
        flag = re.escape("--" + field.name.replace("_", "-"))
        assert re.search(rf"{flag}\b.* {{2,}}\S", said), f"{flag} has no help"
    assert "darkroom " + command in said, "an example"
