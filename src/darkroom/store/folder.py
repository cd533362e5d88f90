"""The data folder: where everything lies that a server keeps, and who serves it."""

import json
import os
import re
import time
from contextlib import suppress
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Self

import filelock

from darkroom.errors import OutputError
from darkroom.store import durable
from darkroom.store.refusals import FolderInUseError, UnknownError

_SHA256 = re.compile(r"[0-9a-f]{64}")
_ID = re.compile(r"[0-9a-z][0-9a-z-]{0,79}")
_PATIENCE = 1.0  # seconds that a server may take from its lock to its announcement


class DataFolder:
    """Places in the folder `root`.  Asking creates nothing; `create` makes the folders.

    Every name that comes from outside is checked for its form, so that no path can be built of it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.database = self.root / "darkroom.db"
        self.inputs = self.root / "inputs"
        self.images = self.root / "images"
        self.trash = self.root / "trash"
        self.thumbnails = self.root / "thumbnails"
        self.films = self.root / "films"

    def create(self) -> None:
        """Make the folders, readable for their owner alone.  OutputError where that fails."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            for place in (self.inputs, self.images, self.trash, self.thumbnails, self.films):
                place.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise durable.output_error(error, "The data folder cannot be made") from error

    def input(self, sha256: str) -> Path:
        """The kept input with this checksum.  UnknownError for what is no checksum."""
        if not _SHA256.fullmatch(sha256):
            raise UnknownError("This is not the id of an upload.", "Upload the image again.")
        return self.inputs / sha256

    def shown(self, file: str) -> Path:
        """The file of an image, by the name that its row has (`2026-11/NAME.png`)."""
        return self.images / _relative(file)

    def trashed(self, file: str) -> Path:
        """Where the same file lies once it was deleted."""
        return self.trash / _relative(file)

    def thumbnail(self, sha256: str, side: int) -> Path:
        """A cached picture of an image file, by the checksum of that file."""
        if not _SHA256.fullmatch(sha256):
            raise UnknownError("This is not a checksum.")
        return self.thumbnails / sha256[:2] / f"{sha256}-{int(side)}.webp"

    def film(self, job: str, index: int) -> Path:
        """The folder of the previews of one image."""
        if not _ID.fullmatch(job):
            raise UnknownError("There is no such job.")
        return self.films / job / str(int(index))

    def film_step(self, job: str, index: int, step: int) -> Path:
        """The preview after a step, counted from 1."""
        return self.film(job, index) / f"{int(step)}.webp"

    def lock(self, address: str = "") -> "ServerLock":
        """Take the folder for this process, until `release` or its death.

        FolderInUseError, which names process and address of the first, where it is taken.
        `address`: shown to others; it holds no token.
        """
        self.create()
        return ServerLock(self.root, address)


class ServerLock:
    """A lock of the operating system: it cannot outlive the process that holds it."""

    def __init__(self, root: Path, address: str) -> None:
        self._lock = filelock.FileLock(root / "server.lock", timeout=0, thread_local=False)
        self._card = root / "server.json"
        try:
            self._lock.acquire()
        except filelock.Timeout as error:
            raise _in_use(root, self._card) from error
        except OSError as error:
            raise durable.output_error(error, "The data folder cannot be locked") from error
        try:
            self.announce(address)
        except OutputError:
            self._lock.release()
            raise

    def announce(self, address: str) -> None:
        """Tell other servers where this one listens."""
        card = json.dumps({"pid": os.getpid(), "address": address})
        durable.write(self._card, card.encode())

    def release(self) -> None:
        """Give the folder free.  Twice is once."""
        if self._lock.is_locked:
            with suppress(OSError):
                self._card.unlink(missing_ok=True)
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def _in_use(root: Path, card: Path) -> FolderInUseError:
    """The refusal, with what is known of the first server."""
    end = time.monotonic() + _PATIENCE
    while True:
        who = _holder(card)
        if who is not None or time.monotonic() > end:
            break
        time.sleep(0.02)
    process, address = who or (None, "")
    name = "another process" if process is None else f"process {process}"
    where = f" at {address}" if address else ""
    return FolderInUseError(
        f"The data folder {root.name} is served already, by {name}{where}.",
        "Use that one, stop it, or name another folder with --data.",
    )


def _holder(card: Path) -> tuple[int, str] | None:
    """Process and address on the card of a server that lives; None for an old card, or none."""
    try:
        said = json.loads(card.read_bytes())
        process, address = said["pid"], said["address"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if type(process) is not int or not isinstance(address, str):
        return None
    if os.name == "posix":
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return None
        except OSError:
            pass  # it lives, and is another user's
    return process, address


def _relative(file: str) -> PurePosixPath:
    """A name out of a row, which must stay within its folder."""
    path = PurePosixPath(file)
    odd = path.is_absolute() or ".." in path.parts or "\\" in file or ":" in file or "\0" in file
    if odd or not path.parts:
        raise UnknownError("There is no such file.")
    return path
