"""A prompt becomes images."""

from collections.abc import Iterator

from darkroom.contracts import Event
from darkroom.diffusion.noise import Noise
from darkroom.diffusion.schedule import start_from_noise
from darkroom.tasks.finish import finish
from darkroom.tasks.studio import Studio


def txt2img(studio: Studio) -> Iterator[Event]:
    """Noise is denoised towards the prompt, decoded and finished, batch after batch."""
    denoise = yield from studio.condition()
    for batch in studio.batches():
        noise = Noise(batch.seeds)
        first = noise.draw(studio.latent_shape)
        x = start_from_noise(studio.resolved.sampler, studio.levels, first)
        latents = yield from studio.sample(batch, denoise, x, studio.levels, noise)
        yield from finish(studio, batch, latents)
