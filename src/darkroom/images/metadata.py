"""Recipes as text: ours, from which an image can be made again, and the one other tools read.

Ours is a JSON object under the key `darkroom`.  The other is the `parameters` text of the
AUTOMATIC1111 web UI, which most galleries and tools of the field understand.  PNG carries both as
text chunks; JPEG and WebP carry `parameters` in the EXIF user comment and ours in the XMP packet.
What other programs write is read by `images.foreign`.
"""

import json
import re
import sys
import types
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import MISSING, dataclass, fields
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from PIL import Image, PngImagePlugin

from darkroom import names
from darkroom.contracts import RECIPE_VERSION, Recipe
from darkroom.errors import ImageError, OutputError
from darkroom.images import provenance
from darkroom.images.foreign.reading import COMMENT

RECIPE_KEY = "darkroom"
PARAMETERS_KEY = "parameters"
_XMP_KEY = "XML:com.adobe.xmp"
_EXIF_IFD = 0x8769
_USER_COMMENT = 0x9286
# Where ComfyUI puts its graphs in formats without text chunks: `prompt:{…}`.
_EXIF_TEXTS = (0x010E, 0x010F, 0x0110)
_EXIF_TEXT = re.compile(r"(prompt|workflow):(.*)", re.DOTALL | re.IGNORECASE)

_MAX_TEXT = 2**20
_JPEG_SEGMENT = 65_000  # a segment holds 65,533 bytes, its own header included
_DAMAGED_HINT = "The image itself may be fine; only its recipe cannot be used."


@dataclass(frozen=True, kw_only=True)
class Carried:
    """What a file carries beside its pixels, unread: our recipe, all other texts, the XMP packet.

    `texts`: as `foreign.reading` takes them.
    """

    recipe: str | None
    texts: Mapping[str, str]
    xmp: bytes | None


def to_json(recipe: Recipe) -> str:
    """A recipe as one JSON object in ASCII, its version first."""
    values = {entry.name: getattr(recipe, entry.name) for entry in fields(recipe)}
    values["versions"] = dict(recipe.versions)
    return json.dumps({"version": values.pop("version"), **values}, allow_nan=False)


def from_json(text: str) -> Recipe:
    """The recipe that `to_json` wrote.

    ImageError for anything else: not JSON, of another version, a key missing, unknown or twice, a
    value of the wrong type, or more than a mebibyte of text.
    """
    if len(text) > _MAX_TEXT:
        raise ImageError("The recipe is longer than any recipe.", _DAMAGED_HINT)
    try:
        values = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ImageError("The recipe is damaged: it is not JSON.", _DAMAGED_HINT) from error
    if not isinstance(values, dict):
        raise ImageError("The recipe is damaged: it is not a JSON object.", _DAMAGED_HINT)
    version = values.get("version")
    if values.get("sampler") == "euler_ancestral" and "churn" not in values:
        values["eta"] = 1.0  # once it could not be said, and 0 was written
    values = _unsaid() | values if "version" in values else values
    if type(version) is int and version > RECIPE_VERSION:
        raise ImageError(
            f"The recipe is of version {version}, which is newer than this program.",
            "Install a newer Darkroom.",
        )
    hints = get_type_hints(Recipe)
    if values.keys() != hints.keys() or version != RECIPE_VERSION:
        odd = sorted(values.keys() ^ hints.keys()) or ["version"]
        raise ImageError(
            f"The recipe is damaged: {odd[0][:40]!r} is missing or unknown.", _DAMAGED_HINT
        )
    for name, hint in hints.items():
        if not _fits(values[name], hint):
            raise ImageError(
                f"The recipe is damaged: the value of {name!r} is of another kind.", _DAMAGED_HINT
            )
        values[name] = _meant(values[name], hint)
    return Recipe(**values)


def to_parameters(recipe: Recipe) -> str:
    """The `parameters` text of a recipe: prompt, negative prompt, and one line of settings."""
    lines = [recipe.prompt]
    if recipe.negative:
        lines.append(f"Negative prompt: {recipe.negative}")
    settings = dict(_settings(recipe))
    lines.append(", ".join(f"{key}: {_quoted(str(value))}" for key, value in settings.items()))
    # A lone surrogate, which JSON can carry, has no UTF-8.
    return "\n".join(lines).strip().encode("utf-8", "replace").decode("utf-8")


