"""Long prompts in pieces that fit the text encoder, each tool in its own way."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from darkroom.contracts import PromptSyntax
from darkroom.errors import RequestError
from darkroom.text.parsed import Section
from darkroom.text.tokenizer import Tokenizer

MOST = 32  # chunks of a prompt: 2,400 tokens, already more than attention does justice to
_BACK = 20  # how far a comma may lie behind for the text after it to be moved (A1111)
_WHOLE = 8  # fewer tokens than this are not torn apart (ComfyUI)


@dataclass(frozen=True, slots=True)
class Token:
    """One token of a prompt; `fragment`: the place of its fragment in its section."""

    id: int
    weight: float
    fragment: int


Chunk = tuple[Token, ...]
"""What the text encoder sees at once, without BOS, EOS and padding."""


def chunks(
    sections: Sequence[Section], syntax: PromptSyntax, tokenizer: Tokenizer
) -> list[list[Chunk]]:
    """The chunks of each section, at most `context_length - 2` tokens each.

    Raises:
        RequestError: there are more than 32.
    """
    divided = _DIVIDED[syntax](sections, tokenizer)
    count = sum(map(len, divided))
    if count > MOST:
        raise RequestError(
            f"The prompt is {count} times as long as what the text encoder sees at once.",
            f"Up to {MOST} times as much is read; say it in fewer words.",
        )
    return divided


def padded(chunk: Chunk, tokenizer: Tokenizer) -> tuple[int, ...]:
    """The ids that the text encoder takes: `context_length` of them."""
    room = tokenizer.context_length - 2
    ids = (token.id for token in chunk)
    return (tokenizer.bos, *ids, tokenizer.eos, *[tokenizer.pad] * (room - len(chunk)))


def weights(chunk: Chunk, tokenizer: Tokenizer) -> tuple[float, ...]:
    """The weight of each of the padded ids; all but the text's is 1."""
    room = tokenizer.context_length - 2
    return (1.0, *(token.weight for token in chunk), *[1.0] * (room - len(chunk) + 1))


def _tokens(section: Section, tokenizer: Tokenizer) -> Iterator[list[Token]]:
    """The tokens of each fragment."""
    for place, fragment in enumerate(section.fragments):
        yield [Token(id_, fragment.weight, place) for id_ in tokenizer.encode(fragment.text)]


def _a1111(sections: Sequence[Section], tokenizer: Tokenizer) -> list[list[Chunk]]:
    """Full chunks; where one ends, what stands behind a near comma moves to the next.

    A section ends a chunk, full or not; the last one, if it is empty, is none.
    """
    divided = [list(_by_commas(_tokens(section, tokenizer), tokenizer)) for section in sections]
    return [found or [()] for found in divided[:-1]] + [
        divided[-1] or ([] if divided[:-1] else [()])
    ]


def _by_commas(fragments: Iterable[list[Token]], tokenizer: Tokenizer) -> Iterator[Chunk]:
    room = tokenizer.context_length - 2
    comma = tokenizer.encode(",")[0]
    chunk: list[Token] = []
    last = None
    for token in (token for tokens in fragments for token in tokens):
        if token.id == comma:
            last = len(chunk)
        elif len(chunk) == room and last is not None and room - last <= _BACK:
            yield tuple(chunk[: last + 1])
            chunk, last = chunk[last + 1 :], None
        if len(chunk) == room:
            yield tuple(chunk)
            chunk, last = [], None
        chunk.append(token)
    if chunk:
        yield tuple(chunk)


def _comfyui(sections: Sequence[Section], tokenizer: Tokenizer) -> list[list[Chunk]]:
    """Full chunks; fragments of fewer than eight tokens are moved rather than torn apart."""
    return [list(_by_fragments(_tokens(s, tokenizer), tokenizer)) for s in sections]


def _by_fragments(fragments: Iterable[list[Token]], tokenizer: Tokenizer) -> Iterator[Chunk]:
    room = tokenizer.context_length - 2
    chunk: list[Token] = []
    for tokens in fragments:
        rest = tokens
        while len(chunk) + len(rest) > room:
            torn = len(tokens) >= _WHOLE or len(tokens) > room
            fitting = room - len(chunk) if torn else 0
            yield (*chunk, *rest[:fitting])
            chunk, rest = [], rest[fitting:]
        chunk += rest
    yield tuple(chunk)


def _invokeai(sections: Sequence[Section], tokenizer: Tokenizer) -> list[list[Chunk]]:
    """Chunks that end with a sentence, else with a phrase, else with a word."""
    return [
        list(_by_sentences([t for ts in _tokens(s, tokenizer) for t in ts], tokenizer))
        for s in sections
    ]


def _by_sentences(tokens: Sequence[Token], tokenizer: Tokenizer) -> Iterator[Chunk]:
    room = tokenizer.context_length - 2
    sentence = {tokenizer.encode(".")[0]}
    phrase = sentence | {tokenizer.encode(mark)[0] for mark in ",;:"}
    start = 0
    while len(tokens) - start > room:
        first = tokens[start : start + room]
        ends = (
            [place for place, token in enumerate(first, 1) if ends_it(token.id)]
            for ends_it in (sentence.__contains__, phrase.__contains__, tokenizer.ends_word)
        )
        stop = start + next((places[-1] for places in ends if places), room)
        yield tuple(tokens[start:stop])
        start = stop
    yield tuple(tokens[start:])


def _plain(sections: Sequence[Section], tokenizer: Tokenizer) -> list[list[Chunk]]:
    """One chunk; what does not fit is cut off."""
    room = tokenizer.context_length - 2
    return [[tuple(t for ts in _tokens(s, tokenizer) for t in ts)[:room]] for s in sections]


_DIVIDED: Mapping[PromptSyntax, Callable[[Sequence[Section], Tokenizer], list[list[Chunk]]]] = {
    "a1111": _a1111,
    "comfyui": _comfyui,
    "invokeai": _invokeai,
    "basujindal": _plain,
    "plain": _plain,
}
