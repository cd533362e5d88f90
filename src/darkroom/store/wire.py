"""Requests and recipes as JSON values, and back: strict, and without loss.

The wire form of a Request is what `/api` speaks and what the queue keeps.  It leaves out what was
not said; files are ids (SHA-256) of kept inputs.  Equal Requests have equal wire forms.
"""

from collections.abc import Callable, Mapping

from darkroom.contracts import Recipe, Request

FILES = ("image", "mask", "depth", "images")  # fields that hold whole files


def request_to_wire(request: Request, keep: Callable[[bytes], str]) -> dict[str, object]:
    """A Request as a JSON object.  `keep` stores the bytes of a file and returns their id."""
    raise NotImplementedError


def request_from_wire(wire: Mapping[str, object], read: Callable[[str], bytes]) -> Request:
    """The Request of a JSON object.  `read` returns the bytes of an id, or raises.

    RequestError that names the field: unknown, of another type, none of the choices, not finite;
    or a version newer than this program.  Only the form is judged here, the meaning by planning.
    """
    raise NotImplementedError


def recipe_to_wire(recipe: Recipe) -> dict[str, object]:
    """A Recipe as a JSON object: every field."""
    raise NotImplementedError


def recipe_from_wire(wire: Mapping[str, object]) -> Recipe:
    """The Recipe of a JSON object.  Fields with a default may be absent.  RequestError as above."""
    raise NotImplementedError


def files_of(wire: Mapping[str, object]) -> tuple[str, ...]:
    """The ids of the inputs that a Request's wire form names."""
    raise NotImplementedError
