"""From what a network predicts to the denoised image, and the targets that teach it to.

Sampling and training read the same three identities, in the variance-preserving space of the
network (Salimans & Ho 2202.00512, appendix D), with α = √ᾱ and s = √(1 - ᾱ):

    x_vp = α x0 + s n        eps = n        v = α n - s x0

In sigma space (`x = x_vp / α`, `σ = s / α`) they make the preconditioning of Karras et al.
(2206.00364, eq. 7): `denoised = c_skip x + c_out F(c_in x, t)`.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from darkroom.contracts import Prediction
from darkroom.diffusion.schedule import Interpolation, timestep_at


@dataclass(frozen=True, slots=True)
class Scalings:
    """`denoised = skip * x + out * F(inp * x)`, F being the network."""

    inp: float
    skip: float
    out: float


def scalings(sigma: float, prediction: Prediction) -> Scalings:
    """The scalings at one noise level, in double precision; `sigma` ≥ 0."""
    alpha = (1 + sigma**2) ** -0.5
    if prediction == "v":
        return Scalings(inp=alpha, skip=alpha**2, out=-sigma * alpha)
    return Scalings(inp=alpha, skip=1.0, out=-sigma)


class Denoiser:
    """A network with its noise schedule, as the one function that samplers know.

    `unet(x [B, C + C', h, w], timestep [B], context [B, T, W])` predicts `prediction`; it is called
    in the dtype of its parameters.  `alphas`: float64 [1000].  `interpolation`: that of the
    schedule (`schedule.interpolation`), so that each sigma finds the timestep that it was made
    from.
    """

    def __init__(
        self,
        unet: nn.Module,
        alphas: Tensor,
        prediction: Prediction,
        interpolation: Interpolation = "log_sigma",
    ) -> None:
        self.unet = unet
        self.alphas = alphas
        self.prediction = prediction
        self.interpolation = interpolation

    def __call__(
        self,
        x: Tensor,
        sigma: Tensor,
        context: Tensor,
        beside: Tensor | None = None,
        label: Tensor | None = None,
    ) -> Tensor:
        """What x would be without its noise: float32, of the shape of x.

        `x`: float32 [B, C, h, w] in sigma space; `sigma`: float64 scalar on the CPU, above 0;
        `context`: [B, T, W].  `beside`: [B, C', h, w], channels that the network sees beside the
        noisy ones: the mask and the image of inpainting, a depth map.  `label`: what it is told
        beside the time, whole numbers [B] or vectors [B, V].
        """
        dtype = next(self.unet.parameters()).dtype
        c = scalings(float(sigma), self.prediction)
        t = float(timestep_at(sigma, self.alphas, self.interpolation))
        timestep = x.new_full((len(x),), t, dtype=torch.float32)
        seen = (c.inp * x).to(dtype)
        if beside is not None:
            seen = torch.cat([seen, beside.to(dtype)], dim=1)
        told = () if label is None else (label.to(dtype) if label.ndim == 2 else label,)
        predicted: Tensor = self.unet(seen, timestep, context.to(dtype), *told)
        return c.skip * x + c.out * predicted.float()


def noised(x0: Tensor, noise: Tensor, alpha_bar: Tensor) -> Tensor:
    """x_vp, the network's input: `x0` and `noise` [B, C, h, w], `alpha_bar` [B] in (0, 1]."""
    alpha, s = _roots(alpha_bar, x0)
    return alpha * x0 + s * noise


def velocity(x0: Tensor, noise: Tensor, alpha_bar: Tensor) -> Tensor:
    """v, the derivative of x_vp by its angle (Salimans & Ho 2202.00512); shapes as in `noised`."""
    alpha, s = _roots(alpha_bar, x0)
    return alpha * noise - s * x0


def target(x0: Tensor, noise: Tensor, alpha_bar: Tensor, prediction: Prediction) -> Tensor:
    """What a network of this prediction should answer to `noised(x0, noise, alpha_bar)`."""
    return velocity(x0, noise, alpha_bar) if prediction == "v" else noise


def _roots(alpha_bar: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
    """√ᾱ and √(1 - ᾱ), taken in double precision, shaped to scale each image of `like`."""
    alpha_bar = alpha_bar.double().reshape(-1, *[1] * (like.ndim - 1))
    return alpha_bar.sqrt().to(like.dtype), (1 - alpha_bar).sqrt().to(like.dtype)
