"""A model in a folder, as diffusers lays it out: a file or more for each network, and settings.

The weights tell the sizes, as in a single file.  The settings are asked only for what no shape
tells: the prediction, the groups of the norms, the heads.  No torch.
"""

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from darkroom.checkpoints.container import read_file
from darkroom.checkpoints.families import refuse_other_folders
from darkroom.checkpoints.sniff import DOWNLOAD_AGAIN
from darkroom.checkpoints.tensors import MAX_TENSORS, Header, TensorInfo, shown
from darkroom.errors import ModelError

INDEX = "model_index.json"
MAX_JSON_BYTES = 2**23

_PARTS = ("text_encoder", "unet", "vae")
# Those that some models have besides; an image encoder belongs to its normalizer.
_MORE_PARTS = ({"depth_estimator"}, {"image_encoder", "image_normalizer"})
# What the file of a part may be called, the best first; transformers names its own differently.
_STEMS = ("diffusion_pytorch_model", "model")
_PICKLED_STEMS = ("diffusion_pytorch_model", "pytorch_model")
_VARIANTS = ("", ".fp16", ".bf16", ".fp32")
_SNAPSHOT = re.compile(r"models--(?:.*--)?(.+)")

# Settings, and the names under which a single file's metadata tell the same.
_SETTINGS = (
    ("text_encoder/config.json", "num_attention_heads", "darkroom.text_encoder.heads"),
    ("image_encoder/config.json", "num_attention_heads", "darkroom.image_encoder.heads"),
    ("image_encoder/config.json", "hidden_act", "darkroom.image_encoder.activation"),
    ("depth_estimator/config.json", "num_attention_heads", "darkroom.depth.heads"),
    ("depth_estimator/config.json", "backbone_out_indices", "darkroom.depth.taps"),
    ("depth_estimator/config.json", "backbone_config.num_groups", "darkroom.depth.norm_groups"),
    ("text_encoder/config.json", "hidden_act", "darkroom.text_encoder.activation"),
    ("unet/config.json", "norm_num_groups", "darkroom.unet.norm_groups"),
    # The number of heads, in spite of its name; the newer entry goes before it where it is filled.
    ("unet/config.json", "attention_head_dim", "darkroom.unet.heads"),
    ("unet/config.json", "num_attention_heads", "darkroom.unet.heads"),
    ("unet/config.json", "sample_size", "darkroom.latent_size"),
    ("vae/config.json", "norm_num_groups", "darkroom.autoencoder.norm_groups"),
    ("vae/config.json", "scaling_factor", "darkroom.latent_scale"),
    ("scheduler/scheduler_config.json", "prediction_type", "diffusers.prediction_type"),
    ("scheduler/scheduler_config.json", "rescale_betas_zero_snr", "ztsnr"),
    ("scheduler/scheduler_config.json", "beta_start", "darkroom.beta_start"),
    ("scheduler/scheduler_config.json", "beta_end", "darkroom.beta_end"),
)


def is_model(path: Path) -> bool:
    """Whether a folder claims to be a model."""
    return (path / INDEX).is_file()


def name_of(path: Path) -> str:
    """What a model is called after its place: a file without its suffix, a folder.

    A snapshot in the cache of the Hugging Face hub is called as its repository is.
    """
    if not path.is_dir():
        return path.stem
    path = path.absolute()
    repository = _SNAPSHOT.fullmatch(path.parent.parent.name)
    return repository[1] if repository and path.parent.name == "snapshots" else path.name


def read_folder(path: Path) -> Header:
    """The header of a model in a folder.

    Of several variants of one network the first of these is meant: without a variant's name,
    `fp16`, `bf16`, `fp32`; `.safetensors` before `.bin`.

    Raises ModelError: the folder is no model, another family's, or incomplete; a list of shards
    leads outside or does not fit them.  OSError as the system says it.
    """
    name = path.absolute().name or str(path)
    if not is_model(path):
        raise ModelError(
            f"{name} is a folder, not a model.",
            f"Name the file inside it, or a folder with a {INDEX}.",
        )
    index = _read_json(path, INDEX)
    refuse_other_folders(index, name)
    tensors: dict[str, TensorInfo] = {}
    metadata: dict[str, str] = {}
    files: list[Path] = []
    for part in _parts(index):
        for file in _part_files(path, part):
            header = read_file(file)
            for key, info in header.tensors.items():
                if f"{part}/{key}" in tensors or len(tensors) == MAX_TENSORS:
                    raise _broken(path, f"it holds {part}/{key} twice, or too many tensors")
                tensors[f"{part}/{key}"] = replace(info, file=len(files))
            files.append(file)
            metadata |= header.metadata
    metadata |= _settings(path)
    return Header(container="folder", tensors=tensors, metadata=metadata, files=tuple(files))


