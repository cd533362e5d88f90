"""What is done with the Requests of a command: the plan is said, or the images are saved."""

import json
import time
from collections.abc import Sequence
from typing import Any

import typer

from darkroom.cli import failure, outputs
from darkroom.cli.flags import Flags
from darkroom.cli.progress import Progress, progress
from darkroom.contracts import Request


def deliver(requests: Sequence[Request], flags: Flags) -> None:
    """Carry out Requests that all name the same model, as the flags say."""
    if flags.plan:
        from darkroom.cli import plans

        plans.show(requests, as_json=flags.json)
        return
    begin = time.monotonic()
    wanted = sum(request.count for request in requests)
    target = outputs.outputs(flags, wanted)
    saved: dict[str, Any] = {"images": []}
    try:
        with progress(quiet=flags.quiet) as talk:
            _make(requests, flags, target, talk, saved)
    except KeyboardInterrupt as stop:
        typer.echo(f"Stopped. Finished images: {len(saved['images'])} of {wanted}.", err=True)
        raise typer.Exit(failure.INTERRUPTED) from stop
    finally:  # what is finished is reported, whatever happened then
        if flags.json and saved["images"]:
            typer.echo(json.dumps({**saved, "seconds": round(time.monotonic() - begin, 3)}))


def _make(
    requests: Sequence[Request],
    flags: Flags,
    target: outputs.Outputs,
    talk: Progress,
    saved: dict[str, Any],
) -> None:
    """Save each image as soon as it is finished, note it in `saved`, and print its path."""
    from darkroom.cli.development import develop
    from darkroom.tasks import finish

    private = requests[0].private
    for_grid = []
    for done in develop(requests, talk, outputs.preview(flags.preview)):
        data = finish.encode(done, target.format, private=private)
        path = target.save(data, str(done.seed))
        recipe = done.recipe
        saved["images"].append(
            {
                "path": str(path),
                "seed": done.seed,
                "width": recipe.width,
                "height": recipe.height,
                "prompt": recipe.prompt,
                "model": recipe.model,
            }
        )
        if not flags.json:
            talk.result(str(path))
        if flags.grid:
            for_grid.append(done)
    if for_grid:
        # A recipe makes one image: the grid bears the mark alone.
        data = finish.encode(outputs.sheet(for_grid), target.format, private=True)
        saved["grid"] = str(target.save(data, "grid"))
        if not flags.json:
            talk.result(saved["grid"])
