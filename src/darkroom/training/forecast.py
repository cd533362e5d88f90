"""How long a training will take, measured before it begins."""

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from darkroom.contracts import AutoencoderConfig
from darkroom.diffusion.schedule import alphas_cumprod
from darkroom.training.autoencoder import autoencoder_loss, decoder_loss, new_autoencoder
from darkroom.training.batches import Batches
from darkroom.training.cache import VARIANTS, Frames
from darkroom.training.contrast import ContrastiveStart, contrastive_loss
from darkroom.training.diffusion import diffusion_loss
from darkroom.training.loop import Schedule, seconds_a_step, steps_done
from darkroom.training.mini import Run, new_model
from darkroom.training.recipe import CONTEXT


def forecast(run: Run) -> Iterator[str]:
    """A line for each stage that is not finished, and one for all; scenes are on top of that."""
    total = 0.0
    for title, path, schedule, pace in _stages(run):
        left = max(0, schedule.steps - steps_done(path))
        total += left * pace
        if left:
            yield f"{title}: {left} steps of {pace:.2f} s, {duration(left * pace)}"
    yield f"About {duration(total)} in all, and some minutes to draw scenes."


def _stages(run: Run) -> Iterator[tuple[str, Path, Schedule, float]]:
    recipe = run.recipe
    autoencoder = new_autoencoder(recipe.autoencoder, seed=0).to(run.device)
    first = recipe.crops[0]
    noise = torch.rand(first.batch, 3, first.side, first.side, device=run.device) * 2 - 1
    if not (run.state / "autoencoder.done.safetensors").exists():
        pace = seconds_a_step(autoencoder, autoencoder_loss(autoencoder, lambda _: noise))
        path = run.state / "autoencoder.safetensors"
        yield "autoencoder", path, recipe.autoencoder_schedule, pace

    decoder = nn.ModuleList([autoencoder.post_quant_conv, autoencoder.decoder])
    kind = recipe.decoder_crops[0]
    pieces = torch.rand(kind.batch, 3, kind.side, kind.side, device=run.device) * 2 - 1
    pace = seconds_a_step(decoder, decoder_loss(autoencoder, lambda _: pieces))
    yield "decoder", run.state / "decoder.safetensors", recipe.decoder_schedule, pace

    model = new_model(run)
    vocabulary = model.text.config.vocabulary
    frames = {(128, 128): _noise(recipe.autoencoder, vocabulary, run.device)}
    if run.start is None:
        contrast = ContrastiveStart(
            model.text,
            recipe.autoencoder.latent_channels,
            128 // recipe.autoencoder.factor,
            vocabulary - 1,
        ).to(run.device)
        batches = Batches(sets=frames, size=recipe.contrast_batch, seed=0)
        pace = seconds_a_step(contrast, contrastive_loss(contrast, batches))
        yield "text encoder", run.folder / "contrast.safetensors", recipe.contrast_schedule, pace

    alphas = alphas_cumprod(zero_terminal_snr=True).to(run.device)
    empty = torch.zeros(CONTEXT, dtype=torch.int64, device=run.device)
    for phase in recipe.phases:
        batches = Batches(sets=frames, size=phase.batch, seed=0)
        pace = seconds_a_step(model, diffusion_loss(model, batches, empty, alphas, "v"))
        yield phase.stage, run.folder / f"{phase.stage}.safetensors", phase.schedule, pace


def _noise(config: AutoencoderConfig, vocabulary: int, device: torch.device) -> Frames:
    side = 128 // config.factor
    return Frames(
        latents=torch.randn(64, config.latent_channels, side, side, device=device).half(),
        ids=torch.randint(vocabulary, (64, VARIANTS, CONTEXT), device=device, dtype=torch.int16),
        whole=torch.randint(vocabulary, (64, 2, CONTEXT), device=device, dtype=torch.int16),
        labels=torch.arange(64, device=device),
    )


def duration(seconds: float) -> str:
    """In hours and minutes."""
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min"
