"""What there is: the server and its devices, choices, settings and wildcards."""

from typing import Any

from fastapi import APIRouter

from darkroom import __version__, names, paths, settings
from darkroom.planning.comparing import AXES
from darkroom.server import answers_about
from darkroom.server.refusals import without_paths
from darkroom.server.services import Here
from darkroom.server.told_settings import told_settings

router = APIRouter(prefix="/api", tags=["about"])

_TASKS = (
    ("txt2img", "Text"),
    ("img2img", "Image"),
    ("inpaint", "Inpaint"),
    ("depth2img", "Depth"),
    ("upscale", "Upscale"),
    ("vary", "Vary"),
)
_KINDS = {"whole": "integer", "real": "number", "text": "text", "model": "choice"}


@router.get("/status", response_model=answers_about.Status)
def status(here: Here) -> dict[str, Any]:
    """Version, devices and what they do, the queue, and what is used where nothing is said."""
    return {
        "version": __version__,
        "devices": [dict(device) for device in here.crew.devices()],
        "queue": here.news.views.queue(),
        "offline": True,
        "safety": here.safety(),
        "defaults": {"model": settings.read("model")},
        "notes": [without_paths(note) for note in here.store.notes],
    }


@router.get("/choices", response_model=answers_about.Choices)
def choices() -> dict[str, Any]:
    """Names that wishes may say: samplers, schedules, tasks, formats, and what a grid may vary."""
    return {
        "samplers": [
            {
                "name": sampler.name,
                "label": sampler.label,
                "help": sampler.help,
                "schedule": sampler.schedule,
                "schedules": None if sampler.schedules is None else list(sampler.schedules),
                "takes": [
                    what
                    for what, taken in (("eta", sampler.uses_eta), ("churn", sampler.churn))
                    if taken
                ],
                "predictions": list(sampler.predictions),
            }
            for sampler in names.SAMPLERS.values()
        ],
        "schedules": [
            {"name": one.name, "label": one.label, "help": one.help, "max_steps": one.max_steps}
            for one in names.SCHEDULES.values()
        ],
        "tasks": [{"name": name, "label": label} for name, label in _TASKS],
        "formats": ["png", "jpeg", "webp"],
        "prompt_syntaxes": list(settings.TABLE["prompt_syntax"].choices),
        "axes": [
            {"field": field, "label": label, "kind": _KINDS.get(kind, "choice")}
            for field, (label, kind) in AXES.items()
        ],
    }


@router.get("/wildcards", response_model=answers_about.Wildcards)
def wildcards() -> dict[str, list[str]]:
    """The names that may stand between `__` and `__` in a prompt."""
    folder = paths.wildcards_folder()
    found = (path.relative_to(folder) for path in folder.rglob("*.txt") if path.is_file())
    return {"names": sorted(path.with_suffix("").as_posix() for path in found)}


@router.get("/settings", response_model=answers_about.Settings)
def all_settings() -> dict[str, Any]:
    """Every setting, its value, and where that comes from."""
    return {"settings": told_settings()}
