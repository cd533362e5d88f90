"""Which installed model a client means: other programs call them in many ways."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from darkroom import names
from darkroom.checkpoints import catalog, facts
from darkroom.contracts import ModelTask
from darkroom.errors import DarkroomError
from darkroom.server.refusals import Refusal
from darkroom.server.shelf import Shelf

_HASH_BEHIND = re.compile(r"\[[0-9a-f]{8,64}\]\Z")
_HASH = re.compile(r"[0-9a-f]{8}|[0-9a-f]{10}|[0-9a-f]{64}")


class Models(Protocol):
    """What is to be known of the installed models."""

    def named(self, title: str) -> str:
        """The name of the model that a name, a title, a file name or a hash means.

        Raises:
            Refusal: none of the installed ones is called so.
        """

    def made_for(self, name: str) -> ModelTask:
        """What a model was made for.  ModelError where it cannot be used."""


@dataclass(frozen=True)
class ModelNames:
    """The installed models, by the names of other programs."""

    shelf: Shelf

    def named(self, title: str) -> str:
        bare = _HASH_BEHIND.sub("", title).rstrip() or title
        installed = self.shelf.installed()
        for model in installed:
            if bare in {model.name, model.path.name}:
                return model.name
        if _HASH.fullmatch(bare.lower()):
            for model in installed:
                if _is_of(model.path, bare.lower()):
                    return model.name
        refusal = names.unknown("model", bare, {model.name: model.name for model in installed})
        raise Refusal(404, refusal.message, refusal.hint)

    def made_for(self, name: str) -> ModelTask:
        return self.shelf.spec(name).task

    def made_for_each(self) -> dict[str, ModelTask]:
        """The installed models that can be used, and what each was made for."""
        found = {}
        for model in self.shelf.installed():
            spec = self.shelf.facts(model).spec
            if spec is not None:
                found[model.name] = spec.task
        return found


def _is_of(path: Path, digest: str) -> bool:
    try:
        return facts.old_hash(path) == digest or catalog.sha256(path).startswith(digest)
    except DarkroomError:
        return False
