"""A small image becomes a large one."""

from collections.abc import Iterator

import torch
from torch import Tensor

from darkroom.contracts import Event
from darkroom.diffusion.augmentation import noised_picture
from darkroom.diffusion.guidance import Label
from darkroom.tasks.finish import finish
from darkroom.tasks.judging import Given
from darkroom.tasks.pixels import to_tensor
from darkroom.tasks.runs import Run, Sight
from darkroom.tasks.studio import Studio


def upscale(studio: Studio, given: Given) -> Iterator[Event]:
    """Noise is denoised beside the small image, a latent a pixel (Rombach et al. 2112.10752, 4.4).

    The small image is noised first, and the U-Net told how far: what noise hides, it makes up.
    """
    image, level = given.image, studio.resolved.noise_level
    assert image is not None  # or the wish would have been refused
    assert level is not None
    yield from studio.remarks()
    run = Run(studio)
    height, width = run.latent_size
    small = to_tensor(image.pixels, width, height)[None]
    label = _told(level)
    for batch in studio.batches():
        noise = run.noise(batch)
        seen = noised_picture(small, noise.draw(tuple(small.shape[1:])), level)
        latents = yield from run.from_noise(batch, noise, Sight(beside=seen, label=label))
        yield from finish(studio, batch, latents)


def _told(level: int) -> Label:
    number: Tensor = torch.tensor([level])
    return Label(number, number)
