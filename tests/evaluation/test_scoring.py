"""From verdicts to figures, with a judge that says what it is told to say."""

from typing import cast

import numpy as np
import pytest

from darkroom.evaluation.judge import Judge, Thing, Verdict
from darkroom.evaluation.scenes import boxes
from darkroom.evaluation.scoring import Answer, ask, figures
from darkroom.evaluation.suites import Trial

IMAGE = np.zeros((64, 64, 3), np.uint8)


class Told:
    """In the judge's place: sees what it was given."""

    def __init__(self, *things: Thing, background: str = "blue", style: str = "plain") -> None:
        self.verdict = Verdict(background, things)
        self.seen = (things[0].matched if things else None, style)

    def judge(self, *_: object) -> Verdict:
        return self.verdict

    def style(self, *_: object) -> tuple[str | None, str]:
        return self.seen


def thing(name: str, x: float = 0.5, y: float = 0.5, other: str | None = "", **more: str) -> Thing:
    """`other`: what the classifier says, where it does not agree."""
    said = name if other == "" else other
    return Thing(name, said, x, y, size=30, explained=0.9, colour=more.get("colour"))


def trial(**fields: object) -> Trial:
    known = {"suite": "s", "prompt": "p", "seed": 0, "background": "blue"}
    return Trial(**{**known, **fields})  # type: ignore[arg-type]


def asked(what: Trial, *things: Thing, **more: str) -> Answer:
    return ask(cast("Judge", Told(*things, **more)), what, IMAGE)


def test_an_object_is_right_where_both_parts_say_so() -> None:
    fox = trial(objects=("fox",))
    assert asked(fox, thing("fox")).whole
    doubted = asked(fox, thing("fox", other="dog"))
    assert not doubted.right["object"]
    assert doubted.right["by the filter"] and not doubted.right["by the classifier"]
    assert not doubted.parts_agree
    assert doubted.saw == "fox or dog on blue"
    assert not asked(fox, thing("fox", other=None)).right["object"]


@pytest.mark.parametrize("seen", [(), ("fox", "fox"), ("fox", "dog"), ("dog",)])
def test_neither_more_nor_less_than_asked(seen: tuple[str, ...]) -> None:
    assert not asked(trial(objects=("fox",)), *map(thing, seen)).right["object"]


def test_the_background_counts_by_itself() -> None:
    answer = asked(trial(objects=("fox",)), thing("fox"), background="red")
    assert answer.right["object"] and not answer.right["background"] and not answer.whole


@pytest.mark.parametrize(
    ("relation", "x", "y"),
    [("left of", 0.2, 0.5), ("right of", 0.8, 0.5), ("above", 0.5, 0.2), ("below", 0.5, 0.8)],
)
def test_relations(relation: str, x: float, y: float) -> None:
    what = trial(objects=("fox", "dog"), relation=relation)
    dog, fox = thing("dog"), thing("fox", x, y)
    assert asked(what, dog, fox).right["relation"]
    assert not asked(what, dog, thing("fox", 1 - x, 1 - y)).right["relation"]
    assert not asked(what, dog, thing("fox", 0.5, 0.5)).right["relation"]
    assert "relation" not in asked(what, fox).right, "asked only given both"


def test_a_shape_has_its_colour() -> None:
    what = trial(shape="circle", colour="red")
    assert asked(what, thing("circle", colour="red")).whole
    assert not asked(what, thing("circle", colour="green")).right["colour"]
    assert not asked(what, thing("square", colour="red")).right["colour"]


def test_a_style_is_seen_apart_from_its_object() -> None:
    what = trial(objects=("fox",), style="pixel", background="black")
    assert asked(what, thing("fox"), style="pixel").whole
    assert not asked(what, thing("fox"), style="plain").right["style"]
    assert not asked(what, thing("dog"), style="pixel").right["object"]


def test_what_starts_from_a_sketch_stands_where_the_sketch_has_it() -> None:
    what = trial(objects=("fox",), start="fox", sketched=True, strength=0.8, seed=3)
    x, y, _ = boxes(what)[0]
    assert asked(what, thing("fox", x + 0.05, y)).right["place"]
    assert not asked(what, thing("fox", x, y + 0.2)).right["place"]


def test_figures_count_what_was_asked() -> None:
    what = trial(objects=("fox", "dog"), relation="left of")
    fox, dog = thing("fox", 0.2), thing("dog", 0.8)
    answers = [asked(what, fox, dog), asked(what, fox), asked(what, thing("fox", 0.8), dog)]
    found = figures(answers)
    assert found["object"] == pytest.approx(2 / 3)
    assert found["relation"] == pytest.approx(1 / 2)
    assert found["all of it"] == pytest.approx(1 / 3)
    assert found["parts agree"] == 1
