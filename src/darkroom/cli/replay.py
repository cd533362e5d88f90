"""The command that makes an image again from the recipe in its file."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from darkroom import settings
from darkroom.cli.flags import IMAGE, NO_VALUE, RESULT, Flags, takes
from darkroom.errors import DarkroomError

if TYPE_CHECKING:
    from darkroom.contracts import ImageDone, Precision, Request
    from darkroom.images.comparison import Difference
    from darkroom.tasks.recalling import Replay

_LEVELS = 255


def _input(help: str) -> Any:  # noqa: A002 (as Typer calls it)
    return typer.Option(help=help, rich_help_panel=IMAGE, metavar="FILE", show_default=False)


@takes(
    *("model", "vae", "precision", "device", "out", "format", "quality", "lossless", "name"),
    *("overwrite", "preview", "private", "plan", "json", "quiet", "debug"),
)
def replay(
    file: Annotated[
        Path, typer.Argument(help="An image with a recipe.", metavar="FILE", show_default=False)
    ],
    input: Annotated[  # noqa: A002 (the flag's name)
        Path | None, _input("The image from which it was made, if it was made from one.")
    ] = None,
    mask: Annotated[Path | None, _input("The mask with which it was made.")] = None,
    depth: Annotated[Path | None, _input("The depth map with which it was made.")] = None,
    image: Annotated[
        list[Path] | None, _input("A further image with which it was made; again for the next.")
    ] = None,
    any_input: Annotated[
        bool,
        typer.Option(
            "--any-input",
            help="Take these files even if they are not the very ones.",
            rich_help_panel=IMAGE,
            metavar=NO_VALUE,
            show_default=False,
        ),
    ] = False,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify",
            help="Compare it with FILE, pixel by pixel. It is saved only if --out or --name is "
            "said. The exit code is 1 where they differ by more than the tolerance.",
            rich_help_panel=RESULT,
            metavar=NO_VALUE,
            show_default=False,
        ),
    ] = False,
    tolerance: Annotated[
        int,
        typer.Option(
            help="Levels of 255 by which a pixel may differ. Default: 1.",
            rich_help_panel=RESULT,
            metavar="N",
            min=0,
            max=_LEVELS,
            show_default=False,
        ),
    ] = 1,
    *,
    flags: Flags,
) -> None:
    """Make an image again from the recipe in its file, and say what has changed since.

    Example: darkroom replay hamster.png --verify
    """
    from darkroom.cli import plans
    from darkroom.cli.generate import teller
    from darkroom.images import io
    from darkroom.tasks import recalling

    found = recalling.replay(
        file,
        model=flags.model,
        inputs=recalling.Inputs(
            image=None if input is None else io.readable_bytes(input),
            mask=None if mask is None else io.readable_bytes(mask),
            depth=None if depth is None else io.readable_bytes(depth),
            images=tuple(io.readable_bytes(further) for further in image or ()),
        ),
        any_input=any_input,
        tell=teller(flags),
    )
    request = _here(found.request, flags)
    if flags.plan:
        plans.show([request], as_json=flags.json)
        return
    saved = not verify or flags.out is not None or flags.name is not None
    done, path, changes = _make(found, request, flags, saved=saved)
    said: dict[str, object] = {"path": path and str(path), "seed": done.seed, "changes": changes}
    apart = _compared(file, done) if verify else None
    if flags.json:
        verdict = {} if apart is None else asdict(apart) | {"tolerance": tolerance}
        typer.echo(json.dumps(said | verdict))
    else:
        _tell(path, apart)
    if apart is not None and apart.largest > tolerance:
        raise _different(file, apart, tolerance, changes)


def _here(request: "Request", flags: Flags) -> "Request":
    """The request on this machine: its number format is the recipe's unless another is said."""
    device = settings.read("device", flags.device)
    precision = request.precision
    if flags.precision is not None:
        wanted = settings.read("precision", flags.precision)
        precision = None if wanted == "auto" else cast("Precision", wanted)
    return replace(
        request,
        device=None if device == "auto" else cast("str | None", device),
        precision=precision,
        vae=request.vae if flags.vae is None else flags.vae,
        private=bool(settings.read("private", flags.private)),
    )


def _make(
    found: "Replay", request: "Request", flags: Flags, *, saved: bool
) -> tuple["ImageDone", Path | None, list[str]]:
    """The image, where it was saved, and what has changed since the first time."""
    from darkroom.cli import making, outputs, saving
    from darkroom.cli.progress import progress
    from darkroom.planning import again

    target = outputs.outputs(flags, 1) if saved else None
    with progress(quiet=flags.quiet) as talk:
        for remark in found.remarks:
            talk.say(remark)
        (done,) = making.make([request], talk, outputs.preview(flags.preview))
        changes = [] if found.recipe is None else list(again.differences(found.recipe, done.recipe))
        for change in changes:
            talk.say(change)
        path = None if target is None else saving.write(done, target, str(done.seed))
    return done, path, changes


def _compared(file: Path, done: "ImageDone") -> "Difference":
    from darkroom.images import comparison, io

    kept, made = io.read_file(file).pixels, io.to_array(done.image)
    if kept.shape != made.shape:
        raise DarkroomError(
            f"{file.name} has {kept.shape[1]} x {kept.shape[0]} pixels, and its recipe makes "
            f"{made.shape[1]} x {made.shape[0]}.",
            "It was cut or enlarged since; only the image as it was made can be compared.",
        )
    return comparison.difference(kept, made)


def _tell(path: Path | None, apart: "Difference | None") -> None:
    if path is not None:
        typer.echo(path)
    if apart is not None:
        levels = f"largest difference {apart.largest} of {_LEVELS}, mean {apart.mean:.4f}"
        typer.echo("The same pixels." if apart.largest == 0 else f"Pixels: {levels}.")


def _different(
    file: Path, apart: "Difference", tolerance: int, changes: Sequence[str]
) -> DarkroomError:
    from darkroom.images import io, screening

    why = f"What changed: {' '.join(changes)}" if changes else "Nothing known has changed."
    if not screening.keeps_pixels(io.read_bytes(file)):
        why = (
            "The file is compressed with losses, so it cannot be exact; a PNG or lossless WebP is."
        )
    return DarkroomError(
        f"{file.name} did not come out again: a pixel differs by {apart.largest} levels of "
        f"{_LEVELS}, and {tolerance} may be; on average they differ by {apart.mean:.4f}.",
        f"{why} --tolerance {apart.largest} takes it for the same.",
    )
