"""The watermark, bit for bit that of the original package, whose output the golden files hold."""

import io as streams
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import pywt
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from darkroom.images import watermark

GOLDEN = Path(__file__).parents[1] / "data" / "watermark"
PICTURES = ("clouds-512x384", "gradient-256", "noise-320")
PAYLOADS = ("StableDiffusionV1", "SDV2")


def golden(name: str) -> watermark.Pixels:
    return np.asarray(Image.open(GOLDEN / f"{name}.png").convert("RGB"))


def noise(height: int, width: int, seed: int = 0) -> watermark.Pixels:
    """Grey with a little colour, on which the method decodes without errors."""
    random = np.random.default_rng(seed)
    grey = random.integers(100, 156, (height, width, 1))
    return (grey + random.integers(-6, 7, (height, width, 3))).astype(np.uint8)


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("name", PICTURES)
def test_embedding_equals_the_package_bit_for_bit(name: str, payload: str) -> None:
    before = golden(name)
    untouched = before.copy()
    marked = watermark.embed(before, payload.encode())
    np.testing.assert_array_equal(marked, golden(f"{name}.{payload}"))
    np.testing.assert_array_equal(before, untouched)


# The errors are the method's own; these figures are what its published decoder finds.
@pytest.mark.parametrize(
    ("name", "payload", "agreement"),
    [
        ("clouds-512x384", "StableDiffusionV1", 106 / 136),
        ("clouds-512x384", "SDV2", 26 / 32),
        ("gradient-256", "StableDiffusionV1", 99 / 136),
        ("gradient-256", "SDV2", 24 / 32),
        ("noise-320", "StableDiffusionV1", 123 / 136),
        ("noise-320", "SDV2", 32 / 32),
    ],
)
def test_extraction_from_the_golden_files(name: str, payload: str, agreement: float) -> None:
    assert watermark.agreement(golden(f"{name}.{payload}"), payload.encode()) == agreement


def yuv(pixels: watermark.Pixels) -> list[npt.NDArray[np.int64]]:
    red, green, blue = (pixels[..., channel].astype(int) for channel in range(3))
    luma = (4899 * red + 9617 * green + 1868 * blue + 8192) >> 14
    u = (((blue - luma) * 8061 + 8192) >> 14) + 128
    v = (((red - luma) * 14369 + 8192) >> 14) + 128
    return [luma, np.clip(u, 0, 255), np.clip(v, 0, 255)]


