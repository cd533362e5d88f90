"""One server for a data folder, and no path that a client can choose."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from darkroom.errors import OutputError
from darkroom.store.folder import DataFolder, ServerLock
from darkroom.store.refusals import FolderInUseError, UnknownError

HOLD = """
import sys, time
from pathlib import Path
from darkroom.store.folder import DataFolder
lock = DataFolder(Path(sys.argv[1])).lock("http://127.0.0.1:7860/")
print("held", flush=True)
time.sleep(60)
"""


def holder(root: Path) -> subprocess.Popen[str]:
    """Another process that serves the folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(root)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def test_a_second_server_is_told_process_and_address_of_the_first(tmp_path: Path) -> None:
    first = holder(tmp_path / "data")
    try:
        with pytest.raises(FolderInUseError) as refused:
            DataFolder(tmp_path / "data").lock("http://127.0.0.1:7861/")
        assert f"process {first.pid} at http://127.0.0.1:7860/" in refused.value.message
        assert str(tmp_path) not in refused.value.message
    finally:
        end(first)
    with DataFolder(tmp_path / "data").lock("http://127.0.0.1:7861/"):
        card = json.loads((tmp_path / "data" / "server.json").read_text())
        assert card == {"pid": os.getpid(), "address": "http://127.0.0.1:7861/"}


def test_a_lock_can_be_released_and_its_address_told_later(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    with folder.lock() as lock:
        lock.announce("http://127.0.0.1:9/")
        with pytest.raises(FolderInUseError, match=r"at http://127\.0\.0\.1:9/"):
            folder.lock()
    lock.release()
    assert not (tmp_path / "server.json").exists()
    folder.lock().release()


@pytest.mark.parametrize(
    "card", [b"", b"{", b"[]", b'{"pid": "1", "address": ""}', b'{"pid": 99999999, "address": ""}']
)
def test_an_old_or_odd_card_is_not_believed(
    tmp_path: Path, card: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("darkroom.store.folder._PATIENCE", 0.05)
    with DataFolder(tmp_path).lock():
        (tmp_path / "server.json").write_bytes(card)
        with pytest.raises(FolderInUseError, match="by another process"):
            DataFolder(tmp_path).lock()


def test_of_many_that_begin_at_once_one_wins(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    won: list[ServerLock] = []
    refused: list[str] = []
    gate = threading.Barrier(8)

    def begin() -> None:
        gate.wait()
        try:
            won.append(folder.lock("http://127.0.0.1:1/"))
        except FolderInUseError as error:
            refused.append(error.message)

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(won), len(refused)) == (1, 7)
    assert all(f"process {os.getpid()} at" in message for message in refused)
    won[0].release()


def test_a_disk_that_refuses_the_lock_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = DataFolder(tmp_path)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("filelock.FileLock.acquire", refuse)
        with pytest.raises(OutputError, match="cannot be locked: Input/output error"):
            folder.lock()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(OutputError):
            folder.lock()
    folder.lock().release()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError):
        DataFolder(tmp_path / "file" / "data").lock()


HOSTILE = [
    *("../x", "/etc/passwd", "C:\\x", "a\\..\\b", "..", "", "a/../../b", "x\0y", "file:///x"),
    *("..\\..\\x", "//host/share", "\\\\host\\share", "con:", "./../x"),
]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_place_lies_outside_the_folder(tmp_path: Path, name: str) -> None:
    folder = DataFolder(tmp_path)
    for ask in (
        folder.input,
        folder.shown,
        folder.trashed,
        lambda n: folder.thumbnail(n, 256),
        lambda n: folder.film(n, 0),
        lambda n: folder.film_step(n, 0, 1),
    ):
        with pytest.raises(UnknownError):
            ask(name)


def test_asking_for_places_creates_nothing(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    assert folder.film_step("0123456789abcdef", 3, 12).name == "12.webp"
    assert folder.thumbnail("ab" * 32, 256).name == f"{'ab' * 32}-256.webp"
    assert folder.shown("2026-11/a.png") == tmp_path / "data" / "images" / "2026-11" / "a.png"
    assert not (tmp_path / "data").exists()
