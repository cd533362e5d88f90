"""Labelled tables of images."""

import numpy as np
import pytest

from darkroom.contracts import Raster
from darkroom.images import io
from darkroom.images.sheet import Heads, labelled

RED, BLUE = (200, 30, 30), (30, 30, 200)


def plain(colour: tuple[int, int, int], width: int = 128, height: int = 128) -> Raster:
    return io.from_array(np.full((height, width, 3), colour, np.uint8))


def places(sheet: Raster, colour: tuple[int, int, int]) -> tuple[int, int, int, int]:
    rows, columns = np.nonzero((io.to_array(sheet) == colour).all(axis=2))
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def test_columns_are_fastest_and_every_pixel_is_kept() -> None:
    colours = [(10 * n, 50, 90) for n in range(1, 7)]
    heads = Heads(names=("Steps", "Prompt"), values=(("4", "8", "12"), ("a fox", "an owl")))
    sheet = labelled([plain(colour) for colour in colours], heads, "seed 3")
    boxes = [places(sheet, colour) for colour in colours]
    assert all(right - left == 128 and low - top == 128 for left, top, right, low in boxes)
    assert [box[1] for box in boxes[:3]] == [boxes[0][1]] * 3
    assert boxes[0][0] < boxes[1][0] < boxes[2][0]
    assert boxes[3][0] == boxes[0][0]
    assert boxes[3][1] >= boxes[0][3] + 8


def test_a_third_axis_is_a_table_below() -> None:
    heads = Heads(names=("a", "b", "c"), values=(("1",), ("1",), ("x", "y")))
    sheet = labelled([plain(RED), plain(BLUE)], heads)
    assert places(sheet, RED)[0] == places(sheet, BLUE)[0]
    assert places(sheet, BLUE)[1] > places(sheet, RED)[3] + 8


def test_other_sizes_and_empty_places() -> None:
    heads = Heads(names=("Model",), values=(("one", "two", "three"),))
    sheet = labelled([plain(RED, 64, 96), plain(BLUE), None], heads)
    left, top, right, low = places(sheet, RED)
    assert (right - left, low - top) == (64, 96)
    assert places(sheet, BLUE)[1] == top - 16


def test_small_images_are_enlarged_for_their_labels() -> None:
    heads = Heads(names=("Negative prompt",), values=(("", "white"),))
    sheet = labelled([plain(RED, 64, 64), plain(BLUE, 48, 64)], heads)
    left, top, right, low = places(sheet, RED)
    assert (right - left, low - top) == (128, 128)
    left, top, right, low = places(sheet, BLUE)
    assert (right - left, low - top) == (96, 128)


def test_long_labels_stay_over_their_column() -> None:
    long = "a hamster with a paintbrush " * 30
    heads = Heads(names=("Prompt", "Prompt"), values=((long, "x" * 400), (long,)))
    sheet = labelled([plain(RED), plain(BLUE)], heads, long)
    assert sheet.height < 128 + 300
    assert places(sheet, BLUE)[2] == sheet.width - 8


def test_as_many_images_as_places() -> None:
    heads = Heads(names=("Steps",), values=(("4", "8"),))
    with pytest.raises(ValueError, match="expected 2 x 1 x 1 cells, got 1"):
        labelled([plain(RED)], heads)
