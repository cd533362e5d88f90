"""24 kinds of files that are no fit images, and 12 that are odd: a clear answer to each."""

import gzip
import io
import struct
import zipfile
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from tests.server.conftest import House


def png(image: Image.Image | None = None, **more: object) -> bytes:
    buffer = io.BytesIO()
    (image or Image.new("RGB", (16, 16), "navy")).save(buffer, "PNG", **more)
    return buffer.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def made_png(header: bytes, *chunks: bytes) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunks) + chunk(b"IEND", b"")


def size(width: int, height: int) -> bytes:
    return struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)


PIXELS = chunk(b"IDAT", zlib.compress(bytes(49 * 16)))
BOMB = zlib.compress(bytes(200 * 2**20), 9)


def gif_bomb() -> bytes:
    screen = b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0x80, 0, 0) + bytes(6)
    frame = b"," + struct.pack("<HHHHB", 0, 0, 65535, 65535, 0) + b"\x02\x02\x44\x01\x00"
    return screen + frame * 2000 + b";"


def pages() -> bytes:
    buffer = io.BytesIO()
    first = Image.new("1", (8, 8))
    first.save(buffer, "TIFF", save_all=True, append_images=[first] * 1500)
    return buffer.getvalue()


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("x.png", png())
    return buffer.getvalue()


def nan_tiff() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((8, 8), np.nan, np.float32)).save(buffer, "TIFF")
    return buffer.getvalue()


def large_exif() -> bytes:
    segment = b"\xff\xe1" + struct.pack(">H", 65535) + b"Exif\0\0" + bytes(65527)
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG")
    data = buffer.getvalue()
    return data[:2] + segment * 160 + data[2:]


HOSTILE: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "random": lambda: np.random.default_rng(1).bytes(5000),
    "truncated": lambda: png(Image.effect_noise((64, 64), 50))[:900],
    "bad checksum": lambda: png()[:-20] + b"\0" * 20,
    "two headers": lambda: made_png(size(16, 16), chunk(b"IHDR", size(16, 16)), PIXELS),
    "65535 squared": lambda: made_png(size(65535, 65535), PIXELS),
    "pixel bomb": lambda: made_png(size(12_000, 12_000), chunk(b"IDAT", BOMB)),
    "text bomb": lambda: made_png(size(16, 16), chunk(b"zTXt", b"x\0\0" + BOMB), PIXELS),
    "itxt bomb": lambda: made_png(size(16, 16), chunk(b"iTXt", b"x\0\1\0\0\0" + BOMB), PIXELS),
    "profile bomb": lambda: made_png(size(16, 16), chunk(b"iCCP", b"x\0\0" + BOMB), PIXELS),
    "10000 frames": lambda: made_png(
        size(16, 16),
        chunk(b"acTL", struct.pack(">II", 10_000, 0)),
        PIXELS,
        *[chunk(b"fcTL", bytes(26))] * 10_000,
    ),
    "gif bomb": gif_bomb,
    "many pages": pages,
    "fits": lambda: b"SIMPLE  =                    T" + b" " * 2850,
    "psd": lambda: b"8BPS\0\1" + bytes(2000),
    "eps": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "pdf": lambda: b"%PDF-1.7\n" + bytes(100),
    "svg": lambda: b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "html as png": lambda: b"<!doctype html><script>alert(1)</script>",
    "jpeg 2000": lambda: b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(100),
    "large exif": large_exif,
    "not-a-number tiff": nan_tiff,
    "1 by 65535": lambda: made_png(size(1, 65535), PIXELS),
    "zip": zipped,
    "gzip": lambda: gzip.compress(png()),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_is_no_fit_image(shared: House, kind: str) -> None:
    data = HOSTILE[kind]()
    answer = shared.client.post("/api/uploads", content=data)
    assert answer.status_code == 422, (kind, answer.text)
    error = answer.json()["error"]
    assert error["message"].endswith(".") and error["hint"]
    assert not list(shared.services.store.folder.inputs.iterdir())


def test_an_oversize_file(shared: House) -> None:
    headers = {"content-length": str(129 * 2**20)}
    answer = shared.client.post("/api/uploads", content=b"x", headers=headers)
    assert answer.status_code == 413


def cmyk() -> bytes:
    buffer = io.BytesIO()
    Image.new("CMYK", (16, 16), (255, 0, 0, 0)).save(buffer, "JPEG")
    return buffer.getvalue()


def turned(orientation: int) -> bytes:
    image = Image.new("RGB", (16, 8), "navy")
    exif = image.getexif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


def animated() -> bytes:
    buffer = io.BytesIO()
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "lime", "blue")]
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    return buffer.getvalue()


ODD: dict[str, tuple[Callable[[], bytes], tuple[int, int]]] = {
    "cmyk": (cmyk, (16, 16)),
    "16 bits": (lambda: png(Image.fromarray(np.full((16, 16), 60_000, np.uint16))), (16, 16)),
    "1 bit": (lambda: png(Image.new("1", (16, 16), 1)), (16, 16)),
    "palette": (lambda: png(Image.new("P", (16, 16), 3), transparency=3), (16, 16)),
    "grey and alpha": (lambda: png(Image.new("LA", (16, 16), (200, 0))), (16, 16)),
    "nothing to see": (lambda: png(Image.new("RGBA", (16, 16), (9, 9, 9, 0))), (16, 16)),
    "upside down": (lambda: turned(3), (16, 8)),
    "on its side": (lambda: turned(6), (8, 16)),
    "animated": (animated, (16, 16)),
    "one pixel": (lambda: png(Image.new("RGB", (1, 1))), (1, 1)),
    "with a tail": (lambda: png() + b"<script>alert(1)</script>", (16, 16)),
    "a damaged recipe": (lambda: png(pnginfo=text("darkroom", "{")), (16, 16)),
}


def text(name: str, value: str) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_itxt(name, value)
    return info


@pytest.mark.parametrize("kind", ODD)
def test_what_is_only_odd(house: House, kind: str) -> None:
    make, expected = ODD[kind]
    answer = house.client.post("/api/uploads", content=make())
    assert answer.status_code == 201, answer.text
    said = answer.json()
    assert (said["width"], said["height"]) == expected
    picture = house.client.get(f"/api/uploads/{said['id']}/image")
    assert picture.headers["content-type"] == "image/png" and b"<script>" not in picture.content
    assert Image.open(io.BytesIO(picture.content)).size == expected
