"""An image becomes others of the same depths."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from darkroom.contracts import DepthMapped, Event
from darkroom.images import depth_maps, io
from darkroom.images.depth_maps import Depths
from darkroom.images.io import Pixels
from darkroom.planning.depth import seen_size
from darkroom.tasks.finish import finish
from darkroom.tasks.judging import Given
from darkroom.tasks.pixels import to_tensor
from darkroom.tasks.runs import Run, Sight
from darkroom.tasks.studio import Studio


def depth2img(studio: Studio, given: Given) -> Iterator[Event]:
    """The image is noised as far as `strength` says, and denoised beside the map of its depths.

    At strength 1 nothing is left of it but the depths.  They are measured by the model's own
    network, unless there is a map.
    """
    image = given.image
    assert image is not None  # or the wish would have been refused
    yield from studio.remarks()
    run = Run(studio)
    size = run.size
    pixels = io.fit(image.pixels, size.width, size.height)
    depths = _measured(studio, pixels) if given.depths is None else given.depths
    yield from studio.notes()
    yield DepthMapped(file=depth_maps.encode(depth_maps.normalised(depths)))
    factor = studio.spec.autoencoder.factor
    sight = Sight(beside=_beside(depths, size.height // factor, size.width // factor, run))
    latent = None
    if not studio.resolved.from_noise:
        latent = studio.encode(to_tensor(pixels, size.canvas_width, size.canvas_height))
    for batch in studio.batches():
        noise = run.noise(batch)
        if latent is None:
            latents = yield from run.from_noise(batch, noise, sight)
        else:
            latents = yield from run.from_latent(batch, noise, latent, sight)
        yield from finish(studio, batch, latents)


def _measured(studio: Studio, pixels: Pixels) -> Depths:
    """Inverse depths of an image, [H, W] at the size at which the network looks at it."""
    width, height = seen_size(pixels.shape[1], pixels.shape[0])
    colours = to_tensor(pixels, pixels.shape[1], pixels.shape[0])[None]
    # As the network's authors resize, which is not as Pillow does: without smoothing.
    looked_at = F.interpolate(colours, (height, width), mode="bicubic", align_corners=False)
    return np.asarray(studio.depths(looked_at[0])[0])


def _beside(depths: Depths, height: int, width: int, run: Run) -> Tensor:
    """Depths as the U-Net sees them: [1, 1, h, w] from -1, farthest, to 1; the edge repeated."""
    small = F.interpolate(torch.tensor(depths)[None, None], (height, width), mode="bicubic")
    low, high = small.min(), small.max()
    levels = 2 * (small - low) / (high - low) - 1 if high > low else torch.zeros_like(small)
    canvas_height, canvas_width = run.latent_size
    return F.pad(levels, (0, canvas_width - width, 0, canvas_height - height), mode="replicate")