def published_encoder(pixels: watermark.Pixels, payload: bytes) -> watermark.Pixels:
    """The encoding loop as the method describes it, one block at a time, on PyWavelets' Haar."""
    luma, u, v = yuv(pixels)
    rows, columns = pixels.shape[0] // 4 * 4, pixels.shape[1] // 4 * 4
    low, (horizontal, vertical, diagonal) = pywt.dwt2(u[:rows, :columns].astype(float), "haar")
    bits = "".join(f"{byte:08b}" for byte in payload)
    count = 0
    for row in range(low.shape[0] // 4):
        for column in range(low.shape[1] // 4):
            block = low[row * 4 : row * 4 + 4, column * 4 : column * 4 + 4]
            place = divmod(int(np.argmax(abs(block.flatten()[1:]))) + 1, 4)
            size = (abs(block[place]) // 36 + 0.25 + 0.5 * int(bits[count % len(bits)])) * 36
            block[place] = size if block[place] >= 0 else -size
            count += 1
    marked = pywt.idwt2((low, (vertical, horizontal, diagonal)), "haar")
    u[:rows, :columns] = np.trunc(marked).astype(int)
    u, v = u - 128, v - 128
    red = luma + ((18678 * v + 8192) >> 14)
    green = luma + ((-6472 * u - 9519 * v + 8192) >> 14)
    blue = luma + ((33292 * u + 8192) >> 14)
    rgb: watermark.Pixels = np.clip(np.stack([red, green, blue], -1), 0, 255).astype(np.uint8)
    return rgb


def published_decoder(pixels: watermark.Pixels, bits: int) -> list[bool]:
    """The decoding loop, in the same way."""
    rows, columns = pixels.shape[0] // 4 * 4, pixels.shape[1] // 4 * 4
    low, _ = pywt.dwt2(yuv(pixels)[1][:rows, :columns].astype(float), "haar")
    votes: list[list[bool]] = [[] for _ in range(bits)]
    count = 0
    for row in range(low.shape[0] // 4):
        for column in range(low.shape[1] // 4):
            block = low[row * 4 : row * 4 + 4, column * 4 : column * 4 + 4].flatten()
            value = abs(block[np.argmax(abs(block[1:])) + 1])
            votes[count % bits].append(bool(value % 36 > 18))
            count += 1
    return [bool(np.mean(vote) * 255 > 127) for vote in votes]


# Every size modulo 8 matters: the rows beyond a multiple of 4, and the blocks of 8 pixels.
# Pure colours drive the marked channel to its ends.
@pytest.mark.parametrize("size", [(256, 256), (257, 263), (259, 260), (262, 261), (300, 221)])
@pytest.mark.parametrize("payload", [b"SDV2", b"StableDiffusionV1", b"\x00", b"\xff"])
def test_embedding_equals_a_plain_loop(size: tuple[int, int], payload: bytes) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (*size, 3)).astype(np.uint8)
    pixels[:64] = np.random.default_rng(3).integers(0, 2, (64, size[1], 3)) * 255
    marked = watermark.embed(pixels, payload)
    np.testing.assert_array_equal(marked, published_encoder(pixels, payload))


@pytest.mark.parametrize("n_bytes", [1, 4, 17])
@pytest.mark.parametrize("name", PICTURES)
def test_extraction_equals_a_plain_loop(name: str, n_bytes: int) -> None:
    pixels = golden(f"{name}.SDV2")[:300, :310]
    if pixels.shape[0] * pixels.shape[1] < watermark.MIN_PIXELS:
        pixels = golden(f"{name}.SDV2")
    found = np.unpackbits(np.frombuffer(watermark.extract(pixels, n_bytes), np.uint8))
    assert found.astype(bool).tolist() == published_decoder(pixels, 8 * n_bytes)


@given(
    payload=st.binary(min_size=1, max_size=20),
    height=st.integers(256, 300),
    width=st.integers(257, 300),
)
@settings(max_examples=15)
def test_a_payload_survives_a_png(payload: bytes, height: int, width: int) -> None:
    marked = watermark.embed(noise(height, width), payload)
    buffer = streams.BytesIO()
    Image.fromarray(marked).save(buffer, "PNG")
    decoded = np.asarray(Image.open(buffer))
    assert watermark.extract(decoded, len(payload)) == payload
    assert watermark.agreement(decoded, payload) == 1


def test_agreement_is_chance_without_a_mark_and_low_for_the_opposite() -> None:
    pixels = noise(320, 320)
    assert 0.2 < watermark.agreement(pixels, b"StableDiffusionV1") < 0.8
    marked = watermark.embed(pixels, b"\x0f\xf0")
    assert watermark.agreement(marked, b"\xf0\x0f") == 0


def test_the_picture_looks_the_same() -> None:
    pixels = noise(256, 256)
    change = np.abs(watermark.embed(pixels, b"SDV2").astype(int) - pixels)
    assert change.mean() < 4


@pytest.mark.parametrize(
    ("pixels", "payload"),
    [
        (np.zeros((255, 257, 3), np.uint8), b"SDV2"),
        (np.zeros((64, 64, 3), np.uint8), b"SDV2"),
        (np.zeros((256, 256), np.uint8), b"SDV2"),
        (np.zeros((256, 256, 4), np.uint8), b"SDV2"),
        (np.zeros((256, 256, 3), np.float32), b"SDV2"),
        (np.zeros((256, 256, 3), np.uint8), b""),
    ],
)
def test_what_cannot_carry_a_mark(pixels: watermark.Pixels, payload: bytes) -> None:
    with pytest.raises(ValueError, match="expected"):
        watermark.embed(pixels, payload)
    with pytest.raises(ValueError, match="expected"):
        watermark.extract(pixels, len(payload))
