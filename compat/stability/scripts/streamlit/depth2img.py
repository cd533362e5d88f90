"""Images of the same depths: Stability-AI's demonstration, as a page or from flags."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Every flag, with the default of its widget."""
    from compat import demos

    parser = demos.parser(__doc__, "depth2img", num_samples=1, steps=50, scale=9.0, seed=0)
    parser.add_argument(
        "--strength", type=float, default=0.9, help="1 keeps nothing but the depths"
    )
    parser.set_defaults(eta=0.0)
    return demos.parsed(parser, arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the images, or open the page; returns the exit code."""
    from compat import demos, reference

    options = parse(arguments)
    return reference.guarded(lambda: demos.depth2img(options))


if __name__ == "__main__":
    sys.exit(main())
