"""A part of an image, painted anew: Stability-AI's demonstration, as a page or from flags."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Every flag, with the default of its widget."""
    from compat import demos

    parser = demos.parser(__doc__, "inpainting", num_samples=4, steps=45, scale=10.0, seed=None)
    parser.add_argument("--mask", help="a picture that is white where to paint")
    parser.set_defaults(eta=1.0)
    return demos.parsed(parser, arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the images, or open the page; returns the exit code."""
    from compat import demos, reference

    options = parse(arguments)
    return reference.guarded(lambda: demos.inpaint(options))


if __name__ == "__main__":
    sys.exit(main())
