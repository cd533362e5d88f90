"""Depth maps in and out."""

import io as streams

import numpy as np
import pytest
from PIL import Image

from darkroom.errors import ImageError, RequestError
from darkroom.images import depth_maps


def file_of(image: Image.Image, **options: object) -> bytes:
    buffer = streams.BytesIO()
    image.save(buffer, "PNG", **options)
    return buffer.getvalue()


def test_sixteen_bits_come_back_exactly() -> None:
    levels = np.linspace(0, 1, 7 * 5, dtype=np.float32).reshape(7, 5)
    again = depth_maps.read(depth_maps.encode(levels))
    assert again.shape == (7, 5)
    assert np.abs(again - levels).max() < 1e-5
    assert depth_maps.encode(again) == depth_maps.encode(levels)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P"])
def test_eight_bits_of_any_kind(mode: str) -> None:
    grey = Image.fromarray(np.arange(200, dtype=np.uint8).reshape(10, 20))
    read = depth_maps.read(file_of(grey.convert(mode)))
    assert np.abs(read - np.arange(200).reshape(10, 20) / 255).max() < 1 / 255


@pytest.mark.parametrize("bits", [8, 16])
def test_it_is_turned_upright(bits: int) -> None:
    grey = np.arange(6, dtype=np.uint8 if bits == 8 else np.uint16).reshape(2, 3)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned to the right
    read = depth_maps.read(file_of(Image.fromarray(grey), exif=exif))
    assert np.array_equal(np.round(read * (2**bits - 1)), np.rot90(grey, -1))


@pytest.mark.parametrize("data", [b"", b"depth", depth_maps.encode(np.ones((9, 9), "f4"))[:-30]])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(ImageError):
        depth_maps.read(data)


@pytest.mark.parametrize(
    ("size", "image"),
    [
        ((10, 10), (512, 512)),
        ((384, 256), (1000, 667)),
        ((30, 20), (301, 199)),
        ((384, 640), (300, 485)),
        ((1, 1), (1, 1)),
    ],
)
def test_another_size_of_one_shape_fits(size: tuple[int, int], image: tuple[int, int]) -> None:
    depth_maps.check_aspect(np.zeros(size[::-1], np.float32), image)


@pytest.mark.parametrize(("size", "image"), [((100, 100), (100, 110)), ((640, 480), (480, 640))])
def test_another_shape_is_refused(size: tuple[int, int], image: tuple[int, int]) -> None:
    with pytest.raises(RequestError, match=f"The depth map is {size[0]} x {size[1]}"):
        depth_maps.check_aspect(np.zeros(size[::-1], np.float32), image)


def test_depths_that_do_not_differ() -> None:
    assert not depth_maps.normalised(np.full((3, 3), 7.0)).any()
    stretched = depth_maps.normalised(np.array([[2.0, 4.0]]))
    assert stretched.tolist() == [[0.0, 1.0]]
