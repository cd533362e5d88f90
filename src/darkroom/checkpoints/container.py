"""Reading one file's header, whatever container it is.  No torch."""

import re
from pathlib import Path
from typing import BinaryIO

from darkroom.checkpoints import pickle_reader, safetensors_reader, sniff
from darkroom.checkpoints.tensors import Header
from darkroom.errors import ModelError

_SAMPLE_BYTES = 4096
# Protocol 2 and later begin with their version; older ones, if they mean harm, with a name.
_PICKLE = re.compile(rb"\x80[\x02-\x05]|[(}\])]*[ci][\w.]+\n[\w.]+\n")


def read_file(path: Path) -> Header:
    """Names, types, shapes and places of the tensors in one file.

    The content decides what the file is, never its name.  Raises ModelError with the reason and
    what to do for everything that is not a whole, plain checkpoint, and OSError.
    """
    if not path.is_file():  # Also a pipe or a device, which could be read for ever.
        raise ModelError(f"There is no file {path}.", "Check the name of the model.")
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        header = _read(path, file, size)
    if not header.tensors:
        raise ModelError(f"{path.name} holds no tensors.", sniff.WANT_CHECKPOINT)
    return header


def _read(path: Path, file: BinaryIO, size: int) -> Header:
    start = file.read(_SAMPLE_BYTES)
    if safetensors_reader.looks_like_safetensors(start):
        return safetensors_reader.read_safetensors(path, file, size)
    if start.startswith(b"PK\x03\x04"):
        return pickle_reader.read_zip(path, file, size)
    if _PICKLE.match(start):
        return pickle_reader.read_legacy(path, file, size)
    sniff.refuse_foreign(path, start)
    raise ModelError(f"{path.name} is not a model that Darkroom knows.", sniff.WANT_CHECKPOINT)
