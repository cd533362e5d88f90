"""The noise that `torch.randn` draws on NVIDIA cards, in integer arithmetic on the CPU.

Philox 4x32-10 is a counter turned into noise by ten rounds of multiplication (Salmon et al.,
"Parallel random numbers: as easy as 1, 2, 3", SC 2011).  On the card, number i of the n-th call
is made by thread i from the counter (n, 0, i, 0); two of its four outputs become one normal
number (Box and Muller 1958).  That holds as long as a call draws no more numbers than the card
runs threads at once (an RTX 4090 196,608, an RTX 3060 43,008; the latent of 512 × 512 pixels has
16,384).  Beyond, a card shares the work out in its own way; here it goes on as on a large one.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Words = NDArray[np.uint32]

_ROUNDS = 10
_MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
# The golden ratio and √3 - 1, in 32 bits of fraction.
_KEY_STEPS = 0x9E3779B9, 0xBB67AE85
_WORD = 2**32


class Philox:
    """A seeded stream of normal numbers; each call of `draw` advances its counter by one."""

    def __init__(self, seed: int) -> None:
        """`seed`: 64 bits."""
        self._key = seed % _WORD, seed // _WORD % _WORD
        self._calls = 0

    def draw(self, shape: Sequence[int]) -> Tensor:
        """Unit normal noise: float32 of `shape`, on the CPU."""
        index = np.arange(math.prod(shape), dtype=np.uint32)
        call, zero = np.full_like(index, self._calls), np.zeros_like(index)
        self._calls += 1
        first, second, _, _ = philox((call, zero, index, zero), self._key)
        return torch.from_numpy(_normal(first, second)).reshape(tuple(shape))


def philox(counter: Sequence[Words], key: tuple[int, int]) -> tuple[Words, Words, Words, Words]:
    """Four random words for each counter of four words (Philox 4x32-10)."""
    a, b, c, d = counter
    for number in range(_ROUNDS):
        x, y = (
            np.uint32((word + number * step) % _WORD)
            for word, step in zip(key, _KEY_STEPS, strict=True)
        )
        (low_a, high_a), (low_c, high_c) = (
            _product(word, by) for word, by in zip((a, c), _MULTIPLIERS, strict=True)
        )
        a, b, c, d = high_c ^ b ^ x, low_c, high_a ^ d ^ y, low_a
    return a, b, c, d


def _product(words: Words, by: int) -> tuple[Words, Words]:
    """The lower and the upper half of each word times `by`."""
    product = words.astype(np.uint64) * np.uint64(by)
    return product.astype(np.uint32), (product >> np.uint64(32)).astype(np.uint32)


def _normal(first: Words, second: Words) -> NDArray[np.float32]:
    """One normal number of two words each: the sine half of Box-Muller, as cuRAND takes it."""
    u = (first + 0.5) / _WORD
    angle = (second + 0.5) / _WORD * math.tau
    noise: NDArray[np.float32] = (np.sqrt(-2 * np.log(u)) * np.sin(angle)).astype(np.float32)
    return noise
