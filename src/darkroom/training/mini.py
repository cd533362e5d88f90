"""From a font to Mini's weights, in stages that may be interrupted at any time.

    python -m darkroom.training.mini --state FOLDER

Autoencoder → cached latents → contrastive start of the text encoder → U-Net and text encoder →
one safetensors file in the published v1 layout.  The same command goes on where the last one
stopped; delete a stage's file in FOLDER to do that stage again, and those after it.
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from darkroom.checkpoints.load import Networks, save_published
from darkroom.contracts import AutoencoderConfig, TextEncoderConfig, UNetConfig
from darkroom.diffusion.schedule import alphas_cumprod
from darkroom.models.autoencoder import Autoencoder
from darkroom.models.text_encoder import TextEncoder
from darkroom.models.unet import UNet
from darkroom.text.tokenizer import Tokenizer, pruned_merges
from darkroom.training.autoencoder import (
    autoencoder_loss,
    new_autoencoder,
    normalise_latents,
    psnr,
    scene_batch,
)
from darkroom.training.contrast import ContrastiveStart, contrastive_loss
from darkroom.training.diffusion import TextAndUNet, diffusion_loss
from darkroom.training.latents import cached_latents
from darkroom.training.loop import Progress, Schedule, train
from darkroom.training.scenes import BACKGROUNDS, Painter, caption, sheet, training_scene, words

SIDE = 64
SCENES = 40_000
CONTEXT = 32
LATENT_SCALE = 0.18215
NORM_GROUPS = 8  # 32 groups of one channel would wash plain colours out
SCENE_SEED, HELD_OUT_SEED = 1, 2

AUTOENCODER = AutoencoderConfig(
    in_channels=3, latent_channels=4, widths=(32, 64, 128), blocks=1, norm_groups=NORM_GROUPS
)
UNET = UNetConfig(
    in_channels=4,
    out_channels=4,
    widths=(64, 128, 192),
    blocks=1,
    depths=(0, 1, 1),
    middle_depth=1,
    self_attention=(True, True, True),
    heads=(8, 8, 8),
    context_width=256,
    norm_groups=NORM_GROUPS,
)


def text_encoder_config(vocabulary: int) -> TextEncoderConfig:
    """CLIP's tower, small."""
    return TextEncoderConfig(
        vocabulary=vocabulary,
        context_length=CONTEXT,
        width=256,
        layers=3,
        heads=4,
        feed_width=1024,
        activation="quick_gelu",
    )


@dataclass(frozen=True)
class Batches:
    """Cached latents with captions said anew each time; batch `n` depends on `n` alone."""

    latents: Tensor
    tokenizer: Tokenizer
    objects: list[int]
    backgrounds: list[str]
    bare: float

    def __call__(self, step: int, size: int) -> tuple[Tensor, Tensor, Tensor]:
        rng = np.random.default_rng((SCENE_SEED, 77, step))
        chosen = rng.integers(len(self.objects), size=size)
        shown = [(self.objects[i], self.backgrounds[i]) for i in chosen]
        captions = [caption(rng, *what, bare=self.bare) for what in shown]
        names = list(BACKGROUNDS)
        labels = [what * len(names) + names.index(background) for what, background in shown]
        return self.latents[chosen], self.ids(captions), torch.tensor(labels)

    def ids(self, captions: list[str]) -> Tensor:
        return torch.tensor([self.tokenizer.chunk(text).ids for text in captions])


def train_autoencoder(painter: Painter, state: Path) -> Autoencoder:
    """Stage 1; leaves a sheet of originals above reconstructions in `state`."""
    model = new_autoencoder(AUTOENCODER, seed=0)
    train(
        model,
        autoencoder_loss(model, painter, seed=SCENE_SEED, batch=16, side=SIDE),
        Schedule(steps=2700, rate=2e-3),
        state / "autoencoder.safetensors",
        seed=1,
        ema_decay=0.995,
        report=reporter("autoencoder"),
    )
    held_out = scene_batch(painter, HELD_OUT_SEED, range(256), SIDE)
    normalise_latents(model, held_out, LATENT_SCALE)
    with torch.no_grad():
        decoded = model.decode(model.encode(held_out)).clamp(-1, 1)
    say(f"autoencoder: {psnr(decoded, held_out):.2f} dB on 256 new scenes")
    pixels = torch.cat([held_out[:24], decoded[:24]]).add(1).mul(127.5).round().byte()
    sheet(pixels.permute(0, 2, 3, 1).numpy(), 12).save(state / "autoencoder.png")
    return model


def start_text_encoder(batches: Batches, state: Path) -> TextEncoder:
    """Stage 2; the tower over latents is thrown away."""
    torch.manual_seed(2)
    text = TextEncoder(text_encoder_config(batches.tokenizer.vocabulary))
    for embedding in (text.token_embedding, text.position_embedding):
        torch.nn.init.normal_(embedding.weight, std=0.02)
    model = ContrastiveStart(text, AUTOENCODER.latent_channels, batches.tokenizer.eos)
    model(batches.latents[:2], batches.ids(["", ""]))  # gives the lazy layer its shape
    train(
        model,
        contrastive_loss(model, batches, batch=256),
        Schedule(steps=500, rate=1e-3, warm_up=50),
        state / "contrast.safetensors",
        seed=2,
        ema_decay=0.98,
        report=reporter("text encoder"),
    )
    return text


