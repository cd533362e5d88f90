"""Rows of images: how one is written, and how it is read."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from darkroom.contracts import Recipe
from darkroom.errors import RequestError
from darkroom.store import searching, wire
from darkroom.store.folder import DataFolder
from darkroom.store.pictures import Image


@dataclass(frozen=True, kw_only=True)
class NewRow:
    """An image whose file is complete.  Fields as in `Image`.

    `told`: what stands for the prompt where there is no recipe.
    """

    id: str
    job: str | None
    number: int | None
    sheet: bool
    file: str
    sha256: str
    bytes: int
    width: int
    height: int
    created: str
    recipe: Recipe | None = field(repr=False)
    told: str = ""
    notes: Sequence[str] = ()
    film_steps: int = 0
    trashed: str | None = None


def insert(connection: sqlite3.Connection, new: NewRow) -> bool:
    """Write a row, and what hangs on it.  False where the image is there already."""
    recipe = new.recipe
    prompt = searching.clean(new.told if recipe is None else recipe.prompt)
    done = connection.execute(
        "INSERT OR IGNORE INTO images (id, job, number, sheet, file, sha256, bytes, width, height,"
        " seed, prompt, negative, model, task, created, film_steps, flagged, trashed)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            *(new.id, new.job, new.number, new.sheet, new.file, new.sha256, new.bytes),
            *(new.width, new.height, None if recipe is None else str(recipe.seed), prompt),
            "" if recipe is None else searching.clean(recipe.negative),
            None if recipe is None else searching.clean(recipe.model),
            None if recipe is None else recipe.task,
            *(new.created, new.film_steps, recipe is not None and recipe.flagged, new.trashed),
        ],
    )
    if done.rowcount < 1 or done.lastrowid is None:
        return False
    seq = done.lastrowid
    if searching.indexed(connection):
        searching.add(connection, seq, prompt)
    text = None if recipe is None else json.dumps(wire.recipe_to_wire(recipe))
    connection.execute(
        "INSERT INTO recipes VALUES (?, ?, ?)", [seq, text, json.dumps(list(new.notes))]
    )
    connection.executemany(
        "INSERT OR IGNORE INTO sources VALUES (?, ?)",
        [(seq, sha256) for sha256 in _sources(recipe)],
    )
    return True


def delete(connection: sqlite3.Connection, seq: int) -> None:
    """Remove a row, and what hangs on it."""
    row = connection.execute("SELECT prompt FROM images WHERE seq = ?", [seq]).fetchone()
    if row is not None:
        if searching.indexed(connection):
            searching.remove(connection, seq, row["prompt"])
        connection.execute("DELETE FROM images WHERE seq = ?", [seq])


def images(
    connection: sqlite3.Connection, folder: DataFolder, rows: Sequence[sqlite3.Row]
) -> tuple[Image, ...]:
    """Images of rows of the table `images`, in the same order."""
    tags: dict[int, list[str]] = {}
    marks = ", ".join("?" * len(rows))
    for row in connection.execute(
        f"SELECT image, tag FROM tags WHERE image IN ({marks}) ORDER BY tag",  # noqa: S608
        [row["seq"] for row in rows],
    ):
        tags.setdefault(row["image"], []).append(row["tag"])
    return tuple(_image(row, folder, tags.get(row["seq"], [])) for row in rows)


def place(folder: DataFolder, file: str, *, trashed: bool) -> Path | None:
    """Where a file lies: in its folder or, where a move was interrupted, in the other one."""
    places = [folder.shown(file), folder.trashed(file)]
    return next((one for one in places[:: -1 if trashed else 1] if one.is_file()), None)


def recipe_of(text: str | None) -> Recipe | None:
    """A recipe as a row keeps it; None where there is none that can be understood."""
    if text is None:
        return None
    try:
        return wire.recipe_from_wire(json.loads(text))
    except (ValueError, RequestError):
        return None


def texts_of(text: str) -> tuple[str, ...]:
    """A list of sentences as a row keeps it."""
    try:
        found = json.loads(text)
    except ValueError:
        return ()
    return tuple(str(one) for one in found) if isinstance(found, list) else ()


def _image(row: sqlite3.Row, folder: DataFolder, tags: Sequence[str]) -> Image:
    values = {name: row[name] for name in _COPIED}
    return Image(
        **values,
        sheet=bool(row["sheet"]),
        seed=None if row["seed"] is None else int(row["seed"]),
        favourite=bool(row["favourite"]),
        flagged=bool(row["flagged"]),
        tags=tuple(tags),
        missing=place(folder, row["file"], trashed=row["trashed"] is not None) is None,
    )


_COPIED = (
    *("id", "job", "number", "file", "sha256", "bytes", "width", "height", "prompt"),
    *("negative", "model", "task", "created", "film_steps", "trashed"),
)


def _sources(recipe: Recipe | None) -> tuple[str, ...]:
    """Checksums of the files that an image was made from."""
    if recipe is None:
        return ()
    files = (recipe.input_sha256, recipe.mask_sha256, recipe.depth_sha256, *recipe.images_sha256)
    return tuple(one for one in files if one is not None)
