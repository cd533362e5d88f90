"""Checkpoint files put together byte by byte, honest and hostile."""

import io
import json
import pickle
import struct
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

FOLDER = "archive"
PROTO = b"\x80\x02"
STOP = b"."

MAGIC = 0x1950A86A20F9469CFC6C
SYSTEM = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"int": 4}}

FLOATS = struct.pack("<4f", 1, 2, 3, 4)


def text(value: str) -> bytes:
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def name(full: str) -> bytes:
    module, _, last = full.rpartition(".")
    return b"c" + f"{module}\n{last}\n".encode()


def many(*parts: bytes) -> bytes:
    return b"(" + b"".join(parts) + b"t"


def storage(key: str = "0", elements: bytes = number(4), kind: str = "torch.FloatStorage") -> bytes:
    return many(text("storage"), name(kind), text(key), text("cpu"), elements) + b"Q"


def tensor(
    stored: bytes | None = None,
    *,
    offset: bytes = number(0),
    shape: Sequence[int] = (2, 2),
    stride: Sequence[int] = (2, 1),
    function: str = "torch._utils._rebuild_tensor_v2",
) -> bytes:
    """The call that rebuilds a tensor; by default a whole one of four floats."""
    numbers = many(*map(number, shape)), many(*map(number, stride))
    hooks = name("collections.OrderedDict") + b")R"
    parts = (storage() if stored is None else stored, offset, *numbers, b"\x89", hooks)
    return name(function) + many(*parts) + b"R"


def checkpoint(**values: bytes) -> bytes:
    """A pickle of {"state_dict": {name: value, …}}."""
    pairs = b"".join(text(key) + value for key, value in values.items())
    return PROTO + b"}" + text("state_dict") + b"}(" + pairs + b"u" + b"s" + STOP


def in_zip(
    data: bytes,
    storages: Mapping[str, bytes] | None = None,
    *,
    extra: Mapping[str, bytes] | None = None,
    folder: str = FOLDER,
    compression: int = zipfile.ZIP_STORED,
) -> bytes:
    """A zip checkpoint with this pickle and these storages (by default four floats)."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", compression) as file:
        file.writestr(f"{folder}/data.pkl", data)
        for key, value in ({"0": FLOATS} if storages is None else storages).items():
            file.writestr(f"{folder}/data/{key}", value)
        for path, value in (extra or {}).items():
            file.writestr(path, value)
    return archive.getvalue()


def in_legacy(
    data: bytes,
    storages: Mapping[str, tuple[int, bytes]] | None = None,
    *,
    magic: object = MAGIC,
    protocol: object = 1001,
    system: object = SYSTEM,
    keys: object = None,
) -> bytes:
    """A legacy checkpoint: storages by key, each with its number of elements."""
    storages = {"0": (4, FLOATS)} if storages is None else storages
    parts = [pickle.dumps(value, 2) for value in (magic, protocol, system)]
    parts += [data, pickle.dumps(list(storages) if keys is None else keys, 2)]
    parts += [struct.pack("<q", count) + content for count, content in storages.values()]
    return b"".join(parts)


def in_safetensors(header: object, data: bytes = b"", *, length: int | None = None) -> bytes:
    """A safetensors file; `header` is JSON as bytes, or something to encode."""
    encoded = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(encoded) if length is None else length) + encoded + data


def entry(
    dtype: str = "F32", shape: object = (2, 2), offsets: object = (0, 16), **more: object
) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets, **more}


@dataclass(frozen=True)
class Case:
    """A file and a pattern that the refusal must match."""

    name: str
    data: bytes = field(repr=False)
    says: str = "."
    suffix: str = ".ckpt"


GOOD = checkpoint(weight=tensor())
CONTROLS = (
    Case("good-zip", in_zip(GOOD)),
    Case("good-zip-other-folder", in_zip(GOOD, folder="sd-v1-4")),
    Case("good-legacy", in_legacy(GOOD)),
    Case("good", in_safetensors({"weight": entry()}, FLOATS), suffix=".safetensors"),
)
