"""How the C library hands out the memory of weights and activations."""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# glibc's malloc.h
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3


def use_huge_pages() -> None:
    """Have torch ask the system for pages of 2 MiB under its large tensors.

    The decoder's activations are fetched from the system anew for each layer, and a fault for each
    4 KiB of them is up to a quarter of its time.  torch looks at this variable once, when it makes
    its first tensor on the CPU; where it has been set, or systems know no such pages, nothing
    changes.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")


@contextmanager
def weights_apart() -> Iterator[None]:
    """Load weights inside: what is freed meanwhile leaves no holes among those that stay.

    Each large block comes straight from the system and goes back to it.  Left alone, glibc soon
    keeps blocks of up to 32 MiB to itself.  Afterwards it is to do so: see below.
    """
    _set(_M_MMAP_THRESHOLD, 2**20)
    try:
        yield
    finally:
        keep_freed_memory()


def keep_freed_memory() -> None:
    """Have glibc use freed blocks of up to 32 MiB again instead of giving each back to the system.

    What a layer makes lives for a moment.  Left alone, glibc fetches large blocks from the system
    anew each time, and the system clears them page by page: up to a tenth of a U-Net step of v1
    on a CPU.  At most 512 MiB stay with the process in exchange.  Larger blocks are left out: those
    of the decoder seldom fit into what others left, and 0.6 GiB more would be held at 512 × 512 to
    save a twentieth of its time.  Where the C library is another, nothing happens.
    """
    if _set(_M_MMAP_THRESHOLD, 2**25):
        _set(_M_TRIM_THRESHOLD, 2**29)


def _set(parameter: int, value: int) -> bool:
    """Whether the C library knows the parameter and takes the value."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    return mallopt is not None and bool(mallopt(parameter, value))
