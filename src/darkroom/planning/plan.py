"""The forecast: how a request will be carried out on this machine, before anything runs.

Memory is the weights and the fullest moment of a run.  Time is arithmetic divided by the speed
that the device was measured at.  Both are rough, and meant to be honest: measured on a CPU, the
memory is within a third of the truth.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from darkroom.contracts import Machine, ModelSpec, Pass, Plan, Precision, Resolved
from darkroom.errors import RequestError
from darkroom.names import SAMPLERS, evaluations
from darkroom.planning.cost import (
    Cost,
    decoder_cost,
    depth_cost,
    encoder_cost,
    image_cost,
    text_cost,
    unet_cost,
)
from darkroom.planning.depth import seen_size
from darkroom.planning.passes import SIZE_MULTIPLE, round_up
from darkroom.tiles import tiles

ENGINE = "torch"

_BYTES: dict[Precision, int] = {"fp32": 4, "bf16": 2, "fp16": 2}
# Convolutions copy what they read and write, and their weight, into a layout of their own
# (oneDNN, resident memory of the v1 networks: 1.8 to 2.3 times the values that torch holds).
_LAYOUT = 2
# What whole networks reach of the speed of a matrix product (0.5 to 0.7 measured).
_SHARE = 0.6
# What a layer, its small neighbours included, costs beyond its arithmetic.
_SECONDS_A_KERNEL = 5e-5
# Networks smaller than this, in FLOP an evaluation, gain nothing from half precision.
_WORTH_HALVING = 5e10
# Networks smaller than this, in FLOP an evaluation, gain nothing from a second thread, and wait
# for it without end where another program has its core (Mini, two cores: 28 s against 0.4).
_WORTH_SHARING = 1e10
_STEP_SECONDS = 1.0  # images are batched while a step stays this short, so that stopping is prompt
_RESERVE = 0.05  # of the free memory is left to others
# Bytes of an enlarged picture's pixel where most of it lies in memory at once: while the watermark
# is embedded (54 measured), which is more than colours in float32 take on their way to 8 bits.
_PICTURE = 60
_EMULATION = 4  # a format that a device does not compute in costs about so many times fp32


@dataclass(frozen=True, kw_only=True)
class Prompts:
    """Text tokens that the U-Net reads: of the negative prompt, and of each part of the prompt,
    with the weight of the part.
    """

    negative: int
    parts: tuple[tuple[int, float], ...]


@dataclass(frozen=True, kw_only=True)
class _Run:
    """What one pass asks of the networks, for one image.

    `unet`: one row of the longest prompt, tile after tile.  `rows`: of the U-Net's batch that are
    computed at once.
    `evaluations`: rows that it computes from the first step to the last, in so many `calls`, with
    so many `flops`.  `picture_bytes`: what holds the picture of which the networks see tiles.
    """

    unet: Cost
    rows: int
    evaluations: int
    calls: int
    flops: int
    decoder: Cost | None
    encoder: Cost | None
    picture_bytes: int


@dataclass(frozen=True, kw_only=True)
class _Work:
    """What a request asks of each network: the text encoder for each chunk of the prompts, the
    others for each image, but for the encoder where all images begin with the same one.  `looks`:
    of the networks that only look at the images that came in, once.
    """

    text: Cost
    chunks: int
    runs: tuple[_Run, ...]
    looks: tuple[Cost, ...]
    same_start: bool

    @property
    def rows(self) -> int:
        return max(run.rows for run in self.runs)

    @property
    def step_flops(self) -> int:
        """Of the U-Net for one image, in the dearest step."""
        return max(run.rows * run.unet.flops for run in self.runs)

    @property
    def evaluations(self) -> int:
        return sum(run.evaluations for run in self.runs)


def plan(
    resolved: Resolved,
    spec: ModelSpec,
    machine: Machine,
    *,
    loaded: int = 0,
    prompts: Prompts | None = None,
) -> Plan:
    """State device, precision, batch, memory and seconds.  Loads and runs nothing.

    `loaded`: bytes of this model that the machine's free memory already lacks.  `prompts`: how
    long they are, where it is known; else both are one chunk.  Seconds do not include loading.

    Raises:
        RequestError: it cannot fit; the message says what is needed and what is free.
    """
    if prompts is None:
        length = spec.text_encoder.context_length
        prompts = Prompts(negative=length, parts=((length, 1.0),))
    free = int((machine.memory_free + loaded) * (1 - _RESERVE))
    work = _work(resolved, spec, prompts)
    candidates = _precisions(resolved, work, machine)
    precision = next((p for p in candidates if _needs(work, spec, p) <= free), None)
    if precision is None:
        narrowest = min(candidates, key=_BYTES.__getitem__)
        raise _too_large(resolved, spec, machine, narrowest, free, prompts)
    speed, emulated = _speed(machine, precision)
    threads = machine.cores
    if machine.device == "cpu" and work.runs[0].unet.flops < _WORTH_SHARING:
        threads, speed = 1, speed / machine.cores
    batch = _batch(resolved, work, spec, precision, free, speed)
    rows = batch * work.rows
    if _needs(work, spec, precision, rows) > free:
        rows = 1
    return Plan(
        device=machine.device,
        device_name=machine.name,
        engine=ENGINE,
        precision=precision,
        batch=batch,
        rows=rows,
        steps=sum(one.runs for one in resolved.passes),
        evaluations=resolved.count * work.evaluations,
        threads=threads,
        weight_bytes=spec.parameters * _BYTES[precision],
        peak_bytes=_needs(work, spec, precision, rows),
        seconds=_seconds(work, resolved.count, batch, speed),
        notes=tuple(_notes(resolved, work, precision, batch, rows, emulated)),
    )


def _work(resolved: Resolved, spec: ModelSpec, prompts: Prompts) -> _Work:
    length = spec.text_encoder.context_length
    return _Work(
        text=text_cost(spec.text_encoder),
        chunks=(prompts.negative + sum(tokens for tokens, _ in prompts.parts)) // length,
        runs=tuple(_run(resolved, spec, prompts, index) for index in range(len(resolved.passes))),
        looks=tuple(_looks(resolved, spec)),
        same_start=resolved.request.image is not None,
    )


def _looks(resolved: Resolved, spec: ModelSpec) -> Iterator[Cost]:
    request, size = resolved.request, resolved.passes[0]
    if spec.depth is not None and request.depth is None:
        width, height = seen_size(size.width, size.height)
        yield depth_cost(spec.depth, height, width)
    if spec.image_encoder is not None:
        yield from [image_cost(spec.image_encoder)] * (1 + len(request.images))


def _encodings(resolved: Resolved, spec: ModelSpec) -> int:
    """How often the autoencoder reads the input image."""
    task = resolved.request.task
    if task == "inpaint" and spec.task == "inpaint":  # what is left of it, and all of it
        return 1 if resolved.from_noise else 2
    if task == "depth2img":
        return 0 if resolved.from_noise else 1
    return 1 if resolved.request.image is not None and task not in {"upscale", "vary"} else 0


def _run(resolved: Resolved, spec: ModelSpec, prompts: Prompts, index: int) -> _Run:
    this, factor = resolved.passes[index], spec.autoencoder.factor
    rows, columns, count = _tiles(resolved, spec, this)
    looks = count if count == 1 else 2 * count  # the decoder measures all tiles before
    height, width = factor * rows, factor * columns
    guided, plain = _evaluations(resolved, this)
    seen = [
        (guided, _read(resolved, prompts, resolved.guidance, resolved.image_guidance)),
        (plain, _read(resolved, prompts, 1.0, None if resolved.image_guidance is None else 1.0)),
    ]
    seen = [(times, rows) for times, rows in seen if times] or seen[:1]
    costs = {
        tokens: _times(unet_cost(spec.unet, rows, columns, tokens), count)
        for tokens in {tokens for _, rows in seen for tokens in rows}
    }
    last = index == len(resolved.passes) - 1
    in_pixels = resolved.hires is not None and resolved.hires.enlarger == "lanczos"
    decoded, encodings = last or in_pixels, int(in_pixels) if index else _encodings(resolved, spec)
    encoder = _times(encoder_cost(spec.autoencoder, height, width), encodings)
    return _Run(
        unet=costs[max(costs)],
        rows=max(max(rows.values()) for _, rows in seen),
        evaluations=sum(times * rows.total() for times, rows in seen),
        calls=sum(times * len(rows) for times, rows in seen),
        flops=sum(
            times * count * costs[tokens].flops
            for times, rows in seen
            for tokens, count in rows.items()
        ),
        decoder=_times(decoder_cost(spec.autoencoder, height, width), looks) if decoded else None,
        encoder=encoder if encodings else None,
        picture_bytes=_PICTURE * this.canvas_width * this.canvas_height if count > 1 else 0,
    )


def _tiles(resolved: Resolved, spec: ModelSpec, this: Pass) -> tuple[int, int, int]:
    """Height and width in latents of what the networks see at once, and how often they do."""
    factor = spec.autoencoder.factor
    height, width = this.canvas_height // factor, this.canvas_width // factor
    if resolved.request.task != "upscale":
        return height, width, 1
    found = tiles(height, width, spec.unet.multiple)
    return found.height, found.width, found.count


def _times(cost: Cost, count: int) -> Cost:
    """So many evaluations, one after the other."""
    return replace(cost, flops=count * cost.flops, kernels=count * cost.kernels)


def _read(
    resolved: Resolved, prompts: Prompts, scale: float, image_scale: float | None
) -> Counter[int]:
    """How many contexts of which length are evaluated at these scales of guidance.

    Those without a share in the result are not (`diffusion.guidance`).
    """

    def shares(scale: float, image_scale: float | None) -> list[float]:
        parts = [scale * weight for _, weight in prompts.parts]
        if image_scale is None:
            return [1 - sum(parts), *parts]
        return [image_scale - sum(parts), *parts, 1 - image_scale]

    guided, plain = shares(scale, image_scale), shares(1.0, None if image_scale is None else 1.0)
    rescaled = resolved.rescale > 0 and guided != plain
    lengths = [prompts.negative, *(tokens for tokens, _ in prompts.parts)]
    if image_scale is not None:
        lengths.append(prompts.negative)
    return Counter(
        tokens
        for tokens, share, alone in zip(lengths, guided, plain, strict=True)
        if share != 0 or (rescaled and alone != 0)
    )


def _evaluations(resolved: Resolved, this: Pass) -> tuple[int, int]:
    """How often the denoised image is asked for with guidance, and how often without.

    Of samplers that look twice at a step, the second look is counted with the first.
    """
    every = evaluations(resolved.sampler, resolved.schedule, this.runs)
    begin, end = (
        round(part * this.steps) for part in (resolved.guidance_start, resolved.guidance_end)
    )
    guided = len(range(max(begin, this.steps - this.runs), end))
    if guided == this.runs:
        return every, 0
    guided *= SAMPLERS[resolved.sampler].evaluations
    return guided, every - guided


def _precisions(resolved: Resolved, work: _Work, machine: Machine) -> Sequence[Precision]:
    """What may be used, the preferred first; the user's word alone where there is one.

    fp16 before bf16 where a device has both: it resolves eight times as finely, and the published
    weights fit into its range.  Small networks stay in fp32 as long as memory lasts.
    """
    if resolved.request.precision is not None:
        return (resolved.request.precision,)
    order: tuple[Precision, ...] = ("fp16", "bf16", "fp32")
    if work.step_flops < _WORTH_HALVING:
        order = ("fp32", "fp16", "bf16")
    return [precision for precision in order if precision in machine.speed]


def _needs(work: _Work, spec: ModelSpec, precision: Precision, rows: int = 1) -> int:
    """Bytes at the fullest moment with so many rows of the U-Net's batch at once."""
    moments = [_moment(cost, 1) for cost in (work.text, *work.looks)]
    for run in work.runs:
        moments.append(_moment(run.unet, rows))
        moments += [_moment(cost, 1) for cost in (run.decoder, run.encoder) if cost is not None]
    picture = max(run.picture_bytes for run in work.runs)
    return (spec.parameters + max(moments)) * _BYTES[precision] + picture


