"""Rows for files that have none: what the database lost, the files still say."""

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from darkroom.errors import DarkroomError
from darkroom.store import durable, moments, rows
from darkroom.store.claims import SUFFIXES
from darkroom.store.database import Database
from darkroom.store.folder import DataFolder
from darkroom.store.pictures import Found, Rebuilt

_OURS = re.compile(r"(\d{8}-\d{6})-([0-9a-f]{16})-(\d{3,9}|sheet)")
_AT_ONCE = 50  # files of one transaction


@dataclass(frozen=True, kw_only=True)
class _File:
    """A file without a row.  `name`: as rows have it."""

    path: Path
    name: str
    created: str
    trashed: bool


def rebuild(
    database: Database,
    folder: DataFolder,
    read: Callable[[Path], Found],
    tell: Callable[[int, int], None],
) -> Rebuilt:
    """As `Gallery.rebuild`.  What is known stays as it is; it may be called at any time."""
    with database.read() as connection:
        known = {row[0] for row in connection.execute("SELECT file FROM images")}
    files = sorted(_files(folder), key=lambda file: (file.created, file.name))
    fresh = [file for file in files if file.name not in known]
    added, unreadable = 0, []
    for start in range(0, len(fresh), _AT_ONCE):
        found = []
        for file in fresh[start : start + _AT_ONCE]:
            try:
                found.append(_row(folder, file, read(file.path)))
            except (DarkroomError, OSError):
                unreadable.append(file.path.name)
        added += _insert(database, found)
        tell(min(start + _AT_ONCE, len(fresh)), len(fresh))
    return Rebuilt(added=added, known=len(files) - len(fresh), unreadable=tuple(unreadable))


def _insert(database: Database, found: list[rows.NewRow]) -> int:
    """How many of these rows were new.  What a waiting job made needs not be made again."""
    added = 0
    with database.write() as connection:
        for row in found:
            added += rows.insert(connection, row)
            connection.execute(
                "INSERT OR IGNORE INTO made SELECT id, coalesce(?, images), ? FROM jobs"
                " WHERE id = ? AND (? IS NOT NULL OR grid IS NOT NULL)",
                [row.number, row.id, row.job, row.number],
            )
    return added


def _files(folder: DataFolder) -> Iterator[_File]:
    """All images that lie in the gallery, and in its trash."""
    for place, trashed in (folder.images, False), (folder.trash, True):
        for path in place.rglob("*"):
            if path.suffix.lower() not in SUFFIXES or durable.is_part(path) or not path.is_file():
                continue
            name = path.relative_to(place).as_posix()
            yield _File(path=path, name=name, created=_created(path), trashed=trashed)


def _created(path: Path) -> str:
    """When an image was made: its name says it, or else the file's own time."""
    ours = _OURS.fullmatch(path.stem)
    try:
        if ours is not None:
            moment = datetime.strptime(ours[1], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
            return moments.text(moment)
        return moments.text(datetime.fromtimestamp(path.stat().st_mtime, UTC))
    except (ValueError, OSError, OverflowError):
        return moments.now()


def _row(folder: DataFolder, file: _File, found: Found) -> rows.NewRow:
    """The row of a file.  Those that were not named here get an id of contents and name."""
    data = file.path.read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    ours = _OURS.fullmatch(file.path.stem)
    job = None if ours is None else ours[2]
    sheet = ours is not None and ours[3] == "sheet"
    number = None if ours is None or sheet else int(ours[3]) - 1
    steps = 0
    if job is not None and number is not None:
        steps = len(list(folder.film(job, number).glob("*.webp")))
    name = hashlib.sha256(f"{sha256}{file.name}".encode()).hexdigest()
    return rows.NewRow(
        id=f"found-{name[:24]}" if ours is None else f"{job}-{'sheet' if sheet else number}",
        job=job,
        number=number,
        sheet=sheet,
        file=file.name,
        sha256=sha256,
        bytes=len(data),
        width=found.width,
        height=found.height,
        created=file.created,
        recipe=found.recipe,
        film_steps=steps,
        trashed=moments.now() if file.trashed else None,
    )
