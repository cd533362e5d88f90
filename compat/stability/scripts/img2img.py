"""Images from an image: Stability-AI/stablediffusion's command, on Darkroom's engine."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Every flag of the reference's command, with its default."""
    from compat import reference, version_2

    parser = version_2.parser(
        __doc__,
        prompt=reference.PROMPT,
        outdir="outputs/img2img-samples",
        n_iter=1,
        n_samples=2,
    )
    add = parser.add_argument
    add("--init-img", nargs="?", help="the image to start from")
    add("--ddim_steps", type=int, default=50, help="steps")
    add("--strength", type=float, default=0.8, help="0 keeps all, 1 keeps nothing")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the images; returns the exit code."""
    from compat import reference, version_2

    options = parse(arguments)
    return reference.guarded(lambda: version_2.img2img(options))


if __name__ == "__main__":
    sys.exit(main())
