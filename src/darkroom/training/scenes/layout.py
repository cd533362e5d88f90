"""Which figures stand where: scenes as values, drawn at random from a curriculum.

Scene `n` depends on the seed and on `n` alone, so a run that was interrupted goes on with the
very scenes it would have seen.  Held-out combinations, chosen by a hash of their names, never
occur in training: one pair of objects in ten, one object × background and one object × style.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np

from darkroom.training.scenes.vocabulary import COLOURS, PATTERNS, PLACES, SHAPES, STYLES

Rng = np.random.Generator
Relation = Literal["left of", "right of", "above", "below"]
Stage = Literal["large", "moved", "all"]
STAGES: tuple[Stage, ...] = ("large", "moved", "all")
SIZES = ((128, 128), (160, 96), (96, 160))  # width and height in pixels


@dataclass(frozen=True, kw_only=True)
class Figure:
    """An object or a shape.

    `size` is its larger side as a part of the scene's shorter one; `x`, `y` its centre in parts
    of width and height.  `colour` is a shape's or a silhouette's.
    """

    name: str
    size: float
    x: float
    y: float
    style: str | None = None
    colour: str | None = None


@dataclass(frozen=True, kw_only=True)
class Background:
    """A plain colour, a pattern of one, or a place.  `seed` varies what a place has at random."""

    colour: str = "white"
    pattern: str | None = None
    place: str | None = None
    seed: int = 0

    @property
    def name(self) -> str:
        if self.place is not None:
            return self.place
        return f"{self.pattern} {self.colour}" if self.pattern else self.colour


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What is shown; figures are painted in order.

    `relation`: where the first of two figures stands from the second.
    """

    width: int
    height: int
    background: Background
    figures: tuple[Figure, ...]
    relation: Relation | None = None


def held_out(*names: str) -> bool:
    """Whether this combination never occurs in training (one in ten), in whatever order."""
    return hashlib.sha256("|".join(sorted(names)).encode()).digest()[0] < 26


def training_scene(seed: int, index: int, names: Sequence[str], stage: Stage) -> Scene:
    """Scene `index` of the endless set `seed` over the objects `names`."""
    rng = np.random.default_rng((seed, index))
    while True:
        scene = KINDS[_kind(rng, stage)](rng, names)
        if not any(held_out(*what) for what in combinations(scene)):
            return scene


def combinations(scene: Scene) -> list[tuple[str, str]]:
    """What of the scene might be held out."""
    shown = [figure for figure in scene.figures if figure.name not in SHAPES]
    pairs = [(figure.name, scene.background.name) for figure in shown]
    pairs += [(figure.name, figure.style) for figure in shown if figure.style is not None]
    pairs += [(a.name, b.name) for a, b in pairwise(shown) if a.name != b.name]
    return pairs


def _kind(rng: Rng, stage: Stage) -> str:
    parts = SHARES[stage]
    return str(rng.choice(list(parts), p=list(parts.values())))


def large(rng: Rng, names: Sequence[str]) -> Scene:
    """One object that nearly fills the frame and hardly moves: learnt first, and fastest."""
    size = float(rng.uniform(0.68, 0.92))
    room = (1 - size) / 2 + 0.03
    x, y = 0.5 + rng.uniform(-room, room, 2) * 0.6
    figure = Figure(name=_one(rng, names), size=size, x=float(x), y=float(y))
    return Scene(width=128, height=128, background=_plain(rng), figures=(figure,))


def moved(rng: Rng, names: Sequence[str]) -> Scene:
    """One object of any size anywhere, sometimes in a wide or a tall frame."""
    width, height = _frame(rng)
    figure = _anywhere(rng, _one(rng, names), float(rng.uniform(0.26, 0.9)), width, height)
    return Scene(width=width, height=height, background=_ground(rng), figures=(figure,))


def styled(rng: Rng, names: Sequence[str]) -> Scene:
    """One object in a style; silhouettes have a colour."""
    ground, style = _plain(rng), _one(rng, STYLES)
    colour = _one(rng, [c for c in COLOURS if c != ground.colour])
    figure = _anywhere(rng, _one(rng, names), float(rng.uniform(0.5, 0.9)), 128, 128)
    figure = replace(figure, style=style, colour=colour if style == "silhouette" else None)
    return Scene(width=128, height=128, background=ground, figures=(figure,))


def pair(rng: Rng, names: Sequence[str]) -> Scene:
    """Two different objects beside or above each other."""
    width, height = _frame(rng)
    first, second = rng.choice(len(names), 2, replace=False)
    return _related(rng, width, height, _ground(rng), (names[first], None), (names[second], None))


