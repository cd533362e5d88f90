"""ComfyUI's reading of a prompt: `(a)` times 1.1, `(a:1.3)` replaces; all else is text.

A bracket that is never closed makes the rest of the prompt text, weights and all, unless the very
last letter is a closing bracket: then the two are taken for a pair.  That is ComfyUI's way, and
images depend on it.
"""

import bisect

from darkroom.text.parsed import Fragment, Prompt, of_fragments

_UP = 1.1
_LONGEST = 64  # letters in which a number may be written
_HIDDEN = str.maketrans({"\1": ")", "\2": "("})


def parse(text: str, *, steps: int) -> Prompt:
    """Read a prompt; brackets behind a backslash are text."""
    hidden = text.replace("\1", "").replace("\2", "").replace("\\)", "\1").replace("\\(", "\2")
    fragments = [Fragment(said.translate(_HIDDEN), weight) for said, weight in _weighted(hidden)]
    return of_fragments(*(fragments or [Fragment("")]), steps=steps)


def _weighted(text: str) -> list[tuple[str, float]]:
    """Text and weight, in order.  Pairs lie within each other, so each letter is seen once."""
    closing = _closing(text)
    opening = sorted(closing)
    colons = [place for place, letter in enumerate(text) if letter == ":"]
    read: list[tuple[str, float]] = []
    waiting = [(0, len(text), 1.0)]  # spans yet to be read, the next one last
    while waiting:
        start, end, weight = waiting.pop()
        number = bisect.bisect_left(opening, start)
        bracket = min(opening[number], end) if number < len(opening) else end
        if start < bracket:
            read.append((text[start:bracket], weight))
        if bracket == end:
            continue
        close = closing[bracket]
        if close >= end:  # never closed, or by a bracket that was taken away already
            if text[end - 1] != ")":
                read.append((text[bracket:end], weight))
                continue
            close = end - 1
        waiting.append((close + 1, end, weight))
        waiting.append(_inside(text, bracket + 1, close, weight, colons))
    return read


def _inside(
    text: str, start: int, end: int, weight: float, colons: list[int]
) -> tuple[int, int, float]:
    """What stands in a pair of brackets: its span and its weight."""
    number = bisect.bisect_left(colons, end) - 1
    colon = colons[number] if number >= 0 else -1
    if colon > start and end - colon <= _LONGEST:
        try:
            return start, colon, float(text[colon + 1 : end])
        except ValueError:
            pass
    return start, end, weight * _UP


def _closing(text: str) -> dict[int, int]:
    """Where each bracket that opens is closed; the end of the text where it is not.

    A bracket that closes nothing owes one: the next that opens pays for it, and is text.
    """
    closing: dict[int, int] = {}
    opened: list[int] = []
    owed = 0
    for place, letter in enumerate(text):
        if letter == "(":
            if owed:
                owed -= 1
            else:
                opened.append(place)
        elif letter == ")":
            if opened:
                closing[opened.pop()] = place
            else:
                owed += 1
    return closing | dict.fromkeys(opened, len(text))
