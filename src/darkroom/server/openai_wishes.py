"""From what OpenAI's image API is sent to our Requests: the only place where the two meet.

Beside OpenAI's own fields every field of a wish is taken by the name that it has on `/api`, which
clients send through `extra_body`.  Forms hold text alone: it is read as what the field takes.
"""

import json
import re
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from darkroom.contracts import ModelTask, Request, Task
from darkroom.errors import RequestError
from darkroom.images.io import Format
from darkroom.planning.suitability import taken_by
from darkroom.server.model_names import Models
from darkroom.server.pictures import Pictures
from darkroom.server.refusals import Refusal
from darkroom.server.wishing import completed
from darkroom.store.wire import request_from_wire

MAX_IMAGES = 10
MAX_PARTIAL = 3
MAX_STYLES = 50
# Accepted and without effect: there is one quality, nobody is watched, and prompts say the style.
_IGNORED: Mapping[str, tuple[str, ...]] = {
    "quality": ("auto", "low", "medium", "high", "xhigh", "max", "standard", "hd"),
    "moderation": ("auto", "low"),
    "background": ("auto", "opaque"),
    "style": ("vivid", "natural"),
    "input_fidelity": ("low", "high"),
}
_IGNORED_TEXTS = ("user", "safety_identifier")
_MISSING = ("markup", "complexity", "frame_count", "frame_duration_ms", "svg", "prompt_rewriter")
OWN = {
    "prompt", "model", "n", "size", "response_format", "output_format", "output_compression",
    "stream", "partial_images", "image", "mask", "styles",
    *_IGNORED, *_IGNORED_TEXTS, *_MISSING,
}  # fmt: skip
_EXTRA = {entry.name for entry in fields(Request)} - OWN - {"count", "version"}
_FORMATS: Mapping[str, Format] = {"png": "png", "jpeg": "jpeg", "webp": "webp"}
_SIZE = re.compile(r"(\d{1,5})x(\d{1,5})", re.ASCII)
_EDITS: Mapping[ModelTask, Task] = {
    "depth2img": "depth2img",
    "upscale": "upscale",
    "vary": "vary",
    "inpaint": "inpaint",
}
Read = Callable[[str], bytes]


class UnusableError(Refusal):
    """A field that cannot be meant, by its name."""

    def __init__(
        self, message: str, hint: str, param: str, *, status: int = 400, code: str | None = None
    ) -> None:
        super().__init__(status, message, hint)
        self.param = param
        self.code = code


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What to make, and what shall come back.

    `quality`: of JPEG and WebP, 1 to 100, None for the usual one.  `as_url`: addresses in place
    of base64.  `partial_images`: how many unfinished ones a stream shows before each image.
    """

    request: Request
    styles: tuple[str, ...]
    file_format: Format
    quality: int | None
    as_url: bool
    stream: bool
    partial_images: int


def generation(body: Mapping[str, object], models: Models, read: Read) -> Wish:
    """The wish of the JSON body of `/v1/images/generations`.

    Raises:
        UnusableError: a field that cannot be meant, or that does not exist.
        DarkroomError: as for other wishes.
    """
    for name in ("image", "mask"):
        if body.get(name) is not None:
            raise UnusableError(f"There is no {name} here.", "Use /v1/images/edits.", name)
    said = _said(body, models, read)
    task = said.setdefault("task", "txt2img")
    if task != "txt2img":
        raise UnusableError(f"{task} needs an image.", "Send it to /v1/images/edits.", "task")
    return _wish(body, said)


def edit(
    form: Mapping[str, object],
    images: Sequence[bytes],
    mask: bytes | None,
    models: Models,
    pictures: Pictures,
    read: Read,
) -> Wish:
    """The wish of the form of `/v1/images/edits`; `images` and `mask` are its files.

    Raises:
        UnusableError: a field that cannot be meant, or that does not exist.
        ImageError: a file is no image.
        DarkroomError: as for other wishes.
    """
    if not images:
        raise UnusableError("There is no image to start from.", "Send it as image.", "image")
    said = _said({name: from_form(name, value) for name, value in form.items()}, models, read)
    made_for = models.made_for(completed(said).model)
    painted = mask is not None or said.get("extend") is not None
    task = said.setdefault("task", _EDITS.get(made_for, "inpaint" if painted else "img2img"))
    if len(images) > 1 and task != "vary":
        raise UnusableError(
            f"{len(images)} images were sent, and {task} starts from one.",
            "Send one; models for variations (unCLIP) mix several.",
            "image",
        )
    said |= {"image": images[0], "images": (*images[1:], *said.get("images", ())) or None}
    if mask is not None:
        if not taken_by("mask", task):
            raise UnusableError(f"{task} takes no mask.", "Leave it out.", "mask")
        said["mask"] = pictures.clear_parts(mask)
    return _wish({name: from_form(name, value) for name, value in form.items()}, said)


def from_form(name: str, value: object) -> object:
    """The text of a form as a value of the field; text that is none stays, and is refused."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_read_as(one, _hint(name)) for one in value]
    return _read_as(value, _hint(name))


