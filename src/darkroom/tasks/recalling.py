"""From an image file to wishes: to make it again, or something like it.  No torch."""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path, PurePosixPath
from typing import Any

from darkroom import names, paths
from darkroom.checkpoints import catalog, facts
from darkroom.contracts import Recipe, Request, Task
from darkroom.errors import ModelError, RequestError
from darkroom.images.foreign.recipe import ForeignRecipe
from darkroom.images.inspection import Inspection, inspect_file
from darkroom.planning import again, suitability
from darkroom.planning.resolve import MAX_SEED

# What `like` leaves to this machine, this model and this person.
_NOT_LIKENESS = frozenset({"task", "image", "model", "prediction", "precision", "watermark"})
_REQUEST = tuple(entry.name for entry in fields(Request))
# Without these another program's image cannot be made again.
_NEEDED = ("prompt", "seed", "steps", "sampler", "guidance", "width", "height")
# The input files, what they are called, and by which flag they are given.
_INPUTS = {
    "image": ("input image", "--input"),
    "mask": ("mask", "--mask"),
    "depth": ("depth map", "--depth"),
    "images": ("further image", "--image"),
}
_LORA = re.compile(r"<(?:lora|lyco|hypernet):([^:<>]{1,100})")
_MAX_NAMED = 12  # settings that one remark lists


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """What an image's recipe means here.

    `fields`: of a Request, by name.  `remarks`: a sentence for each thing that has no meaning
    here, or another one.
    """

    fields: Mapping[str, Any]
    remarks: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The encoded files that an image was made from; a recipe holds their checksums alone."""

    image: bytes | None = None
    mask: bytes | None = None
    depth: bytes | None = None
    images: tuple[bytes, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Replay:
    """How to make an image again.  `recipe` is None where another program wrote it."""

    request: Request
    recipe: Recipe | None
    remarks: tuple[str, ...]


def like(
    file: Path, task: Task = "txt2img", *, tell: Callable[[str], None] = lambda _: None
) -> Likeness:
    """The settings of an image, for another one by `task`; its model if it is installed.

    `tell` takes a sentence before something takes long.

    Raises:
        ImageError: it is no image.
        RequestError: it holds no recipe.
    """
    return meaning(inspect_file(file), file.name, task, tell=tell)


def meaning(
    found: Inspection,
    name: str,
    task: Task = "txt2img",
    *,
    hashing: bool = True,
    tell: Callable[[str], None] = lambda _: None,
) -> Likeness:
    """`like` for an image called `name` that was looked into already.

    Without `hashing` no model's file is read as a whole: what is not known of it counts for it.

    Raises:
        RequestError: it holds no recipe.
    """
    recipe, remarks = _recipe(found, name)
    if isinstance(recipe, Recipe):
        request = again.request_of(recipe)
        kept = [n for n in _REQUEST if n not in again.INDIFFERENT | _NOT_LIKENESS]
        values = {name: getattr(request, name) for name in kept}
    else:
        values = _translated(recipe, remarks)
    remarks += _for_task(values, task)
    model, digest = _model(recipe)
    installed = _installed(model, digest, tell) if hashing else _known(model, digest)
    if installed is not None:
        values["model"] = installed.name
        remarks += _other(installed, digest) if hashing else ()
    elif model or digest:
        remarks.append(f"{_missing(model, digest)} The usual model is used.")
    return Likeness(fields=values, remarks=tuple(remarks))


def replay(
    file: Path,
    *,
    model: str | None = None,
    inputs: Inputs | None = None,
    any_input: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> Replay:
    """The wish that makes the image of `file` again.

    `model`: where its model is, or which other one to take.  `inputs`: files that differ from the
    first ones are taken only with `any_input`.  `tell`: as in `like`.

    Raises:
        ImageError: it is no image.
        RequestError: it holds no recipe, or not enough of one, or an input is another file.
        ModelError: its model is not installed.
    """
    recipe, remarks = _recipe(inspect_file(file), file.name)
    inputs = inputs or Inputs()
    if isinstance(recipe, Recipe):
        request = again.request_of(recipe, **vars(inputs))
        remarks += _doubts(recipe, inputs, any_input=any_input)
    else:
        request = _completed(recipe, _translated(recipe, remarks), inputs.image, file.name)
        remarks.append(_promise(recipe))
    name, digest = _model(recipe)
    if model is None:
        found = _installed(name, digest, tell)
        if found is None:
            raise ModelError(_missing(name, digest), _how_to_get())
        remarks += _other(found, digest)
        model, path = found.name, found.path
    else:
        path = catalog.find(model)
    if digest is not None and not _is_of(path, digest):
        request = replace(request, prediction=None)  # what another model predicts, it knows
    return Replay(
        request=replace(request, model=model),
        recipe=recipe if isinstance(recipe, Recipe) else None,
        remarks=tuple(remarks),
    )


def _recipe(found: Inspection, name: str) -> tuple[Recipe | ForeignRecipe, list[str]]:
    """The recipe that counts, and what is to be said of it."""
    doubts = [note for note in found.notes if "recipe" in note]
    recipe = found.recipe or found.foreign
    if recipe is not None:
        return recipe, doubts
    hint = "Only its maker knows prompt and settings: darkroom txt2img takes them by hand."
    if found.mark is not None and found.mark.system == "Darkroom":
        raise RequestError(f"{name} was made privately: it holds no recipe.", hint)
    raise RequestError(" ".join([f"{name} holds no recipe that can be read.", *doubts]), hint)


def _translated(recipe: ForeignRecipe, remarks: list[str]) -> dict[str, Any]:
    """Fields of a Request out of another program's recipe; what does not become one is told."""
    values = {name: getattr(recipe, name, None) for name in _REQUEST if name != "model"}
    values = {name: value for name, value in values.items() if value is not None}
    remarks += [*_sampling(values), *_seeds(values)]
    loras = list(dict.fromkeys(_LORA.findall(recipe.prompt or "")))[:_MAX_NAMED]
    if loras:
        remarks.append(f"It was made with {', '.join(loras)} beside the model: not used here.")
    rest = [name for name in recipe.rest if "hash" not in name.lower()]
    if rest:
        told = "; ".join(f"{name}: {recipe.rest[name]}" for name in rest[:_MAX_NAMED])
        remarks.append(f"Not taken over: {told}{'; …' if len(rest) > _MAX_NAMED else ''}")
    return values


