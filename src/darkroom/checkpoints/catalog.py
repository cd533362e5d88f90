"""Which models there are, where they lie, and what their files hash to.  No torch."""

import contextlib
import difflib
import hashlib
import json
import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal

from darkroom import paths
from darkroom.checkpoints import folder, registry
from darkroom.errors import ModelError

MINI = "mini"
# What bears one of these names among the models looks at images and makes none.
SAFETY_CHECKERS = ("safety-checker", "stable-diffusion-safety-checker", "safety_checker")
MINI_X4 = "mini-x4"
PACKAGED = (MINI, MINI_X4)  # what comes with Darkroom
SUFFIXES = (".safetensors", ".ckpt")  # Where two files bear one name, the first is meant.


@dataclass(frozen=True, kw_only=True)
class Installed:
    """A model that `find` knows by name; it is not opened.  `path` is a file or a folder."""

    name: str
    path: Path
    stored_bytes: int
    origin: Literal["darkroom", "models folder", "imported"] = "models folder"


def find(name_or_path: str | Path) -> Path:
    """The file or folder of a model: a packaged one, a path, or a name that `installed` lists.

    Raises ModelError that names the nearest installed models and how to get one.
    """
    name = str(name_or_path)
    if name in PACKAGED:
        return _packaged(name)
    path = _as_path(name)
    if path is not None and (path.is_file() or folder.is_model(path)):
        return path
    models = installed()
    for model in models:
        if name == model.name:
            return model.path
    for model in models:
        if name == model.path.name:
            return model.path
    if name in (gone := vanished()):
        raise ModelError(
            f"The model {name} was imported from {gone[name]}, and is not there any more.",
            f"Bring it back, or forget it: darkroom models remove {name}",
        )
    if path is not None:  # A folder, or a device: reading its header says what is wrong with it.
        return path
    near = difflib.get_close_matches(name, [model.name for model in models], n=3)
    meant = f" Did you mean {' or '.join(near)}?" if near else ""
    raise ModelError(
        f"There is no model {name[:200]!r}.{meant}",
        "Give the path of a Stable Diffusion checkpoint (.safetensors, .ckpt or a folder of "
        f"diffusers), put it into {paths.models_folder()} and say its name, or use those of other "
        "programs: darkroom models import",
    )


def installed() -> list[Installed]:
    """Every model that has a name: the packaged, the imported, then those in the models folder.

    Where two bear one name, the second is called as its file, and the third after its place.
    """
    models: dict[str, Installed] = {}

    def add(
        name: str, path: Path, origin: Literal["darkroom", "models folder", "imported"]
    ) -> None:
        with contextlib.suppress(OSError, ModelError):  # It may have vanished, or be half a model.
            size = sum(file.stat().st_size for file in weight_files(path))
            models[name] = Installed(name=name, path=path, stored_bytes=size, origin=origin)

    for name in PACKAGED:
        add(name, _place(name), "darkroom")
    for name, path in _imported().items():
        if _is_there(path):
            add(name, path, "imported")
    for path in in_folder(paths.models_folder()):
        relative = path.relative_to(paths.models_folder()).as_posix()
        names = folder.name_of(path), path.name, relative
        add(next((name for name in names if name not in models), relative), path, "models folder")
    return list(models.values())


def vanished() -> dict[str, Path]:
    """The imported models that are not where they were."""
    return {name: path for name, path in _imported().items() if not _is_there(path)}


def in_folder(top: Path) -> list[Path]:
    """The files and folders below `top` that look like models, by name, the meant ones first.

    What lies inside a model's folder is a part of it; links to folders are not followed.
    """
    found = []
    for at, folders, files in os.walk(top):
        here = Path(at)
        found += [here / name for name in folders if folder.is_model(here / name)]
        folders[:] = [
            name
            for name in folders
            if name not in SAFETY_CHECKERS and not folder.is_model(here / name)
        ]
        paths_here = (here / name for name in files if Path(name).stem not in SAFETY_CHECKERS)
        found += [path for path in paths_here if path.suffix.lower() in SUFFIXES and path.is_file()]
    return sorted(found, key=lambda path: (folder.name_of(path), _rank(path), path))


def weight_files(path: Path) -> tuple[Path, ...]:
    """The files that hold a model's weights.  Raises ModelError for a folder that lacks some."""
    return folder.weight_files(path) if path.is_dir() else (path,)


def sha256(path: Path) -> str:
    """The SHA-256 of a model as lower-case hex.

    Of a folder it is that of the list which `sha256sum` prints of its weights in the order of
    their names: for each file its hash, two spaces, its name within the folder, a newline.

    Remembered in the cache folder for as long as a file's size and time stay the same, because
    a real checkpoint takes seconds to read.  Raises ModelError if a file cannot be read.
    """
    if not path.is_dir():
        return _sha256(path)
    files = sorted(weight_files(path), key=lambda file: file.relative_to(path).as_posix())
    lines = [f"{_sha256(file)}  {file.relative_to(path).as_posix()}\n" for file in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def known_sha256(path: Path) -> str | None:
    """The SHA-256 of a model's file where it was taken before, else None; nothing is read."""
    with contextlib.suppress(OSError):
        entry = _read_cache().get(str(path.resolve()))
        if isinstance(entry, list) and len(entry) == 3 and entry[:2] == _state(path):
            return str(entry[2])
    return None


def remember(path: Path, digest: str) -> None:
    """Spare `sha256` the reading of a file whose SHA-256 was taken just now."""
    with contextlib.suppress(OSError):
        _write_cache({**_read_cache(), str(path.resolve()): [*_state(path), digest]})


def _sha256(path: Path) -> str:
    try:
        seen = _state(path)
        key = str(path.resolve())
        if (known := known_sha256(path)) is not None:
            return known
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(
            f"{path.name} cannot be read: {error.strerror or error}.",
            "Check its permissions and its disk.",
        ) from error
    _write_cache({**_read_cache(), key: [*seen, digest]})
    return digest


def _state(path: Path) -> list[int]:
    """What changes with the content of a file: its size and its time."""
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def _place(name: str) -> Path:
    """Where a packaged model lies."""
    return Path(str(resources.files("darkroom"))) / "mini" / f"{name}.safetensors"


def _packaged(name: str) -> Path:
    path = _place(name)
    if not path.is_file():
        raise ModelError(
            f"{name.capitalize()}, which comes with Darkroom, is missing from this installation.",
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


def _imported() -> dict[str, Path]:
    """The imported models; none where their list is damaged, of which `registry.read` tells."""
    try:
        return registry.read()
    except ModelError:
        return {}


def _is_there(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return path.exists()
    return False


def _rank(path: Path) -> int:
    suffix = path.suffix.lower()
    return SUFFIXES.index(suffix) if suffix in SUFFIXES else len(SUFFIXES)


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
        draft = target.with_suffix(f".{os.getpid()}")
        try:
            draft.write_text(json.dumps(cache), "utf-8")
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
