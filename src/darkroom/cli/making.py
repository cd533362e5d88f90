"""Requests become finished images, while progress and preview tell how far they are."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from darkroom.cli.outputs import Preview
from darkroom.cli.progress import Progress
from darkroom.contracts import (
    DepthMapped,
    ImageDone,
    ModelSpec,
    Noted,
    Plan,
    Request,
    Resolved,
    Started,
    Stepped,
)
from darkroom.errors import OutputError
from darkroom.planning.suitability import PUBLISHED
from darkroom.tasks import judging

if TYPE_CHECKING:
    from darkroom.tasks.engine import Engine


def engine_for(requests: Sequence[Request]) -> "Engine":
    """The engine for requests that all name the same model and prediction, and can be meant.

    torch, which takes seconds to import, is left alone until all of them are judged.

    Raises:
        DarkroomError: the model is none, or a wish cannot be meant.
    """
    model = requests[0].model
    spec = judging.spec_of(model, requests[0].prediction)
    for request in requests:
        judging.judge(request, spec)

    from darkroom.tasks.engine import Engine

    return Engine(model, spec)


def make(
    requests: Sequence[Request],
    progress: Progress,
    preview: Preview | None = None,
    *,
    depths: Callable[[bytes], None] = lambda _: None,
) -> Iterator[ImageDone]:
    """Each finished image, as soon as it is one; all requests name the same model.

    `depths` takes the map that depth2img keeps, a PNG file, each time that there is one.

    Every wish is judged before the first is carried out.  Interrupted, it stops within a step.

    Raises:
        DarkroomError: the model is none, or a wish cannot be meant or carried out.
    """
    engine = engine_for(requests)
    if engine.spec.demonstration:
        progress.say(_demonstration(engine.spec))
    images = sum(request.count for request in requests)
    resolved = None
    for event in engine.run_all(requests, previews=preview is not None):
        if isinstance(event, Started):
            resolved = event.resolved
            progress.say(_headline(resolved, event.plan))
        elif isinstance(event, Noted):
            progress.say(event.message)
        elif isinstance(event, DepthMapped):
            depths(event.file)
        elif isinstance(event, ImageDone):
            yield event
        elif isinstance(event, Stepped):
            _tell(event, images, progress)
            if preview is not None and resolved is not None:
                preview = _shown(preview, event, resolved, progress)


def _demonstration(spec: ModelSpec) -> str:
    """What a small model is, and the way to a real one."""
    if spec.task == "upscale":
        return (
            f"{spec.name} is a small demonstration. For photographs there is a real upscaler: "
            f"darkroom models pull {PUBLISHED['upscale']}, then --model {PUBLISHED['upscale']}."
        )
    return (
        f"{spec.name} is a small demonstration. For real images give a "
        "Stable Diffusion checkpoint to --model, such as --model sd-v1-4.ckpt."
    )


def size_of(resolved: Resolved) -> str:
    """Width and height of the image; of a large one, those that it begins with as well."""
    sizes = [f"{one.width} x {one.height}" for one in resolved.passes]
    if resolved.painting is not None:
        return f"{resolved.width} x {resolved.height}, painted at {sizes[0]}"
    return " enlarged to ".join(sizes)


def _headline(resolved: Resolved, plan: Plan) -> str:
    parts = [size_of(resolved), _seeds(resolved)]
    steps = "1 step" if plan.steps == 1 else f"{plan.steps} steps"
    parts.append(f"{steps} of {resolved.sampler} on {resolved.schedule}")
    parts.append(f"guidance {resolved.guidance:g}")
    return ", ".join(parts)


def _seeds(resolved: Resolved) -> str:
    if resolved.variation_seed is None:
        return _numbered("seed", resolved.seed, resolved.count)
    others = _numbered("variation seed", resolved.variation_seed, resolved.count)
    return f"seed {resolved.seed}, {resolved.variation_strength:g} of the way to {others}"


def _numbered(what: str, first: int, count: int) -> str:
    return f"{what} {first}" if count == 1 else f"{what}s {first} to {first + count - 1}"


def _tell(event: Stepped, images: int, progress: Progress) -> None:
    first = event.first + 1
    last = first + event.images - 1
    which = f"image {first}" if first == last else f"images {first} to {last}"
    progress.step(
        first - 1 + event.images * event.step / event.steps,
        images,
        f"{which} of {images}, step {event.step} of {event.steps}",
    )


def _shown(
    preview: Preview, event: Stepped, resolved: Resolved, progress: Progress
) -> Preview | None:
    """The preview, or None once it cannot be written: no image is lost for that."""
    try:
        preview.show(event.previews, resolved)
    except OutputError as error:
        progress.say(f"The preview stops here. {error.message}")
        return None
    return preview
