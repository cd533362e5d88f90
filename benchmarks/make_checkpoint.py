"""Writes a full-size Stable Diffusion with random weights, in the published layout.

    python -m benchmarks.make_checkpoint v1-random.safetensors
    python -m benchmarks.make_checkpoint v2-random.safetensors --kind v2

Kinds: v1, v2, and x4, the upscaler.  Tensors are drawn and written one at a time, so it needs
little memory, and for v1 2.1 GB of disk.  The same seed gives the same file.
"""

import argparse
import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from darkroom.checkpoints.layouts import Sizes, model_rows
from darkroom.checkpoints.rows import Row
from darkroom.contracts import AutoencoderConfig, TextEncoderConfig, UNetConfig

TEXT_ENCODER = TextEncoderConfig(
    vocabulary=49_408,
    context_length=77,
    width=768,
    layers=12,
    heads=12,
    feed_width=3072,
    activation="quick_gelu",
)
UNET = UNetConfig(
    in_channels=4,
    out_channels=4,
    widths=(320, 640, 1280, 1280),
    blocks=2,
    depths=(1, 1, 1, 0),
    middle_depth=1,
    self_attention=(True, True, True, True),
    heads=(8, 8, 8, 8),
    context_width=768,
)
AUTOENCODER = AutoencoderConfig(
    in_channels=3, latent_channels=4, widths=(128, 256, 512, 512), blocks=2
)
V1 = Sizes(text_encoder=TEXT_ENCODER, unet=UNET, autoencoder=AUTOENCODER)
X4 = Sizes(
    text_encoder=TextEncoderConfig(
        vocabulary=49_408,
        context_length=77,
        width=1024,
        layers=23,
        heads=16,
        feed_width=4096,
        activation="gelu",
        tokens="openclip",
    ),
    unet=UNetConfig(
        in_channels=7,
        out_channels=4,
        widths=(256, 512, 512, 1024),
        blocks=2,
        depths=(0, 1, 1, 1),
        middle_depth=1,
        self_attention=(True, False, False, True),
        heads=(8, 8, 8, 8),
        context_width=1024,
        classes=1000,
    ),
    autoencoder=AutoencoderConfig(
        in_channels=3, latent_channels=4, widths=(128, 256, 512), blocks=2
    ),
)
V2 = Sizes(
    text_encoder=X4.text_encoder,
    unet=replace(UNET, heads=(5, 10, 20, 20), context_width=1024),
    autoencoder=AUTOENCODER,
)
KINDS: Mapping[str, Sizes] = {"v1": V1, "v2": V2, "x4": X4}


def make_checkpoint(path: Path, *, sizes: Sizes = V1, seed: int = 0) -> None:
    """A new safetensors file at `path`, in fp16 as the pruned files are published."""
    # Queries, keys and values have a row each and, in some files, one tensor.
    rows = list({row.published: row for row in model_rows(sizes)}.values())
    header: dict[str, object] = {}
    position = 0
    for row in rows:
        end = position + torch.float16.itemsize * math.prod(row.published_shape)
        header[row.published] = {
            "dtype": "F16",
            "shape": row.published_shape,
            "data_offsets": (position, end),
        }
        position = end
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    generator = torch.Generator().manual_seed(seed)
    with path.open("xb") as file:
        file.write(len(encoded).to_bytes(8, "little") + encoded)
        for row in rows:
            file.write(_weight(row, generator).half().numpy().data)


def _weight(row: Row, generator: torch.Generator) -> Tensor:
    """A float32 tensor that keeps the size of what goes through it: no overflow, no fading."""
    shape = row.published_shape
    if len(shape) > 1:
        fan_in = math.prod(shape[1:])
        return torch.randn(shape, generator=generator) / math.sqrt(fan_in)
    return torch.zeros(shape) if row.ours.endswith("bias") else torch.ones(shape)


def main() -> None:
    """Write one."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--kind", choices=[*KINDS], default="v1")
    options = parser.parse_args()
    make_checkpoint(options.file, sizes=KINDS[options.kind])


if __name__ == "__main__":
    main()