def weight_files(path: Path) -> tuple[Path, ...]:
    """The files that hold a folder's weights, without opening them.  Raises ModelError."""
    parts = _parts(_read_json(path, INDEX))
    return tuple(file for part in parts for file in _part_files(path, part))


def origin(path: Path) -> str | None:
    """The name of the model that a folder says it was made from, if it says one."""
    with contextlib.suppress(ModelError):
        said = _read_json(path, INDEX).get("_name_or_path")
        if isinstance(said, str):
            return re.split(r"[/\\]", said)[-1] or None
    return None


def licence(path: Path) -> str | None:
    """The licence that a model card in the folder names in its first lines, if any."""
    try:
        with (path / "README.md").open("rb") as file:
            start = file.read(4096).decode(errors="replace")
    except OSError:
        return None
    card = re.match(r"---\n(.*?)\n---", start, re.DOTALL)
    said = re.search(r"^license: *([\w.+-]+) *$", card[1], re.MULTILINE) if card else None
    return said[1] if said else None


def _parts(index: Mapping[str, object]) -> tuple[str, ...]:
    """The networks that a model's index lists and that are used."""
    listed = {name for name, value in index.items() if isinstance(value, list) and any(value)}
    return (*_PARTS, *(part for parts in _MORE_PARTS if parts <= listed for part in sorted(parts)))


def _part_files(path: Path, part: str) -> list[Path]:
    """The file or the shards that hold one network."""
    for name in candidates():
        file = path / part / name
        if file.is_file():
            return _shards(path, part, file) if name.endswith(".json") else [file]
    raise _broken(path, f"{part}/{_STEMS[part == 'text_encoder']}.safetensors is missing")


def candidates() -> Iterator[str]:
    """What the file of a network, or its list of shards, may be called, the best first."""
    for suffix, stems in ("safetensors", _STEMS), ("bin", _PICKLED_STEMS):
        for variant in _VARIANTS:
            for stem in stems:
                yield f"{stem}{variant}.{suffix}"
                yield f"{stem}.{suffix}.index{variant}.json"


def _shards(path: Path, part: str, listed: Path) -> list[Path]:
    """The files that a list of shards names, beside it and nowhere else."""
    places = _read_json(path, f"{part}/{listed.name}").get("weight_map")
    if not isinstance(places, dict) or not places:
        raise _broken(path, f"{part}/{listed.name} lists no weights")
    files = []
    for name in dict.fromkeys(places.values()):
        # Also on a system where the other slash, or a drive's colon, would mean nothing.
        if not isinstance(name, str) or not re.fullmatch(r"[\w-][\w.-]*\.(safetensors|bin)", name):
            raise _broken(path, f"{part}/{listed.name} leads outside, to {str(name)[:80]!r}")
        file = listed.with_name(name)
        if not file.is_file():
            raise _broken(path, f"{part}/{name} is missing")
        files.append(file)
    return files


def _settings(path: Path) -> dict[str, str]:
    """What the parts' settings say of that which no shape tells; judged where it is used."""
    found = {}
    read: dict[str, Mapping[str, object]] = {}
    for file, key, name in _SETTINGS:
        if file not in read:
            read[file] = _read_json(path, file) if (path / file).is_file() else {}
        value: object = read[file]
        for step in key.split("."):
            value = value.get(step) if isinstance(value, dict) else None
        if isinstance(value, bool):
            found[name] = str(value).lower()
        elif isinstance(value, int | float | str):
            found[name] = str(value)
        elif isinstance(value, list):
            found[name] = ",".join(map(str, value))
    return found


def _read_json(path: Path, name: str) -> Mapping[str, object]:
    try:
        with (path / name).open("rb") as file:
            text = file.read(MAX_JSON_BYTES + 1)
        value = json.loads(text) if len(text) <= MAX_JSON_BYTES else None
    except OSError as error:
        raise _broken(path, f"{name} cannot be read ({error.strerror or error})") from error
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise _broken(path, f"{name} cannot be understood")
    return value


def _broken(path: Path, reason: str) -> ModelError:
    name = path.absolute().name or path
    return ModelError(f"{name} is no whole model in a folder: {shown(reason)}.", DOWNLOAD_AGAIN)
