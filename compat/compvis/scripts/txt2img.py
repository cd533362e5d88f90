"""Images from a prompt: CompVis/stable-diffusion's command, on Darkroom's engine."""

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
        __doc__, outdir="outputs/txt2img-samples", n_iter=2, n_samples=3, scale=7.5
    )
    parser.add_argument("--dpm_solver", action="store_true", help="sample with DPM-Solver++")
    parser.add_argument("--laion400m", action="store_true", help="the LAION-400M model")
    parser.add_argument("--H", type=int, default=512, help="height of the image")
    parser.add_argument("--W", type=int, default=512, help="width of the image")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the images; returns the exit code."""
    from compat import reference, refusal

    options = parse(arguments)
    if options.laion400m:
        return refusal.refuse("--laion400m", "the latent diffusion model of LAION-400M")
    return reference.guarded(lambda: reference.txt2img(options))


if __name__ == "__main__":
    sys.exit(main())
