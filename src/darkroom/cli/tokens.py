"""The command that shows how a model reads a prompt."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, cast, get_args

import typer

from darkroom.cli.failure import printable
from darkroom.cli.flags import Debug, Json
from darkroom.contracts import PromptSyntax
from darkroom.settings import TABLE

if TYPE_CHECKING:
    from rich.text import Text

    from darkroom.text.meter import Meter, Piece, Saying

_BAR = 24  # columns
_UNCHOSEN = (
    "Choices such as {a|b} and __name__ are made before a model reads a prompt, by the seed; here "
    "they stand as they are written."
)
_HEAVY, _LIGHT = "bold yellow", "cyan"


def tokens(
    prompt: Annotated[str, typer.Argument(help="The prompt, in quotes.", show_default=False)],
    *,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", "-m", help=TABLE["model"].help, metavar="NAME|FILE", show_default=False
        ),
    ] = None,
    prompt_syntax: Annotated[
        str | None,
        typer.Option(
            help=TABLE["prompt_syntax"].help,
            metavar="|".join(get_args(PromptSyntax)),
            show_default=False,
        ),
    ] = None,
    steps: Annotated[
        int,
        typer.Option(
            help="Steps of the run, for prompts that change on the way. Default: 20.",
            min=1,
            max=1000,
            metavar="N",
            show_default=False,
        ),
    ] = 20,
    negative: Annotated[
        bool, typer.Option("--negative", metavar=" ", help="Read it as a negative prompt.")
    ] = False,
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """Show how a model reads a prompt: tokens, chunks, weights, and what is cut.

    Example: darkroom tokens "a (red:1.3) cat, [dawn:dusk:0.5]"
    """
    from dataclasses import asdict, replace
    from json import dumps

    from rich.console import Console

    from darkroom import settings
    from darkroom.checkpoints import catalog, detect, header
    from darkroom.planning.resolve import PROMPT_SYNTAX
    from darkroom.text.meter import measure
    from darkroom.text.wildcards import chooses

    path = catalog.find(str(settings.read("model", model)))
    spec = detect.detect(header.read_header(path), path)
    syntax = cast("PromptSyntax", settings.read("prompt_syntax", prompt_syntax) or PROMPT_SYNTAX)
    found = measure(prompt, spec, syntax, steps=steps, negative=negative)
    if syntax != "plain" and chooses(prompt):
        found = replace(found, remarks=(_UNCHOSEN, *found.remarks))
    if json:
        typer.echo(dumps(asdict(found)))
        return
    console = Console(highlight=False)
    for line in _lines(found, bars=console.is_terminal):
        console.print(line, soft_wrap=not console.is_terminal)


def _lines(meter: "Meter", *, bars: bool) -> Iterator["Text"]:
    from rich.text import Text

    yield Text(f"{printable(meter.model)} reads this as {meter.syntax}.", "bold")
    for number, part in enumerate(meter.parts, 1):
        if len(meter.parts) > 1:
            yield Text(f"\nPart {number} of {len(meter.parts)}, weight {part.weight:g}", "bold")
        changes = len({saying.steps for saying in part.sayings}) > 1
        for saying in part.sayings:
            if heading := _heading(saying, changes=changes):
                yield Text(heading, "bold")
            for place, chunk in enumerate(saying.chunks, 1):
                which = f"chunk {place} of {len(saying.chunks)}: " if len(saying.chunks) > 1 else ""
                full = f"{which}{len(chunk)} of {meter.room} tokens"
                yield Text.assemble("  ", *_bar(len(chunk) / meter.room, bars), full)
                yield _words(chunk)
    if meter.remarks:
        yield Text()
    for remark in meter.remarks:
        yield Text.assemble(("Note: ", "yellow"), printable(remark))


def _heading(saying: "Saying", *, changes: bool) -> str:
    said = []
    if changes:
        said.append(f"{'Step' if len(saying.steps) == 1 else 'Steps'} {_spans(saying.steps)}")
    if saying.share != 1:
        said.append(f"{saying.share:.0%} of the blend")
    return ", ".join(said)


def _spans(steps: Sequence[int]) -> str:
    """Numbers in a row as one: 1-3, 5, 7-20."""
    spans = []
    for _, group in groupby(enumerate(steps), lambda pair: pair[1] - pair[0]):
        row = [step for _, step in group]
        spans.append(f"{row[0]}-{row[-1]}" if len(row) > 1 else str(row[0]))
    return ", ".join(spans)


def _bar(share: float, shown: bool) -> list[tuple[str, str]]:
    filled = round(_BAR * share)
    return [("█" * filled, "green"), ("░" * (_BAR - filled) + "  ", "dim")] if shown else []


def _words(chunk: Sequence["Piece"]) -> "Text":
    """The words of a chunk, those of another weight than 1 in brackets, as one writes them."""
    from rich.text import Text

    line = Text("   ")
    for weight, group in groupby(chunk, lambda piece: piece.weight):
        words = "".join(_spelt(piece) for piece in group).rstrip()
        if weight == 1:
            line.append(f" {words}")
        else:
            line.append(f" ({words}:{weight:.4g})", _HEAVY if weight > 1 else _LIGHT)
    return line


def _spelt(piece: "Piece") -> str:
    """A word's parts are joined by a dot."""
    return printable(piece.text) + (" " if piece.ends_word else "·")
