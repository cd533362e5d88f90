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

# Of the colours in [0, 1] on which CLIP was trained (Radford et al. 2103.00020, its code).
_CLIP_MEAN = 0.48145466, 0.4578275, 0.40821073
_CLIP_STD = 0.26862954, 0.26130258, 0.27577711


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


def clip_picture(colours: Tensor, side: int) -> Tensor:
    """Colours [3, H, W] in [-1, 1] as CLIP's image tower takes them, [3, side, side].

    As unCLIP's reference resizes, to a square whatever the shape: blurred as far as it shrinks,
    then by bicubic interpolation between the corners.
    """
    for dim in (1, 2):
        colours = _blurred(colours, dim, colours.shape[dim] / side)
    small = F.interpolate(colours[None], (side, side), mode="bicubic", align_corners=True)[0]
    return clip_colours(small)


def clip_colours(colours: Tensor) -> Tensor:
    """Colours [3, H, W] in [-1, 1], normalised as CLIP's image tower takes them."""
    mean, deviation = (torch.tensor(values)[:, None, None] for values in (_CLIP_MEAN, _CLIP_STD))
    return ((colours + 1) / 2 - mean) / deviation


def _blurred(colours: Tensor, dim: int, shrinks: float) -> Tensor:
    """Colours [3, H, W] blurred by a Gaussian along one side, which is to shrink so many times.

    Of (shrinks - 1) / 2 pixels, cut off at twice that and mirrored at the edge (as kornia does).
    """
    if shrinks <= 1:
        return colours
    sigma = (shrinks - 1) / 2
    reach = int(max(4 * sigma, 3)) // 2
    places = torch.arange(-reach, reach + 1, dtype=torch.float32)
    kernel = torch.exp(-(places**2) / (2 * sigma**2))
    kernel /= kernel.sum()
    rows = colours.movedim(dim, -1)
    padded = F.pad(rows, (reach, reach), mode="reflect")
    return (
        F.conv1d(padded.reshape(-1, 1, padded.shape[-1]), kernel[None, None])
        .reshape(rows.shape)
        .movedim(-1, dim)
    )


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
