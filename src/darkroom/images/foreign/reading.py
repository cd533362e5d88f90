"""Whose recipe an image's texts hold, and the recipe."""

from collections.abc import Callable, Mapping

from darkroom.errors import ImageError
from darkroom.images.foreign import a1111, comfyui, easydiffusion, invokeai, novelai, swarmui
from darkroom.images.foreign.recipe import ForeignRecipe, parse

COMMENT = "UserComment"  # EXIF's, and XMP's


def read(texts: Mapping[str, str]) -> ForeignRecipe | None:
    """The recipe of another program in the texts of an image file, None where there is none.

    `texts`: a PNG's by their keywords; EXIF's and XMP's comment as `UserComment`; what ComfyUI
    writes into other EXIF texts as `prompt` and `workflow`.

    Raises:
        ImageError: there is one, but it is damaged.
    """
    if "NovelAI" in texts.get("Software", "") and "Comment" in texts:
        return novelai.read(texts["Comment"], texts.get("Description", ""), texts.get("Source", ""))
    if easydiffusion.looks_like(texts):
        return easydiffusion.read(texts)
    key = next((key for key in _READERS if key in texts), None)
    return None if key is None else _READERS[key](texts[key])


def _of_text(text: str) -> ForeignRecipe:
    """Several programs write JSON where AUTOMATIC1111 writes its text."""
    if not text.lstrip().startswith("{"):
        return a1111.read(text)
    try:
        value = parse(text, "a1111")
    except ImageError:
        return a1111.read(text)  # a prompt may begin with a brace
    if isinstance(value, dict) and swarmui.looks_like(value):
        return swarmui.read(value)
    if isinstance(value, dict) and easydiffusion.looks_like(value):
        return easydiffusion.read(value)
    if comfyui.looks_like(value):
        return comfyui.read(text)
    return a1111.read(text)


_READERS: Mapping[str, Callable[[str], ForeignRecipe]] = {
    "invokeai_metadata": invokeai.read,
    "sd-metadata": invokeai.read_older,
    "Dream": invokeai.read_dream,
    "parameters": _of_text,
    COMMENT: _of_text,
    "prompt": comfyui.read,
}
