"""What nobody can miss: old trash, unused uploads, films of forgotten jobs, halves of files."""

import shutil
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from darkroom.store import durable
from darkroom.store.database import Database
from darkroom.store.folder import DataFolder

_HALF_DAYS = 1.0  # nobody writes at one file for so long


def used_inputs(database: Database) -> set[str]:
    """Ids of uploads that a job or an image was made from, or that such an one was drawn over."""
    with database.read() as connection:
        rows = connection.execute(
            "SELECT sha256 FROM job_inputs UNION SELECT sha256 FROM sources"
            " UNION SELECT original FROM derived"
        ).fetchall()
    return {row[0] for row in rows}


def remove_films(database: Database, folder: DataFolder, *, days: float) -> int:
    """Remove the films of jobs that are forgotten and have no images.  How many."""
    with database.read() as connection:
        rows = connection.execute(
            "SELECT id FROM jobs UNION SELECT job FROM images WHERE job IS NOT NULL"
        ).fetchall()
    return _remove_old(folder.films, {row[0] for row in rows}, days)


def remove_halves(folder: DataFolder) -> int:
    """Remove what processes were writing when they were killed.  How many."""
    limit = time.time() - _HALF_DAYS * 86_400
    removed = 0
    for place in (folder.root, *_below(folder.images), folder.inputs, *_below(folder.thumbnails)):
        with suppress(FileNotFoundError):
            for path in [path for path in place.iterdir() if durable.is_part(path)]:
                with suppress(OSError):
                    if path.stat().st_mtime < limit:
                        path.unlink()
                        removed += 1
    return removed


def _below(folder: Path) -> list[Path]:
    with suppress(FileNotFoundError):
        return [folder, *(path for path in folder.iterdir() if path.is_dir())]
    return []


def _remove_old(folder: Path, kept: Collection[str], days: float) -> int:
    """Remove the folders in a folder that are not among the kept, and are so old."""
    limit = time.time() - days * 86_400
    removed = 0
    with suppress(FileNotFoundError):
        for path in list(folder.iterdir()):
            with suppress(OSError):
                if path.name not in kept and path.is_dir() and path.stat().st_mtime < limit:
                    shutil.rmtree(path)
                    removed += 1
    return removed
