"""Inpainting and instructions end to end against diffusers' pipelines, with equal weights."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DiffusionPipeline,
    StableDiffusionInpaintPipeline,
    StableDiffusionInstructPix2PixPipeline,
)
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from PIL import Image
from torch import nn

from darkroom.checkpoints.load import Networks, save_published
from darkroom.contracts import ImageDone, Request
from darkroom.images import io
from darkroom.models.unet import UNet
from darkroom.tasks.engine import Engine
from darkroom.text.tokenizer import Tokenizer
from tests import tiny
from tests.models import oracles

STEPS, SCALE, SEED, SIDE = 10, 7.5, 5, 64
BETAS: dict[str, Any] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
}


def networks(channels: int) -> Networks:
    """The tiny model's, with a U-Net that takes so many channels."""
    usual = tiny.networks()
    if channels == usual.unet.config.in_channels:
        return usual
    torch.manual_seed(channels)
    unet = UNet(replace(tiny.UNET, in_channels=channels))
    for layer in unet.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.orthogonal_(layer.weight, gain=1.2)
    return replace(usual, unet=unet)


def engine_of(model: Networks, folder: Path) -> Engine:
    file = folder / "tiny.safetensors"
    save_published(file, model, metadata={"modelspec.resolution": "64x64"}, dtype=torch.float32)
    return Engine.open(str(file))


def pipeline(kind: type[DiffusionPipeline], model: Networks, scheduler: object) -> Any:
    unet = oracles.unet(model)
    unet.register_to_config(sample_size=SIDE)
    made = kind(
        vae=oracles.autoencoder(model),
        text_encoder=None,
        tokenizer=None,
        unet=unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    made.set_progress_bar_config(disable=True)
    return made


def embedding(model: Networks, text: str) -> torch.Tensor:
    embedded: torch.Tensor = model.text_encoder(torch.tensor([Tokenizer.clip().chunk(text).ids]))
    return embedded.detach()


@pytest.fixture
def start() -> Image.Image:
    y, x = np.mgrid[:SIDE, :SIDE]
    return Image.fromarray(np.stack([x * 4, y * 4, (x > y) * 255], -1).astype(np.uint8))


@pytest.fixture(autouse=True)
def _mean_of_the_posterior(monkeypatch: pytest.MonkeyPatch) -> None:
    """We encode to it, where diffusers draws from it."""
    mean = DiagonalGaussianDistribution.mode
    monkeypatch.setattr(DiagonalGaussianDistribution, "sample", lambda self, *_, **__: mean(self))


def mask_of(left: int, top: int, right: int, bottom: int) -> Image.Image:
    mask = Image.new("L", (SIDE, SIDE))
    mask.paste(255, (left, top, right, bottom))
    return mask


def wish(engine: Engine, start: Image.Image, **said: Any) -> Request:
    settled: dict[str, Any] = {
        "model": engine.model,
        "prompt": "a cat",
        "negative": "a dog",
        "image": io.encode_pillow(start),
        "sampler": "ddim",
        "steps": STEPS,
        "guidance": SCALE,
        "seed": SEED,
        "device": "cpu",
        "precision": "fp32",
    }
    return Request(**{**settled, **said})


def made(engine: Engine, request: Request) -> io.Pixels:
    (done,) = (event for event in engine.run(request) if isinstance(event, ImageDone))
    return io.to_array(done.image)


def run(pipe: Any, model: Networks, **said: Any) -> io.Pixels:
    (image,) = pipe(
        prompt_embeds=embedding(model, "a cat"),
        negative_prompt_embeds=embedding(model, "a dog"),
        num_inference_steps=STEPS,
        guidance_scale=SCALE,
        generator=torch.Generator().manual_seed(SEED),
        output_type="np",
        **said,
    ).images
    return np.asarray(255 * image).astype(np.uint8)


def ldm_grid() -> DDIMScheduler:
    return DDIMScheduler(**BETAS, steps_offset=1, clip_sample=False, set_alpha_to_one=False)


def compare(ours: io.Pixels, theirs: io.Pixels, start: Image.Image, mask: Image.Image) -> None:
    inside = np.asarray(mask) > 0
    assert theirs[inside].std() > 20
    assert np.abs(ours[inside].astype(int) - theirs[inside]).max() <= 1
    assert np.array_equal(ours[~inside], np.asarray(start)[~inside])


def test_a_model_made_for_inpainting(tmp_path: Path, start: Image.Image) -> None:
    model, mask = networks(9), mask_of(11, 5, 50, 41)
    engine = engine_of(model, tmp_path)
    said = wish(engine, start, task="inpaint", mask=io.encode_pillow(mask))
    pipe = pipeline(StableDiffusionInpaintPipeline, model, ldm_grid())
    theirs = run(pipe, model, image=start, mask_image=mask, strength=1.0, height=SIDE, width=SIDE)
    compare(made(engine, said), theirs, start, mask)


def test_every_other_model(tmp_path: Path, start: Image.Image) -> None:
    """A strength at which both begin with the image, and a mask of whole latents."""
    model, mask = networks(4), mask_of(16, 8, 56, 40)
    engine = engine_of(model, tmp_path)
    trailing = {"sampler": "euler", "schedule": "trailing"}
    said = wish(
        engine, start, task="inpaint", mask=io.encode_pillow(mask), strength=0.7, **trailing
    )
    # Without fresh noise DDIM takes Euler's steps.
    euler = DDIMScheduler(**BETAS, steps_offset=1, clip_sample=False, timestep_spacing="trailing")
    theirs = run(
        pipeline(StableDiffusionInpaintPipeline, model, euler),
        model,
        image=start,
        mask_image=mask,
        strength=0.8,  # counted without the step that it begins with
        height=SIDE,
        width=SIDE,
    )
    compare(made(engine, said), theirs, start, mask)


@pytest.mark.parametrize("image_guidance", [1.5, 1.0, 3.0])
def test_instructions(tmp_path: Path, start: Image.Image, image_guidance: float) -> None:
    model = networks(8)
    engine = engine_of(model, tmp_path)
    said = wish(engine, start, task="img2img", image_guidance=image_guidance)
    theirs = run(
        pipeline(StableDiffusionInstructPix2PixPipeline, model, ldm_grid()),
        model,
        image=start,
        image_guidance_scale=image_guidance,
    )
    assert theirs.std() > 20
    assert np.abs(made(engine, said).astype(int) - theirs).max() <= 1
