"""Images in and out: files, arrays, and the one way in which a file comes to stand on the disk.

Arrays of pixels are uint8, height x width x 3, RGB, row after row from the top; masks are uint8,
height x width.
"""

import errno
import io
import os
import secrets
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageCms

from darkroom.contracts import Raster, Recipe
from darkroom.errors import ImageError, OutputError, RequestError
from darkroom.images import metadata, screening
from darkroom.images.provenance import Mark

Format = Literal["png", "jpeg", "webp"]
Pixels = NDArray[np.uint8]

SUFFIXES: Mapping[str, Format] = {
    ".png": "png",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".webp": "webp",
}

# What systems and file systems without hard links answer.
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EINVAL}

JPEG_QUALITY = 95
OVER_WHITE = "Its transparent parts were laid over white."  # what a note says

_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, kw_only=True, eq=False)
class ReadImage:
    """An image as it is seen: upright, sRGB, opaque.

    `pixels`: uint8 [H, W, 3].  `mask`: the alpha channel, uint8 [H, W], 255 where the file was
    opaque and 0 where it was clear; None where it is opaque everywhere.
    `notes`: sentences for the user about what was changed on the way.
    """

    pixels: Pixels
    mask: Pixels | None
    notes: tuple[str, ...]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]


def read_file(path: Path) -> ReadImage:
    """`read` for a file.  ImageError also where the file is missing or may not be read."""
    return read(read_bytes(path), path.name)


def read_bytes(path: Path) -> bytes:
    """The content of an image file of at most `screening.MAX_BYTES`, or ImageError."""
    try:
        with path.open("rb") as file:
            screening.check_bytes(os.fstat(file.fileno()).st_size, path.name)
            # One byte more than allowed: a pipe or a growing file has no size to ask for.
            data = file.read(screening.MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "the name is impossible"
        raise ImageError(
            f"{path} cannot be read: {reason}.", "Check the name and the permissions."
        ) from error
    screening.check_bytes(len(data), path.name)
    return data


def readable_bytes(path: Path) -> bytes:
    """The content of an image file that `read` takes; ImageError names the file."""
    data = read_bytes(path)
    read(data, path.name)
    return data


def read(data: bytes, name: str = "The image") -> ReadImage:
    """Decode a PNG, JPEG, WebP, GIF, BMP or TIFF file into upright sRGB pixels.

    The first frame of an animation is taken.  CMYK, grey, palette, 1-bit and 16-bit images (the
    upper eight bits) become RGB; a colour profile is converted to sRGB; transparent parts are laid
    over white, as paper and web pages show them, and the alpha channel is kept as the mask.

    `name` is the subject of the sentences in ImageError, which is raised for everything that is
    not such an image, or is damaged, or larger than `screening` allows.
    """
    image, frames = open_screened(data, name)
    return normalise(image, frames, name)


def open_screened(data: bytes, name: str = "The image") -> tuple[Image.Image, int]:
    """An image, opened but not decoded, after every check that its header allows, and its frames.

    ImageError as for `read`.
    """
    kind, frames = screening.screen(data, name)
    try:
        # Pillow warns of sizes and of odd metadata; both are judged below.
        with warnings.catch_warnings(action="ignore"):
            image = Image.open(io.BytesIO(data), formats=(kind,))
    except Image.DecompressionBombError as error:
        raise ImageError(
            f"{name} has more than {screening.MAX_PIXELS // 10**6} megapixels.",
            "Make the image smaller and try again.",
        ) from error
    except Exception as error:
        # Decoders answer hostile bytes with errors of every class.
        raise screening.damaged(name, f"its {kind} header cannot be read") from error
    screening.check_size(*image.size, name)
    beside = (image.info.get(key) for key in ("exif", "icc_profile", "xmp", "comment"))
    screening.check_metadata(sum(len(entry) for entry in beside if entry), name)
    return image, frames


def normalise(image: Image.Image, frames: int, name: str = "The image") -> ReadImage:
    """Decode what `open_screened` opened, as `read` describes."""
    notes = []
    if frames > 1:
        notes.append(f"The file holds {frames} frames; the first was taken.")
    if image.format in {"PNG", "TIFF"} and ";16" in str(getattr(image, "tile", "")):
        notes.append("Its 16 bits a channel were reduced to 8.")
    _load(image, name)
    with warnings.catch_warnings(action="ignore"):
        try:
            pixels, alpha = _upright_srgb(image, notes)
        except Exception as error:
            # Pillow has no conversion from this colour space; it says so in many ways.
            raise ImageError(
                f"{name} stores its colours in a way that cannot be read ({image.mode}).",
                "Save it as 8-bit RGB and try again.",
            ) from error
    return ReadImage(pixels=pixels, mask=alpha, notes=tuple(notes))


def plain(image: Image.Image) -> Image.Image:
    """The pixels alone of a decoded image, RGB or RGBA: `read` sees the same in a PNG of them."""
    colours, alpha = _separated(image, [])
    if alpha is not None:
        colours.putalpha(alpha)
    return colours


def upright(image: Image.Image, name: str = "The image") -> Image.Image:
    """What `open_screened` opened, decoded and turned upright, in its own kind of pixels.

    ImageError as for `read`.
    """
    _load(image, name)
    turn = _UPRIGHT.get(_orientation(image))
    return image if turn is None else image.transpose(turn)


def _load(image: Image.Image, name: str) -> None:
    with warnings.catch_warnings(action="ignore"):
        try:
            image.load()
        except Exception as error:
            raise screening.damaged(name, "its pixels cannot be decoded") from error


def fit(pixels: Pixels, width: int, height: int) -> Pixels:
    """Resize uint8 [H, W, 3] to exactly `width` x `height` pixels with a Lanczos filter."""
    if pixels.shape[:2] == (height, width):
        return pixels
    image = Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS)
    return np.asarray(image)


