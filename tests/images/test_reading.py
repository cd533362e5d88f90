"""What comes in: the pixels that every kind of photograph must become, and what is refused."""

import io as streams
import math
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin, TiffImagePlugin

from darkroom.errors import ImageError
from darkroom.images import io, screening

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")


def encoded(image: Image.Image, file_format: str, **arguments: object) -> bytes:
    buffer = streams.BytesIO()
    image.save(buffer, file_format, **arguments)
    return buffer.getvalue()


def picture(width: int = 24, height: int = 16) -> Image.Image:
    """Smooth colours, no two corners alike."""
    y, x = np.mgrid[0:height, 0:width]
    pixels = np.stack([x * 255 // width, y * 255 // height, (x + y) * 4 % 256], -1)
    return Image.fromarray(pixels.astype(np.uint8))


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def header(width: int, height: int, depth: int = 8, colour: int = 2) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))


def png(*chunks: bytes, start: bytes = header(2, 1)) -> bytes:
    pixels = chunk(b"IDAT", zlib.compress(b"\0" + bytes(6)))
    return b"\x89PNG\r\n\x1a\n" + start + b"".join(chunks) + pixels + chunk(b"IEND", b"")


def zeros(count: int) -> bytes:
    return zlib.compress(bytes(count), 9)


def pixel_bomb() -> bytes:
    """A real image, white and of one bit, that is 900 megapixels large."""
    rows = zlib.compress((b"\0" + b"\xff" * 3750) * 30_000, 1)
    return png(chunk(b"IDAT", rows), start=header(30_000, 30_000, depth=1, colour=0))


def icc_bomb() -> bytes:
    return png(chunk(b"iCCP", b"profile\0\0" + zeros(16 * 2**20)))


def text_bomb() -> bytes:
    return png(chunk(b"zTXt", b"key\0\0" + zeros(16 * 2**20)))


def international_text_bomb() -> bytes:
    return png(chunk(b"iTXt", b"key\0\1\0en\0key\0" + zeros(16 * 2**20)))


def apng_of_ten_thousand() -> bytes:
    return png(chunk(b"acTL", struct.pack(">II", 10_000, 0)))


def gif_of_ten_thousand() -> bytes:
    one = encoded(Image.new("P", (1, 1)), "GIF")
    frame = one[one.index(b",") : -1]
    return one[: one.index(b",")] + frame * 10_000 + b";"


def gif_of_a_huge_screen() -> bytes:
    one = bytearray(encoded(Image.new("P", (1, 1)), "GIF"))
    one[6:10] = b"\xff\xff\xff\xff"
    return bytes(one)


def gif_of_a_huge_frame() -> bytes:
    one = bytearray(encoded(Image.new("P", (1, 1)), "GIF"))
    at = one.index(b",") + 5
    one[at : at + 4] = b"\xff\xff\xff\xff"
    return bytes(one)


def tiff_of_many_pages() -> bytes:
    page = encoded(Image.new("L", (1, 1)), "TIFF")
    (first,) = struct.unpack_from("<I", page, 4)
    (entries,) = struct.unpack_from("<H", page, first)
    directory = page[first : first + 2 + 12 * entries]
    data = page + bytes(len(page) % 2)
    data = data[:4] + struct.pack("<I", len(data)) + data[8:]
    for _ in range(1500):
        data += directory + struct.pack("<I", len(data) + len(directory) + 4)
    return data + directory + bytes(4)


def tiff_in_a_circle() -> bytes:
    data = encoded(Image.new("L", (1, 1)), "TIFF")
    (first,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, first)
    end = first + 2 + 12 * entries
    return data[:end] + struct.pack("<I", first) + data[end + 4 :]


def tiff_that_overlaps() -> bytes:
    entries = b"".join(struct.pack("<HHII", 40_000 + tag, 7, 4000, 8) for tag in range(2000))
    return b"II*\0" + struct.pack("<IH", 8, 2000) + entries + bytes(4)


def nan_tiff() -> bytes:
    return encoded(Image.fromarray(np.full((4, 4), math.nan, np.float32)), "TIFF")


