"""One loaded model at work on one request: what every task draws on."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

from torch import Tensor, nn

from darkroom.checkpoints.load import Networks
from darkroom.conditioning import prompt
from darkroom.conditioning.passages import Remembered
from darkroom.contracts import ModelSpec, Noted, Plan, Precision, Raster, Resolved, Tiling
from darkroom.diffusion import schedule
from darkroom.diffusion.denoiser import Denoiser
from darkroom.diffusion.guidance import Follow, Label, guided
from darkroom.diffusion.samplers import Denoise
from darkroom.errors import DarkroomError
from darkroom.images import veil
from darkroom.models.mosaic import common_norms, each_tile, in_tiles
from darkroom.models.safety_checker import SafetyChecker
from darkroom.models.tiling import tiled
from darkroom.models.unet import UNet
from darkroom.runtime.memory import Ladder
from darkroom.tasks.pixels import clip_colours, to_tensor
from darkroom.text.tokenizer import Tokenizer
from darkroom.tiles import Tiles, tiles


@dataclass(frozen=True)
class Batch:
    """Images `first …` of the request, made at once; one seed each.

    `variation_seeds`: one each, or none.
    """

    first: int
    seeds: tuple[int, ...]
    variation_seeds: tuple[int, ...] = ()


@dataclass(frozen=True)
class Loaded:
    """A checkpoint in memory, and the embeddings of the prompts that it has read.

    `safety_checker`: None as long as nobody asked for it.
    """

    networks: Networks
    tokenizer: Tokenizer
    embeddings: Remembered
    safety_checker: SafetyChecker | None = None


class Studio:
    """The networks, guarded, and what they have to say on the way.

    Guarded means: where memory runs out, the work goes on in smaller parts; where numbers break,
    there is an error or a better try, never a black image.
    """

    def __init__(
        self, loaded: Loaded, spec: ModelSpec, resolved: Resolved, plan: Plan, *, previews: bool
    ) -> None:
        self.spec = spec
        self.resolved = resolved
        self.plan = plan
        self.previews = previews
        self.alphas = schedule.alphas_cumprod(spec.zero_terminal_snr, betas=spec.betas)
        self._loaded = loaded
        self._notes: list[str] = []
        self.tiles = _tiles(spec, resolved)
        self._unet = _GuardedUNet(
            loaded.networks.unet, plan, resolved.tiling, self.tiles, self._notes.append
        )

    def batches(self) -> Iterator[Batch]:
        """The images of the request, `plan.batch` at once.

        Image k has the seed `seed + k`; of a seed's variations, it has `variation_seed + k`.
        """
        resolved = self.resolved
        for first in range(0, resolved.count, self.plan.batch):
            places = range(first, min(first + self.plan.batch, resolved.count))
            if resolved.variation_seed is None:
                yield Batch(first, tuple(resolved.seed + k for k in places))
            else:
                others = tuple(resolved.variation_seed + k for k in places)
                yield Batch(first, (resolved.seed,) * len(others), others)

    def remarks(self) -> Iterator[Noted]:
        """What is to be said about the prompts."""
        request, syntax = self.resolved.request, self.resolved.prompt_syntax
        for text, what in (request.prompt, "prompt"), (request.negative, "negative prompt"):
            self._notes += prompt.remarks(text, what, self.spec, self._loaded.tokenizer, syntax)
        yield from self.notes()

    def conditions(self, levels: Tensor, *, steps: int, earlier: int) -> Follow:
        """What the prompts ask for over `levels`, float64 [n + 1].

        `steps`: what the fractions in a prompt are of; `earlier`: steps of the pass before.
        """
        resolved, loaded = self.resolved, self._loaded
        return prompt.read(
            resolved.request.prompt,
            resolved.request.negative,
            syntax=resolved.prompt_syntax,
            clip_skip=resolved.clip_skip,
            spec=self.spec,
            tokenizer=loaded.tokenizer,
            text_encoder=loaded.networks.text_encoder,
            levels=levels,
            remembered=loaded.embeddings,
            steps=steps,
            earlier=earlier,
        )

    def denoise(
        self,
        conditions: Follow,
        interval: tuple[float, float] | None,
        *,
        beside: Tensor | None = None,
        label: Label | None = None,
    ) -> Denoise:
        """`denoise(x, sigma)` that follows `conditions`.

        `interval`: the highest and the lowest sigma at which guidance acts, None for all.
        `beside` [1 or B, C', h, w]: what the U-Net sees beside the noisy latents; `label`: what it
        is told beside the time.
        """
        resolved, device = self.resolved, self.plan.device
        denoiser = Denoiser(
            self._unet,
            self.alphas,
            resolved.prediction,
            schedule.interpolation(resolved.schedule),
        )
        return guided(
            denoiser,
            conditions,
            resolved.guidance,
            rescale=resolved.rescale,
            interval=interval,
            beside=None if beside is None else beside.to(device),
            label=None
            if label is None
            else Label(label.value.to(device), label.negative.to(device)),
            image_scale=resolved.image_guidance,
        )

    def encode(self, colours: Tensor) -> Tensor:
        """Colours [3, H, W] in [-1, 1] to the scaled latent [1, C, h, w]: float32, on the CPU."""
        autoencoder = self._loaded.networks.autoencoder
        out = self._through(autoencoder, autoencoder.encode, colours[None], "reading the image")
        return out * self.spec.latent_scale

    def decode(self, latent: Tensor) -> Tensor:
        """A scaled latent [C, h, w] to colours [3, H, W] in about [-1, 1]: float32, on the CPU.

        One image at a time: it is the hungriest moment of all, and no slower this way.
        """
        autoencoder = self._loaded.networks.autoencoder

        def decode(part: Tensor) -> Tensor:
            return self._through(autoencoder, autoencoder.decode, part, "decoding the image")

        latent = latent[None] / self.spec.latent_scale
        if self.tiles is None or self.tiles.count == 1:
            return decode(latent)[0]
        with common_norms(autoencoder.decoder) as settle:
            for part in each_tile(latent, self.tiles):
                decode(part)
            settle()
            return in_tiles(decode, latent, self.tiles, factor=autoencoder.config.factor)[0]

    def depths(self, colours: Tensor) -> Tensor:
        """Inverse depths [1, H, W] of colours [3, H, W] in [-1, 1], multiples of 32.

        Relative, and larger where things are nearer: float32, on the CPU.
        """
        network = self._loaded.networks.depth
        assert network is not None  # or the wish would have been refused
        return self._through(network, network, colours[None], "measuring depth")

    def embedding(self, picture: Tensor) -> Tensor:
        """What CLIP's image tower makes of a picture [3, S, S], [1, E]: float32, on the CPU."""
        network = self._loaded.networks.image_encoder
        assert network is not None  # or the wish would have been refused
        return self._through(network, network, picture[None], "looking at the image")

    def embedding_statistics(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the embeddings of many images, [1, E] each, on the CPU."""
        networks = self._loaded.networks
        assert networks.embedding_mean is not None  # they come with the image tower
        assert networks.embedding_std is not None
        return networks.embedding_mean.float().cpu(), networks.embedding_std.float().cpu()

    def unsafe(self, raster: Raster, seed: int) -> bool:
        """Whether the safety checker finds a finished image unsafe, which is then said."""
        checker = self._loaded.safety_checker
        assert checker is not None  # it was loaded, for it was asked for
        side = checker.image_encoder.config.grid * checker.image_encoder.config.patch
        picture = clip_colours(to_tensor(veil.seen(raster, side), side, side))
        if not checker(picture[None]).item():
            return False
        done = "It is blurred." if self.resolved.safety == "blur" else "It is only said."
        self._notes.append(
            f"The safety checker, which often errs, finds the image of seed {seed} unsafe. {done}"
        )
        return True

    def notes(self) -> Iterator[Noted]:
        """What is to be told and has not been."""
        while self._notes:
            yield Noted(message=self._notes.pop(0))

    def _through(
        self, network: nn.Module, evaluate: Callable[[Tensor], Tensor], x: Tensor, work: str
    ) -> Tensor:
        """`evaluate(x)` by the network that it belongs to, once more in fp32 if numbers break.

        Some autoencoders were never meant for half precision: their activations overflow fp16.
        """

        def run(x: Tensor) -> Tensor:
            weight = next(network.parameters())
            with _continued(network, self.resolved.tiling):
                return evaluate(x.to(weight)).float().cpu()

        ladder = Ladder(work, self._notes.append)
        out = ladder(run, x)
        if not out.isfinite().all() and self.plan.precision != "fp32":
            self._notes.append(_widened(work, self.plan.precision))
            with _in_fp32(network):
                out = ladder(run, x)
        if not out.isfinite().all():
            raise _broken(work, self.plan.precision)
        return out


class _GuardedUNet(nn.Module):
    """A U-Net that takes as many rows at once as planned, fewer when memory runs out after all.

    Where numbers break in half precision an evaluation is done again in fp32; where they break
    there too, it refuses them.  A picture too large for it is worked on in `tiles`.
    """

    def __init__(
        self,
        unet: UNet,
        plan: Plan,
        tiling: Tiling,
        tiles: Tiles | None,
        note: Callable[[str], None],
    ) -> None:
        super().__init__()
        self.unet = unet
        self.tiling = tiling
        self.tiles = tiles
        self.precision = plan.precision
        self.ladder = Ladder("denoising", note, limit=plan.rows)
        self._note: Callable[[str], None] | None = note  # None when it has been told

    def forward(
        self, x: Tensor, timestep: Tensor, context: Tensor, label: Tensor | None = None
    ) -> Tensor:
        told = (timestep, context) if label is None else (timestep, context, label)
        out = self._evaluate(x, told)
        if not out.isfinite().all() and self.precision != "fp32":
            if self._note is not None:
                self._note(_widened("denoising", self.precision))
                self._note = None
            with _in_fp32(self.unet):
                wide = tuple(one.float() if one.is_floating_point() else one for one in told)
                out = self._evaluate(x.float(), wide)
        if not out.isfinite().all():
            raise _broken("denoising", self.precision)
        return out

    def _evaluate(self, x: Tensor, told: tuple[Tensor, ...]) -> Tensor:
        def evaluate(x: Tensor) -> Tensor:
            return self.ladder(self.unet, x, *told)

        with _continued(self.unet, self.tiling):
            return evaluate(x) if self.tiles is None else in_tiles(evaluate, x, self.tiles)


def _tiles(spec: ModelSpec, resolved: Resolved) -> Tiles | None:
    """Those of an enlarged picture; others are made as a whole."""
    if resolved.request.task != "upscale":
        return None
    factor, size = spec.autoencoder.factor, resolved.passes[0]
    return tiles(size.canvas_height // factor, size.canvas_width // factor, spec.unet.multiple)


def _continued(network: nn.Module, tiling: Tiling) -> AbstractContextManager[None]:
    """For one evaluation only: between two of them the network may serve another request."""
    return nullcontext() if tiling == "none" else tiled(network, tiling)


@contextmanager
def _in_fp32(network: nn.Module) -> Iterator[None]:
    """Widen a network's weights for a while; coming back they are what they were, bit for bit."""
    dtype = next(network.parameters()).dtype
    network.float()
    try:
        yield
    finally:
        network.to(dtype)


def _widened(work: str, precision: Precision) -> str:
    return f"Numbers overflowed in {precision} while {work}; it was done in fp32."


def _broken(work: str, precision: Precision) -> DarkroomError:
    return DarkroomError(
        f"The model's numbers became infinite or undefined (NaN) while {work}.",
        "Its weights are damaged; get the file again or use another model."
        if precision == "fp32"
        else f"Its weights may not bear {precision}: ask for the precision fp32.",
    )
