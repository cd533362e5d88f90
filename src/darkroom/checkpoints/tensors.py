"""What a checkpoint's header says: names, types, shapes and places of tensors.  No torch."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

# Bits an element, under the names that safetensors uses.
ITEM_BITS = {
    "BOOL": 8,
    "U8": 8,
    "I8": 8,
    "F8_E4M3": 8,
    "F8_E5M2": 8,
    "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8,
    "F8_E5M2FNUZ": 8,
    "U16": 16,
    "I16": 16,
    "F16": 16,
    "BF16": 16,
    "U32": 32,
    "I32": 32,
    "F32": 32,
    "U64": 64,
    "I64": 64,
    "F64": 64,
    "C64": 64,
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
}

MAX_DIMENSIONS = 8
MAX_ELEMENTS = 2**48
MAX_TENSORS = 2**16


# Types that weights may be stored in; the 8-bit ones are read, and never computed with.
WEIGHT_DTYPES = frozenset({"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"})

Layout = Literal["published", "diffusers"]


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One tensor: `offset` in bytes from its file's start, `stride` in elements.

    `file` is the place of its file in the header's `files`.
    """

    dtype: str
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int
    file: int = 0

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def stored_bytes(self) -> int:
        return (self.elements * ITEM_BITS[self.dtype] + 7) // 8

    @property
    def span_bytes(self) -> int:
        """Bytes from the first element to behind the last, gaps included."""
        if self.elements == 0:
            return 0
        last = sum((n - 1) * step for n, step in zip(self.shape, self.stride, strict=True))
        return ((last + 1) * ITEM_BITS[self.dtype] + 7) // 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """A checkpoint without its weights: one file, or a folder with several.

    `metadata` is the file's own, all strings; of a folder, what its settings say under the names
    that a file would have.  Names of a folder's tensors begin with their part: `unet/conv_in.bias`.
    """

    container: Literal["safetensors", "ckpt", "folder"]
    tensors: Mapping[str, TensorInfo] = field(repr=False)
    metadata: Mapping[str, str] = field(repr=False)
    files: tuple[Path, ...] = field(default=(), repr=False)

    @property
    def layout(self) -> Layout:
        """Whose names the tensors bear."""
        return "diffusers" if self.container == "folder" else "published"


def contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Strides, in elements, of a tensor stored row after row."""
    stride = [1] * len(shape)
    for i in range(len(shape) - 1, 0, -1):
        stride[i - 1] = stride[i] * max(shape[i], 1)
    return tuple(stride)


def size_text(count: int) -> str:
    """Bytes as people read them: `4.27 GB`."""
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= scale:
            return f"{count / scale:.3g} {unit}"
    return f"{count} bytes"


def incomplete_text(present: int, expected: int) -> str:
    """`1.2 of 4 GB`, in the unit of the whole; exact bytes where rounding would hide the gap."""
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        have, want = f"{present / scale:.3g}", f"{expected / scale:.3g}"
        if expected >= scale and have != want:
            return f"{have} of {want} {unit}"
    return f"{present} of {expected} bytes"


def shown(text: str) -> str:
    """Words that hold names out of a file, fit for a message: printable and not too long."""
    if len(text) > 300:
        text = text[:299] + "…"
    return "".join(character if character.isprintable() else "?" for character in text)
