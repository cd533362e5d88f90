"""A prompt becomes images."""

from collections.abc import Iterator

from darkroom.contracts import Event
from darkroom.tasks.enlarging import enlarged
from darkroom.tasks.finish import finish
from darkroom.tasks.runs import Run
from darkroom.tasks.studio import Studio


def txt2img(studio: Studio) -> Iterator[Event]:
    """Noise is denoised towards the prompt, decoded and finished, batch after batch.

    A large image is made in two passes: the second starts from what the first made, enlarged.
    """
    yield from studio.remarks()
    run, *later = [Run(studio, index) for index in range(len(studio.resolved.passes))]
    for batch in studio.batches():
        latents = yield from run.from_noise(batch, run.noise(batch))
        for refine in later:
            large = enlarged(studio, latents)
            latents = yield from refine.from_latent(batch, refine.noise(batch), large)
        yield from finish(studio, batch, latents)
