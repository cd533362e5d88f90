"""The `parameters` text of the AUTOMATIC1111 web UI and of the many programs that write it too.

Prompt, a line that begins with `Negative prompt:`, and one line of settings, `Steps: 20, Sampler:
Euler a, …`.  Read as that program's own reader does, and where others went further: JSON among
the settings (Civitai), lines below them (Dynamic Prompts), and the first images made in two
passes, whose size is that of the second.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import get_args

from darkroom.contracts import Enlarger, NoiseSource, PromptSyntax, Tiling
from darkroom.images.foreign.recipe import ForeignRecipe, Said

# A setting's key is short; without that bound a long hostile line would take quadratic time.
_KEY = re.compile(r"(\w[\w \-/]{1,40}):[^\S\n]*")
_QUOTED = re.compile(r'"(?:\\.|[^\\"])+"')
_NEGATIVE = "Negative prompt:"
_MAX_TEXT = 2**20
_MAX_BELOW = 8  # lines below the settings
_TEMPLATES = ("Template", "Negative Template")  # of Dynamic Prompts, below the settings
# One of these stands in every line of settings, and in few prompts.
_USUAL = {"Steps", "Seed", "Sampler", "CFG scale", "Size"}
# It draws on the graphics card unless it says otherwise.
_NOISE: Mapping[str, NoiseSource] = {"cpu": "cpu", "gpu": "nv", "nv": "nv", "cuda": "nv"}
_TILING: Mapping[str, Tiling] = {"true": "both", "x": "x", "y": "y", "both": "both"}
_SYNTAXES: Mapping[str, PromptSyntax] = {name: name for name in get_args(PromptSyntax)}
_ENLARGERS: Mapping[str, Enlarger] = {
    "latent": "latent",
    "latent (antialiased)": "latent",
    "latent (bicubic)": "latent",
    "latent (bicubic antialiased)": "latent",
    "lanczos": "lanczos",
}
# The schedules that `Automatic` means (since 1.9); of other samplers it is the usual one.
_AUTOMATIC = {
    "dpm++ 2m": "Karras",
    "dpm++ sde": "Karras",
    "dpm++ 2s a": "Karras",
    "dpm2": "Karras",
    "dpm2 a": "Karras",
    "restart": "Karras",
    "dpm++ 2m sde": "Exponential",
    "dpm++ 2m sde heun": "Exponential",
    "dpm++ 3m sde": "Exponential",
}


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Such a text, taken apart.  `settings`: text as written, or JSON."""

    prompt: str
    negative: str
    settings: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class _Passes:
    """The size of the first pass, and how the second follows; `times` is None where it does not."""

    width: int | None
    height: int | None
    times: float | None


def read(text: str) -> ForeignRecipe:
    """The recipe in a `parameters` text, of which a mebibyte is read."""
    parameters = split(text)
    said = Said(parameters.settings)
    passes = _passes(said)
    twice = passes.times is not None
    strength = said.real("Denoising strength") or None  # 0 says that there was nothing to keep
    steps = said.whole("Steps", low=1)
    said.drop("Batch size", "Batch pos", "Time")
    sampler, schedule = said.text("Sampler"), said.text("Schedule type")
    if schedule is not None and schedule.lower() == "automatic":
        schedule = _AUTOMATIC.get((sampler or "").lower())
    return ForeignRecipe(
        tool="a1111",
        software=" ".join(filter(None, (said.text("App"), said.text("Version")))),
        prompt=parameters.prompt,
        negative=parameters.negative,
        model=said.text("Model"),
        model_hash=said.hash("Model hash") or _hash_among(said),
        strength=None if twice else strength,
        steps=steps,
        sampler=sampler,
        schedule=schedule,
        guidance=said.real("CFG scale"),
        eta=said.real("Eta", "Eta DDIM"),
        width=passes.width,
        height=passes.height,
        seed=said.whole("Seed"),
        rescale=said.real("CFG rescale"),
        churn=said.real("Sigma churn"),
        churn_start=said.real("Sigma tmin"),
        churn_end=said.real("Sigma tmax"),
        noise_scale=said.real("Sigma noise"),
        prompt_syntax=said.choice(_SYNTAXES, "Prompt syntax") or "a1111",
        clip_skip=said.whole("Clip skip", low=1),
        variation_seed=said.whole("Variation seed"),
        variation_strength=said.real("Variation seed strength"),
        noise=said.choice(_NOISE, "RNG") or "nv",
        seed_offset=said.whole("ENSD", low=-(2**63)),
        tiling=said.choice(_TILING, "Tiling"),
        hires=passes.times,
        hires_strength=strength if twice else None,
        hires_steps=(said.whole("Hires steps", low=1) or steps) if twice else None,
        hires_enlarger=said.choice(_ENLARGERS, "Hires upscaler") if twice else None,
        rest=said.rest(),
    )


def split(text: str) -> Parameters:
    """Take a `parameters` text apart.

    The last line that holds three settings or more, a usual one among them, ends the prompts.
    """
    lines = text[:_MAX_TEXT].strip().split("\n")
    settings: dict[str, object] = {}
    for place in range(len(lines) - 1, max(-1, len(lines) - 1 - _MAX_BELOW), -1):
        found = dict(_settings(lines[place]))
        if len(found) >= 3 and not _USUAL.isdisjoint(found):
            settings = found | _templates(lines[place + 1 :])
            del lines[place:]
            break
    prompt: list[str] = []
    negative: list[str] = []
    part = prompt
    for line in map(str.strip, lines):
        if line.startswith(_NEGATIVE):
            part = negative
        part.append(line.removeprefix(_NEGATIVE).strip() if part is negative else line)
    return Parameters(
        prompt="\n".join(prompt), negative="\n".join(negative).strip(), settings=settings
    )


def _settings(line: str) -> Iterator[tuple[str, object]]:
    """Keys and values of a line, in linear time; a value is text, quoted text, or JSON."""
    decoder: json.JSONDecoder | None = json.JSONDecoder()
    place = 0
    while key := _KEY.search(line, place):
        begin = key.end()
        if quoted := _QUOTED.match(line, begin):
            place = quoted.end()
            yield key[1], _unquoted(quoted[0])
            continue
        if decoder is not None and line.startswith(("{", "["), begin):
            try:
                value, place = decoder.raw_decode(line, begin)
            except (ValueError, RecursionError):
                decoder = None  # each try may read to the end of the line: one is enough
            else:
                yield key[1], value
                continue
        comma = line.find(",", begin)
        place = len(line) if comma < 0 else comma
        yield key[1], line[begin:place].strip()


def _unquoted(value: str) -> str:
    with suppress(ValueError):
        return str(json.loads(value))
    return value


def _templates(lines: list[str]) -> dict[str, object]:
    pairs = (line.partition(":") for line in lines)
    return {key.strip(): value.strip() for key, _, value in pairs if key.strip() in _TEMPLATES}


def _hash_among(said: Said) -> str | None:
    """The model's hash among those of all files."""
    return Said(said.mapping("Hashes")).hash("model")


def _passes(said: Said) -> _Passes:
    """What was made first, and how much larger it was made again."""
    width, height = said.size("Size")
    times = said.real("Hires upscale")
    if times is None and width is not None:
        first = said.size("First pass size")  # before 2023, when `Size` meant the second pass
        second, _ = said.size("Hires resize")
        if first[0] is not None:
            times = width / first[0]
            width, height = first
        elif second is not None:
            times = second / width
    return _Passes(width=width, height=height, times=times if times and times > 1 else None)