_OWN_HINTS: Mapping[str, object] = {
    "n": int,
    "stream": bool,
    "partial_images": int,
    "output_compression": int,
    "styles": tuple[str, ...],
}


def _hint(name: str) -> object:
    return _OWN_HINTS.get(name, get_type_hints(Request).get(name, str))


def _read_as(value: object, hint: object) -> object:
    """`value` as JSON where the hint is no text."""
    if not isinstance(value, str):
        return value
    kinds = _kinds(hint)
    if str in kinds or bytes in kinds:
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _kinds(hint: object) -> set[object]:
    """The plain types that a hint is made of."""
    origin = get_origin(hint)
    if origin in {Union, types.UnionType, tuple}:
        return {kind for one in get_args(hint) for kind in _kinds(one)}
    return {str} if origin is Literal else {hint}


def _said(body: Mapping[str, object], models: Models, read: Read) -> dict[str, Any]:
    """The fields of a Request in the body; those that are null or unsaid are not there."""
    given = {name: value for name, value in body.items() if value is not None}
    _check_ignored(given)
    said: dict[str, Any] = {}
    for name, value in given.items():
        if name in _EXTRA:
            said[name] = _extra(name, value, read)
        elif name not in OWN:
            raise _unknown(name)
    prompt = given.get("prompt", "")
    if not isinstance(prompt, str):
        raise UnusableError("The prompt must be text.", "Send a text.", "prompt")
    said |= {"prompt": prompt, "count": _whole(given, "n", 1, MAX_IMAGES), **_size(given, said)}
    for name in ("model", "vae"):
        title = given.get(name)
        if title is not None:
            said[name] = _model(title, name, models)
    return {name: value for name, value in said.items() if value is not None}


def _extra(name: str, value: object, read: Read) -> object:
    try:
        return getattr(request_from_wire({name: value}, read), name)
    except RequestError as error:
        raise UnusableError(error.message, error.hint, name) from error


def _unknown(name: str) -> UnusableError:
    shown = ascii(name[:40])[1:-1]
    hint = "Say n." if name == "count" else f"Beside OpenAI's own: {', '.join(sorted(_EXTRA))}."
    return UnusableError(f"Unknown parameter: '{shown}'.", hint, shown, code="unknown_parameter")


def _model(title: object, param: str, models: Models) -> str:
    if not isinstance(title, str):
        raise UnusableError("A model is called by a text.", "/v1/models lists them.", param)
    try:
        return models.named(title)
    except Refusal as error:
        raise UnusableError(
            error.message, error.hint, param, status=404, code="model_not_found"
        ) from error


