"""The command that paints a part of an image anew."""

from pathlib import Path
from typing import Annotated

import typer

from darkroom.cli.flags import IMAGE, NO_VALUE, SECOND_PASS, Flags, takes_flags_but
from darkroom.cli.generate import teller
from darkroom.contracts import Sides
from darkroom.errors import RequestError

MASK = "Mask"
_PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"}


@takes_flags_but(*SECOND_PASS)
def inpaint(
    image: Annotated[Path, typer.Argument(help="The image to paint in.", show_default=False)],
    words: Annotated[
        list[str] | None,
        typer.Argument(
            help="A picture that is white where to paint, then what the image should show. "
            "Without the picture, transparent parts of the image are painted.",
            metavar="[MASK] PROMPT",
            show_default=False,
        ),
    ] = None,
    strength: Annotated[
        float | None,
        typer.Option(
            help="How much may change under the mask: 0 nothing, 1 everything. Default: 1.",
            rich_help_panel=IMAGE,
            metavar="X",
            show_default=False,
        ),
    ] = None,
    extend: Annotated[
        str | None,
        typer.Option(
            help="Continue the image by so many pixels on each side.",
            rich_help_panel=IMAGE,
            metavar="LEFT,TOP,RIGHT,BOTTOM",
            show_default=False,
        ),
    ] = None,
    region: Annotated[
        str | None,
        typer.Option(
            help="What the model sees: the whole image, or its masked part, which is then as "
            "large as the model can make it. Default: whole.",
            rich_help_panel=IMAGE,
            metavar="whole|masked",
            show_default=False,
        ),
    ] = None,
    padding: Annotated[
        int | None,
        typer.Option(
            help="Pixels around the masked part that the model sees too. Default: 32.",
            rich_help_panel=IMAGE,
            metavar="N",
            show_default=False,
        ),
    ] = None,
    mask_invert: Annotated[
        bool,
        typer.Option(
            "--mask-invert",
            help="Paint where the mask is black.",
            rich_help_panel=MASK,
            metavar=NO_VALUE,
            show_default=False,
        ),
    ] = False,
    mask_grow: Annotated[
        int | None,
        typer.Option(
            help="Pixels by which the mask grows. Default: 0.",
            rich_help_panel=MASK,
            metavar="N",
            show_default=False,
        ),
    ] = None,
    mask_blur: Annotated[
        int | None,
        typer.Option(
            help="Pixels over which its edge is softened. Default: 0.",
            rich_help_panel=MASK,
            metavar="N",
            show_default=False,
        ),
    ] = None,
    fill: Annotated[
        str | None,
        typer.Option(
            help="What stands under the mask before, at a --strength below 1. Default: original.",
            rich_help_panel=MASK,
            metavar="original|noise|blank",
            show_default=False,
        ),
    ] = None,
    *,
    flags: Flags,
) -> None:
    """Paint a part of an image anew; outside the mask every pixel stays as it is.

    Example: darkroom inpaint photo.png mask.png "a red sports car"
    """
    from darkroom.cli import saving, wishes
    from darkroom.images import io

    mask, prompt = _mask_and_prompt(words or [], flags)
    wanted = wishes.requests(
        flags,
        task="inpaint",
        prompt=prompt,
        image=image,
        tell=teller(flags),
        strength=strength,
        mask=None if mask is None else io.readable_bytes(mask),
        mask_invert=mask_invert or None,
        mask_grow=mask_grow,
        mask_blur=mask_blur,
        fill=fill,
        region=region,
        region_padding=padding,
        extend=None if extend is None else _sides(extend),
    )
    saving.carry_out(wanted, flags)


def _mask_and_prompt(words: list[str], flags: Flags) -> tuple[Path | None, str | None]:
    """The words after the image; a picture that stands alone is the mask, all else the prompt."""
    if len(words) > 2:
        raise RequestError(
            f"There are {len(words)} words where a mask and a prompt can stand.",
            'Put the prompt in quotes: darkroom inpaint photo.png mask.png "a red car".',
        )
    if len(words) == 2:
        return Path(words[0]), words[1]
    if not words:
        return None, None
    alone = Path(words[0])
    is_mask = flags.from_file is not None or alone.suffix.lower() in _PICTURES
    return (alone, None) if is_mask else (None, words[0])


def _sides(said: str) -> Sides:
    try:
        left, top, right, bottom = (int(side) for side in said.split(","))
    except ValueError as error:
        raise RequestError(
            f"An extension is four numbers of pixels, not {said!r}.",
            "Say left, top, right and bottom: --extend 0,0,128,0",
        ) from error
    return left, top, right, bottom
