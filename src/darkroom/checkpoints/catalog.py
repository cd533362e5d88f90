"""Which models there are, where they lie, and what their files hash to.  No torch."""

import contextlib
import difflib
import hashlib
import json
import tempfile
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from darkroom import paths
from darkroom.errors import ModelError

MINI = "mini"
SUFFIXES = (".safetensors", ".ckpt")  # Where two files bear one name, the first is meant.


@dataclass(frozen=True, kw_only=True)
class Installed:
    """A model that `find` knows by name; its file is not opened."""

    name: str
    path: Path
    stored_bytes: int


def find(name_or_path: str | Path) -> Path:
    """The file of a model: `mini`, a path, or a name in the models folder (suffix optional).

    Raises ModelError that names the nearest installed models and how to get one.
    """
    name = str(name_or_path)
    if name == MINI:
        return _packaged()
    path = _as_path(name)
    if path is not None and path.is_file():
        return path
    files = _installed_files()
    for file in files:
        if name in {file.stem, file.name}:
            return file
    if path is not None:  # A folder, or a device: reading its header says what is wrong with it.
        return path
    near = difflib.get_close_matches(name, {file.stem for file in files} | {MINI}, n=3)
    meant = f" Did you mean {' or '.join(near)}?" if near else ""
    raise ModelError(
        f"There is no model {name[:200]!r}.{meant}",
        "Give the path of a Stable Diffusion checkpoint (.safetensors or .ckpt), or put the file "
        f"into {paths.models_folder()} and say its name.",
    )


def installed() -> list[Installed]:
    """Every model that has a name: Mini, then the models folder with its subfolders, by name."""
    files: dict[str, Path] = {}
    if (mini := _mini()).is_file():
        files[MINI] = mini
    for path in _installed_files():
        files.setdefault(path.stem, path)
    models = []
    for name, path in files.items():
        with contextlib.suppress(OSError):  # It may have vanished since.
            models.append(Installed(name=name, path=path, stored_bytes=path.stat().st_size))
    return models


def sha256(path: Path) -> str:
    """The SHA-256 of a file as lower-case hex.

    Remembered in the cache folder for as long as the file's size and time stay the same, because
    a real checkpoint takes seconds to read.  Raises ModelError if the file cannot be read.
    """
    try:
        status = path.stat()
        key = str(path.resolve())
        seen = [status.st_size, status.st_mtime_ns]
        cache = _read_cache()
        entry = cache.get(key)
        if isinstance(entry, list) and entry[:2] == seen and len(entry) == 3:
            return str(entry[2])
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(
            f"{path.name} cannot be read: {error.strerror or error}.",
            "Check its permissions and its disk.",
        ) from error
    _write_cache({**cache, key: [*seen, digest]})
    return digest


def _mini() -> Path:
    return Path(str(resources.files("darkroom"))) / "mini" / "mini.safetensors"


def _packaged() -> Path:
    path = _mini()
    if not path.is_file():
        raise ModelError(
            "Mini, the model that comes with Darkroom, is missing from this installation.",
            "Install Darkroom again, or name another model with --model.",
        )
    return path


def _as_path(name: str) -> Path | None:
    """The path of that name if there is something."""
    # Too long a name, an unknown home, a folder that may not be entered: nothing is there.
    with contextlib.suppress(OSError, RuntimeError):
        path = Path(name).expanduser()
        if name and path.exists():
            return path
    return None


def _installed_files() -> list[Path]:
    """The files in the models folder by name, those that are meant first before their twins."""
    try:
        found = [path for path in paths.models_folder().rglob("*") if _is_model(path)]
    except OSError:
        return []
    return sorted(found, key=lambda path: (path.stem, SUFFIXES.index(path.suffix.lower()), path))


def _is_model(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and path.is_file()


def _cache_file() -> Path:
    return paths.cache_folder() / "sha256.json"


def _read_cache() -> dict[str, object]:
    try:
        cache = json.loads(_cache_file().read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return cache if isinstance(cache, dict) else {}


def _write_cache(cache: dict[str, object]) -> None:
    # A cache that cannot be written costs time, nothing else.
    with contextlib.suppress(OSError):
        target = _cache_file()
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=target.parent, delete=False) as file:
            json.dump(cache, file)
        Path(file.name).replace(target)
