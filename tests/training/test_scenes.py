"""What Mini is taught, as far as no font is needed."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from darkroom.text.tokenizer import Tokenizer, pruned_merges
from darkroom.training.crops import crop
from darkroom.training.scenes import captions, painter
from darkroom.training.scenes.layout import (
    SIZES,
    STAGES,
    Background,
    Figure,
    Scene,
    Stage,
    combinations,
    held_out,
    training_scene,
)
from darkroom.training.scenes.vocabulary import COLOURS, SHAPES, STYLES, objects

NAMES = [item.name for item in objects(128)]
SCENES = [training_scene(3, i, NAMES, "all") for i in range(1500)]


def test_a_scene_depends_on_its_number_alone() -> None:
    assert training_scene(3, 7, NAMES, "all") == SCENES[7]
    assert training_scene(3, 8, NAMES, "all") != SCENES[7]


def test_no_two_objects_share_a_name_and_none_is_called_like_a_shape() -> None:
    names = [name for item in objects() for name in item.names]
    assert len(objects()) == 966
    assert len(set(names)) == len(names)
    assert not {*names} & {*SHAPES, *COLOURS}


@pytest.mark.parametrize("stage", STAGES)
def test_held_out_combinations_never_occur(stage: Stage) -> None:
    few = NAMES[:6]
    seen = {what for i in range(1500) for what in combinations(training_scene(0, i, few, stage))}
    assert len(seen) > 40
    assert not any(held_out(*what) for what in seen)
    grounds = {(name, colour) for name in few for colour in COLOURS if not held_out(name, colour)}
    assert grounds <= seen
    if stage == "all":
        pairs = {tuple(sorted(what)) for what in seen if {*what} <= {*few}}
        assert len(pairs) == sum(not held_out(a, b) for a in few for b in few if a < b)


def test_one_combination_in_ten_is_held_out() -> None:
    pairs = [(name, other) for name in NAMES for other in (*COLOURS, *STYLES)]
    assert 0.07 < np.mean([held_out(*pair) for pair in pairs]) < 0.13
    assert held_out("cat", "dog") == held_out("dog", "cat")


def test_everything_stands_inside_the_frame() -> None:
    for scene in SCENES:
        assert (scene.width, scene.height) in SIZES
        short = min(scene.width, scene.height)
        for figure in scene.figures:
            for along, length in ((figure.x, scene.width), (figure.y, scene.height)):
                half = figure.size * short / length / 2
                assert along - half > -0.04
                assert along + half < 1.04


def test_relations_are_true() -> None:
    related = [scene for scene in SCENES if scene.relation is not None]
    for scene in related:
        first, second = scene.figures
        holds = {
            "left of": first.x < second.x - 0.3,
            "right of": first.x > second.x + 0.3,
            "above": first.y < second.y - 0.3,
            "below": first.y > second.y + 0.3,
        }
        assert holds[str(scene.relation)]
    assert {scene.relation for scene in related} == set(captions.OPPOSITE)


def test_captions_hold_known_words_only_and_fit() -> None:
    known = set(captions.words(NAMES))
    tokenizer = Tokenizer(merges=pruned_merges(known), context_length=32)
    whole = Tokenizer.clip()
    for i, scene in enumerate(SCENES):
        text = captions.caption(np.random.default_rng(i), scene, whole=i % 2 == 0)
        assert set(text.split()) <= known, text
        ids = tokenizer.encode(text)
        assert len(ids) <= 30, text
        assert len(ids) == len(whole.encode(text))


WIDE = Scene(
    width=160,
    height=96,
    background=Background(colour="white"),
    figures=(
        Figure(name="circle", size=0.7, x=0.27, y=0.5, colour="red"),
        Figure(name="cat", size=0.7, x=0.73, y=0.5),
    ),
    relation="left of",
)


def said(scene: Scene) -> set[str]:
    return {captions.caption(np.random.default_rng(i), scene, whole=True) for i in range(80)}


def test_captions_are_true_from_both_sides() -> None:
    texts = said(WIDE)
    assert any("red circle" in text and " left of" in text for text in texts)
    for text in texts:
        circle, cat = text.index("circle"), text.index("ca" if "cat" in text else "kitty")
        left, right = "left of" in text, "right of" in text
        assert left != right
        assert left == (circle < cat)


def test_what_a_bag_of_words_would_not_notice_is_swapped() -> None:
    other = captions.swapped(WIDE)
    assert other == replace(WIDE, relation="right of")
    two = replace(
        WIDE, figures=(WIDE.figures[0], replace(WIDE.figures[0], name="cross", colour="blue"))
    )
    swapped = captions.swapped(two)
    assert swapped is not None
    assert [figure.colour for figure in swapped.figures] == ["blue", "red"]
    lone = replace(WIDE, figures=WIDE.figures[:1], relation=None)
    swapped = captions.swapped(lone)
    assert swapped is not None
    assert (swapped.background.colour, swapped.figures[0].colour) == ("red", "white")
    assert captions.swapped(replace(lone, figures=WIDE.figures[1:])) is None


@pytest.mark.parametrize(
    ("name", "many"),
    [
        ("cat", "cats"),
        ("mouse", "mice"),
        ("butterfly", "butterflies"),
        ("hot dog", "hot dogs"),
        ("maple leaf", "maple leaves"),
        ("cactus", "cactuses"),
        ("grapes", "grapes"),
        ("sheep", "sheep"),
        ("monkey", "monkeys"),
        ("fox", "foxes"),
    ],
)
def test_plurals(name: str, many: str) -> None:
    assert captions.plural(name) == many


@pytest.mark.parametrize(
    ("x", "y", "size", "place"),
    [
        (0.2, 0.2, 0.4, "top left"),
        (0.8, 0.5, 0.4, "right"),
        (0.5, 0.5, 0.4, "middle"),
        (0.5, 0.8, 0.4, "bottom"),
        (0.4, 0.4, 0.8, ""),
    ],
)
def test_places_have_names(x: float, y: float, size: float, place: str) -> None:
    figure = Figure(name="cat", size=size, x=x, y=y)
    texts = {captions.position(np.random.default_rng(i), figure) for i in range(20)}
    assert any(place in text for text in texts)
    assert bool(place) == all(texts)


class NoFont(painter.Painter):
    """Every glyph is a magenta box, twice as high as wide."""

    def __init__(self) -> None:
        self._styled = lambda *_: Image.new("RGBA", (10, 20), (255, 0, 255, 255))  # type: ignore[assignment]


def test_painting_puts_figures_where_the_scene_says() -> None:
    pixels = NoFont().paint(
        Scene(
            width=160,
            height=96,
            background=Background(colour="white"),
            figures=(
                Figure(name="cat", size=0.5, x=0.25, y=0.5),
                Figure(name="square", size=0.25, x=0.75, y=0.5, colour="blue"),
            ),
        )
    )
    assert pixels.shape == (96, 160, 3)
    rows, columns = np.where((pixels == (255, 0, 255)).all(axis=2))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (24, 71, 28, 51)
    rows, columns = np.where((pixels == COLOURS["blue"]).all(axis=2))
    assert abs(rows.mean() - 47.5) < 1 and abs(columns.mean() - 119.5) < 1
    assert tuple(pixels[0, 0]) == COLOURS["white"]


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_fill_their_box(name: str) -> None:
    alpha = np.asarray(painter.shape(name, COLOURS["red"], 40))[:, :, 3] > 127
    assert 0.4 < alpha.mean() < 0.9
    assert alpha.any(axis=0).mean() > 0.85 or alpha.any(axis=1).mean() > 0.85


def test_styles_keep_the_form() -> None:
    glyph = Image.new("RGBA", (60, 40), (0, 0, 0, 0))
    glyph.paste((200, 30, 30, 255), (5, 5, 30, 35))
    glyph.paste((30, 30, 200, 255), (30, 5, 55, 35))
    for name, style in painter.FILTERS.items():
        made = style(glyph)
        cover = np.asarray(made)[:, :, 3].mean() / 255
        assert 0.55 < cover < 0.8, name
    lines = np.asarray(painter.outline(glyph))
    assert tuple(lines[24, 34]) == (*COLOURS["black"], 255)  # between the two colours
    assert tuple(lines[24, 20]) == (*COLOURS["white"], 255)
    dark = np.asarray(painter.silhouette(glyph, COLOURS["green"]))
    assert {tuple(pixel) for pixel in dark[np.asarray(glyph)[:, :, 3] > 0]} == {
        (*COLOURS["green"], 255)
    }


@pytest.mark.parametrize("place", painter.BANDS)
def test_places_and_patterns_cover_the_canvas(place: str) -> None:
    image = np.asarray(painter.background(Background(place=place, seed=1), 96, 160))
    assert image.shape == (160, 96, 3)
    assert (image.sum(axis=2) > 0).all()


def test_a_crop_shows_a_figure() -> None:
    pixels = NoFont().paint(WIDE)
    for seed in range(50):
        piece = crop(pixels, WIDE, 64, np.random.default_rng(seed))
        assert piece.shape == (64, 64, 3)
        assert (piece != COLOURS["white"]).any()
