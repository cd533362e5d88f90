"""The command that makes variations of an image."""

from pathlib import Path
from typing import Annotated

import typer

from darkroom.cli.flags import IMAGE, SECOND_PASS, Flags, takes_flags_but
from darkroom.cli.generate import teller


@takes_flags_but(*SECOND_PASS)
def vary(
    image: Annotated[Path, typer.Argument(help="The image to vary.", show_default=False)],
    prompt: Annotated[
        str | None,
        typer.Argument(help="What the images should show besides.", show_default=False),
    ] = None,
    mix: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            help="Mix this image in, by its weight (1 where none is said); may be said again.",
            rich_help_panel=IMAGE,
            metavar="FILE[:WEIGHT]",
            show_default=False,
        ),
    ] = None,
    weight: Annotated[
        float | None,
        typer.Option(
            help="The weight of the first image. Default: 1.",
            rich_help_panel=IMAGE,
            metavar="X",
            show_default=False,
        ),
    ] = None,
    noise_level: Annotated[
        int | None,
        typer.Option(
            help="How freely the image is varied, 0 to 999. Default: 0.",
            rich_help_panel=IMAGE,
            metavar="N",
            show_default=False,
        ),
    ] = None,
    *,
    flags: Flags,
) -> None:
    """Make images of what an image shows, or several, with a model made for it (unCLIP).

    Example: darkroom vary hamster.png --with car.png:0.5 --model sd21-unclip-h.ckpt
    """
    from darkroom.cli import saving, wishes
    from darkroom.images import io

    further = [_weighed(said) for said in mix or []]
    weights = (1.0 if weight is None else weight, *(share for _, share in further))
    wanted = wishes.requests(
        flags,
        task="vary",
        prompt=prompt,
        image=image,
        tell=teller(flags),
        images=tuple(io.readable_bytes(file) for file, _ in further) or None,
        image_weights=weights if further or weight is not None else None,
        noise_level=noise_level,
    )
    saving.carry_out(wanted, flags)


def _weighed(said: str) -> tuple[Path, float]:
    """A file and its weight; what follows a colon and is no number belongs to the name."""
    name, colon, weight = said.rpartition(":")
    try:
        return (Path(name), float(weight)) if colon else (Path(said), 1.0)
    except ValueError:
        return Path(said), 1.0