_ENLARGERS = {"latent": "Latent (bicubic antialiased)", "lanczos": "Lanczos"}


def _settings(recipe: Recipe) -> Iterator[tuple[str, object]]:
    """Settings by the names that A1111 has for them, in its order; the usual ones are left out."""
    yield "Steps", recipe.steps
    yield "Sampler", _label(names.SAMPLERS, recipe.sampler)
    yield "Schedule type", _label(names.SCHEDULES, recipe.schedule)
    yield "CFG scale", _number(recipe.guidance)
    yield "Seed", recipe.seed
    yield "Size", f"{recipe.width}x{recipe.height}"
    yield "Model hash", recipe.model_sha256[:10]
    yield "Model", recipe.model
    if recipe.variation_seed is not None:
        yield "Variation seed", recipe.variation_seed
        yield "Variation seed strength", _number(recipe.variation_strength)
    strength = recipe.strength if recipe.hires is None else recipe.hires_strength
    if strength is not None:
        yield "Denoising strength", _number(strength)
    if recipe.clip_skip > 1:
        yield "Clip skip", recipe.clip_skip
    if recipe.seed_offset:
        yield "ENSD", recipe.seed_offset
    yield "RNG", recipe.noise.upper()
    if recipe.tiling != "none":
        yield "Tiling", True if recipe.tiling == "both" else recipe.tiling
    if recipe.hires is not None:
        yield "Hires upscale", _number(recipe.hires)
        yield "Hires steps", recipe.hires_steps or 0
        yield "Hires upscaler", _ENLARGERS.get(recipe.hires_enlarger or "", "None")
    yield from _noise_settings(recipe)
    if recipe.rescale:
        yield "CFG rescale", _number(recipe.rescale)
    if recipe.prompt_syntax != "a1111":
        yield "Prompt syntax", recipe.prompt_syntax
    yield "Version", recipe.software


def _noise_settings(recipe: Recipe) -> Iterator[tuple[str, object]]:
    """Those of the fresh noise in the steps."""
    record = names.SAMPLERS.get(recipe.sampler)
    if record is not None and record.eta is not None and record.eta != recipe.eta:
        yield "Eta", _number(recipe.eta)
    if recipe.churn:
        yield "Sigma churn", _number(recipe.churn)
        yield "Sigma tmin", _number(recipe.churn_start)
        if recipe.churn_end is not None:
            yield "Sigma tmax", _number(recipe.churn_end)
    if recipe.noise_scale != 1:
        yield "Sigma noise", _number(recipe.noise_scale)


def save_arguments(
    file_format: str, mark: provenance.Mark, recipe: Recipe | None
) -> dict[str, Any]:
    """Pillow's arguments that put mark and recipe in their places of `png`, `jpeg` or `webp`.

    OutputError where a recipe is longer than a JPEG can carry.
    """
    ours = "" if recipe is None else to_json(recipe)
    theirs = "" if recipe is None else to_parameters(recipe)
    if file_format == "png":
        chunks = PngImagePlugin.PngInfo()
        chunks.add_itxt(_XMP_KEY, provenance.to_xmp(mark).decode())
        if recipe is not None:
            chunks.add_itxt(RECIPE_KEY, ours)
            # As A1111 does: tEXt for Latin-1, which every reader knows, iTXt for the rest.
            chunks.add_text(PARAMETERS_KEY, theirs)
        return {"pnginfo": chunks}
    arguments: dict[str, Any] = {"xmp": provenance.to_xmp(mark, ours)}
    if recipe is not None:
        exif = Image.Exif()
        exif.get_ifd(_EXIF_IFD)[_USER_COMMENT] = b"UNICODE\0" + theirs.encode("utf-16-be")
        arguments["exif"] = exif.tobytes()
    if file_format == "jpeg" and max(map(len, arguments.values())) > _JPEG_SEGMENT:
        raise OutputError(
            "The recipe is longer than a JPEG can carry.",
            "Save it as PNG or WebP, or privately: without the recipe.",
        )
    return arguments


