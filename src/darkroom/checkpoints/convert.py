"""One model from one layout to another: the same tensors, one at a time in memory."""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from torch import Tensor

from darkroom.checkpoints import diffusers_files, layouts
from darkroom.checkpoints.detect import LATENT_SCALE, NATIVE_LATENTS, detect, hidden_sizes
from darkroom.checkpoints.header import read_header
from darkroom.checkpoints.layouts import Network
from darkroom.checkpoints.load import DTYPES, checked
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
}
_PREDICTION = "modelspec.prediction_type"
# Metadata that are written anew.
_RETOLD = frozenset(
    {
        "format",
        "ztsnr",
        _PREDICTION,
        "diffusers.prediction_type",
        "darkroom.autoencoder.norm_groups",
        "darkroom.latent_scale",
        "darkroom.latent_size",
        "darkroom.text_encoder.activation",
        "darkroom.text_encoder.heads",
        "darkroom.unet.heads",
        "darkroom.unet.norm_groups",
    }
)
_PICKLES = frozenset({".ckpt", ".pt", ".pth", ".bin"})


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Bytes of weights that are written, of all."""

    done: int
    total: int


@dataclass(frozen=True)
class _Piece:
    """A tensor on its way: from its place in the source to its entry in the target."""

    name: str
    network: Network
    info: TensorInfo
    entry: Entry


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
    linear = any(_is_projection(piece) and len(piece.info.shape) == 2 for piece in pieces)
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
    sizes = spec.text_encoder, spec.unet, spec.autoencoder
    rows = layouts.sd1_rows(*sizes, names=header.tensors)
    places = layouts.match(
        rows, header.tensors, source, layout=header.layout, ema=averages == "use"
    )
    pieces = []
    # The target's names are today's, whatever the age of the source's.
    for row, written in zip(rows, layouts.sd1_rows(*sizes), strict=True):
        info = places[row]
        dtype = STORED[info.dtype] if precision is None else DTYPES[precision]
        entry = Entry(written.name(layout), dtype, row.written(layout, info.shape))
        pieces.append(_Piece(row.name(header.layout), row.network, info, entry))
        if averages == "keep" and row.network == "unet":
            name = layouts.ema_name(row.published)
            average = header.tensors.get(name)
            if average is None or average.shape != info.shape:
                raise layouts.broken(source, f"{name} is missing or misshapen")
            pieces.append(_Piece(name, row.network, average, replace(entry, name=name)))
    return pieces


def _is_projection(piece: _Piece) -> bool:
    return piece.network == "unet" and piece.name.endswith(".proj_in.weight")


def _metadata(header: Header, spec: ModelSpec, *, linear: bool) -> dict[str, str]:
    """What the source's metadata say, and what its other files said of which no shape tells.

    Hashes are left out: they are those of another file.
    """
    said = hidden_sizes(spec.text_encoder, spec.unet, spec.autoencoder, linear=linear)
    if spec.prediction == "v" or _PREDICTION in header.metadata:
        said[_PREDICTION] = "v" if spec.prediction == "v" else "epsilon"
    if spec.zero_terminal_snr:
        said["ztsnr"] = "true"
    if spec.latent_scale != LATENT_SCALE:
        said["darkroom.latent_scale"] = repr(spec.latent_scale)
    if spec.native_width != NATIVE_LATENTS * spec.autoencoder.factor:
        said["modelspec.resolution"] = f"{spec.native_width}x{spec.native_height}"
    kept = {
        name: value
        for name, value in header.metadata.items()
        if name not in _RETOLD and "hash" not in name
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


def _tensors(weights: Weights, pieces: Sequence[_Piece], source: str) -> Iterator[Tensor]:
    for piece in pieces:
        weight = checked(weights.stored(piece.info), piece.name, piece.entry.dtype, source)
        yield weight.reshape(piece.entry.shape)


def _write_file(
    header: Header, pieces: Sequence[_Piece], target: Path, metadata: Mapping[str, str]
) -> Iterator[Progress]:
    source = header.files[0].name
    total, done = sum(piece.entry.stored_bytes for piece in pieces), 0
    tensors = _tensors(Weights(header, source), pieces, source)
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
            prefix = layouts.PART[network]
            entries = [
                replace(piece.entry, name=piece.entry.name.removeprefix(prefix)) for piece in parts
            ]
            # What no settings of diffusers can say stands in the U-Net's file.
            said = metadata if network == "unet" else {}
            with (folder / name).open("wb") as file:
                tensors = _tensors(weights, parts, source)
                for written in write_safetensors(file, entries, tensors, said):
                    done += written
                    yield Progress(done=done, total=total)
