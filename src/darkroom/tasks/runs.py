"""One run of the sampler: from noise, or from a latent that is noised again, to a latent."""

import math
from collections.abc import Generator
from dataclasses import dataclass

import torch
from torch import Tensor

from darkroom.contracts import Event, Stepped
from darkroom.diffusion import schedule
from darkroom.diffusion.guidance import Label
from darkroom.diffusion.noise import Noise, varied
from darkroom.diffusion.samplers import SAMPLERS, Churn, Denoise
from darkroom.tasks.pixels import previews
from darkroom.tasks.studio import Batch, Studio


@dataclass(frozen=True, kw_only=True, eq=False)
class Sight:
    """What the U-Net of some tasks is given beside noise, time and text, the same at each step.

    `beside` [1 or B, C', h, w]: channels beside the noisy ones.  `label`: told beside the time.
    """

    beside: Tensor | None = None
    label: Label | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Kept:
    """What stays of an image while the rest of it is painted.

    `latent`: the whole image's, scaled, [1, C, h, w].  `painted`: bool [1, 1, h, w].
    """

    latent: Tensor
    painted: Tensor

    def beside(self, x: Tensor, known: Tensor) -> Tensor:
        """`x` where it is painted, `known` where the image stays."""
        return torch.where(self.painted.to(x.device), x, known.to(x))

    def around(self, denoise: Denoise) -> Denoise:
        """`denoise` for which the kept part is finished already.

        So every sampler leads it along the noised original, by the noise that it began with or
        draws itself.
        """
        return lambda x, sigma: self.beside(denoise(x, sigma), self.latent)


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
        self._interval = _interval(studio, self.levels)
        self._before = sum(one.runs for one in resolved.passes[:index])
        # Fractions in a prompt are of the steps that were asked for, as A1111 counts them.
        steps = self.size.runs if index else self.size.requested_steps
        self._conditions = studio.conditions(
            self.levels[self.size.steps - self.size.runs :],
            steps=max(steps, 1),
            earlier=self._before,
        )

    @property
    def latent_size(self) -> tuple[int, int]:
        """Height and width of the canvas in latents."""
        factor = self._studio.spec.autoencoder.factor
        return self.size.canvas_height // factor, self.size.canvas_width // factor

    def noise(self, batch: Batch) -> Noise:
        """Where the noise of these images comes from; what a task draws first is its own."""
        resolved = self._studio.resolved
        return Noise(batch.seeds, source=resolved.noise, offset=resolved.seed_offset)

    def from_noise(
        self, batch: Batch, noise: Noise, sight: Sight = Sight(), kept: Kept | None = None
    ) -> Generator[Event, None, Tensor]:
        """The scaled latents [B, C, h, w] that the sampler makes of noise alone, but for `kept`."""
        start = self._start(batch, noise)
        x = schedule.start_from_noise(self._studio.resolved.sampler, self.levels, start)
        if kept is not None:
            x = kept.beside(x, kept.latent + float(self.levels[0]) * start)
        return (yield from self._sample(batch, x, self.levels, noise, sight, kept))

    def from_latent(
        self,
        batch: Batch,
        noise: Noise,
        latent: Tensor,
        sight: Sight = Sight(),
        kept: Kept | None = None,
    ) -> Generator[Event, None, Tensor]:
        """Those that it makes of `latent` [B or 1, C, h, w], noised as far as the steps reach."""
        start = self._start(batch, noise)
        x, levels = schedule.start_from_image(
            self._studio.resolved.sampler, self.levels, self.size.runs, latent, start
        )
        return (yield from self._sample(batch, x, levels, noise, sight, kept))

    def _start(self, batch: Batch, noise: Noise) -> Tensor:
        """Unit noise to begin with."""
        studio = self._studio
        shape = studio.spec.autoencoder.latent_channels, *self.latent_size
        start = noise.draw(shape)
        if batch.variation_seeds:
            other = Noise(batch.variation_seeds, source=studio.resolved.noise).draw(shape)
            start = varied(start, other, studio.resolved.variation_strength)
        return start

    def _sample(
        self,
        batch: Batch,
        x: Tensor,
        levels: Tensor,
        noise: Noise,
        sight: Sight,
        kept: Kept | None,
    ) -> Generator[Event, None, Tensor]:
        """Run the sampler from x [B, C, h, w] at `levels[0]`; the scaled latents, on the CPU."""
        studio, resolved = self._studio, self._studio.resolved
        denoise = studio.denoise(
            self._conditions, self._interval, beside=sight.beside, label=sight.label
        )
        steps = SAMPLERS[resolved.sampler](
            denoise if kept is None else kept.around(denoise),
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
    # What a step looks at on its way belongs to it; the level that it leads to does not.  Churn
    # lifts the first step above every level.
    highest = math.inf if begin == 0 else float(levels[begin])
    return highest, math.nextafter(float(levels[end]), math.inf)
