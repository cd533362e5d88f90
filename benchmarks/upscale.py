"""Seconds and memory against size: a full-size x4 upscaler with random weights.

    python -m benchmarks.upscale > results.json

Each size runs in a process of its own.  1024 → 4096 takes hours on a CPU: ask for it by `--sizes`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from PIL import Image

import darkroom
from benchmarks.footprint import anonymous_bytes
from benchmarks.make_checkpoint import X4, make_checkpoint
from benchmarks.v1_cpu import machine
from darkroom.contracts import Started, Stepped

SIZES = (128, 512)


def main() -> None:
    """Measure each size and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="sides of the input")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--precision", choices=("fp32", "bf16", "fp16"))
    parser.add_argument("--checkpoint", type=Path, help="one of your own, or from an earlier run")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.one is not None:
        print(json.dumps(measured(said.checkpoint, said.one, said.steps, said.precision)))
        return
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = said.checkpoint or Path(folder) / "x4-random.safetensors"
        if not checkpoint.exists():
            make_checkpoint(checkpoint, sizes=X4)
        results = [alone(checkpoint, side, said.steps, said.precision) for side in said.sizes]
    print(json.dumps({"machine": machine(), "steps": said.steps, "sizes": results}, indent=2))


def alone(checkpoint: Path, side: int, steps: int, precision: str | None) -> dict[str, object]:
    """`measured`, by a fresh process."""
    command = [sys.executable, "-m", "benchmarks.upscale", "--checkpoint", str(checkpoint)]
    command += ["--one", str(side), "--steps", str(steps)]
    command += [] if precision is None else ["--precision", precision]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    result: dict[str, object] = json.loads(done.stdout)
    print(f"{side}: {result['seconds']:.0f} s", file=sys.stderr)
    return result


def measured(checkpoint: Path, side: int, steps: int, precision: str | None) -> dict[str, object]:
    """One image, from the prompt to its pixels, weights being loaded on the way."""
    watch = Watch()
    model = darkroom.load(checkpoint, precision=precision)  # type: ignore[arg-type]
    small = Image.fromarray(np.random.default_rng(0).integers(0, 256, (side, side, 3), "u1"))
    made = model.upscale(small, "a photograph", steps=steps, seed=0)
    begin, stepped, plan = time.perf_counter(), [], None
    for event in made:
        if isinstance(event, Started):
            plan = event.plan
        elif isinstance(event, Stepped):
            stepped.append(time.perf_counter())
    end = time.perf_counter()
    assert plan is not None  # every run begins with it
    return {
        "from": [side, side],
        "to": made.pil.size,
        "precision": plan.precision,
        "seconds": end - begin,
        "seconds_of_a_step": (stepped[-1] - stepped[0]) / max(len(stepped) - 1, 1),
        "seconds_of_decoding": end - stepped[-1],
        "forecast_seconds": plan.seconds,
        "peak_bytes": watch.peak(),
        "forecast_bytes": plan.peak_bytes,
    }


class Watch:
    """The most anonymous memory that this process had, looked at 50 times a second."""

    def __init__(self) -> None:
        self._peak = 0
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        process = int(Path("/proc/self").readlink().name)
        while True:
            self._peak = max(self._peak, anonymous_bytes(process))
            time.sleep(0.02)

    def peak(self) -> int:
        """In bytes, so far."""
        return self._peak


if __name__ == "__main__":
    main()
