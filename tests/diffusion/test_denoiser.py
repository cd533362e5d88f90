"""eps and v are two languages for one denoised image, in sampling as in training."""

import hypothesis
import pytest
import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from darkroom.contracts import Prediction
from darkroom.diffusion import denoiser, schedule
from darkroom.diffusion.denoiser import Denoiser
from darkroom.diffusion.noise import Noise
from tests.diffusion.oracles import ToyUNet

ALPHAS = schedule.alphas_cumprod()
TERMINAL = schedule.alphas_cumprod(zero_terminal_snr=True)
CONTEXT = torch.zeros(1, 1, 1)


class Answer(nn.Module):
    """Answers what it was built with, and keeps what it was shown."""

    def __init__(self, answer: Tensor) -> None:
        super().__init__()
        self.answer = nn.Parameter(answer)
        self.shown = torch.empty(0)
        self.timestep = torch.empty(0)

    def forward(self, x: Tensor, timestep: Tensor, context: Tensor) -> Tensor:
        del context
        self.shown, self.timestep = x, timestep
        return self.answer


class AsVelocity(nn.Module):
    """An eps network that answers v instead: v = (eps - √(1 - ᾱ) x_vp) / √ᾱ."""

    def __init__(self, eps: nn.Module, alphas: Tensor) -> None:
        super().__init__()
        self.eps = eps
        self.alphas = alphas

    def forward(self, x: Tensor, timestep: Tensor, context: Tensor) -> Tensor:
        alpha_bar = self.alphas[int(timestep[0])]
        predicted: Tensor = self.eps(x, timestep, context)
        velocity: Tensor = (predicted - (1 - alpha_bar).sqrt() * x) / alpha_bar.sqrt()
        return velocity


@pytest.mark.parametrize("t", [0, 1, 500, 901, 999])
def test_eps_and_v_denoise_alike(t: int) -> None:
    sigma = schedule.sigma_table(ALPHAS)[t]
    x = Noise([1, 2]).draw((4, 3, 5)) * float(sigma)
    with torch.no_grad():
        from_eps = Denoiser(ToyUNet(), ALPHAS, "eps")(x, sigma, CONTEXT)
        from_v = Denoiser(AsVelocity(ToyUNet(), ALPHAS), ALPHAS, "v")(x, sigma, CONTEXT)
    torch.testing.assert_close(from_eps, from_v, rtol=1e-5, atol=1e-5 * (1 + float(sigma)))


@hypothesis.given(
    t=st.integers(0, 999), prediction=st.sampled_from(["eps", "v"]), terminal=st.booleans()
)
def test_the_training_target_is_what_denoises_exactly(
    t: int, prediction: Prediction, terminal: bool
) -> None:
    hypothesis.assume(not (terminal and t == 999 and prediction == "eps"))
    alphas = TERMINAL if terminal else ALPHAS
    sigma = schedule.sigma_table(alphas)[t]
    x0, noise = Noise([1]).draw((4, 3, 5)), Noise([2]).draw((4, 3, 5))
    alpha_bar = alphas[t].reshape(1)
    unet = Answer(denoiser.target(x0, noise, alpha_bar, prediction))
    with torch.no_grad():
        denoised = Denoiser(unet, alphas, prediction)(x0 + float(sigma) * noise, sigma, CONTEXT)
    # float32 loses the signal's last bits under noise of size sigma.
    torch.testing.assert_close(denoised, x0, rtol=0, atol=2e-6 * (1 + float(sigma)))
    # What sampling shows the network is what training shows it.
    torch.testing.assert_close(unet.shown, denoiser.noised(x0, noise, alpha_bar), rtol=0, atol=2e-6)
    assert unet.timestep.tolist() == [float(t)]


def test_v_of_a_noiseless_and_of_a_signalless_latent() -> None:
    x0, noise = Noise([1, 2]).draw((4, 3, 5)), Noise([3, 4]).draw((4, 3, 5))
    ends = torch.tensor([1.0, 0.0])
    v = denoiser.velocity(x0, noise, ends)
    assert torch.equal(v[0], noise[0])
    assert torch.equal(v[1], -x0[1])
    assert torch.equal(denoiser.target(x0, noise, ends, "v"), v)
    assert torch.equal(denoiser.target(x0, noise, ends, "eps"), noise)
    assert torch.equal(denoiser.noised(x0, noise, ends)[0], x0[0])


def test_each_image_of_a_batch_has_its_own_level() -> None:
    x0, noise = Noise([1, 2]).draw((4, 3, 5)), Noise([3, 4]).draw((4, 3, 5))
    both = denoiser.velocity(x0, noise, ALPHAS[[10, 900]])
    for k, t in enumerate((10, 900)):
        alone = denoiser.velocity(x0[k : k + 1], noise[k : k + 1], ALPHAS[[t]])
        assert torch.equal(both[k : k + 1], alone)


def test_pure_noise_of_zero_terminal_snr_is_no_obstacle_to_v() -> None:
    sigma = schedule.sigma_table(TERMINAL)[999]
    v = Noise([5]).draw((4, 3, 5))
    x = Noise([6]).draw((4, 3, 5)) * float(sigma)
    with torch.no_grad():
        denoised = Denoiser(Answer(v), TERMINAL, "v")(x, sigma, CONTEXT)
    # At the end of noise, v is the image with its sign turned.
    torch.testing.assert_close(denoised, -v, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_the_network_works_in_its_dtype_and_the_sum_in_float32(dtype: torch.dtype) -> None:
    unet = ToyUNet().to(dtype)
    sigma = schedule.sigma_table(ALPHAS)[500]
    x = Noise([1, 2]).draw((4, 3, 5)) * float(sigma)
    with torch.no_grad():
        denoised = Denoiser(unet, ALPHAS, "v")(x, sigma, CONTEXT)
        exact = Denoiser(ToyUNet(), ALPHAS, "v")(x, sigma, CONTEXT)
    assert unet.dtypes == [dtype, dtype]
    assert unet.timesteps == [[500.0, 500.0]]
    assert denoised.dtype == torch.float32
    torch.testing.assert_close(denoised, exact, rtol=0, atol=0.05)


def test_a_coarse_answer_is_scaled_in_float32() -> None:
    sigma = schedule.sigma_table(ALPHAS)[900]
    answer = Noise([1]).draw((4, 3, 5)).bfloat16()
    x = Noise([2]).draw((4, 3, 5)) * float(sigma)
    with torch.no_grad():
        denoised = Denoiser(Answer(answer), ALPHAS, "eps")(x, sigma, CONTEXT)
    torch.testing.assert_close(denoised, x - float(sigma) * answer.float(), rtol=0, atol=1e-5)


def test_a_schedule_that_interpolates_otherwise_is_asked_otherwise() -> None:
    levels = schedule.sigmas("time_uniform", 20, ALPHAS)
    unet = ToyUNet()
    denoise = Denoiser(unet, ALPHAS, "eps", schedule.interpolation("time_uniform"))
    with torch.no_grad():
        denoise(torch.zeros(1, 4, 3, 5), levels[19], CONTEXT)
    assert unet.timesteps[0][0] == pytest.approx(49.95, abs=1e-5)