def _size(given: Mapping[str, object], said: Mapping[str, Any]) -> dict[str, int]:
    size = given.get("size", "auto")
    if size == "auto":
        return {}
    found = _SIZE.fullmatch(size) if isinstance(size, str) else None
    if found is None:
        raise UnusableError(
            "The size is written WIDTHxHEIGHT, or auto.", "Such as 512x512.", "size"
        )
    width, height = int(found[1]), int(found[2])
    if (said.get("width", width), said.get("height", height)) != (width, height):
        raise UnusableError(
            "size says another width or height than the fields of these names.",
            "Say one of the two.",
            "size",
        )
    return {"width": width, "height": height}


def _check_ignored(given: Mapping[str, object]) -> None:
    """Fields without effect must be what OpenAI's are, so that a slip is found here too."""
    for name, choices in _IGNORED.items():
        value = given.get(name)
        if value is not None and value not in choices:
            why = "Images here are opaque." if value == "transparent" else ""
            hint = f"{why} Choose {', '.join(choices)}.".strip()
            raise UnusableError(f"{name} cannot be {_shown(value)}.", hint, name)
    for name in _IGNORED_TEXTS:
        if not isinstance(given.get(name, ""), str):
            raise UnusableError(f"{name} must be text.", "Or leave it out.", name)
    for name in _MISSING:
        if name in given:
            raise UnusableError(f"There is no {name} here.", "Leave it out.", name)


def _wish(body: Mapping[str, object], said: Mapping[str, Any]) -> Wish:
    given = {name: value for name, value in body.items() if value is not None}
    written = given.get("output_format", "png")
    if not isinstance(written, str) or written not in _FORMATS:
        raise UnusableError(
            f"There is no output_format {_shown(written)} here.",
            f"Choose {', '.join(_FORMATS)}.",
            "output_format",
        )
    answer = _choice(given, "response_format", ("b64_json", "url"))
    if answer == "url" and written != "png":
        raise UnusableError(
            "Addresses lead to the PNG files of the gallery.",
            "Leave output_format out, or response_format.",
            "response_format",
        )
    stream = given.get("stream", False)
    if not isinstance(stream, bool):
        raise UnusableError("stream is true or false.", "Or leave it out.", "stream")
    partial = _whole(given, "partial_images", 0, MAX_PARTIAL) or 0
    if partial and not stream:
        raise UnusableError("Partial images come in streams.", "Say stream true.", "partial_images")
    styles = given.get("styles", ())
    names = [styles] if isinstance(styles, str) else styles
    if not isinstance(names, Sequence) or not all(isinstance(one, str) for one in names):
        raise UnusableError("Styles are names in a list.", "Or leave them out.", "styles")
    if len(names) > MAX_STYLES:
        raise UnusableError(f"These are {len(names)} styles.", f"At most {MAX_STYLES}.", "styles")
    return Wish(
        request=completed(said),
        styles=tuple(cast("Sequence[str]", names)),
        file_format=_FORMATS[written],
        quality=_quality(given, _FORMATS[written]),
        as_url=answer == "url",
        stream=stream,
        partial_images=partial,
    )


def _quality(given: Mapping[str, object], file_format: Format) -> int | None:
    """100 is what OpenAI does where nothing is said; 0 is as low as files go."""
    said = _whole(given, "output_compression", 0, 100)
    if said is None or file_format == "png":
        if said not in {None, 100}:
            raise UnusableError(
                "PNG files lose nothing, so there is nothing to compress.",
                "Leave output_compression out, or choose jpeg or webp.",
                "output_compression",
            )
        return None
    return max(said, 1)


def _whole(given: Mapping[str, object], name: str, low: int, high: int) -> int | None:
    value = given.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise UnusableError(
            f"{name} must be a whole number from {low} to {high}.", "Or leave it out.", name
        )
    return value


def _choice(given: Mapping[str, object], name: str, choices: tuple[str, ...]) -> str:
    value = given.get(name, choices[0])
    if value not in choices:
        raise UnusableError(
            f"{name} cannot be {_shown(value)}.", f"Choose {' or '.join(choices)}.", name
        )
    return str(value)


def _shown(value: object) -> str:
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    text = ascii(value)
    return text if len(text) <= 40 else text[:39] + "…"
