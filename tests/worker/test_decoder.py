"""Images from outside are opened in a process of their own, which may fail."""

import io
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from darkroom.errors import ImageError
from darkroom.images import io as files
from darkroom.worker.decoder import Decoder
from tests.images.test_reading import REJECTED


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    made = Decoder(processes=1)
    yield made
    made.close()


def encoded(image: Image.Image, kind: str = "PNG", **arguments: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **arguments)
    return buffer.getvalue()


def noise(mode: str, size: tuple[int, int] = (40, 24)) -> Image.Image:
    channels = len(Image.new(mode, (1, 1)).getbands())
    values = np.random.default_rng(1).integers(0, 256, (size[1], size[0], channels), np.uint8)
    return Image.fromarray(values if channels > 1 else values[:, :, 0], mode)


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(noise("RGB"), "JPEG", exif=exif)


@pytest.mark.parametrize(
    "data",
    [
        encoded(noise("RGB")),
        encoded(noise("RGBA")),
        encoded(noise("LA")),
        encoded(noise("L"), "BMP"),
        encoded(noise("CMYK"), "JPEG"),
        encoded(noise("RGB"), "WEBP", lossless=True),
        encoded(noise("RGB").quantize(16), "GIF"),
        turned(),
    ],
    ids=["rgb", "rgba", "grey and alpha", "bmp", "cmyk", "webp", "gif", "turned"],
)
def test_the_image_made_anew_means_the_same(decoder: Decoder, data: bytes) -> None:
    found = decoder.decode(data)
    before, after = files.read(data), files.read(found.png)
    assert (found.width, found.height) == before.size
    assert np.array_equal(before.pixels, after.pixels)
    assert (before.mask is None) == (after.mask is None)
    if before.mask is not None and after.mask is not None:
        assert np.array_equal(before.mask, after.mask)
    assert found.notes == before.notes
    assert Image.open(io.BytesIO(found.png)).info.keys() <= {"transparency"}


def test_texts_and_the_recipe_of_another_program_are_told(decoder: Decoder) -> None:
    texts = PngImagePlugin.PngInfo()
    said = "a cat\nNegative prompt: dogs\nSteps: 7, Sampler: Euler, CFG scale: 5, Seed: 3"
    texts.add_text("parameters", said + ", Size: 40x24, Model: none-such, Version: v1.9")
    found = decoder.decode(encoded(noise("RGB"), pnginfo=texts))
    assert found.texts["parameters"].startswith(said)
    assert found.recipe is not None
    assert found.recipe.program == "AUTOMATIC1111 (v1.9)"
    assert not found.recipe.ours
    assert found.recipe.fields["prompt"] == "a cat"
    assert found.recipe.fields["steps"] == 7
    assert found.recipe.fields["sampler"] == "euler"
    assert "none-such" in " ".join(found.recipe.remarks)
    assert "Negative prompt: dogs" in found.recipe.text


def test_small_pictures_are_made(decoder: Decoder, tmp_path: Path) -> None:
    data = encoded(noise("RGB", (400, 200)))
    assert Image.open(io.BytesIO(decoder.picture(data, 64))).size == (64, 32)
    (tmp_path / "a.png").write_bytes(data)
    small = Image.open(io.BytesIO(decoder.thumbnail(tmp_path / "a.png", 100)))
    assert (small.format, small.size) == ("WEBP", (100, 50))


@pytest.mark.parametrize("data", [b"", b"nonsense", encoded(noise("RGB"))[:60], b"<svg/>"])
def test_what_is_no_image_is_refused_and_the_next_one_opened(decoder: Decoder, data: bytes) -> None:
    with pytest.raises(ImageError):
        decoder.decode(data)
    assert decoder.decode(encoded(noise("RGB"))).width == 40


@pytest.mark.parametrize("kind", REJECTED)
def test_hostile_files_are_refused_without_a_crash(decoder: Decoder, kind: str) -> None:
    decoder.decode(encoded(noise("RGB")))
    before = decoder._children[0]._process
    begin = time.process_time()
    with pytest.raises(ImageError) as refused:
        decoder.decode(REJECTED[kind]())
    assert "had to stop" not in refused.value.message
    assert decoder._children[0]._process is before
    assert time.process_time() - begin < 2


def test_a_crash_costs_one_file(decoder: Decoder) -> None:
    decoder.warm()
    process = decoder._children[0]._process
    assert process is not None
    large = encoded(Image.new("RGB", (7000, 7000)))
    killer = threading.Timer(0.2, lambda: os.kill(process.pid, signal.SIGKILL))
    killer.start()
    with pytest.raises(ImageError, match="had to stop"):
        decoder.decode(large)
    killer.join()
    assert decoder.decode(encoded(noise("RGB"))).width == 40


def test_what_takes_too_long_is_given_up() -> None:
    decoder = Decoder(seconds=0.2, processes=1)
    try:
        with pytest.raises(ImageError, match=r"more than 0\.2 seconds"):
            decoder.decode(encoded(Image.new("RGB", (7000, 7000))))
    finally:
        decoder.close()


def test_what_takes_too_much_memory_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("darkroom.images.screening.MAX_BYTES", 100)
    with pytest.raises(ImageError, match="MiB"):
        Decoder().decode(bytes(200))


def test_the_process_is_replaced_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("darkroom.worker.decoder._LIFE", 2)
    decoder = Decoder(processes=1)
    try:
        pids = []
        for _ in range(4):
            decoder.decode(encoded(noise("RGB")))
            process = decoder._children[0]._process
            assert process is not None
            pids.append(process.pid)
    finally:
        decoder.close()
    assert pids[0] == pids[1] != pids[2] == pids[3]
