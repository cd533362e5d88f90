"""One model from one layout to another: the same tensors, one at a time in memory."""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from darkroom.checkpoints import diffusers_files, layouts
from darkroom.checkpoints.detect import detect, hidden_sizes, usual_of
from darkroom.checkpoints.header import read_header
from darkroom.checkpoints.layouts import Sizes
from darkroom.checkpoints.load import DTYPES, checked, piece_of
from darkroom.checkpoints.rows import PART, Network, Row
from darkroom.checkpoints.tensors import Header, Layout, TensorInfo, size_text
from darkroom.checkpoints.weights import DTYPES as STORED
from darkroom.checkpoints.weights import Weights
from darkroom.checkpoints.writing import Entry, whole_file, whole_folder, write_safetensors
from darkroom.contracts import ModelSpec, Precision, Prediction
from darkroom.errors import ModelError, OutputError, RequestError

Averages = Literal["drop", "use", "keep"]

_FILES: dict[Network, str] = {
    "text_encoder": "text_encoder/model.safetensors",
    "unet": "unet/diffusion_pytorch_model.safetensors",
    "autoencoder": "vae/diffusion_pytorch_model.safetensors",
    "depth": "depth_estimator/model.safetensors",
    "image_encoder": "image_encoder/model.safetensors",
    "statistics": "image_normalizer/diffusion_pytorch_model.safetensors",
}
_PREDICTION = "modelspec.prediction_type"
# Metadata that are written anew.
_RETOLD = frozenset({"format", "ztsnr", _PREDICTION, "diffusers.prediction_type"})
_RETOLD_PARTS = tuple(
    f"darkroom.{name}"
    for name in (
        "autoencoder.",
        "beta_",
        "depth.",
        "image_encoder.",
        "latent_",
        "noise_levels",
        "text_encoder.",
        "unet.",
    )
)
_PICKLES = frozenset({".ckpt", ".pt", ".pth", ".bin"})


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Bytes of weights that are written, of all."""

    done: int
    total: int


@dataclass(frozen=True)
class _Source:
    """A tensor that a row is in; no info: the file lacks it, and the row knows what it means."""

    row: Row
    info: TensorInfo | None
    name: str


@dataclass(frozen=True)
class _Piece:
    """A tensor on its way: from its places in the source, three where it is put together."""

    sources: tuple[_Source, ...]
    entry: Entry

    @property
    def network(self) -> Network:
        return self.sources[0].row.network


def convert(
    source: Path,
    target: Path,
    *,
    precision: Precision | None = None,
    averages: Averages = "drop",
    prediction: Prediction | None = None,
) -> Iterator[Progress]:
    """Writes the model at `source` to `target`: a `.safetensors` file, or else a folder.

    `precision`: None keeps every tensor in the type it is stored in.  `averages`: the U-Net's
    moving averages are left out, take the place of its weights, or stay beside them (in a file).
    `prediction` is the user's word, and is written down.  Yields progress; memory holds one tensor
    at a time.  What is written appears whole or not at all.

    Everything that can be refused before the weights are read is refused at once.
    Raises ModelError, RequestError for a target that cannot be meant, OutputError.
    """
    layout = _layout(target)
    if target.exists() or target.is_symlink():
        raise OutputError(f"{target} is there already.", "Name another, or remove it first.")
    header = read_header(source)
    spec = detect(header, source, prediction=prediction)
    if averages != "drop" and not spec.ema:
        raise ModelError(f"{source.name} holds no averaged weights (EMA).", "Leave the flag out.")
    if averages == "keep" and layout == "diffusers":
        raise RequestError(
            "A folder has no place for averaged weights beside the others.",
            "Say --ema to write them in place of the weights, or convert to a .safetensors file.",
        )
    pieces = _pieces(header, spec, layout, precision, averages)
    _check_space(target, sum(piece.entry.stored_bytes for piece in pieces))
    linear = any(_is_projection(piece) and len(piece.entry.shape) == 2 for piece in pieces)
    metadata = _metadata(header, spec, linear=linear)
    if layout == "published":
        return _write_file(header, pieces, target, metadata)
    files = diffusers_files.settings(spec, linear=linear)
    return _write_folder(header, spec, pieces, target, metadata, files)


def _layout(target: Path) -> Layout:
    suffix = target.suffix.lower()
    if suffix in _PICKLES:
        raise RequestError(
            f"Darkroom writes no {suffix} files: such a file can hold a program.",
            f"Name it {target.stem}.safetensors, or give a folder's name without a suffix.",
        )
    return "published" if suffix == ".safetensors" else "diffusers"


def _pieces(
    header: Header,
    spec: ModelSpec,
    layout: Layout,
    precision: Precision | None,
    averages: Averages,
) -> list[_Piece]:
    """Every tensor of the target, in the order of the layout's table."""
    source = spec.path.name
    sizes = Sizes.of(spec)
    places = layouts.match_model(sizes, header, source, ema=averages == "use")
    rows = layouts.model_rows(sizes, names=header.tensors)
    pieces: dict[str, _Piece] = {}
    # The target's names are today's, whatever the age of the source's.
    for row, today in zip(rows, layouts.model_rows(sizes), strict=True):
        info = places.get(row)
        name = today.name(layout)
        if name in pieces:  # Keys and values beside the queries.
            sources = (*pieces[name].sources, _Source(row, info, row.name(header.layout)))
            pieces[name] = replace(pieces[name], sources=sources)
            continue
        if precision is not None or info is None:
            dtype = DTYPES[precision or "fp32"]
        else:
            dtype = STORED[info.dtype]
        shape = row.written(layout, row.stored(layout) if info is None else info.shape)
        entry = Entry(name, dtype, shape)
        pieces[name] = _Piece((_Source(row, info, row.name(header.layout)),), entry)
        if averages == "keep" and row.network == "unet" and info is not None:
            average = layouts.ema_name(row.published)
            kept = header.tensors.get(average)
            if kept is None or kept.shape != info.shape:
                raise layouts.broken(source, f"{average} is missing or misshapen")
            entry = replace(entry, name=average)
            pieces[average] = _Piece((_Source(row, kept, average),), entry)
    return list(pieces.values())


