"""The commands about models."""

from typing import Annotated

import typer

from darkroom.cli.flags import Debug, Json

app = typer.Typer(name="models", help="The models that are installed.", no_args_is_help=True)


@app.command("list")
def list_models(*, json: Json = False, debug: Debug = False) -> None:
    """List the installed models.

    Example: darkroom models list
    """


@app.command()
def info(
    model: Annotated[str, typer.Argument(help="An installed model's name, or a file.")],
    *,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Show what a model is, read from its header alone.

    Example: darkroom models info sd-v1-4.ckpt
    """
