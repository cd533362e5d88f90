"""An image and a prompt become images."""

from collections.abc import Iterator

from darkroom.contracts import Event
from darkroom.images import io
from darkroom.tasks.finish import finish
from darkroom.tasks.judging import Given
from darkroom.tasks.pixels import to_tensor
from darkroom.tasks.runs import Run, Sight
from darkroom.tasks.studio import Studio


def img2img(studio: Studio, given: Given) -> Iterator[Event]:
    """The image is encoded, noised as far as `strength` says, and denoised towards the prompt.

    It is resized to the size that was resolved and, where the U-Net needs more, its edge repeated.
    A model that follows instructions sees it all the time, and starts from noise alone.
    """
    image = given.image
    assert image is not None  # or the wish would have been refused
    yield from studio.remarks()
    run = Run(studio)
    size = run.size
    pixels = io.fit(image.pixels, size.width, size.height)
    latent = studio.encode(to_tensor(pixels, size.canvas_width, size.canvas_height))
    edits = studio.spec.task == "pix2pix"
    sight = Sight(beside=latent / studio.spec.latent_scale if edits else None)
    for batch in studio.batches():
        noise = run.noise(batch)
        if studio.resolved.from_noise:
            latents = yield from run.from_noise(batch, noise, sight)
        else:
            latents = yield from run.from_latent(batch, noise, latent, sight)
        yield from finish(studio, batch, latents)
