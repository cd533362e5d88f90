"""Models to plan for: Stable Diffusion v1 as published, and a small one that can be run."""

from dataclasses import replace
from pathlib import Path

from darkroom.contracts import (
    AutoencoderConfig,
    ModelDefaults,
    ModelSpec,
    TextEncoderConfig,
    UNetConfig,
)

V1 = ModelSpec(
    name="sd-v1-4",
    path=Path("sd-v1-4.ckpt"),
    family="sd1",
    task="txt2img",
    text_encoder=TextEncoderConfig(
        vocabulary=49_408,
        context_length=77,
        width=768,
        layers=12,
        heads=12,
        feed_width=3072,
        activation="quick_gelu",
    ),
    autoencoder=AutoencoderConfig(
        in_channels=3, latent_channels=4, widths=(128, 256, 512, 512), blocks=2
    ),
    unet=UNetConfig(
        in_channels=4,
        out_channels=4,
        widths=(320, 640, 1280, 1280),
        blocks=2,
        depths=(1, 1, 1, 0),
        middle_depth=1,
        self_attention=(True,) * 4,
        heads=(8,) * 4,
        context_width=768,
    ),
    prediction="eps",
    prediction_reason="v1 models predict eps",
    zero_terminal_snr=False,
    latent_scale=0.18215,
    native_width=512,
    native_height=512,
    parameters=1_066_235_307,
    stored_bytes=4_265_380_512,
)

SMALL = replace(
    V1,
    name="small",
    text_encoder=TextEncoderConfig(
        vocabulary=600,
        context_length=32,
        width=64,
        layers=3,
        heads=1,
        feed_width=256,
        activation="quick_gelu",
    ),
    autoencoder=AutoencoderConfig(
        in_channels=3, latent_channels=4, widths=(32, 64, 64), blocks=1, norm_groups=8
    ),
    unet=UNetConfig(
        in_channels=4,
        out_channels=4,
        widths=(32, 64, 96),
        blocks=1,
        depths=(0, 1, 2),
        middle_depth=1,
        self_attention=(True, True, False),
        heads=(8,) * 3,
        context_width=64,
        norm_groups=8,
    ),
    prediction="v",
    prediction_reason="its metadata says so",
    zero_terminal_snr=True,
    native_width=64,
    native_height=64,
    parameters=1_000_000,
    stored_bytes=2_000_000,
    demonstration=True,
    defaults=ModelDefaults(steps=12, guidance=3.0),
)
