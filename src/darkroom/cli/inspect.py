"""The command that says what an image file tells about itself."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from darkroom.cli.failure import printable
from darkroom.cli.flags import Debug, Json

if TYPE_CHECKING:
    from darkroom.contracts import Recipe
    from darkroom.images.foreign.recipe import ForeignRecipe
    from darkroom.images.inspection import Inspection
    from darkroom.images.provenance import Mark

_LONGEST = 4000
# What a reader of recipes looks for first; the rest follows as it is written.
_FIRST = ("prompt", "negative", "seed", "steps", "sampler", "schedule", "guidance", "strength")


def inspect(
    file: Annotated[
        Path, typer.Argument(help="An image file.", metavar="FILE", show_default=False)
    ],
    *,
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001 (its callback does the work)
) -> None:
    """Show how an image was made: recipe, AI mark and invisible watermarks.

    Recipes of AUTOMATIC1111, ComfyUI, InvokeAI, Easy Diffusion, SwarmUI and NovelAI are read too.

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
        yield "Recipe:"
        yield from _rows(_ours(found.recipe))
    elif found.foreign is not None:
        yield f"Recipe of {printable(found.foreign.program)}:"
        yield from _rows(_theirs(found.foreign))
        if found.foreign.rest:
            yield "It also says:"
            yield from _rows(found.foreign.rest)
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


def _ours(recipe: "Recipe") -> Mapping[str, object]:
    """What a recipe says beyond what goes without saying."""
    from dataclasses import fields

    versions = (f"{name} {version}" for name, version in recipe.versions.items())
    usual = {entry.name: entry.default for entry in fields(recipe)}
    told = {name: value for name, value in vars(recipe).items() if value != usual[name]}
    return told | {"versions": ", ".join(versions)}


def _theirs(recipe: "ForeignRecipe") -> Mapping[str, object]:
    told = {"tool", "software", "rest"}
    return {name: value for name, value in vars(recipe).items() if name not in told}


def _rows(values: Mapping[str, object]) -> Iterator[str]:
    """`  name: value` for all that is said."""
    order = [name for name in _FIRST if name in values]
    for name in order + [name for name in values if name not in _FIRST]:
        value = values[name]
        if value is not None and value is not False and value not in ("", "none"):
            yield f"  {printable(name).replace('_', ' ')}: {_readable(value)}"


def _readable(value: object) -> str:
    """A value in one line, which ends where nobody reads on; --json has it whole."""
    text = str(value)
    if len(text) <= _LONGEST:
        return printable(text)
    return f"{printable(text[:_LONGEST])}… ({len(text):,} characters)"
