"""All of a data folder in one hand: for a server, which mends it, and for a worker, which joins."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from darkroom.store import durable, mending, tidying
from darkroom.store.database import Database, explained
from darkroom.store.folder import DataFolder
from darkroom.store.gallery import Gallery
from darkroom.store.inputs import Inputs
from darkroom.store.machines import Machines
from darkroom.store.migrations import pending
from darkroom.store.queue import Queue
from darkroom.store.refusals import StoreError

_RESTORED = (
    "The database was damaged, and the queue comes from what could be read of it and from its last "
    "copy.  Look whether it is what you want, then let it go on."
)


@dataclass(frozen=True, kw_only=True)
class Store:
    """`notes`: what was mended while it was opened, for the user.

    `rebuild`: the gallery may lack rows, so that `gallery.rebuild` should be called.
    """

    folder: DataFolder
    database: Database
    queue: Queue
    gallery: Gallery
    inputs: Inputs
    machines: Machines
    notes: tuple[str, ...] = ()
    rebuild: bool = False

    def prune(
        self, *, trash_days: float = 30.0, input_days: float = 7.0, film_days: float = 1.0
    ) -> None:
        """Remove what nobody can miss: old trash, uploads that nothing was made from, films of
        jobs that are forgotten, and what processes were writing when they were killed.
        """
        self.gallery.purge(days=trash_days)
        self.inputs.prune(tidying.used_inputs(self.database), days=input_days)
        tidying.remove_films(self.database, self.folder, days=film_days)
        tidying.remove_halves(self.folder)

    def keep_copy(self) -> None:
        """Copy the database, unless that was done within the hour: what mending begins with."""
        try:
            mending.keep_copy(self.folder.database)
        except sqlite3.Error as error:
            raise explained(error) from error
        except OSError as error:
            raise durable.output_error(error, "The database cannot be copied") from error

    def close(self) -> None:
        """Close the database."""
        self.database.close()


def open_store(root: Path) -> Store:
    """For a server that holds the folder's lock: make, migrate or mend what is there.

    StoreError where a newer program made it; OutputError where the disk refuses.
    """
    folder = DataFolder(root)
    folder.create()
    state = mending.prepare(folder)
    store = _store(folder, notes=state.notes, rebuild=state.rebuild)
    if state.mended:
        queue = store.queue.state()
        if queue.waiting or queue.running:  # what ran when the copy was made waits soon
            store.queue.pause(True, _RESTORED)
    return store


def join_store(root: Path) -> Store:
    """For a worker: the store that a server has opened.  StoreError where none has."""
    folder = DataFolder(root)
    unfit = StoreError("The data folder was not opened yet.", "Start darkroom serve.")
    if not folder.database.is_file():
        raise unfit
    store = _store(folder)
    with store.database.read() as connection:
        if pending(connection):
            raise unfit
    return store


def _store(folder: DataFolder, *, notes: tuple[str, ...] = (), rebuild: bool = False) -> Store:
    database = Database(folder.database)
    return Store(
        folder=folder,
        database=database,
        queue=Queue(database, folder),
        gallery=Gallery(database, folder),
        inputs=Inputs(folder),
        machines=Machines(database),
        notes=notes,
        rebuild=rebuild,
    )
