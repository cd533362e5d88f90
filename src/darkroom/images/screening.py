"""A look at an image file's structure before any decoder touches it.

A decoder trusts sizes, counts and compressed blocks that the file itself states.  The checks here
cost one pass over the bytes, expand nothing beyond a fixed limit, and say in the user's words what
is wrong.
"""

import re
import struct
import zlib
from collections.abc import Iterator

from darkroom.errors import ImageError

MAX_BYTES = 128 * 2**20
MAX_PIXELS = 64_000_000
MAX_SIDE = 32_768
MAX_FRAMES = 1000
MAX_METADATA = 4 * 2**20

# Pillow walks chunks, segments and strips in Python; no encoder writes so many.
_MAX_PIECES = 50_000
# A GIF's pixels come in blocks of up to 255 bytes.
_GIF_BYTES_A_PIECE = 128
# Each scan of a progressive JPEG passes over the whole picture; encoders write about ten.
_MAX_SCANS = 100

_MAGIC = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
}
_FOREIGN = {
    b"%PDF": "a PDF document",
    b"%!PS": "an EPS drawing",
    b"\xc5\xd0\xd3\xc6": "an EPS drawing",
    b"8BPS": "a Photoshop document",
    b"SIMPLE  =": "a FITS file",
    b"PK\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "a gzip archive",
    b"\0\0\0\x0cjP  ": "a JPEG 2000 image",
    b"\xff\x4f\xff\x51": "a JPEG 2000 image",
    b"\xff\x0a": "a JPEG XL image",
    b"\0\0\0\x0cJXL ": "a JPEG XL image",
    b"II+\0": "a BigTIFF image",
    b"MM\0+": "a BigTIFF image",
    b"version https://git-lfs": "a Git LFS pointer, not the file itself",
}
_CONVERT = "Save it as PNG, JPEG or WebP and try again."


def screen(data: bytes, name: str = "The image") -> tuple[str, int]:
    """Pillow's name of the format (PNG, JPEG, WEBP, GIF, BMP or TIFF) and the number of frames.

    `name` is the subject of the sentences.  Raises ImageError for every other kind of file, for
    one of more than `MAX_BYTES`, and for one whose structure is cut off, damaged, or claims more
    frames (`MAX_FRAMES`) or metadata (`MAX_METADATA` bytes, expanded) than a picture needs.
    """
    if not data:
        raise ImageError(f"{name} is an empty file.", "Choose another file.")
    check_bytes(len(data), name)
    kind = _kind(data, name)
    try:
        frames, metadata = _weigh(kind, data, name)
    except _DamagedError as error:
        raise damaged(name, str(error)) from error
    except (struct.error, IndexError) as error:
        raise damaged(name, "its data end too early") from error
    if frames > MAX_FRAMES:
        raise ImageError(
            f"{name} holds more than {MAX_FRAMES} frames.", "Save its first frame as an image."
        )
    check_metadata(metadata, name)
    return kind, frames


def keeps_pixels(data: bytes) -> bool:
    """Whether a screened file gives every pixel back as it was, as PNG does and JPEG never."""
    kind = _kind(data, "The image")
    position = 12
    while kind == "WEBP" and position + 8 <= len(data):
        chunk, length = struct.unpack_from("<4sI", data, position)
        if chunk in {b"VP8 ", b"VP8L"}:
            return bool(chunk == b"VP8L")
        position += 8 + length + length % 2
    return kind in {"PNG", "BMP", "TIFF"}


def check_bytes(size: int, name: str) -> None:
    """Raise ImageError for a file of more than `MAX_BYTES`."""
    if size > MAX_BYTES:
        raise ImageError(
            f"{name} is a file of {size / 2**20:,.0f} MiB; at most {MAX_BYTES // 2**20} are read.",
            "Make the image smaller and try again.",
        )


def check_size(width: int, height: int, name: str) -> None:
    """Raise ImageError for a size in pixels that is empty or that memory should not be given to."""
    if min(width, height) < 1:
        raise damaged(name, f"it claims a size of {width} x {height}")
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise ImageError(
            f"{name} claims {width} x {height} pixels; at most {MAX_PIXELS // 10**6} megapixels "
            f"and {MAX_SIDE} on a side are opened.",
            "Make the image smaller and try again.",
        )


def check_metadata(size: int, name: str) -> None:
    """Raise ImageError for more than `MAX_METADATA` bytes beside the pixels."""
    if size > MAX_METADATA:
        raise ImageError(
            f"{name} carries more than {MAX_METADATA // 2**20} MiB of text, profiles or EXIF.",
            "Save it again without metadata.",
        )


def damaged(name: str, reason: str) -> ImageError:
    """The error for a file of a known format that cannot be decoded."""
    return ImageError(f"{name} is damaged: {reason}.", "Fetch or save the file again.")


class _DamagedError(Exception):
    """The structure of a file contradicts itself."""


def _kind(data: bytes, name: str) -> str:
    for magic, kind in _MAGIC.items():
        if data.startswith(magic):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    raise ImageError(f"{name} is {_foreign(data)}.", _CONVERT)


def _foreign(data: bytes) -> str:
    for magic, description in _FOREIGN.items():
        if data.startswith(magic):
            return description
    if data[4:8] == b"ftyp":
        return "an AVIF or HEIC image, or a film"
    text = data[:1024].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if b"<svg" in text:
        return "an SVG drawing"
    if re.match(rb"<!doctype html|<html|<head|<body", text):
        return "a web page"
    return "not an image of a known format"


