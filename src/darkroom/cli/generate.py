"""The commands that make images."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from darkroom.cli.failure import printable
from darkroom.cli.flags import IMAGE, SECOND_PASS, Flags, takes_flags, takes_flags_but


@takes_flags
def txt2img(
    prompt: Annotated[
        str | None, typer.Argument(help="What the image should show.", show_default=False)
    ] = None,
    *,
    flags: Flags,
) -> None:
    """Make images from a prompt.

    Example: darkroom txt2img "a hamster on a blue background" --count 3 --seed 7
    """
    from darkroom.cli import saving, wishes

    saving.carry_out(wishes.requests(flags, prompt=prompt, tell=teller(flags)), flags)


@takes_flags_but(*SECOND_PASS)
def img2img(
    image: Annotated[Path, typer.Argument(help="The image to start from.", show_default=False)],
    prompt: Annotated[
        str | None, typer.Argument(help="What the image should show.", show_default=False)
    ] = None,
    strength: Annotated[
        float | None,
        typer.Option(
            help="How much may change: 0 nothing, 1 everything. Default: 0.75.",
            rich_help_panel=IMAGE,
            metavar="X",
            show_default=False,
        ),
    ] = None,
    image_guidance: Annotated[
        float | None,
        typer.Option(
            help="How closely a model that follows instructions (InstructPix2Pix) keeps to the "
            "image. Default: 1.5.",
            rich_help_panel=IMAGE,
            metavar="X",
            show_default=False,
        ),
    ] = None,
    *,
    flags: Flags,
) -> None:
    """Make images from an image and a prompt.

    Example: darkroom img2img sketch.png "a red sports car" --strength 0.6
    """
    from darkroom.cli import saving, wishes

    wanted = wishes.requests(
        flags,
        task="img2img",
        prompt=prompt,
        image=image,
        tell=teller(flags),
        strength=strength,
        image_guidance=image_guidance,
    )
    saving.carry_out(wanted, flags)


def teller(flags: Flags) -> Callable[[str], None]:
    """How remarks reach the user before any progress is shown."""
    return lambda line: None if flags.quiet else typer.echo(printable(line), err=True)
