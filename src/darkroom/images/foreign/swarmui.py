"""SwarmUI: JSON under `sui_image_params`, in the PNG text `parameters` or the EXIF comment."""

from darkroom.images.foreign.recipe import ForeignRecipe, Said


def looks_like(value: object) -> bool:
    """Whether a JSON value is its."""
    return isinstance(value, dict) and isinstance(value.get("sui_image_params"), dict)


def read(value: dict[str, object]) -> ForeignRecipe:
    """The recipe in its JSON object; it computes with ComfyUI, and reads prompts like it."""
    about = Said(value)
    said = Said(about.mapping("sui_image_params"))
    layer = said.whole("clipstopatlayer", low=-24)
    strength = said.real("initimagecreativity")
    from_image = said.text("initimage") is not None or strength is not None
    said.drop("aspectratio", "nopreviews", "imageformat", "images", "wildcardseed")
    return ForeignRecipe(
        tool="swarmui",
        software=f"SwarmUI {said.text('swarm_version') or ''}".strip(),
        prompt=said.text("prompt"),
        negative=said.text("negativeprompt"),
        model=said.text("model"),
        strength=strength if from_image else None,
        steps=said.whole("steps", low=1),
        sampler=said.text("sampler"),
        schedule=said.text("scheduler"),
        guidance=said.real("cfgscale"),
        width=said.whole("width", low=1),
        height=said.whole("height", low=1),
        seed=said.whole("seed"),
        prompt_syntax="comfyui",
        clip_skip=-layer if layer is not None and layer < 0 else None,
        variation_seed=said.whole("variationseed"),
        variation_strength=said.real("variationseedstrength"),
        noise="cpu",
        tiling="both" if said.truth("seamlesstileable") else None,
        rest=said.rest(),
    )
