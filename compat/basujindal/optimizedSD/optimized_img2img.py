"""Images from an image: basujindal/stable-diffusion's command, on Darkroom's engine."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Every flag of the reference's command, with its default."""
    from compat import optimized

    parser = optimized.parser(__doc__, outdir="outputs/img2img-samples", samplers=["ddim"])
    add = parser.add_argument
    add("--init-img", nargs="?", help="the image to start from")
    add("--strength", type=float, default=0.75, help="0 keeps all, 1 keeps nothing")
    add("--H", type=int, help="height of the image, with --W; else that of --init-img")
    add("--W", type=int, help="width of the image, with --H; else that of --init-img")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the images; returns the exit code."""
    from compat import optimized, reference

    options = parse(arguments)
    return reference.guarded(lambda: optimized.img2img(options))


if __name__ == "__main__":
    sys.exit(main())
