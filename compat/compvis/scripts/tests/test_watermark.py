"""The invisible watermark of an image: CompVis/stable-diffusion's command."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

PAYLOAD = 17  # bytes: 136 bits, as long as "StableDiffusionV1"


def show(image: Path) -> None:
    """Print the watermark's text, or `null` where its bytes are no text."""
    from darkroom.images import io, watermark

    payload = watermark.extract(io.read_file(image).pixels, PAYLOAD)
    try:
        print(payload.decode())
    except UnicodeDecodeError:
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