def exif_of_ten_megabytes() -> bytes:
    plain = encoded(picture(), "JPEG")
    segment = b"\xff\xe1" + struct.pack(">H", 65_002) + b"Exif\0\0" + bytes(64_994)
    return plain[:2] + segment * 160 + plain[2:]


def archive() -> bytes:
    buffer = streams.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("picture.png", encoded(picture(), "PNG"))
    return buffer.getvalue()


def jpeg_of_many_scans() -> bytes:
    data = encoded(picture(), "JPEG", progressive=True)
    scan = data.rindex(b"\xff\xda")
    return data[:-2] + data[scan:-2] * 200 + data[-2:]


def jpeg_of_padding() -> bytes:
    data = encoded(picture(), "JPEG")
    return data[:2] + b"\xff" * 2**20 + data[2:]


def jpeg_of_many_segments() -> bytes:
    data = encoded(picture(), "JPEG")
    return data[:2] + b"\xff\xe5\0\2" * 60_000 + data[2:]


def gif_of_many_blocks() -> bytes:
    data = encoded(Image.new("P", (1, 1)), "GIF")
    at = data.index(b",")
    return data[:at] + b"\x21\xfe\1a\0" * 60_000 + data[at:]


def tiff_of_many_strips() -> bytes:
    count = 60_000
    at = 8 + 2 + 12 * 3 + 4
    tags = [(256, 4, 1, 1), (257, 4, 1, count), (273, 4, count, at)]
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + bytes(4 * count)


def webp_of_a_huge_canvas() -> bytes:
    body = b"VP8X" + struct.pack("<IIBBBBBB", 10, 0, 255, 255, 255, 255, 255, 0)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def wrong_checksum() -> bytes:
    """Pixels that decode well, under a checksum that is not theirs."""
    data = bytearray(png())
    data[data.index(b"IEND") - 5] ^= 1
    return bytes(data)


REJECTED: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "random": lambda: random.Random(5).randbytes(4096),
    "truncated": lambda: encoded(picture(), "PNG")[:-20],
    "wrong checksum": wrong_checksum,
    "two headers": lambda: png(header(2, 1)),
    "no header": lambda: png(start=b""),
    "65,535 squared": lambda: png(start=header(65_535, 65_535)),
    "pixel bomb": pixel_bomb,
    "zTXt bomb": text_bomb,
    "iTXt bomb": international_text_bomb,
    "iCCP bomb": icc_bomb,
    "APNG of 10,000 frames": apng_of_ten_thousand,
    "GIF of 10,000 frames": gif_of_ten_thousand,
    "GIF of a huge screen": gif_of_a_huge_screen,
    "GIF of a huge frame": gif_of_a_huge_frame,
    "TIFF of many pages": tiff_of_many_pages,
    "TIFF in a circle": tiff_in_a_circle,
    "TIFF that overlaps itself": tiff_that_overlaps,
    "float TIFF with NaN": nan_tiff,
    "WebP of a huge canvas": webp_of_a_huge_canvas,
    "JPEG of many scans": jpeg_of_many_scans,
    "JPEG of many segments": jpeg_of_many_segments,
    "JPEG of padding": jpeg_of_padding,
    "GIF of many blocks": gif_of_many_blocks,
    "TIFF of many strips": tiff_of_many_strips,
    "PNG of many chunks": lambda: png(chunk(b"teSt", b"") * 60_000),
    "10 MB of EXIF in a JPEG": exif_of_ten_megabytes,
    "10 MB of EXIF in a PNG": lambda: png(chunk(b"eXIf", bytes(10 * 2**20))),
    "no size": lambda: png(start=header(0, 1)),
    "1 x 65,535": lambda: png(start=header(1, 65_535)),
    "FITS": lambda: b"SIMPLE  =                    T" + bytes(2850),
    "PSD": lambda: b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 1, 1, 8, 3) + bytes(16),
    "EPS": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "PDF": lambda: b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
    "SVG": lambda: b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>',
    "HTML": lambda: b"\n<!DOCTYPE html><html><body>Not found</body></html>",
    "JPEG 2000": lambda: b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(64),
    "AVIF": lambda: b"\0\0\0\x1cftypavif" + bytes(64),
    "ZIP": archive,
    "Git LFS pointer": lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n",
    "too many bytes": lambda: bytes(screening.MAX_BYTES + 1),
}