def _sampling(values: dict[str, Any]) -> Iterator[str]:
    """Make the names of sampler and schedule ours, and drop what our sampler does not take."""
    sampler, schedule = values.pop("sampler", None), values.pop("schedule", None)
    carried = None
    if sampler is not None:
        try:
            values["sampler"], carried = names.sampler_named(sampler)
        except RequestError as error:
            yield error.message
    try:
        schedule = None if schedule is None else names.schedule_named(schedule)
    except RequestError as error:
        yield error.message
        schedule = None
    record = names.SAMPLERS.get(values.get("sampler", ""))
    if record is None:
        return
    # Timesteps are spaced evenly where a program says nothing else; a few samplers bring their own.
    chosen = schedule or carried or record.schedule or "normal"
    if record.schedules is not None and chosen not in record.schedules:
        yield f"The sampler {record.name} is not defined on the schedule {chosen} here."
        chosen = record.schedules[0]
    values["schedule"] = chosen
    for name, taken in ("eta", record.uses_eta), ("churn", record.churn):
        if not taken and values.pop(name, None):
            yield f"Its {name} is left out: the sampler {record.name} takes none here."


def _seeds(values: dict[str, Any]) -> Iterator[str]:
    """Drop the seeds that no image here can have."""
    for name in ("seed", "variation_seed", "seed_offset"):
        seed = values.get(name)
        if seed is not None and not 0 <= seed <= MAX_SEED:
            del values[name]
            yield f"Its {_words(name)}, {seed}, is beyond every seed here."
    if not values.get("variation_strength") or "variation_seed" not in values:
        values.pop("variation_seed", None)
        values.pop("variation_strength", None)


def _for_task(values: dict[str, Any], task: Task) -> Iterator[str]:
    """Drop what this task has no use for."""
    dropped = {
        name: values.pop(name, None) for name in _REQUEST if not suitability.taken_by(name, task)
    }
    said = [suitability.called(name) for name, value in dropped.items() if value]
    if said:
        yield f"Left out, for {task} takes none of it: {', '.join(said)}."


def _completed(
    recipe: ForeignRecipe, values: Mapping[str, Any], image: bytes | None, name: str
) -> Request:
    """The Request of another program's recipe that says all that it must."""
    missing = [_words(need) for need in _NEEDED if need not in values]
    if missing:
        raise RequestError(
            f"{name} cannot be made again: the recipe of {recipe.program} lacks "
            f"{', '.join(missing)}.",
            f"darkroom txt2img --like {name} takes over what it does tell.",
        )
    if recipe.strength is not None and image is None:
        raise _lacks(*_INPUTS["image"])
    return Request(task="txt2img" if image is None else "img2img", image=image, **values)


