"""The Python face: a model, its wishes, and what comes of them.

>>> import darkroom
>>> model = darkroom.load("mini")
>>> made = model.txt2img("a hamster on a blue background", seed=3)
>>> for event in made:
...     print(event)
>>> made.image.save("hamster.png")
"""

import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict, Unpack

from darkroom.contracts import (
    DepthMapped,
    Enlarger,
    Event,
    Fill,
    ImageDone,
    NoiseSource,
    Precision,
    Prediction,
    PromptSyntax,
    Recipe,
    Region,
    Request,
    Safety,
    Sides,
    Tiling,
)
from darkroom.errors import DarkroomError
from darkroom.images import io as files
from darkroom.tasks import finish
from darkroom.tasks.engine import Engine
from darkroom.tasks.wording import chosen, styled

if TYPE_CHECKING:
    import PIL.Image


class Wishes(TypedDict, total=False):
    """What may be said about any image.  What is not said, the model and the sampler decide.

    `negative`: what the image shall not show.  `prompt_syntax`: how both prompts are read, `a1111`
    (where it is not said), `comfyui`, `invokeai`, `basujindal` or `plain`.  `clip_skip`: 1 takes
    the text encoder's last layer, 2 the one before.

    `steps`: 1 … 1000.  `sampler`, `schedule`: by the names of `darkroom.names`, or as other
    programs write them (`"DPM++ 2M Karras"`).  `guidance`: how strongly the prompt pulls, -100 …
    100; 1 is without guidance.  `guidance_start`, `guidance_end`: the part of the schedule in which
    it acts, 0 … 1.  `rescale`: how far it keeps the contrast of the unguided image, 0 … 1.  `eta`:
    the share of fresh noise in each step, 0 … 1.  `churn`: fresh noise before each step, 0 … 100,
    between the sigmas `churn_start` and `churn_end`.  `noise_scale`: of all fresh noise, 0 … 2.

    `width`, `height`: pixels, multiples of 8.  `seed`: that of the first image, 0 … 2⁶³ - 1, the
    k-th after it has `seed + k`; random where it is not said.  `variation_strength`: how far the
    start is turned towards another seed's, 0 … 1; then all images have one `seed`, and the k-th
    after the first has `variation_seed + k`.  `noise`: drawn by torch on the `cpu`, or as on an
    NVIDIA card (`nv`).  `seed_offset`: added to the seeds of the noise of the steps.  `tiling`:
    `x`, `y` or `both`, where the image shall continue at its other edge.

    `hires`: how many times larger than `width` x `height` the image becomes in a second pass, 1 …
    4, of `hires_steps` steps from the noise level that `hires_strength` says, 0 … 1;
    `hires_enlarger` before it: `lanczos`, of pixels, or `latent`.

    `count`: images; `batch` of them at once, which changes speed and memory and no image.
    `watermark`: the invisible one, for images of at least 256 x 256 pixels' area.  `safety`: what
    becomes of an image that the safety checker finds unsafe, `off`, `flag` or `blur`.
    """

    negative: str
    prompt_syntax: PromptSyntax
    clip_skip: int
    steps: int
    sampler: str
    schedule: str
    guidance: float
    guidance_start: float
    guidance_end: float
    rescale: float
    eta: float
    churn: float
    churn_start: float
    churn_end: float
    noise_scale: float
    width: int
    height: int
    seed: int
    variation_seed: int
    variation_strength: float
    noise: NoiseSource
    seed_offset: int
    tiling: Tiling
    hires: float
    hires_strength: float
    hires_steps: int
    hires_enlarger: Enlarger
    count: int
    batch: int
    safety: Safety
    watermark: bool


