"""Noise belongs to an image, and torch's generator is what it has always been."""

import hypothesis
import torch
from hypothesis import strategies as st

from darkroom.diffusion.noise import Noise


def test_torch_still_draws_what_it_drew() -> None:
    """If this fails, every seed that anyone wrote down gives another image."""
    noise = Noise([42, 43])
    first, second = noise.draw((4, 8, 8)), noise.draw((4, 8, 8))
    golden = [
        (first[0].flatten()[:4], [1.92691529, 1.48728406, 0.90071720, -2.10552096]),
        (first[0].flatten()[-2:], [0.50579172, 0.22245365]),
        (first[1].flatten()[:4], [-0.01660361, -0.46679494, 2.09089756, 0.61490285]),
        (second[0].flatten()[:3], [-0.68548161, 0.56355900, -1.50717509]),
        (second[1].flatten()[:3], [0.60920966, 0.33792719, 1.76425385]),
        # Below sixteen numbers torch goes another way.
        (Noise([42]).draw((4,))[0], [0.33669037, 0.12880941, 0.23446237, 0.23033303]),
    ]
    for ours, expected in golden:
        torch.testing.assert_close(ours, torch.tensor(expected), rtol=0, atol=1e-6)


@hypothesis.given(
    seeds=st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=4), draws=st.integers(1, 3)
)
def test_an_images_noise_does_not_depend_on_its_neighbours(seeds: list[int], draws: int) -> None:
    together = Noise(seeds)
    alone = [Noise([seed]) for seed in seeds]
    for _ in range(draws):
        batch = together.draw((2, 3, 5))
        assert batch.shape == (len(seeds), 2, 3, 5)
        assert batch.dtype == torch.float32
        for k, one in enumerate(alone):
            assert torch.equal(batch[k : k + 1], one.draw((2, 3, 5)))


def test_nothing_else_moves_it_and_it_moves_nothing_else() -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    noise = Noise([9])
    first = noise.draw((20,))
    assert torch.equal(torch.rand(3), expected)
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        assert torch.equal(Noise([9]).draw((20,)), first)
    finally:
        torch.set_default_dtype(default)