def train_unet(text: TextEncoder, batches: Batches, state: Path, steps: int) -> TextAndUNet:
    """Stage 3; the text encoder goes on learning, slowly."""
    torch.manual_seed(3)
    model = TextAndUNet(text, UNet(UNET))
    torch.nn.init.zeros_(model.unet.conv_out.weight)
    alphas = alphas_cumprod(zero_terminal_snr=True)
    train(
        model,
        diffusion_loss(model, batches, batches.ids([""])[0], alphas, "v", batch=64),
        Schedule(steps=steps, rate=1e-3, slow=0.15, slow_prefix="text."),
        state / "unet.safetensors",
        seed=3,
        ema_decay=0.999,
        report=reporter("U-Net"),
    )
    return model


def metadata(merges: list[str], preview: list[list[float]]) -> dict[str, str]:
    """What the file says of itself beside its tensors."""
    return {
        "modelspec.title": "Mini",
        "modelspec.architecture": "stable-diffusion-v1",
        "modelspec.prediction_type": "v",
        "modelspec.resolution": f"{SIDE}x{SIDE}",
        "modelspec.license": "Apache-2.0",
        "ztsnr": "true",
        "darkroom.demonstration": "true",
        "darkroom.tokenizer.merges": "\n".join(merges),
        "darkroom.words": " ".join(words()),
        "darkroom.preview": json.dumps(preview),
        "darkroom.defaults": json.dumps(
            {"steps": 20, "guidance": 3.5, "sampler": "dpmpp_2m", "schedule": "trailing"}
        ),
    }


def fit_preview(latents: Tensor, pixels: Tensor) -> list[list[float]]:
    """The linear map from scaled latents to colours: a row for each channel, then the offsets."""
    small = F.interpolate(pixels, latents.shape[2:], mode="area")
    known = latents.movedim(1, -1).flatten(0, -2)
    known = torch.cat([known, torch.ones(len(known), 1)], dim=1)
    solution = torch.linalg.lstsq(known, small.movedim(1, -1).flatten(0, -2)).solution
    return [[round(float(value), 5) for value in row] for row in solution]


def say(message: str) -> None:
    """To stderr at once: the log of a run that may be killed."""
    sys.stderr.write(message + "\n")
    sys.stderr.flush()


def reporter(stage: str) -> Callable[[Progress], None]:
    """Says how far a stage is, and how long it will still take."""

    def report(progress: Progress) -> None:
        left = (progress.steps - progress.step) * progress.seconds_a_step
        say(
            f"{stage}: step {progress.step} of {progress.steps}, loss {progress.loss:.4f}, "
            f"{progress.seconds_a_step:.3f} s a step, {left / 60:.0f} min left"
        )

    return report


def make(painter: Painter, state: Path, out: Path, unet_steps: int) -> None:
    """All stages, each from where it stopped; writes Mini's checkpoint to `out`."""
    merges = pruned_merges(words())
    tokenizer = Tokenizer(merges=merges, context_length=CONTEXT)
    autoencoder = train_autoencoder(painter, state)
    latents = cached_latents(
        autoencoder,
        painter,
        state / "latents.safetensors",
        seed=SCENE_SEED,
        count=SCENES,
        side=SIDE,
        scale=LATENT_SCALE,
    )
    scenes = [training_scene(SCENE_SEED, i) for i in range(SCENES)]
    objects, backgrounds = [s.object for s in scenes], [s.background for s in scenes]
    # Contrast needs captions that say all that is shown; the U-Net must also do without.
    whole = Batches(latents, tokenizer, objects, backgrounds, bare=0.0)
    text = start_text_encoder(whole, state)
    some_bare = Batches(latents, tokenizer, objects, backgrounds, bare=0.1)
    model = train_unet(text, some_bare, state, unet_steps)

    preview = fit_preview(latents[:256], scene_batch(painter, SCENE_SEED, range(256), SIDE))
    networks = Networks(text_encoder=model.text, unet=model.unet, autoencoder=autoencoder)
    save_published(out, networks, metadata=metadata(merges, preview), dtype=torch.float16)
    say(f"wrote {out}")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="folder for unfinished work")
    parser.add_argument("--out", type=Path, help="default: mini.safetensors in that folder")
    parser.add_argument("--font", type=Path, help="NotoColorEmoji.ttf (default: the system's)")
    parser.add_argument("--unet-steps", type=int, default=3700, help="of 64 scenes each")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    out = given.out if given.out is not None else given.state / "mini.safetensors"
    make(Painter(given.font), given.state, out, given.unet_steps)


if __name__ == "__main__":
    main()
