"""The commands about models: they read headers, never weights."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from darkroom.cli.failure import printable
from darkroom.cli.flags import Debug, Json

if TYPE_CHECKING:
    from darkroom.contracts import ModelSpec

_FAMILIES = {"sd1": "Stable Diffusion 1"}

app = typer.Typer(
    name="models",
    help="Show the models that are there.\n\nExample: darkroom models list",
    no_args_is_help=True,
)


@app.command("list")
def list_models(
    *,
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """List the models that have a name.

    Example: darkroom models list
    """
    from json import dumps

    from darkroom import paths
    from darkroom.checkpoints import catalog
    from darkroom.checkpoints.tensors import size_text

    found = catalog.installed()
    if json:
        rows = [{"name": m.name, "path": str(m.path), "bytes": m.stored_bytes} for m in found]
        typer.echo(dumps({"models": rows}))
        return
    for model in found:
        typer.echo(f"{model.name}\t{size_text(model.stored_bytes)}\t{model.path}")
    typer.echo(f"Put checkpoints into {paths.models_folder()} to name them here.", err=True)


@app.command()
def info(
    model: Annotated[
        str,
        typer.Argument(help="A model's name, or a file.", metavar="NAME|FILE", show_default=False),
    ],
    *,
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """Show what a model is, read from its header alone.

    Example: darkroom models info sd-v1-4.ckpt
    """
    from json import dumps

    from darkroom.checkpoints import catalog, detect, header

    path = catalog.find(model)
    spec = detect.detect(header.read_header(path), path)
    typer.echo(dumps(_object(spec)) if json else "\n".join(_lines(spec)))


def _object(spec: "ModelSpec") -> dict[str, object]:
    """The spec without its vocabulary, which is as long as a book."""
    from dataclasses import asdict

    return asdict(spec) | {"path": str(spec.path), "merges": len(spec.merges)}


def _lines(spec: "ModelSpec") -> Iterator[str]:
    from darkroom.checkpoints.tensors import size_text

    kind = " (a demonstration)" if spec.demonstration else ""
    yield f"Name:       {spec.name}{kind}"
    yield f"File:       {spec.path}, {size_text(spec.stored_bytes)} of weights"
    yield f"Family:     {_FAMILIES[spec.family]}, {spec.parameters / 1e6:.0f} million parameters"
    yield f"Size:       {spec.native_width} x {spec.native_height} pixels"
    yield f"Predicts:   {spec.prediction}: {printable(spec.prediction_reason)}"
    if spec.zero_terminal_snr:
        yield "Schedule:   zero-terminal SNR, trailing"
    if spec.ema:
        yield "EMA:        it holds averaged weights as well; --ema uses them"
    if spec.words:
        yield f"Knows:      {printable(' '.join(spec.words))}"
