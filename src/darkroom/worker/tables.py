"""The labelled table at the end of a comparison, made of the images that are there."""

import math
from collections.abc import Sequence
from contextlib import suppress
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
    if job.images != comparing.cells_of(axes):
        return None
    cells = _cells(store, [f"{job.id}-{number}" for number in range(job.images)])
    if not any(cells):
        return None
    heads = sheet.Heads(
        names=tuple(axis.label for axis in axes), values=tuple(axis.labels for axis in axes)
    )
    raster = sheet.labelled(cells, heads, job.title)
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


def _cells(store: Store, images: Sequence[str]) -> list[Raster | None]:
    """The images, made smaller alike where all of them would be too much: one by one, so that
    they never are in memory together as they were.
    """
    pixels = 0
    for name in images:
        with suppress(DarkroomError):
            image = store.gallery.get(name)
            pixels += image.width * image.height
    by = min(1.0, math.sqrt(_PIXELS / max(pixels, 1)))
    return [_cell(store, name, by) for name in images]


def _cell(store: Store, image: str, by: float) -> Raster | None:
    """An image of the job; None where it was skipped, or taken away by hand."""
    try:
        pixels = io.read_file(store.gallery.path(image)).pixels
    except DarkroomError:
        return None
    if by < 1:
        height, width, _ = pixels.shape
        pixels = io.fit(pixels, max(1, int(width * by)), max(1, int(height * by)))
    return io.from_array(pixels)


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
