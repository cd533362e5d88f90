"""The commands about models: all but `convert` read headers, never weights."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from darkroom.cli.failure import printable
from darkroom.cli.flags import NO_VALUE, Debug, Json

app = typer.Typer(
    name="models",
    help="Show, import, download and convert models.\n\nExample: darkroom models list",
    no_args_is_help=True,
)

Model = Annotated[
    str,
    typer.Argument(
        help="A model's name, a file, or a folder of diffusers.",
        metavar="NAME|PATH",
        show_default=False,
    ),
]


def _switch(help: str, *names: str) -> object:  # noqa: A002
    return typer.Option(*names, help=help, metavar=NO_VALUE, show_default=False)


Quiet = Annotated[bool, _switch("Print results and errors only.", "--quiet", "-q")]


@app.command("list")
def list_models(
    *,
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """List the models that have a name, and what is wrong with those that cannot be used.

    Example: darkroom models list
    """
    from json import dumps

    from darkroom import paths
    from darkroom.cli import model_lines

    shelf = model_lines.shelf()
    if json:
        typer.echo(dumps(model_lines.shelf_object(shelf)))
        return
    for line in model_lines.shelf_lines(shelf):
        typer.echo(line)
    typer.echo(
        f"Put checkpoints into {paths.models_folder()} to name them here, or use those of other "
        "programs: darkroom models import",
        err=True,
    )


@app.command()
def info(
    model: Model,
    *,
    words: Annotated[
        bool, _switch("List the words that a small model knows, one a line.", "--words")
    ] = False,
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """Show what a model is, why it is taken for that, and its hashes.

    Example: darkroom models info sd-v1-4.ckpt
    """
    from json import dumps

    from darkroom.checkpoints import catalog
    from darkroom.checkpoints.facts import facts
    from darkroom.cli import model_lines

    found = facts(catalog.find(model))
    if words and found.spec:
        for word in found.spec.words:
            typer.echo(printable(word))
        if not found.spec.words:
            typer.echo(f"{found.name} has no list of words: it takes any.", err=True)
        return
    if json:
        typer.echo(dumps(model_lines.facts_object(found)))
    else:
        for line in model_lines.facts_lines(found):
            typer.echo(line)
    if found.refusal:
        raise found.refusal


@app.command("import")
def import_models(
    places: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Files or folders. Default: what other programs have, where they usually put it.",
            metavar="[PATH]...",
            show_default=False,
        ),
    ] = None,
    *,
    all_found: Annotated[
        bool, _switch("Import everything that other programs have and Darkroom can use.", "--all")
    ] = False,
    name: Annotated[
        str | None,
        typer.Option(help="The name to give to it.", metavar="NAME", show_default=False),
    ] = None,
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """Use models where they lie: they get a name here, and nothing is copied or changed.

    Without a path: show the models of A1111, ComfyUI, InvokeAI, Easy Diffusion and the Hugging
    Face cache; --all imports them.

    Example: darkroom models import ~/ComfyUI/models/checkpoints
    """
    from json import dumps

    from darkroom.cli import importing

    found = importing.look(places or [])
    wanted = bool(places) or all_found
    named = importing.take(found, name) if wanted else {}
    if json:
        typer.echo(dumps(importing.as_object(found, named)))
        return
    for line in importing.lines(found, named if wanted else None):
        typer.echo(line)
    typer.echo(importing.advice(found, taken=wanted), err=True)


@app.command()
def pull(
    wish: Annotated[
        str | None,
        typer.Argument(
            help="A name in the catalogue, a file on Hugging Face, or an address.",
            metavar="NAME|OWNER/REPOSITORY/FILE|URL",
            show_default=False,
        ),
    ] = None,
    *,
    listed: Annotated[bool, _switch("Show the catalogue.", "--list")] = False,
    name: Annotated[
        str | None,
        typer.Option(help="The name to give to it.", metavar="NAME", show_default=False),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """Download a model into the models folder, and prove that it is whole.

    Nothing else uses the network. What was cut goes on where it ended.

    A host that asks for a login is shown the token in HF_TOKEN, and no other host is.

    Example: darkroom models pull sd-1.5
    """
    from json import dumps

    from darkroom.checkpoints import sources
    from darkroom.cli import pulling
    from darkroom.cli.progress import progress
    from darkroom.errors import RequestError

    if listed:
        entries = list(sources.CATALOGUE.values())
        if json:
            typer.echo(dumps(pulling.catalogue_object(entries)))
            return
        for line in pulling.catalogue_lines(entries):
            typer.echo(line)
        typer.echo(pulling.catalogue_advice(), err=True)
        return
    if wish is None:
        raise RequestError("Which model?", "See what there is: darkroom models pull --list")
    source = sources.find(wish, name)
    with progress(quiet=quiet) as told:
        pulled = pulling.pull(source, told)
        for line in pulling.lines(pulled):
            told.say(line)
        told.result(dumps(pulling.as_object(pulled)) if json else str(pulled.path))


@app.command()
def convert(
    source: Model,
    target: Annotated[
        Path,
        typer.Argument(
            help="NAME.safetensors for a file; any other name for a folder of diffusers.",
            metavar="TARGET",
            show_default=False,
        ),
    ],
    *,
    precision: Annotated[
        Literal["fp16", "bf16", "fp32"] | None,
        typer.Option(help="Default: as each tensor is stored.", show_default=False),
    ] = None,
    ema: Annotated[
        bool, _switch("Write the averaged weights (EMA) in place of the others.", "--ema")
    ] = False,
    keep_ema: Annotated[
        bool, _switch("Keep the averaged weights beside the others.", "--keep-ema")
    ] = False,
    prediction: Annotated[
        Literal["eps", "v"] | None,
        typer.Option(help="What it predicts, if you know better.", show_default=False),
    ] = None,
    quiet: Quiet = False,
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """Write a model in another layout or precision: the same weights, and never code.

    Example: darkroom models convert sd-v1-4.ckpt sd-v1-4.safetensors --precision fp16
    """
    from darkroom.checkpoints import catalog
    from darkroom.checkpoints import convert as converting
    from darkroom.checkpoints.tensors import size_text
    from darkroom.cli.progress import progress
    from darkroom.errors import RequestError

    if ema and keep_ema:
        raise RequestError("--ema and --keep-ema exclude each other.", "Say one of them.")
    steps = converting.convert(
        catalog.find(source),
        target,
        precision=precision,
        averages="use" if ema else "keep" if keep_ema else "drop",
        prediction=prediction,
    )
    with progress(quiet=quiet) as told:
        for step in steps:
            line = f"{size_text(step.done)} of {size_text(step.total)}"
            told.step(step.done, step.total, line)
        told.result(str(target))


@app.command()
def remove(
    name: Annotated[
        str, typer.Argument(help="An imported model.", metavar="NAME", show_default=False)
    ],
    *,
    yes: Annotated[bool, _switch("Do not ask.", "--yes", "-y")] = False,
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """Forget an imported model.  Its file stays where it is.

    Example: darkroom models remove dreamshaper --yes
    """
    import sys

    from darkroom.checkpoints import registry
    from darkroom.cli import importing
    from darkroom.errors import RequestError

    place = importing.place_of(name)
    if not yes:
        if not sys.stdin.isatty():
            raise RequestError("Nobody is there to be asked.", f"Say --yes to forget {name}.")
        typer.confirm(f"Forget {name}? {place} stays where it is.", abort=True, err=True)
    registry.remove(name)
    typer.echo(f"{printable(name)} is forgotten; {place} was not touched.", err=True)
