"""The header of a `.ckpt`: what `torch.save` wrote, read without executing its pickle.

Two containers.  Since torch 1.6 a zip archive: `NAME/data.pkl` describes the tensors and
`NAME/data/KEY` holds each storage.  Before, one stream: four small pickles (a magic number, the
protocol, the machine, the object), a pickle with the storages' keys, then every storage behind
its length (https://github.com/pytorch/pytorch, torch/serialization.py).
"""

import io
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from darkroom.checkpoints.pickle_machine import (
    MAX_BYTES,
    Global,
    Remnant,
    Storage,
    StoredTensor,
    read_pickle,
)
from darkroom.checkpoints.sniff import DOWNLOAD_AGAIN
from darkroom.checkpoints.tensors import (
    ITEM_BITS,
    MAX_TENSORS,
    Header,
    TensorInfo,
    incomplete_text,
)
from darkroom.checkpoints.zip_reader import Entry, read_directory, refuse
from darkroom.errors import ModelError

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001

MAX_NAME = 1024
MAX_NESTING = 3

# Training programs keep their weights under one of these.
_WEIGHTS = "state_dict"
_NUMBERS = ("global_step", "epoch")
# What they keep beside weights that stand under no name of their own; it holds tensors as well.
_TRAINING = frozenset(
    f"{name}{ending}"
    for name in ("optimizer", "optim", "scheduler", "lr_scheduler", "scaler", "callbacks", "loops")
    for ending in ("", "s", "_state", "_states", "_state_dict")
)


