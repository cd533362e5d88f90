"""Variations of images: Stability-AI's demonstration, as a page or from flags."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Every flag, with the default of its widget."""
    from compat import demos, unclip

    return demos.parsed(unclip.parser(__doc__), arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the images, or open the page; returns the exit code."""
    from compat import reference, refusal, unclip

    options = parse(arguments)
    if options.use_karlo or options.version == unclip.KARLO:
        return refusal.refuse("--use_karlo" if options.use_karlo else unclip.KARLO, "Karlo")
    return reference.guarded(lambda: unclip.run(options))


if __name__ == "__main__":
    sys.exit(main())
