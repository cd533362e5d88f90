"""From a recipe back to the Request that makes its image again."""

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from darkroom.contracts import Recipe, Request

# No image depends on these: a recipe is of one image, whatever stood beside it, wherever it was.
INDIFFERENT = frozenset({"count", "batch", "device", "private", "version"})
# These follow from a recipe in other ways than by their name.
_TRANSLATED = frozenset({"image", "mask", "depth", "images", "safety", "steps", "watermark"})
# These may differ between two makings of one image: where its settings stand, not what they are.
_CIRCUMSTANCES = frozenset(
    {"model", "software", "versions", "version", "watermark", "safety", "flagged"}
)
# In words of their own.
_FILES = {
    "input_sha256": "The input image is another one.",
    "mask_sha256": "The mask is another one.",
    "depth_sha256": "The depth map is another one.",
    "images_sha256": "The further images are others.",
    "vae_sha256": "The separate VAE is another one.",
}
_TOLD = frozenset({"model_sha256", *_FILES})


def request_of(
    recipe: Recipe,
    *,
    image: bytes | None = None,
    mask: bytes | None = None,
    depth: bytes | None = None,
    images: tuple[bytes, ...] = (),
) -> Request:
    """The wish that makes the image of `recipe` once more: one image, nothing left unsaid.

    `image`: the encoded input image, of which a recipe holds the checksum alone, as of `mask`,
    `depth` and `images`.
    """
    same: dict[str, Any] = {
        entry.name: getattr(recipe, entry.name)
        for entry in fields(Request)
        if entry.name not in INDIFFERENT | _TRANSLATED
    }
    # The ldm grid has other counts of steps than are asked for.
    steps = recipe.steps if recipe.requested_steps is None else recipe.requested_steps
    return Request(
        **same,
        image=image,
        mask=mask,
        depth=depth,
        images=images,
        steps=steps,
        # Whoever looked, and at what: only a blurred image needs to be looked at again.
        safety="blur" if recipe.flagged and recipe.safety == "blur" else "off",
        watermark=recipe.watermark is not None,
    )


def differences(then: Recipe, now: Recipe) -> Iterator[str]:
    """What is no longer as it was when the image was first made, in words.

    Most of it moves pixels by a level or two; another model makes another image.
    """
    if then.model_sha256 != now.model_sha256:
        yield (
            f"The model is another one: {then.model} ({then.model_sha256[:10]}) then, "
            f"{now.model} ({now.model_sha256[:10]}) now."
        )
    for name, told in _FILES.items():
        if getattr(then, name) != getattr(now, name):
            yield told
    for entry in fields(Recipe):
        before, after = getattr(then, entry.name), getattr(now, entry.name)
        if before != after and entry.name not in _CIRCUMSTANCES | _TOLD:
            name = entry.name.replace("_", " ").capitalize()
            yield f"{name}: {before} then, {after} now."
    for name in sorted({*then.versions, *now.versions}):
        before, after = then.versions.get(name, "absent"), now.versions.get(name, "absent")
        if before != after:
            yield f"Version of {name}: {before} then, {after} now."
