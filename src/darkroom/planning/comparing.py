"""Comparisons: one wish, carried out for every combination of a few values, as a table.

The first axis runs along the columns, the second along the rows, the third along tables below
each other.  Every cell is one image and has the seed of the wish, unless seeds are compared.
"""

import itertools
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from darkroom.contracts import Request
from darkroom.errors import RequestError

Kind = Literal["model", "text", "sampler", "schedule", "whole", "real"]

# What a table may vary, with its name for people and the kind of its values.
AXES: Mapping[str, tuple[str, Kind]] = {
    "model": ("Model", "model"),
    "prompt": ("Prompt", "text"),
    "negative": ("Negative prompt", "text"),
    "seed": ("Seed", "whole"),
    "steps": ("Steps", "whole"),
    "guidance": ("Guidance", "real"),
    "sampler": ("Sampler", "sampler"),
    "schedule": ("Schedule", "schedule"),
    "strength": ("Strength", "real"),
    "rescale": ("Rescale", "real"),
    "guidance_start": ("Guidance from", "real"),
    "guidance_end": ("Guidance until", "real"),
    "eta": ("Eta", "real"),
    "clip_skip": ("CLIP skip", "whole"),
    "noise_level": ("Noise level", "whole"),
    "image_guidance": ("Image guidance", "real"),
    "variation_strength": ("Variation strength", "real"),
    "hires_strength": ("Strength of the second pass", "real"),
}
MAX_AXES = 3
MAX_CELLS = 1000
MAX_LABEL = 200  # characters
_SHOWN = 40  # characters of a wrong value


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One parameter and its values in order; `label` is its name, `labels` those of the values."""

    field: str
    values: tuple[Any, ...]
    label: str
    labels: tuple[str, ...]


def axes(said: Sequence[Mapping[str, Any]]) -> tuple[Axis, ...]:
    """The axes of a table as a client says them: `{"field", "values", "label"?, "labels"?}`.

    Raises:
        RequestError: no axis or too many, one said twice, an unknown one, no values or wrong ones.
    """
    if not 1 <= len(said) <= MAX_AXES:
        raise RequestError(
            f"A comparison has one to {MAX_AXES} axes, not {len(said)}.",
            "Most are easy to read with two.",
        )
    found = tuple(_axis(one) for one in said)
    names = [axis.field for axis in found]
    if len(set(names)) != len(names):
        raise RequestError(
            "An axis of the comparison is there twice.", "Compare different parameters."
        )
    if (cells := cells_of(found)) > MAX_CELLS:
        raise RequestError(
            f"The comparison would have {cells:,} images.",
            f"At most {MAX_CELLS:,}; leave some out.",
        )
    return found


def cells_of(table: Sequence[Axis]) -> int:
    """How many images the table has."""
    cells = 1
    for axis in table:
        cells *= len(axis.values)
    return cells


def expand(request: Request, table: Sequence[Axis]) -> tuple[Request, ...]:
    """One request for each cell, columns fastest, then rows, then tables.

    Fix the seed before: what is not said would be drawn anew for each cell.
    """
    combinations = itertools.product(*(axis.values for axis in reversed(table)))
    names = [axis.field for axis in reversed(table)]
    return tuple(
        replace(request, count=1, batch=None, **dict(zip(names, values, strict=True)))
        for values in combinations
    )


def _axis(said: Mapping[str, Any]) -> Axis:
    field = said.get("field")
    if not isinstance(field, str) or field not in AXES:
        raise RequestError(
            f"A comparison cannot vary {ascii(field)[:_SHOWN]}.",
            "It can vary: " + ", ".join(AXES) + ".",
        )
    name, kind = AXES[field]
    values = said.get("values")
    if not isinstance(values, list | tuple) or not values:
        raise RequestError(f"{name} has no values to compare.", "Give at least one.")
    typed = tuple(_value(name, kind, value) for value in values)
    if len(set(typed)) != len(typed):
        raise RequestError(f"{name} has a value twice.", "Each value once is enough.")
    label, labels = said.get("label"), said.get("labels")
    if labels is None:
        labels = [_spelt(value) for value in typed]
    if not isinstance(labels, list | tuple) or len(labels) != len(typed):
        raise RequestError(f"{name} has other labels than values.", "Give one for each value.")
    return Axis(
        field=field,
        values=typed,
        label=str(name if label is None else label)[:MAX_LABEL],
        labels=tuple(str(one)[:MAX_LABEL] for one in labels),
    )


def _value(name: str, kind: Kind, value: object) -> str | int | float:
    if kind == "real" and isinstance(value, int | float) and not isinstance(value, bool):
        with suppress(OverflowError):
            return float(value)
    if kind == "whole" and isinstance(value, int) and not isinstance(value, bool):
        return value
    if kind not in {"real", "whole"} and isinstance(value, str):
        return value
    wanted = {"real": "a number", "whole": "a whole number"}.get(kind, "text")
    raise RequestError(f"{name} cannot be {ascii(value)[:_SHOWN]}.", f"Each value is {wanted}.")


def _spelt(value: str | float) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value) or "none"


assert AXES.keys() <= {field.name for field in fields(Request)}
