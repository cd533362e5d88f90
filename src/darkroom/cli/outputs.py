"""Where the images of one run go, settled and tried out before anything is computed."""

import dataclasses
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from PIL import Image

import darkroom
from darkroom import paths, settings
from darkroom.cli.flags import Flags
from darkroom.contracts import ImageDone, Raster, Resolved
from darkroom.errors import OutputError, RequestError
from darkroom.images import grid, io, naming, provenance, watermark
from darkroom.images.io import Format
from darkroom.planning import checks

_SUFFIXES: dict[Format, str] = {"png": ".png", "jpeg": ".jpg", "webp": ".webp"}
_LOSSY = 90  # the quality of WebP that does not keep every pixel
_FOREIGN = {".avif", ".bmp", ".gif", ".heic", ".jxl", ".tif", ".tiff"}


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """A folder, and in it one named file, or a pattern after which every image gets a new name."""

    folder: Path
    name: Path | naming.Pattern
    format: Format
    quality: int | None
    overwrite: bool

    def save(self, data: bytes, done: ImageDone, label: str) -> Path:
        """Write one image; `label` is its seed, or what it is instead of one image."""
        io.make_folder(self.folder)
        if isinstance(self.name, Path):
            io.write_atomic(self.name, data, overwrite=self.overwrite)
            return self.name
        pattern, values = self.name, _values(done, label)
        # Under a pattern that does not say the seed, a grid would be called like an image.
        prefix = "" if pattern.tells("seed") or label == str(done.seed) else f"{label}-"

        def name(counter: int) -> str:
            return prefix + pattern.name(values, counter, _SUFFIXES[self.format])

        return io.write_next(self.folder, name, data, first=1)


@dataclass(frozen=True, kw_only=True)
class Preview:
    """A file that shows how far the images are."""

    file: Path
    format: Format

    def show(self, rasters: Sequence[Raster], resolved: Resolved) -> None:
        """Replace the file, whole at every moment; a pixel a latent grows to the model's size."""
        size = (resolved.passes[-1].width, resolved.passes[-1].height)
        mark = provenance.new_mark(darkroom.__version__, edited=resolved.request.image is not None)
        enlarged = [io.to_pil(raster).resize(size, Image.Resampling.BICUBIC) for raster in rasters]
        sheet = grid.grid([io.from_pil(image) for image in enlarged])
        io.make_folder(self.file.parent)
        io.write_atomic(self.file, io.encode(sheet, self.format, mark=mark), overwrite=True)


def outputs(flags: Flags, images: int) -> Outputs:
    """Where `images` images will go.

    Raises:
        RequestError: name and format contradict each other, or one file is to hold many images.
        OutputError: the file exists, or nothing can be written there.
    """
    said = settings.read("out", flags.out)
    target = paths.output_folder() if said is None else Path(str(said)).expanduser()
    wanted = cast("Format | None", settings.read("format", flags.format))
    one = None
    if _format(target) is not None and not target.is_dir():
        one = _one_file(target, wanted, flags, images)
        wanted = io.SUFFIXES[target.suffix.lower()]
    kind = wanted or "png"
    folder = target if one is None else one.parent
    try_out(folder)
    pattern = str(settings.read("name", flags.name))
    return Outputs(
        folder=folder,
        name=_pattern(pattern, kind) if one is None else one,
        format=kind,
        quality=_quality(kind, flags),
        overwrite=flags.overwrite,
    )


def preview(file: Path | None) -> Preview | None:
    """The preview in `file`, None where none is asked for.  Raises as `outputs` does."""
    if file is None:
        return None
    chosen = _format(file)
    if chosen is None:
        raise RequestError(
            f"{file.name} names no image for the preview.", "End the name in .png, .jpg or .webp."
        )
    try_out(file.parent)
    return Preview(file=file, format=chosen)


def sheet(images: Sequence[ImageDone], columns: int | None = None) -> ImageDone:
    """All images as one, with the watermark that they bear; its recipe is the first one's."""
    first = images[0]
    raster = grid.grid([done.image for done in images], columns)
    payload = first.recipe.watermark
    if payload is not None:
        raster = io.from_array(watermark.embed(io.to_array(raster), payload.encode()))
    return dataclasses.replace(first, image=raster)