class InpaintWishes(Wishes, total=False):
    """What may be said about inpainting besides.  Pixels are those of the image.

    `strength`: how much may change under the mask, 0 … 1, all of it where it is not said.
    `mask_invert`: paint where the mask is black.  `mask_grow`, 0 … 256: pixels by which the painted
    part grows; `mask_blur`, 0 … 256: pixels over which its edge is softened.  `fill`: what stands
    there before, which matters below strength 1: the `original`, `noise`, or nothing (`blank`).

    `region`: what the model sees, the `whole` image or its `masked` part, enlarged to the size
    that it was made for, with `region_padding` pixels around, 0 … 4096.  `extend`: pixels by which
    the image continues at the left, the top, the right and the bottom, 0 … 4096 each.
    """

    strength: float
    mask_invert: bool
    mask_grow: int
    mask_blur: int
    fill: Fill
    region: Region
    region_padding: int
    extend: Sides


def load(
    model: str | os.PathLike[str] = "mini",
    *,
    device: str | None = None,
    precision: Precision | None = None,
    prediction: Prediction | None = None,
    ema: bool = False,
    vae: str | os.PathLike[str] | None = None,
) -> "Model":
    """Open a model: the name of an installed one, or a `.safetensors` or `.ckpt` file.

    `device`: `cpu`, `cuda`, `cuda:1`, `mps`, `xpu`; the fastest where it is not said.
    `prediction`: where the file is known to say the wrong thing.  `ema`: with the moving averages
    of the U-Net's weights, which some files hold as well.  `vae`: the file or the name of another
    autoencoder than the model's own.  Only the file's header is read; the
    weights follow with the first image, and all four are judged with the first wish.

    Raises:
        ModelError: there is no such model, or the file is not one that can be used.
    """
    name = os.fspath(model)
    wish = Request(
        model=name,
        device=device,
        precision=precision,
        prediction=prediction,
        ema=ema,
        vae=None if vae is None else os.fspath(vae),
    )
    return Model(Engine.open(name, prediction=prediction), wish)


