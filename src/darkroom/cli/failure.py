"""How the command line says that something went wrong: once, on stderr, in two lines."""

import os
import sys
import traceback
from typing import Any

import typer

from darkroom.errors import DarkroomError

INTERRUPTED = 130  # 128 + SIGINT, as shells count


def tell(error: BaseException, *, debug: bool = False) -> int:
    """Say what went wrong and what to do; returns the exit code.

    `debug` shows the trace as well.  An error that neither we, nor Typer, nor the system know is
    a fault of Darkroom: one sentence, and how to report it.
    """
    if debug:
        traceback.print_exception(error, file=sys.stderr)
    if isinstance(error, KeyboardInterrupt):
        typer.echo("Stopped.", err=True)
        return INTERRUPTED
    if isinstance(error, DarkroomError):
        _two_lines(error.message, error.hint)
        return error.exit_code
    if isinstance(error, typer.TyperException):
        _two_lines(error.format_message(), _how_to_say_it(error))
        return error.exit_code
    if isinstance(error, OSError):  # a name that no file can have, results for a full disk
        place = "" if error.filename is None else f": {error.filename}"
        _two_lines(
            f"The system says: {error.strerror or error}{place}.",
            "Check the names, the disk and where the results go; --debug tells more.",
        )
        return 1
    first = (str(error).splitlines() or [""])[0]
    _two_lines(
        f"Darkroom failed in a way that it does not know ({type(error).__name__}: {first}).",
        "This is a fault of Darkroom. Run the same command with --debug and report what it prints.",
    )
    return 1


def _how_to_say_it(error: Any) -> str:
    """The way to the help of the command that was not understood."""
    context = getattr(error, "ctx", None)
    hint = f"See {context.command_path if context else 'darkroom'} --help."
    if context and any(parameter.name == "prompt" for parameter in context.command.params):
        hint += " A prompt stands in quotes; put -- before one that begins with a dash."
    return hint


def _two_lines(message: str, hint: str) -> None:
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    for label, colour, text in ("error: ", "red", message), ("hint: ", "green", hint):
        if text:
            line = typer.style(label, fg=colour, bold=True) + printable(text)
            typer.echo(line, err=True, color=False if plain else None)


def printable(value: object) -> str:
    """`value` in one line and without power over the terminal: control characters are spelt out."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in str(value))