@pytest.mark.parametrize("kind", REJECTED)
def test_what_is_no_picture_is_refused_in_one_sentence(kind: str) -> None:
    data = REJECTED[kind]()
    with pytest.raises(ImageError) as refused:
        io.read(data, "cat.png")
    message = refused.value.message
    assert message.startswith("cat.png ")
    assert message.endswith(".")
    assert message.count("\n") == 0
    assert refused.value.hint


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("PDF", "a PDF document"),
        ("SVG", "an SVG drawing"),
        ("HTML", "a web page"),
        ("PSD", "a Photoshop document"),
        ("ZIP", "a ZIP archive"),
        ("Git LFS pointer", "a Git LFS pointer"),
        ("random", "not an image of a known format"),
        ("truncated", "its data end too early"),
        ("wrong checksum", "a checksum does not match"),
        ("65,535 squared", "more than 64 megapixels"),
        ("APNG of 10,000 frames", "more than 1000 frames"),
        ("zTXt bomb", "more than 4 MiB"),
    ],
)
def test_the_sentence_says_what_it_is(kind: str, words: str) -> None:
    with pytest.raises(ImageError, match=words):
        io.read(REJECTED[kind]())


def test_the_control_beside_the_rejected_is_read() -> None:
    assert io.read(png()).pixels.shape == (1, 2, 3)


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_file_cut_anywhere_is_refused_or_whole(file_format: str) -> None:
    data = encoded(picture(), file_format)
    whole = io.read(data).pixels
    for length in range(len(data)):
        try:
            pixels = io.read(data[:length]).pixels
        except ImageError:
            continue
        # Only what stands behind the last pixel may be missing.
        assert length > len(data) - 20, f"{length} of {len(data)} bytes"
        np.testing.assert_array_equal(pixels, whole)


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_damaged_file_is_refused_or_read(file_format: str) -> None:
    chance = random.Random(file_format)
    data = encoded(picture(), file_format)
    for _ in range(300):
        mutant = bytearray(data)
        for _ in range(chance.randint(1, 8)):
            mutant[chance.randrange(len(mutant))] = chance.randrange(256)
        try:
            pixels = io.read(bytes(mutant)).pixels
        except ImageError:
            continue
        assert pixels.dtype == np.uint8
        assert pixels.shape[2] == 3


@given(st.binary(max_size=200), st.sampled_from([encoded(picture(), name) for name in FORMATS]))
def test_bytes_behind_a_magic_number_are_refused_or_read(noise: bytes, data: bytes) -> None:
    with suppress(ImageError):
        io.read(data[:16] + noise)


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "BMP", "TIFF"])
@given(size=st.tuples(st.integers(1, 40), st.integers(1, 40)))
def test_lossless_formats_keep_every_pixel(file_format: str, size: tuple[int, int]) -> None:
    image = picture(*size)
    arguments = {"lossless": True} if file_format == "WEBP" else {}
    read = io.read(encoded(image, file_format, **arguments))
    np.testing.assert_array_equal(read.pixels, np.asarray(image))
    assert read.mask is None
    assert read.notes == ()


# Images as they come, and what they must become.

COLOURS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]], np.uint8)


def test_one_pixel() -> None:
    assert io.read(encoded(Image.new("RGB", (1, 1), "red"), "PNG")).pixels.tolist() == [
        [[255, 0, 0]]
    ]


def inks() -> Image.Image:
    """The four `COLOURS` as CMYK: paper is no ink."""
    ink = [[[0, 255, 255, 0], [255, 0, 255, 0]], [[255, 255, 0, 0], [0, 0, 0, 0]]]
    return Image.fromarray(np.array(ink, np.uint8).repeat(16, 0).repeat(16, 1), "CMYK")


