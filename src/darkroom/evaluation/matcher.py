"""The judge's first part: a matched filter over pictures of everything it knows.

With D the image less its background and T a picture less the same, placed somewhere, the squared
error falls from |D|² to |D - T|², which is 2 D·T - |T|² less: the *gain*.  All pictures, sizes and
places are tried on a coarse grid by Fourier transform, the best then settled on a finer one.  What
is found is taken away, and the search goes on.

Letters: N pictures, S sizes, H and W a grid's sides, K side of a picture.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from darkroom.evaluation.glyphs import Glyphs, resized

COARSE, FINE = 32, 96  # pixels: the side of a square image on each grid
SIZES = (9, 10, 11, 12, 14, 16, 18, 20, 22, 25, 28, 31)  # pixels on the coarse grid
MOST = 8  # things in one image
LEAST_SHARE = 0.02  # of all that differs from the background; what brings less is not looked at
LEAST_CONTRAST = 4e-4  # squared, mean over the image: below it an image is empty
_SETTLED = 16  # pictures of the coarse grid that are settled on the finer one
_TINY = 1e-6  # a square of nothing differs by this much
_NEARBY = (0.9, 0.95, 1.0, 1.05, 1.1)  # sizes tried there, in parts of the coarse one


@dataclass(frozen=True)
class Match:
    """A picture in its best place.  `x`, `y`: its centre, in 0…1 of the image's sides.

    `size`: its side in image pixels.  `share`: its gain as a part of all that differs from the
    background; `explained`: as a part of what differs where it stands, in (-∞, 1].
    `ink`: the colour [3] in 0…1 that fills it, where it has none of its own.
    """

    name: str
    x: float
    y: float
    size: float
    share: float
    explained: float
    ink: Tensor | None = None


@dataclass(frozen=True)
class _Place:
    """A picture with side `side` and its upper left corner at `top`, `left` of a grid.

    `merit`: its gain times the explained part of what differs there, so that one large picture
    does not win over the several things that it covers badly.
    """

    gain: float
    merit: float
    picture: int
    side: int
    top: int
    left: int


class Matcher:
    """Finds pictures.  With `ink` only their outlines count, filled with what colour fits best."""

    def __init__(self, glyphs: Glyphs, *, ink: bool = False) -> None:
        self.names = glyphs.names
        self._pictures = glyphs.pictures
        self._ink = ink
        self._spectra: dict[tuple[int, int], Tensor] = {}
        self._shrunk = [F.interpolate(self._pictures, (side, side), mode="area") for side in SIZES]
        # Products of the four planes, summed over the pixels: |T|² follows from them at once.
        planes = [pictures.flatten(2) for pictures in self._shrunk]
        self._products = torch.stack([p @ p.transpose(1, 2) for p in planes])  # [S, N, 4, 4]

    @torch.no_grad()
    def matches(self, pixels: Tensor, background: Tensor) -> Iterator[Match]:
        """What an image [3, H, W] shows on a colour [3], both in 0…1, the largest gain first."""
        difference = pixels - background[:, None, None]
        height, width = difference.shape[1:]
        length = math.sqrt(height * width)
        if float(difference.square().sum()) < LEAST_CONTRAST * height * width:
            return
        grid = _resized(difference, min(FINE, length) / length)
        scale = height / grid.shape[1]
        whole = float(grid.square().sum())
        for _ in range(MOST):
            place = self._best(grid, background)
            share = place.gain / whole
            if share < LEAST_SHARE:
                return
            margin = place.side // 12
            inside = _window(grid, place.top - margin, place.left - margin, place.side + 2 * margin)
            yield Match(
                name=self.names[place.picture],
                x=(place.left + place.side / 2) * scale / width,
                y=(place.top + place.side / 2) * scale / height,
                size=place.side * scale,
                share=share,
                explained=place.gain / max(float(inside.square().sum()), 1e-9),
                ink=self._filled(grid, place) + background if self._ink else None,
            )
            _take_away(grid, place, resized(self._pictures[place.picture], place.side)[3])

    def _best(self, grid: Tensor, background: Tensor) -> _Place:
        """The picture and its place on a grid [3, H, W] with the greatest merit."""
        scale = math.sqrt(grid[0].numel()) / COARSE
        rough = _resized(grid, 1 / scale)
        height, width = rough.shape[1:]
        gains = self._gains(rough, background)  # [S, N, H, W]
        merits = gains * gains.abs() / _energies(rough)[: len(gains), None]
        highest, where = merits.transpose(0, 1).flatten(1).max(dim=1)
        settled = []
        for picture in highest.topk(min(_SETTLED, len(highest))).indices.tolist():
            size, offset = divmod(int(where[picture]), height * width)
            top, left = divmod(offset, width)
            half = SIZES[size] / 2
            # The transform is periodic: a corner beyond the middle stands before the first edge.
            y = top + half if top + half < height else top + half - height
            x = left + half if left + half < width else left + half - width
            settled.append(self._settled(grid, background, picture, (y, x, SIZES[size]), scale))
        return max(settled, key=lambda place: place.merit)

    def _gains(self, rough: Tensor, background: Tensor) -> Tensor:
        """The gain of every picture, size and place of the upper left corner: [S, N, H, W]."""
        shape = (rough.shape[1], rough.shape[2])
        spectra = self._spectra_of(shape)
        products = self._products[: len(spectra)]
        seen = torch.fft.rfft2(rough)
        if self._ink:
            found = torch.fft.irfft2(seen[:, None, None] * spectra[:, :, 3], s=shape)
            explained: Tensor = found.square().sum(dim=0) / products[:, :, 3, 3, None, None]
            return explained
        weights = torch.cat([seen, -(seen * background[:, None, None]).sum(dim=0, keepdim=True)])
        found = torch.fft.irfft2((spectra * weights).sum(dim=2), s=shape)
        mixed = torch.cat([torch.eye(3), -background[:, None]], dim=1)  # T from the planes
        squared = torch.einsum("cp,snpq,cq->sn", mixed, products, mixed)
        gains: Tensor = 2 * found - squared[..., None, None]
        return gains

    def _spectra_of(self, shape: tuple[int, int]) -> Tensor:
        """Conjugate transforms of all pictures in all sizes: [S, N, 4, H, W // 2 + 1]."""
        if shape not in self._spectra:
            fitting = [pictures for pictures in self._shrunk if pictures.shape[2] <= min(shape)]
            spectra = [torch.fft.rfft2(pictures, s=shape) for pictures in fitting]
            self._spectra[shape] = torch.stack(spectra).conj_physical()
        return self._spectra[shape]

    def _settled(
        self,
        grid: Tensor,
        background: Tensor,
        picture: int,
        rough: tuple[float, float, int],
        scale: float,
    ) -> _Place:
        """The best place near a rough one: centre (y, x) and side in pixels of the coarse grid."""
        y, x, size = rough
        reach = math.ceil(scale) + 1
        best = _Place(-math.inf, -math.inf, picture, 0, 0, 0)
        for side in sorted({round(size * scale * part) for part in _NEARBY}):
            top, left = round(y * scale - side / 2), round(x * scale - side / 2)
            window = _window(grid, top - reach, left - reach, side + 2 * reach)
            gains = self._gains_near(window, resized(self._pictures[picture], side), background)
            energy = F.avg_pool2d(window.square().sum(dim=0)[None], side, 1)[0] * side**2
            merits = gains * gains.abs() / energy.clamp(min=_TINY)
            merit, at = merits.flatten().max(dim=0)
            if float(merit) > best.merit:
                down, right = divmod(int(at), gains.shape[1])
                corner = (top + down - reach, left + right - reach)
                best = _Place(float(gains[down, right]), float(merit), picture, side, *corner)
        return best

    def _gains_near(self, window: Tensor, picture: Tensor, background: Tensor) -> Tensor:
        """The gain of a picture [4, K, K] at every place inside a window [3, H, W]."""
        if self._ink:
            found = F.conv2d(window[:, None], picture[None, 3:]).square().sum(dim=0)[0]
            return found / picture[3].square().sum()
        template = picture[:3] - picture[3] * background[:, None, None]
        return 2 * F.conv2d(window[None], template[None])[0, 0] - template.square().sum()

    def _filled(self, grid: Tensor, place: _Place) -> Tensor:
        """The median difference [3] from the background where a picture is opaque."""
        opaque = resized(self._pictures[place.picture], place.side)[3] > 0.9
        return _window(grid, place.top, place.left, place.side)[:, opaque].median(dim=1).values


def _resized(planes: Tensor, factor: float) -> Tensor:
    """Planes [C, H, W], shrunk."""
    size = (round(planes.shape[1] * factor), round(planes.shape[2] * factor))
    return F.interpolate(planes[None], size, mode="area")[0]


def _energies(rough: Tensor) -> Tensor:
    """What differs in a square of every size at every place of its upper left corner: [S, H, W]."""
    shape = (rough.shape[1], rough.shape[2])
    squares = torch.stack([torch.fft.rfft2(torch.ones(side, side), s=shape) for side in SIZES])
    seen = torch.fft.rfft2(rough.square().sum(dim=0))
    energies: Tensor = torch.fft.irfft2(seen * squares.conj(), s=shape).clamp(min=_TINY)
    return energies


def _window(grid: Tensor, top: int, left: int, side: int) -> Tensor:
    """A square of a grid [3, H, W]; zero beyond its edges."""
    height, width = grid.shape[1:]
    y0, x0 = min(max(top, 0), height), min(max(left, 0), width)
    cut = grid[:, y0 : max(top + side, 0), x0 : max(left + side, 0)]
    after_y, after_x = side - (y0 - top) - cut.shape[1], side - (x0 - left) - cut.shape[2]
    return F.pad(cut, (x0 - left, after_x, y0 - top, after_y))


def _take_away(grid: Tensor, place: _Place, alpha: Tensor) -> None:
    """Make a grid look like its background where a picture stands, and just around it."""
    margin = 2
    covered = F.pad((alpha > 0.05).float(), (margin,) * 4)[None]
    covered = F.max_pool2d(covered, 2 * margin + 1, 1, margin)  # [1, K, K]
    height, width = grid.shape[1:]
    side = place.side + 2 * margin
    top, left = place.top - margin, place.left - margin
    y0, x0 = max(top, 0), max(left, 0)
    y1, x1 = min(top + side, height), min(left + side, width)
    grid[:, y0:y1, x0:x1] *= 1 - covered[:, y0 - top : y1 - top, x0 - left : x1 - left]
