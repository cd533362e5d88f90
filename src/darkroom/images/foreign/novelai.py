"""NovelAI: the prompt in the PNG text `Description`, the settings as JSON in `Comment`."""

from darkroom.images.foreign.recipe import ForeignRecipe, Said, parse_object


def read(comment: str, description: str = "", source: str = "") -> ForeignRecipe:
    """The recipe in its three texts.  ImageError where `comment` is no JSON object.

    Its grammar, in which braces weigh, is its own: the prompt is taken word for word.
    """
    said = Said(parse_object(comment, "novelai"))
    prompt = said.text("prompt")
    from_image = said.text("request_type") == "Img2ImgRequest"
    strength = said.real("strength")
    said.drop("signed_hash")
    schedule = said.text("noise_schedule")
    return ForeignRecipe(
        tool="novelai",
        software="NovelAI",
        prompt=description.strip() if prompt is None else prompt,
        negative=said.text("uc"),
        model=source or None,
        strength=strength if from_image else None,
        steps=said.whole("steps", low=1),
        sampler=said.text("sampler"),
        schedule=None if schedule == "native" else schedule,
        guidance=said.real("scale"),
        width=said.whole("width", low=1),
        height=said.whole("height", low=1),
        seed=said.whole("seed"),
        rescale=said.real("cfg_rescale"),
        prompt_syntax="plain",
        rest=said.rest(),
    )