def _weigh(kind: str, data: bytes, name: str) -> tuple[int, int]:
    """Frames and bytes of metadata that a file states."""
    if kind == "PNG":
        return _weigh_png(data)
    if kind == "GIF":
        return _weigh_gif(data)
    if kind == "WEBP":
        return _weigh_webp(data, name)
    if kind == "TIFF":
        return _weigh_tiff(data), 0
    if kind == "JPEG":
        return 1, _weigh_jpeg(data)
    return 1, 0


def _pieces(limit: int = _MAX_PIECES) -> Iterator[int]:
    yield from range(limit)
    raise _DamagedError("it is cut into more pieces than any picture")


def _weigh_jpeg(data: bytes) -> int:
    """Bytes of EXIF, which may go on over many segments; counts segments and scans."""
    exif, position = 0, 2
    for _ in _pieces():
        marker = data[position + 1]
        if data[position] != 0xFF or marker == 0xFF:  # padding
            position += 1
        elif marker in _BARE_MARKERS:
            position += 2
        elif marker == _START_OF_SCAN:
            break
        else:
            (length,) = struct.unpack_from(">H", data, position + 2)
            if data[position + 4 : position + 8] == b"Exif":
                exif += length
            position += 2 + length
    if data.count(bytes([0xFF, _START_OF_SCAN]), position) > _MAX_SCANS:
        raise _DamagedError(f"it holds more than {_MAX_SCANS} scans")
    return exif


_START_OF_SCAN = 0xDA
_BARE_MARKERS = {0x00, 0x01, *range(0xD0, 0xDA)}  # those that no length follows


def _weigh_png(data: bytes) -> tuple[int, int]:
    """Frames and bytes of metadata; checks the order and the checksum of every chunk."""
    view = memoryview(data)
    frames, metadata, position = 1, 0, 8
    for index in _pieces():
        length, kind = struct.unpack_from(">I4s", view, position)
        end = position + 8 + length
        (checksum,) = struct.unpack_from(">I", view, end)
        if zlib.crc32(view[position + 4 : end]) != checksum:
            raise _DamagedError("a checksum does not match its data")
        if (kind == b"IHDR") != (index == 0):
            raise _DamagedError("its header is missing or stands there twice")
        body = view[position + 8 : end]
        if kind == b"IEND":
            break
        if kind == b"acTL":
            frames = max(frames, *struct.unpack_from(">I", body))
        elif kind not in {b"IHDR", b"PLTE", b"IDAT", b"fdAT"}:
            metadata += length + _expanded(kind, body)
        position = end + 4
    return frames, metadata


def _expanded(kind: bytes, body: memoryview) -> int:
    """Bytes that a chunk's compressed part grows to, counted to just beyond the limit."""
    if kind not in {b"zTXt", b"iTXt", b"iCCP"}:
        return 0
    rest = bytes(body).partition(b"\0")[2]
    if kind == b"iTXt":
        if rest[:1] != b"\1":
            return 0
        rest = rest[1:2] + rest[2:].split(b"\0", 2)[-1]
    try:
        return len(zlib.decompressobj().decompress(rest[1:], MAX_METADATA + 1))
    except zlib.error:
        return 0


def _weigh_gif(data: bytes) -> tuple[int, int]:
    """Frames and bytes of comments and application data."""
    frames, metadata = 0, 0
    position = 13 + _colour_table(data[10])
    pieces = _pieces(_MAX_PIECES + len(data) // _GIF_BYTES_A_PIECE)
    while position < len(data) and data[position] in b"\x21\x2c":
        start = position
        if data[start] == 0x2C:
            frames += 1
            position = start + 11 + _colour_table(data[start + 9])
        else:
            position = start + 2
        while length := data[position]:
            position += 1 + length
            next(pieces)
        position += 1
        if data[start] == 0x21:
            metadata += position - start
    if not frames:
        raise _DamagedError("it holds no picture")
    return frames, metadata


def _colour_table(flags: int) -> int:
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _weigh_webp(data: bytes, name: str) -> tuple[int, int]:
    """Frames and bytes of metadata; checks the size, for which the decoder takes memory at once."""
    (length,) = struct.unpack_from("<I", data, 4)
    end = 8 + length
    if end > len(data):
        raise _DamagedError("its data end too early")
    frames, metadata, position = 0, 0, 12
    for _ in _pieces():
        if position >= end:
            break
        kind, length = struct.unpack_from("<4sI", data, position)
        body = position + 8
        if kind == b"VP8X":
            width = int.from_bytes(data[body + 4 : body + 7], "little") + 1
            height = int.from_bytes(data[body + 7 : body + 10], "little") + 1
            check_size(width, height, name)
        elif kind == b"ANMF":
            frames += 1
        elif kind in {b"EXIF", b"XMP ", b"ICCP"}:
            metadata += length
        position = body + length + length % 2
    return frames, metadata


_TIFF_TYPE_BYTES = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4)


def _weigh_tiff(data: bytes) -> int:
    """Pages; checks the tags, whose values may overlap and so outgrow the file many times."""
    order = "<" if data[:1] == b"I" else ">"
    pages, claimed = 0, 0
    (position,) = struct.unpack_from(order + "I", data, 4)
    while position and pages <= MAX_FRAMES:
        (entries,) = struct.unpack_from(order + "H", data, position)
        for entry in range(position + 2, position + 2 + 12 * entries, 12):
            _, kind, count = struct.unpack_from(order + "HHI", data, entry)
            size = _TIFF_TYPE_BYTES[kind] if kind < len(_TIFF_TYPE_BYTES) else 1
            claimed += count * size
            if claimed > len(data) or (size > 1 and count > _MAX_PIECES):
                raise _DamagedError("its tags claim more than the file holds")
        pages += 1
        (position,) = struct.unpack_from(order + "I", data, position + 2 + 12 * entries)
    return pages