def _is_projection(piece: _Piece) -> bool:
    return piece.network == "unet" and piece.entry.name.endswith(".proj_in.weight")


def _metadata(header: Header, spec: ModelSpec, *, linear: bool) -> dict[str, str]:
    """What the source's metadata say, and what its other files said of which no shape tells.

    Hashes are left out: they are those of another file.
    """
    said = hidden_sizes(Sizes.of(spec), linear=linear)
    usual = usual_of(spec.family, spec.task, spec.prediction)
    if spec.prediction == "v" or _PREDICTION in header.metadata:
        said[_PREDICTION] = "v" if spec.prediction == "v" else "epsilon"
    if spec.zero_terminal_snr:
        said["ztsnr"] = "true"
    if spec.latent_scale != usual.latent_scale:
        said["darkroom.latent_scale"] = repr(spec.latent_scale)
    if spec.betas != usual.betas:
        said["darkroom.beta_start"], said["darkroom.beta_end"] = map(repr, spec.betas)
    if spec.noise_levels not in {None, usual.noise_levels}:
        said["darkroom.noise_levels"] = str(spec.noise_levels)
    if spec.native_width != usual.latents * spec.autoencoder.factor:
        said["modelspec.resolution"] = f"{spec.native_width}x{spec.native_height}"
    kept = {
        name: value
        for name, value in header.metadata.items()
        if name not in _RETOLD and not name.startswith(_RETOLD_PARTS) and "hash" not in name
    }
    return {**kept, **said}


def _check_space(target: Path, needed: int) -> None:
    try:
        free = shutil.disk_usage(target.parent).free
    except OSError:
        return  # What is wrong with the folder is told when it is written to.
    if free < needed:
        raise OutputError(
            f"{target.name} needs {size_text(needed)}, and there are {size_text(free)} left.",
            "Make room, or write it elsewhere.",
        )


def _tensors(
    header: Header, weights: Weights, pieces: Sequence[_Piece], layout: Layout, source: str
) -> Iterator[Tensor]:
    for piece in pieces:
        parts = []
        for place in piece.sources:
            if place.info is not None:
                stored = checked(weights.stored(place.info), place.name, piece.entry.dtype, source)
                parts.append(piece_of(place.row, stored, header.layout))
            elif place.row.absent is not None:
                parts.append(torch.full(place.row.piece, place.row.absent))
        whole = torch.cat(parts) if len(parts) > 1 else parts[0]
        if layout == "diffusers" and piece.sources[0].row.turned:
            whole = whole.T
        yield whole.reshape(piece.entry.shape)


def _write_file(
    header: Header, pieces: Sequence[_Piece], target: Path, metadata: Mapping[str, str]
) -> Iterator[Progress]:
    source = header.files[0].name
    total, done = sum(piece.entry.stored_bytes for piece in pieces), 0
    tensors = _tensors(header, Weights(header, source), pieces, "published", source)
    entries = [piece.entry for piece in pieces]
    with whole_file(target, overwrite=False) as file:
        for written in write_safetensors(file, entries, tensors, metadata):
            done += written
            yield Progress(done=done, total=total)


def _write_folder(
    header: Header,
    spec: ModelSpec,
    pieces: Sequence[_Piece],
    target: Path,
    metadata: Mapping[str, str],
    files: Mapping[str, Mapping[str, object]],
) -> Iterator[Progress]:
    source = spec.path.name
    total, done = sum(piece.entry.stored_bytes for piece in pieces), 0
    weights = Weights(header, source)
    with whole_folder(target) as folder:
        for name, content in files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(json.dumps(content, indent=2) + "\n", "utf-8")
        (folder / "tokenizer/merges.txt").write_text(diffusers_files.merges_text(spec), "utf-8")
        for network, name in _FILES.items():
            parts = [piece for piece in pieces if piece.network == network]
            if not parts:
                continue
            prefix = PART[network]
            entries = [
                replace(piece.entry, name=piece.entry.name.removeprefix(prefix)) for piece in parts
            ]
            # What no settings of diffusers can say stands in the U-Net's file.
            said = metadata if network == "unet" else {}
            with (folder / name).open("wb") as file:
                tensors = _tensors(header, weights, parts, "diffusers", source)
                for written in write_safetensors(file, entries, tensors, said):
                    done += written
                    yield Progress(done=done, total=total)
