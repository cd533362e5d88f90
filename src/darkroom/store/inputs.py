"""Images that came in, kept by their checksum: what a job was made from can be had again."""

import hashlib
import os
import time
from collections.abc import Collection
from contextlib import suppress

from darkroom.store import durable
from darkroom.store.folder import DataFolder
from darkroom.store.refusals import UnknownError


class Inputs:
    """Files in the folder `inputs`, named by their SHA-256 and by nothing that a client said."""

    def __init__(self, folder: DataFolder) -> None:
        self._folder = folder

    def keep(self, data: bytes) -> str:
        """Keep a file, durably, and return its id.  OutputError, DiskFullError."""
        name = hashlib.sha256(data).hexdigest()
        place = self._folder.input(name)
        try:
            if place.read_bytes() == data:  # else it was damaged, and is mended
                os.utime(place)  # it is used again: `prune` leaves it
                return name
        except OSError:
            pass
        durable.write(place, data)
        return name

    def read(self, name: str) -> bytes:
        """The file with this id.  UnknownError where it is no id, or gone, or was changed."""
        place = self._folder.input(name)
        try:
            data = place.read_bytes()
        except OSError as error:
            raise _gone() from error
        if hashlib.sha256(data).hexdigest() != name:
            raise _gone()
        return data

    def exists(self, name: str) -> bool:
        """Whether `read` would find it."""
        return self._folder.input(name).is_file()

    def prune(self, used: Collection[str], *, days: float = 7.0) -> int:
        """Remove files that nothing uses and nobody touched for some days.  How many."""
        limit = time.time() - days * 86_400
        removed = 0
        with suppress(FileNotFoundError):
            for place in list(self._folder.inputs.iterdir()):
                with suppress(OSError):
                    if place.name not in used and place.stat().st_mtime < limit:
                        place.unlink()
                        removed += 1
        return removed


def _gone() -> UnknownError:
    return UnknownError("The uploaded image is not there any more.", "Upload it again.")
