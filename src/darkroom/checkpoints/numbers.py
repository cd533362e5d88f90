"""A small tensor's numbers out of a file, without torch."""

import struct

from darkroom.checkpoints.tensors import Header, TensorInfo, contiguous

MAX_ELEMENTS = 2**16

_FORMATS = {"F64": "d", "F32": "f", "F16": "e"}


def numbers(header: Header, info: TensorInfo) -> tuple[float, ...] | None:
    """All elements in order; None where they are of another kind, too many, none, or not there."""
    count = info.elements
    known = info.dtype in _FORMATS or info.dtype == "BF16"
    if not known or not 0 < count <= MAX_ELEMENTS or info.stride != contiguous(info.shape):
        return None
    try:
        with header.files[info.file].open("rb") as file:
            file.seek(info.offset)
            stored = file.read(info.span_bytes)
    except (OSError, IndexError):
        return None
    if len(stored) != info.span_bytes:
        return None
    if info.dtype == "BF16":  # The upper half of a 32-bit float.
        halves = struct.unpack(f"<{count}H", stored)
        return struct.unpack(f"<{count}f", struct.pack(f"<{count}I", *(h << 16 for h in halves)))
    return struct.unpack(f"<{count}{_FORMATS[info.dtype]}", stored)
