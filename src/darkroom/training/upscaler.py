"""From a font to the weights of Mini-x4, an upscaler in the published x4 layout.

Autoencoder → U-Net on latents → U-Net and decoder on pixels → one safetensors file.  The same call
goes on where the last one stopped.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from darkroom.checkpoints.load import Networks
from darkroom.diffusion.augmentation import noised_picture
from darkroom.diffusion.denoiser import Denoiser
from darkroom.diffusion.samplers import dpmpp_2m
from darkroom.diffusion.schedule import alphas_cumprod, sigmas, start_from_noise, to_latent
from darkroom.models.autoencoder import Autoencoder
from darkroom.models.text_encoder import TextEncoder
from darkroom.models.unet import UNet
from darkroom.text.tokenizer import Tokenizer
from darkroom.training.ahead import Ahead
from darkroom.training.autoencoder import (
    autoencoder_loss,
    new_autoencoder,
    normalise_latents,
    psnr,
)
from darkroom.training.crops import Crops, Kind, pixels, whole_scenes
from darkroom.training.diffusion import TextAndUNet
from darkroom.training.export import export_upscaler
from darkroom.training.loop import Watch, finished, take_average, train
from darkroom.training.mini import HELD_OUT_SET, TRAINING_SET, every_name, keep, load_mini, merges
from darkroom.training.pairs import ENLARGED, FACTOR, Batches, Drawing, Pairs, cached
from darkroom.training.recipe import (
    CONTEXT,
    X4_BETAS,
    X4_LATENT_SCALE,
    UpscalerRecipe,
    x4_text_encoder,
)
from darkroom.training.samples import to_images, token_ids
from darkroom.training.scenes import captions
from darkroom.training.scenes.painter import Painter, sheet
from darkroom.training.upscaling import Enlarger, upscaling_loss
from darkroom.training.work import Work

CHECKED = 48  # held-out scenes that PSNR is measured on, and that sheets show
EVALUATE_EVERY = 300


@dataclass(frozen=True, kw_only=True)
class Run(Work):
    """One call.  `start`: a model with an autoencoder of the same sizes, which is refined.

    `artist`: a model whose autoencoder some small pictures go through, so that what it leaves in
    its images is known.
    """

    recipe: UpscalerRecipe
    artist: Path | None = None

    def held_out(self) -> Tensor:
        """Scenes that no training sees, as pixels on the run's device."""
        found = whole_scenes(Painter(self.font), every_name(), seed=HELD_OUT_SET, count=CHECKED)
        return found.to(self.device)


@cache
def tokenizer() -> Tokenizer:
    """OpenCLIP's, with the merges of Mini's words."""
    return Tokenizer(merges=merges(), context_length=CONTEXT, cleaning="openai", padding="zero")


def make(run: Run) -> Path:
    """All stages, each from where it stopped; returns the checkpoint.

    Raises Paused where the budget ends first.
    """
    autoencoder = make_autoencoder(run)
    model = new_model(run)
    learn(run, model, autoencoder)
    finish(run, model, autoencoder)
    return write(run, model, autoencoder)


def new_model(run: Run) -> TextAndUNet:
    """Untrained; the U-Net begins by predicting nothing at all."""
    torch.manual_seed(2)
    unet = UNet(run.recipe.unet)
    text = TextEncoder(x4_text_encoder(tokenizer().vocabulary, unet.config.context_width))
    for layer in (text.token_embedding, text.position_embedding, unet.label):
        nn.init.normal_(layer.weight, std=0.02)
    nn.init.zeros_(unet.conv_out.weight)
    return TextAndUNet(text, unet).to(run.device)


def make_autoencoder(run: Run) -> Autoencoder:
    """Stage 1, on pieces of scenes of every object; then latents are scaled."""
    recipe = run.recipe
    model = new_autoencoder(recipe.autoencoder, seed=0).to(run.device)
    done = run.state / "autoencoder.done.safetensors"
    if not done.exists():
        if run.start is not None:
            started = load_mini(run.start, run.device).autoencoder
            model.load_state_dict(started.state_dict())
        crops = Crops(
            names=every_name(),
            kinds=recipe.crops,
            seed=TRAINING_SET + 4,
            font=run.font,
            enlarged=ENLARGED,
        )
        with Ahead(crops, run.workers) as batches:
            train(
                model,
                autoencoder_loss(
                    model, lambda step: batches(step).to(run.device), recipe.kl_weight
                ),
                recipe.autoencoder_schedule,
                run.state / "autoencoder.safetensors",
                seed=1,
                watch=_watch(run, "autoencoder", lambda step: show(run, model, step)),
                budget=run.budget,
            )
        normalise_latents(model, run.held_out(), X4_LATENT_SCALE)
        keep(done, model)
    model.load_state_dict(load_file(done, device=str(run.device)))
    return model


@torch.no_grad()
def show(run: Run, model: Autoencoder, step: int) -> None:
    """Say how good reconstructions are; leave a sheet of them below their originals."""
    originals = run.held_out()
    decoded = torch.cat([model.decode(model.encode(part)) for part in originals.split(8)])
    run.say(f"autoencoder: {psnr(decoded.clamp(-1, 1), originals):.2f} dB on {CHECKED} new scenes")
    pictures = to_images(torch.cat([originals[:12], decoded[:12]]))
    sheet(list(pictures), 12).save(run.state / f"autoencoder-{step:06}.png")


def learn(run: Run, model: TextAndUNet, autoencoder: Autoencoder) -> None:
    """Stage 2: from noise and a small picture to the latents of the large one."""
    recipe, path = run.recipe, run.state / "unet.safetensors"
    if finished(path, recipe.unet_schedule):
        take_average(path, model)
        return
    train(
        model,
        _loss(run, model, autoencoder, (Kind(since=0, side=recipe.side, batch=recipe.batch),)),
        recipe.unet_schedule,
        path,
        seed=2,
        watch=_watch(run, "unet", lambda step: check(run, model, autoencoder, f"unet-{step:06}")),
        budget=run.budget,
    )


