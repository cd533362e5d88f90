"""A part of an image is painted anew, or the image continues beyond its edge."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from darkroom.contracts import Event, Pass
from darkroom.images import io, masks
from darkroom.tasks.finish import Paste, finish
from darkroom.tasks.judging import Given
from darkroom.tasks.pixels import to_tensor
from darkroom.tasks.runs import Kept, Run, Sight
from darkroom.tasks.studio import Batch, Studio


def inpaint(studio: Studio, given: Given) -> Iterator[Event]:
    """What the mask covers is made from noise, and pasted into the image as it was.

    A model made for it sees mask and image in every step (Rombach et al. 2112.10752, section
    4.5).  Any other is led: in every step, what it makes of the rest is replaced by the original
    at the same level of noise (Lugmayr et al. 2201.09865, eq. 8, without resampling).
    """
    yield from studio.remarks()
    run = Run(studio)
    paste = _paste(studio, given)
    colours, painted = _seen(paste, run.size)
    latent: Tensor | None
    if studio.spec.task == "inpaint":
        sight, kept = Sight(beside=_shown(studio, colours, painted)), None
        latent = None if studio.resolved.from_noise else studio.encode(colours)
        painted = _nearest(painted, run.latent_size)
    else:
        sight, latent = Sight(), studio.encode(colours)
        painted = F.max_pool2d(painted.float(), studio.spec.autoencoder.factor) > 0
        kept = Kept(latent=latent, painted=painted)
    for batch in studio.batches():
        noise = run.noise(batch)
        if latent is None or studio.resolved.from_noise:
            latents = yield from run.from_noise(batch, noise, sight, kept)
        else:
            filled = _filled(studio, run, batch, latent, painted)
            latents = yield from run.from_latent(batch, noise, filled, sight, kept)
        yield from finish(studio, batch, latents, paste)


def _paste(studio: Studio, given: Given) -> Paste:
    painting, image, mask = studio.resolved.painting, given.image, given.mask
    assert painting is not None  # or the wish would have been refused
    assert image is not None
    assert mask is not None
    return Paste(image=masks.extended(image.pixels, painting.extend), mask=mask, box=painting.box)


def _seen(paste: Paste, size: Pass) -> tuple[Tensor, Tensor]:
    """What the model sees of the image [3, H, W], and where it paints, bool [1, 1, H, W]."""
    left, top, right, bottom = paste.box
    pixels = io.fit(paste.image[top:bottom, left:right], size.width, size.height)
    painted = masks.resized(paste.mask.painted[top:bottom, left:right], size.width, size.height)
    right, below = size.canvas_width - size.width, size.canvas_height - size.height
    whole = F.pad(torch.tensor(painted)[None, None].float(), (0, right, 0, below), mode="replicate")
    return to_tensor(pixels, size.canvas_width, size.canvas_height), whole > 0


def _shown(studio: Studio, colours: Tensor, painted: Tensor) -> Tensor:
    """What a model made for inpainting sees beside the noise, [1, 1 + C, h, w].

    The mask, and the latent of the image in which all that is painted is grey.
    """
    masked = studio.encode(torch.where(painted[0], 0.0, colours))
    height, width = masked.shape[-2:]
    return torch.cat([_nearest(painted, (height, width)).float(), masked], dim=1)


def _nearest(painted: Tensor, size: tuple[int, int]) -> Tensor:
    """The mask in latents as such models were trained: by the nearest pixel, [1, 1, h, w]."""
    return F.interpolate(painted.float(), size, mode="nearest") > 0


def _filled(studio: Studio, run: Run, batch: Batch, latent: Tensor, painted: Tensor) -> Tensor:
    """The latent with what stands under the mask before it is noised."""
    painting = studio.resolved.painting
    assert painting is not None  # or the wish would have been refused
    if painting.fill == "original":
        return latent
    # The noise that the run begins with, as A1111 takes it.
    noise = run.noise(batch).draw(tuple(latent.shape[1:]))
    return torch.where(painted, noise if painting.fill == "noise" else 0.0, latent)
