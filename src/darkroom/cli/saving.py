"""What is done with the Requests of a command: the plan is said, or the images are saved."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import typer

from darkroom.cli import failure, outputs, plans
from darkroom.cli.flags import Flags
from darkroom.cli.making import make
from darkroom.cli.progress import Progress, progress
from darkroom.contracts import ImageDone, Request

Depths = Callable[[bytes], None]
"""Takes the depth map of depth2img, a PNG file."""


def carry_out(
    requests: Sequence[Request], flags: Flags, *, depths: Depths = lambda _: None
) -> None:
    """Carry out Requests that all name the same model, as the flags say."""
    if flags.plan:
        plans.show(requests, as_json=flags.json)
        return
    wanted = sum(request.count for request in requests)
    target = outputs.outputs(flags, wanted)
    report = _Report()
    try:
        with progress(quiet=flags.quiet) as talk:
            _save(requests, flags, target, talk, report, depths)
    except KeyboardInterrupt as stop:
        typer.echo(f"Stopped. Finished images: {len(report.images)} of {wanted}.", err=True)
        raise typer.Exit(failure.INTERRUPTED) from stop
    finally:  # what is finished is reported, whatever happened then
        if flags.json:
            typer.echo(json.dumps(report.as_object()))


@dataclass
class _Report:
    """What was saved so far."""

    images: list[dict[str, object]] = field(default_factory=list)
    grid: Path | None = None
    begin: float = field(default_factory=time.monotonic)

    def add(self, path: Path, done: ImageDone) -> None:
        recipe = done.recipe
        said = {"prompt": recipe.prompt, "model": recipe.model}
        size = {"width": done.image.width, "height": done.image.height}
        varied = {} if recipe.variation_seed is None else {"variation_seed": recipe.variation_seed}
        self.images.append({"path": str(path), "seed": done.seed} | varied | size | said)

    def as_object(self) -> dict[str, object]:
        grid = {} if self.grid is None else {"grid": str(self.grid)}
        return {"images": self.images, **grid, "seconds": round(time.monotonic() - self.begin, 3)}


def _save(
    requests: Sequence[Request],
    flags: Flags,
    target: outputs.Outputs,
    talk: Progress,
    report: _Report,
    depths: Depths,
) -> None:
    """Save each image as soon as it is finished, then the grid; results are told at once."""

    def tell(path: Path) -> None:
        if not flags.json:
            talk.result(str(path))

    for_grid = []
    for done in make(requests, talk, outputs.preview(flags.preview), depths=depths):
        path = write(done, target, str(done.seed))
        report.add(path, done)  # before it is told: Ctrl-C may come in between
        tell(path)
        if flags.grid:
            for_grid.append(done)
    if for_grid:
        # A recipe makes one image: the grid bears the mark alone.
        report.grid = write(outputs.sheet(for_grid), target, "grid", private=True)
        tell(report.grid)


def write(done: ImageDone, target: outputs.Outputs, label: str, *, private: bool = False) -> Path:
    """Write one image, without its recipe where it or the call is private; returns its path."""
    from darkroom.tasks import finish  # loads torch, which judged wishes alone may wait for

    data = finish.encode(done, target.format, private=private, quality=target.quality)
    return target.save(data, done, label)
