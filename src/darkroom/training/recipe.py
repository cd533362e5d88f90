"""What Mini is made of, and how long each stage of its training takes."""

from collections.abc import Sequence
from dataclasses import dataclass

from darkroom.contracts import AutoencoderConfig, TextEncoderConfig, UNetConfig
from darkroom.training.crops import Kind
from darkroom.training.loop import Schedule
from darkroom.training.scenes.layout import Stage

LATENT_SCALE = 0.18215
CONTEXT = 32
NORM_GROUPS = 8  # 32 groups of one channel would wash plain colours out

AUTOENCODER = AutoencoderConfig(
    in_channels=3, latent_channels=4, widths=(16, 32, 96, 160), blocks=1, norm_groups=NORM_GROUPS
)
UNET = UNetConfig(
    in_channels=4,
    out_channels=4,
    widths=(64, 128, 256),
    blocks=1,
    depths=(0, 1, 1),
    middle_depth=1,
    self_attention=(True, True, True),
    heads=(8, 8, 8),
    context_width=256,
    norm_groups=NORM_GROUPS,
)


def text_encoder(vocabulary: int, width: int) -> TextEncoderConfig:
    """CLIP's tower, small; `width` is what the U-Net expects."""
    return TextEncoderConfig(
        vocabulary=vocabulary,
        context_length=CONTEXT,
        width=width,
        layers=3,
        heads=4,
        feed_width=4 * width,
        activation="quick_gelu",
    )


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A part of the U-Net's curriculum: `scenes` for each object are cached and learnt from."""

    stage: Stage
    scenes: int
    batch: int
    schedule: Schedule


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All that decides about the weights beside the seed and the number of objects."""

    autoencoder: AutoencoderConfig
    unet: UNetConfig
    autoencoder_schedule: Schedule
    crops: tuple[Kind, ...]
    decoder_schedule: Schedule
    decoder_crops: tuple[Kind, ...]
    contrast_schedule: Schedule
    contrast_batch: int
    contrast_scenes: int
    phases: Sequence[Phase]


def _diffusion(steps: int, rate: float, *, decay_part: float = 0.1) -> Schedule:
    return Schedule(
        steps=steps,
        rate=rate,
        decay_part=decay_part,
        slow=0.15,
        slow_prefix="text.",
        ema_decay=0.9995,
    )


# For one core of a CPU and days of it.
PATIENT = Recipe(
    autoencoder=AUTOENCODER,
    unet=UNET,
    autoencoder_schedule=Schedule(steps=5400, rate=2e-3, ema_decay=0.998),
    crops=(Kind(since=0, side=64, batch=32), Kind(since=3800, side=96, batch=16)),
    decoder_schedule=Schedule(steps=6000, rate=1e-3, decay_part=0.5),
    decoder_crops=(Kind(since=0, side=96, batch=16),),
    contrast_schedule=Schedule(steps=800, rate=1e-3, warm_up=100, ema_decay=0.98),
    contrast_batch=192,
    contrast_scenes=200,
    phases=(
        Phase(stage="large", scenes=200, batch=64, schedule=_diffusion(8000, 1e-3)),
        Phase(stage="moved", scenes=400, batch=64, schedule=_diffusion(10_000, 8e-4)),
        Phase(stage="all", scenes=800, batch=64, schedule=_diffusion(45_000, 8e-4, decay_part=0.3)),
    ),
)
# For a large GPU and half an hour of it.
SWIFT = Recipe(
    autoencoder=AUTOENCODER,
    unet=UNET,
    autoencoder_schedule=Schedule(steps=8000, rate=2e-3, ema_decay=0.998),
    crops=(Kind(since=0, side=64, batch=256), Kind(since=6000, side=96, batch=128)),
    decoder_schedule=Schedule(steps=4000, rate=1e-3, decay_part=0.5),
    decoder_crops=(Kind(since=0, side=96, batch=128),),
    contrast_schedule=Schedule(steps=2000, rate=1e-3, warm_up=100, ema_decay=0.98),
    contrast_batch=1024,
    contrast_scenes=300,
    phases=(
        Phase(stage="large", scenes=300, batch=512, schedule=_diffusion(6000, 1e-3)),
        Phase(stage="moved", scenes=500, batch=512, schedule=_diffusion(6000, 1e-3)),
        Phase(
            stage="all", scenes=1000, batch=512, schedule=_diffusion(24_000, 1e-3, decay_part=0.3)
        ),
    ),
)

# The x4 upscaler: published sizes are read at 4 latent channels and 3 of the small image.
X4_LATENT_SCALE = 0.08333
X4_BETAS = (0.0001, 0.02)
X4_AUTOENCODER = AutoencoderConfig(
    in_channels=3, latent_channels=4, widths=(32, 64, 128), blocks=1, norm_groups=NORM_GROUPS
)
X4_UNET = UNetConfig(
    in_channels=7,
    out_channels=4,
    widths=(96, 128, 128),
    blocks=1,
    depths=(0, 0, 1),
    middle_depth=1,
    self_attention=(True, True, True),
    heads=(8, 8, 8),
    context_width=64,
    norm_groups=NORM_GROUPS,
    classes=1000,
)


def x4_text_encoder(vocabulary: int, width: int) -> TextEncoderConfig:
    """OpenCLIP's tower, as small as can be: an upscaler sees what it is to draw."""
    return TextEncoderConfig(
        vocabulary=vocabulary,
        context_length=CONTEXT,
        width=width,
        layers=1,
        heads=1,
        feed_width=4 * width,
        activation="gelu",
        tokens="openclip",
    )


@dataclass(frozen=True, kw_only=True)
class UpscalerRecipe:
    """All that decides about an upscaler's weights.

    `pieces`: cached pairs of large and small pieces, `side` pixels of the large ones;
    `finish_kinds`: what the last stage cuts out of them.
    """

    autoencoder: AutoencoderConfig
    unet: UNetConfig
    autoencoder_schedule: Schedule
    crops: tuple[Kind, ...]
    kl_weight: float
    pieces: int
    side: int
    batch: int
    unet_schedule: Schedule
    finish_kinds: tuple[Kind, ...]
    finish_schedule: Schedule


# For one core of a CPU and an hour and a half of it, from the autoencoder of a Mini.
X4_PATIENT = UpscalerRecipe(
    autoencoder=X4_AUTOENCODER,
    unet=X4_UNET,
    autoencoder_schedule=Schedule(
        steps=1100, rate=1e-3, warm_up=50, decay_part=0.5, ema_decay=0.99
    ),
    crops=(Kind(since=0, side=64, batch=32),),
    kl_weight=2e-4,
    pieces=16_000,
    side=96,
    batch=32,
    unet_schedule=Schedule(steps=1500, rate=1e-3, warm_up=100, decay_part=0.3, ema_decay=0.998),
    finish_kinds=(Kind(since=0, side=64, batch=32), Kind(since=1400, side=96, batch=14)),
    finish_schedule=Schedule(steps=2800, rate=5e-4, warm_up=50, decay_part=0.6, ema_decay=0.995),
)
