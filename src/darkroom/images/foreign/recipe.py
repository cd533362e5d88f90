"""What another program wrote about an image, in our words as far as they go."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from darkroom.contracts import Enlarger, NoiseSource, PromptSyntax, Tiling
from darkroom.errors import ImageError

Tool = Literal["a1111", "comfyui", "invokeai", "easydiffusion", "novelai", "swarmui"]

NAMES: Mapping[Tool, str] = {
    "a1111": "AUTOMATIC1111",
    "comfyui": "ComfyUI",
    "invokeai": "InvokeAI",
    "easydiffusion": "Easy Diffusion",
    "novelai": "NovelAI",
    "swarmui": "SwarmUI",
}

MAX_TEXT = 4 * 2**20  # characters, as many as all of an image's metadata may have
T = TypeVar("T")

_MAX_REST = 64
_MAX_SHOWN = 300
_MAX_WHOLE = 2**64 - 1
_SIZE = re.compile(r"\s*(\d{1,6})\s*[xX×]\s*(\d{1,6})\s*", re.ASCII)
_HEX = re.compile(r"(?:0x)?([0-9a-fA-F]{8,128})")
_WHOLE = re.compile(r"\s*[+-]?\d{1,20}\s*", re.ASCII)
_NUMBER = re.compile(r"\s*[+-]?[\d.]{1,40}(?:[eE][+-]?\d{1,3})?\s*", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class ForeignRecipe:
    """A recipe of another program.  `None`: not said, or said in a way that cannot be meant.

    Fields that a Request has as well bear its names and mean the same; `sampler`, `schedule` and
    `model` are written as that program wrote them.  `model_hash`: lower-case hex, of as many
    digits as it tells.  `software`: name and version in its own words.  `rest`: what it says
    beyond that, as text.
    """

    tool: Tool
    software: str = ""
    prompt: str | None = None
    negative: str | None = None
    model: str | None = None
    model_hash: str | None = None
    strength: float | None = None
    steps: int | None = None
    sampler: str | None = None
    schedule: str | None = None
    guidance: float | None = None
    eta: float | None = None
    width: int | None = None
    height: int | None = None
    seed: int | None = None
    rescale: float | None = None
    churn: float | None = None
    churn_start: float | None = None
    churn_end: float | None = None
    noise_scale: float | None = None
    prompt_syntax: PromptSyntax | None = None
    clip_skip: int | None = None
    variation_seed: int | None = None
    variation_strength: float | None = None
    noise: NoiseSource | None = None
    seed_offset: int | None = None
    tiling: Tiling | None = None
    hires: float | None = None
    hires_strength: float | None = None
    hires_steps: int | None = None
    hires_enlarger: Enlarger | None = None
    rest: Mapping[str, str] = field(default_factory=dict)

    @property
    def program(self) -> str:
        """The name to call the program by; many write in the way of another."""
        name = NAMES[self.tool]
        if not self.software:
            return name
        themselves = self.software.startswith((name, "Darkroom"))
        return self.software if themselves else f"{name} ({self.software})"


class Said:
    """The settings of a recipe, taken one after the other; what makes no sense is left over.

    Each way to take one looks for the first of `keys` that holds such a value and returns it, or
    None.
    """

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = dict(values)

    def text(self, *keys: str) -> str | None:
        for key in keys:
            value = self._values.get(key)
            if isinstance(value, str):
                del self._values[key]
                return value
        return None

    def whole(self, *keys: str, low: int = 0) -> int | None:
        """An integer from `low` to the largest seed that any program has."""
        for key in keys:
            value = as_whole(self._values.get(key))
            if value is not None and value >= low:
                del self._values[key]
                return value
        return None

    def real(self, *keys: str) -> float | None:
        for key in keys:
            value = as_real(self._values.get(key))
            if value is not None:
                del self._values[key]
                return value
        return None

    def truth(self, *keys: str) -> bool:
        """Whether one of `keys` is true; those that are plainly false are taken as well."""
        found = False
        for key in keys:
            value = self._values.get(key)
            if str(value).lower() in {"true", "false"}:
                found |= str(self._values.pop(key)).lower() == "true"
        return found

    def choice(self, meanings: Mapping[str, T], *keys: str) -> T | None:
        """What a text or a truth value means; `meanings` by lower-case text."""
        for key in keys:
            meaning = meanings.get(str(self._values.get(key, "")).strip().lower())
            if meaning is not None:
                del self._values[key]
                return meaning
        return None

    def size(self, *keys: str) -> tuple[int, int] | tuple[None, None]:
        """Width and height out of `512x768`."""
        for key in keys:
            found = _SIZE.fullmatch(str(self._values.get(key)))
            if found and int(found[1]) and int(found[2]):
                del self._values[key]
                return int(found[1]), int(found[2])
        return None, None

    def hash(self, *keys: str) -> str | None:
        """Lower-case hex of at least eight digits."""
        for key in keys:
            value = self._values.get(key)
            if isinstance(value, str) and (found := _HEX.fullmatch(value.strip())):
                del self._values[key]
                return found[1].lower()
        return None

    def mapping(self, *keys: str) -> Mapping[str, object]:
        """A JSON object, or an empty one."""
        for key in keys:
            value = self._values.get(key)
            if isinstance(value, dict):
                del self._values[key]
                return value
        return {}

    def objects(self, key: str) -> list[dict[str, object]]:
        """The JSON objects in a list."""
        value = self._values.get(key)
        if not isinstance(value, list):
            return []
        del self._values[key]
        return [entry for entry in value if isinstance(entry, dict)]

    def drop(self, *keys: str) -> None:
        """Forget what says nothing about how the image was made."""
        for key in keys:
            self._values.pop(key, None)

    def rest(self) -> dict[str, str]:
        """What was not taken, as text of a bounded length; the empty says nothing."""
        return bounded({k: shown(value) for k, value in self._values.items() if not _empty(value)})


def as_whole(value: object) -> int | None:
    """An integer of up to 64 bits, also where it is written as text or as a float."""
    number: int | None = None
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        number = int(value)
    elif type(value) is int:
        number = value  # a float holds no more than 53 bits of a seed
    elif (real := as_real(value)) is not None and real.is_integer():
        number = int(real)
    return None if number is None or abs(number) > _MAX_WHOLE else number


def as_real(value: object) -> float | None:
    """A finite number, also where it is written as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def bounded(rest: Mapping[str, str]) -> dict[str, str]:
    """As much of what is left over as anybody would read."""
    return {shown(key): shown(rest[key]) for key in list(rest)[:_MAX_REST]}


