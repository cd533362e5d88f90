"""Styles: prompts with a name.  A library comes with Darkroom; own ones are kept as A1111 does."""

import csv
import difflib
import io
import os
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from darkroom.errors import RequestError

OWN = "Your own"
_COLUMNS = ("name", "prompt", "negative_prompt")
_LARGEST = 10_000_000  # bytes
_LONGEST_NAME, _LONGEST_TEXT = 200, 20_000
_PLACE = "{prompt}"


@dataclass(frozen=True)
class Style:
    """What a style adds: `{prompt}` stands for the prompt, else it is put behind a comma."""

    prompt: str
    negative: str


@cache
def library() -> Mapping[str, Mapping[str, Style]]:
    """The styles that come with Darkroom: group → name → style."""
    text = files("darkroom.text").joinpath("library.toml").read_text(encoding="utf-8")
    return {
        group: {name: Style(*parts) for name, parts in rows.items()}
        for group, rows in tomllib.loads(text).items()
    }


def groups(file: Path) -> Mapping[str, Mapping[str, Style]]:
    """All styles by group, the user's own first; they hide those of the library of their name.

    Raises:
        RequestError: the file exists and is too large or no such table.
    """
    own = _own(file)
    hidden = {name.casefold() for name in own}
    shown = {
        group: {name: style for name, style in rows.items() if name.casefold() not in hidden}
        for group, rows in library().items()
    }
    return {group: rows for group, rows in {OWN: own, **shown}.items() if rows}


def apply(prompt: str, negative: str, names: Sequence[str], file: Path) -> tuple[str, str]:
    """Prompt and negative prompt with the styles of these names, one after another.

    `file`: the user's own, CSV with the columns name, prompt and negative_prompt, whether it
    exists or not; what it does not hold is looked up in the library.  Case does not matter.

    Raises:
        RequestError: the file is no such table, or there is no style of a name.
    """
    if not names:
        return prompt, negative
    own = _own(file)
    known = {name: style for rows in groups(file).values() for name, style in rows.items()}
    by_name = {name.casefold(): name for name in known}
    for said in names:
        name = by_name.get(said.strip().casefold())
        if name is None:
            near = difflib.get_close_matches(said.strip().casefold(), list(by_name), n=1)
            raise RequestError(
                f"There is no style “{said}”, neither in {file} nor in the library.",
                f"Did you mean “{by_name[near[0]]}”?" if near else _listed(list(own)),
            )
        style = known[name]
        prompt, negative = _merged(style.prompt, prompt), _merged(style.negative, negative)
    return prompt, negative


def read(file: Path) -> Mapping[str, Style]:
    """The styles of a file by name.

    Raises:
        RequestError: the file is missing, too large or no such table.
    """
    return {
        row["name"]: Style(row["prompt"] or "", row.get("negative_prompt") or "")
        for row in _table(file)[1]
        if row["name"]
    }


def save(file: Path, name: str, style: Style) -> None:
    """Write a style into the user's file, in place of one of that name; the others stay.

    Raises:
        RequestError: no name or nothing to add, too long, or the file cannot be read or written.
    """
    name = name.strip()
    if not name or not name.isprintable() or len(name) > _LONGEST_NAME:
        raise RequestError(
            "A style needs a name.", f"One line of at most {_LONGEST_NAME} characters."
        )
    if not (style.prompt.strip() or style.negative.strip()):
        raise RequestError("A style needs words.", "Write what it adds to a prompt.")
    if max(len(style.prompt), len(style.negative)) > _LONGEST_TEXT:
        raise RequestError("The style is too long.", f"At most {_LONGEST_TEXT} characters.")
    columns, rows = _table(file) if file.exists() else (list(_COLUMNS), [])
    columns += [column for column in _COLUMNS if column not in columns]
    said = {"name": name, "prompt": style.prompt, "negative_prompt": style.negative}
    for row in rows:
        if row["name"].casefold() == name.casefold():
            row.update(said)
            break
    else:
        rows.append(said)
    _write(file, columns, rows)


def remove(file: Path, name: str) -> None:
    """Take a style out of the user's file.

    Raises:
        RequestError: the file holds no style of this name, or cannot be read or written.
    """
    columns, rows = _table(file) if file.exists() else (list(_COLUMNS), [])
    kept = [row for row in rows if row["name"].casefold() != name.strip().casefold()]
    if len(kept) == len(rows):
        raise RequestError(
            f"There is no style “{name}” of your own.", "Those of the library cannot be deleted."
        )
    _write(file, columns, kept)


def _own(file: Path) -> Mapping[str, Style]:
    return read(file) if file.exists() else {}


def _table(file: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Columns and rows; what A1111 or others keep in further columns stays what it is."""
    try:
        if file.stat().st_size > _LARGEST:
            raise RequestError(f"{file} is too large for a file of styles.", "Name another.")
        with file.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
            reader = csv.DictReader(lines, restval="")
            rows = [{key: row[key] for key in row if key is not None} for row in reader]
            columns = list(reader.fieldnames or _COLUMNS)
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
    if not {"name", "prompt"} <= set(columns):
        raise RequestError(
            f"{file} is no file of styles: it lacks the columns name and prompt.",
            "It is a table with the columns name,prompt,negative_prompt.",
        )
    return columns, rows


def _write(file: Path, columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> None:
    """All or nothing: a reader sees the old table or the new one."""
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, columns, restval="")
    table.writeheader()
    table.writerows(rows)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as out:
                out.write(text.getvalue())
                out.flush()
                os.fsync(out.fileno())
            temporary.replace(file)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise RequestError(
            f"The style cannot be written into {file}: {error.strerror}.",
            "Set styles_file to a file that you may write.",
        ) from error


def _merged(style: str, prompt: str) -> str:
    if _PLACE in style:
        return style.replace(_PLACE, prompt)
    return ", ".join(text.strip() for text in (prompt, style) if text.strip())


def _listed(names: Sequence[str]) -> str:
    listed = ", ".join(names[:10])
    own = f"Your own: {listed}{', …' if len(names) > 10 else ''}. " if names else ""
    return f"{own}See them all: darkroom styles"