def _moment(cost: Cost, rows: int) -> int:
    return _LAYOUT * rows * cost.values + cost.largest


def _speed(machine: Machine, precision: Precision) -> tuple[float, bool]:
    """FLOP/s, and whether the device must emulate the format."""
    if precision in machine.speed:
        return machine.speed[precision], False
    return min(machine.speed.values()) / _EMULATION, True


def _batch(
    resolved: Resolved, work: _Work, spec: ModelSpec, precision: Precision, free: int, speed: float
) -> int:
    """Images at once: the user's word, or as many as keep a step short; no more than fit."""
    batch = resolved.batch
    if resolved.request.batch is None:
        step = work.step_flops / (speed * _SHARE)
        batch = max(1, min(batch, int(_STEP_SECONDS / step)))
    while batch > 1 and _needs(work, spec, precision, batch * work.rows) > free:
        batch -= 1
    return batch


def _seconds(work: _Work, count: int, batch: int, speed: float) -> float:
    """Arithmetic by speed, and a little for each layer that is called."""
    flops = work.chunks * work.text.flops + sum(look.flops for look in work.looks)
    kernels = work.chunks * work.text.kernels + sum(look.kernels for look in work.looks)
    for run in work.runs:
        flops += count * run.flops
        kernels += math.ceil(count / batch) * run.calls * run.unet.kernels
        for cost, times in (run.decoder, count), (run.encoder, 1 if work.same_start else count):
            if cost is not None:
                flops += times * cost.flops
                kernels += times * cost.kernels
    return flops / (speed * _SHARE) + kernels * _SECONDS_A_KERNEL


