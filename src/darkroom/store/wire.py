"""Requests and recipes as JSON values, and back: strict, and without loss.

The wire form of a Request is what `/api` speaks and what the queue keeps.  It leaves out what was
not said; files are ids (SHA-256) of kept inputs.  Equal Requests have equal wire forms.  An
infinite number, which JSON has not, is the text `inf`.
"""

import difflib
import math
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from darkroom.contracts import RECIPE_VERSION, REQUEST_VERSION, Recipe, Request
from darkroom.errors import RequestError
from darkroom.store.refusals import UnknownError

FILES = ("image", "mask", "depth", "images")  # fields that hold whole files
_ALWAYS = frozenset({"version", "task", "prompt", "model"})  # said even where they are the default
_INFINITE = "inf"
_HINTS: Mapping[type, Mapping[str, Any]] = {
    kind: get_type_hints(kind) for kind in (Request, Recipe)
}

Keep = Callable[[bytes], str]
Read = Callable[[str], bytes]


def request_to_wire(request: Request, keep: Keep) -> dict[str, object]:
    """A Request as a JSON object.  `keep` stores the bytes of a file and returns their id.

    RequestError where a value is not of its field's type, or not a number.
    """
    wire: dict[str, object] = {}
    for entry in fields(Request):
        value = getattr(request, entry.name)
        if entry.name in _ALWAYS or value != entry.default:
            wire[entry.name] = _encoded(value, _HINTS[Request][entry.name], entry.name, keep)
    return wire


def request_from_wire(wire: Mapping[str, object], read: Read) -> Request:
    """The Request of a JSON object.  `read` returns the bytes of an id, or raises UnknownError.

    RequestError that names the field: unknown, of another type, none of the choices, not finite;
    or a version newer than this program.  Only the form is judged here, the meaning by planning.
    """
    return Request(**_values(wire, Request, REQUEST_VERSION, read))


def recipe_to_wire(recipe: Recipe) -> dict[str, object]:
    """A Recipe as a JSON object: every field."""
    hints = _HINTS[Recipe]
    return {
        entry.name: _encoded(getattr(recipe, entry.name), hints[entry.name], entry.name, _no_files)
        for entry in fields(Recipe)
    }


def recipe_from_wire(wire: Mapping[str, object]) -> Recipe:
    """The Recipe of a JSON object.  Fields with a default may be absent.  RequestError as above."""
    return Recipe(**_values(wire, Recipe, RECIPE_VERSION, _no_files))


def files_of(wire: Mapping[str, object]) -> tuple[str, ...]:
    """The ids of the inputs that a Request's wire form names."""
    found: list[str] = []
    for name in FILES:
        value = wire.get(name)
        several = value if isinstance(value, list | tuple) else [value]
        found += [one for one in several if isinstance(one, str)]
    return tuple(dict.fromkeys(found))


def _values(
    wire: Mapping[str, object], kind: type[Request | Recipe], newest: int, read: Any
) -> dict[str, Any]:
    """The arguments for `kind`, checked one by one."""
    if not isinstance(wire, Mapping):
        raise RequestError("A wish is an object of fields and their values.")
    hints = _HINTS[kind]
    for name in wire:
        if name not in hints:
            near = difflib.get_close_matches(str(name), hints, n=1)
            hint = f"Did you mean {near[0]}?" if near else ""
            raise RequestError(f"There is no field called {_short(name)}.", hint)
    version = wire.get("version", newest)
    if type(version) is int and version > newest:
        raise RequestError(
            f"version: {version} is newer than this program.", "Install a newer Darkroom."
        )
    if type(version) is int and version < 1:
        raise RequestError("version: there is none below 1.")
    for entry in fields(kind):
        if entry.name not in wire and entry.default is MISSING:
            raise RequestError(f"{entry.name}: it is missing.")
    return {name: _decoded(value, hints[name], name, read) for name, value in wire.items()}


def _encoded(value: Any, hint: Any, name: str, keep: Keep) -> object:
    """A value of a field as JSON has it."""
    hint = _said(value, hint)
    if value is None and hint is types.NoneType:
        return None
    if hint is bytes and isinstance(value, bytes):
        return keep(value)
    if get_origin(hint) is tuple and isinstance(value, list | tuple):
        return [_encoded(one, h, name, keep) for one, h in _pairs(value, hint, name)]
    return _plain(value, hint, name, json=False)


def _decoded(value: Any, hint: Any, name: str, read: Read) -> Any:
    """A JSON value as a field has it."""
    hint = _said(value, hint)
    if value is None and hint is types.NoneType:
        return None
    if hint is bytes:
        if not isinstance(value, str):
            raise _wrong(name, "the id of an upload", value)
        try:
            return read(value)
        except UnknownError as error:
            raise RequestError(f"{name}: {error.message}", error.hint) from error
    if get_origin(hint) is tuple:
        if not isinstance(value, list | tuple):
            raise _wrong(name, "a list", value)
        return tuple(_decoded(one, h, name, read) for one, h in _pairs(value, hint, name))
    return _plain(value, hint, name, json=True)


def _plain(value: Any, hint: Any, name: str, *, json: bool) -> Any:
    """Text, numbers, choices and words by name: the same on both sides, but for infinity."""
    if get_origin(hint) is Literal:
        choices = get_args(hint)
        if not isinstance(value, str) or value not in choices:
            raise _wrong(name, "one of " + ", ".join(choices), value)
        return value
    if hint is float:
        return _real(value, name, json=json)
    if get_origin(hint) is Mapping:
        if not isinstance(value, Mapping) or not all(
            isinstance(one, str) for pair in value.items() for one in pair
        ):
            raise _wrong(name, "texts by name", value)
        return dict(value)
    if type(value) is not hint:
        words = {str: "text", int: "a whole number", bool: "true or false"}
        raise _wrong(name, words.get(hint, "a value"), value)
    return value


def _real(value: Any, name: str, *, json: bool) -> float | str:
    """A float: finite or, as the text `inf`, without limit.  -0.0 is 0."""
    if json and value == _INFINITE:
        return math.inf
    if type(value) not in {int, float}:
        raise _wrong(name, "a number", value)
    try:
        number = float(value) + 0.0
    except OverflowError:
        number = math.nan
    if number == math.inf and not json:
        return _INFINITE
    if not math.isfinite(number):
        raise RequestError(f"{name}: expected a finite number.")
    return number


def _said(value: Any, hint: Any) -> Any:
    """The type that counts for a value: of an optional field the one that is not None."""
    if get_origin(hint) in {Union, types.UnionType}:
        first, *_ = (one for one in get_args(hint) if one is not types.NoneType)
        return types.NoneType if value is None else first
    return hint


def _pairs(value: Sequence[Any], hint: Any, name: str) -> list[tuple[Any, Any]]:
    """Each value of a list with its type."""
    kinds = get_args(hint)
    if kinds[-1] is Ellipsis:
        kinds = kinds[:1] * len(value)
    if len(value) != len(kinds):
        raise RequestError(f"{name}: expected {len(kinds)} values, got {len(value)}.")
    return list(zip(value, kinds, strict=True))


def _wrong(name: str, expected: str, value: object) -> RequestError:
    return RequestError(f"{name}: expected {expected}, got {_short(value)}.")


def _short(value: object) -> str:
    """A value as a message can show it."""
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, Mapping):
        return "an object"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, bytes):
        return "bytes"
    if type(value) is int and value.bit_length() > 128:
        return "a very large number"
    text = ascii(value)
    return text if len(text) <= 40 else f"{text[:37]}…"


def _no_files(_: object) -> Any:
    raise RequestError("A recipe holds no files.")