def shown(value: object) -> str:
    """A value as one text, cut where nobody would read on."""
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except RecursionError:
        text = "…"
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 1] + "…"


def parse(text: str, tool: Tool) -> object:
    """A JSON value.  ImageError where it is none, or longer than `MAX_TEXT`.

    NaN and infinities, which some programs write, become None.
    """
    if len(text) > MAX_TEXT:
        raise ImageError(
            f"The {NAMES[tool]} recipe is longer than any recipe.",
            "The image itself may be fine; only its recipe cannot be used.",
        )
    try:
        return json.loads(text, parse_constant=lambda _: None)
    except (ValueError, RecursionError) as error:
        raise damaged(tool, "it is not JSON") from error


def parse_object(text: str, tool: Tool) -> dict[str, object]:
    """A JSON object, or ImageError."""
    value = parse(text, tool)
    if not isinstance(value, dict):
        raise damaged(tool, "it is not a JSON object")
    return value


def damaged(tool: Tool, reason: str) -> ImageError:
    """The refusal of a recipe that cannot be read."""
    return ImageError(
        f"The {NAMES[tool]} recipe is damaged: {reason}.",
        "The image itself may be fine; only its recipe cannot be used.",
    )


def _empty(value: object) -> bool:
    return value is None or value is False or value in ("", "None", [], {})
