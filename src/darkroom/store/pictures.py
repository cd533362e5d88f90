"""What the gallery holds, and what it can be asked for.  All values are frozen."""

from dataclasses import dataclass
from typing import Literal

from darkroom.contracts import Recipe

Order = Literal["new", "old"]


@dataclass(frozen=True, kw_only=True)
class Image:
    """One image.  `file`: its name for `DataFolder.shown`; `sha256`: of that file.

    `number`: its place in the job; `sheet`: it is the table of a comparison.  `width`, `height`:
    of the picture.  `seed`, `model`, `task`: None where nothing is known.  `created`: ISO 8601,
    UTC.  `film_steps`: previews that can be looked at.  `flagged`: the safety checker
    found it unsafe.  `missing`: the file was taken away by
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
    flagged: bool
    missing: bool
    trashed: str | None


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which images.  `search`: words that the prompt holds, all of them; any text is safe.

    `min_side`, `max_side`: limits for both sides, in pixels.  `since`, `until`: ISO 8601 dates or
    times; a date alone is meant with all of that day.  `trashed`: the trash, and nothing else.
    `job`: images of this job alone.
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
    """What a file says of itself, for `Gallery.rebuild`.  Sizes in pixels."""

    width: int
    height: int
    recipe: Recipe | None


@dataclass(frozen=True, kw_only=True)
class Rebuilt:
    """What `Gallery.rebuild` did.  `unreadable`: names of files that are no images."""

    added: int
    known: int
    unreadable: tuple[str, ...]
