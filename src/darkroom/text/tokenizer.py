"""CLIP's byte-pair tokenizer: what the text encoder reads (Radford et al. 2021).

Text is cleaned, cut into words by a pattern, and each word's UTF-8 bytes are merged pair by pair,
the earliest learnt pair first (Sennrich et al. 2016).  Ids 0…255 are the bytes, 256…511 the bytes
that end a word, then come the merges in the order in which they were learnt, then BOS and EOS.
"""

import difflib
import functools
import gzip
import heapq
import html
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Literal

import ftfy
import regex

from darkroom.contracts import ModelSpec
from darkroom.errors import ModelError

Cleaning = Literal["transformers", "openai"]
Padding = Literal["eos", "zero"]

_VOCABULARY = "bpe_simple_vocab_16e6.txt.gz"
_MERGES = 49_152 - 256 - 2  # of the file's lines, the first being a title; CLIP leaves out the rest
_END = "</w>"
_BOS, _EOS = "<|startoftext|>", "<|endoftext|>"
_WORD = regex.compile(
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+",
    regex.IGNORECASE,
)
_SPECIAL = regex.compile(r"(<\|startoftext\|>|<\|endoftext\|>)")
_SPACE = regex.compile(r"\s+")
# How the two families of text encoders were fed.
_FLAVOURS: Mapping[str, tuple[Cleaning, Padding]] = {
    "clip": ("transformers", "eos"),
    "openclip": ("openai", "zero"),
}
_BLANK = " \t\n\r\f"  # what is a space before cleaning as well: U+0085 is mended to an ellipsis
_PLAIN_WORD = regex.compile(r"(?<!\p{L}')\b[\p{L}\p{M}\p{N}]+")  # not the s of "cat's"

# The words that a small model may be told without being taught them.
STOP_WORDS = frozenset(
    str.split("a an and at by for from in is it its of on or some that the this to with")
)
_NAMED = 20  # unknown words that are looked up; a sentence names no more


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """One prompt as the text encoder takes it.

    `ids`: exactly `context_length` of them: BOS, the text, EOS, padding.
    `cut`: the end of the prompt, as written, from the first word that did not fit; "" if all did.
    """

    ids: tuple[int, ...]
    cut: str


