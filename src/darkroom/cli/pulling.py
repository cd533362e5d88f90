"""What `models pull` does and says."""

import time
from collections.abc import Iterator, Sequence

from darkroom import paths
from darkroom.checkpoints import catalog, download, sources
from darkroom.checkpoints.download import Pulled, Remark, Step
from darkroom.checkpoints.hosts import public
from darkroom.checkpoints.sources import Entry, Licence, Source
from darkroom.checkpoints.tensors import size_text
from darkroom.cli.failure import printable
from darkroom.cli.model_lines import FAMILIES, columns
from darkroom.cli.progress import Progress

_UNVERIFIED = "nobody publishes a SHA-256 for it, so only its size and its header were checked"


def pull(source: Source, told: Progress) -> Pulled:
    """Downloads it and tells of it; Ctrl-C keeps what has come."""
    told.say(f"From {printable(public(source.url))}")
    if source.entry:
        told.say(f"Licence: {source.entry.licence.name}, {source.entry.licence.link}")
    told.step(0, 1, "Asking the host")
    pace = _Pace()
    try:
        for event in download.pull(source, paths.models_folder()):
            if isinstance(event, Pulled):
                return event
            if isinstance(event, Remark):
                told.say(printable(event.text))
            else:
                # A bar from where this run began: its time left is that of what is left.
                told.step(
                    event.done - pace.begin(event), event.total - pace.first, pace.line(event)
                )
    except KeyboardInterrupt:
        told.say("What has come is kept: the same command goes on from there.")
        raise
    raise AssertionError("a pull ends with a model or with an error")


def lines(pulled: Pulled) -> Iterator[str]:
    """What a person wants to know once it is there."""
    if not pulled.fresh:
        yield "It is there already, and is the very file."
    elif pulled.spec:
        spec = pulled.spec
        yield (
            f"{FAMILIES[spec.family]}, {spec.task}, {spec.native_width} x {spec.native_height} "
            f"pixels, {spec.prediction}."
        )
    proof = f"as published by {pulled.proven_by}" if pulled.proven_by else _UNVERIFIED
    yield f"SHA-256 {pulled.sha256}: {printable(proof)}."
    if pulled.path.stem in catalog.SAFETY_CHECKERS:
        yield "It looks at every image from now on: what it finds unsafe is blurred; see --safety."
    else:
        yield f"Use it with --model {printable(_name(pulled))}"


def as_object(pulled: Pulled) -> dict[str, object]:
    """The same for a program."""
    return {
        "name": _name(pulled),
        "path": str(pulled.path),
        "sha256": pulled.sha256,
        "sha256_source": pulled.proven_by,
        "fresh": pulled.fresh,
    }


def catalogue_lines(entries: Sequence[Entry]) -> Iterator[str]:
    """A table, and below it whose words bind."""
    rows = [("NAME", "SIZE", "FROM", "WHAT")]
    for entry in entries:
        size = size_text(entry.size) if entry.size else "?"
        login = " (login)" if entry.login else ""
        what = f"{FAMILIES[entry.family]}: {entry.about}"
        rows.append((entry.name, size, entry.repository + login, what))
    yield from columns(rows)
    for licence in dict.fromkeys(entry.licence for entry in entries):
        yield f"{licence.name} ({licence.link}): {', '.join(_under(licence, entries))}"
    for entry in entries:
        if entry.sha256:
            yield f"SHA-256 of {entry.name}: {entry.sha256}, as published by {entry.sha256_source}"


def catalogue_advice() -> str:
    """What the table cannot promise."""
    return (
        f"They come from {sources.host()} (setting models_host), which may have moved them since "
        "this list was made. The SHA-256 that it publishes itself is checked."
    )


def catalogue_object(entries: Sequence[Entry]) -> dict[str, object]:
    """The same for a program."""
    return {
        "host": sources.host(),
        "models": [
            {
                "name": entry.name,
                "about": entry.about,
                "family": entry.family,
                "repository": entry.repository,
                "file": entry.file,
                "bytes": entry.size,
                "sha256": entry.sha256,
                "sha256_source": entry.sha256_source,
                "licence": entry.licence.name,
                "licence_link": entry.licence.link,
                "login": entry.login,
            }
            for entry in entries
        ],
    }


def _name(pulled: Pulled) -> str:
    """What it is called by: not as its file, where another model has that name."""
    models = (model.name for model in catalog.installed() if model.path == pulled.path)
    return next(models, pulled.path.stem)


def _under(licence: Licence, entries: Sequence[Entry]) -> list[str]:
    return [entry.name for entry in entries if entry.licence == licence]


class _Pace:
    """How much comes in a second, since this run began."""

    def __init__(self) -> None:
        self.first = 0
        self.moment: float | None = None

    def begin(self, step: Step) -> int:
        """The bytes that were here before this run, or before it had to begin anew."""
        if step.checking:
            self.first = 0
        elif self.moment is None or step.done < self.first:
            self.first, self.moment = step.done, time.monotonic()
        return self.first

    def line(self, step: Step) -> str:
        """`1.2 GB of 4.27 GB, 11 MB/s`."""
        if step.checking:
            return f"Checking {size_text(step.done)} of {size_text(step.total)}"
        seconds = time.monotonic() - (self.moment or 0)
        pace = f", {size_text(int((step.done - self.first) / seconds))}/s" if seconds > 1 else ""
        return f"{size_text(step.done)} of {size_text(step.total)}{pace}"
