"""The commands that train: today the models in the package."""

from pathlib import Path
from typing import Annotated

import typer

from darkroom.cli.flags import Debug
from darkroom.errors import RequestError

app = typer.Typer(
    name="train",
    help="Train models of your own.\n\nExample: darkroom train mini --state ~/mini",
    no_args_is_help=True,
)

Font = Annotated[
    Path | None,
    typer.Option(help="NotoColorEmoji.ttf. Default: the system's.", show_default=False),
]
Objects = Annotated[
    int, typer.Option(min=2, help="How many objects, the best known first (there are 966).")
]

State = Annotated[Path, typer.Option(help="Folder for unfinished work.", show_default=False)]
Device = Annotated[str, typer.Option(help="cpu, or cuda for minutes instead of days.")]
Hours = Annotated[
    float | None,
    typer.Option(help="Stop after so long; the same command goes on.", show_default=False),
]
Steps = Annotated[
    int | None, typer.Option(help="Stop after so many steps, likewise.", show_default=False)
]
Threads = Annotated[int, typer.Option(min=1, help="Cores of the CPU to use.")]
Workers = Annotated[int, typer.Option(min=0, help="Processes that draw scenes.")]


@app.command()
def mini(
    *,
    state: State,
    objects: Objects = 128,
    device: Device = "cpu",
    hours: Hours = None,
    steps: Steps = None,
    start: Annotated[
        Path | None,
        typer.Option(
            help="A finished Mini to go on from, for instance to more objects.", show_default=False
        ),
    ] = None,
    font: Font = None,
    threads: Threads = 1,
    workers: Workers = 0,
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """Make Mini from nothing but a font, in stages that may be interrupted at any time.

    Example: darkroom train mini --state ~/mini --hours 8
    """
    import torch

    from darkroom.training import recipe
    from darkroom.training.forecast import forecast
    from darkroom.training.loop import Budget, Paused
    from darkroom.training.mini import Run, make

    _known(objects)
    _known_device(device)
    torch.set_num_threads(threads)
    run = Run(
        state=state,
        recipe=recipe.SWIFT if device == "cuda" else recipe.PATIENT,
        objects=objects,
        device=torch.device(device),
        budget=Budget(steps=steps, seconds=None if hours is None else 3600 * hours),
        say=_say,
        font=font,
        workers=workers,
        start=start,
    )
    for line in forecast(run):
        _say(line)
    try:
        typer.echo(make(run))
    except Paused:
        _say("Paused. The same command goes on from here.")


@app.command()
def upscaler(
    *,
    state: State,
    device: Device = "cpu",
    hours: Hours = None,
    steps: Steps = None,
    start: Annotated[
        str | None,
        typer.Option(
            help="A model whose autoencoder, of the same sizes, is refined: its name, or a file.",
            show_default=False,
        ),
    ] = None,
    artist: Annotated[
        str | None,
        typer.Option(
            help="A model whose images are to be enlarged: some of what is learnt from goes "
            "through its autoencoder.",
            show_default=False,
        ),
    ] = None,
    font: Font = None,
    threads: Threads = 1,
    workers: Workers = 0,
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """Make Mini-x4, which enlarges images, from nothing but a font.

    Example: darkroom train upscaler --state ~/x4 --start mini --artist mini --hours 1
    """
    import torch

    from darkroom.checkpoints import catalog
    from darkroom.training import recipe
    from darkroom.training.loop import Budget, Paused
    from darkroom.training.upscaler import Run, make
    from darkroom.training.upscaler_forecast import forecast

    _known_device(device)
    torch.set_num_threads(threads)
    run = Run(
        state=state,
        recipe=recipe.X4_PATIENT,
        device=torch.device(device),
        budget=Budget(steps=steps, seconds=None if hours is None else 3600 * hours),
        say=_say,
        font=font,
        workers=workers,
        start=None if start is None else catalog.find(start),
        artist=None if artist is None else catalog.find(artist),
    )
    for line in forecast(run):
        _say(line)
    try:
        typer.echo(make(run))
    except Paused:
        _say("Paused. The same command goes on from here.")


@app.command()
def scenes(
    *,
    sheet: Annotated[Path, typer.Option(help="The image to write.", show_default=False)],
    objects: Objects = 128,
    stage: Annotated[str, typer.Option(help="large, moved or all.")] = "all",
    count: Annotated[int, typer.Option(min=1, help="How many scenes.")] = 96,
    captions: Annotated[
        bool, typer.Option("--captions", help="Print what is said of each.")
    ] = False,
    font: Font = None,
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """Draw a contact sheet of the scenes that Mini learns from.

    Example: darkroom train scenes --sheet scenes.png
    """
    import numpy as np

    from darkroom.training.scenes import captions as grammar
    from darkroom.training.scenes.layout import STAGES, training_scene
    from darkroom.training.scenes.painter import Painter
    from darkroom.training.scenes.painter import sheet as joined

    known = _known(objects)
    if stage not in STAGES:
        raise RequestError(f"There is no stage {stage!r}.", f"Use one of: {', '.join(STAGES)}.")
    drawn = [training_scene(1, index, known, stage) for index in range(count)]
    painter = Painter(font)
    joined([painter.paint(scene) for scene in drawn], 12).save(sheet)
    if captions:
        for index, scene in enumerate(drawn):
            typer.echo(grammar.caption(np.random.default_rng(index), scene))


def _known(count: int) -> list[str]:
    """The names of the first objects."""
    from darkroom.training.scenes.vocabulary import objects

    if count > len(objects()):
        raise RequestError(
            f"There are {len(objects())} objects, not {count}.", "Ask for no more than there are."
        )
    return [item.name for item in objects(count)]


def _known_device(device: str) -> None:
    import torch

    if device not in {"cpu", "cuda"}:
        raise RequestError(f"There is no device {device!r}.", "Use cpu or cuda.")
    if device == "cuda" and not torch.cuda.is_available():
        raise RequestError("This torch sees no CUDA device.", "Use --device cpu.")


def _say(message: str) -> None:
    """To stderr at once: the log of a run that may be killed."""
    typer.echo(message, err=True)
