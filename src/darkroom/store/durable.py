"""Bytes that are on the disk, whole, when a call returns."""

import errno
import os
import secrets
import sys
from contextlib import suppress
from pathlib import Path

from darkroom.errors import OutputError
from darkroom.store.refusals import DiskFullError

_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


def write(path: Path, data: bytes) -> None:
    """Put a whole file at `path`, in place of what stands there.  OutputError, DiskFullError."""
    part = stage(path.parent, data)
    try:
        publish(part, path)
    finally:
        discard(part)


def stage(folder: Path, data: bytes) -> Path:
    """Write the bytes to a hidden file in `folder`, through to the disk.

    It becomes visible by `publish` and goes away by `discard`; `is_part` knows its name.
    """
    part = folder / f".darkroom-{secrets.token_hex(8)}.part"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with part.open("xb") as stream:
                stream.write(data)
                stream.flush()
                _through(stream.fileno())
        except BaseException:
            discard(part)
            raise
    except OSError as error:
        raise output_error(error, "The file cannot be written") from error
    return part


def publish(part: Path, path: Path) -> None:
    """Give a staged file its name, in one step, through to the disk."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise output_error(error, "The file cannot be written") from error


def discard(part: Path) -> None:
    """Remove a file, if it is there and can be removed."""
    with suppress(OSError):
        part.unlink(missing_ok=True)


def is_part(path: Path) -> bool:
    """Whether this is the name of a staged file."""
    return path.name.startswith(".darkroom-") and path.suffix == ".part"


def sync_folder(folder: Path) -> None:
    """Make new names in a folder durable.  Windows does so by itself."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        _through(handle)
    finally:
        os.close(handle)


def _through(handle: int) -> None:
    """Through to the disk itself, which macOS does on another word alone."""
    if sys.platform == "darwin":
        import fcntl

        with suppress(OSError):  # disks of other computers do not know it
            fcntl.fcntl(handle, fcntl.F_FULLFSYNC)
            return
    os.fsync(handle)


def output_error(error: OSError, what: str) -> OutputError:
    """The error of the operating system in a user's words; the disk being full is a kind."""
    if error.errno in _FULL:
        return DiskFullError(
            "The disk is full.", "Make room, or move the data folder: darkroom serve --data DIR."
        )
    return OutputError(f"{what}: {error.strerror or error}.")
