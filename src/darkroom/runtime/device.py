"""The device that images are made on, as measured."""

import contextlib
import ctypes
import functools
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from darkroom import paths
from darkroom.contracts import Machine, Precision
from darkroom.errors import RequestError

DTYPES: Mapping[Precision, torch.dtype] = {
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}


def measure(device: str | None = None) -> Machine:
    """The machine as it is now; with no device named, the fastest kind that is there.

    `speed` holds the precisions that the device computes in by itself, in FLOP/s of a square
    matrix product.  It takes a tenth of a second a precision, and is remembered in the cache
    folder; memory is read anew each time.

    Raises:
        RequestError: the device is not there; the message names those that are.
    """
    there = available()
    if device is None:
        chosen = there[0]
    elif _canonical(device) in there:
        chosen = _canonical(device)
    else:
        raise RequestError(f"There is no device {device!r} here.", f"There is: {', '.join(there)}.")
    name = _name(chosen)
    total, free = _memory(chosen)
    cores = _cores()
    use_threads(cores)
    return Machine(
        device=chosen,
        name=name,
        cores=cores,
        memory_total=total,
        memory_free=free,
        speed=_speed(chosen, f"{name}, {chosen}, {cores} threads, torch {torch.__version__}"),
    )


def available() -> tuple[str, ...]:
    """Names of the devices that torch can use here, the preferred first, `cpu` always last."""
    found = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        found.append("mps")
    found += [f"xpu:{index}" for index in range(torch.xpu.device_count())]
    return (*found, "cpu")


def use_threads(count: int) -> None:
    """Have torch compute on so many threads of the CPU from now on."""
    if count != torch.get_num_threads():
        torch.set_num_threads(count)


def precisions(device: str) -> tuple[Precision, ...]:
    """What `device` computes in by itself: emulated formats are slower and not listed."""
    kind = torch.device(device).type
    if kind == "cpu":
        flags = _cpu_flags()
        return ("fp32", "bf16") if flags.get("avx512_bf16") or flags.get("amx_bf16") else ("fp32",)
    if kind == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        return ("fp32", "fp16")
    if kind == "mps":
        return ("fp32", "fp16")
    return ("fp32", "bf16", "fp16")


def _canonical(device: str) -> str:
    """`cuda` and `xpu` alone mean the first of their kind."""
    return f"{device}:0" if device in {"cuda", "xpu"} else device


def _cpu_flags() -> Mapping[str, Any]:
    """Instruction sets and counts of cores; torch below 2.12 does not tell them."""
    read: Callable[[], Mapping[str, Any]] = getattr(torch.cpu, "get_capabilities", dict)
    return read()


@functools.cache
def _cores() -> int:
    """One thread a core: a second one on the same core only gets in the way.

    Fewer than that, by `OMP_NUM_THREADS` or by the process's affinity, are the user's word; they
    are asked for once, before `use_threads` changes them.
    """
    cores = int(_cpu_flags().get("num_physical_cores", 0)) or torch.get_num_threads()
    return min(cores, torch.get_num_threads())


def _name(device: str) -> str:
    kind = torch.device(device).type
    if kind == "cuda":
        return torch.cuda.get_device_name(device)
    if kind == "xpu":
        return torch.xpu.get_device_name(device)
    return str(_cpu_flags().get("cpu_name") or platform.processor() or platform.machine())


def _memory(device: str) -> tuple[int, int]:
    """Total and free bytes."""
    kind = torch.device(device).type
    if kind in {"cuda", "xpu"}:
        module = torch.cuda if kind == "cuda" else torch.xpu
        free, total = module.mem_get_info(device)
        # What torch holds back of what it freed; to the driver it is in use.
        free += module.memory_reserved(device) - module.memory_allocated(device)
        return total, free
    if kind == "mps":
        total = torch.mps.recommended_max_memory()
        return total, total - torch.mps.current_allocated_memory()
    return _main_memory()


def _main_memory() -> tuple[int, int]:
    """Total and free bytes of main memory, within the limit that a container sets.

    macOS has no call that tells the free part; there it is taken to be all.
    """
    if sys.platform == "win32":
        return _windows_memory()
    total = free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with contextlib.suppress(OSError):
        free = _fields(Path("/proc/meminfo"))["MemAvailable:"] * 1024
    with contextlib.suppress(OSError, ValueError):
        group = Path("/sys/fs/cgroup")
        limit = int((group / "memory.max").read_text())
        used = int((group / "memory.current").read_text())
        used -= _fields(group / "memory.stat")["inactive_file"]
        total, free = min(total, limit), min(free, limit - used)
    return total, free


def _fields(file: Path) -> dict[str, int]:
    """Lines of a name and a number."""
    rows = (line.split() for line in file.read_text().splitlines())
    return {row[0]: int(row[1]) for row in rows}


def _windows_memory() -> tuple[int, int]:
    # MEMORYSTATUSEX: two 32-bit words, then seven 64-bit ones: total and free memory come first.
    status = (ctypes.c_uint64 * 8)()
    status[0] = ctypes.sizeof(status)
    ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))  # type: ignore[attr-defined, unused-ignore]
    return int(status[1]), int(status[2])


def _speed(device: str, key: str) -> dict[Precision, float]:
    """FLOP/s for each precision, from the cache folder or measured now."""
    file = paths.cache_folder() / "speed.json"
    known: dict[str, dict[Precision, float]] = {}
    with contextlib.suppress(OSError, ValueError, TypeError):
        known.update(json.loads(file.read_text(encoding="utf-8")))
    if key not in known:
        known[key] = {name: _matrix_product(device, name) for name in precisions(device)}
        with contextlib.suppress(OSError):  # a read-only home costs a tenth of a second, no more
            file.parent.mkdir(parents=True, exist_ok=True)
            draft = file.with_suffix(f".{os.getpid()}")
            draft.write_text(json.dumps(known, indent=1), encoding="utf-8")
            draft.replace(file)
    return known[key]


def _matrix_product(device: str, precision: Precision, seconds: float = 0.1) -> float:
    """FLOP/s of a square matrix product, the best of those that fit into `seconds`."""
    size = 768 if device == "cpu" else 4096
    a = torch.ones(size, size, device=device, dtype=DTYPES[precision])
    best = float("inf")
    a @ a  # the first one loads libraries
    synchronise(device)
    end = time.perf_counter() + seconds
    while (start := time.perf_counter()) < end:
        a @ a
        synchronise(device)
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best


def synchronise(device: str) -> None:
    """Wait for the work that was handed to the device."""
    kind = torch.device(device).type
    if kind == "cuda":
        torch.cuda.synchronize(device)
    elif kind == "mps":
        torch.mps.synchronize()
    elif kind == "xpu":
        torch.xpu.synchronize(device)