def _notes(
    resolved: Resolved,
    work: _Work,
    precision: Precision,
    batch: int,
    rows: int,
    emulated: bool,
) -> list[str]:
    notes = list(_without_effect(resolved))
    first, last = resolved.passes[0], resolved.passes[-1]
    if first.steps != first.requested_steps:
        notes.append(
            f"The schedule {resolved.schedule} has {first.steps} steps where "
            f"{first.requested_steps} are asked for."
        )
    if last.runs == 0:
        notes.append(
            "At this strength no step is left: the image is only encoded and decoded."
            if resolved.hires is None
            else "At this strength no step is left: the image is only enlarged."
        )
    canvas = last.canvas_width, last.canvas_height
    if canvas != (last.width, last.height):
        notes.append(f"It is made at {canvas[0]} × {canvas[1]} and cropped.")
    if resolved.request.batch is not None and batch < resolved.batch:
        notes.append(f"Memory holds {batch} of the {resolved.batch} images asked for at once.")
    if rows < batch * work.rows:
        notes.append("Memory is short: the two halves of guidance run one after the other.")
    if emulated:
        notes.append(f"The device does not compute in {precision} itself, which makes it slow.")
    return notes


def _without_effect(resolved: Resolved) -> Iterator[str]:
    """What was said in vain."""
    request, record = resolved.request, SAMPLERS[resolved.sampler]
    if resolved.guidance == 0 and request.prompt:
        yield "At guidance 0 the prompt has no effect."
    if resolved.guidance == 1 and request.negative:
        yield "At guidance 1 the negative prompt has no effect."
    if resolved.guidance == 1 and resolved.rescale:
        yield "At guidance 1 rescale has no effect."
    depends = record.eta is not None or record.churn
    if record.noise == "none" or (depends and not resolved.eta and not resolved.churn):
        for name, value, usual in (
            ("seed offset", resolved.seed_offset, 0),
            ("noise scale", resolved.noise_scale, 1),
        ):
            if value != usual:
                yield f"{resolved.sampler} draws no noise in its steps: {name} has no effect."


