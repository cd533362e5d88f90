"""Models that lie elsewhere and have a name here: a list of places, nothing is copied.  No torch.

The list is `imported.json` in the models folder.  A file serves where links do not: Windows asks
for a special right to make them.
"""

import contextlib
import json
import os
import re
from pathlib import Path

from darkroom import paths
from darkroom.errors import ModelError, OutputError

VERSION = 1
MAX_BYTES = 2**22

_UNFIT = re.compile(r"[^\w.+ ()-]+")


def file() -> Path:
    """Where the list is kept, whether it exists or not."""
    return paths.models_folder() / "imported.json"


def read() -> dict[str, Path]:
    """The imported models, by name.  Raises ModelError if the list cannot be understood."""
    try:
        with file().open("rb") as stream:
            text = stream.read(MAX_BYTES + 1)
        written = json.loads(text) if len(text) <= MAX_BYTES else None
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError):
        written = None
    models = written.get("models") if isinstance(written, dict) else None
    if not isinstance(models, dict) or not all(isinstance(value, str) for value in models.values()):
        raise ModelError(
            f"The list of imported models, {file()}, cannot be understood.",
            "Mend it, or remove it and import the models again.",
        )
    return {name: Path(place) for name, place in models.items()}


def add(name: str, path: Path, *, taken: frozenset[str] = frozenset()) -> str:
    """Gives the model at `path` a name, and returns it: `name`, with a number where it is taken.

    A place that has a name keeps it.  Raises ModelError for a damaged list, and OutputError.
    """
    models = read()
    place = path.absolute()
    for known, there in models.items():
        if there == place:
            return known
    fit = _UNFIT.sub("-", name)[:100].strip(" .-") or "model"
    free, number = fit, 2
    while free in models or free in taken:
        free, number = f"{fit}-{number}", number + 1
    _write({**models, free: place})
    return free


def remove(name: str) -> Path:
    """Forgets an imported model; the place where it lies is returned, and nothing there is touched.

    Raises ModelError: there is none of that name.
    """
    models = read()
    if name not in models:
        raise ModelError(
            f"No model called {name[:200]!r} was imported.",
            "Only imported models are forgotten; see: darkroom models list",
        )
    place = models.pop(name)
    _write(models)
    return place


def _write(models: dict[str, Path]) -> None:
    target = file()
    written = {"version": VERSION, "models": {name: str(path) for name, path in models.items()}}
    draft = target.with_suffix(f".{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            draft.write_text(json.dumps(written, indent=1) + "\n", "utf-8")
            draft.replace(target)
        finally:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"{target} cannot be written: {error.strerror or error}.",
            "Check the folder, its permissions and the space that is left.",
        ) from error
