"""The safety checker's file: where it is installed, and what its tensors are.  No torch."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from darkroom import paths, settings
from darkroom.checkpoints import catalog, layouts
from darkroom.checkpoints.header import read_header
from darkroom.checkpoints.rows import PART, Network, Place, Row, Table
from darkroom.checkpoints.sizes import Reader
from darkroom.checkpoints.tensors import Header, TensorInfo
from darkroom.checkpoints.towers import image_rows
from darkroom.contracts import ImageEncoderConfig
from darkroom.errors import ModelError

NAME = "safety-checker"

_FILES = ("model.safetensors", "pytorch_model.bin")
_CONCEPTS = {
    "concept_embeds": "concepts",
    "concept_embeds_weights": "limits",
    "special_care_embeds": "special_concepts",
    "special_care_embeds_weights": "special_limits",
}


@dataclass(frozen=True, kw_only=True)
class SafetyFile:
    """A safety checker's header, with the place of each of its tensors."""

    config: ImageEncoderConfig
    concepts: int
    special: int
    header: Header
    places: Mapping[Row, TensorInfo]


def installed() -> Path | None:
    """The installed checker, a file or a folder: that of the setting, or one among the models."""
    said = settings.read("safety_checker")
    if said:
        return Path(str(said)).expanduser()
    names = (f"{NAME}.safetensors", *catalog.SAFETY_CHECKERS)
    places = (paths.models_folder() / name for name in names)
    return next((place for place in places if _weights(place).is_file()), None)


def read_safety_checker(path: Path) -> SafetyFile:
    """The checker at `path`: the published file, or the folder that it came in.

    Raises ModelError: there is none, or it is broken.
    """
    source, file = path.name or str(path), _weights(path)
    if not file.is_file():
        raise ModelError(
            f"The safety checker {source} is not there.",
            f"Get it: darkroom models pull {NAME}",
        )
    header = _renamed(read_header(file), path)
    if not all(PART["safety_checker"] + name in header.tensors for name in _CONCEPTS):
        raise ModelError(
            f"{source} is no safety checker.",
            "It is the file of stable-diffusion-safety-checker that is meant.",
        )
    config = Reader(header, source).image_encoder()
    if config is None:
        raise layouts.broken(source, "its image encoder is missing")
    counts = [header.tensors[PART["safety_checker"] + name].shape[:1] for name in _CONCEPTS]
    concepts, special = (counts[place][0] if counts[place] else 0 for place in (0, 2))
    rows = [row for row in image_rows(config) if row.network == "image_encoder"]
    rows += _concept_rows(concepts, special, config.embedding)
    places = layouts.match(rows, header.tensors, source, layout="diffusers")
    return SafetyFile(
        config=config, concepts=concepts, special=special, header=header, places=places
    )


def _weights(path: Path) -> Path:
    """The file itself, or the one in its folder."""
    files = (path / name for name in _FILES)
    return next((file for file in files if file.is_file()), path)


def _renamed(header: Header, path: Path) -> Header:
    """The header with its tensors named as the parts of a folder, and what its config says."""
    tensors = {_place(name): info for name, info in header.tensors.items()}
    # The published tower has CLIP's own activation, in whatever program it is.
    said = {"darkroom.image_encoder.activation": "quick_gelu", **_said(path), **header.metadata}
    return replace(header, tensors=tensors, container="folder", metadata=said)


def _place(name: str) -> str:
    """Where a tensor stands in a folder's parts; the published file names its tower twice."""
    inner = "vision_model."
    if name.startswith(inner):
        return PART["image_encoder"] + inner + name.removeprefix(inner).removeprefix(inner)
    part: Network = "image_encoder" if name.startswith("visual_") else "safety_checker"
    return PART[part] + name


def _said(path: Path) -> dict[str, str]:
    """What no shape tells and the folder's configuration may."""
    try:
        config = json.loads((path / "config.json").read_text("utf-8"))["vision_config"]
        return {"darkroom.image_encoder.heads": str(config["num_attention_heads"])}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}


def _concept_rows(concepts: int, special: int, width: int) -> list[Row]:
    table = Table("safety_checker", "")
    for (theirs, ours), count in zip(
        _CONCEPTS.items(), (concepts, concepts, special, special), strict=True
    ):
        shape = (count,) if theirs.endswith("_weights") else (count, width)
        table.plain(Place(theirs, theirs, ours), *shape)
    return table.rows
