"""Random Stable Diffusion models of a few megabytes, in the published layouts."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import safetensors.torch
import torch
from torch import Tensor, nn

from darkroom.checkpoints import layouts
from darkroom.checkpoints.load import Networks, parts_of, save_published
from darkroom.contracts import (
    AutoencoderConfig,
    DepthConfig,
    ImageEncoderConfig,
    TextEncoderConfig,
    UNetConfig,
)
from darkroom.models.autoencoder import Autoencoder
from darkroom.models.depth import DepthEstimator
from darkroom.models.text_encoder import TextEncoder
from darkroom.models.unet import UNet
from darkroom.models.vision import ImageEncoder

Kind = Literal[
    "sd1",
    "sd1-inpaint",
    "pix2pix",
    "sd2",
    "sd2-v",
    "sd2-inpaint",
    "sd2-depth",
    "x4",
    "unclip-l",
    "unclip-h",
]
KINDS: tuple[Kind, ...] = get_args(Kind)

# CLIP's whole vocabulary: a .ckpt has no metadata that could bring another.
TEXT = TextEncoderConfig(
    vocabulary=49_408,
    context_length=77,
    width=64,
    layers=1,
    heads=1,
    feed_width=128,
    activation="quick_gelu",
)
OPENCLIP = replace(TEXT, layers=2, activation="gelu", tokens="openclip")
UNET = UNetConfig(
    in_channels=4,
    out_channels=4,
    widths=(32, 64),
    blocks=1,
    depths=(1, 0),
    middle_depth=1,
    self_attention=(True, True),
    heads=(8, 8),
    context_width=64,
)
# The second family: heads of 64.
UNET_2 = replace(UNET, widths=(64, 128), heads=(1, 2))
X4 = replace(
    UNET,
    in_channels=7,
    widths=(32, 96, 96),
    depths=(0, 1, 1),
    # In the published one only the last level looks at the image itself.
    self_attention=(True, False, True),
    heads=(8, 8, 8),
    context_width=64,
    classes=1000,
)
AUTOENCODER = AutoencoderConfig(in_channels=3, latent_channels=4, widths=(32, 32, 32, 32), blocks=1)
DEPTH = DepthConfig(
    stem=32,
    stages=((1, 128), (1, 128), (2, 256)),
    grid=4,
    width=64,
    layers=4,
    heads=1,
    feed_width=128,
    taps=(2, 3),
    features=32,
    head=(16, 32),
)
IMAGE = ImageEncoderConfig(
    patch=14,
    grid=4,
    width=64,
    layers=2,
    heads=16,
    feed_width=128,
    embedding=48,
    activation="gelu",
)
_TEXT_OF = {"sd1": TEXT, "sd1-inpaint": TEXT, "pix2pix": TEXT}
_UNET_OF = {
    "sd1": UNET,
    "sd1-inpaint": replace(UNET, in_channels=9),
    "pix2pix": replace(UNET, in_channels=8),
    "sd2-inpaint": replace(UNET_2, in_channels=9),
    "sd2-depth": replace(UNET_2, in_channels=5),
    "x4": X4,
    "unclip-l": replace(UNET_2, vector_width=96),
    "unclip-h": replace(UNET_2, vector_width=96),
}


@dataclass(frozen=True)
class TinyCheckpoint:
    """The same weights in both kinds of file.

    Sizes are multiples of 8, the U-Net needs 16; of the x4 upscaler 4 and 16.
    """

    safetensors: Path
    ckpt: Path


def networks(seed: int = 0, kind: Kind = "sd1") -> Networks:
    """Random networks whose images differ from prompt to prompt and from seed to seed."""
    torch.manual_seed(seed)
    autoencoder = replace(AUTOENCODER, widths=(32, 32, 32)) if kind == "x4" else AUTOENCODER
    made = Networks(
        text_encoder=TextEncoder(_TEXT_OF.get(kind, OPENCLIP)),
        unet=UNet(_UNET_OF.get(kind, UNET_2)),
        autoencoder=Autoencoder(autoencoder),
    )
    if kind == "sd2-depth":
        made = replace(made, depth=DepthEstimator(DEPTH))
    if kind in {"unclip-l", "unclip-h"}:
        activation: Literal["quick_gelu", "gelu"] = "gelu" if kind == "unclip-h" else "quick_gelu"
        made = replace(made, image_encoder=ImageEncoder(replace(IMAGE, activation=activation)))
    if kind == "unclip-l":
        width = IMAGE.embedding
        made = replace(
            made, embedding_mean=torch.randn(1, width), embedding_std=torch.rand(1, width) + 0.5
        )
    for network in parts_of(made).values():
        _randomize(network)
    if kind == "sd2-v":  # By this bias the two kinds of models are told apart.
        bias = "up.1.blocks.1.attention.blocks.0.norm_1.bias"
        nn.init.normal_(made.unet.get_parameter(bias), std=0.3)
    return made


def _randomize(network: nn.Module) -> None:
    """torch's own initial weights give flat grey pictures, on which every comparison would succeed.

    Parameters that begin as zeros would be without effect.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.orthogonal_(layer.weight, gain=1.2)
    for parameter in network.parameters(recurse=True):
        if not parameter.count_nonzero() and parameter.ndim > 1:
            nn.init.normal_(parameter, std=0.1)


