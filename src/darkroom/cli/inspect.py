"""The command that says what a finished image is."""

from pathlib import Path
from typing import Annotated

import typer

from darkroom.cli.flags import Debug, Json


def inspect(
    file: Annotated[Path, typer.Argument(help="An image file.", show_default=False)],
    *,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Show how an image was made: recipe, AI marks and invisible watermarks.

    Example: darkroom inspect hamster.png
    """
