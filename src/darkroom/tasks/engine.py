"""The engine: loads a model once, states the plan, carries it out."""

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch

from darkroom.checkpoints import load
from darkroom.contracts import (
    Event,
    Finished,
    ImageDone,
    ModelSpec,
    Noted,
    Plan,
    Precision,
    Prediction,
    Request,
    Resolved,
    Started,
    Stepped,
    Task,
)
from darkroom.models.safety_checker import SafetyChecker
from darkroom.planning.plan import plan
from darkroom.runtime import allocator, device, memory, packing
from darkroom.tasks import judging
from darkroom.tasks.depth2img import depth2img
from darkroom.tasks.img2img import img2img
from darkroom.tasks.inpaint import inpaint
from darkroom.tasks.studio import Loaded, Studio
from darkroom.tasks.txt2img import txt2img
from darkroom.tasks.upscale import upscale
from darkroom.tasks.vary import vary
from darkroom.text.tokenizer import Tokenizer, tokenizer_of

_TASKS: Mapping[Task, Callable[[Studio, judging.Given], Iterator[Event]]] = {
    "txt2img": lambda studio, _: txt2img(studio),
    "img2img": img2img,
    "inpaint": inpaint,
    "depth2img": depth2img,
    "upscale": upscale,
    "vary": vary,
}


@dataclass(frozen=True)
class _Wanted:
    """Which weights, and where: requests that agree in this share them."""

    device: str
    precision: Precision
    ema: bool
    vae: Path | None


class Engine:
    """One checkpoint and the machine under it.

    The header is read at once, the weights with the first image; they stay until another device,
    precision or kind of weights (EMA) is asked for.  An engine works on one request at a time.
    """

    def __init__(self, model: str, spec: ModelSpec) -> None:
        allocator.use_huge_pages()  # before anything measures or makes a tensor
        self.model = model
        self.spec = spec
        self._loaded: tuple[_Wanted, int, Loaded] | None = None
        self._safety: tuple[Path, SafetyChecker] | None = None

    @classmethod
    def open(cls, model: str, *, prediction: Prediction | None = None) -> "Engine":
        """The model of that name, or in that file; `prediction` is the user's word on it.

        Raises:
            ModelError: there is none, or it is not one that can be used.
        """
        return cls(model, judging.spec_of(model, prediction))

    def plan(self, request: Request, *, freed: int = 0) -> tuple[Resolved, Plan]:
        """What would be made, and what it would cost.  Runs and loads nothing.

        `freed`: bytes of memory that others will have given back by then.

        Raises:
            RequestError: a wish that cannot be meant.
            ImageError: the input image is none.
        """
        resolved, how, _ = self._plan(request, freed)
        return resolved, how

    def run(self, request: Request, *, previews: bool = False) -> Generator[Event]:
        """Make the images; events come as they happen, with a picture of each step if asked for.

        Wishes are judged at once, as by `plan`.  Closing the iterator cancels: nothing more than
        the step that is under way is computed, and finished images have been handed out.

        Raises:
            DarkroomError: on the way, if memory runs out for good or the model gives no numbers.
        """
        begin = time.monotonic()
        resolved, how, given = self._plan(request)
        return self._events(resolved, how, given, begin, previews=previews)

    def run_all(self, requests: Sequence[Request], *, previews: bool = False) -> Generator[Event]:
        """The images of several requests, counted through as if one had asked for them all.

        Every wish is judged at once, before the first is carried out.  `Started` comes once for
        each request, `Finished` once at the end.

        Raises:
            DarkroomError: as from `run`.
        """
        for request in requests:
            self._plan(request)
        return self._one_after_another(requests, previews=previews)

    def _one_after_another(
        self, requests: Sequence[Request], *, previews: bool
    ) -> Generator[Event]:
        begin, before = time.monotonic(), 0
        for request in requests:
            for event in self.run(request, previews=previews):
                match event:
                    case ImageDone():
                        yield replace(event, index=before + event.index)
                    case Stepped():
                        yield replace(event, first=before + event.first)
                    case Finished():
                        before += event.images
                    case _:
                        yield event
        yield Finished(images=before, seconds=time.monotonic() - begin)

    def _plan(self, request: Request, freed: int = 0) -> tuple[Resolved, Plan, judging.Given]:
        if request.model != self.model:
            raise ValueError(f"this engine holds {self.model!r}, not {request.model!r}")
        resolved, given = judging.judge(request, self.spec)
        machine = device.measure(request.device)
        how = plan(
            resolved,
            self.spec,
            machine,
            loaded=self._bytes_on(machine.device) + freed,
            prompts=judging.prompts_of(resolved, self._tokenizer),
        )
        return resolved, how, given

    def _events(
        self,
        resolved: Resolved,
        how: Plan,
        given: judging.Given,
        begin: float,
        *,
        previews: bool,
    ) -> Generator[Event]:
        yield Started(resolved=resolved, plan=how)
        device.use_threads(how.threads)
        yield from (Noted(message=note) for note in (*how.notes, *given.notes))
        studio = Studio(self._load(resolved, how), self.spec, resolved, how, previews=previews)
        yield from _TASKS[resolved.request.task](studio, given)
        yield Finished(images=resolved.count, seconds=time.monotonic() - begin)

    def _load(self, resolved: Resolved, how: Plan) -> Loaded:
        """The networks that are asked for, where and as the plan wants them."""
        request = resolved.request
        wanted = _Wanted(how.device, how.precision, request.ema, judging.vae_of(request))
        if self._loaded is None or self._loaded[0] != wanted:
            self._loaded = None  # before the next: two copies of a model are one too many
            with memory.or_explain("loading the model"), allocator.weights_apart():
                networks = load.load(
                    self.spec,
                    precision=wanted.precision,
                    device=torch.device(wanted.device),
                    ema=wanted.ema,
                    vae=wanted.vae,
                )
                packing.pack(networks.unet)
                packing.pack(networks.autoencoder)
            self._loaded = wanted, how.weight_bytes, Loaded(networks, self._tokenizer, {})
        return replace(self._loaded[2], safety_checker=self._checker(resolved))

    def _checker(self, resolved: Resolved) -> SafetyChecker | None:
        """The safety checker where it is wanted; once read it stays, for it is the same for all."""
        if resolved.safety == "off":
            return None
        path = judging.safety_checker()
        if self._safety is None or self._safety[0] != path:
            self._safety = path, load.load_safety_checker(path)
        return self._safety[1]

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        return tokenizer_of(self.spec)

    def _bytes_on(self, where: str) -> int:
        """What this model already takes of a device's memory."""
        if self._loaded is None or self._loaded[0].device != where:
            return 0
        return self._loaded[1]
