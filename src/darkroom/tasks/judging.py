"""What can be told of a wish before anything is loaded: no torch, so that a no is instant."""

import secrets

from darkroom.checkpoints import catalog, detect
from darkroom.checkpoints.header import read_header
from darkroom.contracts import ModelSpec, Request, Resolved
from darkroom.images import io
from darkroom.planning.resolve import resolve

_SEEDS = 2**32  # a random seed is one that every other program can take as well


def spec_of(model: str) -> ModelSpec:
    """The model of that name, or in that file, by its header.

    Raises:
        ModelError: there is none, or it is not one that can be used.
    """
    path = catalog.find(model)
    return detect.detect(read_header(path), path)


def judge(request: Request, spec: ModelSpec) -> tuple[Resolved, io.ReadImage | None]:
    """The request with nothing left unsaid, and its input image.

    Raises:
        RequestError: a wish that cannot be meant.
        ImageError: the input image is none.
    """
    image = None if request.image is None else io.read(request.image)
    size = None if image is None else (image.pixels.shape[1], image.pixels.shape[0])
    seed, other = secrets.randbelow(_SEEDS), secrets.randbelow(_SEEDS)
    return resolve(request, spec, seed=seed, variation_seed=other, input_size=size), image
