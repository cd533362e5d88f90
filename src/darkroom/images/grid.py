"""A contact sheet: many images of one size in rows and columns."""

import math
from collections.abc import Sequence

import numpy as np

from darkroom.contracts import Raster
from darkroom.images import io

_GAP = 2


def grid(rasters: Sequence[Raster], columns: int | None = None) -> Raster:
    """Lay images out in rows of `columns`, by default as near to a square as they go.

    The geometry is that of torchvision's `make_grid`: two black pixels around and between the
    images, places left over are black, and one image alone is returned as it is.
    ValueError for no image, for images of different sizes, and for `columns` below 1.
    """
    sizes = {(raster.height, raster.width) for raster in rasters}
    if len(sizes) != 1:
        raise ValueError(f"expected images of one size, got {sorted(sizes)}")
    if columns is None:
        columns = math.isqrt(len(rasters) - 1) + 1
    if columns < 1:
        raise ValueError(f"expected at least one column, got {columns}")
    if len(rasters) == 1:
        return rasters[0]
    columns = min(columns, len(rasters))
    rows = math.ceil(len(rasters) / columns)
    height, width = sizes.pop()
    sheet = np.zeros(
        (rows * (height + _GAP) + _GAP, columns * (width + _GAP) + _GAP, 3), dtype=np.uint8
    )
    for index, raster in enumerate(rasters):
        row, column = divmod(index, columns)
        top, left = row * (height + _GAP) + _GAP, column * (width + _GAP) + _GAP
        sheet[top : top + height, left : left + width] = io.to_array(raster)
    return io.from_array(sheet)
