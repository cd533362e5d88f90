"""The only way in which an image leaves: decoded, marked, with its recipe, then written."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

import darkroom
from darkroom.checkpoints import catalog
from darkroom.contracts import Event, ImageDone, Recipe
from darkroom.errors import RequestError
from darkroom.images import io, provenance, watermark
from darkroom.images.io import Format
from darkroom.tasks.pixels import to_raster
from darkroom.tasks.studio import Batch, Studio


def finish(studio: Studio, batch: Batch, latents: Tensor) -> Iterator[Event]:
    """Scaled latents [B, C, h, w] to finished images, one event an image as soon as it is one."""
    resolved = studio.resolved
    for place, latent in enumerate(latents):
        raster = to_raster(studio.decode(latent), resolved.width, resolved.height)
        yield from studio.notes()
        if resolved.watermark is not None:
            marked = watermark.embed(io.to_array(raster), resolved.watermark)
            raster = io.from_array(marked)
        seed = batch.seeds[place]
        yield ImageDone(
            index=batch.first + place,
            seed=seed,
            image=raster,
            recipe=_recipe(studio, seed),
            private=resolved.request.private,
        )


def encode(done: ImageDone, file_format: Format, *, private: bool = False) -> bytes:
    """The image as a file that says that AI made it and, unless it or the call is private, how."""
    recipe = done.recipe
    mark = provenance.new_mark(darkroom.__version__, edited=recipe.input_sha256 is not None)
    return io.encode(
        done.image, file_format, mark=mark, recipe=None if private or done.private else recipe
    )


def write(
    done: ImageDone,
    path: Path,
    *,
    file_format: Format | None = None,
    overwrite: bool = False,
    private: bool = False,
) -> None:
    """Write the image to `path`, whole or not at all; the format is that of the suffix.

    Raises:
        OutputError: it cannot be written, or a file stands there and is not to be replaced.
        RequestError: the suffix names no format, and none was given.
    """
    chosen = io.SUFFIXES.get(path.suffix.lower()) if file_format is None else file_format
    if chosen is None:
        raise RequestError(
            f"{path.name} names no kind of image that Darkroom writes.",
            "End the name in .png, .jpg or .webp.",
        )
    io.write_atomic(path, encode(done, chosen, private=private), overwrite=overwrite)


def _recipe(studio: Studio, seed: int) -> Recipe:
    """Everything needed to make this image again, and no path of this computer."""
    resolved, plan, spec = studio.resolved, studio.plan, studio.spec
    request = resolved.request
    image = request.image
    return Recipe(
        task=request.task,
        prompt=request.prompt,
        negative=request.negative,
        seed=seed,
        steps=resolved.steps,
        requested_steps=(
            None if resolved.steps == resolved.requested_steps else resolved.requested_steps
        ),
        sampler=resolved.sampler,
        schedule=resolved.schedule,
        guidance=resolved.guidance,
        eta=resolved.eta,
        width=resolved.width,
        height=resolved.height,
        strength=None if image is None else resolved.strength,
        input_sha256=None if image is None else hashlib.sha256(image).hexdigest(),
        model=spec.name,
        model_sha256=catalog.sha256(spec.path),
        prediction=resolved.prediction,
        ema=request.ema,
        precision=plan.precision,
        engine=plan.engine,
        device=plan.device,
        watermark=None if resolved.watermark is None else resolved.watermark.decode(),
        software=f"Darkroom {darkroom.__version__}",
        versions={"darkroom": darkroom.__version__, "torch": torch.__version__},
    )
