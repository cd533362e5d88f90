"""Requests and recipes go through JSON without loss, and nothing else comes in."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, fields
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkroom.contracts import Recipe, Request
from darkroom.errors import RequestError
from darkroom.store import wire
from darkroom.store.refusals import UnknownError
from tests.store import samples

TEXT = st.text(st.characters(), max_size=20)  # halves of surrogate pairs as well


class Shelf:
    """Keeps files as the inputs of a data folder do, in memory."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def keep(self, data: bytes) -> str:
        name = hashlib.sha256(data).hexdigest()
        self.files[name] = data
        return name

    def read(self, name: str) -> bytes:
        if name not in self.files:
            raise UnknownError("There is no such upload.")
        return self.files[name]


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Any value of a type of a field."""
    origin, inside = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:
        return st.one_of([st.none() if one is NoneType else values(one) for one in inside])
    if origin is Literal:
        return st.sampled_from(inside)
    if origin is tuple and inside[-1] is Ellipsis:
        return st.lists(values(inside[0]), max_size=3).map(tuple)
    if origin is tuple:
        return st.tuples(*map(values, inside))
    if origin is Mapping:
        return st.dictionaries(TEXT, TEXT, max_size=3)
    plain: dict[Any, st.SearchStrategy[Any]] = {
        str: TEXT,
        int: st.integers(),
        bool: st.booleans(),
        bytes: st.binary(max_size=20),
        float: st.floats(allow_nan=False, allow_infinity=False) | st.just(math.inf),
    }
    return plain[hint]


def made(kind: Any) -> st.SearchStrategy[Any]:
    """Requests or recipes of which any part is said."""
    hints = get_type_hints(kind)
    said = {f.name: values(hints[f.name]) for f in fields(kind) if f.name != "version"}
    needed = {f.name: said.pop(f.name) for f in fields(kind) if f.default is MISSING}
    return st.fixed_dictionaries(needed, optional=said).map(lambda chosen: kind(**chosen))


@settings(max_examples=60)
@given(made(Request))
def test_every_request_comes_back(request: Request) -> None:
    shelf = Shelf()
    sent = json.dumps(wire.request_to_wire(request, shelf.keep), allow_nan=False)
    assert wire.request_from_wire(json.loads(sent), shelf.read) == request
    assert set(wire.files_of(json.loads(sent))) == set(shelf.files)


@settings(max_examples=60)
@given(made(Recipe))
def test_every_recipe_comes_back(recipe: Recipe) -> None:
    sent = json.dumps(wire.recipe_to_wire(recipe), allow_nan=False)
    assert wire.recipe_from_wire(json.loads(sent)) == recipe


@pytest.mark.parametrize("name", [entry.name for entry in fields(Request)])
def test_each_field_of_a_request_is_said_alone(name: str) -> None:
    hint = get_type_hints(Request)[name]
    default = next(entry.default for entry in fields(Request) if entry.name == name)
    shelf = Shelf()

    @settings(max_examples=10)
    @given(values(hint))
    def comes_back(value: Any) -> None:
        if name == "version":
            value = 1
        request = Request(**{name: value})
        sent = wire.request_to_wire(request, shelf.keep)
        assert (name in sent) or value == default
        assert wire.request_from_wire(sent, shelf.read) == request

    comes_back()


def test_what_was_not_said_is_left_out() -> None:
    sent = wire.request_to_wire(Request(prompt="a cat"), Shelf().keep)
    assert sent == {"task": "txt2img", "prompt": "a cat", "model": "mini", "version": 1}


def test_equal_requests_have_equal_wire_forms() -> None:
    keep = Shelf().keep
    whole = wire.request_to_wire(Request(guidance=7, eta=-0.0, extend=(0, 0, 0, 8)), keep)
    real = wire.request_to_wire(Request(guidance=7.0, eta=0.0, extend=(0, 0, 0, 8)), keep)
    assert json.dumps(whole) == json.dumps(real)


def test_whole_numbers_are_taken_for_fractions_but_not_the_other_way() -> None:
    request = wire.request_from_wire({"guidance": 7, "image_weights": [1, 2]}, Shelf().read)
    assert (request.guidance, request.image_weights) == (7.0, (1.0, 2.0))
    assert type(request.guidance) is float
    with pytest.raises(RequestError, match=r"^steps: expected a whole number, got 20\.0"):
        wire.request_from_wire({"steps": 20.0}, Shelf().read)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"promt": "a cat"}, "There is no field called 'promt'"),
        ({"prompt": None}, "prompt: expected text, got null"),
        ({"prompt": {"text": 5}}, "prompt: expected text, got an object"),
        ({"prompt": b"a cat"}, "prompt: expected text, got bytes"),
        ({"prompt": 2**200}, "prompt: expected text, got a very large number"),
        ({"prompt": 5}, "prompt: expected text, got 5"),
        ({"steps": True}, "steps: expected a whole number, got true"),
        ({"steps": "20"}, "steps: expected a whole number, got '20'"),
        ({"guidance": "high"}, "guidance: expected a number, got 'high'"),
        ({"guidance": math.nan}, "guidance: expected a finite number"),
        ({"guidance": -math.inf}, "guidance: expected a finite number"),
        ({"guidance": 10**400}, "guidance: expected a finite number"),
        ({"ema": 1}, "ema: expected true or false, got 1"),
        ({"task": "paint"}, "task: expected one of txt2img, img2img"),
        ({"task": ["txt2img"]}, "task: expected one of txt2img"),
        ({"extend": [1, 2, 3]}, "extend: expected 4 values, got 3"),
        ({"extend": {"left": 1}}, "extend: expected a list, got an object"),
        ({"extend": [1, 2, 3, "4"]}, "extend: expected a whole number, got '4'"),
        ({"images": "ab"}, "images: expected a list, got 'ab'"),
        ({"images": [7]}, "images: expected the id of an upload, got 7"),
        ({"image": ["ab"]}, "image: expected the id of an upload, got a list"),
        ({"image": "../../etc/passwd"}, "image: There is no such upload"),
        ({"version": 2}, "version: 2 is newer than this program"),
        ({"version": 0}, "version: there is none below 1"),
        ({"version": "1"}, "version: expected a whole number"),
        ({"x" * 1000: 1}, "There is no field called 'xxx"),
        ([("task", "txt2img")], "A wish is an object"),
    ],
)
def test_a_wish_that_has_no_form_is_refused_by_the_name_of_its_field(
    said: Any, message: str
) -> None:
    with pytest.raises(RequestError) as refused:
        wire.request_from_wire(said, Shelf().read)
    assert refused.value.message.startswith(message)
    assert len(refused.value.message) < 200


def test_a_misspelt_field_is_told_its_neighbour() -> None:
    with pytest.raises(RequestError) as refused:
        wire.request_from_wire({"promt": "a cat"}, Shelf().read)
    assert refused.value.hint == "Did you mean prompt?"


def test_null_says_nothing() -> None:
    assert wire.request_from_wire({"steps": None, "image": None}, Shelf().read) == Request()


def test_a_request_of_wrong_types_is_not_sent() -> None:
    with pytest.raises(RequestError, match="steps: expected a whole number"):
        wire.request_to_wire(Request(steps="20"), Shelf().keep)  # type: ignore[arg-type]
    with pytest.raises(RequestError, match="guidance: expected a finite number"):
        wire.request_to_wire(Request(guidance=math.nan), Shelf().keep)
    with pytest.raises(RequestError, match="image: expected a value, got 'text'"):
        wire.request_to_wire(Request(image="text"), Shelf().keep)  # type: ignore[arg-type]


def test_a_recipe_of_an_older_program_means_its_defaults() -> None:
    sent = wire.recipe_to_wire(samples.RECIPE)
    old = {f.name: sent[f.name] for f in fields(Recipe) if f.default is MISSING}
    assert wire.recipe_from_wire(old) == samples.RECIPE
    del old["seed"]
    with pytest.raises(RequestError, match="seed: it is missing"):
        wire.recipe_from_wire(old)


def test_texts_by_name_hold_texts() -> None:
    sent = wire.recipe_to_wire(samples.RECIPE) | {"versions": {"torch": 2}}
    with pytest.raises(RequestError, match="versions: expected texts by name, got an object"):
        wire.recipe_from_wire(sent)
