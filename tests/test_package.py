"""The zip for people without a checkout: unpacked and started, offline, from a folder of wheels."""

import os
import shutil
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# start.sh is for Linux and macOS.
on_posix = pytest.mark.skipif(os.name != "posix", reason="there is no /bin/sh")
# A package index that nobody answers for, and no proxy that could.
NOWHERE = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0", "PIP_TIMEOUT": "1"}


@pytest.fixture(scope="module", autouse=True)
def _no_network() -> None:
    """The server is another process; this one talks to it over loopback."""


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip of this checkout, unpacked; `unzip` keeps what may be executed."""
    folder = tmp_path_factory.mktemp("package")
    subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "package"), "--into", str(folder)], check=True
    )
    (file,) = folder.glob("darkroom-*.zip")
    with zipfile.ZipFile(file) as packed:
        for entry in packed.infolist():
            path = Path(packed.extract(entry, folder))
            path.chmod(entry.external_attr >> 16)
    return folder / file.stem


def test_it_holds_what_each_system_starts(unpacked: Path) -> None:
    for name in ("start.sh", "start.command", "start.bat", "README.txt", "program/start.py"):
        assert (unpacked / name).is_file()
    assert b"\r\n" in (unpacked / "start.bat").read_bytes()
    (wheel,) = (unpacked / "program").glob("*.whl")
    with zipfile.ZipFile(wheel) as inside:
        names = inside.namelist()
    for needed in ("mini/mini.safetensors", "web/index.html", "text/bpe_simple_vocab_16e6.txt.gz"):
        assert f"darkroom/{needed}" in names
    assert not [name for name in names if "__pycache__" in name or name.startswith("tests/")]


@on_posix
def test_the_first_start_sets_itself_up_offline_and_serves(unpacked: Path, tmp_path: Path) -> None:
    (unpacked / "program" / "wheels").mkdir()  # what it stands on comes with this interpreter
    environment = {**os.environ, **NOWHERE, "PYTHON": sys.executable}
    environment.pop("PYTHONPATH", None)
    server = subprocess.Popen(
        [unpacked / "start.sh", "--no-browser", "--port", "0", "--data", str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    try:
        assert server.stdout is not None
        lines = iter(server.stdout.readline, "")
        address = next((line.strip() for line in lines if line.startswith("http")), "")
        jar = urllib.request.HTTPCookieProcessor()
        with urllib.request.build_opener(jar).open(address) as answer:
            assert b"<title>Darkroom</title>" in answer.read()
    finally:
        server.terminate()
        server.communicate(timeout=30)
    shutil.rmtree(unpacked / "program" / "environment")


@on_posix
def test_what_goes_wrong_is_said_in_two_lines(unpacked: Path) -> None:
    (wheel,) = (unpacked / "program").glob("*.whl")
    hidden = wheel.rename(wheel.with_suffix(".away"))
    try:
        done = subprocess.run(
            [unpacked / "start.sh"],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHON": sys.executable},
        )
    finally:
        hidden.rename(wheel)
    assert done.returncode == 1
    assert "Unpack the zip again." in done.stderr
    assert "Traceback" not in done.stderr
