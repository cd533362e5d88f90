"""The training loop: one function for every stage, resumed by calling it again.

Everything random in step `n` comes from `(seed, n)`, so a run that was killed and resumed ends
with the weights of one that was not.  The state is a safetensors file: no pickles, written to a
temporary name and renamed, so that a kill leaves the old state or the new one.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from darkroom.training.ema import Ema


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Steps and learning rate: a linear warm-up, a plateau, a linear decay to zero.

    `slow` multiplies the rate of parameters whose name starts with `slow_prefix`.
    """

    steps: int
    rate: float
    warm_up: int = 200
    decay_part: float = 0.3
    slow: float = 1.0
    slow_prefix: str = "\0"

    def at(self, step: int) -> float:
        """The learning rate of `step`, which counts from 0."""
        left = (self.steps - step) / max(1, round(self.steps * self.decay_part))
        return self.rate * min(1.0, (step + 1) / self.warm_up, left)


@dataclass(frozen=True)
class Progress:
    """Where a run is; `loss` is smoothed over some fifty steps."""

    step: int
    steps: int
    loss: float
    seconds_a_step: float


def train(
    module: nn.Module,
    loss: Callable[[int, torch.Generator], Tensor],
    schedule: Schedule,
    state: Path,
    *,
    seed: int,
    ema_decay: float,
    report: Callable[[Progress], None],
    save_every: int = 250,
) -> None:
    """Train `module` until `schedule.steps`, then give it its averaged weights.

    `loss(step, generator)` computes the loss of one batch.  `state` holds weights, average,
    optimizer and counter; where it exists, training goes on from it.  AdamW (Loshchilov & Hutter
    1711.05101), gradients clipped to norm 1.  Raises RuntimeError before a gradient that is not
    finite could spoil the weights; the last good ones are in `state`.
    """
    names = dict(module.named_parameters())
    slow = [p for name, p in names.items() if name.startswith(schedule.slow_prefix)]
    fast = [p for name, p in names.items() if not name.startswith(schedule.slow_prefix)]
    groups = [{"params": fast, "pace": 1.0}, {"params": slow, "pace": schedule.slow}]
    optimizer = torch.optim.AdamW(
        [g for g in groups if g["params"]], betas=(0.9, 0.99), weight_decay=0.01
    )
    ema = Ema(module, ema_decay)
    step = restore(state, module, ema, optimizer) if state.exists() else 0

    started, smooth = time.monotonic(), None
    first = step
    while step < schedule.steps:
        for group in optimizer.param_groups:
            group["lr"] = schedule.at(step) * group["pace"]
        generator = torch.Generator().manual_seed(seed * 1_000_003 + step)
        value = loss(step, generator)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(value)
        nn.utils.clip_grad_norm_(module.parameters(), 1.0, error_if_nonfinite=True)
        optimizer.step()
        ema.update(module, step)
        step += 1

        smooth = value.item() if smooth is None else 0.98 * smooth + 0.02 * value.item()
        if step % 50 == 0:
            pace = (time.monotonic() - started) / (step - first)
            report(Progress(step, schedule.steps, smooth, pace))
        if step % save_every == 0 or step == schedule.steps:
            save(state, module, ema, optimizer, step)
    ema.copy_to(module)


def save(path: Path, module: nn.Module, ema: Ema, optimizer: torch.optim.AdamW, step: int) -> None:
    """Write the state atomically."""
    tensors: dict[str, Tensor] = {}
    for name, parameter in module.named_parameters():
        tensors[f"weight/{name}"] = parameter.detach()
        tensors[f"average/{name}"] = ema.weights[name]
        if moments := optimizer.state.get(parameter):
            tensors[f"first/{name}"] = moments["exp_avg"]
            tensors[f"second/{name}"] = moments["exp_avg_sq"]
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    save_file(tensors, temporary, metadata={"progress": json.dumps({"step": step})})
    temporary.replace(path)


def restore(path: Path, module: nn.Module, ema: Ema, optimizer: torch.optim.AdamW) -> int:
    """Put the state back; returns the number of steps that are done."""
    with safe_open(path, framework="pt") as file:
        step = int(json.loads(file.metadata()["progress"])["step"])
        keys = set(file.keys())
        with torch.no_grad():
            for name, parameter in module.named_parameters():
                parameter.copy_(file.get_tensor(f"weight/{name}"))
                ema.weights[name].copy_(file.get_tensor(f"average/{name}"))
                if f"first/{name}" in keys:
                    optimizer.state[parameter] = {
                        "step": torch.tensor(float(step)),
                        "exp_avg": file.get_tensor(f"first/{name}"),
                        "exp_avg_sq": file.get_tensor(f"second/{name}"),
                    }
    return step
