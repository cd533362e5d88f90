"""The prompt language of AUTOMATIC1111's web UI, read as its version 1.10 reads it.

Four readings follow one another, each of text alone: tags such as `<lora:name:1>` are taken out;
`AND` cuts the prompt into parts; `[from:to:when]` and `[a|b]` say which text holds at which step;
brackets give weights and `BREAK` begins a chunk.  A text that the third cannot read has no
schedule; the others read every text.  All take linear time.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from darkroom.text.parsed import (
    DEEPEST,
    Fragment,
    Part,
    Passage,
    Prompt,
    Section,
    Stage,
)

_TAG = re.compile(r"<(\w+):([^>]+)>")
_AND = re.compile(r"\bAND\b")
_PART_WEIGHT = re.compile(r"\s*([-+]?(?:\d+\.?|\d*\.\d+))")
_SCHEDULE_TOKEN = re.compile(r"[^\\\[\]():|]+|\\.|[\\\[\]():|]")
_WHEN = re.compile(r"\s*([-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)\s*")
_WEIGHT_TOKEN = re.compile(
    r"\\[()\[\]\\]?|[(\[]|:\s*([-+]?(?:\d+\.?\d*|\.\d+))\s*\)|[)\]]|[^\\()\[\]:]+|:"
)
_BREAK = re.compile(r"\bBREAK\b")
_UP, _DOWN = 1.1, 1 / 1.1


@dataclass(frozen=True)
class Switch:
    """`[before:after:when]`.  A `when` written with a point is a fraction of the steps."""

    before: tuple["Node", ...]
    after: tuple["Node", ...]
    when: float
    fraction: bool

    def until(self, steps: int, earlier: int) -> int:
        """The last of `steps` steps of `before`; `earlier`: steps of the pass before this one."""
        when = (self.when - bool(earlier)) * steps if self.fraction else self.when - earlier
        return int(min(max(when, 0.0), steps))


@dataclass(frozen=True)
class Alternation:
    """`[a|b|c]`: each step takes the next."""

    options: tuple[tuple["Node", ...], ...]


Node = str | Switch | Alternation


def parse(text: str, *, steps: int, earlier: int = 0, negative: bool = False) -> Prompt:
    """Read a prompt for a run of `steps` steps.

    `earlier`: the steps of the pass before, where this one refines its image; fractions then
    count from 1 and numbers of steps from `earlier` on.  A negative prompt has one part: in it,
    AND is a word.
    """
    text, tags = take_out_tags(text)
    notes = tuple(f"{tag} was left out: such files are not supported yet." for tag in tags)
    pieces = [(text, 1.0)] if negative else list(_parts(text))
    return Prompt(
        tuple(Part(tuple(_stages(piece, steps, earlier)), weight) for piece, weight in pieces),
        notes,
    )


def take_out_tags(text: str) -> tuple[str, list[str]]:
    """The text without tags such as `<lora:name:0.8>`, and the tags."""
    end = text.rfind(">") + 1  # behind it, nothing is closed: looking there takes quadratic time
    tags = [tag.group() for tag in _TAG.finditer(text, 0, end)]
    return _TAG.sub("", text[:end]) + text[end:], tags


def _parts(text: str) -> Iterator[tuple[str, float]]:
    """What AND joins, each with the weight behind its last colon, where a number stands there."""
    for piece in _AND.split(text):
        before, colon, after = piece.rstrip().rpartition(":")
        if colon and (weight := _PART_WEIGHT.fullmatch(after)):
            yield before.rstrip(), float(weight[1])
        else:
            yield piece.rstrip(), 1.0


def _stages(text: str, steps: int, earlier: int) -> Iterator[Stage]:
    nodes = schedule(text)
    ends = {steps, *_ends(nodes, steps, earlier)}
    for end in sorted(ends):
        said = "".join(_said(nodes, end, steps, earlier))
        yield Stage(end, (Passage(tuple(sections(said))),))


def schedule(text: str) -> tuple[Node, ...]:
    """The text with its schedules; the text alone where brackets or bars do not fit together.

    A pair of brackets is read only if all brackets within it are pairs as well, and if its colons
    and bars make sense.  A pair that is not read leaves those around it unread; a bar that no
    alternation owns leaves the whole text unread.
    """
    nodes: list[Node] = []
    open_pairs: list[_Pair] = []
    for mark in _SCHEDULE_TOKEN.findall(text):
        nodes.append(mark)
        if mark == "\\":
            return (text,)
        if mark in {"(", "["}:
            if len(open_pairs) == DEEPEST:
                return (text,)
            open_pairs.append(_Pair(mark, len(nodes) - 1))
        elif mark in {":", "|"}:
            if open_pairs:
                open_pairs[-1].marks.append((mark, len(nodes) - 1))
            elif mark == "|":
                return (text,)
        elif mark in {")", "]"}:
            around = [open_pairs.pop()] if open_pairs else []
            if around and around[0].closes(mark) and _reduce(nodes, around[0]):
                continue
            if any(pair.has_bars for pair in [*around, *open_pairs]):
                return (text,)
            open_pairs.clear()
    return (text,) if any(pair.has_bars for pair in open_pairs) else tuple(nodes)


@dataclass(frozen=True)
class _Pair:
    """An open bracket at `place` among the nodes, and the colons and bars directly within."""

    bracket: str
    place: int
    marks: list[tuple[str, int]] = field(default_factory=list)

    @property
    def has_bars(self) -> bool:
        return any(mark == "|" for mark, _ in self.marks)

    def closes(self, bracket: str) -> bool:
        return self.bracket + bracket in {"()", "[]"}


def _reduce(nodes: list[Node], pair: _Pair) -> bool:
    """Put a schedule in place of the pair that ends the nodes; False if it makes no sense."""
    marks = "".join(mark for mark, _ in pair.marks)
    if not marks or (marks == ":" and pair.bracket == "("):
        return True  # weights, which are read later
    if pair.bracket == "(":
        return False
    places = [pair.place, *(place for _, place in pair.marks), len(nodes) - 1]
    spans = [tuple(nodes[start + 1 : end]) for start, end in pairwise(places)]
    made: Node
    if set(marks) == {"|"}:
        made = Alternation(tuple(spans))
    elif marks in {":", "::"} and (when := _number(spans[-1])):
        before = spans[0] if marks == "::" else ()
        made = Switch(before, spans[-2], float(when), "." in when)
    else:
        return False
    nodes[pair.place :] = [made]
    return True


def _number(nodes: Sequence[Node]) -> str | None:
    if len(nodes) == 1 and isinstance(nodes[0], str) and (number := _WHEN.fullmatch(nodes[0])):
        return number[1]
    return None


def _ends(nodes: Sequence[Node], steps: int, earlier: int) -> Iterator[int]:
    """The steps at which something changes."""
    for node in nodes:
        if isinstance(node, Switch):
            if end := node.until(steps, earlier):
                yield end
            yield from _ends(node.before, steps, earlier)
            yield from _ends(node.after, steps, earlier)
        elif isinstance(node, Alternation):
            yield from range(1, steps + 1)
            for option in node.options:
                yield from _ends(option, steps, earlier)


def _said(nodes: Sequence[Node], step: int, steps: int, earlier: int) -> Iterator[str]:
    """The text at a step, which counts from 1."""
    for node in nodes:
        if isinstance(node, str):
            yield node
            continue
        if isinstance(node, Switch):
            chosen = node.before if step <= node.until(steps, earlier) else node.after
        else:
            chosen = node.options[(step - 1) % len(node.options)]
        yield from _said(chosen, step, steps, earlier)


def sections(text: str) -> list[Section]:
    """Weights by brackets: `(a)` 1.1, `[a]` 1/1.1, `(a:1.3)`; they multiply where they nest.

    A bracket that is never closed reaches to the end, one that was never opened is text, as are
    brackets behind a backslash.  BREAK ends a section.  (In brackets it is a word of negative
    weight, an oddity kept because images depend on it.)
    """
    read: list[list[Fragment]] = [[]]
    for word, weight in _merged(_weighted(text)):
        if word == "BREAK" and weight == -1:
            read.append([])
        else:
            read[-1].append(Fragment(word, weight))
    return [Section(tuple(fragments)) for fragments in read]


def _weighted(text: str) -> list[tuple[str, float]]:
    read = _Weighing()
    for token in _WEIGHT_TOKEN.finditer(text):
        word, weight = token[0], token[1]
        if word[0] == "\\":
            read.add(word[1:])
        elif word in read.opened and sum(map(len, read.opened.values())) < DEEPEST:
            read.open(word)
        elif word[-1] == ")" and read.opened["("]:
            read.multiply(read.opened["("].pop(), float(weight) if weight else _UP)
        elif word == "]" and read.opened["["]:
            read.multiply(read.opened["["].pop(), _DOWN)
        else:
            for place, piece in enumerate(_broken(word)):
                if place:
                    read.add("BREAK", -1.0)
                read.add(piece)
    for bracket, factor in ("(", _UP), ("[", _DOWN):
        for start in read.opened[bracket]:
            read.multiply(start, factor)
    return list(zip(read.words, read.weights, strict=True))


class _Weighing:
    """Words and their weights so far, and the places at which brackets opened.

    Words between the same brackets are one, so that a deep nest of long texts stays cheap.
    """

    def __init__(self) -> None:
        self.words: list[str] = []
        self.weights: list[float] = []
        self.opened: dict[str, list[int]] = {"(": [], "[": []}
        self._joins = False

    def add(self, word: str, weight: float = 1.0) -> None:
        if self._joins and weight == 1:
            self.words[-1] += word
        else:
            self.words.append(word)
            self.weights.append(weight)
        self._joins = weight == 1

    def open(self, bracket: str) -> None:
        self.opened[bracket].append(len(self.words))
        self._joins = False

    def multiply(self, start: int, factor: float) -> None:
        for place in range(start, len(self.weights)):
            self.weights[place] *= factor
        self._joins = False


def _broken(text: str) -> list[str]:
    """What stands between BREAKs, without the spaces around them."""
    if "BREAK" not in text:
        return [text]
    pieces = _BREAK.split(text)
    last = len(pieces) - 1
    stripped = (piece.rstrip() if place < last else piece for place, piece in enumerate(pieces))
    return [piece.lstrip() if place else piece for place, piece in enumerate(stripped)]


def _merged(pieces: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
    """Neighbours of equal weight made one: the tokenizer sees `(un)(kind)` as a word."""
    merged: list[tuple[list[str], float]] = []
    for word, weight in pieces:
        if merged and merged[-1][1] == weight:
            merged[-1][0].append(word)
        else:
            merged.append(([word], weight))
    return [("".join(words), weight) for words, weight in merged] or [("", 1.0)]
