"""What an image file says about itself, and what is hidden in its pixels."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from darkroom.contracts import Recipe
from darkroom.errors import ImageError
from darkroom.images import io, metadata, provenance, screening, watermark
from darkroom.images.foreign import reading
from darkroom.images.foreign.recipe import ForeignRecipe

# What the reference repositories hide in the images of v1, and of v2 and x4.
PAYLOADS = ("StableDiffusionV1", "SDV2")


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """Everything that is known of one image file.

    `format` in lower case; `width` and `height` in pixels, as shown.  `recipe` is ours, `foreign`
    another program's, `mark` the source stated in its XMP packet; None where absent.  `exact`:
    whether the format keeps every pixel.
    `watermarks`: for each payload the share of its bits that were found, 0.5 by chance; empty for
    an image too small to carry one.  `notes`: sentences for the user.
    """

    format: str
    width: int
    height: int
    exact: bool
    recipe: Recipe | None
    foreign: ForeignRecipe | None
    mark: provenance.Mark | None
    watermarks: Mapping[str, float]
    notes: tuple[str, ...]


def inspect_file(path: Path) -> Inspection:
    """`inspect` for a file.  ImageError also where the file is missing or may not be read."""
    return inspect(io.read_bytes(path), path.name)


def inspect(data: bytes, name: str = "The image", *, hidden: bool = True) -> Inspection:
    """Look into an encoded image.  A damaged recipe becomes a note; ImageError as for `io.read`.

    Without `hidden` the watermarks, which take longest, are not looked for.
    """
    image, frames = io.open_screened(data, name)
    shown = io.normalise(image, frames, name)
    found = metadata.carried(image)
    notes = list(shown.notes)
    recipe, foreign = _recipes(found, notes)
    height, width, _ = shown.pixels.shape
    notes += _lies(recipe or foreign, width, height)
    watermarks = {}
    if hidden and height * width >= watermark.MIN_PIXELS:
        for payload in PAYLOADS:
            watermarks[payload] = watermark.agreement(shown.pixels, payload.encode())
    return Inspection(
        format=(image.format or "").lower(),
        width=width,
        height=height,
        exact=screening.keeps_pixels(data),
        recipe=recipe,
        foreign=foreign,
        mark=None if found.xmp is None else provenance.from_xmp(found.xmp),
        watermarks=watermarks,
        notes=tuple(notes),
    )


def _recipes(
    found: metadata.Carried, notes: list[str]
) -> tuple[Recipe | None, ForeignRecipe | None]:
    """Ours and another program's; why one cannot be read is a note."""
    recipe, foreign = None, None
    try:
        recipe = None if found.recipe is None else metadata.from_json(found.recipe)
    except ImageError as error:
        notes.append(error.message)
    try:
        foreign = reading.read(found.texts)
    except ImageError as error:
        notes.append(error.message)
    return recipe, foreign


def _lies(recipe: Recipe | ForeignRecipe | None, width: int, height: int) -> Iterator[str]:
    """A note where the recipe tells of another size than the image has."""
    if recipe is None or getattr(recipe, "hires", None) is not None:
        return
    if getattr(recipe, "task", None) in {"inpaint", "upscale"}:
        return  # their images have a size of their own
    said = recipe.width, recipe.height
    if None not in said and said != (width, height):
        yield (
            f"The recipe tells of {said[0]} x {said[1]} pixels; the image was cut, enlarged or "
            "exchanged since."
        )
