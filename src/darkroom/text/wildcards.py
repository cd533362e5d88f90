"""Prompts that are drawn: `{a|b}` takes one of them, `__animal__` a line of animal.txt.

`{2::a|b}` takes a twice as often, `{2$$a|b|c}` takes two different ones, `{1-2$$ and $$a|b|c}` one
or two with *and* between.  What is drawn may hold more to be drawn.  Braces without a bar are text,
and so are braces and underscores behind a backslash.

Draws do not use Python's generator, whose methods have changed before: the number of the draw
and the seed are hashed, so that a seed means the same prompt for ever.
"""

import difflib
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from darkroom.errors import RequestError

_MARK = re.compile(r"\\(?:__|.)|[{}|]|__([^\s_{}|](?:[^\s{}|]*?[^\s_{}|])?)__")
_WEIGHT = re.compile(r"\s*(\d{1,9}(?:\.\d{0,9})?|\.\d{1,9})\s*::")
_COUNT = re.compile(r"\s*(\d{1,9})(?:\s*-\s*(\d{1,9}))?\s*\$\$(?:([^$|]*)\$\$)?")
_ESCAPED = {"\\{": "{", "\\}": "}", "\\__": "__"}
_DEEPEST = 20  # braces in braces, files in files
_LONGEST = 100_000  # letters of what comes out
_LARGEST = 10_000_000  # bytes of a file
_DRAWS = 10_000


def expand(prompt: str, *, seed: int, folder: Path) -> str:
    """The prompt with every choice made, the same for the same seed and files.

    A file's lines are its choices; empty ones and those that begin with # do not count.  Braces
    that do not fit together are text.

    Raises:
        RequestError: a file is missing, empty, too large, outside the folder or contains itself,
            or the prompt becomes too long.
    """
    return _Drawing(seed, folder).expanded(prompt, ())


def chooses(prompt: str) -> bool:
    """Whether anything in the prompt is to be chosen."""
    braces = _braces(prompt)
    return any(
        mark[1]
        or len(braces.get(mark.start(), ())) > 2
        or (mark.start() in braces and _COUNT.match(prompt, mark.end()))
        for mark in _MARK.finditer(prompt)
    )


class _Drawing:
    def __init__(self, seed: int, folder: Path) -> None:
        self.seed = seed
        self.folder = folder
        self.draws = 0
        self._lines: dict[str, list[str]] = {}

    def expanded(self, text: str, within: tuple[str, ...], depth: int = 0) -> str:
        """`text` with its choices made; `within`: the files that it came from."""
        if depth > _DEEPEST:
            raise RequestError(
                f"Choices lie more than {_DEEPEST} deep in each other.", "Use fewer braces."
            )
        made = "".join(self._pieces(text, within, depth))
        if len(made) > _LONGEST:
            raise RequestError(
                f"Its wildcards make the prompt longer than {_LONGEST:,} letters.",
                "Name fewer of them.",
            )
        return made

    def _pieces(self, text: str, within: tuple[str, ...], depth: int) -> Iterator[str]:
        braces = _braces(text)
        place = 0
        while mark := _MARK.search(text, place):
            yield text[place : mark.start()]
            place = mark.end()
            bounds = braces.get(mark.start(), [])
            count = _COUNT.match(text, place, bounds[-1]) if bounds else None
            if mark[1]:
                line = self._line(mark[1], within)
                yield self.expanded(line, (*within, mark[1]), depth + 1)
            elif len(bounds) > 2 or count:
                options = _options(text, [count.end() - 1 if count else bounds[0], *bounds[1:]])
                for option in self._chosen(options, count):
                    yield self.expanded(option, within, depth + 1)
                place = bounds[-1] + 1
            else:
                yield _ESCAPED.get(mark[0], mark[0])
        yield text[place:]

    def _chosen(
        self, options: list[tuple[str, float]], count: re.Match[str] | None
    ) -> Iterator[str]:
        """As many different options as are wanted, and what stands between them."""
        fewest = most = 1
        between = ", "
        if count:
            fewest, most = sorted(
                min(int(number), len(options)) for number in (count[1], count[2] or count[1])
            )
            between = between if count[3] is None else count[3]
        for number in range(fewest + self._draw([1.0] * (most - fewest + 1))):
            if number:
                yield between
            yield options.pop(self._draw([weight for _, weight in options]))[0]

    def _line(self, name: str, within: tuple[str, ...]) -> str:
        if name in within:
            raise RequestError(
                f"The wildcard file {name} contains itself.",
                "It is drawn from within one of its own lines; mend that file.",
            )
        if name not in self._lines:
            self._lines[name] = _lines(name, self.folder)
        lines = self._lines[name]
        return lines[self._draw([1.0] * len(lines))]

    def _draw(self, weights: Sequence[float]) -> int:
        """The place of one of the weights, each as likely as it is heavy."""
        self.draws += 1
        if self.draws > _DRAWS:
            raise RequestError(
                f"The prompt makes more than {_DRAWS:,} choices.", "Name fewer of them."
            )
        key = f"{self.seed}:{self.draws}".encode()
        share = int.from_bytes(hashlib.sha256(key).digest()[:8]) / 2**64
        left = share * sum(weights)
        for place, weight in enumerate(weights):
            left -= weight
            if left < 0:
                return place
        return len(weights) - 1