class Model:
    """One checkpoint, held in memory from its first image on.  Made by `darkroom.load`."""

    def __init__(self, engine: Engine, wish: Request) -> None:
        self._engine = engine
        self._wish = wish

    @property
    def name(self) -> str:
        return self._engine.spec.name

    def txt2img(
        self,
        prompt: str,
        *,
        styles: Sequence[str] = (),
        previews: bool = False,
        **wishes: Unpack[Wishes],
    ) -> "Generation":
        """Images of `prompt`; nothing runs before the result is asked for.  Wishes: see `Wishes`.

        In `prompt` and `negative`, `{red|blue}` takes one of them and `__animal__` a line of
        `animal.txt` in the wildcards folder, for each image as its seed says.  `styles`: names of
        the styles file or the library.  `previews`: let `Stepped` show each step.

        Raises:
            RequestError: a wish that cannot be meant.
        """
        request = self._request(task="txt2img", prompt=prompt, **wishes)
        return self._make(chosen(styled(request, styles)), previews=previews)

    def img2img(
        self,
        image: "Source",
        prompt: str = "",
        *,
        strength: float | None = None,
        image_guidance: float | None = None,
        styles: Sequence[str] = (),
        previews: bool = False,
        **wishes: Unpack[Wishes],
    ) -> "Generation":
        """Images that start from `image`: a file, the bytes of one, a Pillow image, or one of ours.

        `strength`: 0 keeps the image, 1 keeps next to nothing of it.  `image_guidance`: how closely
        a model that follows instructions (InstructPix2Pix) keeps to it, usually 1.5.  `styles`,
        `previews`, and what may stand in `prompt`: as for `txt2img`.  Wishes: see `Wishes`.

        Raises:
            ImageError: the image is none, or cannot be read.
            RequestError: a wish that cannot be meant.
        """
        request = self._request(
            task="img2img",
            prompt=prompt,
            image=_encoded(image),
            strength=strength,
            image_guidance=image_guidance,
            **wishes,
        )
        return self._make(chosen(styled(request, styles)), previews=previews)

    def inpaint(
        self,
        image: "Source",
        mask: "Source | None",
        prompt: str = "",
        *,
        styles: Sequence[str] = (),
        previews: bool = False,
        **wishes: Unpack[InpaintWishes],
    ) -> "Generation":
        """`image` with something else where `mask` is white; elsewhere every pixel is as it was.

        `mask`: another picture; where it is None, transparent parts of `image` are painted.  The
        result has the size of the image.  `styles`, `previews`, and what may stand in `prompt`: as
        for `txt2img`.  Wishes: see `InpaintWishes` and `Wishes`; `width` and `height` are those at
        which the model paints.

        Raises:
            ImageError: image or mask is none, or cannot be read.
            RequestError: a wish that cannot be meant, or a mask that paints nothing.
        """
        request = self._request(
            task="inpaint",
            prompt=prompt,
            image=_encoded(image),
            mask=None if mask is None else _encoded(mask),
            **wishes,
        )
        return self._make(chosen(styled(request, styles)), previews=previews)

    def depth2img(
        self,
        image: "Source",
        prompt: str = "",
        *,
        strength: float | None = None,
        depth: "Source | None" = None,
        styles: Sequence[str] = (),
        previews: bool = False,
        **wishes: Unpack[Wishes],
    ) -> "Generation":
        """Images with the depths of `image`, or those of the map `depth`: nearer is brighter.

        `strength`: 1 keeps the depths alone, 0.9 where it is not said.  `styles`, `previews`, and
        what may stand in `prompt`: as for `txt2img`.  Wishes: see `Wishes`.

        Raises:
            ImageError: image or map is none, or cannot be read.
            RequestError: a wish that cannot be meant, or a map of another shape than the image.
        """
        request = self._request(
            task="depth2img",
            prompt=prompt,
            image=_encoded(image),
            strength=strength,
            depth=None if depth is None else _encoded(depth),
            **wishes,
        )
        return self._make(chosen(styled(request, styles)), previews=previews)

    def upscale(
        self,
        image: "Source",
        prompt: str = "",
        *,
        noise_level: int | None = None,
        styles: Sequence[str] = (),
        previews: bool = False,
        **wishes: Unpack[Wishes],
    ) -> "Generation":
        """`image` four times as wide and high, by a model made for it; its size is not a wish.

        `prompt`: what it shows.  `noise_level`: how much of it is made up anew, 0 … 350, the
        model's own or 20 where it is not said.  `styles`, `previews`, and what may stand in
        `prompt`: as for `txt2img`.  Wishes: see `Wishes`.

        Raises:
            ImageError: the image is none, or cannot be read.
            RequestError: a wish that cannot be meant.
        """
        request = self._request(
            task="upscale",
            prompt=prompt,
            image=_encoded(image),
            noise_level=noise_level,
            **wishes,
        )
        return self._make(chosen(styled(request, styles)), previews=previews)

    def vary(
        self,
        image: "Source",
        prompt: str = "",
        *,
        images: "Source | Sequence[Source]" = (),
        weights: Sequence[float] = (),
        noise_level: int | None = None,
        styles: Sequence[str] = (),
        previews: bool = False,
        **wishes: Unpack[Wishes],
    ) -> "Generation":
        """Images of what `image` shows and, if there are any, `images`, by a model made for it.

        `images`: one more, or several.
        `weights`: the proportions in which all of them are mixed, the first being that of `image`;
        evenly where they are not said.  `noise_level`: how freely, 0 … 999.  `styles`, `previews`,
        and what may stand in `prompt`: as for `txt2img`.  Wishes: see `Wishes`.

        Raises:
            ImageError: an image is none, or cannot be read.
            RequestError: a wish that cannot be meant.
        """
        request = self._request(
            task="vary",
            prompt=prompt,
            image=_encoded(image),
            images=tuple(_encoded(one) for one in _several(images)),
            image_weights=tuple(weights),
            noise_level=noise_level,
            **wishes,
        )
        return self._make(chosen(styled(request, styles)), previews=previews)

    def make(self, request: Request, *, previews: bool = False) -> "Generation":
        """What a whole `Request` asks for; `txt2img` and `img2img` are short ways to one.

        Its prompts are taken as they are: styles and wildcards belong to what leads to a Request.
        """
        return self._make((request,), previews=previews)

    def _make(self, requests: Sequence[Request], *, previews: bool) -> "Generation":
        return Generation(self._engine.run_all(requests, previews=previews))

    def _request(self, **wishes: Any) -> Request:
        return replace(self._wish, **wishes)


