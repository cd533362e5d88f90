"""The directory of a zip file as `torch.save` writes it: stored entries only, nothing extracted.

Python's `zipfile` is made for archives of every kind; here a file that is unusual in any way
(compressed, encrypted, overlapping, with a comment) is refused, so that no two readers can see
two different archives in it.  Layout: APPNOTE.TXT 6.3.10, sections 4.3.7 to 4.3.16.
"""

import itertools
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NoReturn

from darkroom.checkpoints.sniff import DOWNLOAD_AGAIN
from darkroom.checkpoints.tensors import shown, size_text
from darkroom.errors import ModelError

MAX_ENTRIES = 2**17
MAX_DIRECTORY_BYTES = 2**25

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_END64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR = struct.Struct("<4sIQI")

_ENCRYPTED = 0x2041  # Bits 0 (encrypted), 6 (strongly) and 13 (masked headers) of the flags.


@dataclass(frozen=True, slots=True)
class Entry:
    """A stored file inside the archive: its bytes are `[offset, offset + size)` of the archive."""

    offset: int
    size: int
    crc: int


def read_directory(path: Path, file: BinaryIO, size: int) -> dict[str, Entry]:
    """All entries by name.  Raises ModelError for anything but a plain, complete archive."""
    count, directory, directory_size = _find_directory(path, file, size)
    if count > MAX_ENTRIES or directory_size > MAX_DIRECTORY_BYTES:
        refuse(path, f"it lists {count} files")
    file.seek(directory)
    data = file.read(directory_size)
    entries: dict[str, Entry] = {}
    spans: list[tuple[int, int]] = []
    at = 0
    for _ in range(count):
        if at + _CENTRAL.size > len(data):
            refuse(path, "its directory is cut short")
        fields = _CENTRAL.unpack_from(data, at)
        name_end = at + _CENTRAL.size + fields[10]
        extra_end = name_end + fields[11]
        raw_name = data[at + _CENTRAL.size : name_end]
        at = extra_end + fields[12]
        if fields[0] != b"PK\x01\x02" or at > len(data):
            refuse(path, "its directory is damaged")
        name = _entry_name(path, raw_name)
        if name in entries:
            refuse(path, f"{name} stands in it twice")
        if fields[3] & _ENCRYPTED:
            refuse(path, f"{name} is encrypted")
        stored, unpacked, start = _sizes64(path, fields, data[name_end:extra_end])
        if fields[4] != 0 or stored != unpacked:
            refuse(path, f"{name} is compressed, which torch.save never does")
        if start >= directory:
            refuse(path, f"{name} reaches beyond the data")
        offset = _data_offset(path, file, start, raw_name)
        if offset + stored > directory:
            refuse(path, f"{name} reaches beyond the data")
        spans.append((start, offset + stored))
        entries[name] = Entry(offset, stored, fields[7])
    if at != len(data):
        refuse(path, "its directory is longer than its list")
    spans.sort()
    if any(end > start for (_, end), (start, _) in itertools.pairwise(spans)):
        refuse(path, "files overlap in it")
    return entries


def refuse(path: Path, reason: str) -> NoReturn:
    """Raises the ModelError of an archive that is not as `torch.save` writes it."""
    raise ModelError(
        f"{path.name} is not a valid checkpoint archive: {shown(reason)}.", DOWNLOAD_AGAIN
    )


def _find_directory(path: Path, file: BinaryIO, size: int) -> tuple[int, int, int]:
    """Number of entries, position and size of the directory."""
    if size < _END.size:
        raise _cut(path, size)
    file.seek(size - _END.size)
    magic, disk, first, here, count, length, position, comment = _END.unpack(file.read(_END.size))
    if magic != b"PK\x05\x06":
        raise _cut(path, size)
    end = size - _END.size
    if end >= _LOCATOR.size:
        file.seek(end - _LOCATOR.size)
        locator = _LOCATOR.unpack(file.read(_LOCATOR.size))
        if locator[0] == b"PK\x06\x07":
            if locator[2] + _END64.size > end - _LOCATOR.size:
                refuse(path, "its end is damaged")
            end = locator[2]
            file.seek(end)
            record = _END64.unpack(file.read(_END64.size))
            if record[0] != b"PK\x06\x06":
                refuse(path, "its end is damaged")
            disk, first, here, count, length, position = record[4:10]
    if comment or disk or first or here != count or position + length != end:
        refuse(path, "its end is damaged")
    return count, position, length


def _cut(path: Path, size: int) -> ModelError:
    return ModelError(
        f"{path.name} is incomplete: after {size_text(size)} its end is missing.", DOWNLOAD_AGAIN
    )


def _entry_name(path: Path, raw: bytes) -> str:
    try:
        name = raw.decode()
    except UnicodeDecodeError:
        refuse(path, "a file name in it is not UTF-8")
    parts = name.split("/")
    if not name.isprintable() or "\\" in name or ":" in name or ".." in parts or "" in parts[:-1]:
        refuse(path, "a file name in it leads outside")
    return name


def _sizes64(path: Path, fields: tuple[int, ...], extra: bytes) -> tuple[int, int, int]:
    """Stored size, unpacked size and position, from the zip64 field where they do not fit."""
    stored, unpacked, start = fields[8], fields[9], fields[16]
    wide = [value == 0xFFFFFFFF for value in (unpacked, stored, start)]
    if not any(wide):
        return stored, unpacked, start
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        body = extra[at + 4 : at + 4 + length]
        at += 4 + length
        if kind == 1:
            if len(body) < 8 * sum(wide):
                break
            numbers = iter(struct.unpack_from(f"<{sum(wide)}Q", body))
            unpacked = next(numbers) if wide[0] else unpacked
            stored = next(numbers) if wide[1] else stored
            start = next(numbers) if wide[2] else start
            return stored, unpacked, start
    refuse(path, "a size in it is missing")


def _data_offset(path: Path, file: BinaryIO, start: int, raw_name: bytes) -> int:
    """Where an entry's bytes begin, behind its own header, which must agree on the name."""
    file.seek(start)
    head = file.read(_LOCAL.size)
    if len(head) < _LOCAL.size:
        refuse(path, "its directory is damaged")
    fields = _LOCAL.unpack(head)
    if fields[0] != b"PK\x03\x04" or fields[3] != 0 or fields[2] & _ENCRYPTED:
        refuse(path, "its directory and its files disagree")
    if fields[9] != len(raw_name) or file.read(fields[9]) != raw_name:
        refuse(path, "its directory and its files disagree")
    return int(start + _LOCAL.size + fields[9] + fields[10])
