"""What would be done and what it would cost, for people and for programs."""

import dataclasses
import json
import math
from collections.abc import Sequence

import typer

from darkroom.checkpoints.tensors import size_text
from darkroom.cli.failure import printable
from darkroom.cli.making import engine_for, size_of
from darkroom.contracts import ModelSpec, Plan, Request, Resolved


def show(requests: Sequence[Request], *, as_json: bool) -> None:
    """Print the plan of each Request; nothing is made."""
    engine = engine_for(requests)
    plans = [engine.plan(request) for request in requests]
    if as_json:
        typer.echo(json.dumps({"plans": [_object(*plan) for plan in plans]}))
        return
    for resolved, plan in plans:
        typer.echo("\n".join(_lines(engine.spec, resolved, plan)))


def _object(resolved: Resolved, plan: Plan) -> dict[str, object]:
    """Everything that is settled.  A seed that was not said is drawn when images are made."""
    settled = {
        field.name: getattr(resolved, field.name)
        for field in dataclasses.fields(resolved)
        if field.name not in {"request", "passes", "hires", "watermark", "seed", "variation_seed"}
    }
    settled |= {
        "width": resolved.width,
        "height": resolved.height,
        "churn_end": None if resolved.churn_end == math.inf else resolved.churn_end,
        "hires": None if resolved.hires is None else dataclasses.asdict(resolved.hires),
        "passes": [dataclasses.asdict(one) for one in resolved.passes],
    }
    said = resolved.request
    about = {"task": said.task, "model": said.model, "prompt": said.prompt, "seed": said.seed}
    return about | settled | dataclasses.asdict(plan)


def _lines(spec: ModelSpec, resolved: Resolved, plan: Plan) -> list[str]:
    request = resolved.request
    images = "1 image" if resolved.count == 1 else f"{resolved.count} images"
    reason = spec.prediction_reason if request.prediction is None else "as asked for"
    how = "" if resolved.count == 1 else f", {plan.batch} at once"
    rows = {
        "Prompt": request.prompt,
        "Model": f"{spec.name}, predicts {resolved.prediction}: {reason}",
        "Images": f"{images} of {size_of(resolved)} pixels{how}",
        "Sampling": f"{plan.steps} steps of {resolved.sampler} on {resolved.schedule}, "
        f"guidance {resolved.guidance:g}",
        "Device": f"{plan.device} ({plan.device_name}), {plan.engine}, {plan.precision}",
        "Memory": f"about {size_text(plan.peak_bytes)}, weights {size_text(plan.weight_bytes)}",
        "Time": f"about {_duration(plan.seconds)}",
    }
    lines = [f"{name + ':':10}{printable(text)}" for name, text in rows.items()]
    return lines + [f"{'Note:':10}{printable(note)}" for note in plan.notes]


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 1 else "a second"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