def finish(run: Run, model: TextAndUNet, autoencoder: Autoencoder) -> None:
    """Stage 3: U-Net and decoder together learn to draw what the large picture shows."""
    recipe, path = run.recipe, run.state / "finish.safetensors"
    enlarger = Enlarger(model, autoencoder)
    if finished(path, recipe.finish_schedule):
        take_average(path, enlarger)
        return

    def drawn(latents: Tensor) -> Tensor:
        return enlarger.decode(latents / X4_LATENT_SCALE)

    train(
        enlarger,
        _loss(run, model, autoencoder, recipe.finish_kinds, drawn),
        recipe.finish_schedule,
        path,
        seed=3,
        watch=_watch(
            run, "finish", lambda step: check(run, model, autoencoder, f"finish-{step:06}")
        ),
        budget=run.budget,
    )


def _watch(run: Run, title: str, evaluate: Callable[[int], None]) -> Watch:
    return replace(run.watch(title), evaluate=evaluate, evaluate_every=EVALUATE_EVERY)


def _loss(
    run: Run,
    model: TextAndUNet,
    autoencoder: Autoencoder,
    kinds: tuple[Kind, ...],
    drawn: Callable[[Tensor], Tensor] | None = None,
) -> Callable[[int, torch.Generator], Tensor]:
    """That of batches of these kinds out of what is cached."""
    pairs = _pairs(run, autoencoder)
    artist = None if run.artist is None else load_mini(run.artist, run.device).autoencoder

    def redraw(small: Tensor) -> Tensor:
        assert artist is not None
        return artist.decode(artist.encode(small))

    return upscaling_loss(
        model,
        Batches(pairs=pairs, kinds=kinds, seed=3, device=run.device),
        alphas().to(run.device),
        token_ids(tokenizer(), [""])[0].to(run.device),
        redraw=None if artist is None else redraw,
        drawn=drawn,
    )


def _pairs(run: Run, autoencoder: Autoencoder) -> Pairs:
    recipe = run.recipe
    drawing = Drawing(
        names=every_name(),
        side=recipe.side,
        count=recipe.pieces,
        seed=TRAINING_SET,
        font=run.font,
    )
    path = run.state / f"pairs-{recipe.pieces}.safetensors"
    if not path.exists():
        run.say(f"drawing and encoding {recipe.pieces} pieces into {path.name}")
    return cached(
        path, drawing, autoencoder, tokenizer(), scale=X4_LATENT_SCALE, workers=run.workers
    )


@cache
def alphas() -> Tensor:
    """The schedule of the published upscaler, ended in noise alone: float64 [1000]."""
    return alphas_cumprod(zero_terminal_snr=True, betas=X4_BETAS)


@torch.no_grad()
def check(run: Run, model: TextAndUNet, autoencoder: Autoencoder, title: str) -> None:
    """Say how near it comes to what it has not seen, in one step and in four, beside Lanczos.

    Leaves a sheet: Lanczos, four steps, the truth.
    """
    truth = run.held_out()
    small = to_images(F.avg_pool2d(truth, FACTOR))
    side = truth.shape[-1], truth.shape[-2]
    usual = pixels(
        [np.asarray(Image.fromarray(one).resize(side, Image.Resampling.LANCZOS)) for one in small]
    )
    seen = pixels(list(small)).to(run.device)
    made = [enlarge(model, autoencoder, seen, steps=steps) for steps in (1, 4)]
    values = [psnr(one.clamp(-1, 1), truth) for one in (usual.to(run.device), *made)]
    run.say(f"{title}: Lanczos {values[0]:.2f} dB, one step {values[1]:.2f}, four {values[2]:.2f}")
    pictures = torch.cat([usual[:12], made[1][:12].cpu(), truth[:12].cpu()])
    sheet(list(to_images(pictures)), 12).save(run.state / f"{title}.png")
    write(run, model, autoencoder)


def enlarge(model: TextAndUNet, autoencoder: Autoencoder, small: Tensor, *, steps: int) -> Tensor:
    """Small pictures [B, 3, h, w] as large ones [B, 3, 4 h, 4 w]; noise is the same each time."""
    device, count = small.device, len(small)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(count, 7, *small.shape[2:], generator=generator).to(device)
    seen = noised_picture(small, noise[:, 4:], 0)
    context = model.text(token_ids(tokenizer(), [""]).to(device)).expand(count, -1, -1)
    levels = sigmas("trailing", steps, alphas())
    denoise = Denoiser(model.unet, alphas(), "v")
    label = torch.zeros(count, dtype=torch.int64, device=device)
    x = start_from_noise("dpmpp_2m", levels, noise[:, :4])
    with torch.autocast(device.type, torch.bfloat16):
        for step in dpmpp_2m(lambda x, sigma: denoise(x, sigma, context, seen, label), x, levels):
            x = step.x
        latents = to_latent(x, levels) / X4_LATENT_SCALE
        return torch.cat([autoencoder.decode(part).float() for part in latents.split(8)])


@torch.no_grad()
def write(run: Run, model: TextAndUNet, autoencoder: Autoencoder) -> Path:
    """The checkpoint as it stands."""
    path = run.state / "mini-x4.safetensors"
    networks = Networks(text_encoder=model.text, unet=model.unet, autoencoder=autoencoder)
    words = captions.words(every_name())
    export_upscaler(path, networks, run.held_out(), merges=merges(), words=words)
    return path
