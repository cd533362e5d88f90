"""Where the images of one run go, settled and tried out before anything is computed."""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from darkroom import paths, settings
from darkroom.cli.flags import Flags
from darkroom.errors import OutputError, RequestError
from darkroom.images import io

_FORMATS = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}
_FOREIGN = {".avif", ".bmp", ".gif", ".heic", ".jxl", ".tif", ".tiff"}
_SUFFIXES = {"png": ".png", "jpeg": ".jpg", "webp": ".webp"}


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """One named file, or a folder in which every image gets a new name."""

    folder: Path
    file: Path | None
    format: str
    overwrite: bool

    def save(self, data: bytes, name: str) -> Path:
        """Write one image; in a folder it is called by the day, `name` and a counter."""
        io.make_folder(self.folder)
        if self.file is not None:
            io.write_atomic(self.file, data, overwrite=self.overwrite)
            return self.file
        pattern = f"{time.strftime('%Y-%m-%d')}-{name}-{{:03}}{_SUFFIXES[self.format]}"
        return io.write_next(self.folder, pattern, data, first=1)


def outputs(flags: Flags, images: int) -> Outputs:
    """Where `images` images will go.

    Raises:
        RequestError: file and format contradict each other, or one file is to hold several images.
        OutputError: the file exists, or nothing can be written there.
    """
    said = settings.read("out", flags.out)
    target = paths.output_folder() if said is None else Path(str(said)).expanduser()
    format_ = cast("str | None", settings.read("format", flags.format))
    if target.suffix.lower() in _FOREIGN and not target.is_dir():
        raise RequestError(
            f"{target.name} would be a kind of image that Darkroom does not write.",
            "End the name in .png, .jpg or .webp.",
        )
    if image_format(target) is None or target.is_dir():
        chosen = Outputs(folder=target, file=None, format=format_ or "png", overwrite=False)
    else:
        chosen = _one_file(target, format_, flags, images)
    _try_out(chosen.folder)
    return chosen


def image_format(file: Path) -> str | None:
    """`png`, `jpeg` or `webp` by the suffix, None for another."""
    return _FORMATS.get(file.suffix.lower())


def _one_file(file: Path, format_: str | None, flags: Flags, images: int) -> Outputs:
    suffix_says = _FORMATS[file.suffix.lower()]
    if format_ not in {None, suffix_says}:
        raise RequestError(
            f"{file.name} ends like {suffix_says}, but --format says {format_}.",
            "Leave --format out, or change the name.",
        )
    if images > 1 or flags.grid:
        raise RequestError(
            f"{file.name} is one file, but there will be more than one image.",
            f"Name a folder: --out {file.with_suffix('')}",
        )
    if file.exists() and not flags.overwrite:
        raise OutputError(f"{file} exists already.", "Choose another name, or say --overwrite.")
    return Outputs(folder=file.parent, file=file, format=suffix_says, overwrite=flags.overwrite)


def _try_out(folder: Path) -> None:
    """Write a byte into `folder` and take it away again, with every folder made for it."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        io.make_folder(folder)
        io.write_next(folder, ".darkroom-{}.try", b"\n").unlink()
    finally:
        _remove(missing)


def _remove(folders: Sequence[Path]) -> None:
    for folder in folders:  # innermost first
        with suppress(OSError):  # another run may be using it by now
            folder.rmdir()
