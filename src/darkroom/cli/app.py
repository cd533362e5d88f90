"""The command `darkroom`: its groups, and the one place where errors become exit codes."""

import errno
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from darkroom.cli import (
    depth2img,
    doctor,
    evaluate,
    failure,
    generate,
    inpaint,
    inspect,
    models,
    replay,
    serve,
    styles,
    tokens,
    train,
    upscale,
    vary,
)
from darkroom.cli.flags import NO_VALUE


class _Darkroom(TyperGroup):
    """Renders every error of its own flags and of all that stands below it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        with _rendered(ctx):
            return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        with _rendered(ctx):
            return super().invoke(ctx)


@contextmanager
def _rendered(context: Any) -> Iterator[None]:
    try:
        yield
    except (KeyboardInterrupt, Exception) as error:
        if _for_typer(error):
            raise
        code = failure.tell(error, debug=context.meta.get("darkroom.debug", False))
        raise typer.Exit(code) from error


def _for_typer(error: BaseException) -> bool:
    """Exits, help that was shown already, and a reader that went away are Typer's to handle."""
    if isinstance(error, OSError):
        return error.errno == errno.EPIPE
    if isinstance(error, typer.TyperException):
        return not error.format_message()
    return isinstance(error, typer.Exit | typer.Abort)


app = typer.Typer(
    cls=_Darkroom,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
    epilog="Every default can be changed for good: in the environment (DARKROOM_MODEL, "
    "DARKROOM_STEPS, …) or in a configuration file; see docs/reference.md.",
)
app.command()(generate.txt2img)
app.command()(generate.img2img)
app.command()(inpaint.inpaint)
app.command()(depth2img.depth2img)
app.command()(upscale.upscale)
app.command()(vary.vary)
app.command()(inspect.inspect)
app.command()(replay.replay)
app.command()(tokens.tokens)
app.command()(serve.serve)
app.command()(styles.styles)
app.command()(doctor.doctor)
app.add_typer(models.app)
app.add_typer(evaluate.app)
app.add_typer(train.app)


def _print_version(*, value: bool) -> None:
    if value:
        from darkroom import __version__

        typer.echo(f"darkroom {__version__}")
        raise typer.Exit


@app.callback()
def darkroom(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            metavar=NO_VALUE,
            help="Print the version and stop.",
            is_eager=True,
            callback=lambda value: _print_version(value=value),
        ),
    ] = False,
) -> None:
    """Make images with Stable Diffusion on your own computer.

    Example: darkroom txt2img "a hamster on a blue background"
    """


def main() -> None:
    """Entry point of the command `darkroom`."""
    if isinstance(sys.stdout, TextIOWrapper):
        # A path or a prompt may hold what the stream cannot say; no image is lost for that.
        escape = "surrogateescape" if os.name == "posix" else "backslashreplace"
        sys.stdout.reconfigure(errors=escape)
    # A stop from outside unwinds like Ctrl-C does: what is finished is told, the cursor comes back.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    app(prog_name="darkroom")
