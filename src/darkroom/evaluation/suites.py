"""The fixed prompts that Mini is measured with, and what each of their images must show.

A suite holds the same trials whatever the day: prompts, seeds and combinations follow from its
name.  Where combinations can be held out of the training, a suite asks for those alone; `single`
asks for pairs of object and background that were trained, with seeds that were not.
"""

import itertools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from darkroom.evaluation.vocabulary import COLOURS, NUMBERS, SHAPES, held_out, noun, plural

Relation = Literal["left of", "right of", "above", "below"]
RELATIONS: Mapping[Relation, str] = {
    "left of": "to the left of",
    "right of": "to the right of",
    "above": "above",
    "below": "below",
}
STYLES = {
    "pixel": "{} in pixel art style",
    "outline": "an outline of {}",
    "silhouette": "a black silhouette of {}",
}
SEED = 20_221_120

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One prompt and what its image must show.

    `objects`: each as often as it is shown; the first stands in `relation` to the second.
    `shape` of `colour`: in place of objects.  `style`: of the one object.  `start`: the object in
    the image that img2img starts from with `strength`, as a coarse sketch of it where `sketched`;
    what is asked for must then stand where it stands there.
    """

    suite: str
    prompt: str
    seed: int
    background: str
    objects: tuple[str, ...] = ()
    relation: Relation | None = None
    shape: str | None = None
    colour: str | None = None
    style: str | None = None
    start: str | None = None
    sketched: bool = False
    strength: float | None = None


def trials(suite: str, names: Sequence[str], count: int) -> tuple[Trial, ...]:
    """The first `count` trials of a suite over the objects `names`."""
    dice = random.Random(f"{SEED} {suite}")
    return tuple(itertools.islice(SUITES[suite](dice, names), count))


def _on(background: str) -> str:
    return f"on {noun(background)} background"


def _singles(dice: random.Random, names: Sequence[str]) -> Iterator[Trial]:
    return _one_object("single", dice, names, unseen=False)


def _backgrounds(dice: random.Random, names: Sequence[str]) -> Iterator[Trial]:
    return _one_object("background", dice, names, unseen=True)


def _one_object(
    suite: str, dice: random.Random, names: Sequence[str], *, unseen: bool
) -> Iterator[Trial]:
    grounds = {name: [c for c in COLOURS if held_out(name, c) == unseen] for name in names}
    for name in _in_turn(dice, [name for name in names if grounds[name]]):
        ground = dice.choice(grounds[name])
        yield Trial(
            suite=suite,
            prompt=f"{noun(name)} {_on(ground)}",
            seed=dice.getrandbits(32),
            background=ground,
            objects=(name,),
        )


def _pairs(dice: random.Random, names: Sequence[str]) -> Iterator[Trial]:
    for first, second in _in_turn(dice, _unseen_pairs(names)):
        ground = dice.choice(_trained_grounds(first, second))
        yield Trial(
            suite="pair",
            prompt=f"{noun(first)} and {noun(second)} {_on(ground)}",
            seed=dice.getrandbits(32),
            background=ground,
            objects=(first, second),
        )


def _relations(dice: random.Random, names: Sequence[str]) -> Iterator[Trial]:
    pairs = _in_turn(dice, _unseen_pairs(names))
    for (first, second), relation in zip(pairs, itertools.cycle(RELATIONS), strict=False):
        ground = dice.choice(_trained_grounds(first, second))
        yield Trial(
            suite="relation",
            prompt=f"{noun(first)} {RELATIONS[relation]} {noun(second)} {_on(ground)}",
            seed=dice.getrandbits(32),
            background=ground,
            objects=(first, second),
            relation=relation,
        )


def _shapes(dice: random.Random, names: Sequence[str]) -> Iterator[Trial]:  # noqa: ARG001
    for shape in _in_turn(dice, SHAPES):
        colour, ground = dice.sample(list(COLOURS), 2)
        yield Trial(
            suite="shape",
            prompt=f"{noun(colour)} {shape} {_on(ground)}",
            seed=dice.getrandbits(32),
            background=ground,
            shape=shape,
            colour=colour,
        )


def _counts(dice: random.Random, names: Sequence[str]) -> Iterator[Trial]:
    several = _in_turn(dice, [name for name in names if plural(name) != name])
    for name, number in zip(several, itertools.cycle(NUMBERS), strict=False):
        ground = dice.choice(_trained_grounds(name))
        yield Trial(
            suite="count",
            prompt=f"{NUMBERS[number]} {plural(name)} {_on(ground)}",
            seed=dice.getrandbits(32),
            background=ground,
            objects=(name,) * number,
        )


def _styles(dice: random.Random, names: Sequence[str]) -> Iterator[Trial]:
    unseen = [pair for pair in itertools.product(names, STYLES) if held_out(*pair)]
    for name, style in _in_turn(dice, unseen):
        # Black lines or a black form on black, or white on white, would show nothing.
        grounds = [c for c in _trained_grounds(name) if c not in {"black", "white"}]
        ground = dice.choice(grounds)
        yield Trial(
            suite="style",
            prompt=f"{STYLES[style].format(noun(name))} {_on(ground)}",
            seed=dice.getrandbits(32),
            background=ground,
            objects=(name,),
            style=style,
        )


def _sketches(dice: random.Random, names: Sequence[str]) -> Iterator[Trial]:
    for trial in _one_object("sketch", dice, names, unseen=False):
        yield replace(trial, start=trial.objects[0], sketched=True, strength=0.5)


def _kept(dice: random.Random, names: Sequence[str]) -> Iterator[Trial]:
    for trial in _one_object("keep", dice, names, unseen=False):
        yield replace(trial, start=trial.objects[0], strength=0.3)


def _changed(dice: random.Random, names: Sequence[str]) -> Iterator[Trial]:
    """Another object is asked for, and nothing said of the background."""
    for trial in _one_object("change", dice, names, unseen=False):
        other = dice.choice([name for name in names if name not in trial.objects])
        yield replace(trial, prompt=noun(trial.objects[0]), start=other, strength=0.9)


def _in_turn(dice: random.Random, choices: Sequence[T]) -> Iterator[T]:
    """Every choice once in a random order, then again in another, without end."""
    while choices:
        yield from dice.sample(choices, len(choices))


def _unseen_pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    """Two objects that training never showed together."""
    pairs = itertools.permutations(names, 2)
    return [pair for pair in pairs if held_out(*pair) and _trained_grounds(*pair)]


def _trained_grounds(*names: str) -> list[str]:
    """Backgrounds on which training showed all of these."""
    return [c for c in COLOURS if not any(held_out(name, c) for name in names)]


SUITES: Mapping[str, Callable[[random.Random, Sequence[str]], Iterator[Trial]]] = {
    "single": _singles,
    "background": _backgrounds,
    "pair": _pairs,
    "relation": _relations,
    "shape": _shapes,
    "count": _counts,
    "style": _styles,
    "sketch": _sketches,
    "keep": _kept,
    "change": _changed,
}
