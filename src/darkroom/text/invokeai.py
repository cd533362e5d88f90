"""InvokeAI's prompt language, as its library compel 2.4 reads it.

`word+`, `word--`, `(some words)1.3`, `"some words"+`: weights, 1.1 or 0.9 to the power of the
marks; they multiply where they nest.  `("a", "b").and()` encodes each for itself, `.blend(2, 1)`
mixes the embeddings.  What cannot be read so is text, word for word.  Linear time: a bracket that
cannot be read is tried once.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from darkroom.text.parsed import (
    DEEPEST,
    Fragment,
    Passage,
    Prompt,
    Section,
    of_passages,
    shared,
)

_UP, _DOWN = 1.1, 0.9
_COMMA = re.compile(r",(\S)")
_WORD = re.compile(r'(?:\\[()",.+\-=]|[-+](?![\s()",.+\-=]|\Z)|[^\s()",.+\-=])++')
_FREE = re.compile(r"\S+")
_SPACE = re.compile(r"\s*")
_QUOTED = re.compile(r'"((?:\\"|[^"\n])*)"')
_NUMBER = r"\d+\.\d*|\.\d+|\d+"
_MARKS = re.compile(r"\++|-+")
_WEIGHT = re.compile(rf"\++|-+|{_NUMBER}")
_ATTEND = re.compile(rf"\s*\.attend\s*\(\s*(\++|-+|{_NUMBER})\s*\)")
_SWAP = re.compile(r"\s*\.swap\s*\((?:\\.|[^()\\]|\([^()]*\))*+\)")
_LORA = re.compile(rf"(?:useLora|withLora)\s*\(\s*[\w-]+\s*(?:,\s*-?(?:{_NUMBER})\s*)?\)")
_TOGETHER = re.compile(r"\s*\.(and|add|blend)\s*\(([^()]*)\)")


class _Read(NamedTuple):
    """Fragments, and the place behind them."""

    fragments: list[Fragment]
    end: int


def parse(text: str, *, steps: int) -> Prompt:
    """Read a prompt; `.swap()` and LoRAs are noted, and have no effect.

    Raises:
        RequestError: the weights of a blend add up to 0.
    """
    reader = _Reader(_COMMA.sub(r", \1", text))
    passages = reader.together() or [Passage((_section(reader.prompt()),))]
    return of_passages(*passages, steps=steps, notes=tuple(dict.fromkeys(reader.notes)))


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.notes: list[str] = []
        self._groups: dict[int, _Read | None] = {}

    def prompt(self) -> list[Fragment]:
        """The whole text: what has marks, and all other words as they stand."""
        fragments: list[Fragment] = []
        place = self._solid(0)
        while place < len(self.text):
            read = self._marked(place, 0)
            if read is None:
                word = _FREE.match(self.text, place)
                assert word is not None
                read = _Read([_fragment(word[0])], word.end())
            fragments += read.fragments
            place = self._solid(read.end)
        return fragments

    def strict(self) -> list[Fragment] | None:
        """The whole text as it may stand within brackets, or None."""
        read = self._inside(0, 0)
        return read.fragments if read is not None and read.end == len(self.text) else None

    def together(self) -> list[Passage] | None:
        """`(…, …).and(…)` or `(…, …).blend(…)`, where the text begins so."""
        start = self._solid(0)
        targets: list[list[Fragment]] = []
        if not self.text.startswith("(", start):
            return None
        while self.text.startswith("," if targets else "(", start):
            target = self._target(self._solid(start + 1), 1, free=True)
            if target is None:
                return None
            targets.append(target.fragments)
            start = self._solid(target.end)
        operator = _TOGETHER.match(self.text, start + 1)
        if not self.text.startswith(")", start) or operator is None:
            return None
        options = [option.strip() for option in operator[2].split(",") if option.strip()]
        if operator[1] == "blend":
            whole = self._solid(operator.end()) == len(self.text)
            return _blend(targets, options) if whole else None
        weights = _numbers(options, len(targets))
        if weights is None:
            return None
        if rest := self.text[operator.end() :].strip():
            self.notes.append(f"What stands behind .and() is not read, as in InvokeAI: {rest}")
        sections = (_section(f, weight) for f, weight in zip(targets, weights, strict=True))
        return [Passage(tuple(sections))]

    def _marked(self, place: int, depth: int) -> _Read | None:
        """A word, a quotation or a group with a mark; the latter two without one as well."""
        if lora := _LORA.match(self.text, place):
            self.notes.append(f"{lora[0]} was left out: such files are not supported yet.")
            return _Read([], lora.end())
        target = self._target(place, depth)
        if target is None:
            return None
        if swap := _SWAP.match(self.text, target.end):
            self.notes.append(f"{swap[0].strip()} has no effect, as in InvokeAI.")
            return _Read(target.fragments, swap.end())
        weight = _ATTEND.match(self.text, target.end)
        simple = self.text[place] not in {"(", '"'}
        if weight is None:
            weight = (_MARKS if simple else _WEIGHT).match(self.text, target.end)
        if weight is not None:
            factor = _factor(weight[weight.lastindex or 0])
            return _Read(
                [Fragment(f.text, f.weight * factor) for f in target.fragments], weight.end()
            )
        return None if simple and not depth else target

    def _target(self, place: int, depth: int, *, free: bool = False) -> _Read | None:
        """What a mark may follow; `free`: a quotation may hold anything."""
        if self.text.startswith("(", place):
            return self._group(place, depth)
        if quoted := _QUOTED.match(self.text, place):
            inner = _Reader(quoted[1])
            fragments = inner.strict()
            if fragments is None and free:
                fragments = inner.prompt()
            if fragments is None:
                return None
            self.notes += inner.notes
            return _Read(fragments or [Fragment("")], quoted.end())
        if word := _WORD.match(self.text, place):
            return _Read([_fragment(word[0])], word.end())
        return None

    def _group(self, place: int, depth: int) -> _Read | None:
        if depth > DEEPEST:
            return None
        if place not in self._groups:
            read = self._inside(place + 1, depth + 1)
            closed = read is not None and self.text.startswith(")", read.end)
            self._groups[place] = (
                _Read(read.fragments, read.end + 1) if read is not None and closed else None
            )
        return self._groups[place]

    def _inside(self, place: int, depth: int) -> _Read | None:
        """Fragments, commas and points, as far as they go."""
        fragments: list[Fragment] = []
        place = self._solid(place)
        while place < len(self.text) and self.text[place] != ")":
            if self.text[place] in {",", "."}:
                read: _Read | None = _Read([Fragment(self.text[place])], place + 1)
            else:
                read = self._marked(place, max(depth, 1))
            if read is None:
                return None
            fragments += read.fragments
            place = self._solid(read.end)
        return _Read(fragments, place)

    def _solid(self, place: int) -> int:
        """The next place that is no space."""
        space = _SPACE.match(self.text, place)
        return space.end() if space else place


def _blend(targets: Sequence[list[Fragment]], options: list[str]) -> list[Passage] | None:
    """Shares add up to 1, unless the last option says no_normalize."""
    as_given = options[-1:] == ["no_normalize"]
    weights = _numbers(options[:-1] if as_given else options, len(targets))
    if weights is None:
        return None
    shares = weights if as_given else shared(weights)
    return [
        Passage((_section(fragments),), share)
        for fragments, share in zip(targets, shares, strict=True)
    ]


def _numbers(options: Sequence[str], count: int) -> list[float] | None:
    """One weight each, 1 where none are given; None where they are not as many."""
    try:
        weights = [float(option) for option in options]
    except ValueError:
        return None
    if not weights:
        return [1.0] * count
    return weights if len(weights) == count else None


def _factor(marks: str) -> float:
    if marks[0] in "+-":
        return float(pow(_UP if marks[0] == "+" else _DOWN, min(len(marks), 999)))
    return float(marks)


def _fragment(text: str) -> Fragment:
    for mark in '()"':
        text = text.replace("\\" + mark, mark)
    return Fragment(text)


def _section(fragments: Sequence[Fragment], weight: float = 1.0) -> Section:
    return Section(tuple(_joined(fragments)) or (Fragment(""),), weight)


def _joined(fragments: Sequence[Fragment]) -> Iterator[Fragment]:
    """Neighbours of equal weight made one, with a space between."""
    words: list[str] = []
    for place, fragment in enumerate(fragments):
        words.append(fragment.text)
        last = place == len(fragments) - 1
        if last or fragments[place + 1].weight != fragment.weight:
            yield Fragment(" ".join(words), fragment.weight)
            words = []