def to_array(raster: Raster) -> Pixels:
    """The raster's pixels, uint8 [H, W, 3], read-only and without a copy."""
    pixels: Pixels = np.frombuffer(raster.data, np.uint8)
    return pixels.reshape(raster.height, raster.width, 3)


def from_array(pixels: Pixels) -> Raster:
    """A raster of uint8 [H, W, 3].  ValueError for another shape or type."""
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(f"expected uint8 [H, W, 3], got {pixels.dtype} {list(pixels.shape)}")
    height, width, _ = pixels.shape
    return Raster(width=width, height=height, data=pixels.tobytes())


def to_pil(raster: Raster) -> Image.Image:
    """The raster as an RGB image of Pillow."""
    return Image.frombytes("RGB", (raster.width, raster.height), raster.data)


def from_pil(image: Image.Image) -> Raster:
    """A raster of any image of Pillow that converts to RGB."""
    rgb = image.convert("RGB")
    return Raster(width=rgb.width, height=rgb.height, data=rgb.tobytes())


def encode_pillow(image: Image.Image) -> bytes:
    """A file that `read` sees as it would see the one that an image of Pillow came from.

    Pixels, transparency, profile and orientation are kept.  ImageError for pixels that are no
    colours, TypeError for what is no image of Pillow.
    """
    if not isinstance(image, Image.Image):
        raise TypeError(f"expected a file, its bytes or an image of Pillow, got {type(image)}")
    buffer = io.BytesIO()
    try:
        image.load()  # which already turns a TIFF upright
        upright = Image.Exif()
        upright[_ORIENTATION] = _orientation(image)
        # PNG has no CMYK.
        image.save(buffer, "TIFF" if image.mode == "CMYK" else "PNG", exif=upright)
    except OSError as error:
        raise ImageError(
            f"The image has pixels of a kind that cannot be read ({image.mode}).",
            "Convert it to RGB first.",
        ) from error
    return buffer.getvalue()


