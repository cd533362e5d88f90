"""What can be told of a model without its weights, whether it can be used or not.  No torch."""

import contextlib
import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from darkroom.checkpoints import folder
from darkroom.checkpoints.detect import detect
from darkroom.checkpoints.header import Header, read_header
from darkroom.contracts import ModelSpec
from darkroom.errors import ModelError

# Types of numbers as people call them; others keep their names.
PRECISIONS = {
    "F64": "fp64",
    "F32": "fp32",
    "F16": "fp16",
    "BF16": "bf16",
    "F8_E4M3": "fp8",
    "F8_E5M2": "fp8 (e5m2)",
}
_LICENCES = ("modelspec.license", "license", "licence")

_SAMPLE = 2**16


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a model's header tells.

    `container`: safetensors, ckpt or folder, None where there is no header to be read.
    `stored_bytes` are those of its files; `precisions`: bytes of tensors in each type of numbers.
    `refusal` is the reason for which it cannot be used, and then there is no `spec`.
    """

    name: str
    path: Path
    container: str | None = None
    files: int = 0
    stored_bytes: int = 0
    tensors: int = 0
    precisions: Mapping[str, int]
    title: str | None = None
    licence: str | None = None
    spec: ModelSpec | None = None
    refusal: ModelError | None = None


def facts(path: Path) -> Facts:
    """What can be told of the model at `path`; a reason instead of a spec where it is none."""
    name = folder.name_of(path)
    spec, refusal = None, None
    try:
        header = read_header(path)
    except ModelError as error:
        size = _size([path]) if path.is_file() else 0
        return Facts(name=name, path=path, stored_bytes=size, precisions={}, refusal=error)
    try:
        spec = detect(header, path)
    except ModelError as error:
        refusal = error
    return Facts(
        name=name,
        path=path,
        container=header.container,
        files=len(header.files),
        stored_bytes=_size(header.files),
        tensors=len(header.tensors),
        precisions=_precisions(header),
        title=_said(header, ("modelspec.title", "ss_output_name")),
        licence=_said(header, _LICENCES) or folder.licence(path if path.is_dir() else path.parent),
        spec=spec,
        refusal=refusal,
    )


def short_hash(sha256: str) -> str:
    """The first ten digits of the SHA-256: what A1111 writes, and Civitai calls AutoV2."""
    return sha256[:10]


def old_hash(path: Path) -> str | None:
    """What A1111 called a file by in 2022: eight digits of the SHA-256 of 64 KiB behind 1 MiB.

    None for a folder, and for a file that ends before.
    """
    try:
        with path.open("rb") as file:
            file.seek(2**20)
            sample = file.read(_SAMPLE)
    except OSError:
        return None
    return hashlib.sha256(sample).hexdigest()[:8] if sample else None


def twins(paths: Iterable[Path]) -> dict[Path, Path]:
    """Files that hold the same as one before them, each with that one.

    Only files of equal size are opened, and of those 64 KiB in five places are compared: enough
    for files of weights, which differ everywhere if they differ.
    """
    first: dict[tuple[int, str], Path] = {}
    sizes: dict[Path, int] = {}
    for path in paths:
        try:
            sizes[path] = path.stat().st_size if path.is_file() else -1
        except OSError:
            continue
    counts = Counter(sizes.values())
    found = {}
    for path, size in sizes.items():
        if size >= 0 and counts[size] > 1 and (sample := _sampled(path, size)):
            known = first.setdefault((size, sample), path)
            if known != path:
                found[path] = known
    return found


def _size(files: Iterable[Path]) -> int:
    """Bytes of files, none of those that vanished."""
    total = 0
    for file in files:
        with contextlib.suppress(OSError):
            total += file.stat().st_size
    return total


def _sampled(path: Path, size: int) -> str | None:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            for part in range(5):
                file.seek(max(size - _SAMPLE, 0) * part // 4)
                digest.update(file.read(_SAMPLE))
    except OSError:
        return None
    return digest.hexdigest()


def _precisions(header: Header) -> dict[str, int]:
    """Bytes in each type, the most common first."""
    counts: Counter[str] = Counter()
    for info in header.tensors.values():
        counts[PRECISIONS.get(info.dtype, info.dtype)] += info.stored_bytes
    return {name: count for name, count in counts.most_common() if count}


def _said(header: Header, names: Iterable[str]) -> str | None:
    for name in names:
        if said := header.metadata.get(name, "").strip():
            return said[:200]
    return None
