"""How the command line says that something went wrong: once, on stderr, in two lines."""

import sys
import traceback

import typer

from darkroom.cli.printable import printable
from darkroom.errors import DarkroomError

INTERRUPTED = 130  # 128 + SIGINT, as shells count


def tell(error: BaseException, *, debug: bool = False) -> int:
    """Say what went wrong and what to do; returns the exit code.

    `debug` shows the trace as well.  An error that is not ours is a fault of Darkroom: one
    sentence, and how to report it.
    """
    if debug:
        traceback.print_exception(error, file=sys.stderr)
    if isinstance(error, KeyboardInterrupt):
        typer.echo("Stopped.", err=True)
        return INTERRUPTED
    if isinstance(error, DarkroomError):
        _two_lines(error.message, error.hint)
        return error.exit_code
    first = (str(error).splitlines() or [""])[0]
    _two_lines(
        f"Darkroom failed in a way that it does not know ({type(error).__name__}: {first}).",
        "This is a fault of Darkroom. Run the same command with --debug and report what it prints.",
    )
    return 1


def _two_lines(message: str, hint: str) -> None:
    typer.echo(typer.style("error: ", fg="red", bold=True) + printable(message), err=True)
    if hint:
        typer.echo(typer.style("hint: ", fg="green", bold=True) + printable(hint), err=True)
