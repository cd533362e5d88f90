"""How near an upscaler comes to scenes that it has not seen, beside bicubic and Lanczos."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import darkroom
from darkroom import api
from darkroom.checkpoints import catalog
from darkroom.contracts import ModelSpec
from darkroom.errors import ModelError
from darkroom.evaluation.glyphs import Glyphs, find_font
from darkroom.evaluation.mini import spec_of
from darkroom.evaluation.scenes import Drawer
from darkroom.evaluation.suites import trials

Pixels = NDArray[np.uint8]
SIDE = 128  # of a scene, in pixels
FACTOR = 4
COUNT = 240
# Combinations of object and background, object and object, object and style that no training shows.
UNSEEN = ("background", "pair", "style")
SHRINKING = {"area": Image.Resampling.BOX, "bicubic": Image.Resampling.BICUBIC}
ENLARGING = {"bicubic": Image.Resampling.BICUBIC, "lanczos": Image.Resampling.LANCZOS}
EDGE = 0.15  # a truth's gradient in colours of 0…1 a pixel, from which on there is an edge


@dataclass(frozen=True, kw_only=True)
class Figures:
    """The mean over scenes: `psnr` in dB, `edges` as `sharpness` says."""

    psnr: float
    edges: float


@dataclass(frozen=True, kw_only=True)
class Report:
    """Figures by the filter that made the scenes small, then by what made them large again."""

    model: str
    sha256: str
    scenes: int
    figures: Mapping[str, Mapping[str, Figures]]

    def values(self) -> dict[str, object]:
        """For JSON."""
        return {
            "model": self.model,
            "sha256": self.sha256,
            "version": darkroom.__version__,
            "scenes": self.scenes,
            "shrunk by": {
                how: {
                    what: {one.name: round(getattr(said, one.name), 4) for one in fields(said)}
                    for what, said in by.items()
                }
                for how, by in self.figures.items()
            },
        }


def evaluate(
    model: str, truths: Sequence[Pixels], *, tell: Callable[[str], None] = lambda _: None
) -> Report:
    """Measure an upscaler on `truths` [H, W, 3], whose sides are multiples of four.

    Raises:
        ModelError: as `upscaler`.
    """
    spec = upscaler(model)
    opened, figures = api.load(model), {}
    for how, shrinking in SHRINKING.items():
        small = [_resized(truth, 1 / FACTOR, shrinking) for truth in truths]
        made: dict[str, list[Pixels]] = {
            spec.name: list(_told(_enlarged(opened, small), how, len(small), tell))
        }
        for name, filter_ in ENLARGING.items():
            made[name] = [_resized(one, FACTOR, filter_) for one in small]
        figures[how] = {name: _measured(truths, enlarged) for name, enlarged in made.items()}
    return Report(
        model=spec.name,
        sha256=catalog.sha256(spec.path),
        scenes=len(truths),
        figures=figures,
    )


def upscaler(model: str) -> ModelSpec:
    """What an upscaler's header says.  ModelError: a model of another kind, or none."""
    spec = spec_of(model)
    if spec.task != "upscale":
        raise ModelError(
            f"{spec.name} cannot be measured: it does not enlarge images.",
            "This evaluation is for upscalers, such as mini-x4.",
        )
    return spec


def scenes(count: int, font: Path | None = None) -> list[Pixels]:
    """Scenes [128, 128, 3] that no training shows, drawn by the judge's own pencil."""
    drawer = Drawer(glyphs := Glyphs.from_font(font or find_font(), side=SIDE))
    suites = [trials(suite, glyphs.names, -(-count // len(UNSEEN))) for suite in UNSEEN]
    mixed = itertools.chain.from_iterable(zip(*suites, strict=True))
    return [drawer.draw(trial, SIDE) for trial in itertools.islice(mixed, count)]


def psnr(image: Pixels, truth: Pixels) -> float:
    """Peak signal-to-noise ratio in dB."""
    error = np.square(image.astype(np.float64) - truth).mean()
    return float(10 * np.log10(255**2 / max(error, 1e-3)))


def sharpness(image: Pixels, truth: Pixels) -> float:
    """How much of the truth's gradients the image has where the truth has edges.

    Differences g of the image's colours and t of the truth's, to the right and down, over all
    places where |t| is an edge: Σ g·t / Σ t·t.  1 is as sharp as the truth; what is blurred has
    less, and noise, ringing and edges that stand elsewhere add nothing.  1 where there is no edge.
    """
    g, t = _gradients(image), _gradients(truth)
    edges = np.linalg.norm(t, axis=-1) > EDGE
    if not edges.any():
        return 1.0
    return float((g * t)[edges].sum() / np.square(t)[edges].sum())


def _gradients(image: Pixels) -> NDArray[np.float64]:
    """Differences of three colours in two directions, [H - 1, W - 1, 6]."""
    colours = image.astype(np.float64) / 255
    across, down = np.diff(colours, axis=1)[:-1], np.diff(colours, axis=0)[:, :-1]
    return np.concatenate([across, down], axis=-1)


def _measured(truths: Sequence[Pixels], images: Sequence[Pixels]) -> Figures:
    pairs = list(zip(images, truths, strict=True))
    return Figures(
        psnr=float(np.mean([psnr(*pair) for pair in pairs])),
        edges=float(np.mean([sharpness(*pair) for pair in pairs])),
    )


def _enlarged(model: api.Model, small: Sequence[Pixels]) -> Iterator[Pixels]:
    for seed, image in enumerate(small):
        yield np.asarray(model.upscale(Image.fromarray(image), seed=seed).pil)


def _resized(image: Pixels, factor: float, filter_: Image.Resampling) -> Pixels:
    height, width = (round(side * factor) for side in image.shape[:2])
    return np.asarray(Image.fromarray(image).resize((width, height), filter_))


def _told(
    made: Iterator[Pixels], how: str, count: int, tell: Callable[[str], None]
) -> Iterator[Pixels]:
    """The same images; every tenth part of them is told."""
    for number, picture in enumerate(made, 1):
        if number % max(1, count // 10) == 0:
            tell(f"shrunk by {how}: {number} of {count} images")
        yield picture
