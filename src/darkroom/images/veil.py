"""Pictures as the safety checker looks at them, and what is left of those that it finds unsafe."""

from PIL import Image, ImageFilter

from darkroom.contracts import Raster
from darkroom.images import io
from darkroom.images.io import Pixels

# Of the shorter side: colours and their places are left, no shape.
_BLUR = 1 / 10


def seen(raster: Raster, side: int) -> Pixels:
    """The middle of a picture, as CLIP's own preprocessing cuts it: uint8 [side, side, 3].

    The shorter side is resized to `side` by bicubic interpolation, and the middle cut out.
    """
    width, height = raster.width, raster.height
    shorter = min(width, height)
    wide, high = side * width // shorter, side * height // shorter
    small = io.to_pil(raster).resize((wide, high), Image.Resampling.BICUBIC)
    left, top = (wide - side) // 2, (high - side) // 2
    return io.to_array(io.from_pil(small.crop((left, top, left + side, top + side))))


def veiled(raster: Raster) -> Raster:
    """The picture, blurred beyond recognition."""
    radius = max(1.0, min(raster.width, raster.height) * _BLUR)
    return io.from_pil(io.to_pil(raster).filter(ImageFilter.GaussianBlur(radius)))
