"""A command of basujindal/stable-diffusion that runs another library."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[3])]

if __name__ == "__main__":
    from compat import refusal

    sys.exit(
        refusal.refuse("optimizedSD/diffusers_txt2img.py", "a pipeline of the library diffusers")
    )