def _braces(text: str) -> Mapping[int, list[int]]:
    """For each brace that is closed: where it is, its bars and the brace that closes it."""
    found: dict[int, list[int]] = {}
    opened: list[list[int]] = []
    for mark in _MARK.finditer(text):
        if mark[0] == "{":
            opened.append([mark.start()])
        elif mark[0] == "|" and opened:
            opened[-1].append(mark.start())
        elif mark[0] == "}" and opened:
            bounds = opened.pop()
            found[bounds[0]] = [*bounds, mark.start()]
    return found


def _options(text: str, bounds: Sequence[int]) -> list[tuple[str, float]]:
    """What stands between the bounds, each with its weight."""
    options = []
    for start, end in pairwise(bounds):
        weight = _WEIGHT.match(text, start + 1, end)
        option = text[weight.end() if weight else start + 1 : end]
        options.append((option, float(weight[1]) if weight else 1.0))
    return options


def _lines(name: str, folder: Path) -> list[str]:
    file = _file(name, folder)
    try:
        if file.stat().st_size > _LARGEST:
            raise RequestError(
                f"The wildcard file {file} is larger than {_LARGEST // 10**6} MB.",
                "Divide it, or name another.",
            )
        text = file.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise RequestError(
            f"The wildcard file {file} cannot be read: {error.strerror}.", "Name another."
        ) from error
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    if not lines:
        raise RequestError(f"The wildcard file {file} is empty.", "Write one choice on each line.")
    return lines


def _file(name: str, folder: Path) -> Path:
    """The file that a name means, which lies within the folder."""
    parts = name.split("/")
    if "\\" in name or ":" in name or any(part in {"", ".", ".."} for part in parts):
        raise RequestError(
            f"A wildcard cannot be called {name!r}.",
            "Name a file of the wildcards folder, such as __animal__ or __places/city__.",
        )
    file = folder.joinpath(*parts[:-1], parts[-1] + ".txt")
    if _lies_in(file, folder):
        return file
    known = sorted(
        path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.txt")
    )
    inside = [other for other in known if other.endswith("/" + name)]
    near = inside or difflib.get_close_matches(name, known, n=1)
    raise RequestError(
        f"There is no wildcard file {name}.txt in {folder}.",
        f"Did you mean __{near[0]}__?" if near else "Put it there, one choice on each line.",
    )


def _lies_in(file: Path, folder: Path) -> bool:
    """Whether it is a file of the folder.  A name too long for the disk is none."""
    try:
        return file.is_file() and file.resolve().is_relative_to(folder.resolve())
    except OSError:
        return False
