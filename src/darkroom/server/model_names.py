"""Which installed model a client means: no client names a file, so that none can be looked for."""

import re
from functools import lru_cache
from pathlib import Path

from darkroom import names
from darkroom.checkpoints import catalog, detect, facts
from darkroom.checkpoints.header import read_header
from darkroom.contracts import ModelSpec, ModelTask
from darkroom.errors import DarkroomError
from darkroom.server.refusals import Refusal

_TITLE = re.compile(r"(.+?)\s*\[[0-9a-f]{8,64}\]", re.DOTALL)
_HASH = re.compile(r"[0-9a-f]{8}|[0-9a-f]{10}|[0-9a-f]{64}")


class NoModelError(Refusal):
    """No installed model is called so."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(404, message, hint)


class ModelNames:
    """The installed models, by the many ways in which other programs call them."""

    def named(self, title: str) -> str:
        """The name of the model that a name, a title, a file name or a hash means."""
        bare = found[1] if (found := _TITLE.fullmatch(title)) else title
        installed = catalog.installed()
        for model in installed:
            if bare in {model.name, model.path.name}:
                return model.name
        if _HASH.fullmatch(bare.lower()):
            for model in installed:
                if _is_of(model.path, bare.lower()):
                    return model.name
        refusal = names.unknown("model", bare, {model.name: model.name for model in installed})
        raise NoModelError(refusal.message, refusal.hint)

    def made_for(self, name: str) -> ModelTask:
        """What a model was made for.  ModelError where it cannot be used."""
        return self.spec(name).task

    def spec(self, name: str) -> ModelSpec:
        """What is known of a model without its weights.  ModelError where it cannot be used."""
        path = catalog.find(name)
        state = path.stat()
        return _spec(path, state.st_mtime_ns, state.st_size)

    def made_for_each(self) -> dict[str, ModelTask]:
        """The installed models that can be used, and what each was made for."""
        found = {}
        for model in catalog.installed():
            try:
                found[model.name] = self.made_for(model.name)
            except (DarkroomError, OSError):
                continue  # it is no model, or vanished: `models list` says why
        return found


@lru_cache(maxsize=64)
def _spec(path: Path, changed: int, size: int) -> ModelSpec:  # noqa: ARG001  another file, another answer
    return detect.detect(read_header(path), path)


def _is_of(path: Path, digest: str) -> bool:
    try:
        return facts.old_hash(path) == digest or catalog.sha256(path).startswith(digest)
    except DarkroomError:
        return False
