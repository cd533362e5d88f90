"""The commands that measure a model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from darkroom.cli.flags import Debug, Json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from darkroom.evaluation.page import SuiteReport

app = typer.Typer(
    name="evaluate",
    help="Measure a model.\n\nExample: darkroom evaluate mini --count 50",
    no_args_is_help=True,
)


@app.callback()
def evaluate() -> None:
    """Measure a model."""


@app.command()
def mini(
    *,
    model: Annotated[
        str, typer.Option(help="A model of Mini's kind: its name, or a file.", metavar="NAME|FILE")
    ] = "mini",
    suite: Annotated[
        list[str] | None,
        typer.Option(
            help="single, background, pair, relation, shape, count, style, sketch, keep or change; "
            "may be given more than once. Default: all.",
            metavar="NAME",
            show_default=False,
        ),
    ] = None,
    count: Annotated[int, typer.Option(help="Prompts in a suite.", min=1, metavar="N")] = 500,
    out: Annotated[
        Path, typer.Option(help="Folder for report.json and index.html.", metavar="DIR")
    ] = Path("mini-evaluation"),
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a report that stands there.")
    ] = False,
    glyphs: Annotated[
        Path | None,
        typer.Option(
            help="Pictures of the objects that the judge looks for. Default: drawn from the font "
            "Noto Color Emoji.",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """Ask Mini for what it should know, and a judge for what its images show.

    Example: darkroom evaluate mini --suite single --suite pair --count 100
    """
    from json import dumps

    from darkroom.evaluation.judge import Judge
    from darkroom.evaluation.mini import evaluate, keep_reports
    from darkroom.evaluation.suites import SUITES

    if not overwrite:
        keep_reports(out)
    report = evaluate(
        model,
        Judge.open(glyphs),
        suites=suite or list(SUITES),
        count=count,
        tell=lambda line: typer.echo(line, err=True),
    )
    report.write(out, overwrite=overwrite)
    if json:
        typer.echo(dumps(report.values()))
        return
    for line in _lines(report.suites):
        typer.echo(line)
    typer.echo(str(out / "index.html"))


@app.command()
def upscaler(
    *,
    model: Annotated[
        str, typer.Option(help="An upscaler: its name, or a file.", metavar="NAME|FILE")
    ] = "mini-x4",
    count: Annotated[int, typer.Option(help="Scenes.", min=3, metavar="N")] = 240,
    font: Annotated[
        Path | None,
        typer.Option(help="NotoColorEmoji.ttf. Default: the system's.", show_default=False),
    ] = None,
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """Enlarge scenes that no training shows, and compare with the truth, bicubic and Lanczos.

    PSNR in dB, and how much of the truth's edges is there: 1 is all.

    Example: darkroom evaluate upscaler --count 60
    """
    from json import dumps

    from darkroom.evaluation import enlarging

    enlarging.upscaler(model)  # before the scenes, which need a font
    report = enlarging.evaluate(
        model, enlarging.scenes(count, font), tell=lambda line: typer.echo(line, err=True)
    )
    if json:
        typer.echo(dumps(report.values()))
        return
    for how, figures in report.figures.items():
        typer.echo(f"{f'shrunk by {how}, {report.scenes} scenes':36}{'PSNR':>10}{'edges':>8}")
        for what, said in figures.items():
            typer.echo(f"  {what:34}{said.psnr:>7.2f} dB{said.edges:>8.2f}")


def _lines(suites: "Mapping[str, SuiteReport]") -> "Iterator[str]":
    """A small table for each suite: the model beside the judge's own ceilings."""
    for name, suite in suites.items():
        title = f"{name}, {len(suite.answers)} prompts"
        yield f"{title:28}{'model':>8}{'drawn':>8}{'through autoencoder':>22}"
        for what, part in suite.model.items():
            ceilings = (suite.drawings.get(what), suite.reconstructions.get(what))
            drawn, through = ("" if ceiling is None else f"{ceiling:.1%}" for ceiling in ceilings)
            yield f"  {what:26}{part:>8.1%}{drawn:>8}{through:>22}"
