"""The gallery: a row for every image file, found by what it shows and how it was made."""

import shutil
import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from darkroom.contracts import Recipe
from darkroom.errors import RequestError
from darkroom.store import durable, filters, moments, rebuilding, rows, searching
from darkroom.store.database import Database
from darkroom.store.folder import DataFolder
from darkroom.store.pictures import Filter, Found, Image, Order, Page, Rebuilt
from darkroom.store.refusals import UnknownError

MAX_PAGE = 500
_LONGEST_TAG = 100
_AT_ONCE = 50  # images that one transaction removes
_MOST_TAGS = 100


class Gallery:
    """The images of a data folder.  Threads and processes may share it."""

    def __init__(self, database: Database, folder: DataFolder) -> None:
        self._database = database
        self._folder = folder

    def page(
        self,
        chosen: Filter | None = None,
        *,
        order: Order = "new",
        after: str | None = None,
        limit: int = 100,
    ) -> Page:
        """Images that pass a filter.  RequestError for a limit, an order or a time that is none."""
        if not 1 <= limit <= MAX_PAGE:
            raise RequestError(f"limit: expected 1 to {MAX_PAGE}, got {limit}.")
        if order not in {"new", "old"}:
            raise RequestError("order: expected new or old.")
        newest = order == "new"
        with self._database.read() as connection:
            condition, values = _where(connection, chosen)
            if after is not None:
                condition += f" AND seq {'<' if newest else '>'} ?"
                values.append(_cursor(after))
            found = connection.execute(
                f"SELECT * FROM images WHERE {condition}"  # noqa: S608
                f" ORDER BY seq {'DESC' if newest else 'ASC'} LIMIT ?",
                [*values, limit + 1],
            ).fetchall()
            images = rows.images(connection, self._folder, found[:limit])
        more = len(found) > limit
        return Page(images=images, next=str(found[limit - 1]["seq"]) if more else None)

    def count(self, chosen: Filter | None = None) -> int:
        """How many pass a filter."""
        with self._database.read() as connection:
            condition, values = _where(connection, chosen)
            found = connection.execute(
                f"SELECT count(*) FROM images WHERE {condition}",  # noqa: S608
                values,
            ).fetchone()
            return int(found[0])

    def get(self, image: str) -> Image:
        """UnknownError.  Trashed images are found as well."""
        with self._database.read() as connection:
            return self._image(connection, image)

    def path(self, image: str) -> Path:
        """Where the file lies.  UnknownError where it is missing."""
        with self._database.read() as connection:
            row = _row(connection, image)
        place = rows.place(self._folder, row["file"], trashed=row["trashed"] is not None)
        if place is None:
            raise UnknownError("The file of this image was taken away.")
        return place

    def recipe(self, image: str) -> Recipe | None:
        """How it was made; None where it is not known.  UnknownError."""
        with self._database.read() as connection:
            return rows.recipe_of(_beside(connection, image, "recipe"))

    def notes(self, image: str) -> tuple[str, ...]:
        """Sentences of the run that made it.  UnknownError."""
        with self._database.read() as connection:
            return rows.texts_of(_beside(connection, image, "notes") or "[]")

    def parents(self, image: str) -> tuple[Image, ...]:
        """Images that it was made from, as far as they are here, oldest first.  UnknownError."""
        with self._database.read() as connection:
            row = _row(connection, image)
            found = connection.execute(
                "WITH RECURSIVE origins (sha256) AS (SELECT sha256 FROM sources WHERE image = ?"
                " UNION SELECT original FROM derived JOIN origins USING (sha256))"
                " SELECT images.* FROM images JOIN origins USING (sha256)"
                " WHERE seq != ? ORDER BY seq",
                [row["seq"], row["seq"]],
            ).fetchall()
            return rows.images(connection, self._folder, found)

    def children(self, image: str) -> tuple[Image, ...]:
        """Images that were made from it, newest first, at most a page.  UnknownError."""
        with self._database.read() as connection:
            row = _row(connection, image)
            found = connection.execute(
                "WITH RECURSIVE heirs (sha256) AS (VALUES (?) UNION SELECT derived.sha256"
                " FROM derived JOIN heirs ON derived.original = heirs.sha256)"
                " SELECT * FROM images WHERE seq IN (SELECT image FROM sources JOIN heirs"
                " USING (sha256)) AND seq != ? ORDER BY seq DESC LIMIT ?",
                [row["sha256"], row["seq"], MAX_PAGE],
            ).fetchall()
            return rows.images(connection, self._folder, found)

    def derived(self, sha256: str, original: str) -> None:
        """An input was drawn over another file (of an image, or an input): lineage goes through.

        Both are checksums.
        """
        self._folder.input(sha256), self._folder.input(original)
        with self._database.write() as connection:
            if sha256 != original:
                connection.execute(
                    "INSERT OR IGNORE INTO derived VALUES (?, ?)", [sha256, original]
                )

    def favourite(self, image: str, chosen: bool) -> Image:
        """Mark or unmark.  UnknownError."""
        with self._database.write() as connection:
            seq = _row(connection, image)["seq"]
            connection.execute("UPDATE images SET favourite = ? WHERE seq = ?", [chosen, seq])
            return self._image(connection, image)

    def tag(self, image: str, tags: Collection[str]) -> Image:
        """Give it exactly these tags.  UnknownError; RequestError for empty or very long ones."""
        said = dict.fromkeys(searching.clean(tag).strip() for tag in tags)
        if len(said) > _MOST_TAGS or any(not 1 <= len(tag) <= _LONGEST_TAG for tag in said):
            raise RequestError(
                f"tags: expected at most {_MOST_TAGS} of 1 to {_LONGEST_TAG} characters."
            )
        with self._database.write() as connection:
            seq = _row(connection, image)["seq"]
            connection.execute("DELETE FROM tags WHERE image = ?", [seq])
            connection.executemany("INSERT INTO tags VALUES (?, ?)", [(tag, seq) for tag in said])
            return self._image(connection, image)

    def tags(self) -> tuple[tuple[str, int], ...]:
        """All tags in use, with the number of their images."""
        return self._counted(
            "SELECT tag, count(*) FROM tags JOIN images ON seq = image"
            " WHERE trashed IS NULL GROUP BY tag ORDER BY tag"
        )

    def models(self) -> tuple[tuple[str, int], ...]:
        """All models that made images, with their number."""
        return self._counted(
            "SELECT model, count(*) FROM images WHERE trashed IS NULL AND model IS NOT NULL"
            " GROUP BY model ORDER BY model"
        )

    def trash(self, images: Sequence[str]) -> tuple[str, ...]:
        """Delete images, so that `restore` brings them back.  The ids of those that were there."""
        return self._moved(images, moments.now())

    def restore(self, images: Sequence[str]) -> tuple[str, ...]:
        """Bring deleted images back.  The ids of those that were in the trash."""
        return self._moved(images, None)

    def purge(
        self, images: Sequence[str] | None = None, *, days: float | None = None
    ) -> tuple[str, ...]:
        """Remove deleted images for good: these, or all deleted `days` ago.  Their ids."""
        limit = None
        if days is not None:
            limit = moments.text(datetime.now(UTC) - timedelta(days=days))
        with self._database.read() as connection:
            names = [row["id"] for row in _rows(connection, images)]
        removed: list[str] = []
        for start in range(0, len(names), _AT_ONCE):
            with self._database.write() as connection:
                for row in list(_rows(connection, names[start : start + _AT_ONCE])):
                    if row["trashed"] is not None and (limit is None or row["trashed"] <= limit):
                        self._unlink(row)
                        rows.delete(connection, row["seq"])
                        removed.append(row["id"])
        return tuple(removed)

    def rebuild(
        self,
        read: Callable[[Path], Found],
        tell: Callable[[int, int], None] = lambda _done, _all: None,
    ) -> Rebuilt:
        """Add rows for files that have none: after the database was lost, or files were put there.

        `read` looks into a file, and raises DarkroomError for what is no image.  `tell` hears how
        many files are done of how many.
        """
        return rebuilding.rebuild(self._database, self._folder, read, tell)

    def _moved(self, images: Sequence[str], trashed: str | None) -> tuple[str, ...]:
        """Move files and rows into the trash or out of it.  A file that stays behind is found."""
        away = trashed is not None
        with self._database.write() as connection:
            found = [row for row in _rows(connection, images) if (row["trashed"] is None) == away]
            for row in found:
                there, here = self._folder.trashed(row["file"]), self._folder.shown(row["file"])
                with suppress(OSError):
                    target = there if away else here
                    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                    (here if away else there).replace(target)
                connection.execute(
                    "UPDATE images SET trashed = ? WHERE seq = ?", [trashed, row["seq"]]
                )
        return tuple(row["id"] for row in found)

    def _unlink(self, row: sqlite3.Row) -> None:
        """Remove all files of an image.  Its row goes last, so that nothing is left behind."""
        durable.discard(self._folder.shown(row["file"]))
        durable.discard(self._folder.trashed(row["file"]))
        for thumbnail in self._folder.thumbnail(row["sha256"], 0).parent.glob(f"{row['sha256']}-*"):
            durable.discard(thumbnail)
        if row["job"] is not None and row["number"] is not None:
            film = self._folder.film(row["job"], row["number"])
            shutil.rmtree(film, ignore_errors=True)
            with suppress(OSError):
                film.parent.rmdir()

    def _image(self, connection: sqlite3.Connection, image: str) -> Image:
        return rows.images(connection, self._folder, [_row(connection, image)])[0]

    def _counted(self, query: str) -> tuple[tuple[str, int], ...]:
        with self._database.read() as connection:
            return tuple((row[0], row[1]) for row in connection.execute(query))