def cmyk_jpeg(*, inverted: bool) -> bytes:
    """As Adobe writes it, ink inverted and said so, or plain."""
    data = encoded(inks() if inverted else inks().point(lambda ink: 255 - ink), "JPEG", quality=100)
    at = data.index(b"\xff\xee")
    length = struct.unpack_from(">H", data, at + 2)[0] + 2
    return data if inverted else data[:at] + data[at + length :]


@pytest.mark.parametrize(
    "data",
    [encoded(inks(), "TIFF"), cmyk_jpeg(inverted=True), cmyk_jpeg(inverted=False)],
    ids=["tiff", "jpeg of Adobe", "plain jpeg"],
)
def test_cmyk_becomes_rgb(data: bytes) -> None:
    read = io.read(data)
    np.testing.assert_allclose(read.pixels[8::16, 8::16].astype(int), COLOURS, atol=3)
    assert "Its CMYK colours were converted to RGB." in read.notes


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_sixteen_bit_grey_keeps_its_upper_bits(file_format: str) -> None:
    values = np.array([[0, 255, 256, 32_768, 65_535]], np.uint16)
    read = io.read(encoded(Image.fromarray(values), file_format))
    assert read.pixels[0, :, 0].tolist() == [0, 0, 1, 128, 255]
    assert read.notes == ("Its 16 bits a channel were reduced to 8.",)


def test_sixteen_bit_grey_with_a_clear_value() -> None:
    body = b"\0" + struct.pack(">HH", 0x1234, 0x1235)
    data = (
        b"\x89PNG\r\n\x1a\n"
        + header(2, 1, depth=16, colour=0)
        + chunk(b"tRNS", struct.pack(">H", 0x1234))
        + chunk(b"IDAT", zlib.compress(body))
        + chunk(b"IEND", b"")
    )
    read = io.read(data)
    assert read.mask is not None
    assert read.mask.tolist() == [[0, 255]]
    assert read.pixels[0, :, 0].tolist() == [255, 0x12]


def test_sixteen_bit_colour_keeps_its_upper_bits() -> None:
    data = (
        b"\x89PNG\r\n\x1a\n"
        + header(1, 1, depth=16)
        + chunk(b"IDAT", zlib.compress(b"\0" + struct.pack(">HHH", 0x12FF, 0x8000, 0xFF00)))
        + chunk(b"IEND", b"")
    )
    read = io.read(data)
    assert read.pixels.tolist() == [[[0x12, 0x80, 0xFF]]]
    assert read.notes == ("Its 16 bits a channel were reduced to 8.",)


def test_one_bit() -> None:
    image = Image.fromarray(np.array([[True, False]]))
    assert io.read(encoded(image, "PNG")).pixels.tolist() == [[[255] * 3, [0] * 3]]


def test_palette_with_transparency() -> None:
    image = Image.new("P", (3, 1))
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    image.putdata([0, 1, 2])
    read = io.read(encoded(image, "PNG", transparency=bytes([255, 0, 51])))
    assert read.mask is not None
    assert read.mask.tolist() == [[255, 0, 51]]
    assert read.pixels.tolist() == [[[10, 20, 30], [255, 255, 255], [218, 220, 222]]]
    assert read.notes == ("Its transparent parts were laid over white.",)


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "TIFF"])
def test_grey_with_alpha(file_format: str) -> None:
    image = Image.fromarray(np.array([[[100, 255], [100, 0]]], np.uint8), "LA")
    if file_format == "WEBP":
        data = encoded(image.convert("RGBA"), "WEBP", lossless=True, exact=True)
    else:
        data = encoded(image, file_format)
    read = io.read(data)
    assert read.mask is not None
    assert read.mask.tolist() == [[255, 0]]
    assert read.pixels.tolist() == [[[100] * 3, [255] * 3]]


