"""A server and a worker that make flat images at once, for what is about load and not images.

python tests/server/stub.py serve --data DIR --port N --token TEXT [--delay SECONDS]
python tests/server/stub.py worker --data DIR …      (what the former starts)
"""

import argparse
import os
import sys
import time
from collections.abc import Generator
from pathlib import Path

import darkroom
from darkroom.contracts import (
    Event,
    Finished,
    ImageDone,
    Machine,
    ModelSpec,
    Plan,
    Prediction,
    Raster,
    Recipe,
    Request,
    Resolved,
    Started,
    Stepped,
)
from darkroom.images import io, provenance
from darkroom.planning.plan import plan
from darkroom.tasks import judging
from darkroom.worker.process import main as work

MACHINE = Machine(
    device="cpu",
    name="Stub",
    cores=1,
    memory_total=2**34,
    memory_free=2**33,
    speed={"fp32": 1e11},
)


class StubMaker:
    """Makes images of one colour, which the seed says."""

    def __init__(self, spec: ModelSpec, delay: float) -> None:
        self.spec = spec
        self.delay = delay
        self.made: list[Request] = []

    def plan(self, request: Request, *, freed: int = 0) -> tuple[Resolved, Plan]:
        resolved, _ = judging.judge(request, self.spec)
        return resolved, plan(resolved, self.spec, MACHINE, loaded=freed)

    def run(self, request: Request, *, previews: bool = False) -> Generator[Event]:
        resolved, how = self.plan(request)
        self.made.append(request)
        return self._events(resolved, how, previews=previews)

    def _events(self, resolved: Resolved, how: Plan, *, previews: bool) -> Generator[Event]:
        yield Started(resolved=resolved, plan=how)
        for index in range(resolved.count):
            seed = resolved.seed + index
            for step in range(1, how.steps + 1):
                time.sleep(self.delay)
                small = (flat(seed, 8),) if previews else ()
                yield Stepped(first=index, images=1, step=step, steps=how.steps, previews=small)
            recipe = recipe_of(resolved, self.spec, seed)
            raster = flat(seed, resolved.width)
            yield ImageDone(index=index, seed=seed, image=raster, recipe=recipe)
        yield Finished(images=resolved.count, seconds=0.0)


class StubBackend:
    """The machine under it: none."""

    def __init__(self, delay: float = 0.0) -> None:
        self.delay = delay
        self.opened: list[str] = []

    def devices(self) -> tuple[str, ...]:
        return ("cpu",)

    def measure(self, _: str) -> Machine:
        return MACHINE

    def open(self, model: str, prediction: Prediction | None) -> StubMaker:
        self.opened.append(model)
        return StubMaker(judging.spec_of(model, prediction), self.delay)

    def encode(self, done: ImageDone) -> tuple[bytes, str]:
        mark = provenance.new_mark(darkroom.__version__)
        return io.encode(done.image, "png", mark=mark, recipe=done.recipe), ".png"

    def freed(self) -> None:
        pass

    def broken(self, _: BaseException) -> bool:
        return False


def colour(seed: int) -> tuple[int, int, int]:
    """The colour of a seed's image."""
    return seed & 255, seed >> 8 & 255, seed >> 16 & 255


def flat(seed: int, side: int) -> Raster:
    return Raster(width=side, height=side, data=bytes(colour(seed)) * side * side)


def recipe_of(resolved: Resolved, spec: ModelSpec, seed: int) -> Recipe:
    request = resolved.request
    return Recipe(
        task=request.task,
        prompt=request.prompt,
        negative=request.negative,
        seed=seed,
        steps=resolved.passes[0].steps,
        sampler=resolved.sampler,
        schedule=resolved.schedule,
        guidance=resolved.guidance,
        eta=resolved.eta,
        width=resolved.width,
        height=resolved.height,
        strength=None,
        input_sha256=None,
        model=spec.name,
        model_sha256="0" * 64,
        prediction=resolved.prediction,
        precision="fp32",
        engine="stub",
        device="cpu",
        watermark=None,
        software=f"Darkroom {darkroom.__version__}",
        versions={"darkroom": darkroom.__version__},
    )


def serve(arguments: list[str]) -> None:
    """A server with such workers."""
    from darkroom.server import running

    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--token", required=True)
    parser.add_argument("--delay", type=float, default=0.0)
    said = parser.parse_args(arguments)
    os.environ["STUB_DELAY"] = str(said.delay)
    wanted = running.Wanted(
        data=said.data,
        port=said.port,
        token=said.token,
        command=(sys.executable, __file__, "worker"),
    )
    with running.opened(wanted) as server:
        server.run(lambda: print("ready", flush=True))


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2:])
    else:
        seconds = float(os.environ.get("STUB_DELAY", "0"))
        sys.exit(work(sys.argv[2:], lambda: StubBackend(seconds)))
