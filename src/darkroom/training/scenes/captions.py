"""What is said of a scene: true phrasings, drawn at random from a small grammar.

[a picture of] NOUN [and | to the left of | … NOUN] [place in the frame] [on a … background]
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from darkroom.training.scenes.layout import Background, Figure, Relation, Rng, Scene
from darkroom.training.scenes.vocabulary import COLOURS, PATTERNS, SHAPES, SPELLINGS, objects

OPENINGS = ("", "", "", "", "an image of ", "a picture of ", "an emoji of ")
STYLED: Mapping[str, tuple[str, ...]] = {
    "flat": ("a flat drawing of {}", "{} in flat style", "{} in flat colours"),
    "pixel": ("a pixel art of {}", "{} in pixel art style", "pixel art of {}"),
    "outline": ("an outline of {}", "a line drawing of {}", "{} in outline style"),
    "silhouette": ("{colour} silhouette of {}",),
}
RELATIONS: Mapping[Relation, tuple[str, ...]] = {
    "left of": ("to the left of", "left of", "on the left of"),
    "right of": ("to the right of", "right of", "on the right of"),
    "above": ("above", "over", "on top of"),
    "below": ("below", "under", "beneath"),
}
OPPOSITE: Mapping[Relation, Relation] = {
    "left of": "right of",
    "right of": "left of",
    "above": "below",
    "below": "above",
}
TOGETHER = ("and", "and", "with")
BESIDE = (*TOGETHER, "next to")
PATTERNED: Mapping[str, tuple[str, ...]] = {
    "striped": ("on {a} {c} striped background", "on a striped {c} background", "on {c} stripes"),
    "checkered": ("on {a} {c} checkered background", "on a checkered {c} background"),
    "dotted": ("on {a} {c} dotted background", "on a dotted {c} background", "on {c} dots"),
}
PLAIN = (
    "on {a} {c} background",
    "on {a} {c} background",
    "on {c}",
    "in front of {a} {c} background",
)
PLACED: Mapping[str, tuple[str, ...]] = {
    "night sky": ("in the night sky", "under the stars", "at night"),
    "meadow": ("in a meadow", "on a meadow", "on green grass"),
    "beach": ("on a beach", "at the beach"),
    "sea": ("at sea", "over the sea", "in front of the sea"),
    "desert": ("in the desert", "in a desert"),
    "snow": ("in the snow", "on snow"),
}
NUMBERS: Mapping[int, str] = {2: "two", 3: "three", 4: "four"}
SMALL, BIG = 0.42, 0.72  # below and above, a lone figure may be called so
STANDS_FREE = 0.62  # a larger figure has no place in the frame worth a word

# Names of things that are many, or that are not counted.
MANY = frozenset(
    str.split(
        "cherries grapes fries blueberries peanuts pancakes noodles eyes glasses jeans gloves "
        "socks scissors scales swords skis sparkles sunglasses goggles shorts briefs bubbles "
        "beans books chopsticks fireworks maracas chains sweat-droplets"
    )
)
MASS = frozenset(
    str.split(
        "bread cheese corn coffee popcorn fire broccoli lightning poo bacon butter milk wine beer "
        "spaghetti sushi yarn rice soap garlic meat steak candy ice salt champagne"
    )
)
PLURALS: Mapping[str, str] = {
    "mouse": "mice",
    "goose": "geese",
    "sheep": "sheep",
    "fish": "fish",
    "deer": "deer",
    "ox": "oxen",
    "wolf": "wolves",
    "leaf": "leaves",
    "knife": "knives",
    "tooth": "teeth",
    "scarf": "scarves",
    "foot": "feet",
    "bison": "bison",
    "moose": "moose",
    "dice": "dice",
    "man": "men",
}


def caption(rng: Rng, scene: Scene, *, whole: bool = False) -> str:
    """One of the ways to say what `scene` shows; `whole`: leaving nothing out."""
    said = _figures(rng, scene, whole=whole)
    parts = [said if scene.figures[0].style else _one(rng, OPENINGS) + said]
    if len(scene.figures) == 1 and (whole or rng.random() < 0.5):
        parts += [place for place in [position(rng, scene.figures[0])] if place]
    if whole or rng.random() < 0.9:
        parts.append(ground(rng, scene.background))
    return " ".join(parts)


def swapped(scene: Scene) -> Scene | None:
    """The scene that a bag of words would take for this one, or None.

    Two figures change places; if one or both have colours, those are exchanged instead, figure
    with figure or with the background.
    """
    if len(scene.figures) == 1:
        figure, ground = scene.figures[0], scene.background
        if figure.colour is None or ground.place is not None:
            return None
        return replace(
            scene,
            figures=(replace(figure, colour=ground.colour),),
            background=replace(ground, colour=figure.colour),
        )
    if scene.relation is None:
        return None
    first, second = scene.figures
    if first.colour is not None and second.colour is not None:
        changed = replace(first, colour=second.colour), replace(second, colour=first.colour)
        return replace(scene, figures=changed)
    return replace(scene, relation=OPPOSITE[scene.relation])


def words(names: Sequence[str]) -> tuple[str, ...]:
    """Every word that captions about these objects may hold, sorted."""
    chosen = [item for item in objects() if item.name in set(names)]
    said = [name for item in chosen for name in item.names]
    said += [plural(name) for item in chosen for name in item.names]
    said += [*COLOURS, *(s for spellings in SPELLINGS.values() for s in spellings)]
    said += [*SHAPES, *map(plural, SHAPES), *PATTERNS, *NUMBERS.values()]
    said += [*OPENINGS, *BESIDE, *PLAIN, "some a an of the small big large tiny"]
    for table in (STYLED, RELATIONS, PATTERNED, PLACED):
        said += [phrase for phrases in table.values() for phrase in phrases]
    said += [phrase for row in POSITIONS for cell in row for phrase in cell]
    return tuple(sorted({word for text in said for word in text.split() if "{" not in word}))


def _figures(rng: Rng, scene: Scene, *, whole: bool) -> str:
    figures = scene.figures
    if len(figures) == 1:
        return _lone(rng, figures[0], whole=whole)
    if scene.relation is None:
        return f"{NUMBERS[len(figures)]} {plural(_name(rng, figures[0].name))}"
    first, second = (_noun(rng, figure) for figure in figures)
    relation = scene.relation
    if rng.random() < 0.5:
        first, second, relation = second, first, OPPOSITE[relation]
    if not whole and rng.random() < 0.3:
        beside = relation in {"left of", "right of"}
        return f"{first} {_one(rng, BESIDE if beside else TOGETHER)} {second}"
    return f"{first} {_one(rng, RELATIONS[relation])} {second}"


def _lone(rng: Rng, figure: Figure, *, whole: bool) -> str:
    size = ""
    if figure.style is None and (whole or rng.random() < 0.4):
        if figure.size < SMALL:
            size = _one(rng, ("small ", "small ", "tiny "))
        elif figure.size > BIG:
            size = _one(rng, ("big ", "large ")) if rng.random() < 0.3 else ""
    noun = _noun(rng, figure, size)
    if figure.style is None:
        return noun
    phrase = _one(rng, STYLED[figure.style])
    if figure.colour is not None:
        colour = _colour(rng, figure.colour)
        phrase = f"{article(colour)} " + phrase.replace("{colour}", colour)
        noun = _noun(rng, replace(figure, colour=None))
    return phrase.format(noun)


def _noun(rng: Rng, figure: Figure, size: str = "") -> str:
    """With article, size and colour."""
    colour = _colour(rng, figure.colour) + " " if figure.colour is not None else ""
    name = _name(rng, figure.name)
    words_before = size + colour
    if rng.random() < 0.1:
        return f"the {words_before}{name}"
    if name in MASS and not words_before:
        return name
    if name.split()[-1] in MANY or name in MASS:
        return f"{_one(rng, ('some ', ''))}{words_before}{name}"
    return f"{article(words_before + name)} {words_before}{name}"


def position(rng: Rng, figure: Figure) -> str:
    """Where in a 3 × 3 grid a figure stands; "" where it is too large to stand anywhere."""
    if figure.size > STANDS_FREE:
        return ""
    column, row = (int(np.digitize(along, (0.4, 0.6))) for along in (figure.x, figure.y))
    return _one(rng, POSITIONS[row][column])


POSITIONS: tuple[tuple[tuple[str, ...], ...], ...] = (
    (
        ("in the top left corner", "at the top left"),
        ("at the top",),
        ("in the top right corner", "at the top right"),
    ),
    (
        ("on the left", "on the left side"),
        ("in the middle", "in the centre"),
        ("on the right", "on the right side"),
    ),
    (
        ("in the bottom left corner", "at the bottom left"),
        ("at the bottom",),
        ("in the bottom right corner", "at the bottom right"),
    ),
)


def ground(rng: Rng, background: Background) -> str:
    """What the figures stand on."""
    if background.place is not None:
        return _one(rng, PLACED[background.place])
    colour = _colour(rng, background.colour)
    phrases = PLAIN if background.pattern is None else PATTERNED[background.pattern]
    return _one(rng, phrases).format(a=article(colour), c=colour)


def article(words_after: str) -> str:
    """The indefinite article before these words."""
    if words_after.startswith(("uni", "ufo", "eu")):
        return "a"
    return "an" if words_after[0] in "aeiou" else "a"


def plural(name: str) -> str:
    """Several of what `name` is one of; names of many stay as they are."""
    start, _, last = name.rpartition(" ")
    if last in PLURALS:
        last = PLURALS[last]
    elif last in MANY or name in MASS:
        pass
    elif last.endswith(("s", "x", "ch", "sh", "z")):
        last += "es"
    elif last.endswith("y") and last[-2] not in "aeiou":
        last = last[:-1] + "ies"
    else:
        last += "s"
    return f"{start} {last}".strip()


def _name(rng: Rng, name: str) -> str:
    """Seven times in ten the usual name."""
    names = _names().get(name, (name,))
    return names[0] if rng.random() < 0.7 else _one(rng, names)


def _colour(rng: Rng, colour: str) -> str:
    spellings = SPELLINGS.get(colour, (colour,))
    return spellings[0] if rng.random() < 0.7 else _one(rng, spellings)


@cache
def _names() -> Mapping[str, tuple[str, ...]]:
    return {item.name: item.names for item in objects()}


def _one(rng: Rng, choices: Sequence[str]) -> str:
    return choices[int(rng.integers(len(choices)))]
