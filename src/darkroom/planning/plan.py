"""The forecast: how a request will be carried out on this machine, before anything runs.

Memory is the weights and the fullest moment of a run.  Time is arithmetic divided by the speed
that the device was measured at.  Both are rough, and meant to be honest: measured on a CPU, the
memory is within a third of the truth.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from darkroom.contracts import Machine, ModelSpec, Plan, Precision, Resolved
from darkroom.errors import DarkroomError
from darkroom.names import SAMPLERS
from darkroom.planning.cost import Cost, decoder_cost, encoder_cost, text_cost, unet_cost
from darkroom.planning.resolve import SIZE_MULTIPLE, round_up
from darkroom.timesteps import steps_from_image

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
_EMULATION = 4  # a format that a device does not compute in costs about so many times fp32


@dataclass(frozen=True, kw_only=True)
class _Work:
    """What a request asks of each network, for one image or one prompt."""

    text: Cost
    unet: Cost
    decoder: Cost
    encoder: Cost | None
    rows: int  # of the U-Net's batch an image takes: two where guidance weighs two prompts
    evaluations: int  # of the U-Net a batch of images
    steps: int


def plan(resolved: Resolved, spec: ModelSpec, machine: Machine, *, loaded: int = 0) -> Plan:
    """State device, precision, batch, memory and seconds.  Loads and runs nothing.

    `loaded`: bytes of this model that the machine's free memory already lacks.  Seconds do not
    include loading.

    Raises:
        DarkroomError: it cannot fit; the message says what is needed and what is free.
    """
    free = int((machine.memory_free + loaded) * (1 - _RESERVE))
    work = _work(resolved, spec)
    candidates = _precisions(resolved, work, machine)
    precision = next((p for p in candidates if _needs(work, spec, p) <= free), None)
    if precision is None:
        raise _too_large(resolved, spec, machine, min(candidates, key=_BYTES.__getitem__), free)
    speed, emulated = _speed(machine, precision)
    threads = machine.cores
    if machine.device == "cpu" and work.unet.flops < _WORTH_SHARING:
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
        steps=work.steps,
        threads=threads,
        weight_bytes=spec.parameters * _BYTES[precision],
        peak_bytes=_needs(work, spec, precision, rows),
        seconds=_seconds(work, resolved.count, batch, speed),
        notes=tuple(_notes(resolved, work, precision, batch, rows, emulated)),
    )


def _work(resolved: Resolved, spec: ModelSpec) -> _Work:
    width, height = resolved.canvas_width, resolved.canvas_height
    factor = spec.autoencoder.factor
    tokens = spec.text_encoder.context_length
    record = SAMPLERS[resolved.sampler]
    steps = _steps(resolved)
    from_image = resolved.request.task == "img2img"
    return _Work(
        text=text_cost(spec.text_encoder),
        unet=unet_cost(spec.unet, height // factor, width // factor, tokens),
        decoder=decoder_cost(spec.autoencoder, height, width),
        encoder=encoder_cost(spec.autoencoder, height, width) if from_image else None,
        rows=1 if resolved.guidance in {0, 1} else 2,
        evaluations=steps + (record.extra_evaluations if steps else 0),
        steps=steps,
    )


def _steps(resolved: Resolved) -> int:
    """The steps that run: img2img leaves out those above the level that it noises to."""
    if resolved.request.task == "txt2img":
        return resolved.steps
    below = SAMPLERS[resolved.sampler].starts_below
    return steps_from_image(resolved.strength, resolved.requested_steps, starts_below=below)


def _precisions(resolved: Resolved, work: _Work, machine: Machine) -> Sequence[Precision]:
    """What may be used, the preferred first; the user's word alone where there is one.

    fp16 before bf16 where a device has both: it resolves eight times as finely, and the published
    weights fit into its range.  Small networks stay in fp32 as long as memory lasts.
    """
    if resolved.request.precision is not None:
        return (resolved.request.precision,)
    order: tuple[Precision, ...] = ("fp16", "bf16", "fp32")
    if work.rows * work.unet.flops < _WORTH_HALVING:
        order = ("fp32", "fp16", "bf16")
    return [precision for precision in order if precision in machine.speed]


def _needs(work: _Work, spec: ModelSpec, precision: Precision, rows: int = 1) -> int:
    """Bytes at the fullest moment with so many rows of the U-Net's batch at once."""
    moments = [_moment(work.text, 1), _moment(work.unet, rows), _moment(work.decoder, 1)]
    if work.encoder is not None:
        moments.append(_moment(work.encoder, 1))
    return (spec.parameters + max(moments)) * _BYTES[precision]


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
        step = work.rows * work.unet.flops / (speed * _SHARE)
        batch = max(1, min(batch, int(_STEP_SECONDS / step)))
    while batch > 1 and _needs(work, spec, precision, batch * work.rows) > free:
        batch -= 1
    return batch


