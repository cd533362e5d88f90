"""A command of basujindal/stable-diffusion that serves a page for the browser."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[3])]

if __name__ == "__main__":
    from compat import refusal

    sys.exit(refusal.refuse("optimizedSD/txt2img_gradio.py", "a page for the browser"))
