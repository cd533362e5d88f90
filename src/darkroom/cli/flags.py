"""The flags that the commands which make images share, each written once."""

import dataclasses
import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from darkroom.settings import TABLE

IMAGE = "Image"
SAMPLING = "Sampling"
MODEL = "Model and machine"
RESULT = "Result"
TALK = "Talk"
NO_VALUE = " "  # a switch shows no type in its help


def remember_debug(context: typer.Context, *, value: bool) -> bool:
    """Tell the outermost command, which renders errors, whether to show a trace."""
    context.find_root().meta["darkroom.debug"] = value
    return value


def _setting(name: str, panel: str, *names: str, metavar: str | None = None) -> Any:
    """The option for a row of the settings table.  Its default is None: not said here."""
    row = TABLE[name]
    return typer.Option(
        *(names or (row.flag,)),
        help=row.help,
        rich_help_panel=panel,
        metavar=NO_VALUE if row.type is bool else "|".join(row.choices) or metavar,
        show_default=False,  # the help says it
    )


def _option(panel: str, help: str, *names: str, metavar: str = NO_VALUE) -> Any:  # noqa: A002
    return typer.Option(
        *names, help=help, rich_help_panel=panel, metavar=metavar, show_default=False
    )


Debug = Annotated[
    bool,
    typer.Option(
        "--debug",
        metavar=NO_VALUE,
        help="Show the trace of an error.",
        rich_help_panel=TALK,
        callback=lambda ctx, value: remember_debug(ctx, value=value),
    ),
]
Json = Annotated[bool, _option(TALK, "Print one JSON object.", "--json")]


@dataclass(frozen=True, kw_only=True)
class Flags:
    """What was said on the command line; None where nothing was."""

    negative: Annotated[str | None, _setting("negative", IMAGE, metavar="TEXT")] = None
    width: Annotated[
        int | None, _option(IMAGE, "In pixels. Default: the model's own.", "--width", metavar="W")
    ] = None
    height: Annotated[
        int | None, _option(IMAGE, "In pixels. Default: the model's own.", "--height", metavar="H")
    ] = None
    seed: Annotated[
        int | None,
        _option(
            IMAGE,
            "Image k has seed S + k; the same seed gives the same image. "
            "Default: a random one, which is printed and recorded.",
            "--seed",
            metavar="S",
        ),
    ] = None
    count: Annotated[
        int, _option(IMAGE, "How many images. Default: 1.", "--count", metavar="N")
    ] = 1
    from_file: Annotated[
        str | None,
        _option(
            IMAGE,
            "Read prompts from a file, one a line (-: standard input). Seeds go on counting.",
            "--from-file",
            metavar="FILE",
        ),
    ] = None

    steps: Annotated[int | None, _setting("steps", SAMPLING, metavar="N")] = None
    sampler: Annotated[str | None, _setting("sampler", SAMPLING, metavar="NAME")] = None
    schedule: Annotated[str | None, _setting("schedule", SAMPLING, metavar="NAME")] = None
    guidance: Annotated[float | None, _setting("guidance", SAMPLING, metavar="X")] = None
    eta: Annotated[
        float | None,
        _option(SAMPLING, "Fresh noise in each step of ddim, 0 to 1.", "--eta", metavar="X"),
    ] = None

    model: Annotated[str | None, _setting("model", MODEL, "--model", "-m", metavar="NAME|FILE")] = (
        None
    )
    prediction: Annotated[str | None, _setting("prediction", MODEL)] = None
    precision: Annotated[str | None, _setting("precision", MODEL)] = None
    ema: Annotated[
        bool, _option(MODEL, "Use the checkpoint's EMA copies, its averaged weights.", "--ema")
    ] = False
    device: Annotated[str | None, _setting("device", MODEL, metavar="NAME")] = None
    batch: Annotated[int | None, _setting("batch", MODEL, metavar="N")] = None

    out: Annotated[str | None, _setting("out", RESULT, "--out", "-o", metavar="FILE|FOLDER")] = None
    format: Annotated[str | None, _setting("format", RESULT)] = None
    quality: Annotated[int | None, _setting("quality", RESULT, metavar="N")] = None
    lossless: Annotated[
        bool | None,
        _option(
            RESULT,
            "Whether WebP keeps every pixel. Default: yes, unless --quality is said.",
            "--lossless/--no-lossless",
        ),
    ] = None
    name: Annotated[str | None, _setting("name", RESULT, metavar="PATTERN")] = None
    overwrite: Annotated[
        bool, _option(RESULT, "Let --out replace an existing file.", "--overwrite")
    ] = False
    grid: Annotated[bool, _option(RESULT, "Also save all images as one grid.", "--grid")] = False
    preview: Annotated[
        Path | None,
        _option(
            RESULT,
            "Show how the image develops: this file is rewritten at each step.",
            "--preview",
            metavar="FILE",
        ),
    ] = None
    watermark: Annotated[
        bool | None, _setting("watermark", RESULT, "--watermark/--no-watermark")
    ] = None
    private: Annotated[bool | None, _setting("private", RESULT, "--private/--no-private")] = None

    plan: Annotated[
        bool, _option(TALK, "Say what would be done and what it would cost, and stop.", "--plan")
    ] = False
    json: Json = False
    quiet: Annotated[bool, _option(TALK, "Print results and errors only.", "--quiet", "-q")] = False
    debug: Debug = False


def takes_flags(command: Callable[..., None]) -> Callable[..., None]:
    """Offer every flag of `Flags` on a command whose last parameter is `flags: Flags`."""
    return takes(*(field.name for field in dataclasses.fields(Flags)))(command)


def takes(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Offer these flags alone; in `flags: Flags` the others are as if nothing was said."""
    hints = get_type_hints(Flags, include_extras=True)
    shared = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=hints[field.name],
        )
        for field in dataclasses.fields(Flags)
        if field.name in names
    ]

    def offer(command: Callable[..., None]) -> Callable[..., None]:
        own = list(inspect.signature(command).parameters.values())[:-1]

        @functools.wraps(command)
        def with_flags(**said: Any) -> None:
            values = {parameter.name: said.pop(parameter.name) for parameter in shared}
            command(**said, flags=Flags(**values))

        with_flags.__signature__ = inspect.Signature(own + shared)  # type: ignore[attr-defined]
        return with_flags

    return offer
