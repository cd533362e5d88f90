"""Hostile files are refused in bounded time and memory, and nothing in them is executed."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from darkroom.checkpoints.header import read_header
from tests.checkpoints import hostile
from tests.checkpoints.files import CONTROLS, Case

MAX_SECONDS = 5.0
MAX_MEMORY = 256 * 2**20

# Reads every file under an audit hook that sees whatever Python is asked to do.
WATCH = """
import json, os, re, resource, sys, time
from pathlib import Path
from darkroom.checkpoints.header import read_header
from darkroom.errors import ModelError

folder, canary = Path(sys.argv[1]), sys.argv[2]
seen, results, on = [], {}, False
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT

def peak():
    # Of this program alone: what getrusage says begins with the parent's on Linux.
    status = Path("/proc/self/status")
    if status.exists():
        return 1024 * int(re.search(r"VmHWM:\\s*(\\d+)", status.read_text())[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

def hook(event, arguments):
    if not on:
        return
    if event == "open":
        path, _, flags = arguments
        if Path(str(path)).parent == folder and not flags & WRITES:
            return
    elif event == "builtins.id":
        return
    seen.append(f"{event} {arguments!r:.200}")

sys.addaudithook(hook)
files = sorted(folder.iterdir())
memory = peak()
for path in files:
    seen.clear()
    start = time.process_time()
    on = True
    try:
        read_header(path)
        verdict, hint = "", ""
    except ModelError as error:
        verdict, hint = error.message, error.hint
    except BaseException as error:
        verdict, hint = f"CRASH {type(error).__name__}: {error}"[:500], ""
    on = False
    seconds = time.process_time() - start
    results[path.stem] = [verdict, hint, seconds, peak() - memory, list(seen)]
if canary == "try":
    on = True
    eval("1 + 1")
    on = False
    results["the-watch"] = ["", "", 0, 0, list(seen)]
print(json.dumps(results))
"""


@dataclass(frozen=True)
class Verdict:
    message: str
    hint: str
    seconds: float
    memory: int
    events: list[str]


def judge(folder: Path, cases: list[Case], canary: str = "") -> dict[str, Verdict]:
    for case in cases:
        (folder / f"{case.name}{case.suffix}").write_bytes(case.data)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", WATCH, str(folder), canary],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=folder.parent,
    )
    return {name: Verdict(*said) for name, said in json.loads(done.stdout).items()}


CASES = {case.name: case for case in hostile.cases()}


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Verdict]:
    folder = tmp_path_factory.mktemp("hostile") / "files"
    folder.mkdir()
    return judge(folder, [*CASES.values(), *CONTROLS], canary="try")


def test_there_are_enough_and_each_has_its_name() -> None:
    made = list(hostile.cases())
    assert len(made) == len(CASES) >= 200


@pytest.mark.parametrize("name", CASES)
def test_refused(name: str, verdicts: dict[str, Verdict]) -> None:
    verdict = verdicts[name]
    assert not verdict.message.startswith("CRASH"), verdict.message
    assert verdict.message, "accepted"
    assert re.search(CASES[name].says, verdict.message), verdict.message
    assert verdict.message.endswith((".", "”.")) and verdict.hint.endswith(".")
    assert len(verdict.message) < 1000 and verdict.message.isprintable()
    assert verdict.events == []
    assert verdict.seconds < MAX_SECONDS


@pytest.mark.parametrize("control", CONTROLS, ids=lambda case: case.name)
def test_the_honest_file_beside_them_is_read(
    control: Case, verdicts: dict[str, Verdict], tmp_path: Path
) -> None:
    assert verdicts[control.name].message == ""
    assert verdicts[control.name].events == []
    path = tmp_path / f"model{control.suffix}"
    path.write_bytes(control.data)
    info = read_header(path).tensors["weight"]
    assert (info.dtype, info.shape, info.stride) == ("F32", (2, 2), (2, 1))
    assert control.data[info.offset :].startswith(bytes.fromhex("0000803f00000040"))


def test_memory_stays_bounded(verdicts: dict[str, Verdict]) -> None:
    worst = max(verdicts.values(), key=lambda verdict: verdict.memory)
    assert worst.memory < MAX_MEMORY


def test_the_watch_sees_what_is_executed(verdicts: dict[str, Verdict]) -> None:
    assert any("compile" in event for event in verdicts["the-watch"].events)


def test_no_canary_appeared(
    verdicts: dict[str, Verdict], tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert verdicts
    assert not list(tmp_path_factory.getbasetemp().rglob("canary"))
