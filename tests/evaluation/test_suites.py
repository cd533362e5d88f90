"""The suites: the same prompts every day, and only combinations that training never drew."""

import itertools

import pytest

from darkroom.evaluation.glyphs import Glyphs
from darkroom.evaluation.suites import SUITES, Trial, trials
from darkroom.evaluation.vocabulary import OBJECTS, held_out, noun, plural
from darkroom.training.scenes import layout

NAMES = tuple(OBJECTS)
GOLDEN = {
    "single": ("a lemon on a white background", 701_415_217),
    "background": ("a skull on a brown background", 620_770_205),
    "pair": ("a gift and a tent on a yellow background", 651_907_483),
    "relation": ("a cupcake to the left of a robot on a blue background", 79_454_268),
    "shape": ("a blue circle on an orange background", 717_751_878),
    "count": ("two watermelons on a white background", 1_263_318_178),
    "style": ("an outline of a palm tree on a yellow background", 860_770_434),
    "sketch": ("an ambulance on a red background", 1_463_240_448),
    "keep": ("a balloon on a gray background", 2_080_530_994),
    "change": ("a doughnut", 2_662_786_983),
}


def test_prompts_and_seeds_are_fixed() -> None:
    first = {suite: trials(suite, NAMES, 1)[0] for suite in SUITES}
    assert {suite: (trial.prompt, trial.seed) for suite, trial in first.items()} == GOLDEN


@pytest.mark.parametrize("suite", SUITES)
def test_a_suite_is_as_long_as_asked_and_varied(suite: str) -> None:
    asked = trials(suite, NAMES, 500)
    assert len(asked) == 500
    assert len({(trial.prompt, trial.seed) for trial in asked}) == 500
    assert trials(suite, NAMES, 20) == asked[:20]


def test_training_never_drew_what_the_suites_combine() -> None:
    for trial in trials("background", NAMES, 500):
        assert held_out(trial.objects[0], trial.background)
    for trial in (*trials("pair", NAMES, 500), *trials("relation", NAMES, 500)):
        assert held_out(*trial.objects)
        assert not any(held_out(name, trial.background) for name in trial.objects)
    for trial in trials("style", NAMES, 500):
        assert held_out(trial.objects[0], str(trial.style))


def test_the_training_holds_out_the_same_by_its_own_rule() -> None:
    pairs = list(itertools.combinations(NAMES, 2))
    assert [held_out(*pair) for pair in pairs] == [layout.held_out(*pair) for pair in pairs]
    part = sum(held_out(*pair) for pair in pairs) / len(pairs)
    assert part == pytest.approx(26 / 256, abs=0.01)


def test_a_suite_that_cannot_ask_anything_is_empty() -> None:
    seen = next(pair for pair in itertools.combinations(NAMES, 2) if not held_out(*pair))
    assert trials("pair", seen, 10) == ()


def test_the_pictures_are_those_of_the_vocabulary(glyphs: Glyphs) -> None:
    assert glyphs.names == NAMES


@pytest.mark.parametrize(
    ("name", "one", "several"),
    [
        ("fox", "a fox", "foxes"),
        ("apple", "an apple", "apples"),
        ("unicorn", "a unicorn", "unicorns"),
        ("umbrella", "an umbrella", "umbrellas"),
        ("strawberry", "a strawberry", "strawberries"),
        ("mouse", "a mouse", "mice"),
        ("cherries", "cherries", "cherries"),
    ],
)
def test_grammar(name: str, one: str, several: str) -> None:
    assert (noun(name), plural(name)) == (one, several)


def test_counts_ask_for_what_can_be_counted() -> None:
    asked: tuple[Trial, ...] = trials("count", NAMES, 30)
    assert {len(trial.objects) for trial in asked} == {2, 3, 4}
    assert all(len(set(trial.objects)) == 1 for trial in asked)
