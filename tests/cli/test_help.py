"""The help of the commands that make images, on a narrow terminal."""

import dataclasses
import re
from typing import get_args

import pytest

from darkroom.cli import flags
from darkroom.cli.flags import Flags
from darkroom.contracts import Task
from darkroom.planning.suitability import taken_by
from tests.cli.conftest import in_process

PANELS = (
    *(flags.IMAGE, flags.PROMPT, flags.SAMPLING, flags.VARIATION, flags.LARGE, flags.FINE),
    *(flags.MODEL, flags.RESULT, flags.TALK),
)


COMMANDS: tuple[Task, ...] = get_args(Task)


@pytest.mark.parametrize("command", COMMANDS)
def test_what_a_task_would_refuse_is_not_offered(command: Task) -> None:
    said = in_process(command, "--help").stdout
    assert "--steps" in said
    for field in dataclasses.fields(Flags):
        if not taken_by(field.name, command):
            assert "--" + field.name.replace("_", "-") not in said


@pytest.mark.parametrize("command", ["txt2img", "img2img"])
def test_every_flag_is_explained_in_its_panel(
    command: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERMINAL_WIDTH", "80")
    said = in_process(command, "--help").stdout
    lines = said.splitlines()
    assert max(map(len, lines)) <= 80
    titles = [match[1] for line in lines if (match := re.match(r"╭─ (.+?) ─", line))]
    offered = [field for field in dataclasses.fields(Flags) if taken_by(field.name, command)]
    panels = [panel for panel in PANELS if panel != flags.LARGE or command == "txt2img"]
    assert titles == ["Arguments", "Options", *panels]
    for field in offered:
        flag = re.escape("--" + field.name.replace("_", "-"))
        assert re.search(rf"{flag}\b.* {{2,}}\S", said), f"{flag} has no help"
    assert "darkroom " + command in said, "an example"
