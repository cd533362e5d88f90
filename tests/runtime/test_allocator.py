"""Large blocks of memory are used again, without asking the system for them anew."""

import os
import subprocess
import sys
from pathlib import Path

GLIBC = "CS_GNU_LIBC_VERSION" in getattr(os, "confstr_names", ())

# Fills 30 MB again and again; prints the pages that the system gave.
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

# Frees every second of a hundred blocks, as packing frees plain weights between packed ones;
# prints the bytes that the system got back.
HOLES = """
import re
from pathlib import Path
from darkroom.runtime.allocator import weights_apart

def resident():
    return 1024 * int(re.search(r"RssAnon:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1])

with weights_apart():
    blocks = [bytearray(b"x" * 2_000_000) for _ in range(100)]
    full = resident()
    del blocks[::2]
    print(full - resident())
"""

# Prints whether the system knows that huge pages are wanted under a tensor (proc(5), VmFlags: hg).
ADVISED = """
import re
from pathlib import Path
import torch
from darkroom.tasks.engine import Engine

engine = Engine.open("mini")
tensor = torch.ones(10_000_000)
for mapping in re.split(r"\\n(?=[0-9a-f]+-[0-9a-f]+ )", Path("/proc/self/smaps").read_text()):
    first, last = (int(one, 16) for one in mapping.split(" ", 1)[0].split("-"))
    if first <= tensor.data_ptr() + 10_000_000 < last:
        print(int(" hg" in mapping.rsplit("VmFlags:", 1)[1]))
"""


def printed(program: str, *arguments: str) -> int:
    """The number that a program of its own prints: nothing was freed in it before."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], check=True, capture_output=True, text=True
    )
    return int(done.stdout)


def test_freed_memory_is_used_again() -> None:
    kept = printed(PAGES, "keep")
    if GLIBC:
        assert printed(PAGES, "leave") > 20_000
        assert kept < 1_000


def test_large_tensors_lie_in_huge_pages() -> None:
    if Path("/sys/kernel/mm/transparent_hugepage/enabled").exists():
        assert printed(ADVISED) == 1


def test_what_loading_frees_leaves_no_holes_among_the_weights() -> None:
    if GLIBC:
        assert printed(HOLES) > 0.9 * 50 * 2_000_000
