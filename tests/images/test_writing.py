"""What goes out: whole files or none, never over another, always marked."""

import errno
import io as streams
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from darkroom.contracts import Raster
from darkroom.errors import OutputError, RequestError
from darkroom.images import inspection, io, provenance

DATA = bytes(range(256)) * 64
STEPS = ("open", "write", "fsync", "close", "link", "replace")


def fail_at(patch: pytest.MonkeyPatch, name: str, code: int, after: int = 0) -> list[str]:
    """Let `os.name` fail from its call `after` on; returns the list of its calls."""
    real: Callable[..., object] = getattr(os, name)
    calls: list[str] = []

    def failing(*arguments: object, **keywords: object) -> object:
        calls.append(name)
        if len(calls) > after:
            if name == "close":
                real(*arguments, **keywords)  # a descriptor is gone even where closing fails
            raise OSError(code, os.strerror(code))
        return real(*arguments, **keywords)

    patch.setattr(os, name, failing)
    return calls


def test_a_written_file_is_there_and_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    io.write_atomic(path, DATA)
    assert path.read_bytes() == DATA
    assert list(tmp_path.iterdir()) == [path]
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EACCES])
@pytest.mark.parametrize("after", [0, 1])
def test_a_failure_at_any_step_leaves_nothing(
    name: str, code: int, after: int, tmp_path: Path
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        calls = fail_at(patch, name, code, after)
        failed = None
        try:
            io.write_atomic(tmp_path / "a.png", DATA)
        except OutputError as error:
            failed = error
    assert (failed is not None) == (len(calls) > after)
    if failed is None:
        assert (tmp_path / "a.png").read_bytes() == DATA
    else:
        assert failed.hint
        assert failed.exit_code == 1
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["open", "write", "fsync", "close", "replace"])
def test_a_failure_while_overwriting_keeps_what_was_there(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    with pytest.MonkeyPatch.context() as patch:
        fail_at(patch, name, errno.EIO)
        with pytest.raises(OutputError):
            io.write_atomic(path, DATA, overwrite=True)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda file, data: real(file, bytes(data[:1000])))
    io.write_atomic(tmp_path / "a.png", DATA)
    assert (tmp_path / "a.png").read_bytes() == DATA


