"""Reading a checkpoint's header: which tensors it holds, without its weights.  No torch."""

import re
from pathlib import Path
from typing import BinaryIO

from darkroom.checkpoints import pickle_reader, safetensors_reader, sniff
from darkroom.checkpoints.tensors import Header, TensorInfo
from darkroom.errors import ModelError

__all__ = ["Header", "TensorInfo", "read_header"]

_SAMPLE_BYTES = 4096
# Protocol 2 and later begin with their version; older ones, if they mean harm, with a name.
_PICKLE = re.compile(rb"\x80[\x02-\x05]|[(}\])]*[ci][\w.]+\n[\w.]+\n")


def read_header(path: Path) -> Header:
    """Names, types, shapes and places of the tensors in a checkpoint.

    The content decides what the file is, never its name.  Reads a few megabytes however large the
    file is, executes nothing in it, and raises ModelError with the reason and what to do for
    everything that is not a whole, plain checkpoint.
    """
    try:
        if path.is_dir():
            sniff.refuse_folder(path)
        if not path.is_file():  # Also a pipe or a device, which could be read for ever.
            raise ModelError(f"There is no file {path}.", "Check the name of the model.")
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            header = _read(path, file, size)
    except OSError as error:
        raise ModelError(
            f"{path.name} cannot be read: {error.strerror or error}.",
            "Check its permissions and its disk.",
        ) from error
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