class Tokenizer:
    """Text to ids, with CLIP's vocabulary (`Tokenizer.clip()`) or a pruned one.

    `merges`: pairs of symbols, `"a b"`, in the order in which they were learnt.
    `context_length`: ids in a chunk, BOS and EOS included.
    `cleaning`: see `clean`.  `padding`: EOS (v1 and the first tower of XL) or 0 (OpenCLIP's).
    Merges that no training can have produced raise ModelError.
    """

    def __init__(
        self,
        *,
        merges: Sequence[str],
        context_length: int,
        cleaning: Cleaning = "transformers",
        padding: Padding = "eos",
    ) -> None:
        if context_length < 2:
            raise ModelError("The model's context has no room for text.")
        self._merges = tuple(merges)
        self._pairs = _pairs(merges)
        self._cleaning: Cleaning = cleaning
        self.context_length = context_length
        self.bos = 512 + len(merges)
        self.eos = self.bos + 1
        self.pad = self.eos if padding == "eos" else 0
        self._special = {_BOS: self.bos, _EOS: self.eos}

    @staticmethod
    def clip(
        cleaning: Cleaning = "transformers",
        padding: Padding = "eos",
        context_length: int = 77,
    ) -> "Tokenizer":
        """The tokenizer of every published model: 49,408 ids, built once (about 0.1 s)."""
        return _clip(cleaning, padding, context_length)

    @property
    def vocabulary(self) -> int:
        """How many ids there are."""
        return self.eos + 1

    def encode(self, text: str) -> list[int]:
        """The ids of a text, without BOS, EOS, padding or limit."""
        ids: list[int] = []
        for word in self._words(text):
            special = self._special.get(word)
            if special is None:
                ids += self._merge(word.encode())
            else:
                ids.append(special)
        return ids

    def chunk(self, text: str) -> Chunk:
        """The ids that the text encoder takes, and the words that fell beyond them."""
        room = self.context_length - 2
        ids = self.encode(text)
        padding = [self.pad] * (room - len(ids))
        cut = self._beyond(text, room) if len(ids) > room else ""
        return Chunk(ids=(self.bos, *ids[:room], self.eos, *padding), cut=cut)

    def ends_word(self, id_: int) -> bool:
        """Whether a space may follow this token, which is none of the two special ones."""
        return 256 <= id_ < 512 or (id_ >= 512 and self._merges[id_ - 512].endswith(_END))

    def spelt(self, id_: int) -> str:
        """What a token stands for, as a person reads it; part of a letter becomes U+FFFD."""
        if id_ in {self.bos, self.eos}:
            return _BOS if id_ == self.bos else _EOS
        if id_ < 512:
            letters = bytes([_BYTES[id_ % 256]])
        else:
            symbol = self._merges[id_ - 512].replace(" ", "").removesuffix(_END)
            letters = bytes(_BYTES_OF_LETTERS[letter] for letter in symbol)
        return letters.decode(errors="replace")

    def _words(self, text: str) -> list[str]:
        if self._cleaning == "openai":
            found: list[str] = _WORD.findall(clean_openai(text))
            return found
        # transformers takes special tokens out first, and cleans what is between them.
        pieces = [clean(piece) for piece in _SPECIAL.split(text)]
        return [word for piece in pieces for word in _WORD.findall(piece)]

    def _merge(self, word: bytes) -> list[int]:
        """Merge pairs, the earliest learnt and leftmost first, in O(n log n) for n bytes.

        A merge's id rises with its rank, so the heap orders by id.
        """
        pairs = self._pairs
        ids = [_BYTE_IDS[byte] for byte in word]
        ids[-1] += 256
        end = len(ids)
        following = list(range(1, end + 1))
        preceding = list(range(-1, end - 1))
        heap: list[tuple[int, int]] = []

        def offer(left: int) -> None:
            merged = pairs.get((ids[left], ids[following[left]]))
            if merged is not None:
                heapq.heappush(heap, (merged, left))

        for left in range(end - 1):
            offer(left)
        while heap:
            merged, left = heapq.heappop(heap)
            right = following[left]
            if right == end or pairs.get((ids[left], ids[right])) != merged:
                continue  # one of the two was merged with its other neighbour meanwhile
            ids[left], ids[right] = merged, -1
            following[left] = following[right]
            if following[left] < end:
                preceding[following[left]] = left
                offer(left)
            if preceding[left] >= 0:
                offer(preceding[left])
        return [symbol for symbol in ids if symbol >= 0]

    def _beyond(self, text: str, room: int) -> str:
        """The end of the text from the first word that does not fit into `room` ids."""
        stops = [word.end() for word in regex.finditer(f"[^{_BLANK}]+", text)]
        fitting = _count(lambda words: len(self.encode(text[: stops[words - 1]])) <= room, stops)
        if fitting:
            return text[stops[fitting - 1] :].strip(_BLANK)
        # Not even one word fits: a text without spaces is cut between letters.
        letters = range(len(text))
        return text[_count(lambda size: len(self.encode(text[:size])) <= room, letters) :]


@functools.cache
def _clip(cleaning: Cleaning, padding: Padding, context_length: int) -> Tokenizer:
    return Tokenizer(
        merges=clip_merges(), context_length=context_length, cleaning=cleaning, padding=padding
    )


def tokenizer_of(spec: ModelSpec) -> Tokenizer:
    """The model's own vocabulary where it brings one, else CLIP's; cleaned and filled up as there.

    Raises:
        ModelError: the vocabulary holds more tokens than the text encoder.
    """
    length, room = spec.text_encoder.context_length, spec.text_encoder.vocabulary
    cleaning, padding = _FLAVOURS[spec.text_encoder.tokens]
    if spec.merges:
        tokenizer = Tokenizer(
            merges=spec.merges, context_length=length, cleaning=cleaning, padding=padding
        )
    else:
        tokenizer = Tokenizer.clip(cleaning, padding, length)
    if tokenizer.vocabulary > room:
        raise ModelError(
            f"{spec.name} has room for {room:,} tokens, its vocabulary has "
            f"{tokenizer.vocabulary:,}.",
            "A model with a vocabulary of its own has to bring it along in the file.",
        )
    return tokenizer


def clip_merges() -> list[str]:
    """CLIP's 48,894 merges, `"a b"` each, in the order in which they were learnt."""
    packed = resources.files("darkroom.text").joinpath(_VOCABULARY).read_bytes()
    return gzip.decompress(packed).decode().split("\n")[1 : 1 + _MERGES]


