"""Models as lines for a person and as objects for a program."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from darkroom.checkpoints import catalog, registry
from darkroom.checkpoints.catalog import Installed
from darkroom.checkpoints.facts import Facts, facts, old_hash, short_hash, twins
from darkroom.checkpoints.tensors import size_text
from darkroom.cli.failure import printable
from darkroom.contracts import Family, ModelSpec, ModelTask
from darkroom.errors import ModelError

FAMILIES: Mapping[Family, str] = {"sd1": "Stable Diffusion 1", "sd2": "Stable Diffusion 2"}
_SPECIAL: Mapping[ModelTask, str] = {
    "inpaint": "inpainting",
    "depth2img": "depth",
    "upscale": "upscaler",
    "vary": "unCLIP",
    "pix2pix": "InstructPix2Pix",
}
_TASKS: Mapping[ModelTask, str] = {
    "txt2img": "text to image, image to image",
    "inpaint": "new parts of an image, from a mask",
    "depth2img": "image to image that keeps the depths",
    "upscale": "an image of more pixels",
    "vary": "variations of an image",
    "pix2pix": "image to image, told what to change",
}


@dataclass(frozen=True)
class Shelf:
    """Every installed model; `twins` maps a path to an earlier one with the same content.

    `gone`: imported models that are not where they were.  `damage`: what is wrong with the list.
    """

    models: Sequence[tuple[Installed, Facts]]
    twins: Mapping[Path, Path]
    gone: Mapping[str, Path]
    damage: str | None


def shelf() -> Shelf:
    """What is installed, with the header of each read."""
    models = catalog.installed()
    damage = None
    try:
        registry.read()
    except ModelError as error:
        damage = error.message
    return Shelf(
        models=[(model, facts(model.path)) for model in models],
        twins=twins(model.path for model in models),
        gone=catalog.vanished(),
        damage=damage,
    )


def shelf_lines(shelf: Shelf) -> Iterator[str]:
    """A table of what can be used, then what cannot, and why."""
    names = {model.path: model.name for model, _ in shelf.models}
    rows = [("NAME", "FAMILY", "SIZE", "FROM")]
    for model, found in shelf.models:
        if found.spec:
            origin = {"darkroom": "comes with Darkroom"}.get(model.origin, place(model.path))
            size = size_text(model.stored_bytes)
            rows.append((printable(model.name), kind(found.spec), size, origin))
    yield from columns(rows)
    for path, first in shelf.twins.items():
        yield f"The same twice: {printable(names[path])} is {printable(names[first])}."
    for _, found in shelf.models:
        if found.refusal:
            yield f"Not usable: {printable(found.refusal.message)} ({place(found.path)})"
    for name, path in shelf.gone.items():
        yield f"Gone: {printable(name)} was imported from {place(path)}, and is not there any more."
    if shelf.damage:
        yield f"Not usable: {printable(shelf.damage)}"


def shelf_object(shelf: Shelf) -> dict[str, object]:
    """The same for a program."""
    names = {model.path: model.name for model, _ in shelf.models}

    def row(model: Installed) -> dict[str, object]:
        twin = shelf.twins.get(model.path)
        return {
            "name": model.name,
            "path": str(model.path),
            "bytes": model.stored_bytes,
            "from": model.origin,
            "same_as": names[twin] if twin else None,
        }

    return {
        "models": [
            row(model) | {"family": found.spec.family, "task": found.spec.task}
            for model, found in shelf.models
            if found.spec
        ],
        "unusable": [
            row(model) | {"reason": found.refusal.message}
            for model, found in shelf.models
            if found.refusal
        ],
        "gone": {name: str(path) for name, path in shelf.gone.items()},
        "damage": shelf.damage,
    }


def facts_lines(found: Facts) -> Iterator[str]:
    """What `models info` shows; the hashes, which may take seconds, come last."""
    yield f"Name:       {printable(found.name)}{_titled(found)}"
    files = f" in {found.files} files" if found.files > 1 else ""
    yield f"File:       {place(found.path)}, {size_text(found.stored_bytes)}{files}"
    if found.container:
        stored = ", ".join(f"{name} ({size_text(n)})" for name, n in found.precisions.items())
        yield f"Stored as:  {found.container}, {found.tensors} tensors, {stored}"
    if found.spec:
        yield from _spec_lines(found.spec)
    yield f"Licence:    {printable(found.licence or 'not said in the file')}"
    if found.spec:
        digest = catalog.sha256(found.path)
        yield f"SHA-256:    {digest}"
    if found.spec and found.container != "folder":
        old = old_hash(found.path)
        before = f", {old} (A1111 in 2022)" if old else ""
        yield f"Short hash: {short_hash(digest)} (A1111, AutoV2){before}"


def _spec_lines(spec: ModelSpec) -> Iterator[str]:
    what_for = ", a demonstration" if spec.demonstration else ""
    millions = spec.parameters / 1e6
    yield f"Family:     {kind(spec)}, {millions:.0f} million parameters{what_for}"
    yield f"Known by:   {_structure(spec)}"
    yield f"Makes:      {_TASKS[spec.task]}"
    yield f"Size:       {spec.native_width} x {spec.native_height} pixels{_input(spec)}"
    yield f"Predicts:   {spec.prediction}: {printable(spec.prediction_reason)}"
    if spec.zero_terminal_snr:
        yield "Schedule:   zero-terminal SNR, trailing"
    if spec.noise_levels is not None:
        yield f"Noise:      levels 0 to {spec.noise_levels - 1} on the image that it is given"
    if spec.task == "depth2img" and spec.depth is None:
        yield "Depth:      it comes without its depth network, and needs a depth map"
    if spec.ema:
        yield "EMA:        it holds averaged weights as well; --ema uses them"
    if spec.words:
        yield f"Knows:      {len(spec.words)} words; --words lists them"


def kind(spec: ModelSpec) -> str:
    """What kind of model it is: `Stable Diffusion 2 inpainting`."""
    special = _SPECIAL.get(spec.task)
    return f"{FAMILIES[spec.family]} {special}" if special else FAMILIES[spec.family]


def _input(spec: ModelSpec) -> str:
    """The size of what it is given, where that is another."""
    if spec.task != "upscale":
        return ""
    factor = spec.autoencoder.factor
    return f", from {spec.native_width // factor} x {spec.native_height // factor}"


def _structure(spec: ModelSpec) -> str:
    """The sizes by which a model was known, in words."""
    text, unet = spec.text_encoder, spec.unet
    whose = "OpenCLIP's" if text.tokens == "openclip" else "CLIP's"
    told = ""
    if unet.classes is not None:
        told = f" and one of {unet.classes} numbers"
    elif unet.vector_width is not None:
        told = f" and a vector of {unet.vector_width}"
    widths = ", ".join(map(str, unet.widths))
    parts = [
        f"{whose} text encoder (layers: {text.layers}, width {text.width})",
        f"a U-Net that takes {unet.in_channels} channels{told} (widths {widths})",
        f"an autoencoder of factor {spec.autoencoder.factor}",
    ]
    if spec.depth is not None:
        parts.append(f"a depth network (layers: {spec.depth.layers}, width {spec.depth.width})")
    if spec.image_encoder is not None:
        layers, width = spec.image_encoder.layers, spec.image_encoder.width
        parts.append(f"an image encoder (layers: {layers}, width {width})")
    return ", ".join(parts)


def facts_object(found: Facts) -> dict[str, object]:
    """The same for a program; a spec comes without its vocabulary, which is as long as a book."""
    spec = found.spec
    told: dict[str, object] = {}
    if spec:
        digest = catalog.sha256(found.path)
        told = asdict(spec) | {
            "merges": len(spec.merges),
            "sha256": digest,
            "autov2": short_hash(digest),
            "autov1": old_hash(found.path),
        }
    return told | {
        "name": found.name,
        "path": str(found.path),
        "usable": spec is not None,
        "reason": found.refusal.message if found.refusal else None,
        "container": found.container,
        "files": found.files,
        "bytes": found.stored_bytes,
        "tensors": found.tensors,
        "precisions": dict(found.precisions),
        "title": found.title,
        "licence": found.licence,
    }


def place(path: Path) -> str:
    """A path as it is, byte for byte, but without power over the terminal."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", lambda match: repr(match[0])[1:-1], str(path))


def columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows with their cells below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


def _titled(found: Facts) -> str:
    return f" ({printable(found.title)})" if found.title and found.title != found.name else ""
