"""The two programs that are compared, each in a process of its own that does one thing when told.

    python -m benchmarks.contestants NAME CHECKPOINT

reads commands from stdin, a line each (`step`, `decode`, `image STEPS`, `save FILE`), and answers
each with the seconds that it took.  Whoever waits for a line takes no time from the others.
"""

import os
import sys
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

import darkroom
from darkroom.checkpoints.load import Networks, load
from darkroom.contracts import Request
from darkroom.diffusion.denoiser import Denoiser
from darkroom.diffusion.guidance import Conditions, Part, guided
from darkroom.diffusion.schedule import alphas_cumprod
from darkroom.runtime.allocator import weights_apart
from darkroom.runtime.packing import pack
from darkroom.tasks.engine import Engine
from darkroom.text.tokenizer import Tokenizer

PROMPT = "a photograph of an astronaut riding a horse"
NEGATIVE = ""
GUIDANCE = 7.5
SEED = 3
SIZE = 512
LATENT = (4, SIZE // 8, SIZE // 8)
TIMESTEP = 501


class Contestant(Protocol):
    """One program with one checkpoint, loaded when it is first needed."""

    def step(self) -> object:
        """One guided step: the U-Net on a batch of two, and the guidance."""

    def decode(self) -> object:
        """Latents of one image to pixels."""

    def image(self, steps: int) -> Any:
        """A whole image with ddim, from the prompt to Pillow."""


class Darkroom:
    """As its users run it: the planned precision, the engine with all that it does."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._model = darkroom.load(path)

    @cached_property
    def _networks(self) -> Networks:
        engine = Engine.open(str(self._path))
        plan = engine.plan(Request(model=str(self._path)))[1]
        with weights_apart():  # as the engine does
            networks = load(engine.spec, precision=plan.precision, device=plan.device)
            pack(networks.unet)
            pack(networks.autoencoder)
        return networks

    @cached_property
    def _denoise(self) -> Callable[[Tensor, Tensor], Tensor]:
        denoiser = Denoiser(self._networks.unet, alphas_cumprod(), "eps")
        without, along = torch.randn(2, 1, 77, 768, generator=_generator())
        conditions = Conditions(parts=(Part(along),), negative=without)
        return guided(denoiser, lambda _: conditions, GUIDANCE)

    def step(self) -> Tensor:
        """See Contestant."""
        return self._denoise(_latent(), torch.tensor(2.0, dtype=torch.float64))

    def decode(self) -> Tensor:
        """See Contestant."""
        autoencoder = self._networks.autoencoder
        out: Tensor = autoencoder.decode(_latent().to(autoencoder.decoder.conv_in.weight.dtype))
        return out

    def image(self, steps: int) -> Any:
        """See Contestant."""
        return self._model.txt2img(
            PROMPT,
            negative=NEGATIVE,
            sampler="ddim",
            steps=steps,
            guidance=GUIDANCE,
            width=SIZE,
            height=SIZE,
            seed=SEED,
        ).pil


class Diffusers:
    """StableDiffusionPipeline with the same weights and, unless told otherwise, its defaults."""

    def __init__(self, path: Path, dtype: torch.dtype = torch.float32) -> None:
        self._path = path
        self._dtype = dtype

    @cached_property
    def _pipeline(self) -> Any:
        import safetensors.torch
        from diffusers import (
            AutoencoderKL,
            DDIMScheduler,
            StableDiffusionPipeline,
            UNet2DConditionModel,
        )
        from diffusers.loaders.single_file_utils import (
            convert_ldm_unet_checkpoint,
            convert_ldm_vae_checkpoint,
        )
        from transformers import CLIPTextConfig, CLIPTextModel

        file = safetensors.torch.load_file(self._path)
        state = {name: weight.to(self._dtype) for name, weight in file.items()}
        with torch.device("meta"):
            unet = UNet2DConditionModel(cross_attention_dim=768, attention_head_dim=8)
            vae = AutoencoderKL(
                block_out_channels=(128, 256, 512, 512),
                down_block_types=("DownEncoderBlock2D",) * 4,
                up_block_types=("UpDecoderBlock2D",) * 4,
                layers_per_block=2,
                latent_channels=4,
            )
        text_encoder = CLIPTextModel(
            CLIPTextConfig(
                hidden_size=768,
                intermediate_size=3072,
                num_attention_heads=12,
                num_hidden_layers=12,
                projection_dim=768,
            )
        )
        prefix = "cond_stage_model.transformer."
        text = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        named = text_encoder.state_dict().keys()
        if not any(name.startswith("text_model.") for name in named):
            text = {k.removeprefix("text_model."): v for k, v in text.items()}
        text_encoder.load_state_dict(text)
        for network, converted in (
            (unet, convert_ldm_unet_checkpoint(state, unet.config)),
            (vae, convert_ldm_vae_checkpoint(state, vae.config)),
        ):
            network.load_state_dict(converted, strict=True, assign=True)
        scheduler = DDIMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            clip_sample=False,
            set_alpha_to_one=False,
            steps_offset=1,
        )
        pipeline = StableDiffusionPipeline(
            vae=vae.eval(),
            text_encoder=text_encoder.to(self._dtype).eval(),
            tokenizer=None,
            unet=unet.eval(),
            scheduler=scheduler,
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    @torch.no_grad()
    def step(self) -> Tensor:
        """See Contestant."""
        latents = torch.cat([_latent(), _latent()]).to(self._dtype)
        context = torch.randn(2, 77, 768, generator=_generator()).to(self._dtype)
        without, along = self._pipeline.unet(latents, TIMESTEP, context).sample.chunk(2)
        out: Tensor = without + GUIDANCE * (along - without)
        return out

    @torch.no_grad()
    def decode(self) -> Tensor:
        """See Contestant."""
        out: Tensor = self._pipeline.vae.decode(_latent().to(self._dtype)).sample
        return out

    @torch.no_grad()
    def image(self, steps: int) -> Any:
        """See Contestant."""
        pipeline = self._pipeline
        tokenizer = Tokenizer.clip(context_length=77)
        without, along = (
            pipeline.text_encoder(torch.tensor([tokenizer.chunk(text).ids]))[0]
            for text in (NEGATIVE, PROMPT)
        )
        made = pipeline(
            prompt_embeds=along,
            negative_prompt_embeds=without,
            latents=_latent().to(self._dtype),
            num_inference_steps=steps,
            guidance_scale=GUIDANCE,
            width=SIZE,
            height=SIZE,
        )
        return made.images[0]


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(SEED)


def _latent() -> Tensor:
    """The start noise of the image of this seed [1, 4, h, w], the same for all."""
    return torch.randn(LATENT, generator=_generator())[None]


CONTESTANTS: dict[str, Callable[[Path], Contestant]] = {
    "darkroom": Darkroom,
    "diffusers fp32": Diffusers,
    "diffusers bf16": lambda path: Diffusers(path, torch.bfloat16),
}


def serve(contestant: Contestant) -> None:
    """Do what stdin says until it ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever else is printed is no answer
    image = None
    for line in sys.stdin:
        command, *argument = line.split(maxsplit=1)
        begin = time.perf_counter()
        match command:
            case "step":
                contestant.step()
            case "decode":
                contestant.decode()
            case "image":
                image = contestant.image(int(argument[0]))
            case "save":
                assert image is not None
                image.save(argument[0].strip())
        print(time.perf_counter() - begin, file=answers, flush=True)


if __name__ == "__main__":
    serve(CONTESTANTS[sys.argv[1]](Path(sys.argv[2])))