def _seconds(work: _Work, count: int, batch: int, speed: float) -> float:
    """Arithmetic by speed, and a little for each layer that is called."""
    calls = [
        (work.text, work.rows, work.rows),
        (
            work.unet,
            count * work.rows * work.evaluations,
            math.ceil(count / batch) * work.evaluations,
        ),
        (work.decoder, count, count),
    ]
    if work.encoder is not None:
        calls.append((work.encoder, 1, 1))
    flops = sum(cost.flops * rows for cost, rows, _ in calls)
    kernels = sum(cost.kernels * evaluations for cost, _, evaluations in calls)
    return flops / (speed * _SHARE) + kernels * _SECONDS_A_KERNEL


def _notes(
    resolved: Resolved,
    work: _Work,
    precision: Precision,
    batch: int,
    rows: int,
    emulated: bool,
) -> list[str]:
    notes = []
    if resolved.guidance == 0 and resolved.request.prompt:
        notes.append("At guidance 0 the prompt has no effect.")
    if resolved.guidance == 1 and resolved.request.negative:
        notes.append("At guidance 1 the negative prompt has no effect.")
    if resolved.steps != resolved.requested_steps:
        notes.append(
            f"The schedule {resolved.schedule} has {resolved.steps} steps where "
            f"{resolved.requested_steps} are asked for."
        )
    if work.steps == 0:
        notes.append("At this strength no step is left: the image is only encoded and decoded.")
    size = resolved.width, resolved.height
    canvas = resolved.canvas_width, resolved.canvas_height
    if size != canvas:
        notes.append(f"It is made at {canvas[0]} × {canvas[1]} and cropped.")
    if resolved.request.batch is not None and batch < resolved.batch:
        notes.append(f"Memory holds {batch} of the {resolved.batch} images asked for at once.")
    if rows < batch * work.rows:
        notes.append("Memory is short: the two halves of guidance run one after the other.")
    if emulated:
        notes.append(f"The device does not compute in {precision} itself, which makes it slow.")
    return notes


def _too_large(
    resolved: Resolved, spec: ModelSpec, machine: Machine, precision: Precision, free: int
) -> DarkroomError:
    size = f"{resolved.width} × {resolved.height}"
    needed = _gigabytes(_needs(_work(resolved, spec), spec, precision))
    return DarkroomError(
        f"{size} needs {needed} of memory in {precision}, "
        f"and {machine.name} has {_gigabytes(free)} to spare.",
        _way_out(resolved, spec, machine, precision, free),
    )


def _way_out(
    resolved: Resolved, spec: ModelSpec, machine: Machine, precision: Precision, free: int
) -> str:
    """The largest size of this shape that fits, or what to do where none does."""
    for eighths in range(7, 0, -1):
        width, height = (
            max(SIZE_MULTIPLE, side * eighths // 8 // SIZE_MULTIPLE * SIZE_MULTIPLE)
            for side in (resolved.width, resolved.height)
        )
        smaller = replace(
            resolved,
            canvas_width=round_up(width, spec.multiple),
            canvas_height=round_up(height, spec.multiple),
        )
        if _needs(_work(smaller, spec), spec, precision) <= free:
            return f"Ask for {width} × {height}, or close other programs."
    if machine.device != "cpu":
        return "Close other programs, or use the CPU."
    return "Close other programs, or use a smaller model."


def _gigabytes(size: int) -> str:
    return f"{max(size, 0) / 2**30:.1f} GiB"
