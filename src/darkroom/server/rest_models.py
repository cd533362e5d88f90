"""`/api/models`: what is installed, and how to get more.  No path comes in or goes out."""

import difflib
import hmac
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from fastapi import Path as InPath
from pydantic import Field

from darkroom import paths
from darkroom.checkpoints import catalog, elsewhere, facts, folder, registry, sources
from darkroom.checkpoints.catalog import Installed
from darkroom.checkpoints.facts import Facts
from darkroom.contracts import ModelSpec
from darkroom.errors import RequestError
from darkroom.server import answers_about, refusals
from darkroom.server.answers import Said, like
from darkroom.server.refusals import Refusal
from darkroom.server.services import Here, Services

router = APIRouter(prefix="/api/models", tags=["models"])

Named = Annotated[str, InPath(min_length=1, max_length=300)]


class Found(Said):
    """A model of another program, by the id under which it was told."""

    model_config = like(id="0123456789abcdef" * 2)

    id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class Wanted(Said):
    """A name in the catalogue: what else there is to pull, only a person at a terminal may say."""

    model_config = like(name="sd-1.5")

    name: Annotated[str, Field(min_length=1, max_length=1000)]


class Conversion(Said):
    """Into which layout, and with numbers of which format (as they are, where none is said)."""

    model_config = like(to="safetensors", precision="fp16")

    to: Literal["safetensors", "diffusers"]
    precision: Literal["fp16", "bf16", "fp32"] | None = None


@router.get("", response_model=answers_about.Models)
def installed(here: Here) -> dict[str, Any]:
    """Every installed model, what it was identified as and why, and what is on its way."""
    models = here.shelf.installed()
    same = facts.twins(model.path for model in models)
    names = {model.path: model.name for model in models}
    rows = [_row(model, here.shelf.facts(model)) for model in models]
    for row, model in zip(rows, models, strict=True):
        row["same_as"] = names[same[model.path]] if model.path in same else None
    return {
        "models": rows,
        "gone": list(catalog.vanished()),
        "pulls": here.arrivals.all(),
    }


@router.get("/found", response_model=answers_about.FoundModels)
def found(here: Here) -> dict[str, Any]:
    """Models of other programs on this computer, which can be used where they lie."""
    known = {model.path.resolve(): model.name for model in here.shelf.installed()}
    rows = []
    for one in elsewhere.find():
        told = facts.facts(one.path)
        rows.append(
            {
                "id": _id_of(here, one.path),
                "program": one.program,
                "name": folder.origin(one.path) or told.name,
                "imported_as": known.get(one.path.resolve()),
                "bytes": told.stored_bytes,
                "family": None if told.spec is None else told.spec.family,
                "task": None if told.spec is None else told.spec.task,
                "why_not": _why_not(told),
            }
        )
    return {"found": rows}


@router.get("/known", response_model=answers_about.KnownModels)
def known(here: Here) -> dict[str, Any]:
    """The catalogue: models that can be pulled by their names, their licences and sizes."""
    there = {model.path.name for model in here.shelf.installed()}
    rows = []
    for entry in sources.CATALOGUE.values():
        file = entry.name + entry.file[entry.file.rindex(".") :]
        rows.append(
            {
                "name": entry.name,
                "about": entry.about,
                "family": entry.family,
                "repository": entry.repository,
                "bytes": entry.size,
                "sha256": entry.sha256,
                "licence": entry.licence.name,
                "licence_link": entry.licence.link,
                "login": entry.login,
                "installed": file in there,
            }
        )
    return {"models": rows, "host": sources.host()}


@router.post("/import", status_code=201, response_model=answers_about.ModelName)
def take(body: Found, here: Here) -> dict[str, Any]:
    """Use a model of another program where it lies: it gets a name, and nothing is copied."""
    for one in elsewhere.find():
        if hmac.compare_digest(_id_of(here, one.path), body.id):
            break
    else:
        raise Refusal(404, "That model is not there any more.", "Look again.")
    told = facts.facts(one.path)
    if told.refusal is not None:
        raise told.refusal
    taken = frozenset(model.name for model in here.shelf.installed())
    name = registry.add(folder.origin(one.path) or told.name, one.path, taken=taken)
    here.news.models()
    return {"name": name}


