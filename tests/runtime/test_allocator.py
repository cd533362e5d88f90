"""Large blocks of memory are used again, without asking the system for them anew."""

import os
import re
import subprocess
import sys
from pathlib import Path

from darkroom.runtime.allocator import weights_apart

GLIBC = "CS_GNU_LIBC_VERSION" in getattr(os, "confstr_names", ())

# Fills 30 MB again and again in a program of its own; prints the pages that the system gave.
PAGES = """
import resource, sys
from darkroom.runtime.allocator import keep_freed_memory

if sys.argv[1] == "keep":
    keep_freed_memory()
bytearray(b"x" * 30_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(8):
    bytearray(b"x" * 30_000_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def pages(how: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", PAGES, how], check=True, capture_output=True, text=True
    )
    return int(done.stdout)


def test_freed_memory_is_used_again() -> None:
    kept = pages("keep")
    if GLIBC:
        assert pages("leave") > 20_000
        assert kept < 1_000


def resident() -> int:
    """Anonymous memory of this process in bytes, 0 where the system does not tell."""
    status = Path("/proc/self/status")
    found = re.search(r"RssAnon:\s*(\d+) kB", status.read_text()) if status.exists() else None
    return 1024 * int(found[1]) if found else 0


def test_what_loading_frees_leaves_no_holes_among_the_weights() -> None:
    size, count = 2_000_000, 100
    with weights_apart():
        blocks = [bytearray(b"x" * size) for _ in range(count)]
        full = resident()
        del blocks[::2]  # as plain weights are, each between two packed ones
        freed = full - resident()
    if GLIBC and full:
        assert freed > 0.9 * size * count / 2