def encode(
    raster: Raster,
    file_format: Format = "png",
    *,
    mark: Mark,
    recipe: Recipe | None = None,
    quality: int | None = None,
) -> bytes:
    """An image file that says how it came about: always its mark, and its recipe unless None.

    `quality`: 1 … 100, for JPEG (usually 95) and for WebP, which keeps every pixel without it;
    PNG always does.  JPEG is written without colour subsampling.
    OutputError where a recipe is longer than a JPEG can carry, RequestError for another quality.
    """
    buffer = io.BytesIO()
    arguments = _compression(file_format, quality) | metadata.save_arguments(
        file_format, mark, recipe
    )
    to_pil(raster).save(buffer, file_format.upper(), **arguments)
    return buffer.getvalue()


def _compression(file_format: Format, quality: int | None) -> dict[str, Any]:
    """Pillow's arguments."""
    if quality is not None and not 1 <= quality <= 100:
        raise RequestError(f"Quality {quality} is out of range.", "Choose from 1 to 100.")
    if file_format == "jpeg":
        return {"quality": JPEG_QUALITY if quality is None else quality, "subsampling": 0}
    if file_format == "webp":
        return {"lossless": True} if quality is None else {"quality": quality}
    return {}


def make_folder(folder: Path) -> None:
    """Make a folder and those above it where they are missing, or raise OutputError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise output_error(folder, error) from error


def write_atomic(path: Path, data: bytes, *, overwrite: bool = False) -> None:
    """Put a whole file at `path`, durable when this returns, or nothing at all.

    The bytes go to a hidden file in the same folder, reach the disk, and get their name in one
    step.  Without `overwrite` a file that stands there, even since a moment ago, is refused.
    OutputError for that, for a folder that is missing or closed, and for a full disk.
    """
    temporary = path.parent / f".darkroom-{secrets.token_hex(8)}.part"
    try:
        try:
            _write_durably(temporary, data)
            if overwrite:
                temporary.replace(path)
                _sync_folder(path.parent)
            else:
                _take_name(temporary, path)
                try:
                    _sync_folder(path.parent)
                except OSError:
                    path.unlink()
                    raise
        finally:
            with suppress(OSError, ValueError):
                temporary.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        raise output_error(path, error) from error


def write_next(folder: Path, name: Callable[[int], str], data: bytes, *, first: int = 0) -> Path:
    """Write under the first free name of a counted series; no other writer can take the same.

    `name`: the file name for a counter, which begins at `first`, another one for each.  Returns
    the path.  OutputError as for `write_atomic`.
    """
    counter = first
    while True:
        path = folder / name(counter)
        counter += 1
        if os.path.lexists(path):
            continue
        try:
            write_atomic(path, data)
        except OutputError as error:
            if not isinstance(error.__cause__, FileExistsError):
                raise
        else:
            return path


def _upright_srgb(image: Image.Image, notes: list[str]) -> tuple[Pixels, Pixels | None]:
    """Upright sRGB pixels, laid over white, and the mask of a decoded image."""
    colours, alpha = _separated(image, notes)
    if alpha is not None:
        notes.append(OVER_WHITE)
        white = Image.new("RGB", colours.size, "white")
        white.paste(colours, mask=alpha)
        colours = white
    if _orientation(image) in _UPRIGHT:
        notes.append("It was turned upright.")
    return np.asarray(colours), None if alpha is None else np.asarray(alpha)


def _separated(image: Image.Image, notes: list[str]) -> tuple[Image.Image, Image.Image | None]:
    """Upright sRGB colours, and the alpha channel if anything is transparent."""
    if image.mode in {"F", "I"}:
        raise ValueError("values without a known range")
    profile = image.info.get("icc_profile")
    upright = _UPRIGHT.get(_orientation(image))
    image, alpha = _split_alpha(image)
    image = _to_srgb(image, profile, notes)
    if upright is not None:
        image = image.transpose(upright)
        alpha = alpha and alpha.transpose(upright)
    return image, alpha


def _split_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Eight bits a channel without alpha, and the alpha channel if anything is transparent."""
    alpha = None
    if image.mode.startswith("I;16"):
        values = np.asarray(image)
        clear = image.info.get("transparency")
        image = Image.fromarray((values >> 8).astype(np.uint8))
        if clear is not None:
            alpha = Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8))
    elif image.has_transparency_data:
        base = "L" if image.mode in {"1", "L", "LA"} else "RGB"
        image = image.convert("RGBA")
        alpha = image.getchannel("A")
        image = image.convert(base)
    elif image.mode == "P":
        image = image.convert("RGB")
    if alpha is not None and alpha.getextrema() == (255, 255):
        alpha = None
    return image, alpha


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 where the EXIF data are damaged, which shows in many ways."""
    orientation = 1
    with suppress(Exception):
        orientation = int(image.getexif().get(_ORIENTATION, 1))
    return orientation


def _to_srgb(image: Image.Image, profile: object, notes: list[str]) -> Image.Image:
    """RGB pixels, through the embedded colour profile where it is one and fits."""
    if image.mode == "CMYK":
        notes.append("Its CMYK colours were converted to RGB.")
        if image.format in {"JPEG", "MPO"} and "adobe" not in image.info:
            # Only Adobe's files store ink inverted; Pillow turns all of them round.
            image = ImageChops.invert(image)
    if isinstance(profile, bytes) and image.mode in {"RGB", "L", "CMYK"}:
        try:
            return _through_profile(image, profile, notes)
        except (ImageCms.PyCMSError, OSError, ValueError):
            notes.append("Its colour profile is damaged or of another kind, and was ignored.")
    return image.convert("RGB")


def _through_profile(image: Image.Image, profile: bytes, notes: list[str]) -> Image.Image:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    transform = ImageCms.buildTransform(
        source,
        ImageCms.createProfile("sRGB"),
        image.mode,
        "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    if image.mode == "RGB":
        # sRGB goes by many names.  One that moves no colour visibly leaves the pixels as they are.
        steps = np.linspace(0, 255, 16).astype(np.uint8)
        colours = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(64, 64, 3)
        moved = np.asarray(ImageCms.applyTransform(Image.fromarray(colours), transform))
        if np.abs(moved.astype(int) - colours).max() <= 2:
            return image
    converted = ImageCms.applyTransform(image, transform)
    if converted is None:
        raise ValueError("the profile gave no image")
    notes.append("Its colours were converted from its own profile to sRGB.")
    return converted


def _write_durably(path: Path, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    flags |= getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    descriptor = os.open(path, flags, 0o666)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _take_name(temporary: Path, path: Path) -> None:
    """Give a file its name only if nothing bears it: a rename would replace what stands there."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
    else:
        return
    # A folder without hard links (FAT, some shares): reserve the name, then fill it.
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    try:
        temporary.replace(path)
    except OSError:
        path.unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    """Make a new name durable, where the system can: Windows opens no folders."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP}:
            raise
    finally:
        os.close(descriptor)


def output_error(path: Path, error: Exception) -> OutputError:
    """What a failed write means to the user."""
    code = error.errno if isinstance(error, OSError) else None
    if code == errno.EEXIST:
        return OutputError(f"{path} exists already.", "Choose another name, or say overwrite.")
    if code in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return OutputError(
            f"The disk is full: {path} cannot be written.",
            "Free some space, or write to another disk.",
        )
    if code in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return OutputError(
            f"{path} cannot be written: there is no permission.",
            "Choose a folder of your own.",
        )
    if code in {errno.ENOENT, errno.ENOTDIR}:
        return OutputError(
            f"{path} cannot be written: its folder does not exist.", "Make the folder first."
        )
    reason = error.strerror if isinstance(error, OSError) else "the name is impossible"
    return OutputError(f"{path} cannot be written: {reason}.", "Choose another place or name.")
