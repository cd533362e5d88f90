"""A random Stable Diffusion 1 of a few megabytes, in the published layout."""

from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch

from darkroom.checkpoints import layouts
from darkroom.checkpoints.load import Networks, save_published
from darkroom.contracts import AutoencoderConfig, TextEncoderConfig, UNetConfig
from darkroom.models.autoencoder import Autoencoder
from darkroom.models.text_encoder import TextEncoder
from darkroom.models.unet import UNet

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
AUTOENCODER = AutoencoderConfig(in_channels=3, latent_channels=4, widths=(32, 32, 32, 32), blocks=1)


@dataclass(frozen=True)
class TinyCheckpoint:
    """The same weights in both kinds of file.  Sizes are multiples of 8, the U-Net needs 16."""

    safetensors: Path
    ckpt: Path


def networks(seed: int = 0) -> Networks:
    """Random networks whose images differ from prompt to prompt and from seed to seed."""
    torch.manual_seed(seed)
    made = Networks(
        text_encoder=TextEncoder(TEXT), unet=UNet(UNET), autoencoder=Autoencoder(AUTOENCODER)
    )
    # torch's own initial weights give flat grey pictures, on which every comparison would succeed.
    for network in (made.text_encoder, made.unet, made.autoencoder):
        for layer in network.modules():
            if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
                torch.nn.init.orthogonal_(layer.weight, gain=1.2)
    return made


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


def write(folder: Path) -> TinyCheckpoint:
    """Write both files into `folder`."""
    checkpoint = TinyCheckpoint(folder / "tiny.safetensors", folder / "tiny.ckpt")
    save_published(
        checkpoint.safetensors,
        networks(),
        metadata={"modelspec.title": "Tiny", "modelspec.resolution": "64x64"},
        dtype=torch.float16,
    )
    state = safetensors.torch.load_file(checkpoint.safetensors)
    torch.save({"state_dict": state, "global_step": 470_000, "epoch": 2}, checkpoint.ckpt)
    return checkpoint
