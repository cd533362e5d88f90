"""The invisible watermark of an image: Stability-AI/stablediffusion's command."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]


def show(image: Path) -> None:
    """Print the watermark of either generation of models, or `null` where there is neither.

    The reference looks for 136 bits, as many as `StableDiffusionV1` has: it cannot find `SDV2`,
    which it writes.  On an image that is too small for either it crashes.
    """
    from darkroom.images import inspection, io, watermark

    pixels = io.read_file(image).pixels
    large = pixels.shape[0] * pixels.shape[1] >= watermark.MIN_PIXELS
    for payload in inspection.PAYLOADS:
        if large and watermark.extract(pixels, len(payload)) == payload.encode():
            print(payload)
            return
    print("null")


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    from compat import reference

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("img_path", type=Path, help="an image file")
    options = parser.parse_args(arguments)
    return reference.guarded(lambda: show(options.img_path))


if __name__ == "__main__":
    sys.exit(main())
