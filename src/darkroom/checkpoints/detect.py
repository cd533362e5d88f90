"""From a header to a ModelSpec: what a checkpoint is, by structure, or why it cannot be used.

Three verdicts: a ModelSpec; *not mine* (another family, refused by its name); *mine but broken*
(the first key that is missing, misshapen or too many is named).  No torch.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from darkroom.checkpoints import layouts
from darkroom.checkpoints.families import refuse_other_families
from darkroom.checkpoints.folder import name_of
from darkroom.checkpoints.layouts import broken
from darkroom.checkpoints.prediction import prediction_of
from darkroom.checkpoints.sizes import (
    ACTIVATION,
    NORM_GROUPS,
    Reader,
    usual_heads,
    usual_text_heads,
)
from darkroom.checkpoints.tensors import Header
from darkroom.contracts import (
    AutoencoderConfig,
    ModelSpec,
    Prediction,
    TextEncoderConfig,
    UNetConfig,
)

LATENT_SCALE = 0.18215
NATIVE_LATENTS = 64  # Stable Diffusion 1 was trained on latents of 64 × 64.

MAX_PIXELS = 8192

_RESOLUTION = re.compile(r"\s*(\d{1,5})\s*x\s*(\d{1,5})\s*")


def detect(header: Header, path: Path, *, prediction: Prediction | None = None) -> ModelSpec:
    """What the checkpoint at `path` with this header is.

    Every size comes from the tensors' shapes; what no shape tells (groups of the norms, heads that
    differ from the published ones) may stand in the file's metadata as `darkroom.*`.
    `prediction` is the user's word on eps or v, which goes before everything the file says.

    Raises ModelError: another family of models, by name, or a broken one, naming the first key.
    """
    source = path.name or str(path)
    refuse_other_families(header, source)
    reader = Reader(header, source)
    try:
        text_encoder = reader.text_encoder()
        unet = reader.unet()
        autoencoder = reader.autoencoder()
    except ValueError as error:  # Sizes that no network can have.
        raise broken(source, str(error)) from error
    rows = layouts.sd1_rows(text_encoder, unet, autoencoder, names=header.tensors)
    matched = layouts.match(rows, header.tensors, source, layout=header.layout)
    _check_fit(text_encoder, unet, autoencoder, source)
    said, reason = prediction_of(header, path, prediction)
    width, height = _native_size(header.metadata, unet, autoencoder)
    return ModelSpec(
        name=name_of(path),
        path=path,
        family="sd1",
        task="txt2img",
        text_encoder=text_encoder,
        autoencoder=autoencoder,
        unet=unet,
        prediction=said,
        prediction_reason=reason,
        zero_terminal_snr="ztsnr" in header.tensors or header.metadata.get("ztsnr") == "true",
        latent_scale=reader.latent_scale(LATENT_SCALE),
        native_width=width,
        native_height=height,
        parameters=sum(info.elements for info in matched.values()),
        stored_bytes=sum(info.stored_bytes for info in matched.values()),
        ema=layouts.has_averages(rows, header.tensors),
        demonstration=header.metadata.get("darkroom.demonstration") == "true",
        defaults=reader.defaults(),
        merges=tuple(reader.said("darkroom.tokenizer.merges").splitlines()),
        words=tuple(reader.said("darkroom.words").split()),
        preview=reader.preview(autoencoder.latent_channels),
    )


def hidden_sizes(
    text_encoder: TextEncoderConfig,
    unet: UNetConfig,
    autoencoder: AutoencoderConfig,
    *,
    linear: bool = False,
) -> dict[str, str]:
    """Metadata that tells `detect` what no shape does, where it is not as published.

    `linear`: the U-Net's projections are matrices in the file, not convolutions.
    """
    heads = ",".join(map(str, unet.heads))
    usual = ",".join(map(str, usual_heads(unet.widths, linear=linear)))
    said = {
        "darkroom.unet.norm_groups": (unet.norm_groups, NORM_GROUPS),
        "darkroom.autoencoder.norm_groups": (autoencoder.norm_groups, NORM_GROUPS),
        "darkroom.text_encoder.heads": (text_encoder.heads, usual_text_heads(text_encoder.width)),
        "darkroom.text_encoder.activation": (text_encoder.activation, ACTIVATION),
        "darkroom.unet.heads": (heads, usual),
    }
    return {name: str(value) for name, (value, usual) in said.items() if value != usual}


def _check_fit(
    text_encoder: TextEncoderConfig, unet: UNetConfig, autoencoder: AutoencoderConfig, source: str
) -> None:
    """The three networks must speak of the same things."""
    if unet.context_width != text_encoder.width:
        raise broken(
            source,
            f"its U-Net expects text of width {unet.context_width}, "
            f"its text encoder gives {text_encoder.width}",
        )
    if {unet.in_channels, unet.out_channels} != {autoencoder.latent_channels}:
        raise broken(
            source,
            f"its U-Net has {unet.in_channels} channels, "
            f"its autoencoder {autoencoder.latent_channels}",
        )
    if autoencoder.in_channels != 3:
        raise broken(source, f"its images have {autoencoder.in_channels} colours")


def _native_size(
    metadata: Mapping[str, str], unet: UNetConfig, autoencoder: AutoencoderConfig
) -> tuple[int, int]:
    """Pixels the model was trained on: its own word if it can be meant, else 64 × 64 latents."""
    said = _RESOLUTION.fullmatch(metadata.get("modelspec.resolution", ""))
    if said:
        width, height = int(said[1]), int(said[2])
        multiple = autoencoder.factor * unet.multiple
        if all(0 < n <= MAX_PIXELS and n % multiple == 0 for n in (width, height)):
            return width, height
    latents = metadata.get("darkroom.latent_size", "")
    side = int(latents) if re.fullmatch(r"[1-9]\d{0,3}", latents) else NATIVE_LATENTS
    side *= autoencoder.factor
    return side, side
