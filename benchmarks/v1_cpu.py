"""Darkroom beside diffusers on a CPU, with a Stable Diffusion v1 of full size and random weights.

    python -m benchmarks.v1_cpu > results.json

Each program runs in a process of its own; they take turns, thing by thing, so that whatever else
slows the machine slows both, and ratios are taken within a turn.  A table goes to stderr.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks.contestants import CONTESTANTS, SIZE
from benchmarks.footprint import anonymous_bytes, needed_bytes
from benchmarks.make_checkpoint import make_checkpoint

OURS, BASELINE = "darkroom", "diffusers fp32"
Seconds = dict[str, list[float]]  # by contestant


class Process:
    """A contestant in a process of its own."""

    def __init__(self, name: str, checkpoint: Path) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.contestants", name, str(checkpoint)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
        )

    def do(self, command: str) -> float:
        """Have one thing done; returns the seconds that it took."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        print(command, file=self._child.stdin, flush=True)
        answer = self._child.stdout.readline()
        if not answer:
            raise SystemExit(f"{command}: the process ended with {self._child.wait()}")
        return float(answer)

    def peak(self, command: str) -> int:
        """Have one thing done; returns the most anonymous memory meanwhile, in bytes."""
        highest = 0
        done = threading.Event()

        def watch() -> None:
            nonlocal highest
            while not done.wait(0.005):
                highest = max(highest, anonymous_bytes(self._child.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            self.do(command)
        finally:
            done.set()
            watcher.join()
        return highest

    def close(self) -> None:
        """End it."""
        assert self._child.stdin is not None
        self._child.stdin.close()
        self._child.wait()


@contextmanager
def running(names: Sequence[str], checkpoint: Path) -> Iterator[dict[str, Process]]:
    """All contestants, started."""
    with ExitStack() as stack:
        processes = {}
        for name in names:
            processes[name] = Process(name, checkpoint)
            stack.callback(processes[name].close)
        yield processes


def alternate(processes: dict[str, Process], command: str, rounds: int) -> Seconds:
    """`rounds` times each, in turns."""
    seconds: Seconds = {name: [] for name in processes}
    for _ in range(rounds):
        for name, process in processes.items():
            seconds[name].append(process.do(command))
    return seconds


def spread(values: Sequence[float]) -> dict[str, float]:
    """Three numbers that say how sure one can be."""
    return {
        "min": round(min(values), 3),
        "median": round(statistics.median(values), 3),
        "max": round(max(values), 3),
    }


def summary(seconds: Seconds) -> dict[str, Any]:
    """Seconds of each, and of ours as a part of theirs, turn by turn."""
    ratios = {
        name: spread([ours / other for ours, other in zip(seconds[OURS], theirs, strict=True)])
        for name, theirs in seconds.items()
        if name != OURS
    }
    return {
        "rounds": len(seconds[OURS]),
        "seconds": {name: spread(values) for name, values in seconds.items()},
        f"{OURS} divided by": ratios,
    }


def measure_memory(checkpoint: Path) -> dict[str, Any]:
    """The peak of a run from loading on, each in a fresh process; two steps are enough."""
    needed = needed_bytes(SIZE, SIZE)
    peaks = {}
    for name in (OURS, BASELINE):
        with running([name], checkpoint) as processes:
            peaks[name] = processes[name].peak("image 2")
    return {
        "peak_anonymous_bytes": peaks,
        "bf16_bytes_needed": needed,
        f"{OURS} divided by needed": round(
            peaks[OURS] / (needed["weights"] + needed["activations"]), 3
        ),
    }


def difference(processes: dict[str, Process], folder: Path) -> float:
    """How far the last images of both are apart: the mean, in levels of 255."""
    pixels = []
    for name in (OURS, BASELINE):
        file = folder / f"{name}.png"
        processes[name].do(f"save {file}")
        pixels.append(np.asarray(Image.open(file).convert("RGB"), dtype=np.float64))
    return round(float(np.abs(pixels[0] - pixels[1]).mean()), 2)


def machine() -> dict[str, Any]:
    """What the numbers depend on."""
    flags: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    features = ("avx2", "avx512_f", "avx512_vnni", "avx512_bf16", "amx_bf16")
    return {
        "processor": flags.get("cpu_name") or platform.processor(),
        "features": [name for name in features if flags.get(name)],
        "threads": torch.get_num_threads(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "versions": {name: version(name) for name in ("torch", "diffusers", "transformers")},
        "python": platform.python_version(),
        "commit": _git("rev-parse", "HEAD"),
        "uncommitted_changes_in_src": bool(_git("status", "--porcelain", "src")),
        "utc": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
    }


def _git(*arguments: str) -> str:
    here = Path(__file__).parents[1]
    done = subprocess.run(
        ["git", "-C", str(here), *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def measure(checkpoint: Path, options: argparse.Namespace) -> dict[str, Any]:
    """All of it."""
    results: dict[str, Any] = {"machine": machine()}
    names = [name for name in CONTESTANTS if options.all or name in {OURS, BASELINE}]
    with running(names, checkpoint) as processes, tempfile.TemporaryDirectory() as folder:
        for command, key in ("step", "guided_step"), ("decode", "decoding"):
            alternate(processes, command, 1)  # the first time is slower for everyone
            results[key] = summary(alternate(processes, command, options.rounds))
        pair = {name: processes[name] for name in (OURS, BASELINE)}
        if options.image_rounds:
            pair[OURS].do("image 1")
            seconds = alternate(pair, f"image {options.steps}", options.image_rounds)
            results[f"image_of_{options.steps}_steps"] = summary(seconds)
            results["mean_difference_of_images"] = difference(pair, Path(folder))
    results["memory"] = measure_memory(checkpoint)
    return results


def table(results: dict[str, Any]) -> str:
    """The times, for people."""
    lines = [f"{'':22}{'seconds':>10}{'min':>9}{'max':>9}   darkroom is"]
    for key, value in results.items():
        if not isinstance(value, dict) or "seconds" not in value:
            continue
        lines.append(f"{key}, {value['rounds']} rounds")
        for name, seconds in value["seconds"].items():
            ratio = value[f"{OURS} divided by"].get(name)
            said = f"   {ratio['median']:.2f} of it" if ratio else ""
            line = f"  {name:20}{seconds['median']:>10}{seconds['min']:>9}{seconds['max']:>9}"
            lines.append(line + said)
    memory = results["memory"]
    lines.append("peak anonymous memory")
    for name, peak in memory["peak_anonymous_bytes"].items():
        lines.append(f"  {name:20}{peak / 2**30:>6.2f} GiB")
    lines.append(f"  of what bf16 needs: {memory[f'{OURS} divided by needed']}")
    return "\n".join(lines)


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--checkpoint", type=Path, help="a file to use, else one is made and removed"
    )
    parser.add_argument("--rounds", type=int, default=5, help="of steps and decodings")
    parser.add_argument("--image-rounds", type=int, default=1, help="of whole images")
    parser.add_argument("--steps", type=int, default=20, help="of a whole image")
    parser.add_argument("--all", action="store_true", help="diffusers in bf16, too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = options.checkpoint
        if checkpoint is None:
            checkpoint = Path(folder) / "v1-random.safetensors"
            make_checkpoint(checkpoint)
        results = measure(checkpoint, options)
    print(json.dumps(results, indent=2))
    print(table(results), file=sys.stderr)


if __name__ == "__main__":
    main()
