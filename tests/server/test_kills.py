"""kill -9 of worker, server and both at random moments costs no job and no image."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("kills.py")


@pytest.mark.parametrize(
    "words",
    [
        ["--kills", "12", "--jobs", "16", "--longest", "2.5"],
        ["--kills", "18", "--jobs", "60", "--longest", "1.2", "--stub"],
    ],
    ids=["Mini", "stub"],
)
def test_nothing_is_lost(words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert set(told["kills"]) == {"worker", "server", "both"}
    assert told["images"] == told["files"] > 0
