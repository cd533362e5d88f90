"""The command that enlarges an image."""

from pathlib import Path
from typing import Annotated

import typer

from darkroom.cli.flags import IMAGE, SECOND_PASS, Flags, takes_flags_but
from darkroom.cli.generate import teller


@takes_flags_but("width", "height", "tiling", *SECOND_PASS)
def upscale(
    image: Annotated[Path, typer.Argument(help="The image to enlarge.", show_default=False)],
    prompt: Annotated[
        str | None,
        typer.Argument(help="What it shows, which helps with details.", show_default=False),
    ] = None,
    noise_level: Annotated[
        int | None,
        typer.Option(
            help="How much of the image is made up anew, 0 to 350: more gives sharper details, "
            "and others. Default: the model's own, else 20.",
            rich_help_panel=IMAGE,
            metavar="N",
            show_default=False,
        ),
    ] = None,
    *,
    flags: Flags,
) -> None:
    """Make an image four times as wide and high, with a model made for it.

    Where none is named it is mini-x4, a small demonstration. A real one, for photographs:
    darkroom models pull sd-x4-upscaler

    Example: darkroom upscale small.png "a hamster, sharp photograph" --model sd-x4-upscaler
    """
    from darkroom.cli import saving, wishes

    wanted = wishes.requests(
        flags,
        task="upscale",
        prompt=prompt,
        image=image,
        tell=teller(flags),
        noise_level=noise_level,
    )
    saving.carry_out(wanted, flags)
