"""From a header to a ModelSpec: what a checkpoint is, by structure, or why it cannot be used.

Three verdicts: a ModelSpec; *not mine* (another family, refused by its name); *mine but broken*
(the first key that is missing, misshapen or too many is named).  No torch.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from darkroom.checkpoints import layouts
from darkroom.checkpoints.families import refuse_other_families
from darkroom.checkpoints.folder import name_of
from darkroom.checkpoints.layouts import Sizes, broken
from darkroom.checkpoints.prediction import prediction_of
from darkroom.checkpoints.rows import Row
from darkroom.checkpoints.sizes import (
    ACTIVATIONS,
    IMAGE_HEADS,
    NORM_GROUPS,
    Reader,
    usual_heads,
    usual_taps,
    usual_tower_heads,
)
from darkroom.checkpoints.tensors import Header, TensorInfo
from darkroom.contracts import Family, ModelSpec, ModelTask, Prediction, UNetConfig

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
        sizes, task = _sizes(reader, source)
    except ValueError as error:  # Sizes that no network can have.
        raise broken(source, str(error)) from error
    matched = layouts.match_model(sizes, header, source)
    # One that serves three rows counts once.
    tensors = {row.name(header.layout): info for row, info in matched.items()}
    said, reason = prediction_of(
        header,
        path,
        prediction,
        family=sizes.family,
        task=task,
        channels=sizes.unet.in_channels,
        bias=_last_bias(sizes.unet, matched),
    )
    usual = usual_of(sizes.family, task, said)
    width, height = _native_size(header.metadata, sizes, usual.latents)
    levels = usual.noise_levels
    return ModelSpec(
        name=name_of(path),
        path=path,
        family=sizes.family,
        task=task,
        text_encoder=sizes.text_encoder,
        autoencoder=sizes.autoencoder,
        unet=sizes.unet,
        depth=sizes.depth,
        image_encoder=sizes.image_encoder,
        prediction=said,
        prediction_reason=reason,
        zero_terminal_snr="ztsnr" in header.tensors or header.metadata.get("ztsnr") == "true",
        latent_scale=reader.latent_scale(usual.latent_scale),
        betas=reader.betas(usual.betas),
        noise_levels=levels and reader.noise_levels(min(levels, sizes.unet.classes or levels)),
        native_width=width,
        native_height=height,
        parameters=sum(info.elements for info in tensors.values()),
        stored_bytes=sum(info.stored_bytes for info in tensors.values()),
        ema=layouts.has_averages(matched, header.tensors),
        demonstration=header.metadata.get("darkroom.demonstration") == "true",
        defaults=reader.defaults(),
        merges=tuple(reader.said("darkroom.tokenizer.merges").splitlines()),
        words=tuple(reader.said("darkroom.words").split()),
        preview=reader.preview(sizes.autoencoder.latent_channels),
    )


@dataclass(frozen=True, kw_only=True)
class Usual:
    """What the published models of a kind have in common and no tensor tells.

    `latents`: along a side of the images that they were trained on.
    """

    latents: int
    latent_scale: float = 0.18215
    betas: tuple[float, float] = (0.00085, 0.012)
    noise_levels: int | None = None


def usual_of(family: Family, task: ModelTask, prediction: Prediction) -> Usual:
    """What to take for granted of a model unless its metadata say otherwise."""
    if task == "upscale":
        # Trained with noise up to level 350, and told its level out of 1000.
        return Usual(latents=128, latent_scale=0.08333, betas=(0.0001, 0.02), noise_levels=351)
    latents = 96 if family == "sd2" and prediction == "v" else 64
    return Usual(latents=latents, noise_levels=1000 if task == "vary" else None)


def hidden_sizes(sizes: Sizes, *, linear: bool | None = None) -> dict[str, str]:
    """Metadata that tells `detect` what no shape does, where it is not as published.

    `linear`: the U-Net's projections are matrices in the file, not convolutions; None: as is usual
    in its family.
    """
    text, unet, depth, image = sizes.text_encoder, sizes.unet, sizes.depth, sizes.image_encoder
    if linear is None:
        linear = sizes.family == "sd2"
    said: dict[str, tuple[object, object]] = {
        "unet.norm_groups": (unet.norm_groups, NORM_GROUPS),
        "autoencoder.norm_groups": (sizes.autoencoder.norm_groups, NORM_GROUPS),
        "text_encoder.heads": (text.heads, usual_tower_heads(text.width)),
        "text_encoder.activation": (text.activation, ACTIVATIONS[sizes.family]),
        "unet.heads": (
            ",".join(map(str, unet.heads)),
            ",".join(
                map(str, usual_heads(unet.widths, linear=linear and unet.classes is None)),
            ),
        ),
    }
    if sizes.family == "sd2":  # What is written has no block that is not used.
        said["text_encoder.layers"] = text.layers, None
    if depth is not None:
        taps = ",".join(map(str, depth.taps))
        said["depth.norm_groups"] = depth.norm_groups, NORM_GROUPS
        said["depth.heads"] = depth.heads, usual_tower_heads(depth.width)
        said["depth.taps"] = taps, ",".join(map(str, usual_taps(depth.layers)))
    if image is not None:
        said["image_encoder.heads"] = image.heads, IMAGE_HEADS
        said["image_encoder.activation"] = image.activation, "gelu"
    return {
        f"darkroom.{name}": str(value) for name, (value, usual) in said.items() if value != usual
    }


def _sizes(reader: Reader, source: str) -> tuple[Sizes, ModelTask]:
    """The sizes of the networks that the task needs, known to fit together."""
    text, unet, autoencoder = reader.text_encoder(), reader.unet(), reader.autoencoder()
    if unet.context_width != text.width:
        raise broken(
            source,
            f"its U-Net expects text of width {unet.context_width}, "
            f"its text encoder gives {text.width}",
        )
    if autoencoder.in_channels != 3:
        raise broken(source, f"its images have {autoencoder.in_channels} colours")
    task = _task(unet, autoencoder.latent_channels, source)
    image = reader.image_encoder() if task == "vary" else None
    if task == "vary" and image is None:
        raise broken(source, "its image encoder is missing")
    # A vector that is half an embedding and half the level of the noise on it.
    if image is not None and unet.vector_width != 2 * image.embedding:
        raise broken(
            source,
            f"its U-Net expects a vector of width {unet.vector_width}, "
            f"its image encoder gives {image.embedding}",
        )
    depth = reader.depth() if task == "depth2img" else None
    sizes = Sizes(
        text_encoder=text, unet=unet, autoencoder=autoencoder, depth=depth, image_encoder=image
    )
    return sizes, task


def _task(unet: UNetConfig, latents: int, source: str) -> ModelTask:
    """What a U-Net was made for: what it is told, and what it sees beside the noisy latent."""
    beside: dict[int, ModelTask] = {
        0: "txt2img",
        1: "depth2img",  # a map of depths
        latents: "pix2pix",  # the image
        latents + 1: "inpaint",  # the image without what is masked, and the mask
    }
    task = beside.get(unet.in_channels - latents)
    if unet.classes is not None:
        task = "upscale" if unet.in_channels == latents + 3 else None  # the small image
    elif unet.vector_width is not None:
        task = "vary" if task == "txt2img" else None
    if task is None or unet.out_channels != latents:
        raise broken(
            source,
            f"its U-Net takes {unet.in_channels} channels and gives {unet.out_channels}, "
            f"its autoencoder has {latents}",
        )
    return task


def _last_bias(unet: UNetConfig, matched: Mapping[Row, TensorInfo]) -> TensorInfo | None:
    """That of the norm before the U-Net's last attention to the image."""
    name = f"up.{len(unet.widths) - 1}.blocks.{unet.blocks}.attention.blocks.0.norm_1.bias"
    return next((info for row, info in matched.items() if row.ours == name), None)


def _native_size(metadata: Mapping[str, str], sizes: Sizes, usual: int) -> tuple[int, int]:
    """Pixels the model was trained on: its own word if it can be meant, else so many latents."""
    said = _RESOLUTION.fullmatch(metadata.get("modelspec.resolution", ""))
    if said:
        width, height = int(said[1]), int(said[2])
        multiple = sizes.autoencoder.factor * sizes.unet.multiple
        if all(0 < n <= MAX_PIXELS and n % multiple == 0 for n in (width, height)):
            return width, height
    latents = metadata.get("darkroom.latent_size", "")
    side = int(latents) if re.fullmatch(r"[1-9]\d{0,3}", latents) else usual
    side *= sizes.autoencoder.factor
    return side, side
