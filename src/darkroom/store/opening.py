"""All of a data folder in one hand: for a server, which mends it, and for a worker, which joins."""

from dataclasses import dataclass
from pathlib import Path

from darkroom.store.database import Database
from darkroom.store.folder import DataFolder
from darkroom.store.gallery import Gallery
from darkroom.store.inputs import Inputs
from darkroom.store.machines import Machines
from darkroom.store.queue import Queue


@dataclass(frozen=True, kw_only=True)
class Store:
    """`notes`: what was mended while it was opened, for the user.

    `rebuild`: whether the gallery lost rows, so that `gallery.rebuild` should be called.
    """

    folder: DataFolder
    database: Database
    queue: Queue
    gallery: Gallery
    inputs: Inputs
    machines: Machines
    notes: tuple[str, ...] = ()
    rebuild: bool = False

    def close(self) -> None:
        """Close the database."""
        self.database.close()


def open_store(root: Path) -> Store:
    """For a server that holds the folder's lock: make, migrate or mend what is there.

    StoreError where a newer program made it; OutputError where the disk refuses.
    """
    raise NotImplementedError


def join_store(root: Path) -> Store:
    """For a worker: the store that a server has opened.  StoreError where none has."""
    raise NotImplementedError
