"""Depth, enlarging and variations end to end against diffusers' pipelines, with equal weights."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DDPMScheduler,
    EulerDiscreteScheduler,
    StableDiffusionDepth2ImgPipeline,
    StableDiffusionUpscalePipeline,
    StableUnCLIPImg2ImgPipeline,
)
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from diffusers.pipelines.stable_diffusion.stable_unclip_image_normalizer import (
    StableUnCLIPImageNormalizer,
)
from PIL import Image
from torch import Tensor

from darkroom.checkpoints.load import Networks, save_published
from darkroom.contracts import ImageDone, Request
from darkroom.diffusion.augmentation import mixed
from darkroom.images import depth_maps, io
from darkroom.tasks.engine import Engine
from darkroom.tasks.pixels import clip_picture
from darkroom.text.tokenizer import Tokenizer, tokenizer_of
from tests import tiny
from tests.models import oracles
from tests.tiny import Kind

STEPS, SCALE, SEED = 8, 5.0, 11
X4_BETAS: dict[str, Any] = {
    "beta_start": 0.0001,
    "beta_end": 0.02,
    "beta_schedule": "scaled_linear",
}
BETAS: dict[str, Any] = {**X4_BETAS, "beta_start": 0.00085, "beta_end": 0.012}


class Made:
    """A tiny model of one kind: the engine, and the same weights for an oracle."""

    def __init__(self, kind: Kind, folder: Path) -> None:
        self.networks: Networks = tiny.networks(kind=kind)
        file = folder / f"{kind}.safetensors"
        metadata = {"modelspec.resolution": "64x64"}
        save_published(file, self.networks, metadata=metadata, dtype=torch.float32)
        self.engine = Engine.open(str(file))
        self.tokenizer: Tokenizer = tokenizer_of(self.engine.spec)

    def embedding(self, text: str) -> Tensor:
        ids = torch.tensor([self.tokenizer.chunk(text).ids])
        out: Tensor = self.networks.text_encoder(ids).detach()
        return out

    def autoencoder(self) -> AutoencoderKL:
        model = oracles.autoencoder(self.networks)
        model.register_to_config(scaling_factor=self.engine.spec.latent_scale)
        return model

    def ours(self, image: Image.Image, **said: Any) -> io.Pixels:
        settled: dict[str, Any] = {
            "model": self.engine.model,
            "prompt": "a cat",
            "negative": "a dog",
            "image": io.encode_pillow(image),
            "sampler": "ddim",
            "steps": STEPS,
            "guidance": SCALE,
            "seed": SEED,
            "device": "cpu",
            "precision": "fp32",
        }
        events = self.engine.run(Request(**{**settled, **said}))
        (done,) = (event for event in events if isinstance(event, ImageDone))
        return io.to_array(done.image)

    def theirs(self, pipeline: Any, **said: Any) -> io.Pixels:
        pipeline.set_progress_bar_config(disable=True)
        (image,) = pipeline(
            prompt_embeds=self.embedding("a cat"),
            negative_prompt_embeds=self.embedding("a dog"),
            num_inference_steps=STEPS,
            guidance_scale=SCALE,
            generator=torch.Generator().manual_seed(SEED),
            output_type="np",
            **said,
        ).images
        pixels: io.Pixels = (255 * image).astype(np.uint8)
        return pixels


def picture(width: int, height: int) -> Image.Image:
    y, x = np.mgrid[:height, :width]
    ring = ((x - width / 2) ** 2 + (y - height / 2) ** 2 < (height / 3) ** 2) * 255
    return Image.fromarray(np.stack([x * 255 // width, y * 255 // height, ring], -1).astype("u1"))


def ldm_grid(betas: dict[str, Any]) -> DDIMScheduler:
    return DDIMScheduler(
        **betas,
        steps_offset=1,
        clip_sample=False,
        set_alpha_to_one=False,
        prediction_type="v_prediction",
    )


def close(ours: io.Pixels, theirs: io.Pixels) -> None:
    """Recorded: equal but for single pixels at the border of two levels."""
    assert theirs.std() > 20
    assert np.abs(ours.astype(int) - theirs).max() <= 1


@pytest.mark.parametrize("level", [0, 20, 350])
def test_enlarging(tmp_path: Path, level: int) -> None:
    made, small = Made("x4", tmp_path), picture(24, 16)
    pipeline = StableDiffusionUpscalePipeline(
        vae=made.autoencoder(),
        text_encoder=None,
        tokenizer=None,
        unet=oracles.unet(made.networks),
        low_res_scheduler=DDPMScheduler(**X4_BETAS),
        scheduler=ldm_grid(X4_BETAS),
    )
    theirs = made.theirs(pipeline, image=small, noise_level=level)
    assert theirs.shape == (64, 96, 3)
    close(made.ours(small, task="upscale", noise_level=level), theirs)


@pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning:diffusers")
def test_a_given_depth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """diffusers counts one step less at the same strength than A1111 and we do."""
    mean = DiagonalGaussianDistribution.mode
    monkeypatch.setattr(DiagonalGaussianDistribution, "sample", lambda self, *_, **__: mean(self))
    made, image = Made("sd2-depth", tmp_path), picture(64, 64)
    map_of_it = (np.asarray(picture(128, 128).convert("L")) / 255).astype(np.float32)
    pipeline = StableDiffusionDepth2ImgPipeline(
        vae=made.autoencoder(),
        text_encoder=None,
        tokenizer=None,
        unet=sized_unet(made.networks),
        scheduler=EulerDiscreteScheduler(**BETAS, timestep_spacing="linspace"),
        depth_estimator=None,
        feature_extractor=None,
    )
    theirs = made.theirs(
        pipeline, image=image, depth_map=torch.tensor(map_of_it)[None], strength=0.75
    )
    said = {"sampler": "euler", "schedule": "normal", "strength": 0.625}
    depth = depth_maps.encode(map_of_it)
    close(made.ours(image, task="depth2img", depth=depth, **said), theirs)


@pytest.mark.parametrize(("kind", "level"), [("unclip-l", 0), ("unclip-l", 300), ("unclip-h", 40)])
def test_variations(tmp_path: Path, kind: Kind, level: int) -> None:
    made, images = Made(kind, tmp_path), [picture(90, 70), picture(30, 80).rotate(90)]
    networks = made.networks
    assert networks.image_encoder is not None
    side = networks.image_encoder.config.grid * networks.image_encoder.config.patch
    seen = torch.stack([clip_picture(colours(image), side) for image in images])
    embedding = mixed(networks.image_encoder(seen).detach(), (3.0, 1.0))
    unet = sized_unet(networks)
    pipeline = StableUnCLIPImg2ImgPipeline(
        feature_extractor=None,
        image_encoder=unet,  # of it only the format of its numbers is asked
        image_normalizer=normalizer(networks, embedding.shape[1]),
        image_noising_scheduler=DDPMScheduler(beta_schedule="squaredcos_cap_v2"),
        tokenizer=None,
        text_encoder=None,
        unet=unet,
        scheduler=ldm_grid(BETAS),
        vae=made.autoencoder(),
    )
    theirs = made.theirs(pipeline, image_embeds=embedding, noise_level=level, width=64, height=64)
    said = {"images": (io.encode_pillow(images[1]),), "image_weights": (3.0, 1.0)}
    close(made.ours(images[0], task="vary", noise_level=level, **said), theirs)


def colours(image: Image.Image) -> Tensor:
    return torch.tensor(np.asarray(image)).permute(2, 0, 1).float() / 127.5 - 1


def normalizer(networks: Networks, width: int) -> StableUnCLIPImageNormalizer:
    made = StableUnCLIPImageNormalizer(width)
    if networks.embedding_mean is not None and networks.embedding_std is not None:
        made.mean.data, made.std.data = networks.embedding_mean, networks.embedding_std
    return made


def sized_unet(networks: Networks) -> Any:
    """It wants to know for what size it was made."""
    unet = oracles.unet(networks)
    unet.register_to_config(sample_size=64)
    return unet
