"""From verdicts to figures: what of each trial is right, and how often in a suite."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from darkroom.evaluation.judge import Judge, Thing, Verdict, border_colour, nearest_colour
from darkroom.evaluation.scenes import boxes
from darkroom.evaluation.suites import Relation, Trial

CLEARLY = 0.1  # of the image's side: so much further left is left, so much off is elsewhere


@dataclass(frozen=True)
class Answer:
    """What the judge says of one image.

    `right`: each thing that was asked, and whether the image shows it; what could not be asked,
    such as the order of objects that are not there, is left out.  `parts_agree`: whether both
    parts of the judge name every thing alike.
    """

    trial: Trial
    right: Mapping[str, bool]
    saw: str
    parts_agree: bool

    @property
    def whole(self) -> bool:
        """Whether all is right."""
        return all(self.right.values())


def ask(judge: Judge, trial: Trial, pixels: NDArray[np.uint8]) -> Answer:
    """Show one image [H, W, 3] to the judge."""
    if trial.style is not None:
        return _ask_style(judge, trial, pixels)
    verdict = judge.judge(pixels, "objects" if trial.shape is None else "shapes")
    things = verdict.things
    wanted = sorted(trial.objects or (trial.shape or "",))
    named = [thing.name for thing in things]
    right = {
        "object": _same(named, wanted),
        "background": verdict.background == trial.background,
        "by the filter": _same([thing.matched for thing in things], wanted),
        "by the classifier": _same([thing.classified for thing in things], wanted),
    }
    if trial.relation is not None and right["object"]:
        right["relation"] = _stands(things, trial.objects[0], trial.relation)
    if trial.start is not None and right["object"]:
        x, y, _ = boxes(trial)[0]
        right["place"] = math.hypot(things[0].x - x, things[0].y - y) < CLEARLY
    if trial.colour is not None:
        right["colour"] = right["object"] and things[0].colour == trial.colour
    return Answer(trial, right, told(verdict), all(thing.name is not None for thing in things))


def figures(answers: Sequence[Answer]) -> dict[str, float]:
    """For everything that was asked, the part of the answers in 0…1 in which it is right."""
    asked = dict.fromkeys(name for answer in answers for name in answer.right)
    parts = {
        name: [answer.right[name] for answer in answers if name in answer.right] for name in asked
    }
    parts["all of it"] = [answer.whole for answer in answers]
    parts["parts agree"] = [answer.parts_agree for answer in answers]
    return {name: sum(right) / len(right) for name, right in parts.items() if right}


def told(verdict: Verdict) -> str:
    """A verdict in words."""
    things = [_told(thing) for thing in verdict.things]
    return f"{' and '.join(things) or 'nothing'} on {verdict.background}"


def _told(thing: Thing) -> str:
    if thing.name is None:
        return f"{thing.matched or 'nothing known'} or {thing.classified or 'nothing known'}"
    return f"{thing.colour} {thing.name}" if thing.colour else thing.name


def _ask_style(judge: Judge, trial: Trial, pixels: NDArray[np.uint8]) -> Answer:
    name, style = judge.style(pixels)
    background = nearest_colour(border_colour(pixels))
    right = {
        "object": name == trial.objects[0],
        "background": background == trial.background,
        "style": style == trial.style,
    }
    return Answer(trial, right, f"{style} {name or 'nothing known'} on {background}", True)


def _same(named: Sequence[str | None], wanted: list[str]) -> bool:
    known = [name for name in named if name is not None]
    return len(known) == len(named) and sorted(known) == wanted


def _stands(things: Sequence[Thing], name: str, relation: Relation) -> bool:
    """Whether the thing called `name` stands so to the other."""
    first = next(thing for thing in things if thing.name == name)
    other = next(thing for thing in things if thing.name != name)
    if relation == "left of":
        return other.x - first.x > CLEARLY
    if relation == "right of":
        return first.x - other.x > CLEARLY
    if relation == "above":
        return other.y - first.y > CLEARLY
    return first.y - other.y > CLEARLY
