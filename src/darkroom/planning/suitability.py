"""Which wishes belong to which task, and which tasks a model can do."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import get_args

from darkroom.contracts import ModelSpec, ModelTask, Request, Task
from darkroom.errors import RequestError
from darkroom.planning import checks

_EDITS: tuple[Task, ...] = ("img2img", "inpaint", "depth2img")


@dataclass(frozen=True, kw_only=True)
class _Wish:
    """`tasks` that take it, and how it is called among people."""

    tasks: tuple[Task, ...]
    called: str


_PAINTING: tuple[Task, ...] = ("inpaint",)
_WISHES: Mapping[str, _Wish] = {
    "image": _Wish(tasks=(*_EDITS, "upscale", "vary"), called="image"),
    "strength": _Wish(tasks=_EDITS, called="strength"),
    "mask": _Wish(tasks=_PAINTING, called="mask"),
    "mask_invert": _Wish(tasks=_PAINTING, called="inverted mask"),
    "mask_grow": _Wish(tasks=_PAINTING, called="growth of a mask"),
    "mask_blur": _Wish(tasks=_PAINTING, called="blur of a mask"),
    "fill": _Wish(tasks=_PAINTING, called="fill"),
    "region": _Wish(tasks=_PAINTING, called="region"),
    "region_padding": _Wish(tasks=_PAINTING, called="region padding"),
    "extend": _Wish(tasks=_PAINTING, called="extension"),
    "depth": _Wish(tasks=("depth2img",), called="depth map"),
    "noise_level": _Wish(tasks=("upscale", "vary"), called="noise level"),
    "images": _Wish(tasks=("vary",), called="further images"),
    "image_weights": _Wish(tasks=("vary",), called="weights of images"),
    "image_guidance": _Wish(tasks=("img2img",), called="image guidance"),
    "hires": _Wish(tasks=("txt2img",), called="second pass"),
}
_UNSAID = {field.name: field.default for field in fields(Request)}

# What a model can do besides, or instead of, what it was made for.
_ABLE: Mapping[ModelTask, tuple[Task, ...]] = {
    "txt2img": ("txt2img", "img2img", "inpaint"),
    "inpaint": ("inpaint",),
    "depth2img": ("depth2img",),
    "upscale": ("upscale",),
    "vary": ("vary",),
    "pix2pix": ("img2img",),
}
_MADE_FOR: Mapping[ModelTask, str] = {
    "txt2img": "images from prompts",
    "inpaint": "inpainting",
    "depth2img": "images of a given depth",
    "upscale": "enlarging images",
    "vary": "variations of images",
    "pix2pix": "following instructions on an image",
}
# One of each kind that `darkroom models pull` knows by name.
PUBLISHED: Mapping[ModelTask, str] = {
    "txt2img": "sd-2.1-base",
    "inpaint": "sd-2.0-inpainting",
    "depth2img": "sd-2.0-depth",
    "upscale": "sd-x4-upscaler",
    "vary": "sd-2.1-unclip-l",
    "pix2pix": "instruct-pix2pix",
}


def taken_by(name: str, task: Task) -> bool:
    """Whether this field of a Request can be said with this task."""
    wish = _WISHES.get("hires" if name.startswith("hires_") else name)
    return wish is None or task in wish.tasks


def called(name: str) -> str:
    """A field of a Request in words."""
    wish = _WISHES.get(name)
    return name.replace("_", " ") if wish is None else wish.called


def check(request: Request, spec: ModelSpec) -> None:
    """RequestError where the task takes not all that is said, or the model cannot do it."""
    checks.choice("task", request.task, get_args(Task))
    task = request.task
    for name, wish in _WISHES.items():
        if getattr(request, name) != _UNSAID[name] and task not in wish.tasks:
            raise RequestError(
                f"{task} takes no {wish.called}.", f"Leave it out, or use {_listed(wish.tasks)}."
            )
    if taken_by("image", task) and request.image is None:
        raise RequestError("There is no image to start from.", "Give one, or use txt2img.")
    if task not in _ABLE[spec.task]:
        raise RequestError(
            f"{spec.name} is made for {_MADE_FOR[spec.task]}: it cannot do {task}.",
            f"Use it with {_listed(_ABLE[spec.task])}, or choose {_model_for(task)}",
        )
    if task == "depth2img" and spec.depth is None and request.depth is None:
        raise RequestError(
            f"{spec.name} comes without the network that measures depths.",
            "Give a map of them: what is nearer is brighter.",
        )
    if request.image_guidance is not None and spec.task != "pix2pix":
        raise RequestError(
            f"Image guidance is for models that follow instructions, and {spec.name} is none.",
            "Leave it out; strength says how far the image may change.",
        )


def _model_for(task: Task) -> str:
    """What kind of model does a task, and how to get one."""
    kinds = [made for made, able in _ABLE.items() if task in able]
    described = f"a model for {_listed([_MADE_FOR[made] for made in kinds])}"
    # The most particular one: what a model is made for is what it is best at.
    named = next((made for made in kinds if made == task), kinds[0])
    return f"{described} (darkroom models pull {PUBLISHED[named]})."


def _listed(words: tuple[str, ...] | list[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last