def read_zip(path: Path, file: BinaryIO, size: int) -> Header:
    """The header of a zip checkpoint.  Raises ModelError."""
    entries = read_directory(path, file, size)
    pickles = [name for name in entries if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(pickles) != 1:
        raise ModelError(
            f"{path.name} is a zip archive, but not a checkpoint.",
            "If a model lies inside it, unpack it first.",
        )
    folder = pickles[0].removesuffix("data.pkl")
    if any(name.startswith(f"{folder}code/") for name in entries):
        raise ModelError(
            f"{path.name} is a TorchScript program, not a checkpoint: it contains code.",
            "Use the .safetensors file of this model.",
        )
    if (order := entries.get(f"{folder}byteorder")) and _content(path, file, order) != b"little":
        refuse(path, "its numbers are stored in an unknown byte order")
    data = _content(path, file, entries[pickles[0]])
    stream = io.BytesIO(data)
    root, storages = read_pickle(stream, path.name)
    if stream.read(1):
        refuse(path, "something follows its list of tensors")
    offsets = {}
    for key, storage in storages.items():
        entry = entries.get(f"{folder}data/{key}")
        if entry is None:
            refuse(path, f"the data of its storage {key} are missing")
        if entry.size != _storage_bytes(storage):
            refuse(path, f"its storage {key} has {entry.size} bytes, not {_storage_bytes(storage)}")
        offsets[key] = entry.offset
    return _header(path, root, offsets)


def read_legacy(path: Path, file: BinaryIO, size: int) -> Header:
    """The header of a checkpoint from before torch 1.6.  Raises ModelError."""
    file.seek(0)
    if read_pickle(file, path.name)[0] != MAGIC_NUMBER:
        raise ModelError(
            f"{path.name} is a pickle, but not a checkpoint that torch.save wrote.",
            "Use the .safetensors file of this model.",
        )
    protocol, _ = read_pickle(file, path.name)
    machine, _ = read_pickle(file, path.name)
    if protocol != PROTOCOL or not isinstance(machine, dict):
        refuse(path, "its protocol is unknown")
    if machine.get("little_endian") is not True:
        refuse(path, "its numbers are stored in an unknown byte order")
    root, storages = read_pickle(file, path.name)
    keys, _ = read_pickle(file, path.name)
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        refuse(path, "its list of storages is no list")
    if len(keys) != len(storages) or set(keys) != storages.keys():
        refuse(path, "its list of storages does not fit its tensors")
    offsets = {}
    position = file.tell()
    whole = position + sum(8 + _storage_bytes(storage) for storage in storages.values())
    if whole > size:
        raise ModelError(
            f"{path.name} is incomplete: {incomplete_text(size, whole)}.", DOWNLOAD_AGAIN
        )
    if whole < size:
        refuse(path, f"{size - whole} bytes follow its last tensor")
    for key in keys:
        storage = storages[key]
        file.seek(position)
        if int.from_bytes(file.read(8), "little") != storage.elements:
            refuse(path, f"its storage {key} does not have {storage.elements} elements")
        offsets[key] = position + 8
        position += 8 + _storage_bytes(storage)
    return _header(path, root, offsets)


def _content(path: Path, file: BinaryIO, entry: Entry) -> bytes:
    """A small file out of the archive, checked against its checksum."""
    if entry.size > MAX_BYTES:
        refuse(path, "its list of tensors is absurdly long")
    file.seek(entry.offset)
    data = file.read(entry.size)
    if zlib.crc32(data) != entry.crc:
        refuse(path, "its list of tensors is damaged")
    return data


def _storage_bytes(storage: Storage) -> int:
    return storage.elements * ITEM_BITS[storage.dtype] // 8


def _header(path: Path, root: object, offsets: Mapping[str, int]) -> Header:
    """The tensors of the state dict that lies somewhere in `root`, with their places."""
    if not isinstance(root, dict):
        raise ModelError(
            f"{path.name} holds no weights by name.", "Use the .safetensors file of this model."
        )
    metadata = {name: str(root[name]) for name in _NUMBERS if type(root.get(name)) is int}
    weights = root
    for _ in range(MAX_NESTING):
        if isinstance(inner := weights.get(_WEIGHTS), dict):
            weights = inner
    if weights is not root and (strange := _strange(weights)):
        refuse(path, f"its state dict holds something that is no tensor ({strange})")
    found = _named_tensors(path, weights)
    tensors = {name: _placed(path, name, tensor, offsets) for name, tensor in found.items()}
    return Header(container="ckpt", tensors=tensors, metadata=metadata, files=(path,))


def _named_tensors(path: Path, weights: Mapping[object, object]) -> dict[str, StoredTensor]:
    """Tensors under dotted names; plain values among them name no weights and are left out."""
    found: dict[str, StoredTensor] = {}
    pending = [("", weights)]
    seen = {id(weights)}  # Each dictionary once: they may contain each other.
    while pending:
        prefix, values = pending.pop()
        for key, value in values.items():
            name = f"{prefix}{key}"
            if len(name) > MAX_NAME:
                refuse(path, "a name in it is absurdly long")
            if isinstance(value, dict) and id(value) not in seen and name.count(".") < MAX_NESTING:
                seen.add(id(value))
                if name not in _TRAINING:
                    pending.append((f"{name}.", value))
            elif isinstance(value, StoredTensor):
                if name in found or len(found) == MAX_TENSORS:
                    refuse(path, f"it holds the tensor {name} twice, or too many")
                found[name] = value
    return found


def _strange(weights: Mapping[object, object]) -> str:
    """The first object among the weights that was neither a tensor nor a plain value."""
    for value in weights.values():
        if isinstance(value, Remnant):
            return str(value.kind)
        if isinstance(value, Global):
            return str(value)
    return ""


def _placed(path: Path, name: str, tensor: StoredTensor, offsets: Mapping[str, int]) -> TensorInfo:
    storage = tensor.storage
    start = offsets[storage.key] + tensor.offset * ITEM_BITS[storage.dtype] // 8
    info = TensorInfo(storage.dtype, tensor.shape, tensor.stride, start)
    end = offsets[storage.key] + _storage_bytes(storage)
    # More elements than numbers: a repeated view would be unpacked into endless memory.
    if info.elements > storage.elements or info.offset + info.span_bytes > end:
        refuse(path, f"the tensor {name} reaches beyond its storage")
    return info
