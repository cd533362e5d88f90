"""The gallery: a row for every image file, found by what it shows and how it was made."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from darkroom.contracts import Recipe
from darkroom.store.database import Database
from darkroom.store.folder import DataFolder

Order = Literal["new", "old"]
MAX_PAGE = 500


@dataclass(frozen=True, kw_only=True)
class Image:
    """One image.  `file`: its name for `DataFolder.shown`; `sha256`: of that file.

    `number`: its place in the job; `sheet`: it is the table of a comparison.  `width`, `height`:
    of the picture.  `seed`, `model`, `task`: None where nothing is known.  `created`: ISO 8601,
    UTC.  `film_steps`: previews that can be looked at.  `missing`: the file was taken away by
    hand.  `trashed`: when it was deleted.
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
    seed: int | None
    prompt: str
    negative: str
    model: str | None
    task: str | None
    created: str
    favourite: bool
    tags: tuple[str, ...]
    film_steps: int
    missing: bool
    trashed: str | None


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which images.  `search`: words that the prompt holds, all of them; any text is safe.

    `min_side`, `max_side`: limits for both sides, in pixels.  `since`, `until`: ISO 8601 dates or
    times, until exclusive (a date alone: including that day).  `trashed`: the trash, and nothing
    else.  `jobs`: images of these jobs alone.
    """

    search: str = ""
    model: str | None = None
    task: str | None = None
    favourite: bool | None = None
    tag: str | None = None
    min_side: int | None = None
    max_side: int | None = None
    since: str | None = None
    until: str | None = None
    trashed: bool = False
    job: str | None = None


@dataclass(frozen=True, kw_only=True)
class Page:
    """Images in order.  `next`: what `after` must be for those that follow; None at the end."""

    images: tuple[Image, ...]
    next: str | None


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a file says of itself, for `rebuild`.  Sizes in pixels."""

    width: int
    height: int
    recipe: Recipe | None


@dataclass(frozen=True, kw_only=True)
class Rebuilt:
    """What `rebuild` did.  `unreadable`: names of files that are no images."""

    added: int
    known: int
    unreadable: tuple[str, ...]


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
        raise NotImplementedError

    def count(self, chosen: Filter | None = None) -> int:
        """How many pass a filter."""
        raise NotImplementedError

    def get(self, image: str) -> Image:
        """UnknownError.  Trashed images are found as well."""
        raise NotImplementedError

    def path(self, image: str) -> Path:
        """Where the file lies.  UnknownError where it is missing."""
        raise NotImplementedError

    def recipe(self, image: str) -> Recipe | None:
        """How it was made; None where it is not known.  UnknownError."""
        raise NotImplementedError

    def notes(self, image: str) -> tuple[str, ...]:
        """Sentences of the run that made it.  UnknownError."""
        raise NotImplementedError

    def parents(self, image: str) -> tuple[Image, ...]:
        """Images that it was made from, as far as they are here.  UnknownError."""
        raise NotImplementedError

    def children(self, image: str) -> tuple[Image, ...]:
        """Images that were made from it, newest first.  UnknownError."""
        raise NotImplementedError

    def derived(self, sha256: str, image: str) -> None:
        """An input was drawn over an image of the gallery: lineage goes through it."""
        raise NotImplementedError

    def favourite(self, image: str, chosen: bool) -> Image:
        """Mark or unmark.  UnknownError."""
        raise NotImplementedError

    def tag(self, image: str, tags: Collection[str]) -> Image:
        """Give it exactly these tags.  UnknownError; RequestError for empty or very long ones."""
        raise NotImplementedError

    def tags(self) -> tuple[tuple[str, int], ...]:
        """All tags in use, with the number of their images."""
        raise NotImplementedError

    def models(self) -> tuple[tuple[str, int], ...]:
        """All models that made images, with their number."""
        raise NotImplementedError

    def trash(self, images: Sequence[str]) -> tuple[str, ...]:
        """Delete images, so that `restore` brings them back.  The ids of those that were there."""
        raise NotImplementedError

    def restore(self, images: Sequence[str]) -> tuple[str, ...]:
        """Bring deleted images back.  The ids of those that were in the trash."""
        raise NotImplementedError

    def purge(self, images: Sequence[str] | None = None, *, days: float | None = None) -> int:
        """Remove deleted images for good: these, or all that were deleted `days` ago.  How many."""
        raise NotImplementedError

    def rebuild(
        self,
        read: Callable[[Path], Found],
        tell: Callable[[int, int], None] = lambda _done, _all: None,
    ) -> Rebuilt:
        """Add rows for files that have none: after the database was lost, or files were put there.

        `read` looks into a file, and raises DarkroomError for what is no image.  `tell` hears how
        many files are done of how many.
        """
        raise NotImplementedError