def _where(connection: sqlite3.Connection, chosen: Filter | None) -> tuple[str, list[object]]:
    return filters.where(chosen or Filter(), index=searching.indexed(connection))


def _row(connection: sqlite3.Connection, image: str) -> sqlite3.Row:
    found = next(_rows(connection, [image]), None)
    if found is None:
        raise UnknownError("There is no such image (any more).")
    return found


def _rows(connection: sqlite3.Connection, images: Sequence[str] | None) -> Iterator[sqlite3.Row]:
    """The rows of these images, each once, or of all in the trash."""
    if images is None:
        yield from connection.execute("SELECT * FROM images WHERE trashed IS NOT NULL").fetchall()
        return
    for name in dict.fromkeys(images):
        row = connection.execute(
            "SELECT * FROM images WHERE id = ?", [searching.clean(name)]
        ).fetchone()
        if row is not None:
            yield row


def _beside(connection: sqlite3.Connection, image: str, column: str) -> str | None:
    """What stands beside the row of an image."""
    found = connection.execute(
        f"SELECT {column} FROM recipes WHERE image = ?",  # noqa: S608
        [_row(connection, image)["seq"]],
    ).fetchone()
    return None if found is None else found[0]


def _cursor(after: str) -> int:
    """Where the page before ended."""
    if not after.isascii() or not after.isdigit() or len(after) > 18:
        raise RequestError("after: this is not the end of a page.")
    return int(after)
