"""Images from a prompt: Stability-AI/stablediffusion's command, on Darkroom's engine."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

PROMPT = "a professional photograph of an astronaut riding a triceratops"


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Every flag of the reference's command, with its default."""
    from compat import version_2

    parser = version_2.parser(
        __doc__, prompt=PROMPT, outdir="outputs/txt2img-samples", n_iter=3, n_samples=3
    )
    add = parser.add_argument
    add("--steps", type=int, default=50, help="steps, of any sampler")
    add("--plms", action="store_true", help="sample with PLMS")
    add("--dpm", action="store_true", help="sample with DPM-Solver++")
    add("--H", type=int, default=512, help="height of the image")
    add("--W", type=int, default=512, help="width of the image")
    add("--repeat", type=int, default=1, help="how often each prompt of --from-file is taken")
    add("--device", default="cpu", help="cpu, cuda, cuda:1, mps or xpu")
    add("--torchscript", action="store_true", help="without effect: the fastest way is taken")
    add("--ipex", action="store_true", help="without effect: the fastest way is taken")
    add("--bf16", action="store_true", help="compute in bfloat16")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the images; returns the exit code."""
    from compat import reference, version_2

    options = parse(arguments)
    return reference.guarded(lambda: version_2.txt2img(options))


if __name__ == "__main__":
    sys.exit(main())
