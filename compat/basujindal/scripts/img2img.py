"""CompVis/stable-diffusion's command, of which basujindal/stable-diffusion holds a copy."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[3])]

if __name__ == "__main__":
    from compat.compvis.scripts import img2img

    sys.exit(img2img.main())
