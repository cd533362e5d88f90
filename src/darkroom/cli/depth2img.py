"""The command that makes images of the same depths as another."""

import errno
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from darkroom.cli.flags import IMAGE, SECOND_PASS, Flags, takes_flags_but
from darkroom.cli.generate import teller
from darkroom.errors import RequestError

if TYPE_CHECKING:
    from darkroom.cli.saving import Depths


@takes_flags_but(*SECOND_PASS)
def depth2img(
    image: Annotated[Path, typer.Argument(help="The image to start from.", show_default=False)],
    prompt: Annotated[
        str | None, typer.Argument(help="What the image should show.", show_default=False)
    ] = None,
    strength: Annotated[
        float | None,
        typer.Option(
            help="How much may change: 0 nothing, 1 everything but the depths. Default: 0.9.",
            rich_help_panel=IMAGE,
            metavar="X",
            show_default=False,
        ),
    ] = None,
    depth: Annotated[
        Path | None,
        typer.Option(
            help="A map of its depths, brighter where it is nearer, instead of measuring them.",
            rich_help_panel=IMAGE,
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    save_depth: Annotated[
        Path | None,
        typer.Option(
            help="Write the map of its depths to this file as well.",
            rich_help_panel=IMAGE,
            metavar="FILE.png",
            show_default=False,
        ),
    ] = None,
    *,
    flags: Flags,
) -> None:
    """Make images with the depths of an image: its space stays, all else may change.

    Example: darkroom depth2img room.jpg "a greenhouse" --model 512-depth-ema.ckpt
    """
    from darkroom.cli import saving, wishes
    from darkroom.images import io

    wanted = wishes.requests(
        flags,
        task="depth2img",
        prompt=prompt,
        image=image,
        tell=teller(flags),
        strength=strength,
        depth=None if depth is None else io.readable_bytes(depth),
    )
    if save_depth is None or flags.plan:
        saving.carry_out(wanted, flags)
    else:
        saving.carry_out(wanted, flags, depths=_writer(save_depth, flags))


def _writer(file: Path, flags: Flags) -> "Depths":
    """What writes the map once, however many prompts it serves.

    Raises:
        RequestError: the name is none of a PNG file.
        OutputError: nothing can be written there, or a file must not be replaced.
    """
    from darkroom.cli import outputs
    from darkroom.images import io

    if file.suffix.lower() != ".png":
        raise RequestError(
            f"{file.name} is no name for a depth map.", "End it in .png: 16 bits need that format."
        )
    if flags.out is not None and Path(flags.out).resolve() == file.resolve():
        raise RequestError(
            f"{file.name} would be both the image and its depth map.", "Give each its own name."
        )
    outputs.try_out(file.parent)
    if file.exists() and not flags.overwrite:
        raise io.output_error(file, FileExistsError(errno.EEXIST, "exists"))
    written: list[Path] = []

    def write(data: bytes) -> None:
        if not written:
            io.write_atomic(file, data, overwrite=flags.overwrite)
            written.append(file)

    return write