def carried(image: Image.Image) -> Carried:
    """The recipes and the XMP packet of an image that Pillow has opened and decoded."""
    xmp = image.info.get("xmp")
    packet = xmp if isinstance(xmp, bytes) else None
    beside = None if packet is None else provenance.texts_in(packet)
    texts = dict(_exif_texts(image))
    if beside is not None and beside.comment is not None:
        texts.setdefault(COMMENT, beside.comment)
    if image.format == "PNG":
        for key, text in image.info.items():
            if isinstance(key, str) and isinstance(text, str):
                texts[key] = str(text)
    recipe = texts.pop(RECIPE_KEY, None if beside is None else beside.recipe)
    return Carried(recipe=recipe, texts=texts, xmp=packet)


def _exif_texts(image: Image.Image) -> Iterator[tuple[str, str]]:
    comment: object = None
    plain: list[object] = []
    # Damaged EXIF data show in many ways.
    with suppress(Exception), warnings.catch_warnings(action="ignore"):
        exif = image.getexif()
        plain = [exif.get(tag) for tag in _EXIF_TEXTS]
        comment = exif.get_ifd(_EXIF_IFD).get(_USER_COMMENT)
    for text in plain:
        if isinstance(text, str) and (found := _EXIF_TEXT.match(text)):
            yield found[1].lower(), found[2].rstrip("\0")
    if isinstance(comment, bytes):
        yield COMMENT, _decoded(comment)


def _decoded(comment: bytes) -> str:
    """An EXIF user comment: eight bytes name the encoding, which not every program heeds."""
    code, text = comment[:8], comment[8:]
    if code == b"UNICODE\0":
        # Big-endian as a rule; where most second bytes are zero, it is Latin text the other way.
        little = text[1::2].count(0) > text[::2].count(0)
        return text.decode("utf-16-le" if little else "utf-16-be", "replace").lstrip("\ufeff")
    if code in {b"ASCII\0\0\0", bytes(8)}:
        comment = text
    return comment.decode("utf-8", "replace").rstrip("\0 ")


def _unsaid() -> dict[str, object]:
    """What recipes do not say that are older than some field, and mean."""
    return {entry.name: entry.default for entry in fields(Recipe) if entry.default is not MISSING}


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a key stands there twice")
    return values


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _fits(value: object, hint: object) -> bool:
    """Whether a JSON value is of a field's type."""
    origin = get_origin(hint)
    if origin is Literal:
        return isinstance(value, str) and value in get_args(hint)
    if origin in {Union, types.UnionType}:
        return any(_fits(value, one) for one in get_args(hint))
    if origin is tuple:
        return isinstance(value, list | tuple) and _fit(value, get_args(hint))
    if origin is Mapping:
        return isinstance(value, dict) and all(isinstance(one, str) for one in value.values())
    # Written so that NaN and integers beyond every float fail.
    number = type(value) in {int, float} and abs(value) <= sys.float_info.max  # type: ignore[arg-type]
    return number if hint is float else type(value) is hint


def _fit(values: Sequence[object], kinds: tuple[object, ...]) -> bool:
    """Whether each value of a list is of its type; `...` says that all are of the one before."""
    if kinds[-1] is Ellipsis:
        kinds = kinds[:1] * len(values)
    return len(values) == len(kinds) and all(map(_fits, values, kinds))


def _meant(value: object, hint: object) -> Any:
    """A value that fits, as what JSON cannot write: a fraction that is whole, a tuple."""
    if isinstance(value, list):
        kind = next((one for one in (hint, *get_args(hint)) if get_origin(one) is tuple), hint)
        return tuple(_meant(one, get_args(kind)[0]) for one in value)
    if type(value) is int and float in {hint, *get_args(hint)}:
        return float(value)
    return value


def _label(entries: Mapping[str, names.Sampler] | Mapping[str, names.Schedule], name: str) -> str:
    entry = entries.get(name)
    return name if entry is None else entry.label


def _number(value: float) -> str:
    """The shortest decimal, without a point where there is nothing behind it."""
    return repr(value).removesuffix(".0")


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False) if re.search(r"[,:\n]", value) else value
