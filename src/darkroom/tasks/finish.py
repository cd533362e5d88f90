"""The only way in which an image leaves: decoded, marked, with its recipe, then written."""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import darkroom
from darkroom.checkpoints import catalog
from darkroom.contracts import Event, ImageDone, Raster, Recipe, Resolved, Sides
from darkroom.errors import RequestError
from darkroom.images import io, masks, provenance, veil, watermark
from darkroom.images.io import Format, Pixels
from darkroom.planning.suitability import taken_by
from darkroom.tasks.judging import vae_of
from darkroom.tasks.pixels import to_raster
from darkroom.tasks.studio import Batch, Studio


@dataclass(frozen=True, kw_only=True, eq=False)
class Paste:
    """Where an image goes that is a part of another: onto `image`, where its mask says, in `box`.

    `image`: uint8 [H, W, 3].  `box`: left, top, right and bottom.
    """

    image: Pixels
    mask: masks.Mask
    box: Sides

    def onto(self, raster: Raster) -> Raster:
        """The whole image with this in it, fitted into the box."""
        left, top, right, bottom = self.box
        within = slice(top, bottom), slice(left, right)
        new = io.fit(io.to_array(raster), right - left, bottom - top)
        pixels = self.image.copy()
        pixels[within] = masks.mixed(self.image[within], new, self.mask.mixture[within])
        return io.from_array(pixels)

    def unchanged(self, raster: Raster) -> bool:
        """Whether outside the mask every pixel of a finished image is the first one's."""
        return masks.unchanged(self.image, io.to_array(raster), self.mask.mixture)


def finish(
    studio: Studio, batch: Batch, latents: Tensor, paste: Paste | None = None
) -> Iterator[Event]:
    """Scaled latents [B, C, h, w] to finished images, one event an image as soon as it is one."""
    resolved = studio.resolved
    size = resolved.passes[-1]
    for place, latent in enumerate(latents):
        raster = to_raster(studio.decode(latent), size.width, size.height)
        yield from studio.notes()
        if paste is not None:
            raster = paste.onto(raster)
        seed = batch.seeds[place]
        flagged = resolved.safety != "off" and studio.unsafe(raster, seed)
        yield from studio.notes()
        if flagged and resolved.safety == "blur":
            raster = veil.veiled(raster)
        if resolved.watermark is not None:
            marked = watermark.embed(io.to_array(raster), resolved.watermark)
            raster = io.from_array(marked)
        yield ImageDone(
            index=batch.first + place,
            seed=seed,
            image=raster,
            recipe=replace(
                _recipe(studio, batch, place),
                outside_unchanged=paste is not None and paste.unchanged(raster),
                flagged=flagged,
            ),
            private=resolved.request.private,
        )


def encode(
    done: ImageDone, file_format: Format, *, private: bool = False, quality: int | None = None
) -> bytes:
    """The image as a file that says that AI made it and, unless it or the call is private, how.

    `quality`: as `io.encode` takes it.
    """
    recipe = done.recipe
    mark = provenance.new_mark(darkroom.__version__, edited=recipe.input_sha256 is not None)
    if file_format == "jpeg" or quality is not None:
        recipe = replace(recipe, outside_unchanged=False)  # compression moves every pixel
    told = None if private or done.private else recipe
    return io.encode(done.image, file_format, mark=mark, recipe=told, quality=quality)


def write(
    done: ImageDone,
    path: Path,
    *,
    file_format: Format | None = None,
    overwrite: bool = False,
    private: bool = False,
    quality: int | None = None,
) -> None:
    """Write the image to `path`, whole or not at all; the format is that of the suffix.

    Raises:
        OutputError: it cannot be written, or a file stands there and is not to be replaced.
        RequestError: the suffix names no format and none was given, or there is no such quality.
    """
    chosen = io.SUFFIXES.get(path.suffix.lower()) if file_format is None else file_format
    if chosen is None:
        raise RequestError(
            f"{path.name} names no kind of image that Darkroom writes.",
            "End the name in .png, .jpg or .webp.",
        )
    data = encode(done, chosen, private=private, quality=quality)
    io.write_atomic(path, data, overwrite=overwrite)


def _recipe(studio: Studio, batch: Batch, place: int) -> Recipe:
    """Everything needed to make this image again, and no path of this computer."""
    resolved, plan, spec = studio.resolved, studio.plan, studio.spec
    request, size, hires = resolved.request, resolved.passes[0], resolved.hires
    varied, vae = bool(batch.variation_seeds), vae_of(request)
    return Recipe(
        task=request.task,
        prompt=request.prompt,
        negative=request.negative,
        prompt_syntax=resolved.prompt_syntax,
        clip_skip=resolved.clip_skip,
        seed=batch.seeds[place],
        seed_offset=resolved.seed_offset,
        variation_seed=batch.variation_seeds[place] if varied else None,
        variation_strength=resolved.variation_strength,
        noise=resolved.noise,
        steps=size.steps,
        requested_steps=None if size.steps == size.requested_steps else size.requested_steps,
        sampler=resolved.sampler,
        schedule=resolved.schedule,
        guidance=resolved.guidance,
        guidance_start=resolved.guidance_start,
        guidance_end=resolved.guidance_end,
        rescale=resolved.rescale,
        eta=resolved.eta,
        churn=resolved.churn,
        churn_start=resolved.churn_start,
        churn_end=None if resolved.churn_end == math.inf else resolved.churn_end,
        noise_scale=resolved.noise_scale,
        width=size.width,
        height=size.height,
        tiling=resolved.tiling,
        hires=None if hires is None else hires.factor,
        hires_strength=None if hires is None else hires.strength,
        hires_steps=None if hires is None else resolved.passes[-1].runs or None,
        hires_enlarger=None if hires is None else hires.enlarger,
        strength=resolved.strength if taken_by("strength", request.task) else None,
        input_sha256=_sha256(request.image),
        depth_sha256=_sha256(request.depth),
        noise_level=resolved.noise_level,
        images_sha256=tuple(hashlib.sha256(image).hexdigest() for image in request.images),
        image_weights=request.image_weights,
        image_guidance=resolved.image_guidance,
        **_of_painting(resolved),
        model=spec.name,
        model_sha256=catalog.sha256(spec.path),
        prediction=resolved.prediction,
        ema=request.ema,
        vae=None if vae is None else vae.stem,
        vae_sha256=None if vae is None else catalog.sha256(vae),
        safety=resolved.safety,
        precision=plan.precision,
        engine=plan.engine,
        device=plan.device,
        watermark=None if resolved.watermark is None else resolved.watermark.decode(),
        software=f"Darkroom {darkroom.__version__}",
        versions={"darkroom": darkroom.__version__, "torch": torch.__version__},
    )


def _of_painting(resolved: Resolved) -> dict[str, Any]:
    """Of a recipe what inpainting alone says."""
    painting = resolved.painting
    if painting is None:
        return {}
    return {
        "mask_sha256": _sha256(resolved.request.mask),
        "mask_invert": painting.invert,
        "mask_grow": painting.grow,
        "mask_blur": painting.blur,
        "fill": painting.fill,
        "region": painting.region,
        "region_padding": painting.padding if painting.region == "masked" else None,
        "extend": painting.extend if any(painting.extend) else None,
    }


def _sha256(file: bytes | None) -> str | None:
    return None if file is None else hashlib.sha256(file).hexdigest()