def test_alpha_that_hides_nothing_is_no_mask() -> None:
    image = picture().convert("RGBA")
    read = io.read(encoded(image, "PNG"))
    assert read.mask is None
    np.testing.assert_array_equal(read.pixels, np.asarray(picture()))


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(orientation: int, file_format: str) -> None:
    # The oracle is the EXIF standard's own table: where row 0 and column 0 are seen.
    stored = np.asarray(picture(32, 16))
    seen = {
        1: stored,
        2: stored[:, ::-1],
        3: stored[::-1, ::-1],
        4: stored[::-1],
        5: stored.swapaxes(0, 1),
        6: stored.swapaxes(0, 1)[:, ::-1],
        7: stored.swapaxes(0, 1)[::-1, ::-1],
        8: stored.swapaxes(0, 1)[::-1],
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    arguments: dict[str, object] = {"exif": exif.tobytes()}
    if file_format == "TIFF":
        tags = TiffImagePlugin.ImageFileDirectory_v2()
        tags[0x0112] = orientation
        arguments = {"tiffinfo": tags}
    if file_format == "WEBP":
        arguments["lossless"] = True
    if file_format == "JPEG":
        arguments |= {"quality": 100, "subsampling": 0}
    pixels = io.read(encoded(picture(32, 16), file_format, **arguments)).pixels
    np.testing.assert_allclose(pixels.astype(int), seen, atol=12 if file_format == "JPEG" else 0)


def test_the_mask_is_turned_with_the_pixels() -> None:
    image = picture().convert("RGBA")
    image.putpixel((0, 0), (0, 0, 0, 0))
    exif = Image.Exif()
    exif[0x0112] = 6
    read = io.read(encoded(image, "PNG", exif=exif.tobytes()))
    assert read.mask is not None
    assert read.mask.shape == (24, 16)
    assert read.mask[0, -1] == 0
    assert "It was turned upright." in read.notes


def test_damaged_exif_does_not_stop_a_photograph() -> None:
    data = encoded(picture(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff\x05\0\0\0")
    assert io.read(data).pixels.shape == (16, 24, 3)


def profile(name: str) -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(name)).tobytes()  # type: ignore[arg-type]


def wide_profile() -> bytes:
    """sRGB's own profile with the columns of red and green exchanged: no camera is as wrong."""
    data = bytearray(profile("sRGB"))
    count = struct.unpack_from(">I", data, 128)[0]
    tags = {bytes(data[at : at + 4]): at + 4 for at in range(132, 132 + 12 * count, 12)}
    red, green = tags[b"rXYZ"], tags[b"gXYZ"]
    data[red : red + 8], data[green : green + 8] = data[green : green + 8], data[red : red + 8]
    return bytes(data)


def test_a_profile_is_converted_to_srgb() -> None:
    image = Image.fromarray(COLOURS)
    read = io.read(encoded(image, "PNG", icc_profile=wide_profile()))
    np.testing.assert_allclose(read.pixels[..., [1, 0, 2]].astype(int), COLOURS, atol=2)
    assert read.notes == ("Its colours were converted from its own profile to sRGB.",)


def test_srgb_under_its_own_name_keeps_every_pixel() -> None:
    read = io.read(encoded(picture(), "PNG", icc_profile=profile("sRGB")))
    np.testing.assert_array_equal(read.pixels, np.asarray(picture()))
    assert read.notes == ()


@pytest.mark.parametrize("bad", [b"no profile", profile("sRGB")[:200], profile("LAB")])
def test_a_profile_that_does_not_fit_is_ignored_and_said(bad: bytes) -> None:
    read = io.read(encoded(picture(), "PNG", icc_profile=bad))
    np.testing.assert_array_equal(read.pixels, np.asarray(picture()))
    assert read.notes == ("Its colour profile is damaged or of another kind, and was ignored.",)


@pytest.mark.parametrize("file_format", ["GIF", "PNG", "WEBP", "TIFF"])
def test_the_first_frame_is_taken_and_told(file_format: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue", "lime")]
    data = encoded(frames[0], file_format, save_all=True, append_images=frames[1:], duration=40)
    read = io.read(data)
    np.testing.assert_allclose(read.pixels.astype(int)[4, 4], [255, 0, 0], atol=4)
    assert read.notes == ("The file holds 3 frames; the first was taken.",)


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_second_file_behind_the_picture_changes_nothing(file_format: str) -> None:
    data = encoded(picture(), file_format)
    read = io.read(data + archive())
    np.testing.assert_array_equal(read.pixels, io.read(data).pixels)


@pytest.mark.parametrize("key", ["icc_profile", "exif", "xmp", "comment", "gamma", "dpi"])
def test_text_under_a_name_that_the_decoder_uses_itself(key: str) -> None:
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text(key, "nonsense")
    read = io.read(encoded(picture(), "PNG", pnginfo=chunks))
    np.testing.assert_array_equal(read.pixels, np.asarray(picture()))


# Files, sizes and the ways between the kinds of pixels.


def test_a_file_is_named_in_what_is_said_of_it(tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(encoded(picture(), "PNG"))
    np.testing.assert_array_equal(io.read_file(path).pixels, np.asarray(picture()))
    path.write_bytes(b"%PDF-1.7")
    with pytest.raises(ImageError) as refused:
        io.read_file(path)
    assert refused.value.message == "cat.png is a PDF document."


def unreadable(folder: Path) -> Iterator[Path]:
    yield folder / "missing.png"
    yield folder
    yield folder / "nul\0.png"
    large = folder / "large.png"
    with large.open("wb") as file:
        file.truncate(screening.MAX_BYTES + 1)
    yield large


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path in unreadable(tmp_path):
        with pytest.raises(ImageError) as refused:
            io.read_file(path)
        assert refused.value.hint


def test_fit() -> None:
    pixels = np.asarray(picture(20, 10))
    assert io.fit(pixels, 20, 10) is pixels
    resized = io.fit(pixels, 8, 16)
    assert resized.shape == (16, 8, 3)
    expected = picture(20, 10).resize((8, 16), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(resized, np.asarray(expected))


@given(size=st.tuples(st.integers(1, 9), st.integers(1, 9)))
def test_rasters_arrays_and_images_are_one(size: tuple[int, int]) -> None:
    image = picture(*size)
    raster = io.from_pil(image)
    assert (raster.width, raster.height) == size
    np.testing.assert_array_equal(io.to_array(raster), np.asarray(image))
    assert io.from_array(io.to_array(raster)) == raster
    assert io.from_pil(io.to_pil(raster)) == raster


def sideways() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


@pytest.mark.parametrize(
    ("file_format", "mode", "options"),
    [
        ("PNG", "RGB", {}),
        ("PNG", "RGBA", {}),
        ("PNG", "L", {}),
        ("PNG", "I;16", {}),
        ("PNG", "P", {"transparency": 3}),
        ("JPEG", "RGB", {"exif": sideways()}),
        ("JPEG", "CMYK", {}),
        ("TIFF", "CMYK", {"exif": sideways()}),
        ("WEBP", "RGB", {"lossless": True}),
    ],
)
def test_an_image_of_pillow_is_read_as_its_file(
    file_format: str, mode: str, options: dict[str, Any]
) -> None:
    image = picture(20, 10)
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image)[..., 0].astype(np.uint16) * 257)
    file = streams.BytesIO()
    (image if mode == "I;16" else image.convert(mode)).save(file, file_format, **options)
    expected = io.read(file.getvalue())
    opened = Image.open(file)
    assert opened.mode == mode
    seen = io.read(io.encode_pillow(opened))
    np.testing.assert_array_equal(seen.pixels, expected.pixels)
    assert seen.notes == expected.notes


@pytest.mark.parametrize("mode", ["F", "HSV"])
def test_an_image_of_pillow_without_colours_is_refused(mode: str) -> None:
    with pytest.raises(ImageError, match=mode) as refused:
        io.encode_pillow(Image.new(mode, (4, 4)))
    assert "RGB" in refused.value.hint


@pytest.mark.parametrize(
    "pixels", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3))]
)
def test_other_arrays_are_no_rasters(pixels: io.Pixels) -> None:
    with pytest.raises(ValueError, match="expected uint8"):
        io.from_array(pixels)
