"""What can be told of a wish before anything is loaded: no torch, so that a no is instant."""

import secrets
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from darkroom.checkpoints import catalog, detect, safety
from darkroom.checkpoints.autoencoder import read_autoencoder
from darkroom.checkpoints.header import read_header
from darkroom.contracts import ModelSpec, Prediction, Request, Resolved
from darkroom.errors import RequestError
from darkroom.images import depth_maps, io, masks
from darkroom.planning import passes, suitability
from darkroom.planning.painting import painting, seen
from darkroom.planning.plan import Prompts
from darkroom.planning.resolve import resolve
from darkroom.tasks import masking
from darkroom.text import chunks, syntax
from darkroom.text.parsed import Part
from darkroom.text.tokenizer import Tokenizer

SEEDS = 2**32  # a random seed is one that every other program can take as well


def spec_of(model: str, prediction: Prediction | None = None) -> ModelSpec:
    """The model of that name, or in that file, by its header.

    `prediction`: the user's word, for which nothing else is asked.

    Raises:
        ModelError: there is none, or it is not one that can be used.
    """
    path = catalog.find(model)
    return detect.detect(read_header(path), path, prediction=prediction)


@dataclass(frozen=True, kw_only=True, eq=False)
class Given:
    """The pictures that came with a request, decoded, and what is to be said of them.

    `mask`: of inpaint, of the size of the extended image.  `depths`: of depth2img, where a map
    says them.  `images`: those that vary mixes with the first.
    """

    image: io.ReadImage | None = None
    mask: masks.Mask | None = None
    depths: depth_maps.Depths | None = None
    images: tuple[io.ReadImage, ...] = ()
    notes: tuple[str, ...] = ()


def judge(request: Request, spec: ModelSpec) -> tuple[Resolved, Given]:
    """The request with nothing left unsaid, and its pictures.

    Raises:
        RequestError: a wish that cannot be meant.
        ImageError: one of its pictures is none.
        ModelError: the separate VAE is none, or does not fit the model.
    """
    vae = vae_of(request)
    if vae is not None:
        read_autoencoder(vae, like=spec.autoencoder)
    suitability.check(request, spec)
    given, size, box = Given(), None, None
    if request.image is not None:
        image = _read(request.image)
        given, size = _beside(image, request), image.size
        wanted = painting(request, image.size)
        if wanted is not None:
            mask, notes = masking.mask_of(image, request.mask, wanted)
            given = Given(image=image, mask=mask, notes=image.notes + notes)
            box = seen(wanted, masks.bounds(mask.mixture))
    resolved = resolve(
        request,
        spec,
        seed=secrets.randbelow(SEEDS),
        variation_seed=secrets.randbelow(SEEDS),
        input_size=size,
        seen=box,
        safety="off" if safety.installed() is None else "blur",
    )
    if resolved.safety != "off":
        safety.read_safety_checker(safety_checker())
    for prompt in request.prompt, request.negative:
        syntax.parse(prompt, resolved.prompt_syntax)
    return resolved, given


def vae_of(request: Request) -> Path | None:
    """Where the separate VAE is that was asked for; ModelError where there is none of that name."""
    return None if request.vae is None else catalog.find(request.vae)


def safety_checker() -> Path:
    """Where the safety checker is; RequestError where none is installed."""
    checker = safety.installed()
    if checker is None:
        raise RequestError(
            "There is no safety checker that could look at the images.",
            f"Get it: darkroom models pull {safety.NAME}",
        )
    return checker


@lru_cache(maxsize=1)
def _read(data: bytes) -> io.ReadImage:
    """Many requests may start from one large photograph."""
    return io.read(data)


def _beside(image: io.ReadImage, request: Request) -> Given:
    """The image and what came with it, but for a mask."""
    depths = None if request.depth is None else _depths(request.depth, image.size)
    further = _further(request.images)
    if request.task == "vary":  # which sees a square, whatever the shape
        for one in (image, *further):
            passes.check_shape(one.size, "Cut it.")
    notes = dict.fromkeys(note for one in (image, *further) for note in one.notes)
    return Given(image=image, depths=depths, images=further, notes=tuple(notes))


@lru_cache(maxsize=1)
def _further(files: tuple[bytes, ...]) -> tuple[io.ReadImage, ...]:
    return tuple(io.read(file, f"Image {place}") for place, file in enumerate(files, 2))


@lru_cache(maxsize=1)
def _depths(data: bytes, size: tuple[int, int]) -> depth_maps.Depths:
    """The map in a file, for an image of this width and height."""
    depths = depth_maps.read(data)
    depth_maps.check_aspect(depths, size)
    return depths


def prompts_of(resolved: Resolved, tokenizer: Tokenizer) -> Prompts:
    """How much the U-Net will have to read.

    Raises:
        RequestError: more than is read at all.
    """
    chosen = resolved.prompt_syntax

    def tokens(part: Part) -> int:
        """Of the longest stage."""
        passages = [passage for stage in part.stages for passage in stage.blend]
        counts = [
            sum(map(len, chunks.chunks(passage.sections, chosen, tokenizer)))
            for passage in passages
        ]
        return max(counts) * tokenizer.context_length

    wished = syntax.parse(resolved.request.prompt, chosen).parts
    (never,) = syntax.parse(resolved.request.negative, chosen, negative=True).parts
    longest = max(map(tokens, wished))  # the others are filled up to it
    return Prompts(negative=tokens(never), parts=tuple((longest, part.weight) for part in wished))
