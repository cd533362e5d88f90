"""The invisible watermark of the reference repositories, bit for bit.

Written anew from the arithmetic of the `dwtDct` method of the invisible-watermark package 0.2.0
(Copyright 2021 ShieldMnt, MIT licence), which in spite of its name uses no cosine transform.  Each
bit moves the strongest of the upper coefficients in a 4 x 4 block of the U channel's half-size
Haar band.  Its decoder errs on strong colours and on small images; that is the method's nature.
"""

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Plane = NDArray[np.float64]

MIN_PIXELS = 256 * 256

_STEP = 36
_BLOCK = 4
_HALF = 0.7071067811865476  # the Haar filter's tap, in the digits that the package computes with
_FIXED_POINT = 14  # bits behind the point in OpenCV's 8-bit colour conversions


def embed(pixels: Pixels, payload: bytes) -> Pixels:
    """A copy of uint8 RGB [H, W, 3] that carries `payload`, most significant bit first.

    The payload repeats over the image.  Rows and columns beyond a multiple of 4 stay unmarked,
    but every pixel passes through YUV, which may move it by a level.  ValueError for fewer than
    65,536 pixels, another shape or type, or an empty payload.
    """
    _check(pixels, len(payload))
    yuv = _to_yuv(pixels)
    rows, columns = (side // 4 * 4 for side in pixels.shape[:2])
    low, across, down, diagonal = _haar(yuv[:rows, :columns, 1])

    blocks = _blocks(low)
    bits = np.unpackbits(np.frombuffer(payload, np.uint8))
    bits = np.resize(bits, len(blocks))
    at = _strongest(blocks)
    value = np.take_along_axis(blocks, at, axis=1)[:, 0]
    magnitude = (np.abs(value) // _STEP + 0.25 + 0.5 * bits) * _STEP
    marked = np.where(value >= 0, magnitude, -magnitude)
    np.put_along_axis(blocks, at, marked[:, None], axis=1)
    _put_blocks(low, blocks)

    # The package hands its two mixed bands back in the wrong order; what it marks depends on it.
    u = _inverse_haar(low, down, across, diagonal)
    # Cut off, not rounded.  U of any colour lies in 17 … 239, so a mark cannot leave 0 … 255.
    yuv[:rows, :columns, 1] = u.astype(np.uint8)
    return _to_rgb(yuv)


def extract(pixels: Pixels, n_bytes: int) -> bytes:
    """The payload of `n_bytes` that uint8 RGB [H, W, 3] would carry; noise where it carries none.

    ValueError for fewer than 65,536 pixels, another shape or type, or `n_bytes` below 1.
    """
    _check(pixels, n_bytes)
    rows, columns = (side // 4 * 4 for side in pixels.shape[:2])
    low = _haar(_to_yuv(pixels[:rows, :columns])[..., 1])[0]
    blocks = _blocks(low)
    value = np.take_along_axis(blocks, _strongest(blocks), axis=1)[:, 0]
    votes = np.abs(value) % _STEP > 0.5 * _STEP

    places = np.arange(len(votes)) % (8 * n_bytes)
    asked = np.bincount(places, minlength=8 * n_bytes)
    ones = np.bincount(places, weights=votes, minlength=8 * n_bytes)
    bits = ones / np.maximum(asked, 1) * 255 > 127
    return np.packbits(bits).tobytes()


def agreement(pixels: Pixels, payload: bytes) -> float:
    """The share of the payload's bits found in uint8 RGB [H, W, 3]: 1 where all, 0.5 by chance.

    ValueError as for `extract`.
    """
    found = np.frombuffer(extract(pixels, len(payload)), np.uint8)
    differing = int(np.unpackbits(found ^ np.frombuffer(payload, np.uint8)).sum())
    bits = 8 * len(payload)
    return (bits - differing) / bits


def _check(pixels: Pixels, n_bytes: int) -> None:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(f"expected uint8 [H, W, 3], got {pixels.dtype} {list(pixels.shape)}")
    height, width, _ = pixels.shape
    if height * width < MIN_PIXELS:
        raise ValueError(f"expected at least {MIN_PIXELS} pixels, got {width} x {height}")
    if n_bytes < 1:
        raise ValueError(f"expected a payload of at least one byte, got {n_bytes}")


def _to_yuv(pixels: Pixels) -> Pixels:
    """OpenCV's COLOR_BGR2YUV for 8 bits, in fixed point with rounding."""
    red, green, blue = (pixels[..., channel].astype(np.int32) for channel in range(3))
    luma = _shift(4899 * red + 9617 * green + 1868 * blue)
    u = _shift((blue - luma) * 8061) + 128
    v = _shift((red - luma) * 14369) + 128
    return _saturate(luma, u, v)


def _to_rgb(yuv: Pixels) -> Pixels:
    """OpenCV's COLOR_YUV2BGR for 8 bits, as RGB."""
    luma, u, v = (yuv[..., channel].astype(np.int32) for channel in range(3))
    u -= 128
    v -= 128
    red = luma + _shift(18678 * v)
    green = luma + _shift(-6472 * u - 9519 * v)
    blue = luma + _shift(33292 * u)
    return _saturate(red, green, blue)


def _shift(fixed: NDArray[np.int32]) -> NDArray[np.int32]:
    return (fixed + (1 << (_FIXED_POINT - 1))) >> _FIXED_POINT


def _saturate(*channels: NDArray[np.int32]) -> Pixels:
    return np.stack([np.clip(channel, 0, 255).astype(np.uint8) for channel in channels], axis=-1)


def _haar(plane: Pixels) -> tuple[Plane, Plane, Plane, Plane]:
    """One Haar level of [H, W], down the columns first, so that even the last bit agrees.

    Returns [H/2, W/2] each: low, high across, high down, high in both.
    """
    scaled = _HALF * plane.astype(np.float64)
    low = scaled[0::2] + scaled[1::2]
    high = scaled[0::2] - scaled[1::2]
    low, high = _HALF * low, _HALF * high
    return (
        low[:, 0::2] + low[:, 1::2],
        low[:, 0::2] - low[:, 1::2],
        high[:, 0::2] + high[:, 1::2],
        high[:, 0::2] - high[:, 1::2],
    )


def _inverse_haar(low: Plane, across: Plane, down: Plane, diagonal: Plane) -> Plane:
    """[H, W] from four bands of [H/2, W/2], across the rows first."""
    height, width = low.shape
    upper = np.empty((height, 2 * width))
    lower = np.empty((height, 2 * width))
    for half, mean, change in ((upper, low, across), (lower, down, diagonal)):
        half[:, 0::2] = _HALF * mean + _HALF * change
        half[:, 1::2] = _HALF * mean - _HALF * change
    upper, lower = _HALF * upper, _HALF * lower
    plane = np.empty((2 * height, 2 * width))
    plane[0::2] = upper + lower
    plane[1::2] = upper - lower
    return plane


def _blocks(band: Plane) -> Plane:
    """A copy of the whole 4 x 4 blocks of a band, row after row: [blocks, 16]."""
    rows, columns = (side // _BLOCK for side in band.shape)
    whole = band[: rows * _BLOCK, : columns * _BLOCK]
    split = whole.reshape(rows, _BLOCK, columns, _BLOCK).swapaxes(1, 2)
    return split.reshape(rows * columns, _BLOCK * _BLOCK)


def _put_blocks(band: Plane, blocks: Plane) -> None:
    """Write `_blocks` back into their band."""
    rows, columns = (side // _BLOCK for side in band.shape)
    split = blocks.reshape(rows, columns, _BLOCK, _BLOCK).swapaxes(1, 2)
    band[: rows * _BLOCK, : columns * _BLOCK] = split.reshape(rows * _BLOCK, columns * _BLOCK)


def _strongest(blocks: Plane) -> NDArray[np.intp]:
    """Place of the largest magnitude in each block, the mean excepted: [blocks, 1]."""
    at: NDArray[np.intp] = np.argmax(np.abs(blocks[:, 1:]), axis=1, keepdims=True) + 1
    return at
