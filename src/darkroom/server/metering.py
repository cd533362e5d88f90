"""The token meter of the page: what of a prompt a model reads, and what it does not."""

from collections.abc import Sequence
from dataclasses import asdict
from itertools import chain, groupby, islice
from typing import Any

from darkroom.contracts import ModelSpec, PromptSyntax
from darkroom.text import syntax as syntaxes
from darkroom.text.meter import Meter, Piece, measure
from darkroom.text.parsed import fragments_of
from darkroom.text.tokenizer import tokenizer_of, unknown_words

_NAMED = 50  # unknown words
_SHOWN = 300  # tokens


def metered(
    prompt: str, spec: ModelSpec, syntax: PromptSyntax, *, negative: bool = False
) -> dict[str, Any]:
    """The longest passage of the prompt, in numbers and in words."""
    read = measure(prompt, spec, syntax, steps=1, negative=negative)
    longest = max(_passages(read), key=lambda chunks: sum(map(len, chunks)), default=())
    texts = [
        fragment.text
        for fragment in fragments_of(syntaxes.parse(prompt, syntax, negative=negative))
    ]
    return {
        "tokens": sum(map(len, longest)),
        "pieces": [asdict(piece) for piece in islice(chain.from_iterable(longest), _SHOWN)],
        "limit": read.room,
        "chunks": len(longest),
        "beyond": [word for chunk in longest[1:] for word in _words(chunk)],
        "cut": _cut(texts, spec, syntax),
        "unknown": [
            {"word": word, "nearest": near} for word, near in _unknown(texts, spec)[:_NAMED]
        ],
        "remarks": list(read.remarks),
    }


def _passages(meter: Meter) -> list[tuple[tuple[Piece, ...], ...]]:
    return [saying.chunks for part in meter.parts for saying in part.sayings]


def _cut(texts: Sequence[str], spec: ModelSpec, syntax: PromptSyntax) -> list[str]:
    """Words that the model never sees: where the syntax allows one chunk alone."""
    if syntax not in {"plain", "basujindal"}:
        return []
    tokenizer = tokenizer_of(spec)
    return [word for text in texts for word in tokenizer.chunk(text).cut.split()]


def _unknown(texts: Sequence[str], spec: ModelSpec) -> list[tuple[str, str | None]]:
    return list(unknown_words(" ".join(texts), frozenset(spec.words))) if spec.words else []


def _words(chunk: Sequence[Piece]) -> list[str]:
    """The words of a chunk, put together of their tokens."""
    number = 0
    numbered = []
    for piece in chunk:
        numbered.append((number, piece.text))
        number += piece.ends_word
    return ["".join(text for _, text in word) for _, word in groupby(numbered, lambda one: one[0])]
