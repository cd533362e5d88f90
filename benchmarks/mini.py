"""Seconds for an image of Mini: warm, within a program, and cold, as a whole command.

python -m benchmarks.mini > results.json
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import darkroom
from benchmarks.v1_cpu import machine, spread

PROMPT = "a hamster on a blue background"


def timed(run: Callable[[], object], rounds: int) -> dict[str, float]:
    """Seconds of each of `rounds` runs: least, median, most."""
    seconds = []
    for _ in range(rounds):
        begin = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - begin)
    return spread(seconds)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    model = darkroom.load("mini")
    first = model.txt2img(PROMPT, seed=0)  # loads the weights
    results = {
        "machine": machine(),
        "size": first.pil.size,
        "steps": first.recipe.steps,
        "warm_seconds": timed(lambda: model.txt2img(PROMPT, seed=1).pil, rounds),
    }
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "hamster.png")
        command = [sys.executable, "-m", "darkroom", "txt2img", PROMPT, "--seed", "1"]
        command += ["--out", out, "--overwrite", "--quiet"]
        cold = timed(lambda: subprocess.run(command, check=True, capture_output=True), rounds)
    print(json.dumps({**results, "command_seconds": cold}, indent=2))


if __name__ == "__main__":
    main()
