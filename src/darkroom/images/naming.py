"""Names of image files out of a pattern, such as `{date}-{seed}-{prompt:40}`.

Whatever stands in a prompt, the name is one that Linux, macOS and Windows take, in any folder.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from darkroom.errors import RequestError
from darkroom.names import unknown

# What a pattern may name, each with what it stands for.
FIELDS: Mapping[str, str] = {
    "date": "the day, 2026-11-20",
    "time": "the time of day, 173005",
    "seed": "the seed of the image",
    "prompt": "the prompt",
    "model": "the model's name",
    "sampler": "the sampler",
    "steps": "steps",
    "guidance": "the guidance",
    "width": "pixels across",
    "height": "pixels down",
    "task": "txt2img or img2img",
    "index": "the place of the image in its run, from 1",
    "counter": "the first number from 1 that no other file has",
}
_NUMBERS = frozenset({"seed", "steps", "width", "height", "index", "counter"})

# Most file systems take 255 bytes or UTF-16 units; encrypting ones take 143.
_MAX_BYTES = 140
_MAX_FIXED = 100  # of them for what cannot be shortened, beside a suffix and a counter
_LONGEST_NUMBER = 20
_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+")
_UNFIT = re.compile(r'[<>:"/\\|?*\s]+')
# Devices of Windows, which no file may be called, whatever follows a point.
_RESERVED = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])(?:\.|$)", re.I)


@dataclass(frozen=True)
class Field:
    """A field of a pattern: its width, for numbers the least of it, for texts the most."""

    name: str
    width: int


@dataclass(frozen=True)
class Pattern:
    """A pattern that can be filled: what stands in it, and fields."""

    parts: tuple[str | Field, ...]

    def tells(self, name: str) -> bool:
        """Whether that field stands in it."""
        return any(isinstance(part, Field) and part.name == name for part in self.parts)

    def name(self, values: Mapping[str, object], counter: int, suffix: str) -> str:
        """The file name for these values of `FIELDS`, `suffix` (`.png`) included.

        `counter` is what `{counter}` stands for.  A pattern without it gets one at its end, but
        for the first.
        """
        ending = "" if self.tells("counter") or counter == 1 else f"-{counter}"
        given = {**values, "counter": counter}
        texts = [part if isinstance(part, str) else _filled(part, given) for part in self.parts]
        room = _MAX_BYTES - len((ending + suffix).encode())
        elastic = [place for place, part in enumerate(self.parts) if not _fixed(part)]
        while (excess := len("".join(texts).encode()) - room) > 0 and elastic:
            longest = max(elastic, key=lambda place: len(texts[place].encode()))
            texts[longest] = _shortened(texts[longest], len(texts[longest].encode()) - excess)
        stem = _fit("".join(texts)).strip(". -") or "image"
        if _RESERVED.match(stem):
            stem = f"_{stem}"
        return stem + ending + suffix


def parse(text: str) -> Pattern:
    """A pattern as it was written; doubled braces stand for braces.

    Raises:
        RequestError: an unknown field, a folder in it, braces that do not fit, or nothing at all.
    """
    if "/" in text or "\\" in text:
        raise RequestError(
            f"The pattern {text!r} leads into another folder.",
            "A pattern is a name only; the folder is said apart from it.",
        )
    parts = tuple(_part(found[0], found[1], text) for found in _PIECE.finditer(text))
    if not text.strip() or sum(map(_fixed, parts)) > _MAX_FIXED:
        raise RequestError(
            "The pattern for names is empty or longer than a name can be.",
            "Write one such as {date}-{seed}-{prompt:40}.",
        )
    return Pattern(parts)


def _fixed(part: str | Field) -> int:
    """Bytes that a part takes at most, 0 where it can be shortened."""
    if isinstance(part, str):
        return len(part.encode(errors="replace"))
    return max(_LONGEST_NUMBER, part.width) if part.name in _NUMBERS else 0


def _part(piece: str, field: str | None, text: str) -> str | Field:
    if piece in {"{", "}"}:
        raise RequestError(
            f"A brace in the pattern {text!r} has no partner.",
            "A field stands in braces, {seed}; a brace alone is written twice, {{.",
        )
    if field is None:
        return piece[:1] if piece in {"{{", "}}"} else _printable(piece)
    name, colon, width = field.partition(":")
    if name not in FIELDS:
        raise unknown("field", name, {known: known for known in FIELDS})
    if colon and not re.fullmatch(r"[1-9][0-9]{0,2}", width):
        raise RequestError(
            f"The width of {{{name}}} cannot be {width[:20]!r}.",
            f"Write a whole number from 1 to 999 behind the colon, such as {{{name}:20}}.",
        )
    return Field(name, int(width or 0))


def _filled(field: Field, values: Mapping[str, object]) -> str:
    value = values[field.name]
    if field.name in _NUMBERS and isinstance(value, int):
        return f"{value:0{field.width or 1}}"
    text = _fit(str(value)).strip(". -")
    return _cut(text, field.width).rstrip(". -") if field.width else text


def _fit(text: str) -> str:
    """`text` without what some system forbids in names: a hyphen in place of each such run."""
    return re.sub(r"-{2,}", "-", _UNFIT.sub("-", _printable(unicodedata.normalize("NFC", text))))


def _printable(text: str) -> str:
    """`text` without control characters, halves of surrogates, and what turns the direction."""
    kept = (letter for letter in text if letter.isspace() or _visible(letter))
    return "".join(" " if letter.isspace() else letter for letter in kept)


def _visible(letter: str) -> bool:
    return letter == "\u200d" or not unicodedata.category(letter).startswith("C")


def _cut(text: str, length: int) -> str:
    """The first `length` characters, without half of one that is put together from several."""
    while 0 < length < len(text) and (
        unicodedata.combining(text[length])
        or text[length] in "\u200d\ufe0f"
        or text[length - 1] == "\u200d"
        or "\U0001f3fb" <= text[length] <= "\U0001f3ff"
    ):
        length -= 1
    return text[:length]


def _shortened(text: str, size: int) -> str:
    """`text` in at most `size` bytes of UTF-8."""
    kept = text.encode()[: max(size, 0)].decode(errors="ignore")
    return _cut(text, len(kept))
