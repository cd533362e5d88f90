"""InvokeAI's three ways to write a recipe into a PNG.

`invokeai_metadata` (since 3.0) and `sd-metadata` (2.x) are JSON; `Dream`, older still, is the
command that was typed: `"a cat [ugly]" -s 50 -S 7 -W 512 -H 512 -C 7.5 -A k_lms`.
"""

import re
from collections.abc import Mapping

from darkroom.contracts import NoiseSource, Tiling
from darkroom.images.foreign.recipe import ForeignRecipe, Said, damaged, parse_object

# It draws with one generator for each image; in half precision the values differ.
_NOISE: Mapping[str, NoiseSource] = {"cpu": "cpu", "cuda": "nv"}
_TILING: Mapping[tuple[bool, bool], Tiling] = {
    (True, False): "x",
    (False, True): "y",
    (True, True): "both",
}
_DREAM = re.compile(r'\s*"((?:\\.|[^"\\])*)"(.*)', re.DOTALL)
_FLAGS = {
    "-s": "steps",
    "-S": "seed",
    "-W": "width",
    "-H": "height",
    "-C": "cfg_scale",
    "-A": "sampler",
    "-f": "strength",
}
_UNWANTED = re.compile(r"\[([^\[\]]*)\]")
_MAX_DREAM = 2**16


def read(text: str) -> ForeignRecipe:
    """The recipe in the text of `invokeai_metadata`.  ImageError where it is no JSON object."""
    said = Said(parse_object(text, "invokeai"))
    from_image = said.text("generation_mode") not in {None, "txt2img"}
    about = Said(said.mapping("model"))
    strength = said.real("strength")
    skipped = said.whole("clip_skip")
    tiling = _TILING.get((said.truth("seamless_x"), said.truth("seamless_y")))
    return ForeignRecipe(
        tool="invokeai",
        software=f"InvokeAI {said.text('app_version') or ''}".strip(),
        prompt=said.text("positive_prompt"),
        negative=said.text("negative_prompt"),
        model=about.text("model_name", "name"),
        strength=strength if from_image else None,
        steps=said.whole("steps", low=1),
        sampler=said.text("scheduler"),
        guidance=said.real("cfg_scale"),
        width=said.whole("width", low=1),
        height=said.whole("height", low=1),
        seed=said.whole("seed"),
        rescale=said.real("cfg_rescale_multiplier"),
        prompt_syntax="invokeai",
        clip_skip=1 + skipped if skipped else None,
        noise=said.choice(_NOISE, "rand_device"),
        tiling=tiling,
        rest=said.rest(),
    )


def read_older(text: str) -> ForeignRecipe:
    """The recipe in the text of `sd-metadata`.  ImageError where it is no JSON object."""
    said = Said(parse_object(text, "invokeai"))
    image = Said(said.mapping("image"))
    software = " ".join(filter(None, (said.text("app_id"), said.text("app_version"))))
    said.drop("model", "model_id")
    return _of_2022(
        image,
        _joined(image),
        software=software,
        model=said.text("model_weights"),
        model_hash=said.hash("model_hash"),
    )


def read_dream(text: str) -> ForeignRecipe:
    """The recipe in the text of `Dream`.  ImageError where no prompt stands in quotes."""
    found = _DREAM.fullmatch(text[:_MAX_DREAM])
    if found is None:
        raise damaged("invokeai", "it has no prompt in quotes")
    return _of_2022(Said(_flags(found[2].split())), found[1])


def _flags(words: list[str]) -> dict[str, object]:
    """Flags and their values: `-s 50`, `-s50`, `--strength=0.5`, `--seamless`."""
    flags: dict[str, object] = {}
    key = ""
    for word in words:
        if word.startswith("-") and word.lstrip("-")[:1].isalpha():
            name, _, value = word.partition("=")
            if word[:2] in _FLAGS:
                name, value = _FLAGS[word[:2]], word[2:]
            key = name.lstrip("-")
            flags[key] = value or "true"
        elif key:
            flags[key] = word
            key = ""
    return flags


def _of_2022(
    said: Said,
    prompts: str | None,
    *,
    software: str = "",
    model: str | None = None,
    model_hash: str | None = None,
) -> ForeignRecipe:
    """Versions 1 and 2, which wrote what was not wanted into the prompt, in square brackets."""
    unwanted = _UNWANTED.findall(prompts or "")
    wanted = None if prompts is None else _UNWANTED.sub(" ", prompts) if unwanted else prompts
    strength = said.real("strength")
    image = said.text("init_img", "I", "init_image_path")
    from_image = image is not None or said.text("type") == "img2img"
    said.drop("postprocessing")
    return ForeignRecipe(
        tool="invokeai",
        software=software,
        prompt=None if wanted is None else " ".join(wanted.split()) if unwanted else wanted,
        negative=", ".join(part.strip() for part in unwanted) if prompts is not None else None,
        model=model,
        model_hash=model_hash,
        strength=strength if from_image else None,
        steps=said.whole("steps", low=1),
        sampler=said.text("sampler", "sampler_name"),
        guidance=said.real("cfg_scale"),
        width=said.whole("width", low=1),
        height=said.whole("height", low=1),
        seed=said.whole("seed"),
        prompt_syntax="invokeai",
        tiling="both" if said.truth("seamless") else None,
        rest=said.rest(),
    )


def _joined(image: Said) -> str | None:
    """The prompt, which may stand in parts: `[{"prompt": "a cat", "weight": 1}, …]`."""
    if (whole := image.text("prompt")) is not None:
        return whole
    parts = [part.get("prompt") for part in image.objects("prompt")]
    texts = [part for part in parts if isinstance(part, str)]
    return " ".join(texts) if texts else None
