"""A prompt that was read in any syntax, written in A1111's."""

import re
from decimal import Decimal

from darkroom.text.parsed import Fragment, Part, Passage, Prompt, Section, Stage

_MARK = re.compile(r"[\\()\[\]|]")
_TAG = re.compile(r"<(?=\w)")
_KEYWORD = re.compile(r"\b(AN|BREA)(?=[DK]\b)")
_NUMBER_AT_END = re.compile(r":\s*[-+]?[\d.]+\s*\Z")


def write(prompt: Prompt) -> str:
    """The prompt in A1111's syntax: reading it gives the same parts, stages and weights.

    What A1111 cannot say is said as nearly as it can: a blend as parts joined by AND, a section's
    weight by those of its fragments, and a space stands between fragments that it would join.
    """
    return " AND ".join(
        _weighed(text.strip(), weight)
        for part in prompt.parts
        for text, weight in _alternatives(part)
    )


def _alternatives(part: Part) -> list[tuple[str, float]]:
    if len(part.stages) == 1:
        return [
            (_passage(passage), part.weight * passage.share) for passage in part.stages[0].blend
        ]
    return [("".join(_stages(part.stages)), part.weight)]


def _stages(stages: tuple[Stage, ...]) -> list[str]:
    """Each stage as a text that begins where the one before ends, and ends where it ends."""
    texts = [_passage(stage.blend[0]).replace(":", "\\:") for stage in stages]
    written = [f"[{texts[0]}::{stages[0].until}]"]
    for before, stage, text in zip(stages, stages[1:-1], texts[1:-1], strict=False):
        written.append(f"[[{text}:{before.until}]::{stage.until}]")
    return [*written, f"[{texts[-1]}:{stages[-2].until}]"]


def _weighed(text: str, weight: float) -> str:
    says_a_weight = _NUMBER_AT_END.search(text)
    return f"{text} :{_number(weight)}" if weight != 1 or says_a_weight else text


def _passage(passage: Passage) -> str:
    return " BREAK ".join(_section(section) for section in passage.sections)


def _section(section: Section) -> str:
    written = ""
    before: Fragment | None = None
    for fragment in section.fragments:
        if not fragment.text:
            continue
        weight = fragment.weight * section.weight
        if before and before.weight == fragment.weight and not _apart(before, fragment):
            written += " "
        text = _escaped(fragment.text)
        written += text if weight == 1 else f"({text}:{_number(weight)})"
        before = fragment
    return written


def _apart(before: Fragment, after: Fragment) -> bool:
    return before.text[-1].isspace() or after.text[0].isspace()


def _escaped(text: str) -> str:
    text = _MARK.sub(lambda mark: "\\" + mark[0], text)
    text = _KEYWORD.sub(lambda word: word[0] + "\\", text)
    return _TAG.sub("<\\\\", text)


def _number(weight: float) -> str:
    return format(Decimal(repr(weight)), "f")