def shapes(rng: Rng, names: Sequence[str]) -> Scene:
    """One or two drawn shapes, or a shape and an object; colours differ."""
    ground = _plain(rng)
    colours = rng.permutation([c for c in COLOURS if c != ground.colour])
    first = (_one(rng, list(SHAPES)), str(colours[0]))
    if rng.random() < 0.4:
        figure = _anywhere(rng, first[0], float(rng.uniform(0.3, 0.85)), 128, 128)
        figure = replace(figure, colour=first[1])
        return Scene(width=128, height=128, background=ground, figures=(figure,))
    second: tuple[str, str | None] = (_one(rng, list(SHAPES)), str(colours[1]))
    if rng.random() < 0.4:
        second = (_one(rng, names), None)
    if rng.random() < 0.5:
        return _related(rng, 128, 128, ground, second, first)
    return _related(rng, 128, 128, ground, first, second)


def counted(rng: Rng, names: Sequence[str]) -> Scene:
    """Two to four times the same object, in a grid."""
    count, name = int(rng.integers(2, 5)), _one(rng, names)
    width, height = _frame(rng)
    if count == 4:
        places = [(0.27, 0.27), (0.73, 0.27), (0.27, 0.73), (0.73, 0.73)]
        size = 0.42
    elif width == height and count == 3 and rng.random() < 0.5:
        places, size = [(0.5, 0.27), (0.27, 0.73), (0.73, 0.73)], 0.42
    else:
        along = [(i + 0.5) / count for i in range(count)]
        tall = height > width or (height == width and rng.random() < 0.3)
        places = [(0.5, a) if tall else (a, 0.5) for a in along]
        size = 0.9 * max(width, height) / min(width, height) / count
    size = float(min(size, 0.6) * rng.uniform(0.85, 1.0))
    dx, dy = rng.uniform(-0.02, 0.02, 2)
    figures = tuple(
        Figure(name=name, size=size, x=float(x + dx), y=float(y + dy)) for x, y in places
    )
    return Scene(width=width, height=height, background=_ground(rng), figures=figures)


KINDS: dict[str, Callable[[Rng, Sequence[str]], Scene]] = {
    "large": large,
    "moved": moved,
    "styled": styled,
    "pair": pair,
    "shapes": shapes,
    "counted": counted,
}
SHARES: dict[Stage, dict[str, float]] = {
    "large": {"large": 1.0},
    "moved": {"large": 0.3, "moved": 0.7},
    "all": {
        "large": 0.2,
        "moved": 0.15,
        "styled": 0.1,
        "pair": 0.35,
        "shapes": 0.13,
        "counted": 0.07,
    },
}


def _one(rng: Rng, choices: Sequence[str]) -> str:
    return choices[int(rng.integers(len(choices)))]


def _frame(rng: Rng) -> tuple[int, int]:
    return SIZES[int(rng.choice(3, p=(0.7, 0.15, 0.15)))]


def _plain(rng: Rng) -> Background:
    return Background(colour=_one(rng, list(COLOURS)))


def _ground(rng: Rng) -> Background:
    """Plain three times in four, else a pattern or a place."""
    dice = rng.random()
    if dice < 0.75:
        return _plain(rng)
    if dice < 0.88:
        return Background(colour=_one(rng, list(COLOURS)), pattern=_one(rng, PATTERNS))
    return Background(place=_one(rng, PLACES), seed=int(rng.integers(2**31)))


def _anywhere(rng: Rng, name: str, size: float, width: int, height: int) -> Figure:
    """Inside the frame, often at an edge, where captions can name the place."""
    short = min(width, height)
    half_x, half_y = size * short / width / 2, size * short / height / 2
    along = [
        float(np.clip(0.5 + 0.75 * rng.uniform(-1, 1), half, 1 - half)) for half in (half_x, half_y)
    ]
    return Figure(name=name, size=size, x=along[0], y=along[1])


def _related(
    rng: Rng,
    width: int,
    height: int,
    ground: Background,
    first: tuple[str, str | None],
    second: tuple[str, str | None],
) -> Scene:
    """Two figures; beside each other in wide frames, above each other in tall ones."""
    beside = width > height or (width == height and rng.random() < 0.6)
    before = rng.random() < 0.5
    size = 0.47 if width == height else 0.78
    sizes = rng.uniform(0.8, 1.0, 2) * size
    near, far = float(rng.uniform(0.25, 0.29)), float(rng.uniform(0.71, 0.75))
    across = rng.uniform(0.4, 0.6, 2) if width == height else np.array([0.5, 0.5])
    along = (near, far) if before else (far, near)
    sides: tuple[Relation, Relation] = ("left of", "right of") if beside else ("above", "below")
    figures = tuple(
        Figure(
            name=what[0],
            size=float(sizes[i]),
            x=along[i] if beside else float(across[i]),
            y=float(across[i]) if beside else along[i],
            colour=what[1],
        )
        for i, what in enumerate((first, second))
    )
    return Scene(
        width=width, height=height, background=ground, figures=figures, relation=sides[not before]
    )
