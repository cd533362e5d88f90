"""The installed models and their headers, read once: a plan is asked for at every key stroke."""

import difflib
import threading
from functools import lru_cache
from pathlib import Path

from darkroom.checkpoints import catalog, detect
from darkroom.checkpoints.catalog import Installed
from darkroom.checkpoints.facts import Facts, facts
from darkroom.checkpoints.header import read_header
from darkroom.contracts import ModelSpec, Prediction
from darkroom.errors import ModelError

_State = tuple[tuple[str, int, int], ...]


class Shelf:
    """Models by their names alone: what a client says is never a path here."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._facts: dict[Path, tuple[_State, Facts]] = {}
        self._spec = lru_cache(maxsize=64)(_spec)

    def installed(self) -> list[Installed]:
        """Every model that has a name."""
        return catalog.installed()

    def named(self, name: str) -> Installed:
        """The installed model of this name.  ModelError tells the nearest."""
        models = catalog.installed()
        for model in models:
            if name == model.name:
                return model
        near = difflib.get_close_matches(name[:100], [model.name for model in models], n=3)
        meant = f" Did you mean {' or '.join(near)}?" if near else ""
        raise ModelError(
            f"There is no model {name[:100]!r} here.{meant}",
            "Choose an installed one, import those of other programs, or pull one by its name.",
        )

    def spec(self, name: str, prediction: Prediction | None = None) -> ModelSpec:
        """What a model is.  ModelError where there is none of that name, or it cannot be used."""
        path = self.named(name).path
        return self._spec(path, _state(path), prediction)

    def facts(self, model: Installed) -> Facts:
        """What the header of a model tells, also of one that cannot be used."""
        state = _state(model.path)
        with self._lock:
            known = self._facts.get(model.path)
        if known is None or known[0] != state:
            known = state, facts(model.path)
            with self._lock:
                self._facts[model.path] = known
        return known[1]


def _spec(path: Path, state: _State, prediction: Prediction | None) -> ModelSpec:  # noqa: ARG001
    return detect.detect(read_header(path), path, prediction=prediction)


def _state(path: Path) -> _State:
    """What changes when a model's files change."""
    try:
        files = catalog.weight_files(path)
        statuses = [(str(file), file.stat()) for file in files]
    except OSError:
        return ()
    return tuple((name, status.st_size, status.st_mtime_ns) for name, status in statuses)
