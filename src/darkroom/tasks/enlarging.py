"""Between the two passes of a large image: latents of the first become larger ones."""

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from darkroom.contracts import Pass, Tiling
from darkroom.images import io
from darkroom.tasks.pixels import to_raster, to_tensor
from darkroom.tasks.studio import Studio


def enlarged(studio: Studio, latents: Tensor) -> Tensor:
    """Scaled latents of the first pass [B, C, h, w] as those of the second.

    `latent` stretches them as they are; `lanczos` decodes them, enlarges the pictures and encodes
    those.  What the canvas holds beside the picture is left out before.
    """
    resolved = studio.resolved
    before, after = resolved.passes
    if resolved.hires is None or resolved.hires.enlarger == "latent":
        return _stretched(latents, before, after, resolved.tiling, studio.spec.autoencoder.factor)
    return torch.cat([_redrawn(studio, latent, before, after) for latent in latents])


def _stretched(latents: Tensor, before: Pass, after: Pass, tiling: Tiling, factor: int) -> Tensor:
    """By bicubic interpolation, [B, C, h', w']."""
    picture = latents[..., : before.height // factor, : before.width // factor]
    across, down = _copies(tiling)
    height, width = after.height // factor, after.width // factor
    large = F.interpolate(
        picture.repeat(1, 1, down, across),
        (down * height, across * width),
        mode="bicubic",
        antialias=True,
    )
    top, left = down // 2 * height, across // 2 * width
    right, below = after.canvas_width // factor - width, after.canvas_height // factor - height
    large = large[..., top : top + height, left : left + width]
    return F.pad(large, (0, right, 0, below), mode="replicate")


def _redrawn(studio: Studio, latent: Tensor, before: Pass, after: Pass) -> Tensor:
    """Through pixels, enlarged by Lanczos's filter, [1, C, h', w']."""
    raster = to_raster(studio.decode(latent), before.width, before.height)
    across, down = _copies(studio.resolved.tiling)
    picture = Image.fromarray(np.tile(io.to_array(raster), (down, across, 1)))
    large = picture.resize((across * after.width, down * after.height), Image.Resampling.LANCZOS)
    left, top = across // 2 * after.width, down // 2 * after.height
    pixels = np.asarray(large.crop((left, top, left + after.width, top + after.height)))
    return studio.encode(to_tensor(pixels, after.canvas_width, after.canvas_height))


def _copies(tiling: Tiling) -> tuple[int, int]:
    """Of the picture, side by side and one above the other, so that its middle one continues."""
    return (3 if tiling in {"x", "both"} else 1), (3 if tiling in {"y", "both"} else 1)