def _too_large(
    resolved: Resolved,
    spec: ModelSpec,
    machine: Machine,
    precision: Precision,
    free: int,
    prompts: Prompts,
) -> RequestError:
    size = f"{resolved.width} × {resolved.height}"
    needed = _gigabytes(_needs(_work(resolved, spec, prompts), spec, precision))
    return RequestError(
        f"{size} needs {needed} of memory in {precision}, "
        f"and {machine.name} has {_gigabytes(free)} to spare.",
        _way_out(resolved, spec, machine, precision, free, prompts),
    )


def _way_out(
    resolved: Resolved,
    spec: ModelSpec,
    machine: Machine,
    precision: Precision,
    free: int,
    prompts: Prompts,
) -> str:
    """The largest size of this shape that fits, or what to do where none does."""
    multiple = SIZE_MULTIPLE if resolved.tiling == "none" else spec.multiple
    for eighths in range(7, 0, -1):
        passes = tuple(_shrunk(one, eighths, multiple, spec) for one in resolved.passes)
        smaller = replace(resolved, passes=passes)
        if _needs(_work(smaller, spec, prompts), spec, precision) <= free:
            return f"{_wished(smaller, spec)}, or close other programs."
    if machine.device != "cpu":
        return "Close other programs, or use the CPU."
    return "Close other programs, or use a smaller model."


def _wished(resolved: Resolved, spec: ModelSpec) -> str:
    """How to ask for the size of a request."""
    size = resolved.passes[0]
    if resolved.request.task != "upscale":
        return f"Ask for {size.width} × {size.height}"
    factor = spec.autoencoder.factor
    return f"Give an image of {size.width // factor} × {size.height // factor}"


def _shrunk(one: Pass, eighths: int, multiple: int, spec: ModelSpec) -> Pass:
    width, height = (
        max(multiple, side * eighths // 8 // multiple * multiple)
        for side in (one.width, one.height)
    )
    return replace(
        one,
        width=width,
        height=height,
        canvas_width=round_up(width, spec.multiple),
        canvas_height=round_up(height, spec.multiple),
    )


def _gigabytes(size: int) -> str:
    return f"{max(size, 0) / 2**30:.1f} GiB"
