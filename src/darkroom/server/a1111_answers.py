"""What AUTOMATIC1111's API answers."""

import base64
import io
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from PIL import Image as Pillow

from darkroom import __version__, names
from darkroom.contracts import Recipe
from darkroom.images import metadata
from darkroom.images.foreign import a1111 as parameters_text
from darkroom.images.foreign.reading import COMMENT
from darkroom.server.a1111_bodies import Making
from darkroom.server.a1111_wishes import Wish
from darkroom.server.views import Progress
from darkroom.server.waiting import Made
from darkroom.store.jobs import Job
from darkroom.worker.decoder import Decoded

_PICTURES = ("init_images", "mask")


def parameters(body: Making, *, pictures: bool) -> dict[str, Any]:
    """What was asked for; its pictures only where that was asked for too."""
    said = {
        name: value
        for name in type(body).model_fields
        if (value := getattr(body, name)) is not None and (pictures or name not in _PICTURES)
    }
    return _plain(said)


def _plain(said: dict[str, Any]) -> dict[str, Any]:
    """Values that JSON can hold: a client may send numbers that are none."""
    try:
        text = json.dumps(said)
    except (ValueError, TypeError, RecursionError):
        return {}
    plain: dict[str, Any] = json.loads(text, parse_constant=lambda _: None)
    return plain


def info(body: Making, wish: Wish, job: Job, made: Sequence[Made]) -> str:
    """How the images were made, as the JSON text that the original has."""
    recipes = [one.recipe for one in made if one.recipe is not None]
    first = recipes[0] if recipes else None
    prompts = [one.image.prompt for one in made] or [wish.requests[0].prompt]
    negatives = [one.image.negative for one in made] or [wish.requests[0].negative]
    seeds = [-1 if one.image.seed is None else one.image.seed for one in made]
    others = [_other_seed(one.recipe) for one in made]
    said = {
        "prompt": prompts[0],
        "all_prompts": prompts,
        "negative_prompt": negatives[0],
        "all_negative_prompts": negatives,
        "seed": seeds[0] if seeds else -1,
        "all_seeds": seeds,
        "subseed": others[0] if others else -1,
        "all_subseeds": others,
        "batch_size": body.batch_size or 1,
        "restore_faces": False,
        "face_restoration_model": None,
        "seed_resize_from_w": -1,
        "seed_resize_from_h": -1,
        "index_of_first_image": 0,
        "infotexts": [_infotext(one.recipe) for one in made],
        "styles": list(wish.styles),
        "job_timestamp": timestamp(job),
        "version": f"Darkroom {__version__}",
        "comments": [*wish.remarks, *job.notes],
        **_how(first),
    }
    return json.dumps(said)


def _how(recipe: Recipe | None) -> dict[str, Any]:
    """What all images of a call have in common."""
    if recipe is None:
        return {}
    sampler, schedule = names.SAMPLERS.get(recipe.sampler), names.SCHEDULES.get(recipe.schedule)
    strength = recipe.strength if recipe.hires is None else recipe.hires_strength
    return {
        "subseed_strength": recipe.variation_strength,
        "width": recipe.width,
        "height": recipe.height,
        "sampler_name": recipe.sampler if sampler is None else sampler.label,
        "cfg_scale": recipe.guidance,
        "steps": recipe.steps,
        "sd_model_name": recipe.model,
        "sd_model_hash": recipe.model_sha256[:10],
        "sd_vae_name": recipe.vae,
        "sd_vae_hash": None if recipe.vae_sha256 is None else recipe.vae_sha256[:10],
        "denoising_strength": strength,
        "extra_generation_params": {
            "Schedule type": recipe.schedule if schedule is None else schedule.label
        },
        "clip_skip": recipe.clip_skip,
        "is_using_inpainting_conditioning": recipe.task == "inpaint",
    }


def _other_seed(recipe: Recipe | None) -> int:
    return -1 if recipe is None or recipe.variation_seed is None else recipe.variation_seed


def _infotext(recipe: Recipe | None) -> str:
    return "" if recipe is None else metadata.to_parameters(recipe)


def timestamp(job: Job | None) -> str:
    """When a job began, in this computer's time; `0` for none, as the original has it."""
    if job is None:
        return "0"
    moment = datetime.fromisoformat(job.started or job.created)
    return moment.astimezone().strftime("%Y%m%d%H%M%S")


def progress(job: Job | None, now: Progress | None, preview: bytes | None) -> dict[str, Any]:
    """How far the running job is; without one, that nothing runs."""
    told: dict[str, Any] = {
        "progress": 0.0,
        "eta_relative": 0.0,
        "state": {
            "skipped": False,
            "interrupted": False,
            "stopping_generation": False,
            "job": "" if job is None else job.task,
            "job_count": 0 if job is None else job.images,
            "job_timestamp": timestamp(job),
            "job_no": 0 if job is None else job.images_done,
            "sampling_step": 0 if now is None else now.step,
            "sampling_steps": 0 if now is None else now.steps,
        },
        "current_image": None if preview is None else text_of(_as_png(preview)),
        "textinfo": None,
    }
    if job is not None:
        share = 0.0 if now is None else now.step / max(now.steps, 1)
        # Never 0 while something runs: clients take that for the end.
        told["progress"] = min(max((job.images_done + share) / max(job.images, 1), 0.01), 1.0)
        told["eta_relative"] = 0.0 if now is None else (now.seconds_left or 0.0)
    return told


def png_info(image: Decoded) -> dict[str, Any]:
    """What an image tells of how it was made."""
    text = image.texts.get("parameters", image.texts.get(COMMENT, ""))
    rest = {name: value for name, value in image.texts.items() if value != text}
    return {"info": text, "items": rest, "parameters": _fields(text)}


def _fields(text: str) -> dict[str, str]:
    """The settings of a `parameters` text by their names there, sizes in two."""
    if not text:
        return {}
    read = parameters_text.split(text)
    found = {"Prompt": read.prompt, "Negative prompt": read.negative}
    for name, value in read.settings.items():
        shown = value if isinstance(value, str) else json.dumps(value)
        width, cross, height = shown.partition("x")
        if cross and width.isdecimal() and height.isdecimal():
            found |= {f"{name}-1": width, f"{name}-2": height}
        else:
            found[name] = shown
    return found


def _as_png(picture: bytes) -> bytes:
    buffer = io.BytesIO()
    Pillow.open(io.BytesIO(picture), formats=("WEBP", "PNG")).convert("RGB").save(buffer, "PNG")
    return buffer.getvalue()


def text_of(data: bytes) -> str:
    """A file as base64."""
    return base64.b64encode(data).decode()
