"""Images of what CLIP saw in an image, or in several."""

from collections.abc import Iterator

import torch
from torch import Tensor

from darkroom.contracts import Event
from darkroom.diffusion.augmentation import mixed, noised_embedding
from darkroom.diffusion.guidance import Label
from darkroom.diffusion.noise import Noise
from darkroom.images import io
from darkroom.images.io import ReadImage
from darkroom.models.unet import sinusoid
from darkroom.tasks.finish import finish
from darkroom.tasks.judging import Given
from darkroom.tasks.pixels import clip_picture, to_tensor
from darkroom.tasks.runs import Run, Sight
from darkroom.tasks.studio import Studio

# What is looked at is so small that more pixels than these a side only take memory.
_LARGEST = 1024


def vary(studio: Studio, given: Given) -> Iterator[Event]:
    """Noise is denoised towards the embedding of an image (unCLIP, Ramesh et al. 2204.06125).

    Several images are mixed in the proportions that were asked for.  The embedding is noised, for
    each image anew, and the U-Net told how far: the more, the freer the variation.  The negative
    prompt stands beside no image at all.
    """
    assert given.image is not None  # or the wish would have been refused
    yield from studio.remarks()
    images = (given.image, *given.images)
    weights = studio.resolved.request.image_weights or (1.0,) * len(images)
    embeddings = torch.cat([studio.embedding(_seen(studio, image)) for image in images])
    yield from studio.notes()
    embedding = mixed(embeddings, weights)
    run = Run(studio)
    for batch in studio.batches():
        noise = run.noise(batch)
        sight = Sight(label=_told(studio, embedding, noise))
        latents = yield from run.from_noise(batch, noise, sight)
        yield from finish(studio, batch, latents)


def _seen(studio: Studio, image: ReadImage) -> Tensor:
    """A photograph as CLIP's image tower looks at it, [3, S, S]."""
    config = studio.spec.image_encoder
    assert config is not None  # of every model that varies images
    width, height = (min(side, _LARGEST) for side in image.size)
    pixels = io.fit(image.pixels, width, height)
    return clip_picture(to_tensor(pixels, width, height), config.grid * config.patch)


def _told(studio: Studio, embedding: Tensor, noise: Noise) -> Label:
    """The noised embedding and the level of its noise, for each image of a batch: [B, 2·E]."""
    level = studio.resolved.noise_level
    assert level is not None  # of every model that varies images
    width = embedding.shape[1]
    mean, deviation = studio.embedding_statistics()
    noised = noised_embedding(
        embedding, noise.draw((width,)), level, mean=mean, deviation=deviation
    )
    features = sinusoid(torch.tensor([float(level)]), width).expand(len(noised), -1)
    told = torch.cat([noised, features], dim=1)
    return Label(told, torch.zeros_like(told))
