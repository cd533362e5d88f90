"""Files that appear whole or not at all, and safetensors written tensor by tensor."""

import errno
import json
import math
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import torch
from torch import Tensor

from darkroom.checkpoints.weights import DTYPE_NAMES
from darkroom.errors import OutputError

_ALIGNMENT = 64


@dataclass(frozen=True)
class Entry:
    """A tensor that will be written."""

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]

    @property
    def stored_bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def write_safetensors(
    file: IO[bytes],
    entries: Iterable[Entry],
    tensors: Iterable[Tensor],
    metadata: Mapping[str, str],
) -> Iterator[int]:
    """Writes a safetensors file; yields the bytes of each tensor once it is written.

    `tensors` come in the order of `entries`, each with as many elements; only one at a time is
    in memory.
    """
    entries = list(entries)
    header: dict[str, object] = {"__metadata__": {"format": "pt", **metadata}}
    position = 0
    for entry in entries:
        end = position + entry.stored_bytes
        header[entry.name] = {
            "dtype": DTYPE_NAMES[entry.dtype],
            "shape": entry.shape,
            "data_offsets": (position, end),
        }
        position = end
    encoded = json.dumps(header, separators=(",", ":")).encode()
    encoded += b" " * (-(8 + len(encoded)) % _ALIGNMENT)
    file.write(len(encoded).to_bytes(8, "little") + encoded)
    for entry, tensor in zip(entries, tensors, strict=True):
        weight = tensor.detach().to("cpu", entry.dtype).contiguous()
        file.write(weight.flatten().view(torch.uint8).numpy().data)
        yield entry.stored_bytes


@contextmanager
def whole_file(path: Path, *, overwrite: bool = True) -> Iterator[IO[bytes]]:
    """A file that has its name once it is complete and on the disk.  Raises OutputError."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with _told(path):
        try:
            with part.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            if not overwrite and path.exists():
                raise FileExistsError(errno.EEXIST, "something of that name appeared meanwhile")
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A folder that has its name once everything in it is on the disk.  Raises OutputError."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with _told(path):
        try:
            part.mkdir()
            yield part
            for file in part.rglob("*"):
                if file.is_file():
                    with file.open("rb+") as written:
                        os.fsync(written.fileno())
            part.rename(path)
        finally:
            shutil.rmtree(part, ignore_errors=True)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written: {error.strerror or error}.",
            "Check the folder, its permissions and the space that is left.",
        ) from error
