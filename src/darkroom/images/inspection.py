"""What an image file says about itself, and what is hidden in its pixels."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from darkroom.contracts import Recipe
from darkroom.errors import ImageError
from darkroom.images import io, metadata, provenance, watermark

# What the reference repositories hide in the images of v1, and of v2 and x4.
PAYLOADS = ("StableDiffusionV1", "SDV2")


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """Everything that is known of one image file.

    `format` in lower case; `width` and `height` in pixels, as shown.  `recipe` is ours,
    `parameters` the A1111 text, `mark` the source stated in its XMP packet; None where absent.
    `watermarks`: for each payload the share of its bits that were found, 0.5 by chance; empty for
    an image too small to carry one.  `notes`: sentences for the user.
    """

    format: str
    width: int
    height: int
    recipe: Recipe | None
    parameters: metadata.Parameters | None
    mark: provenance.Mark | None
    watermarks: Mapping[str, float]
    notes: tuple[str, ...]


def inspect_file(path: Path) -> Inspection:
    """`inspect` for a file.  ImageError also where the file is missing or may not be read."""
    return inspect(io.read_bytes(path), path.name)


def inspect(data: bytes, name: str = "The image") -> Inspection:
    """Look into an encoded image.  A damaged recipe becomes a note; ImageError as for `io.read`."""
    image, frames = io.open_screened(data, name)
    shown = io.normalise(image, frames, name)
    found = metadata.carried(image)
    notes = list(shown.notes)
    recipe = None
    if found.recipe is not None:
        try:
            recipe = metadata.from_json(found.recipe)
        except ImageError as error:
            notes.append(error.message)
    height, width, _ = shown.pixels.shape
    watermarks = {}
    if height * width >= watermark.MIN_PIXELS:
        for payload in PAYLOADS:
            watermarks[payload] = watermark.agreement(shown.pixels, payload.encode())
    return Inspection(
        format=(image.format or "").lower(),
        width=width,
        height=height,
        recipe=recipe,
        parameters=(
            None if found.parameters is None else metadata.from_parameters(found.parameters)
        ),
        mark=None if found.xmp is None else provenance.from_xmp(found.xmp),
        watermarks=watermarks,
        notes=tuple(notes),
    )
