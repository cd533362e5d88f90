"""Styles: prompts with a name, kept in a file as A1111 keeps them."""

import csv
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from darkroom.errors import RequestError

_LARGEST = 10_000_000  # bytes
_PLACE = "{prompt}"


@dataclass(frozen=True)
class Style:
    """What a style adds: `{prompt}` stands for the prompt, else it is put behind a comma."""

    prompt: str
    negative: str


def apply(prompt: str, negative: str, names: Sequence[str], file: Path) -> tuple[str, str]:
    """Prompt and negative prompt with the styles of these names, one after another.

    `file`: CSV with the columns name, prompt and negative_prompt.  Case does not matter.

    Raises:
        RequestError: the file is missing or no such table, or it has no style of a name.
    """
    if not names:
        return prompt, negative
    styles = read(file)
    by_name = {name.casefold(): style for name, style in styles.items()}
    for name in names:
        style = by_name.get(name.strip().casefold())
        if style is None:
            near = difflib.get_close_matches(name.strip().casefold(), list(by_name), n=1)
            known = {known.casefold(): known for known in styles}
            raise RequestError(
                f"There is no style “{name}” in {file}.",
                f"Did you mean “{known[near[0]]}”?" if near else _listed(list(styles)),
            )
        prompt, negative = _merged(style.prompt, prompt), _merged(style.negative, negative)
    return prompt, negative


def read(file: Path) -> Mapping[str, Style]:
    """The styles of a file by name.

    Raises:
        RequestError: the file is missing, too large or no such table.
    """
    try:
        if file.stat().st_size > _LARGEST:
            raise RequestError(f"{file} is too large for a file of styles.", "Name another.")
        with file.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
            rows = list(csv.DictReader(lines))
    except FileNotFoundError as error:
        raise RequestError(
            f"There is no file of styles {file}.",
            "Write one with the columns name,prompt,negative_prompt, or copy A1111's styles.csv.",
        ) from error
    except (OSError, csv.Error) as error:
        raise RequestError(
            f"The styles in {file} cannot be read: {error}.",
            "It is a table with the columns name,prompt,negative_prompt.",
        ) from error
    if rows and not {"name", "prompt"} <= rows[0].keys():
        raise RequestError(
            f"{file} is no file of styles: it lacks the columns name and prompt.",
            "It is a table with the columns name,prompt,negative_prompt.",
        )
    return {
        row["name"]: Style(row["prompt"] or "", row.get("negative_prompt") or "")
        for row in rows
        if row["name"]
    }


def _merged(style: str, prompt: str) -> str:
    if _PLACE in style:
        return style.replace(_PLACE, prompt)
    return ", ".join(text.strip() for text in (prompt, style) if text.strip())


def _listed(names: Sequence[str]) -> str:
    listed = ", ".join(names[:10])
    return f"It has: {listed}{', …' if len(names) > 10 else ''}." if names else "It is empty."
