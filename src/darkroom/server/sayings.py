"""The same wish in other words: as a command, as Python, as a request to the HTTP API."""

import json
import shlex
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import fields, replace
from typing import Any

from darkroom.contracts import ModelSpec, Recipe, Request, Resolved
from darkroom.errors import DarkroomError
from darkroom.planning import again
from darkroom.planning.resolve import resolve
from darkroom.server.wishing import completed
from darkroom.store import wire

_DEFAULTS: Mapping[str, Any] = {field.name: field.default for field in fields(Request)}
_FILES = {"image": "input.png", "mask": "mask.png", "depth": "depth.png"}
# What stands elsewhere than behind a flag of its own name.
_ELSEWHERE = frozenset(
    {"task", "prompt", "image", "mask", "images", "image_weights", "version", "extend"}
)
_KEPT = frozenset({"task", "prompt", "negative", "model", "seed", "variation_seed", "private"})
_FLAGS = {"region_padding": "--padding", "depth": "--depth"}
_LOADED = ("device", "precision", "prediction", "ema", "vae")  # what `darkroom.load` is told


def of_request(request: Request, said: Mapping[str, Any], port: int) -> dict[str, str]:
    """The wish as a command, as Python and as a request.  Files have names that stand for them.

    `said`: the wish as a client says it; `port`: that of the server.
    """
    return {"command": _command(request), "python": _python(request), "http": _http(said, port)}


def of_recipe(
    recipe: Recipe, spec: ModelSpec | None, port: int
) -> tuple[dict[str, Any], dict[str, str]]:
    """The wish that makes the image of a recipe again, and the same in other words.

    Inputs are named by their checksums.  `spec`: of its model, where that is here: then nothing is
    said that goes without saying.
    """
    request = _remade(recipe)
    if spec is not None:
        request = _brief(request, recipe, spec)
    form = dict(wire.request_to_wire(request, lambda data: data.decode()))
    return form, of_request(request, form, port)


def _brief(request: Request, recipe: Recipe, spec: ModelSpec) -> Request:
    """The request without what follows from model, sampler and settings all the same."""
    size = recipe.width, recipe.height

    def meaning(wish: Request) -> Resolved | None:
        values = {name: getattr(wish, name) for name in _DEFAULTS}
        said = {name: value for name, value in values.items() if value != _DEFAULTS[name]}
        with suppress(DarkroomError):
            return replace(resolve(completed(said), spec, input_size=size), request=request)
        return None

    brief, whole = request, meaning(request)
    for name, default in _DEFAULTS.items():
        if whole is not None and name not in {*_KEPT, *_FILES, "images"}:
            shorter = replace(brief, **{name: default})
            brief = shorter if meaning(shorter) == whole else brief
    return brief


def _remade(recipe: Recipe) -> Request:
    """The request of a recipe, in which the checksum of a file stands for the file."""

    def named(digest: str | None) -> bytes | None:
        return None if digest is None else digest.encode()

    request = again.request_of(
        recipe,
        image=named(recipe.input_sha256),
        mask=named(recipe.mask_sha256),
        depth=named(recipe.depth_sha256),
        images=tuple(digest.encode() for digest in recipe.images_sha256),
    )
    # They follow from the model and the machine.
    return replace(request, prediction=None, precision=None)


def _said(request: Request) -> Iterator[tuple[str, Any]]:
    """What is said, but for task, prompt and files."""
    for name, default in _DEFAULTS.items():
        value = getattr(request, name)
        if name not in _ELSEWHERE and value != default:
            yield name, value


def _command(request: Request) -> str:
    words = ["darkroom", request.task]
    flags: list[str] = []
    for name, value in _said(request):
        flag = _FLAGS.get(name, "--" + name.replace("_", "-"))
        if name == "depth":
            flags += [flag, _FILES[name]]
        elif isinstance(value, bool):
            flags.append(flag if value else "--no-" + flag[2:])
        else:
            flags.append(_flag(flag, value))
    if request.extend is not None:
        flags.append("--extend=" + ",".join(map(str, request.extend)))
    if request.task == "vary":
        flags += _mixed(request)
    places = [_FILES[name] for name in ("image", "mask") if getattr(request, name) is not None]
    if request.prompt or request.task not in {"upscale", "vary"}:
        places.append(request.prompt)
    if any(place.startswith("-") for place in places):
        places = ["--", *places]
        return shlex.join([*words, *flags, *places])
    return shlex.join([*words, *places, *flags])


def _flag(flag: str, value: object) -> str:
    """In one word: a value may begin with a dash."""
    return f"{flag}={_number(value)}"


def _number(value: object) -> str:
    return repr(value) if isinstance(value, float) else str(value)


def _mixed(request: Request) -> Iterator[str]:
    weights = request.image_weights
    for place, _ in enumerate(request.images, 2):
        yield "--with"
        weight = f":{_number(weights[place - 1])}" if len(weights) >= place else ""
        yield f"input-{place}.png{weight}"
    if weights:
        yield _flag("--weight", weights[0])


def _python(request: Request) -> str:
    opening = [repr(request.model)]
    opening += [f"{name}={value!r}" for name, value in _said(request) if name in _LOADED]
    wishes = [
        f"{name}={value!r}"
        for name, value in _said(request)
        if name not in {*_LOADED, "model", "private", "depth"}
    ]
    if request.depth is not None:
        wishes.append(f"depth={_FILES['depth']!r}")
    if request.extend is not None:
        wishes.append(f"extend={request.extend!r}")
    if request.images:
        wishes.append(f"images={[f'input-{n}.png' for n, _ in enumerate(request.images, 2)]!r}")
    if request.image_weights:
        wishes.append(f"weights={list(request.image_weights)!r}")
    places = [repr(_FILES["image"])] if request.image is not None else []
    if request.task == "inpaint":
        places.append("None" if request.mask is None else repr(_FILES["mask"]))
    places.append(repr(request.prompt))
    call = ", ".join([*places, *wishes])
    return (
        "import darkroom\n\n"
        f"model = darkroom.load({', '.join(opening)})\n"
        f"made = model.{request.task}({call})\n"
        'for number, image in enumerate(made.images):\n    image.save(f"image-{number}.png")\n'
    )


def _http(form: Mapping[str, Any], port: int) -> str:
    body = json.dumps({"request": {k: v for k, v in form.items() if v is not None}})
    return (
        f"curl http://127.0.0.1:{port}/api/jobs \\\n"
        '  -H "Authorization: Bearer $DARKROOM_TOKEN" \\\n'
        '  -H "Content-Type: application/json" \\\n'
        f"  -d {shlex.quote(body)}"
    )