def _promise(recipe: ForeignRecipe) -> str:
    """What may be expected of a replay without a recipe of ours."""
    if recipe.software.startswith("Darkroom"):
        return "Only the text for other programs is left of its recipe, which tells less."
    return (
        f"{recipe.program} made it: the settings are the same, the arithmetic is not, so expect "
        "the same picture rather than the same pixels."
    )


def _doubts(recipe: Recipe, inputs: Inputs, *, any_input: bool) -> Iterator[str]:
    """Judge the input files; a sentence for each that is another one and taken all the same."""
    for name, (what, flag) in _INPUTS.items():
        given = getattr(inputs, name)
        files = given if isinstance(given, tuple) else () if given is None else (given,)
        told = getattr(recipe, f"{'input' if name == 'image' else name}_sha256")
        wanted = told if isinstance(told, tuple) else () if told is None else (told,)
        found = tuple(hashlib.sha256(file).hexdigest() for file in files)
        if len(found) > len(wanted):
            raise RequestError(
                f"This image was made with {len(wanted) or 'no'} {what}.", f"Leave {flag} out."
            )
        if len(found) < len(wanted):
            raise _lacks(what, flag, wanted[len(found)])
        for digest, first in zip(found, wanted, strict=True):
            if digest == first:
                continue
            if not any_input:
                raise RequestError(
                    f"That {what} is not the file with which this image was made: its SHA-256 is "
                    f"{digest[:16]}…, not {first[:16]}….",
                    "Find that very file, or take this one all the same with --any-input.",
                )
            yield f"Another {what} is taken: its SHA-256 is {digest[:16]}…, not {first[:16]}…."


def _lacks(what: str, flag: str, digest: str | None = None) -> RequestError:
    which = "" if digest is None else f", the file with the SHA-256 {digest}"
    return RequestError(
        f"The {what} with which this image was made is needed{which}.",
        f"Give it with {flag} FILE.",
    )


def _installed(
    name: str, digest: str | None, tell: Callable[[str], None]
) -> catalog.Installed | None:
    """The installed model of this checksum, else the one of this name."""
    models = catalog.installed()
    named = [model for model in models if name and _stem(model.name) == _stem(name)]
    others = [model for model in models if model not in named]
    if digest is not None:
        for model in named:
            if _is_of(model.path, digest):
                return model
        if others:
            tell("Looking for the model by its checksum: large files take a while the first time.")
        for model in others:
            if _is_of(model.path, digest):
                return model
    return named[0] if named else None


def _known(name: str, digest: str | None) -> catalog.Installed | None:
    """The installed model of this checksum as far as checksums are known, else of this name."""
    models = catalog.installed()
    if digest is not None:
        for model in models:
            if (catalog.known_sha256(model.path) or "").startswith(digest):
                return model
    named = (model for model in models if name and _stem(model.name) == _stem(name))
    return next(named, None)


def _other(found: catalog.Installed, digest: str | None) -> Iterator[str]:
    """That a model has only the name in common with the one that is meant."""
    if digest is not None and not _is_of(found.path, digest):
        told = f"its checksum is not the {digest[:10]} of the recipe"
        yield f"The model {found.name} is another of that name: {told}."


def _stem(name: str) -> str:
    """What different programs' names of one model file have in common."""
    file = PurePosixPath(name.replace("\\", "/")).name
    return re.sub(r"\.(?:safetensors|ckpt|pt)$", "", file, flags=re.IGNORECASE).casefold()


def _is_of(path: Path, digest: str) -> bool:
    """Whether a model has this checksum, or the beginning of it, or A1111's first kind of one."""
    try:
        return facts.old_hash(path) == digest or catalog.sha256(path).startswith(digest)
    except ModelError:  # it cannot be read: then it cannot be meant
        return False


def _missing(name: str, digest: str | None) -> str:
    which = f"The model {name}" if name else "Its model"
    if digest is None:
        return f"{which} is not installed."
    kinds = {64: "its SHA-256 is", 8: "its short hash of 2022 is"}
    told = kinds.get(len(digest), "its SHA-256 begins with")
    return f"{which} is not installed ({told} {digest})."


def _how_to_get() -> str:
    return (
        f"Put its file into {paths.models_folder()}, or say where it is with --model FILE; sites "
        "for models find a file by that checksum. --model NAME takes another model."
    )


def _model(recipe: Recipe | ForeignRecipe) -> tuple[str, str | None]:
    """Name and checksum of a recipe's model, as far as they are told."""
    if isinstance(recipe, Recipe):
        return recipe.model, recipe.model_sha256
    return recipe.model or "", recipe.model_hash


def _words(name: str) -> str:
    return name.replace("_", " ")
