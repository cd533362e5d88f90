"""An image and a prompt become images."""

from collections.abc import Iterator

from darkroom.contracts import Event
from darkroom.diffusion.noise import Noise
from darkroom.diffusion.schedule import start_from_image
from darkroom.images import io
from darkroom.tasks.finish import finish
from darkroom.tasks.pixels import to_tensor
from darkroom.tasks.studio import Studio


def img2img(studio: Studio, image: io.ReadImage) -> Iterator[Event]:
    """The image is encoded, noised as far as `strength` says, and denoised towards the prompt.

    It is resized to the size that was resolved and, where the U-Net needs more, its edge repeated.
    """
    resolved = studio.resolved
    denoise = yield from studio.condition()
    pixels = io.fit(image.pixels, resolved.width, resolved.height)
    latent = studio.encode(to_tensor(pixels, resolved.canvas_width, resolved.canvas_height))
    for batch in studio.batches():
        noise = Noise(batch.seeds)
        x, levels = start_from_image(
            resolved.sampler,
            studio.levels,
            studio.plan.steps,
            latent,
            noise.draw(studio.latent_shape),
        )
        latents = yield from studio.sample(batch, denoise, x, levels, noise)
        yield from finish(studio, batch, latents)
