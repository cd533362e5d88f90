"""The noise of NVIDIA cards, against published numbers; on a card itself where one is at hand."""

import numpy as np
import pytest
import torch

from darkroom.diffusion.noise import Noise
from darkroom.diffusion.philox import Philox, philox

# What torch.manual_seed(seed); torch.randn(count, device="cuda") printed, in four places, as
# found in the documentation of AUTOMATIC1111 (seed 0) and FlashInfer, and in a simulator's log.
ON_A_CARD = {
    0: [-0.9247, -0.4253, -2.6438, 0.1452, -0.1209],
    42: [
        0.1940, 2.1614, -0.1721, 0.8491, -1.9244, 0.6530, -0.6494, -0.8175, 0.5280, -1.2753,
        -1.6621, -0.3033, -0.0926, 0.1992, -1.1204, 1.8577, -0.7145, 0.6881, 0.7968,
    ],
}  # fmt: skip
# Six calls for four numbers each after torch.manual_seed(42), from an issue about PyTorch.
CALL_AFTER_CALL = [
    [0.1940, 2.1614, -0.1721, 0.8491],
    [0.1391, -0.1082, -0.7174, 0.7566],
    [-0.5187, 1.2268, 0.6255, -0.9117],
    [-0.6974, -1.8688, -0.8832, -1.6627],
    [-1.2682, -0.0383, -0.1029, 1.4400],
    [1.4640, -0.3238, 0.7740, 1.5892],
]
PRINTED = 6e-5  # half of the last place


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        ([2**32 - 1] * 4, [2**32 - 1] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            [0xA4093822, 0x299F31D0],
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
    ids=["zeros", "ones", "pi"],
)
def test_the_known_answers_of_random123(
    counter: list[int], key: list[int], expected: list[int]
) -> None:
    """The vectors that come with the authors' library."""
    words = [np.array([word], dtype=np.uint32) for word in counter]
    assert [int(word[0]) for word in philox(words, (key[0], key[1]))] == expected


@pytest.mark.parametrize("seed", ON_A_CARD)
def test_a_card_printed_these(seed: int) -> None:
    expected = torch.tensor(ON_A_CARD[seed])
    torch.testing.assert_close(Philox(seed).draw((len(expected),)), expected, rtol=0, atol=PRINTED)


def test_each_call_goes_on_where_the_last_one_ended() -> None:
    noise = Noise([42], source="nv")
    for expected in CALL_AFTER_CALL:
        torch.testing.assert_close(
            noise.draw((2, 2)).flatten(), torch.tensor(expected), rtol=0, atol=PRINTED
        )


def test_eight_places_of_the_web_interfaces_own_arithmetic() -> None:
    expected = [
        [-0.92466259, -0.42534415, -2.6438457, 0.14518388],
        [-0.12086647, -0.57972564, -0.62285122, -0.32838709],
        [-1.07454231, -0.36314407, -1.67105067, 2.26550497],
    ]
    ours = Philox(0).draw((3, 4))
    assert ours.dtype == torch.float32
    torch.testing.assert_close(ours, torch.tensor(expected), rtol=0, atol=1e-7)


def test_seeds_beyond_32_bits_are_other_seeds() -> None:
    drawn = [Philox(seed).draw((50,)) for seed in (3, 3 + 2**32, 3 + 2**63)]
    assert not torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[1], drawn[2])


def test_the_numbers_are_normal() -> None:
    noise = Philox(7).draw((200_000,)).double()
    for power, moment in ((1, 0), (2, 1), (3, 0), (4, 3)):
        # Five standard errors of each.
        error = 5 * float((noise**power).std()) / 200_000**0.5
        assert float((noise**power).mean()) == pytest.approx(moment, abs=error)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no NVIDIA card")
def test_a_card_draws_the_same() -> None:
    generator = torch.Generator("cuda")
    for seed in (0, 42, 2**40 + 5):
        generator.manual_seed(seed)
        ours = Philox(seed)
        for shape in ((4, 64, 64), (7,), (4, 96, 128)):
            theirs = torch.randn(*shape, generator=generator, device="cuda").cpu()
            torch.testing.assert_close(ours.draw(shape), theirs, rtol=0, atol=1e-5)