def vocabulary(merges: Sequence[str]) -> list[str]:
    """The symbol of every id, in order, as other programs' files list them."""
    letters = [letter for _, letter in _symbols()]
    made = [merge.replace(" ", "") for merge in merges]
    return [*letters, *(letter + _END for letter in letters), *made, _BOS, _EOS]


def pruned_merges(words: Iterable[str]) -> list[str]:
    """Those of CLIP's merges that the given words need: they are split just as with all.

    Every merge that a word goes through lives on in one of its symbols, so the merges inside
    its symbols are all that it needs.
    """
    merges = clip_merges()
    made_by = {merge.replace(" ", ""): merge for merge in merges}
    symbols = {512 + place: merge for place, merge in enumerate(merges)}
    full = Tokenizer.clip()
    needed: set[str] = set()
    waiting = [symbols[i] for word in words for i in full.encode(word) if i >= 512]
    while waiting:
        merge = waiting.pop()
        if merge not in needed:
            needed.add(merge)
            waiting += [made_by[part] for part in merge.split(" ") if part in made_by]
    return [merge for merge in merges if merge in needed]


def unknown_words(text: str, known: frozenset[str]) -> list[tuple[str, str | None]]:
    """The words of a text that a small model was not taught, each with the nearest it was.

    Case and repetitions do not matter, `STOP_WORDS` pass, and at most 20 words are returned.
    """
    choices = sorted(known)  # the nearest of equals does not depend on a set's order
    unknown: dict[str, str | None] = {}
    for word in _PLAIN_WORD.findall(clean(text)):
        if len(unknown) == _NAMED:
            break
        if word not in known and word not in STOP_WORDS and word not in unknown:
            near = difflib.get_close_matches(word, choices, n=1)
            unknown[word] = near[0] if near else None
    return list(unknown.items())


def clean(text: str) -> str:
    """Clean as Stable Diffusion v1 did: text mended by ftfy, spaces collapsed, lower case.

    The first release ran transformers' CLIPTokenizer in Python, which mends text exactly where
    ftfy is installed; its environment installed ftfy with OpenAI's CLIP.  Later releases of
    transformers only compose the text (NFC), which differs for mojibake, ligatures, full-width
    letters, curly quotes, entities and control characters.
    """
    return _collapse(ftfy.fix_text(text))


def clean_openai(text: str) -> str:
    """Clean as OpenAI's CLIP and OpenCLIP do: as `clean`, entities replaced twice in between."""
    return _collapse(html.unescape(html.unescape(ftfy.fix_text(text))))


def _collapse(text: str) -> str:
    single: str = _SPACE.sub(" ", text)
    return single.strip().lower()


def _symbols() -> list[tuple[int, str]]:
    """Bytes in the order of their ids, each with the letter that stands for it in a merge.

    Printable Latin-1 stands for itself and comes first; the others follow from U+0100 on.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return [(byte, chr(byte)) for byte in printable] + [
        (byte, chr(0x100 + place)) for place, byte in enumerate(others)
    ]


_BYTES = [byte for byte, _ in _symbols()]
_BYTE_IDS = {byte: place for place, byte in enumerate(_BYTES)}
_BYTES_OF_LETTERS = {letter: byte for byte, letter in _symbols()}


def _pairs(merges: Sequence[str]) -> dict[tuple[int, int], int]:
    """Each pair of ids that merges, with the id it becomes.

    That a merge only joins what came before it, and yields something new, is what makes
    merging one pair at a time equal to merging every pair of a rank at once.
    """
    letters = [letter for _, letter in _symbols()]
    ids = {symbol: i for i, symbol in enumerate([*letters, *(letter + _END for letter in letters)])}
    pairs: dict[tuple[int, int], int] = {}
    for merge in merges:
        left, _, right = merge.partition(" ")
        if left not in ids or right not in ids or left + right in ids:
            raise ModelError(
                f"The model's vocabulary is damaged: {merge[:40]!r} is no merge.",
                "Get the file again, or another model.",
            )
        pairs[ids[left], ids[right]] = ids[left + right] = len(ids)
    return pairs


def _count(fits: Callable[[int], bool], items: Sequence[object]) -> int:
    """How many of the first items fit, found by doubling and halving.

    Doubling first keeps a long text cheap: only about twice of what fits is ever tried.
    """
    low, high = 0, 1
    while high < len(items) and fits(high):
        low, high = high, 2 * high
    high = min(high, len(items))
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
