"""`darkroom doctor`: what is there, what is missing, how to get it; a report without names."""

import getpass
import json
import os
import platform
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from darkroom.checkpoints import registry
from darkroom.cli import checkup
from darkroom.cli.checkup import Finding
from darkroom.contracts import Machine
from darkroom.errors import RequestError
from darkroom.runtime import device
from tests.cli.conftest import assert_refused, in_process

SECRET = "zanzibar"  # planted wherever a path or a name may leak from


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Devices are not measured: that takes seconds on a busy machine."""

    def measured(name: str | None = None) -> Machine:
        return Machine(
            device=name or "cpu",
            name="A processor",
            cores=2,
            memory_total=16 * 10**9,
            memory_free=8 * 10**9,
            speed={"fp32": 1.5e12, "bf16": 3e12},
        )

    monkeypatch.setattr(device, "measure", measured)
    monkeypatch.setattr(device, "available", lambda: ("cpu",))


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folders, settings, models and names that all hold the secret, most of them broken."""
    home = tmp_path / SECRET
    home.mkdir()
    config = home / "config.toml"
    config.write_text(f'negative = "{SECRET}"\nsteps = "{SECRET}"\n')
    for name, value in {
        "DARKROOM_CONFIG": config,
        "DARKROOM_MODELS_FOLDER": home / "models",
        "DARKROOM_CACHE_FOLDER": home / "cache",
        f"DARKROOM_{SECRET.upper()}": SECRET,
        "HOME": home,
        "USER": SECRET,
        "LOGNAME": SECRET,
        "HOSTNAME": SECRET,
    }.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr(platform, "node", lambda: SECRET)
    monkeypatch.setattr(socket, "gethostname", lambda: SECRET)
    monkeypatch.setattr(getpass, "getuser", lambda: SECRET)
    monkeypatch.setattr(platform, "release", lambda: f"6.1.2-{SECRET}")
    models = home / "models"
    models.mkdir()
    (models / f"{SECRET}.ckpt").write_bytes(b"<html>")
    registry.add(SECRET, home / "gone.ckpt")
    return home


def findings() -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {}
    for finding in checkup.checkup():
        found.setdefault(finding.part, []).append(finding)
    return found


@pytest.mark.parametrize("name", ["report.txt", "report.json"])
def test_a_report_holds_no_names_and_no_paths(planted: Path, tmp_path: Path, name: str) -> None:
    report = tmp_path / name
    done = in_process("doctor", "--report", report)
    assert done.exit_code == 1  # Much was broken on purpose.
    text = report.read_text("utf-8").lower()
    assert SECRET not in text
    assert str(tmp_path) not in text and str(Path.cwd()) not in text
    assert "/" not in text.replace("tflop/s", "") and "\\" not in text
    assert SECRET in done.stdout  # The person at the computer does see where things are.
    for part in ("torch: ", "settings: something in them cannot be meant", "1 cannot be used"):
        assert name.endswith("json") or part in text
    if name.endswith("json"):
        parts = {row["part"] for row in json.loads(text)["findings"]}
        assert {"darkroom", "torch", "cpu", "settings", "models", "pictures"} <= parts


def test_a_check_that_fails_in_an_unforeseen_way_leaks_nothing_either(
    planted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails() -> Iterator[Finding]:
        raise OSError(5, "Input/output error", str(planted))

    monkeypatch.setattr(checkup, "_CHECKS", (("disk", fails),))
    done = in_process("doctor", "--report", tmp_path / "report.txt")
    assert (tmp_path / "report.txt").read_text() == "!! disk: cannot be looked at (OSError)\n"
    assert SECRET in done.stdout


def test_what_works_and_what_does_not(planted: Path) -> None:
    found = findings()
    assert [finding.good for finding in found["Darkroom"]] == [True]
    assert "6.1.2" in found["Darkroom"][0].said
    assert found["cpu"][0].said == (
        "A processor, threads: 2, 8 GB of 16 GB free; fp32 1.5 TFLOP/s, bf16 3 TFLOP/s"
    )
    assert "steps" in found["settings"][0].private
    assert f"DARKROOM_{SECRET.upper()}" in found["settings"][1].private
    wrong = [finding.said for finding in found["models"] if finding.good is False]
    assert wrong == ["1 cannot be used", "1 are not there"]
    for finding in (finding for part in found.values() for finding in part):
        assert finding.hint or finding.good is True or finding.part == "processor"


def test_lines_have_marks_and_hints(planted: Path) -> None:
    lines = in_process("doctor").stdout.splitlines()
    assert any(line.startswith("✓ torch: ") for line in lines)
    place = next(n for n, line in enumerate(lines) if line.startswith("✗ settings: something"))
    assert lines[place + 1].startswith("    ")


def test_everything_is_an_object_for_a_program() -> None:
    listed = json.loads(in_process("doctor", "--json").stdout)["findings"]
    assert {"part", "good", "said", "private", "hint"} == listed[0].keys()


@pytest.fixture
def no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "torch"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)


def test_it_survives_without_torch(no_torch: None) -> None:
    found = findings()
    (finding,) = found["torch"]
    assert finding.good is False and "pip install torch" in finding.hint
    assert "cpu" not in found and "processor" not in found
    assert any(finding.said.endswith("can be used") for finding in found["models"])


def test_a_driver_without_the_build_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/nvidia-smi")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.version.cuda", None)
    good, bad = findings()["torch"]
    assert good.good and bad.good is False
    assert "built without CUDA" in bad.said


def test_a_package_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    version: Callable[[str], str] = metadata.version

    def asked(name: str) -> str:
        if name == "ftfy":
            raise metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(metadata, "version", asked)
    present, missing = findings()["packages"]
    assert "ftfy" not in present.said
    assert missing.said == "missing: ftfy"


def test_a_full_disk_and_a_closed_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10**9))
    monkeypatch.setattr(os, "access", lambda *_: False)
    (finding,) = findings()["models folder"]
    assert finding.good is False and finding.said == "1 GB free, and may not be written to"
    assert "Make room" in finding.hint and "Set another place" in finding.hint


def absent(*_: Any) -> Path:
    raise RequestError("There is no font.", "Install one.")


FONTS: list[tuple[Callable[..., Path], bool | None]] = [
    (absent, None),
    (lambda *_: Path("font.ttf"), True),
]


@pytest.mark.parametrize(("find", "good"), FONTS, ids=["absent", "there"])
def test_the_font_for_training(
    find: Callable[..., Path], good: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("darkroom.training.scenes.painter.find_font", find)
    (finding,) = findings()["training"]
    assert finding.good is good


def test_a_report_replaces_nothing(tmp_path: Path) -> None:
    report = tmp_path / "report.txt"
    report.write_text("precious")
    done = in_process("doctor", "--report", report, "--json")
    assert done.exit_code == 1
    assert "report.txt" in done.stderr
    assert report.read_text() == "precious"
    assert_refused(in_process("doctor", "--report"), 2)


def test_marks_that_a_terminal_cannot_say(monkeypatch: pytest.MonkeyPatch) -> None:
    from darkroom.cli import doctor

    monkeypatch.setattr(doctor, "_can_say", lambda _: False)
    assert any(line.startswith("ok torch: ") for line in in_process("doctor").stdout.splitlines())