def test_the_bytes_are_durable_before_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []

    def noted(name: str) -> Callable[..., object]:
        real: Callable[..., object] = getattr(os, name)

        def note(*arguments: object) -> object:
            order.append(name)
            return real(*arguments)

        return note

    for name in ("write", "fsync", "link"):
        monkeypatch.setattr(os, name, noted(name))
    io.write_atomic(tmp_path / "a.png", b"x")
    assert order == ["write", "fsync", "link", "fsync"]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "The disk is full"),
        (errno.EACCES, "no permission"),
        (errno.EROFS, "no permission"),
        (errno.EIO, os.strerror(errno.EIO)),
    ],
)
def test_what_is_said_of_a_failure(
    code: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_at(monkeypatch, "write", code)
    with pytest.raises(OutputError, match=words):
        io.write_atomic(tmp_path / "a.png", DATA)


def test_a_full_disk_as_the_system_tells_it(tmp_path: Path) -> None:
    # The system's own limit on file sizes, which a test can set without a disk to fill.
    script = """
import resource, signal, sys
from pathlib import Path
from darkroom.errors import OutputError, RequestError
from darkroom.images import io
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    io.write_atomic(Path(sys.argv[1]) / "a.png", bytes(5000))
except OutputError as error:
    print(error.message)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(Path(io.__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("The disk is full")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.png", "missing/a.png", "file/a.png", "a\0.png", "folder"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_names_that_cannot_be_written(name: str, overwrite: bool, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"old")
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "folder").mkdir()
    before = sorted(tmp_path.iterdir())
    if name == "a.png" and overwrite:
        io.write_atomic(tmp_path / name, DATA, overwrite=True)
        assert (tmp_path / name).read_bytes() == DATA
    else:
        with pytest.raises(OutputError) as refused:
            io.write_atomic(tmp_path / name, DATA, overwrite=overwrite)
        assert refused.value.hint
        assert (tmp_path / "a.png").read_bytes() == b"old"
    assert sorted(tmp_path.iterdir()) == before


def test_a_link_that_leads_nowhere_is_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to(tmp_path / "elsewhere.png")
    with pytest.raises(OutputError, match="exists already"):
        io.write_atomic(tmp_path / "a.png", DATA)
    assert not (tmp_path / "elsewhere.png").exists()


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
def test_of_many_writers_of_one_name_one_wins(
    links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:
        fail_at(monkeypatch, "link", errno.EPERM)
    path = tmp_path / "a.png"
    won: list[bytes] = []

    def write(number: int) -> None:
        data = bytes([number]) * 5000
        try:
            io.write_atomic(path, data)
        except OutputError:
            return
        won.append(data)

    run_together(write, 16)
    assert won == [path.read_bytes()]
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_without_links_keeps_no_reservation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_at(monkeypatch, "link", errno.EPERM)
    fail_at(monkeypatch, "replace", errno.EIO)
    with pytest.raises(OutputError):
        io.write_atomic(tmp_path / "a.png", DATA)
    assert list(tmp_path.iterdir()) == []


def test_counted_names_never_meet(tmp_path: Path) -> None:
    (tmp_path / "2026-11-20-7-001.png").write_bytes(b"old")
    paths: list[Path] = []

    def write(number: int) -> None:
        for part in range(4):
            data = f"{number} {part}".encode()
            path = io.write_next(tmp_path, "2026-11-20-7-{:03}.png".format, data, first=1)
            assert path.read_bytes() == data
            paths.append(path)

    run_together(write, 8)
    assert sorted(path.name for path in paths) == [
        f"2026-11-20-7-{number:03}.png" for number in range(2, 34)
    ]
    assert (tmp_path / "2026-11-20-7-001.png").read_bytes() == b"old"


def test_a_counted_name_in_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="folder does not exist"):
        io.write_next(tmp_path / "missing", "{}.png".format, DATA)


def run_together(work: Callable[[int], None], count: int) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_killed_writer_leaves_no_visible_file(tmp_path: Path) -> None:
    script = """
import os, signal, sys
from pathlib import Path
from darkroom.images import io
real, at = getattr(os, sys.argv[2]), sys.argv[2]
setattr(os, at, lambda *arguments: os.kill(os.getpid(), signal.SIGKILL))
io.write_atomic(Path(sys.argv[1]) / "a.png", bytes(5000))
"""
    for step in ("write", "fsync", "link"):
        done = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path), step],
            env={**os.environ, "PYTHONPATH": str(Path(io.__file__).parents[2])},
            check=False,
        )
        assert done.returncode == -9
        assert [path.name for path in tmp_path.iterdir() if path.name[0] != "."] == []


def test_folders_are_made(tmp_path: Path) -> None:
    io.make_folder(tmp_path / "a" / "b")
    io.make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError):
        io.make_folder(tmp_path / "file" / "c")


# Encoding.


@st.composite
def rasters(draw: st.DrawFn) -> Raster:
    width, height = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    noise = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 256, (height, width, 3))
    return io.from_array(noise.astype(np.uint8))


@given(rasters(), st.sampled_from(["png", "jpeg", "webp"]), st.booleans())
def test_every_image_of_every_format_and_size_is_marked(
    raster: Raster, file_format: io.Format, edited: bool
) -> None:
    mark = provenance.new_mark("0.1.0", edited=edited)
    data = io.encode(raster, file_format, mark=mark)
    seen = inspection.inspect(data)
    assert seen.mark == mark
    assert seen.mark.by_machine
    assert (seen.format, seen.width, seen.height) == (file_format, raster.width, raster.height)
    assert seen.recipe is None
    assert seen.foreign is None
    if file_format != "jpeg":
        assert io.from_array(io.read(data).pixels) == raster


def test_jpeg_stays_close() -> None:
    y, x = np.mgrid[0:64, 0:64]
    pixels = np.stack([x * 4, y * 4, 255 - x * 2 - y * 2], -1).astype(np.uint8)
    raster = io.from_array(pixels)
    data = io.encode(raster, "jpeg", mark=provenance.new_mark("0.1.0"))
    assert np.abs(io.read(data).pixels.astype(int) - pixels).mean() < 2


def test_other_programs_find_the_mark_where_they_look() -> None:
    # Byte by byte, without our reader: the places that the XMP specification names.
    raster = Raster(width=1, height=1, data=bytes(3))
    mark = provenance.new_mark("0.1.0")
    value = b"http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia<"
    files = {kind: io.encode(raster, kind, mark=mark) for kind in ("png", "jpeg", "webp")}
    assert b"iTXtXML:com.adobe.xmp\0\0\0\0\0<?xpacket" in files["png"]
    assert b"http://ns.adobe.com/xap/1.0/\0<?xpacket" in files["jpeg"]
    assert b"XMP " in files["webp"]
    for data in files.values():
        assert value in data
        xmp = Image.open(streams.BytesIO(data)).info["xmp"]
        assert xmp == provenance.to_xmp(mark)


def test_quality_trades_pixels_for_bytes() -> None:
    random = np.random.default_rng(2)
    smooth = np.cumsum(random.integers(-2, 3, (64, 64, 3)), axis=1) + 128
    raster = io.from_array(smooth.astype(np.uint8))
    mark = provenance.new_mark("0.1.0")

    def encoded(kind: io.Format, quality: int | None) -> bytes:
        return io.encode(raster, kind, mark=mark, quality=quality)

    for kind in ("jpeg", "webp"):
        sizes = [len(encoded(kind, quality)) for quality in (20, 60, 95)]
        assert sizes == sorted(sizes)
        assert sizes[0] < sizes[2]
    assert len(encoded("jpeg", None)) == len(encoded("jpeg", 95))
    pixels = io.to_array(raster)
    assert (io.read(encoded("webp", None)).pixels == pixels).all()
    assert (io.read(encoded("png", 20)).pixels == pixels).all()
    assert not (io.read(encoded("webp", 95)).pixels == pixels).all()
    for quality in (0, 101):
        with pytest.raises(RequestError, match=f"Quality {quality} is out of range"):
            encoded("jpeg", quality)
