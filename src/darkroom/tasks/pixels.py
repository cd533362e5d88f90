"""Between tensors and pixels.

Tensors hold colours in [-1, 1], float32, channels first; pixels are uint8, rows of RGB.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from darkroom.contracts import ModelSpec, Raster
from darkroom.images.io import Pixels

# What the four latents of v1 look like, fitted to pairs of latents and pictures: rows of red,
# green and blue for each channel, then an offset
# (https://discuss.huggingface.co/t/decoding-latents-to-rgb-without-upscaling/23204).
_V1_PREVIEW = (
    (0.298, 0.207, 0.208),
    (0.187, 0.286, 0.173),
    (-0.158, 0.189, 0.264),
    (-0.184, -0.271, -0.473),
    (0.0, 0.0, 0.0),
)


def to_raster(colours: Tensor, width: int, height: int) -> Raster:
    """The upper left `width` x `height` of colours [3, H, W], as the reference rounds: down."""
    levels = ((colours[:, :height, :width] + 1) / 2).clamp(0, 1) * 255
    data = levels.to(torch.uint8).permute(1, 2, 0).contiguous().numpy().tobytes()
    return Raster(width=width, height=height, data=data)


def to_tensor(pixels: Pixels, width: int, height: int) -> Tensor:
    """Pixels [h, w, 3] as colours [3, height, width]; the edge is repeated where they end."""
    colours = torch.tensor(pixels).permute(2, 0, 1).float() / 127.5 - 1
    right, below = width - colours.shape[2], height - colours.shape[1]
    return F.pad(colours[None], (0, right, 0, below), mode="replicate")[0]


def previews(latents: Tensor, spec: ModelSpec, width: int, height: int) -> tuple[Raster, ...]:
    """Small pictures of scaled latents [B, C, h, w], a pixel a latent; sizes are the images'."""
    *rows, offset = spec.preview or _usual_preview(spec.autoencoder.latent_channels)
    colours = torch.einsum("bchw,cr->brhw", latents.float().cpu(), torch.tensor(rows))
    colours += torch.tensor(offset)[:, None, None]
    factor = spec.autoencoder.factor
    return tuple(to_raster(image, width // factor, height // factor) for image in colours)


def _usual_preview(channels: int) -> tuple[tuple[float, float, float], ...]:
    """That of v1's four channels; of others the first, in grey, which shows at least shapes."""
    if channels == len(_V1_PREVIEW) - 1:
        return _V1_PREVIEW
    return ((0.3, 0.3, 0.3), *((0.0, 0.0, 0.0),) * channels)
