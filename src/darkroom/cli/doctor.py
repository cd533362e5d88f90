"""The command that says what this computer can do, and what is missing."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from darkroom.cli.failure import printable
from darkroom.cli.flags import Debug, Json

if TYPE_CHECKING:
    from darkroom.cli.checkup import Finding

_MARKS = {True: "✓", False: "✗", None: "–"}
_PLAIN_MARKS = {True: "ok", False: "!!", None: "--"}


def doctor(
    *,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Also write a report that can be shown to others: no prompts, paths or names "
            "of people and computers are in it. As JSON if the name ends so.",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """Say what this computer can do, what is missing, and how to get it.

    ✓ works, ✗ needs attention, – is not there and not needed.  Exit code 1 if anything needs
    attention.

    Example: darkroom doctor --report report.txt
    """
    from dataclasses import asdict
    from json import dumps

    from darkroom.cli.checkup import checkup
    from darkroom.images import io

    findings = []
    for finding in checkup():
        findings.append(finding)
        for line in [] if json else _lines(finding):
            typer.echo(line)
    if json:
        typer.echo(dumps({"findings": [asdict(finding) for finding in findings]}))
    if report is not None:
        io.write_atomic(report, public(findings, as_json=report.suffix.lower() == ".json"))
        typer.echo(f"Written: {report}", err=True)
    if any(finding.good is False for finding in findings):
        raise typer.Exit(1)


def public(findings: "Sequence[Finding]", *, as_json: bool) -> bytes:
    """The report: of each finding only what anyone may read."""
    from json import dumps

    rows = [(finding.part, finding.good, finding.said) for finding in findings]
    if as_json:
        listed = [{"part": part, "good": good, "said": said} for part, good, said in rows]
        return dumps({"findings": listed}, indent=1).encode()
    lines = [f"{_PLAIN_MARKS[good]} {part}: {printable(said)}" for part, good, said in rows]
    return "\n".join([*lines, ""]).encode()


def _lines(finding: "Finding") -> list[str]:
    mark = (_MARKS if _can_say("✓✗–") else _PLAIN_MARKS)[finding.good]
    lines = [f"{mark} {finding.part}: {printable(finding.said + finding.private)}"]
    if finding.hint and finding.good is not True:
        lines.append(f"    {printable(finding.hint)}")
    return lines


def _can_say(text: str) -> bool:
    """Whether standard output has these letters."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True
