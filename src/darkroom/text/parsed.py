"""What every prompt syntax is read into: one common value, whatever marks it was written with."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from darkroom.errors import RequestError

HEAVIEST = 100.0  # beyond this no model follows: embeddings are some units long
DEEPEST = 50  # open brackets; 1.1 to the power of as many is heavier than the heaviest


@dataclass(frozen=True)
class Fragment:
    """A piece of text, as the tokenizer shall see it, and how much it counts."""

    text: str
    weight: float = 1.0


@dataclass(frozen=True)
class Section:
    """Fragments that are encoded together; each section begins a chunk of its own.

    `weight`: of the whole, besides those of its fragments (InvokeAI's `.and(1, 0.5)`).
    """

    fragments: tuple[Fragment, ...]
    weight: float = 1.0


@dataclass(frozen=True)
class Passage:
    """Sections one after another; `share`: how much of them is in a blend."""

    sections: tuple[Section, ...]
    share: float = 1.0


@dataclass(frozen=True)
class Stage:
    """A blend of passages (most often of one), valid up to and including step `until`."""

    until: int
    blend: tuple[Passage, ...]


@dataclass(frozen=True)
class Part:
    """One of the prompts that guide together, joined by AND: its weight, its stages in order."""

    stages: tuple[Stage, ...]
    weight: float = 1.0

    def at(self, step: int) -> int:
        """The number of the stage at a step, counted from 0; the last goes on for ever."""
        return next((i for i, stage in enumerate(self.stages) if step <= stage.until), -1)


@dataclass(frozen=True)
class Prompt:
    """A prompt that was read.  `notes`: marks that were understood but have no effect here."""

    parts: tuple[Part, ...]
    notes: tuple[str, ...] = ()


def of_passages(*blend: Passage, steps: int, notes: tuple[str, ...] = ()) -> Prompt:
    """A prompt that says the same at each of `steps` steps."""
    return Prompt((Part((Stage(steps, blend),)),), notes)


def of_fragments(*fragments: Fragment, steps: int, notes: tuple[str, ...] = ()) -> Prompt:
    """A prompt of one section that says the same at each of `steps` steps."""
    return of_passages(Passage((Section(fragments),)), steps=steps, notes=notes)


def fragments_of(prompt: Prompt) -> list[Fragment]:
    """Every fragment, in the order in which they are said."""
    return [
        fragment
        for part in prompt.parts
        for stage in part.stages
        for passage in stage.blend
        for section in passage.sections
        for fragment in section.fragments
    ]


def check_weights(prompt: Prompt) -> None:
    """Refuse weights that no model can follow.

    Raises:
        RequestError: a weight is not a number, or beyond -100 … 100.
    """
    for fragment in fragments_of(prompt):
        _check(fragment.weight, f"of “{_short(fragment.text)}”")
    for part in prompt.parts:
        _check(part.weight, "after AND")
        for passage in (passage for stage in part.stages for passage in stage.blend):
            _check(passage.share, "of a blended prompt")
            for section in passage.sections:
                _check(section.weight, "of a joined prompt")


def shared(weights: Sequence[float]) -> list[float]:
    """The weights of a blend, made to be 1 in sum.

    Raises:
        RequestError: they add up to 0.
    """
    total = sum(weights)
    if total == 0:
        raise RequestError(
            "The weights of the blended prompts add up to 0.",
            "Give them others, such as 0.25 and 0.75: each is a share of the sum.",
        )
    return [weight / total for weight in weights]


def _check(weight: float, whose: str) -> None:
    if not math.isfinite(weight) or abs(weight) > HEAVIEST:
        raise RequestError(
            f"The weight {weight:g} {whose} is more than a model can follow.",
            "Useful weights lie between 0.5 and 1.5; write a backslash before a bracket "
            "that is meant as text.",
        )


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= 40 else words[:40] + "…"
