"""Large blocks of memory are used again, without asking the system for them anew."""

import os
import subprocess
import sys

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
    if "CS_GNU_LIBC_VERSION" in getattr(os, "confstr_names", ()):
        assert pages("leave") > 20_000
        assert kept < 1_000
