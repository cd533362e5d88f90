"""What AUTOMATIC1111's API lists: samplers, models, upscalers, styles, options, memory."""

from collections.abc import Mapping
from typing import Any

from darkroom import names, paths, settings
from darkroom.checkpoints import catalog, facts
from darkroom.checkpoints.catalog import Installed
from darkroom.errors import RequestError
from darkroom.server.a1111_wishes import ENLARGERS, SETTLED, Options
from darkroom.server.model_names import ModelNames
from darkroom.server.services import Services
from darkroom.text import styles

PLAIN_UPSCALERS = ("None", "Lanczos", "Nearest")
X4 = 4


def samplers() -> list[dict[str, Any]]:
    """The samplers by their labels."""
    return [
        {"name": one.label, "aliases": [one.name, *one.aliases], "options": {}}
        for one in names.SAMPLERS.values()
    ]


def schedulers() -> list[dict[str, Any]]:
    """The schedules; `automatic` is that of the sampler, or of the model."""
    known = [(one.name, one.label, list(one.aliases)) for one in names.SCHEDULES.values()]
    return [
        {
            "name": name,
            "label": label,
            "aliases": aliases,
            "default_rho": -1.0,
            "need_inner_model": False,
        }
        for name, label, aliases in [("automatic", "Automatic", []), *known]
    ]


def models(services: Services) -> list[dict[str, Any]]:
    """The installed models.  A hash is told once it was taken: large files take a while."""
    return [
        {
            "title": title_of(one),
            "model_name": one.name,
            "hash": None if digest is None else facts.short_hash(digest),
            "sha256": digest,
            "filename": one.path.name,
            "config": None,
        }
        for one in services.shelf.installed()
        for digest in [catalog.known_sha256(one.path)]
    ]


def title_of(model: Installed) -> str:
    """The name of a model, and its hash where that is known."""
    digest = catalog.known_sha256(model.path)
    return model.name if digest is None else f"{model.name} [{facts.short_hash(digest)}]"


def upscalers(services: Services) -> list[dict[str, Any]]:
    """Filters, and the installed models that enlarge."""
    rows = [_upscaler(name, None, X4) for name in PLAIN_UPSCALERS]
    rows += [_upscaler(name, name, X4) for name in x4_models(services)]
    return rows


def x4_models(services: Services) -> list[str]:
    """The names of the models that enlarge."""
    made_for = ModelNames(services.shelf).made_for_each()
    return [name for name, task in made_for.items() if task == "upscale"]


def _upscaler(name: str, model: str | None, scale: int) -> dict[str, Any]:
    return {
        "name": name,
        "model_name": model,
        "model_path": None,
        "model_url": None,
        "scale": scale,
    }


def latent_modes() -> list[dict[str, str]]:
    """Enlargers of the second pass that work on latents."""
    return [{"name": name} for name, enlarger in ENLARGERS.items() if enlarger == "latent"]


def prompt_styles() -> list[dict[str, str]]:
    """The person's own styles, and those of the library."""
    return [
        {"name": name, "prompt": style.prompt, "negative_prompt": style.negative}
        for group in styles.groups(paths.styles_file()).values()
        for name, style in group.items()
    ]


def options(services: Services, now: Options) -> dict[str, Any]:
    """The options that mean something here, and a few that clients look for."""
    said = dict(now.said)
    name = said.get("sd_model_checkpoint")
    if name is None:
        name = str(settings.read("model"))
    known = {one.name: one for one in services.shelf.installed()}
    digest = catalog.known_sha256(known[name].path) if name in known else None
    return {
        "samples_save": True,
        "samples_format": "png",
        "save_images_add_number": True,
        "live_previews_enable": True,
        "show_progress_every_n_steps": 1,
        "live_previews_image_format": "png",
        "enable_pnginfo": True,
        "sd_vae": "Automatic",
        "CLIP_stop_at_last_layers": 1,
        "eta_noise_seed_delta": 0,
        "eta_ddim": 0.0,
        "eta_ancestral": 1.0,
        "randn_source": "CPU",
        **said,
        "sd_model_checkpoint": title_of(known[name]) if name in known else name,
        "sd_checkpoint_hash": digest,
    }


def settled(said: Mapping[str, Any], now: Options, known: ModelNames) -> Options:
    """The options after some were set; those that mean nothing here are forgotten.

    DarkroomError where one that does cannot be meant.
    """
    kept = {name: value for name, value in said.items() if name in SETTLED}
    model = kept.get("sd_model_checkpoint")
    if model is not None:
        if not isinstance(model, str):
            raise RequestError("A model is called by a text.", "sd-models lists the titles.")
        kept["sd_model_checkpoint"] = known.named(model)
    return now.but(kept)


def memory(services: Services) -> dict[str, Any]:
    """Bytes of memory of the devices, as they were measured last."""
    ram: dict[str, Any] = {"error": "not measured yet"}
    cuda: dict[str, Any] = {"error": "unavailable"}
    for machine in services.store.machines.all():
        free, total = machine.memory_free, machine.memory_total
        told = {"free": free, "used": total - free, "total": total}
        if machine.device == "cpu":
            ram = told
        elif machine.device.startswith("cuda") and "error" in cuda:
            cuda = {"system": told}
    return {"ram": ram, "cuda": cuda}


def flags() -> dict[str, Any]:
    """What clients look for among the flags of the original."""
    return {"api": True, "nowebui": False, "listen": False, "api_auth": None}
