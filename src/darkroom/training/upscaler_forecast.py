"""How long the training of an upscaler will take, measured before it begins."""

from collections.abc import Iterator
from pathlib import Path

import torch

from darkroom.training.autoencoder import autoencoder_loss, new_autoencoder
from darkroom.training.forecast import duration
from darkroom.training.loop import Schedule, seconds_a_step, steps_done
from darkroom.training.pairs import FACTOR, Batch
from darkroom.training.recipe import CONTEXT
from darkroom.training.upscaler import Run, alphas, new_model
from darkroom.training.upscaling import Enlarger, upscaling_loss


def forecast(run: Run) -> Iterator[str]:
    """A line for each stage that is not finished, and one for all; drawing is on top of that."""
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
    kind = recipe.crops[-1]
    noise = torch.rand(kind.batch, 3, kind.side, kind.side, device=run.device) * 2 - 1
    if not (run.state / "autoencoder.done.safetensors").exists():
        pace = seconds_a_step(autoencoder, autoencoder_loss(autoencoder, lambda _: noise))
        path = run.state / "autoencoder.safetensors"
        yield "autoencoder", path, recipe.autoencoder_schedule, pace
    model = new_model(run)
    enlarger = Enlarger(model, autoencoder)
    empty = torch.zeros(CONTEXT, dtype=torch.int64, device=run.device)

    def batch(size: int, side: int) -> Batch:
        small = side // FACTOR
        return Batch(
            large=torch.rand(size, 3, side, side, device=run.device) * 2 - 1,
            latents=torch.randn(size, 4, small, small, device=run.device),
            ids=empty.expand(size, -1),
        )

    levels = alphas().to(run.device)
    pieces, last = batch(recipe.batch, recipe.side), recipe.finish_kinds[-1]
    ends = batch(last.batch, last.side)
    pace = seconds_a_step(model, upscaling_loss(model, lambda _: pieces, levels, empty))
    yield "unet", run.state / "unet.safetensors", recipe.unet_schedule, pace
    loss = upscaling_loss(model, lambda _: ends, levels, empty, drawn=enlarger.decode)
    pace = seconds_a_step(enlarger, loss)
    yield "finish", run.state / "finish.safetensors", recipe.finish_schedule, pace
