"""An autoencoder (VAE) by itself: in a file, in a folder, or out of a whole model.  No torch."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from darkroom.checkpoints import layouts
from darkroom.checkpoints.folder import candidates, is_model, read_folder
from darkroom.checkpoints.header import read_header
from darkroom.checkpoints.rows import PART, Row
from darkroom.checkpoints.sizes import Reader
from darkroom.checkpoints.tensors import Header, TensorInfo
from darkroom.contracts import AutoencoderConfig
from darkroom.errors import ModelError

_PARTS = ("encoder.", "decoder.", "quant_conv.", "post_quant_conv.")


@dataclass(frozen=True, kw_only=True)
class Separate:
    """An autoencoder's header, with the place of each of its tensors."""

    config: AutoencoderConfig
    header: Header
    places: Mapping[Row, TensorInfo]


def read_autoencoder(path: Path, *, like: AutoencoderConfig) -> Separate:
    """The autoencoder at `path`, to take the place of one `like` this.

    It may bear the names of published files, with or without `first_stage_model.`, or those of
    diffusers; also in a folder that holds it alone, or a whole model.
    Raises ModelError: there is none, it is broken, or its latents are of another kind.
    """
    source = path.name or str(path)
    header = _header(path)
    try:
        config = Reader(header, source).autoencoder()
    except ValueError as error:  # Sizes that no network can have.
        raise layouts.broken(source, str(error)) from error
    rows = layouts.autoencoder_rows(config)
    places = layouts.match(rows, header.tensors, source, layout=header.layout)
    for what, theirs, ours in (
        ("channels", config.latent_channels, like.latent_channels),
        ("pixels a side", config.factor, like.factor),
    ):
        if theirs != ours:
            raise ModelError(
                f"The autoencoder {source} does not fit: its latents have {theirs} {what}, those "
                f"of the model {ours}.",
                "Take one that was made for this kind of model, or leave it out.",
            )
    return Separate(config=config, header=header, places=places)


def _header(path: Path) -> Header:
    """A header with the tensors of the autoencoder only, named as in a whole model."""
    header = read_folder(path) if is_model(path) else read_header(_file(path))
    bare = {_bare(name): info for name, info in header.tensors.items()}
    tensors = {name: info for name, info in bare.items() if name.startswith(_PARTS)}
    if not tensors:
        raise ModelError(
            f"{path.name} holds no autoencoder (VAE).",
            "Name a VAE's file, such as vae-ft-mse-840000-ema-pruned.safetensors.",
        )
    diffusers = any(name.startswith("encoder.down_blocks.") for name in tensors)
    prefix = PART["autoencoder"] if diffusers else layouts.AUTOENCODER
    return replace(
        header,
        tensors={prefix + name: info for name, info in tensors.items()},
        container="folder" if diffusers else header.container,
    )


def _bare(name: str) -> str:
    """A tensor's name without what stands before it in a whole model."""
    for prefix in (layouts.AUTOENCODER, PART["autoencoder"], "vae."):
        name = name.removeprefix(prefix)
    return name


def _file(path: Path) -> Path:
    """The file itself, or the one in a folder that holds an autoencoder alone."""
    files = (path / name for name in candidates() if not name.endswith(".json"))
    return next((file for file in files if file.is_file()), path)
