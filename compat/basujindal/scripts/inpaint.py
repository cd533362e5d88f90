"""A command of CompVis/stable-diffusion whose model is not Stable Diffusion."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[3])]

if __name__ == "__main__":
    from compat import refusal

    sys.exit(refusal.refuse("scripts/inpaint.py", "the latent diffusion model for inpainting"))
