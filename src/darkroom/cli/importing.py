"""What `models import` finds, takes and says."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from darkroom import paths
from darkroom.checkpoints import catalog, elsewhere, folder, registry
from darkroom.checkpoints.facts import Facts, facts
from darkroom.checkpoints.tensors import size_text
from darkroom.cli.failure import printable
from darkroom.cli.model_lines import columns, kind, place
from darkroom.errors import ModelError, RequestError

_WHERE = "The names of imported models: darkroom models list"
_NUMBER = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Seen:
    """A model that could be imported; `known` is the name that it has here already."""

    program: str
    facts: Facts
    known: str | None

    @property
    def name(self) -> str:
        """What it would be called; InvokeAI's folders bear numbers, and their origin a name."""
        name = self.facts.name
        return (_NUMBER.fullmatch(name) and folder.origin(self.facts.path)) or name


def look(places: Sequence[Path]) -> list[Seen]:
    """What lies at these places, or with none of them what other programs have.

    Raises ModelError for a place that is named and missing, or has no model that can be used.
    """
    names = {model.path.resolve(): model.name for model in catalog.installed()}

    def see(program: str, path: Path) -> Seen:
        return Seen(program, facts(path), names.get(path.resolve()))

    if not places:
        return [see(found.program, found.path) for found in elsewhere.find()]
    seen = []
    for named in map(Path.expanduser, places):
        if not named.exists():
            raise ModelError(f"There is no {named}.", "Check the name, and where you are.")
        found = [see("", path) for path in elsewhere.below(named)]
        if not any(model.facts.spec for model in found):
            if len(found) == 1 and found[0].facts.refusal:
                raise found[0].facts.refusal
            raise ModelError(
                f"There is no model that Darkroom can use in {named}.",
                "Name a .safetensors or .ckpt file, a folder of diffusers, or a folder with such.",
            )
        seen += found
    return seen


def take(seen: Sequence[Seen], name: str | None) -> dict[Path, str]:
    """Give those that can be used and have no name one; returns all names by path.

    Raises RequestError: one name for several, or for one that has another name.
    """
    usable = [model for model in seen if model.facts.spec]
    if name is not None and len(usable) != 1:
        raise RequestError(
            f"--name names one model, and here are {len(usable)}.", "Name the file itself."
        )
    if name is not None and usable[0].known not in {None, name}:
        known = usable[0].known
        raise RequestError(
            f"This model has the name {known} here already.",
            f"Use it by that, or forget it first: darkroom models remove {known}",
        )
    taken = frozenset(model.name for model in catalog.installed())
    named = {}
    for model in usable:
        path = model.facts.path
        named[path] = model.known or registry.add(name or model.name, path, taken=taken)
    return named


def place_of(name: str) -> Path:
    """Where an imported model lies.

    Raises ModelError: it was not imported; a file in the models folder is the user's to delete.
    """
    if name in (imported := registry.read()):
        return imported[name]
    for model in catalog.installed():
        if name == model.name:
            if model.origin == "darkroom":
                raise ModelError(f"{name} is a part of Darkroom and stays.", _WHERE)
            raise ModelError(
                f"{name} was not imported: it lies at {model.path}.",
                "Darkroom forgets imported models and deletes no files; delete it yourself.",
            )
    raise ModelError(f"No model called {name[:200]!r} was imported.", _WHERE)


def lines(seen: Sequence[Seen], named: Mapping[Path, str] | None) -> Iterator[str]:
    """A table of what can be used; with names where it was taken."""
    rows = [("NAME", "FAMILY", "SIZE", "FROM")]
    for model in seen:
        found = model.facts
        if found.spec:
            name = printable(model.name if named is None else named[found.path])
            whose = f"{model.program}: " if model.program else ""
            note = f" (here as {printable(model.known)})" if model.known and named is None else ""
            size = size_text(found.stored_bytes)
            rows.append((name, kind(found.spec), size, whose + place(found.path) + note))
    if len(rows) > 1:
        yield from columns(rows)


def advice(seen: Sequence[Seen], *, taken: bool) -> str:
    """What was passed over, and what to do next."""
    usable = [model for model in seen if model.facts.spec]
    others = len(seen) - len(usable)
    said = []
    if not seen:
        said.append(
            "No models of other programs were found where they usually are. "
            "Name a place: darkroom models import PATH"
        )
    if others:
        said.append(f"{others} more are none that Darkroom runs; --json says why.")
    if taken and usable:
        said.append("They stay where they are; use them by name, with --model NAME.")
    elif any(model.known is None for model in usable):
        said.append("Import them: darkroom models import --all")
    return " ".join(said) or "All of them have a name here already."


def as_object(seen: Sequence[Seen], named: Mapping[Path, str]) -> dict[str, object]:
    """The same for a program."""
    return {
        "found": [
            {
                "name": named.get(model.facts.path, model.known),
                "path": str(model.facts.path),
                "program": model.program or None,
                "bytes": model.facts.stored_bytes,
                "family": model.facts.spec.family if model.facts.spec else None,
                "reason": model.facts.refusal.message if model.facts.refusal else None,
            }
            for model in seen
        ],
        "list": str(registry.file()),
        "models_folder": str(paths.models_folder()),
    }