def write_averaged(checkpoint: TinyCheckpoint, file: Path) -> None:
    """Write it again, with moving averages of the U-Net that differ from its weights."""
    state = safetensors.torch.load_file(checkpoint.safetensors)
    averages = {
        layouts.ema_name(name): tensor.flip(0)
        for name, tensor in state.items()
        if name.startswith(layouts.UNET)
    }
    metadata = {"modelspec.resolution": "64x64"}
    safetensors.torch.save_file({**state, **averages}, file, metadata=metadata)


def write(folder: Path, kind: Kind = "sd1") -> TinyCheckpoint:
    """Write both files into `folder`; a .ckpt also holds what published ones leave unused."""
    name = "tiny" if kind == "sd1" else f"tiny-{kind}"
    checkpoint = TinyCheckpoint(folder / f"{name}.safetensors", folder / f"{name}.ckpt")
    save_published(
        checkpoint.safetensors,
        networks(kind=kind),
        metadata={"modelspec.title": "Tiny", "modelspec.resolution": "64x64"},
        dtype=torch.float16,
    )
    state = safetensors.torch.load_file(checkpoint.safetensors)
    content = {"state_dict": {**state, **_unused(kind, state)}, "global_step": 470_000, "epoch": 2}
    torch.save(content, checkpoint.ckpt)
    return checkpoint


def _unused(kind: Kind, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """What published files of a kind hold beside what is used."""
    if kind in _TEXT_OF:
        return {"betas": torch.zeros(1000)}
    text = "cond_stage_model.model."
    last = f"{text}transformer.resblocks.{OPENCLIP.layers - 1}."
    behind = last.replace(f".{OPENCLIP.layers - 1}.", f".{OPENCLIP.layers}.")
    unused = {
        name.replace(last, behind): tensor.flip(0)
        for name, tensor in state.items()
        if name.startswith(last)
    }
    unused |= {f"{text}text_projection": torch.ones(64, 64), f"{text}logit_scale": torch.ones(())}
    if kind == "x4":
        unused["low_scale_model.betas"] = torch.zeros(1000)
    if kind == "sd2-depth":
        depth = "depth_model.model."
        unused[f"{depth}pretrained.model.head.weight"] = torch.ones(10, 64)
        unused[f"{depth}scratch.refinenet4.resConfUnit1.conv1.bias"] = torch.ones(32)
    if kind == "unclip-l":  # OpenAI's CLIP comes with its text tower.
        unused["embedder.model.transformer.resblocks.0.ln_1.bias"] = torch.ones(64)
    if kind in {"unclip-l", "unclip-h"}:
        unused["embedder.model.ln_final.weight"] = torch.ones(64)
        unused["noise_augmentor.betas"] = torch.zeros(1000)
    return unused
