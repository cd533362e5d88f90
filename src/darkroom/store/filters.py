"""Filters of the gallery as conditions of SQL, with every value apart from the text."""

from collections.abc import Iterator

from darkroom.store import moments, searching
from darkroom.store.pictures import Filter


def where(chosen: Filter, *, index: bool) -> tuple[str, list[object]]:
    """The condition on the table `images`, and its values.  RequestError for a time that is none.

    `index`: whether prompts have an index of words.
    """
    found = list(_conditions(chosen, index=index))
    texts = [text for text, _ in found]
    return " AND ".join(texts), [value for _, values in found for value in values]


def _conditions(chosen: Filter, *, index: bool) -> Iterator[tuple[str, list[object]]]:
    yield f"trashed IS {'NOT ' if chosen.trashed else ''}NULL", []
    if chosen.search.strip():
        text, values = searching.condition(chosen.search, index=index)
        if text:
            yield text, values
    for name in ("model", "task", "job"):
        value = getattr(chosen, name)
        if value is not None:
            yield f"{name} = ?", [searching.clean(value)]
    if chosen.favourite is not None:
        yield "favourite" if chosen.favourite else "NOT favourite", []
    if chosen.tag is not None:
        tag = searching.clean(chosen.tag)
        yield "seq IN (SELECT image FROM tags WHERE tag = ?)", [tag]
    if chosen.min_side is not None:
        yield "min(width, height) >= ?", [_side(chosen.min_side)]
    if chosen.max_side is not None:
        yield "max(width, height) <= ?", [_side(chosen.max_side)]
    if chosen.since is not None:
        yield "created >= ?", [moments.limit(chosen.since, "from")]
    if chosen.until is not None:
        yield "created < ?", [moments.limit(chosen.until, "to", until=True)]


def _side(pixels: int) -> int:
    """A number that SQLite can hold."""
    return max(0, min(pixels, 2**31))
