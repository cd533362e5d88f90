"""Checkpoint files put together byte by byte, honest and hostile."""

import io
import json
import pickle
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

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


def write_zip64(path: Path, files: Mapping[str, bytes | int]) -> None:
    """An archive as those over 4 GB are; a number stands for so many bytes that are never written.

    Every size and position stands in a zip64 field.
    """
    directory, full = b"", b"\xff" * 4
    with path.open("wb") as file:
        for full_name, content in files.items():
            raw, start = full_name.encode(), file.tell()
            size = content if isinstance(content, int) else len(content)
            crc = 0 if isinstance(content, int) else zlib.crc32(content)
            sizes = struct.pack("<HHQQ", 1, 16, size, size)
            head = struct.pack("<4s5HI", b"PK\x03\x04", 45, 0, 0, 0, 0, crc) + full * 2
            file.write(head + struct.pack("<2H", len(raw), len(sizes)) + raw + sizes)
            if isinstance(content, int):
                file.seek(content, 1)
            else:
                file.write(content)
            wide = struct.pack("<HHQQQ", 1, 24, size, size, start)
            head = struct.pack("<4s6HI", b"PK\x01\x02", 45, 45, 0, 0, 0, 0, crc) + full * 2
            head += struct.pack("<5HI", len(raw), len(wide), 0, 0, 0, 0) + full
            directory += head + raw + wide
        at, count = file.tell(), len(files)
        counts = (44, 45, 45, 0, 0, count, count, len(directory), at)
        file.write(directory + struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", *counts))
        file.write(struct.pack("<4sIQI", b"PK\x06\x07", 0, at + len(directory), 1))
        file.write(b"PK\x05\x06" + bytes(4) + b"\xff" * 12 + bytes(2))


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