def try_out(folder: Path) -> None:
    """Make the folders and a file that are needed, in a hidden folder that is taken away again.

    `folder` itself is left alone: another run may be using it by now.

    Raises:
        OutputError: nothing can be written there.
    """
    place = Path(os.path.abspath(folder))  # noqa: PTH100 (".." must not lead out of the hidden one)
    present = next(above for above in (place, *place.parents) if above.exists())
    if not present.is_dir():
        raise OutputError(f"{present} is a file, not a folder.", "Choose another name.")
    try:
        with tempfile.TemporaryDirectory(prefix=".darkroom-", dir=present) as hidden:
            rehearsal = Path(hidden, place.relative_to(present))
            rehearsal.mkdir(parents=True, exist_ok=True)
            (rehearsal / "try").write_bytes(b"\n")
    except (OSError, ValueError) as error:
        raise io.output_error(folder, error) from error


def _format(file: Path) -> Format | None:
    suffix = file.suffix.lower()
    if suffix in _FOREIGN and not file.is_dir():
        raise RequestError(
            f"{file.name} would be a kind of image that Darkroom does not write.",
            "End the name in .png, .jpg or .webp.",
        )
    return io.SUFFIXES.get(suffix)


def _one_file(file: Path, wanted: Format | None, flags: Flags, images: int) -> Path:
    """`file`, if that is where the one image can go."""
    named = io.SUFFIXES[file.suffix.lower()]
    if wanted not in {None, named}:
        raise RequestError(
            f"{file.name} ends like {named}, but the format is to be {wanted}.",
            "Leave --format out, or change the name.",
        )
    if flags.name is not None:
        raise RequestError(
            f"{file.name} is the name of the image, and --name is another.",
            "Say one of them; beside --name, --out is a folder.",
        )
    if images > 1 or flags.grid:
        raise RequestError(
            f"{file.name} is one file, but there will be more than one image.",
            f"Name a folder: --out {file.with_suffix('')}",
        )
    if file.exists() and not flags.overwrite:
        raise OutputError(
            f"{file} exists already.", "Choose another name, or --overwrite to replace it."
        )
    return file


def _values(done: ImageDone, label: str) -> dict[str, object]:
    """What a pattern can tell of an image."""
    recipe = done.recipe
    return {
        "date": time.strftime("%Y-%m-%d"),
        "time": time.strftime("%H%M%S"),
        "seed": int(label) if label.isdigit() else label,
        "prompt": recipe.prompt,
        "model": recipe.model,
        "sampler": recipe.sampler,
        "steps": recipe.steps,
        "guidance": f"{recipe.guidance:g}",
        "width": done.image.width,
        "height": done.image.height,
        "task": recipe.task,
        "index": done.index + 1,
    }


def _pattern(text: str, kind: Format) -> naming.Pattern:
    """The pattern, which may end as the files will."""
    stem, dot, ending = text.rpartition(".")
    named = io.SUFFIXES.get(dot + ending.lower())
    if named not in {None, kind}:
        raise RequestError(
            f"The pattern {text!r} ends like {named}, but the format is {kind}.",
            "Leave the ending out; --format says it.",
        )
    return naming.parse(text if named is None else stem)


def _quality(kind: Format, flags: Flags) -> int | None:
    """What `io.encode` takes; None keeps every pixel as far as the format can."""
    said = settings.read("quality", flags.quality)
    quality = None if said is None else checks.whole("Quality", said, 1, 100, "90 is usual")
    if kind == "png":
        if flags.quality is not None or flags.lossless is False:
            raise RequestError("PNG keeps every pixel; it has no quality.", "Say --format webp.")
        return None
    if kind == "jpeg":
        if flags.lossless:
            raise RequestError("JPEG cannot keep every pixel.", "Say --format png or webp.")
        return quality
    if flags.lossless and flags.quality is not None:
        raise RequestError("Lossless WebP keeps every pixel; it has no quality.", "Say one of two.")
    if flags.lossless:
        return None
    return _LOSSY if quality is None and flags.lossless is False else quality