@router.post("/pull", status_code=202, response_model=answers_about.ModelName)
def pull(body: Wanted, here: Here) -> dict[str, Any]:
    """Download a model of the catalogue; what was cut goes on where it ended.

    `pull` events tell how far it is.
    """
    if body.name not in sources.CATALOGUE:
        near = difflib.get_close_matches(body.name, sources.CATALOGUE, n=3)
        meant = f" Did you mean {' or '.join(near)}?" if near else ""
        raise RequestError(
            f"The catalogue has no {body.name[:100]!r}.{meant}",
            "Others are pulled at a terminal: darkroom models pull OWNER/REPOSITORY/FILE",
        )
    here.arrivals.pull(body.name, sources.find(body.name))
    return {"name": body.name}


@router.get("/{name:path}", response_model=answers_about.OneModel)
def one(name: Named, here: Here) -> dict[str, Any]:
    """A model with its SHA-256, which takes a while to compute the first time."""
    model = _named(here, name)
    told = here.shelf.facts(model)
    row = _row(model, told)
    if told.spec is not None:
        row["sha256"] = catalog.sha256(model.path)
    row["precisions"] = dict(told.precisions)
    row["tensors"] = told.tensors
    row["words_known"] = [] if told.spec is None else list(told.spec.words)
    return {"model": row}


@router.post("/{name:path}/convert", status_code=202, response_model=answers_about.ModelName)
def convert(name: Named, body: Conversion, here: Here) -> dict[str, Any]:
    """Write a model in another layout or precision, into the models folder."""
    model = _named(here, name)
    ending = "" if body.precision is None else f"-{body.precision}"
    stem = folder.name_of(model.path) + ending
    target = paths.models_folder() / (
        f"{stem}.safetensors" if body.to == "safetensors" else f"{stem}-diffusers"
    )
    if target.exists():
        raise Refusal(409, f"{target.name} is there already.", "Use that one.")
    target.parent.mkdir(parents=True, exist_ok=True)
    here.arrivals.convert(target.name, model.path, target, body.precision)
    return {"name": target.name}


@router.delete("/{name:path}", status_code=204)
def forget(name: Named, here: Here) -> None:
    """Forget an imported model.  Its file stays where it is."""
    if name not in registry.read():
        _named(here, name)
        raise Refusal(
            409,
            f"{name} was not imported, so it cannot be forgotten.",
            "Darkroom deletes no model files; delete it from the models folder yourself.",
        )
    registry.remove(name)
    here.news.models()


def _named(here: Services, name: str) -> Installed:
    for model in here.shelf.installed():
        if model.name == name:
            return model
    raise Refusal(404, f"There is no model {name[:100]!r} here.", "Load the list anew.")


def _row(model: Installed, told: Facts) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": model.name,
        "title": told.title,
        "from": model.origin,
        "usable": told.spec is not None,
        "why_not": _why_not(told),
        "bytes": told.stored_bytes,
        "container": told.container,
        "licence": told.licence,
        "sha256": None,
        "removable": model.origin == "imported",
    }
    return row | (_spec(told.spec) if told.spec is not None else {})


def _spec(spec: ModelSpec) -> dict[str, Any]:
    """What it is, and by what it was known."""
    text, unet = spec.text_encoder, spec.unet
    whose = "OpenCLIP's" if text.tokens == "openclip" else "CLIP's"
    return {
        "family": spec.family,
        "task": spec.task,
        "why": f"{whose} text encoder of {text.layers} layers and width {text.width}, a U-Net that "
        f"takes {unet.in_channels} channels, an autoencoder of factor {spec.autoencoder.factor}",
        "parameters": spec.parameters,
        "prediction": spec.prediction,
        "prediction_reason": spec.prediction_reason,
        "native_width": spec.native_width,
        "native_height": spec.native_height,
        "layers": text.layers,
        "text_width": text.width,
        "context_length": text.context_length,
        "factor": spec.autoencoder.factor,
        "latent_channels": spec.autoencoder.latent_channels,
        "noise_levels": spec.noise_levels,
        "depth_network": spec.depth is not None,
        "ema": spec.ema,
        "words": len(spec.words),
        "demonstration": spec.demonstration,
        "defaults": {
            name: getattr(spec.defaults, name)
            for name in ("steps", "sampler", "schedule", "guidance", "width", "height")
        },
    }


def _why_not(told: Facts) -> str | None:
    return None if told.refusal is None else refusals.without_paths(told.refusal.message)


def _id_of(here: Services, path: Path) -> str:
    """A name for a place that tells nothing of it."""
    key = here.keys.session.encode()
    return hmac.new(key, str(path).encode("utf-8", "surrogateescape"), "sha256").hexdigest()[:32]
