"""Noise belongs to an image, and torch's generator is what it has always been."""

from collections.abc import Sequence

import hypothesis
import numpy as np
import pytest
import torch
from hypothesis import strategies as st
from torch import Tensor

from darkroom.contracts import NoiseSource
from darkroom.diffusion.noise import BrownianPath, Noise, varied

SHAPE = (4, 3, 5)


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
    seeds=st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=4),
    draws=st.integers(1, 3),
    source=st.sampled_from(["cpu", "nv"]),
)
def test_an_images_noise_does_not_depend_on_its_neighbours(
    seeds: list[int], draws: int, source: NoiseSource
) -> None:
    together = Noise(seeds, source=source)
    alone = [Noise([seed], source=source) for seed in seeds]
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


@pytest.mark.parametrize("source", ["cpu", "nv"])
def test_the_noise_of_the_steps_goes_on_where_the_start_ended(source: NoiseSource) -> None:
    whole = Noise([5, 6], source=source)
    expected = [whole.draw(SHAPE) for _ in range(3)]
    noise = Noise([5, 6], source=source)
    assert torch.equal(noise.draw(SHAPE), expected[0])
    steps = noise.steps("euler_ancestral", SHAPE)
    assert torch.equal(steps(3.0, 2.0), expected[1])
    assert torch.equal(steps(2.0, 1.0), expected[2])


@pytest.mark.parametrize("source", ["cpu", "nv"])
@pytest.mark.parametrize("offset", [31337, -9, 2**63])
def test_an_offset_gives_the_steps_seeds_of_their_own(source: NoiseSource, offset: int) -> None:
    noise = Noise([5, 6], source=source, offset=offset)
    assert torch.equal(noise.draw(SHAPE), Noise([5, 6], source=source).draw(SHAPE))
    steps = noise.steps("euler_ancestral", SHAPE)
    shifted = Noise([(5 + offset) % 2**64, (6 + offset) % 2**64], source=source)
    assert torch.equal(steps(3.0, 2.0), shifted.draw(SHAPE))
    assert torch.equal(steps(2.0, 1.0), shifted.draw(SHAPE))


@pytest.mark.parametrize("sampler", ["euler_ancestral", "dpmpp_sde"])
def test_scale_makes_the_noise_of_the_steps_stronger(sampler: str) -> None:
    usual = Noise([5]).steps(sampler, SHAPE)(3.0, 1.0)
    stronger = Noise([5]).steps(sampler, SHAPE, scale=1.5)(3.0, 1.0)
    torch.testing.assert_close(stronger, 1.5 * usual)


class TestBrownianPath:
    def path(self, seeds: Sequence[int] = (1,), size: int = 1) -> BrownianPath:
        noise = Noise(seeds)
        return BrownianPath(lambda: noise.draw((size,)))

    @hypothesis.given(levels=st.lists(st.floats(0.01, 20), min_size=3, max_size=3, unique=True))
    def test_two_pieces_make_the_whole_in_any_order(self, levels: list[float]) -> None:
        high, middle, low = sorted(levels, reverse=True)
        hypothesis.assume(min(high - middle, middle - low) > 1e-3)
        pairs = [(high, low), (high, middle), (middle, low)]
        for order in ([0, 1, 2], [1, 0, 2], [1, 2]):
            path = self.path()
            pieces = {k: path(*pairs[k]) * (pairs[k][0] - pairs[k][1]) ** 0.5 for k in order}
            whole = pieces.get(0)
            if whole is not None:
                torch.testing.assert_close(pieces[1] + pieces[2], whole, rtol=1e-4, atol=1e-5)

    def test_back_is_the_opposite_of_forth(self) -> None:
        path = self.path()
        assert torch.equal(path(3.0, 1.0), -path(1.0, 3.0))

    def test_pieces_are_normal_and_share_what_they_have_in_common(self) -> None:
        """Three pieces asked for out of order, so that one end of them is bridged."""
        path = self.path(size=100_000)
        whole, first, second = path(9.0, 1.0)[0], path(9.0, 4.0)[0], path(4.0, 1.0)[0]
        for piece in (whole, first, second):
            assert float(piece.std()) == pytest.approx(1, abs=0.01)
        for one, other, expected in (
            (whole, first, (5 / 8) ** 0.5),
            (whole, second, (3 / 8) ** 0.5),
            (first, second, 0),
        ):
            assert float((one * other).mean()) == pytest.approx(expected, abs=0.015)

    def test_what_lies_above_is_forgotten(self) -> None:
        path = self.path()
        for high in range(1000, 1, -1):
            path(float(high), high - 0.5)
            path(float(high), high - 1.0)
        assert len(path._values) == len(path._levels) <= 3

    def test_an_images_path_does_not_depend_on_its_neighbours(self) -> None:
        pairs = [(9.0, 7.5), (9.0, 5.0), (5.0, 2.0)]
        together, alone = self.path((3, 4), 50), self.path((4,), 50)
        for pair in pairs:
            assert torch.equal(together(*pair)[1:], alone(*pair))


class TestVaried:
    def pair(self) -> tuple[Tensor, Tensor]:
        return Noise([1, 2]).draw((4, 64, 48)), Noise([3, 4]).draw((4, 64, 48))

    @pytest.mark.parametrize("strength", [0.0, 0.1, 0.5, 1.0])
    def test_as_the_web_interface_turns_it(self, strength: float) -> None:
        """Image by image its norm runs along dimension 1 of [C, h, w]: columns."""
        ours = varied(*self.pair(), strength)
        for k, (low, high) in enumerate(zip(*self.pair(), strict=True)):
            for channel in range(4):
                for column in (0, 17, 47):
                    a, b = low[channel, :, column].numpy(), high[channel, :, column].numpy()
                    omega = np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
                    expected = (
                        np.sin((1 - strength) * omega) * a + np.sin(strength * omega) * b
                    ) / np.sin(omega)
                    np.testing.assert_allclose(
                        ours[k, channel, :, column].numpy(), expected, rtol=1e-4, atol=1e-5
                    )

    def test_the_ends_are_the_two_noises(self) -> None:
        first, other = self.pair()
        torch.testing.assert_close(varied(first, other, 0.0), first)
        torch.testing.assert_close(varied(first, other, 1.0), other, rtol=1e-5, atol=1e-6)

    def test_half_way_it_is_still_unit_noise(self) -> None:
        assert float(varied(*self.pair(), 0.5).std()) == pytest.approx(1, abs=0.03)

    @pytest.mark.parametrize("strength", [0.0, 0.3, 1.0])
    def test_noise_turned_towards_itself_stays(self, strength: float) -> None:
        first, _ = self.pair()
        torch.testing.assert_close(varied(first, first, strength), first)
        nothing = torch.zeros_like(first)
        assert varied(nothing, first, strength).isfinite().all()
