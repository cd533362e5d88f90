"""One run of the sampler: from noise, or from a latent that is noised again, to a latent."""

import math
from collections.abc import Generator

from torch import Tensor

from darkroom.contracts import Event, Stepped
from darkroom.diffusion import schedule
from darkroom.diffusion.noise import Noise, varied
from darkroom.diffusion.samplers import SAMPLERS, Churn
from darkroom.tasks.pixels import previews
from darkroom.tasks.studio import Batch, Studio


class Run:
    """A pass of the request, for batch after batch."""

    def __init__(self, studio: Studio, index: int = 0) -> None:
        """`index`: which pass."""
        resolved = studio.resolved
        self.size = resolved.passes[index]
        self.levels = schedule.run_levels(
            resolved.sampler, resolved.schedule, self.size.requested_steps, studio.alphas
        )
        self._studio = studio
        self._before = sum(one.runs for one in resolved.passes[:index])
        # Fractions in a prompt are of the steps that were asked for, as A1111 counts them.
        steps = self.size.runs if index else self.size.requested_steps
        self._denoise = studio.denoise(
            self.levels[self.size.steps - self.size.runs :],
            _interval(studio, self.levels),
            steps=max(steps, 1),
            earlier=self._before,
        )

    def from_noise(self, batch: Batch) -> Generator[Event, None, Tensor]:
        """The scaled latents [B, C, h, w] that the sampler makes of noise alone."""
        start, noise = self._start(batch)
        x = schedule.start_from_noise(self._studio.resolved.sampler, self.levels, start)
        return (yield from self._sample(batch, x, self.levels, noise))

    def from_latent(self, batch: Batch, latent: Tensor) -> Generator[Event, None, Tensor]:
        """Those that it makes of `latent` [B or 1, C, h, w], noised as far as the steps reach."""
        start, noise = self._start(batch)
        x, levels = schedule.start_from_image(
            self._studio.resolved.sampler, self.levels, self.size.runs, latent, start
        )
        return (yield from self._sample(batch, x, levels, noise))

    def _start(self, batch: Batch) -> tuple[Tensor, Noise]:
        """Unit noise to begin with, and where the noise of the steps comes from."""
        resolved, config = self._studio.resolved, self._studio.spec.autoencoder
        shape = (
            config.latent_channels,
            self.size.canvas_height // config.factor,
            self.size.canvas_width // config.factor,
        )
        noise = Noise(batch.seeds, source=resolved.noise, offset=resolved.seed_offset)
        start = noise.draw(shape)
        if batch.variation_seeds:
            other = Noise(batch.variation_seeds, source=resolved.noise).draw(shape)
            start = varied(start, other, resolved.variation_strength)
        return start, noise

    def _sample(
        self, batch: Batch, x: Tensor, levels: Tensor, noise: Noise
    ) -> Generator[Event, None, Tensor]:
        """Run the sampler from x [B, C, h, w] at `levels[0]`; the scaled latents, on the CPU."""
        studio, resolved = self._studio, self._studio.resolved
        steps = SAMPLERS[resolved.sampler](
            self._denoise,
            x.to(studio.plan.device),
            levels,
            noise=noise.steps(resolved.sampler, x.shape[1:], scale=resolved.noise_scale),
            eta=resolved.eta,
            churn=Churn(resolved.churn, resolved.churn_start, resolved.churn_end),
        )
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                return schedule.to_latent(end.value, levels).cpu()
            yield from studio.notes()
            yield Stepped(
                first=batch.first,
                images=len(batch.seeds),
                step=self._before + step.i + 1,
                steps=studio.plan.steps,
                previews=(
                    previews(step.denoised, studio.spec, self.size.width, self.size.height)
                    if studio.previews
                    else ()
                ),
            )


def _interval(studio: Studio, levels: Tensor) -> tuple[float, float] | None:
    """The highest and the lowest sigma at which guidance acts; None for all."""
    resolved, steps = studio.resolved, len(levels) - 1
    begin, end = (round(part * steps) for part in (resolved.guidance_start, resolved.guidance_end))
    if (begin, end) == (0, steps):
        return None
    if begin == end:
        return 0.0, math.inf  # nowhere
    # What a step looks at on its way belongs to it; the level that it leads to does not.
    return float(levels[begin]), math.nextafter(float(levels[end]), math.inf)
