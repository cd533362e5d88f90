"""The sheet's geometry, worked out by hand."""

import numpy as np
import pytest

from darkroom.contracts import Raster
from darkroom.images import io
from darkroom.images.grid import grid


def plain(value: int, width: int = 3, height: int = 2) -> Raster:
    return Raster(width=width, height=height, data=bytes([value]) * (width * height * 3))


def test_five_in_two_columns() -> None:
    sheet = io.to_array(grid([plain(value) for value in (10, 20, 30, 40, 50)], columns=2))
    # Each 3 x 2 image has two black pixels before it, and two end each row and column.
    assert sheet.shape == (2 + 3 * 4, 2 + 2 * 5, 3)
    expected = np.zeros((14, 12), int)
    expected[2:4, 2:5], expected[2:4, 7:10] = 10, 20
    expected[6:8, 2:5], expected[6:8, 7:10] = 30, 40
    expected[10:12, 2:5] = 50
    for channel in range(3):
        np.testing.assert_array_equal(sheet[..., channel], expected)


@pytest.mark.parametrize(
    ("images", "columns", "size"),
    [
        (4, None, (12, 10)),
        (5, None, (17, 10)),
        (6, None, (17, 10)),
        (9, None, (17, 14)),
        (3, 8, (17, 6)),
        (3, 1, (7, 14)),
    ],
)
def test_columns(images: int, columns: int | None, size: tuple[int, int]) -> None:
    sheet = grid([plain(1)] * images, columns)
    assert (sheet.width, sheet.height) == size


def test_one_image_stays_itself() -> None:
    assert grid([plain(7)], columns=3) == plain(7)


@pytest.mark.parametrize(
    ("images", "columns"),
    [([], None), ([plain(1), plain(1, width=4)], None), ([plain(1)] * 2, 0), ([plain(1)] * 2, -1)],
)
def test_what_cannot_be_laid_out(images: list[Raster], columns: int | None) -> None:
    with pytest.raises(ValueError, match="expected"):
        grid(images, columns)
