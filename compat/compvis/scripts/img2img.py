"""Images from an image and a prompt: CompVis/stable-diffusion's command, on Darkroom's engine."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Every flag of the reference's command, with its default."""
    from compat import reference

    parser = reference.parser(
        __doc__, outdir="outputs/img2img-samples", n_iter=1, n_samples=2, scale=5.0
    )
    parser.add_argument("--init-img", nargs="?", help="the image to start from")
    parser.add_argument("--strength", type=float, default=0.75, help="0 keeps all, 1 keeps nothing")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the images; returns the exit code."""
    from compat import reference

    options = parse(arguments)
    return reference.guarded(lambda: reference.img2img(options))


if __name__ == "__main__":
    sys.exit(main())
