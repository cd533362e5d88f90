"""How a model reads a prompt, for people to see: tokens, chunks, weights and what is cut."""

from collections.abc import Iterator
from dataclasses import dataclass

from darkroom.contracts import ModelSpec, PromptSyntax
from darkroom.text import syntax as syntaxes
from darkroom.text.chunks import Chunk, chunks
from darkroom.text.parsed import Part, Passage
from darkroom.text.remarks import remarks
from darkroom.text.tokenizer import Tokenizer, tokenizer_of


@dataclass(frozen=True)
class Piece:
    """One token as it is spelt, and its weight; `ends_word`: whether the next is another word."""

    id: int
    text: str
    ends_word: bool
    weight: float


@dataclass(frozen=True)
class Saying:
    """What is said at some steps, counted from 1; `share`: of it in a blend."""

    steps: tuple[int, ...]
    share: float
    chunks: tuple[tuple[Piece, ...], ...]


@dataclass(frozen=True)
class Guide:
    """One of the prompts joined by AND."""

    weight: float
    sayings: tuple[Saying, ...]


@dataclass(frozen=True)
class Meter:
    """A prompt as a model reads it; `room`: tokens in a chunk, without its two ends."""

    model: str
    syntax: PromptSyntax
    room: int
    parts: tuple[Guide, ...]
    remarks: tuple[str, ...]


def measure(
    prompt: str, spec: ModelSpec, syntax: PromptSyntax, *, steps: int, negative: bool = False
) -> Meter:
    """How the model reads the prompt over a run of `steps` steps.

    Raises:
        RequestError: a weight that no model can follow, or more text than is read at all.
        ModelError: the model's vocabulary is damaged.
    """
    tokenizer = tokenizer_of(spec)
    read = syntaxes.parse(prompt, syntax, steps=steps, negative=negative)
    what = "negative prompt" if negative else "prompt"

    def pieces(passage: Passage) -> Iterator[tuple[Piece, ...]]:
        for group in chunks(passage.sections, syntax, tokenizer):
            for chunk in group:
                yield _pieces(chunk, tokenizer)

    return Meter(
        model=spec.name,
        syntax=syntax,
        room=tokenizer.context_length - 2,
        parts=tuple(
            Guide(
                part.weight,
                tuple(
                    Saying(when, passage.share, tuple(pieces(passage)))
                    for when, blend in _sayings(part, steps)
                    for passage in blend
                ),
            )
            for part in read.parts
        ),
        remarks=remarks(prompt, what, spec, tokenizer, syntax),
    )


def _sayings(part: Part, steps: int) -> list[tuple[tuple[int, ...], tuple[Passage, ...]]]:
    """What is said, and at which steps, in the order in which it is said first."""
    when: dict[tuple[Passage, ...], list[int]] = {}
    for step in range(steps):
        when.setdefault(part.stages[part.at(step)].blend, []).append(step + 1)
    return [(tuple(numbers), blend) for blend, numbers in when.items()]


def _pieces(chunk: Chunk, tokenizer: Tokenizer) -> tuple[Piece, ...]:
    return tuple(
        Piece(token.id, tokenizer.spelt(token.id), tokenizer.ends_word(token.id), token.weight)
        for token in chunk
    )
