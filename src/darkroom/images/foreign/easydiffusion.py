"""Easy Diffusion: each setting a text of its own in a PNG, one JSON object in JPEG and WebP.

The keys are those of its requests (`num_inference_steps`) or the labels of its page (`Steps`),
as the person chose.
"""

from collections.abc import Mapping

from darkroom.contracts import Tiling
from darkroom.images.foreign.recipe import ForeignRecipe, Said

_TILING: Mapping[str, Tiling] = {"none": "none", "x": "x", "y": "y", "xy": "both"}
_SURE = ("use_stable_diffusion_model", "num_inference_steps", "Stable Diffusion model")


def looks_like(values: Mapping[str, object]) -> bool:
    """Whether these are its settings."""
    return any(key in values for key in _SURE)


def read(values: Mapping[str, object]) -> ForeignRecipe:
    """The recipe in its settings, by request key or by label."""
    said = Said(values)
    skips = said.truth("clip_skip", "Clip Skip")
    return ForeignRecipe(
        tool="easydiffusion",
        prompt=said.text("prompt", "Prompt"),
        negative=said.text("negative_prompt", "Negative Prompt"),
        model=said.text("use_stable_diffusion_model", "Stable Diffusion model"),
        strength=said.real("prompt_strength", "Prompt Strength"),
        steps=said.whole("num_inference_steps", "Steps", low=1),
        sampler=said.text("sampler_name", "Sampler"),
        guidance=said.real("guidance_scale", "Guidance Scale"),
        width=said.whole("width", "Width", low=1),
        height=said.whole("height", "Height", low=1),
        seed=said.whole("seed", "Seed"),
        prompt_syntax="invokeai",
        clip_skip=2 if skips else None,
        tiling=said.choice(_TILING, "tiling", "Seamless Tiling"),
        rest=said.rest(),
    )
