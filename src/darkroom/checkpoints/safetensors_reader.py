"""The header of a safetensors file, read strictly and in bounded memory.

The format: 8 bytes with the header's length, little endian; the header, one JSON object; the
tensors, packed (https://github.com/huggingface/safetensors).  `json.loads` on the whole header
would let a hostile file fill the memory before anything is checked, so the outer object is walked
here and only small pieces are handed to `json`.
"""

import json
import math
import re
from pathlib import Path
from typing import BinaryIO, NoReturn

from darkroom.checkpoints.sniff import DOWNLOAD_AGAIN
from darkroom.checkpoints.tensors import (
    ITEM_BITS,
    MAX_DIMENSIONS,
    MAX_ELEMENTS,
    MAX_TENSORS,
    Header,
    TensorInfo,
    contiguous,
    incomplete_text,
    shown,
)
from darkroom.errors import ModelError

# The format allows 100 MB; the largest published headers are under 1 MB.
MAX_HEADER_BYTES = 32 * 2**20
MAX_NAME = 1024
MAX_ENTRY = 1024

_JSON = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\n\r]*")


def looks_like_safetensors(start: bytes) -> bool:
    """Whether a file's first bytes are a plausible length and the opening of its header."""
    return len(start) > 8 and start[8:9] == b"{" and int.from_bytes(start[:8], "little") < 2**40


def read_safetensors(path: Path, file: BinaryIO, size: int) -> Header:
    """The header of the open safetensors `file` of `size` bytes.  Raises ModelError."""
    file.seek(0)
    length = int.from_bytes(file.read(8), "little")
    if length > MAX_HEADER_BYTES:
        _refuse(path, f"its header claims {length} bytes, more than any model needs")
    if 8 + length > size:
        raise _incomplete(path, size, 8 + length)
    try:
        text = file.read(length).decode()
    except UnicodeDecodeError:
        _refuse(path, "its header is not UTF-8")
    try:
        entries, metadata = _Walk(text).header()
    except (ValueError, RecursionError) as error:
        _refuse(path, f"its header is malformed ({error})")
    tensors = {}
    expected = 0  # Where the next tensor must begin for the data to be packed without holes.
    in_order = sorted(entries.items(), key=lambda item: (item[1][0].offset, item[1][1]))
    for name, (info, end) in in_order:
        if info.offset != expected:
            what = "overlaps another" if info.offset < expected else "leaves a hole before it"
            _refuse(path, f"the tensor {name} {what}")
        expected = end
        tensors[name] = TensorInfo(info.dtype, info.shape, info.stride, 8 + length + info.offset)
    if (whole := 8 + length + expected) > size:
        raise _incomplete(path, size, whole)
    if whole < size:
        _refuse(path, f"{size - whole} bytes follow its last tensor")
    return Header(container="safetensors", tensors=tensors, metadata=metadata, files=(path,))


def _refuse(path: Path, reason: str) -> NoReturn:
    raise ModelError(
        f"{path.name} is not a valid safetensors file: {shown(reason)}.", DOWNLOAD_AGAIN
    )


def _incomplete(path: Path, present: int, expected: int) -> ModelError:
    return ModelError(
        f"{path.name} is incomplete: {incomplete_text(present, expected)}.", DOWNLOAD_AGAIN
    )


class _Walk:
    """A cursor over the header's text.  Every method raises ValueError with the reason."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def header(self) -> tuple[dict[str, tuple[TensorInfo, int]], dict[str, str]]:
        """Each tensor (its offset relative to the data) with its end, and the metadata."""
        entries: dict[str, tuple[TensorInfo, int]] = {}
        metadata: dict[str, str] | None = None
        self._expect("{")
        while not self._closed(first=not entries and metadata is None):
            name = self._key()
            if name == "__metadata__":
                if metadata is not None:
                    raise ValueError("two blocks of metadata")
                metadata = self._metadata()
                continue
            if name in entries:
                raise ValueError(f"the tensor {name} stands twice")
            if len(entries) == MAX_TENSORS:
                raise ValueError(f"more than {MAX_TENSORS} tensors")
            entries[name] = self._tensor(name)
        if self._skip() != len(self._text):
            raise ValueError("text after its end")
        return entries, metadata or {}

    def _metadata(self) -> dict[str, str]:
        found: dict[str, str] = {}
        self._expect("{")
        while not self._closed(first=not found):
            key = self._key()
            if key in found:
                raise ValueError(f"the metadata {key} stands twice")
            if len(found) == MAX_TENSORS:
                raise ValueError("too much metadata")
            found[key] = self._string()
        return found

    def _tensor(self, name: str) -> tuple[TensorInfo, int]:
        # A tensor's entry holds no object and no brace, so it ends at the next one.
        start = self._skip()
        end = self._text.find("}", start, start + MAX_ENTRY)
        if not self._text.startswith("{", start) or end < 0:
            raise ValueError(f"no entry for the tensor {name}")
        self._at = end + 1
        pairs = json.loads(self._text[start : self._at], object_pairs_hook=list)
        fields = dict(pairs)
        if len(pairs) != 3 or fields.keys() != {"dtype", "shape", "data_offsets"}:
            raise ValueError(f"wrong fields for the tensor {name}")
        dtype, shape, offsets = fields["dtype"], fields["shape"], fields["data_offsets"]
        if not isinstance(dtype, str) or dtype not in ITEM_BITS:
            raise ValueError(f"unknown type of the tensor {name}")
        if not _naturals(shape) or len(shape) > MAX_DIMENSIONS:
            raise ValueError(f"impossible shape of the tensor {name}")
        # Ones for zeros: an empty tensor may be endless in its other dimensions.
        if math.prod(max(n, 1) for n in shape) > MAX_ELEMENTS:
            raise ValueError(f"impossible shape of the tensor {name}")
        if not _naturals(offsets) or len(offsets) != 2:
            raise ValueError(f"impossible offsets of the tensor {name}")
        info = TensorInfo(dtype, tuple(shape), contiguous(tuple(shape)), offsets[0])
        bits = info.elements * ITEM_BITS[dtype]
        if bits % 8 or bits // 8 != offsets[1] - offsets[0]:
            raise ValueError(f"shape and bytes of the tensor {name} disagree")
        return info, offsets[1]

    def _closed(self, *, first: bool) -> bool:
        """Consumes the brace that ends an object, or the comma before its next pair."""
        self._skip()
        if self._text.startswith("}", self._at):
            self._at += 1
            return True
        if not first:
            self._expect(",")
        return False

    def _key(self) -> str:
        key = self._string()
        if len(key) > MAX_NAME:
            raise ValueError("an absurdly long name")
        self._expect(":")
        return key

    def _string(self) -> str:
        if not self._text.startswith('"', self._skip()):
            raise ValueError("no text where one must stand")
        value, self._at = _JSON.raw_decode(self._text, self._at)
        if not value.isascii():
            value.encode()  # Refuses lone surrogates, which JSON's escapes can express.
        return str(value)

    def _expect(self, character: str) -> None:
        if not self._text.startswith(character, self._skip()):
            raise ValueError(f"no {character} where one must stand")
        self._at += 1

    def _skip(self) -> int:
        """Moves over white space; returns the position."""
        match = _SPACE.match(self._text, self._at)
        self._at = match.end() if match else self._at
        return self._at


def _naturals(value: object) -> bool:
    return isinstance(value, list) and all(type(n) is int and 0 <= n < 2**63 for n in value)
