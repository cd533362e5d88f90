"""Masks: what is drawn, how it is hardened, inverted, grown and blurred, and what stays."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from darkroom.contracts import Sides
from darkroom.images import io, masks
from darkroom.images.io import Pixels, ReadImage

NOWHERE: Sides = (0, 0, 0, 0)


def finished(
    mask: Pixels, *, invert: bool = False, grow: int = 0, blur: int = 0, extend: Sides = NOWHERE
) -> masks.Mask:
    return masks.finished(mask, invert=invert, grow=grow, blur=blur, extend=extend)


def dot(size: int = 21) -> Pixels:
    mask = np.zeros((size, size), np.uint8)
    mask[size // 2, size // 2] = 255
    return mask


def discs(radius: int, size: int = 21) -> NDArray[np.bool_]:
    y, x = np.mgrid[:size, :size] - size // 2
    return np.asarray(x**2 + y**2 <= radius**2)


def test_white_is_painted_from_the_middle_on() -> None:
    mask = finished(np.array([[0, 127, 128, 255]], np.uint8))
    assert mask.painted.tolist() == [[False, False, True, True]]
    assert mask.mixture.tolist() == [[0, 0, 255, 255]]
    inverted = finished(np.array([[0, 127, 128, 255]], np.uint8), invert=True)
    assert inverted.painted.tolist() == [[True, True, False, False]]


def test_strokes_on_a_transparent_ground_are_the_mask() -> None:
    """They come laid over white; over black they are what was drawn."""
    alpha = np.array([[0, 128, 255, 255]], np.uint8)
    shown = np.array([[255, 255, 255, 0]], np.uint8)
    image = ReadImage(pixels=np.stack([shown] * 3, -1), mask=alpha, notes=())
    assert masks.of_file(image).tolist() == [[0, 128, 255, 0]]
    black = 255 - alpha  # black strokes, which are no mask
    image = ReadImage(pixels=np.stack([black] * 3, -1), mask=alpha, notes=())
    assert masks.of_file(image).tolist() == [[0, 0, 0, 0]]


def test_transparent_parts_of_an_image_are_painted() -> None:
    assert masks.of_alpha(np.array([[0, 127, 255]], np.uint8)).tolist() == [[255, 128, 0]]


@pytest.mark.parametrize("radius", [1, 2, 5, 9, 30])
def test_a_point_grows_to_a_disc(radius: int) -> None:
    assert np.array_equal(finished(dot(), grow=radius).painted, discs(radius))


@given(st.integers(0, 2**25 - 1), st.integers(1, 4))
def test_growing_reaches_all_that_is_near(bits: int, radius: int) -> None:
    painted = np.array([bits >> k & 1 for k in range(25)], bool).reshape(5, 5)
    ours = finished(painted.astype(np.uint8) * 255, grow=radius).painted
    y, x = np.mgrid[:5, :5]
    near = [(y - row) ** 2 + (x - column) ** 2 <= radius**2 for row, column in np.argwhere(painted)]
    assert np.array_equal(ours, np.any(near, axis=0) if near else painted)


def test_blur_softens_the_mixture_and_not_what_is_painted() -> None:
    mask = finished(dot(41), grow=8, blur=3)
    assert np.array_equal(mask.painted, discs(8, 41))
    middle = mask.mixture[20]
    assert middle[20] > 240
    assert 64 < middle[28] < 192, "half at the edge"
    assert middle[0] == middle[40] == 0
    assert np.all(np.diff(middle[:21].astype(int)) >= 0)


@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize("blur", [0, 4])
def test_what_is_added_at_the_sides_is_painted_through_and_through(invert: bool, blur: int) -> None:
    mask = finished(
        np.full((6, 8), 255 * invert, np.uint8), invert=invert, blur=blur, extend=(1, 2, 3, 4)
    )
    assert mask.painted.shape == (12, 12)
    inside = np.zeros((12, 12), bool)
    inside[2:8, 1:9] = True
    assert np.array_equal(mask.painted, ~inside)
    assert (mask.mixture[~inside] == 255).all()
    if blur:
        assert mask.mixture[inside].max() > 0, "the old edge goes over into the new part"


def test_bounds() -> None:
    mask = np.zeros((9, 12), np.uint8)
    mask[3:5, 7] = 1
    assert masks.bounds(mask) == (7, 3, 8, 5)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 90), st.integers(1, 90))
def test_no_stroke_is_too_thin_to_be_seen_at_another_size(
    width: int, height: int, to_width: int, to_height: int
) -> None:
    painted = np.zeros((height, width), bool)
    painted[height // 2, width // 3] = True
    resized = masks.resized(painted, to_width, to_height)
    assert resized.shape == (to_height, to_width)
    if to_width * to_height > width * height / 250:  # a level of 255 is left of the point
        assert resized.any()
    assert not masks.resized(np.zeros_like(painted), to_width, to_height).any()


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255))
def test_a_mixture_lies_between_and_its_ends_are_exact(old: int, new: int, share: int) -> None:
    def pixel(value: int) -> Pixels:
        return np.full((1, 1, 3), value, np.uint8)

    mixed = masks.mixed(pixel(old), pixel(new), np.full((1, 1), share, np.uint8))
    assert min(old, new) <= mixed[0, 0, 0] <= max(old, new)
    assert abs(mixed[0, 0, 0] - (old * (255 - share) + new * share) / 255) <= 0.5
    assert share != 0 or mixed[0, 0, 0] == old
    assert share != 255 or mixed[0, 0, 0] == new


def test_one_level_of_one_pixel_is_a_change() -> None:
    old = np.zeros((4, 5, 3), np.uint8)
    new = old.copy()
    new[1, 2, 1] = 1
    mixture = np.zeros((4, 5), np.uint8)
    assert not masks.unchanged(old, new, mixture)
    mixture[1, 2] = 1
    assert masks.unchanged(old, new, mixture)


def test_a_mask_is_fitted_and_an_image_extended() -> None:
    assert masks.fit(np.full((3, 5), 255, np.uint8), 10, 2).shape == (2, 10)
    pixels = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    wide = masks.extended(pixels, (1, 0, 2, 1))
    assert wide.shape == (3, 5, 3)
    assert np.array_equal(wide[:2, 1:3], pixels)
    assert np.array_equal(wide[2, 4], pixels[1, 1])
    assert io.from_array(wide).width == 5
