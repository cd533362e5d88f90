"""The labelled table at the end of a comparison, made of the images that are there."""

import math
from collections.abc import Sequence
from typing import Any, cast

import darkroom
from darkroom.contracts import Raster
from darkroom.errors import DarkroomError
from darkroom.images import io, provenance, sheet, watermark
from darkroom.planning import comparing
from darkroom.store.jobs import Job, NewImage
from darkroom.store.opening import Store

_PIXELS = 40_000_000  # of all images of a table; they are made smaller above


def table(store: Store, job: Job) -> NewImage | None:
    """The table of a job that is a comparison; None where it has no images, or too few cells.

    It bears the mark, and the watermark of its images; a recipe makes one image, and it has none.
    """
    axes = comparing.axes(cast("Sequence[Any]", (job.grid or {}).get("axes", ())))
    cells = [_cell(store, f"{job.id}-{number}") for number in range(job.images)]
    shown = [cell for cell in cells if cell is not None]
    if not shown or len(cells) != comparing.cells_of(axes):
        return None
    heads = sheet.Heads(
        names=tuple(axis.label for axis in axes), values=tuple(axis.labels for axis in axes)
    )
    raster = sheet.labelled(_fitted(cells), heads, job.title)
    payload, edited = _marks(store, job)
    if payload is not None and raster.width * raster.height >= watermark.MIN_PIXELS:
        raster = io.from_array(watermark.embed(io.to_array(raster), payload.encode()))
    mark = provenance.new_mark(darkroom.__version__, edited=edited)
    return NewImage(
        data=io.encode(raster, "png", mark=mark),
        suffix=".png",
        width=raster.width,
        height=raster.height,
        recipe=None,
    )


def _cell(store: Store, image: str) -> Raster | None:
    """An image of the job; None where it was skipped, or taken away by hand."""
    try:
        return io.from_array(io.read_file(store.gallery.path(image)).pixels)
    except DarkroomError:
        return None


def _marks(store: Store, job: Job) -> tuple[str | None, bool]:
    """The watermark of the first image that is there, and whether any began with an image."""
    payload, edited = None, False
    for number in range(job.images):
        try:
            recipe = store.gallery.recipe(f"{job.id}-{number}")
        except DarkroomError:
            continue
        if recipe is not None:
            payload = payload or recipe.watermark
            edited = edited or recipe.input_sha256 is not None
    return payload, edited


def _fitted(cells: Sequence[Raster | None]) -> list[Raster | None]:
    """The images, made smaller alike where all of them would be too much."""
    pixels = sum(cell.width * cell.height for cell in cells if cell is not None)
    if pixels <= _PIXELS:
        return list(cells)
    by = math.sqrt(_PIXELS / pixels)
    return [
        None
        if cell is None
        else io.from_array(
            io.fit(io.to_array(cell), max(1, int(cell.width * by)), max(1, int(cell.height * by)))
        )
        for cell in cells
    ]