class Generation:
    """Images that are being made.

    Iterating gives the events of the one run, `Started` to `Finished`, as they happen (`Started`
    again where wildcards change the prompt); asking for the images runs what is left of it.
    Leaving a loop early loses nothing: the run goes on where
    it stopped when it is asked again, until `cancel`.
    """

    def __init__(self, events: Generator[Event]) -> None:
        self._events = events
        self._images: list[Image] = []
        self._depths: bytes | None = None

    def __iter__(self) -> Iterator[Event]:
        for event in self._events:
            if isinstance(event, ImageDone):
                self._images.append(Image(event))
            elif isinstance(event, DepthMapped):
                self._depths = event.file
            yield event

    def cancel(self) -> None:
        """Stop; the images that are finished stay."""
        self._events.close()

    @property
    def images(self) -> "Sequence[Image]":
        """All images, made now as far as they are not."""
        for _ in self:
            pass
        return tuple(self._images)

    @property
    def image(self) -> "Image":
        """The first image.

        Raises:
            DarkroomError: there is none, because the run was cancelled or failed before it.
        """
        images = self.images
        if not images:
            raise DarkroomError("There is no image: the run was cancelled or failed before it.")
        return images[0]

    @property
    def depth(self) -> bytes | None:
        """The map that depth2img keeps, a PNG file of 16 bits of grey; of other tasks None."""
        if self._depths is None:
            for _ in self:
                pass
        return self._depths

    @property
    def pil(self) -> "PIL.Image.Image":
        """The first image, for Pillow."""
        return self.image.pil

    @property
    def seed(self) -> int:
        """The seed of the first image."""
        return self.image.seed

    @property
    def recipe(self) -> Recipe:
        """How the first image was made."""
        return self.image.recipe

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the first image; see `Image.save`."""
        return self.image.save(path, overwrite=overwrite)

    def _repr_png_(self) -> bytes:
        return self.image._repr_png_()


@dataclass(frozen=True)
class Image:
    """One finished image."""

    done: ImageDone

    @property
    def seed(self) -> int:
        """Its own seed: with it and the same wishes it comes out again, alone or among others."""
        return self.done.seed

    @property
    def recipe(self) -> Recipe:
        """How it was made."""
        return self.done.recipe

    @property
    def pil(self) -> "PIL.Image.Image":
        """For Pillow, which saves it without mark and recipe; `save` writes both."""
        return files.to_pil(self.done.image)

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        private: bool = False,
        quality: int | None = None,
    ) -> Path:
        """Write a PNG, JPEG or WebP file, as the name ends, and return its path.

        It says that it was made by AI and, unless `private`, how.  `quality`: 1 … 100, for JPEG,
        usually 95, and for WebP, which keeps every pixel without it.

        Raises:
            OutputError: it cannot be written, or a file stands there and `overwrite` was not said.
            RequestError: the name ends otherwise, or there is no such quality.
        """
        target = Path(path)
        finish.write(self.done, target, overwrite=overwrite, private=private, quality=quality)
        return target

    def _repr_png_(self) -> bytes:
        return finish.encode(self.done, "png")


Source: TypeAlias = "str | os.PathLike[str] | bytes | PIL.Image.Image | Image | Generation"


def _several(images: "Source | Sequence[Source]") -> "Sequence[Source]":
    """One image as a sequence of one, although text and bytes are sequences, too."""
    own = str, os.PathLike, bytes, Image, Generation
    if isinstance(images, own) or not isinstance(images, Iterable):  # Pillow's is not iterable
        return (images,)
    return tuple(images)


def _encoded(image: Source) -> bytes:
    """The bytes of an image file, wherever it comes from."""
    if isinstance(image, bytes):
        return image
    if isinstance(image, (str, os.PathLike)):
        return files.readable_bytes(Path(image))
    return files.encode_pillow(image.pil if isinstance(image, (Image, Generation)) else image)
