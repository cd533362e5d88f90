"""At what size an image's depths are measured."""

SIDE = 384  # on which the network was trained
MULTIPLE = 32
# Beyond, the picture is so narrow that more than this would be looked at, and is squeezed.
_MOST = 8 * SIDE


def seen_size(width: int, height: int) -> tuple[int, int]:
    """Width and height, multiples of 32 near 384, of an image of this shape.

    As MiDaS resizes with `minimal`: by that factor of the two which changes less.
    """
    scales = SIDE / height, SIDE / width
    scale = min(scales, key=lambda one: abs(1 - one))

    def nearest(side: int) -> int:
        return min(max(round(side * scale / MULTIPLE), 1) * MULTIPLE, _MOST)

    return nearest(width), nearest(height)
