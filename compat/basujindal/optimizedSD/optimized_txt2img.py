"""Images from a prompt: basujindal/stable-diffusion's command, on Darkroom's engine."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

SAMPLERS = ["plms", "ddim", "heun", "euler", "euler_a", "dpm2", "dpm2_a", "lms"]


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Every flag of the reference's command, with its default."""
    from compat import optimized

    parser = optimized.parser(__doc__, outdir="outputs/txt2img-samples", samplers=SAMPLERS)
    add = parser.add_argument
    add("--fixed_code", action="store_true", help="without effect: seeds say how images start")
    add("--C", type=int, choices=[4], default=4, help="latent channels")
    add("--f", type=int, choices=[8], default=8, help="pixels a latent")
    add("--H", type=int, default=512, help="height of the image")
    add("--W", type=int, default=512, help="width of the image")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the images; returns the exit code."""
    from compat import optimized, reference

    options = parse(arguments)
    return reference.guarded(lambda: optimized.txt2img(options))


if __name__ == "__main__":
    sys.exit(main())
