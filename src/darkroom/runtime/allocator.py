"""How the C library hands out the memory of activations."""

import ctypes
import sys

# glibc's malloc.h
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3


def keep_freed_memory() -> None:
    """Have glibc use large freed blocks again instead of giving each back to the system.

    What a layer makes lives for a moment and takes up to hundreds of megabytes.  Left alone, glibc
    fetches large blocks from the system anew each time, and the system clears them page by page:
    up to a tenth of a U-Net step of v1 on a CPU, and a fifth of the decoding.  At most 512 MiB
    stay with the process in exchange.  Call it once the weights are loaded, which are not to lie
    among these blocks.  Where the C library is another, nothing happens.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    # Before 2.35 glibc refuses blocks above 32 MiB.
    if mallopt is not None and (
        mallopt(_M_MMAP_THRESHOLD, 2**28) or mallopt(_M_MMAP_THRESHOLD, 2**25)
    ):
        mallopt(_M_TRIM_THRESHOLD, 2**29)
