"""The matched filter: its arithmetic against the plain definition, and what it finds where."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from darkroom.evaluation.glyphs import Glyphs, resized, shapes
from darkroom.evaluation.matcher import SIZES, Matcher

BLUE = torch.tensor([0.2, 0.4, 0.9])


def scene(
    glyphs: Glyphs, *things: tuple[str, int, int, int], height: int = 128, width: int = 128
) -> torch.Tensor:
    """Pictures called so, with their upper left corner and side, on blue: [3, H, W]."""
    canvas = BLUE[:, None, None].repeat(1, height, width)
    for name, top, left, side in things:
        picture = resized(glyphs.pictures[glyphs.names.index(name)], side)
        place = canvas[:, top : top + side, left : left + side]
        place.mul_(1 - picture[3]).add_(picture[:3])
    return canvas


def test_gains_are_what_the_squared_error_loses() -> None:
    """All gains at once by Fourier transform, against one picture laid down and measured."""
    generator = torch.Generator().manual_seed(0)
    alpha = torch.rand(2, 1, 64, 64, generator=generator)
    colours = torch.rand(2, 3, 64, 64, generator=generator) * alpha
    matcher = Matcher(Glyphs(("one", "two"), torch.cat([colours, alpha], dim=1)))
    difference = torch.rand(3, 32, 32, generator=generator) - 0.5
    gains = matcher._gains(difference, BLUE)
    size, picture, top, left = 3, 1, 7, 15
    small = F.interpolate(matcher._pictures[picture][None], (SIZES[size],) * 2, mode="area")[0]
    shown = torch.zeros(3, 32, 32)
    area = (slice(None), slice(top, top + SIZES[size]), slice(left, left + SIZES[size]))
    shown[area] = small[:3] - small[3] * BLUE[:, None, None]
    expected = difference.square().sum() - (difference - shown).square().sum()
    assert float(gains[size, picture, top, left]) == pytest.approx(float(expected), abs=1e-3)


@pytest.mark.parametrize(
    ("top", "left", "side", "height", "width"),
    [(3, 60, 40, 128, 128), (20, 2, 100, 128, 128), (30, 90, 52, 96, 160), (10, 5, 44, 64, 64)],
)
def test_a_thing_is_found_where_it_stands(
    glyphs: Glyphs, top: int, left: int, side: int, height: int, width: int
) -> None:
    image = scene(glyphs, ("rocket", top, left, side), height=height, width=width)
    found = next(Matcher(glyphs.of(["fox", "rocket", "bus"])).matches(image, BLUE))
    assert found.name == "rocket"
    assert found.explained > 0.9
    assert found.x * width == pytest.approx(left + side / 2, abs=2)
    assert found.y * height == pytest.approx(top + side / 2, abs=2)
    assert found.size == pytest.approx(side, rel=0.08)


def test_several_things_are_found_one_after_the_other(glyphs: Glyphs) -> None:
    things = ("fox", 5, 5, 50), ("bus", 70, 66, 56), ("fox", 70, 5, 50)
    matches = list(
        Matcher(glyphs.of(["fox", "rocket", "bus"])).matches(scene(glyphs, *things), BLUE)
    )
    assert sorted(match.name for match in matches) == ["bus", "fox", "fox"]


def test_nothing_stands_on_a_plain_image(glyphs: Glyphs) -> None:
    assert list(Matcher(glyphs.of(["fox"])).matches(scene(glyphs), BLUE)) == []


def test_a_form_is_filled_with_its_colour() -> None:
    red = torch.tensor([0.8, 0.1, 0.1, 1.0])
    drawn = Glyphs(shapes().names, shapes().pictures * red[:, None, None])
    image = scene(drawn, ("triangle", 30, 40, 60))
    found = next(Matcher(shapes(), ink=True).matches(image, BLUE))
    assert found.name == "triangle"
    assert found.ink is not None
    assert np.allclose(found.ink, red[:3], atol=0.03)
