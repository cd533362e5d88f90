"""The command that says what an image file tells about itself."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from darkroom.cli.failure import printable
from darkroom.cli.flags import Debug, Json

if TYPE_CHECKING:
    from darkroom.images.inspection import Inspection
    from darkroom.images.provenance import Mark


def inspect(
    file: Annotated[
        Path, typer.Argument(help="An image file.", metavar="FILE", show_default=False)
    ],
    *,
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """Show how an image was made: recipe, AI mark and invisible watermarks.

    Example: darkroom inspect hamster.png
    """
    from dataclasses import asdict
    from json import dumps

    from darkroom.images import inspection

    found = inspection.inspect_file(file)
    typer.echo(dumps(asdict(found)) if json else "\n".join(_lines(found)))


def _lines(found: "Inspection") -> Iterator[str]:
    yield f"{found.format} image, {found.width} x {found.height} pixels"
    yield f"AI mark: {'none' if found.mark is None else printable(_in_words(found.mark))}"
    for payload, share in found.watermarks.items():
        verdict = "found" if share >= _beyond_chance(payload) else "not found"
        yield f"Watermark {payload}: {verdict}, {share:.0%} of its bits agree"
    if not found.watermarks:
        yield "Watermark: none, the image is too small to bear one"
    if found.recipe is not None:
        versions = (f"{name} {version}" for name, version in found.recipe.versions.items())
        yield from _section("Recipe", vars(found.recipe) | {"versions": ", ".join(versions)})
    elif found.parameters is not None:
        said = {"prompt": found.parameters.prompt, "negative": found.parameters.negative}
        yield from _section("Parameters", said | dict(found.parameters.settings))
    else:
        yield "Recipe: none"
    for note in found.notes:
        yield f"Note: {printable(note)}"


def _in_words(mark: "Mark") -> str:
    """What a mark says, with the term of the standard that says it."""
    from darkroom.images.provenance import EDITED, GENERATED

    words = {GENERATED: "made by AI", EDITED: "made by AI from another picture"}
    said = f"{words[mark.source]} ({mark.source})" if mark.source in words else mark.source
    return f"{said}, {mark.system}" if mark.system else said


def _beyond_chance(payload: str) -> float:
    """The share of agreeing bits that stands five standard deviations above a fair coin's."""
    return 0.5 + 2.5 / math.sqrt(8 * len(payload))


def _section(title: str, values: Mapping[str, object]) -> Iterator[str]:
    yield f"{title}:"
    for name, value in values.items():
        if value is not None and value is not False and value != "":
            yield f"  {printable(name)}: {printable(value)}"
