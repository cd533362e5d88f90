"""The training loop: one function for every stage, resumed by calling it again.

Everything random in step `n` comes from `(seed, n)`, so a run that was killed and resumed ends
with the weights of one that was not, bit for bit on the same machine.  The state is a safetensors
file: no pickles, written to a temporary name and renamed, so that a kill leaves the old state or
the new one.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from darkroom.errors import DarkroomError
from darkroom.training.ema import Ema

REPORT_EVERY = 50
SAVE_SECONDS = 180.0

Loss = Callable[[int, torch.Generator], Tensor]
"""`loss(step, generator)`: the loss of one batch; the generator is on the module's device."""


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
    ema_decay: float = 0.999

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


class Paused(Exception):
    """The budget is spent; the state is saved, and the same call goes on from it."""


@dataclass
class Budget:
    """What one run may take, over all its stages; None: as much as it needs."""

    steps: int | None = None
    seconds: float | None = None
    started: float = field(default_factory=time.monotonic)

    def take_step(self) -> bool:
        """Whether one more step may be made, which is then taken."""
        if self.seconds is not None and time.monotonic() - self.started > self.seconds:
            return False
        if self.steps is not None:
            self.steps -= 1
            return self.steps >= 0
        return True


@dataclass(frozen=True, kw_only=True)
class Watch:
    """What happens beside a run: `report` now and then, `evaluate(step)` with averaged weights."""

    report: Callable[[Progress], None]
    evaluate: Callable[[int], None] | None = None
    evaluate_every: int = 1000


def train(
    module: nn.Module,
    loss: Loss,
    schedule: Schedule,
    state: Path,
    *,
    seed: int,
    watch: Watch,
    budget: Budget,
    save_seconds: float = SAVE_SECONDS,
) -> None:
    """Train `module` until `schedule.steps`, then give it its averaged weights.

    `state` holds weights, average, optimizer and counter; where it exists, training goes on from
    it.  AdamW (Loshchilov & Hutter 1711.05101), gradients clipped to norm 1.

    Raises Paused where the budget ends first, DarkroomError for the state of another run, and
    RuntimeError before a gradient that is not finite could spoil the weights.
    """
    device = next(module.parameters()).device
    optimizer = new_optimizer(module, schedule)
    ema = Ema(module, schedule.ema_decay)
    step = restore(state, module, ema, optimizer, schedule) if state.exists() else 0

    started = saved = time.monotonic()
    first, smooth = step, torch.zeros((), device=device)
    while step < schedule.steps:
        if not budget.take_step():
            save(state, module, ema, optimizer, schedule, step)
            raise Paused
        for group in optimizer.param_groups:
            group["lr"] = schedule.at(step) * group["pace"]
        generator = torch.Generator(device).manual_seed(seed * 1_000_003 + step)
        value = loss(step, generator)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(value)
        nn.utils.clip_grad_norm_(module.parameters(), 1.0, error_if_nonfinite=True)
        optimizer.step()
        ema.update(module, step)
        smooth = value.detach() if step == first else smooth.lerp(value.detach(), 0.02)
        step += 1

        now = time.monotonic()
        if step % REPORT_EVERY == 0:
            pace = (now - started) / (step - first)
            watch.report(Progress(step, schedule.steps, float(smooth), pace))
        if now - saved > save_seconds or step == schedule.steps:
            save(state, module, ema, optimizer, schedule, step)
            saved = now
        if watch.evaluate and (step % watch.evaluate_every == 0 or step == schedule.steps):
            with ema.applied(module):
                watch.evaluate(step)
    ema.copy_to(module)


def new_optimizer(module: nn.Module, schedule: Schedule) -> torch.optim.AdamW:
    """AdamW in two groups; `pace` is what each makes of the learning rate."""
    fast: list[nn.Parameter] = []
    slow: list[nn.Parameter] = []
    for name, parameter in module.named_parameters():
        (slow if name.startswith(schedule.slow_prefix) else fast).append(parameter)
    groups = [{"params": fast, "pace": 1.0}, {"params": slow, "pace": schedule.slow}]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]],
        betas=(0.9, 0.99),
        weight_decay=0.01,
        fused=True,
    )


def save(
    path: Path,
    module: nn.Module,
    ema: Ema,
    optimizer: torch.optim.AdamW,
    schedule: Schedule,
    step: int,
) -> None:
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
    progress = {"step": step, "steps": schedule.steps}
    save_file(tensors, temporary, metadata={"progress": json.dumps(progress)})
    temporary.replace(path)


def restore(
    path: Path,
    module: nn.Module,
    ema: Ema,
    optimizer: torch.optim.AdamW,
    schedule: Schedule,
) -> int:
    """Put the state back; returns the number of steps that are done."""
    with safe_open(path, framework="pt") as file:
        step = int(json.loads(file.metadata()["progress"])["step"])
        keys = set(file.keys())
        shapes = {
            key: tuple(file.get_slice(key).get_shape()) for key in keys if key.startswith("weight/")
        }
        if shapes != {f"weight/{name}": tuple(p.shape) for name, p in module.named_parameters()}:
            raise DarkroomError(
                f"{path} is the state of networks of other sizes.",
                "Name another folder, or move this file away to begin anew.",
            )
        with torch.no_grad():
            for name, parameter in module.named_parameters():
                parameter.copy_(file.get_tensor(f"weight/{name}"))
                ema.weights[name].copy_(file.get_tensor(f"average/{name}"))
                if f"first/{name}" in keys:
                    optimizer.state[parameter] = {
                        "step": torch.tensor(float(step), device=parameter.device),
                        "exp_avg": file.get_tensor(f"first/{name}").to(parameter.device),
                        "exp_avg_sq": file.get_tensor(f"second/{name}").to(parameter.device),
                    }
    return min(step, schedule.steps)


def seconds_a_step(module: nn.Module, loss: Loss) -> float:
    """Measured on two steps that change nothing, after one to warm up."""
    device = next(module.parameters()).device
    started = 0.0
    for step in range(3):
        if step == 1:
            started = time.monotonic()
        torch.autograd.backward(loss(step, torch.Generator(device).manual_seed(step)))
        module.zero_grad(set_to_none=True)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
    return (time.monotonic() - started) / 2


def finished(path: Path, schedule: Schedule) -> bool:
    """Whether `path` holds the state of a run that came to its end."""
    return steps_done(path) >= schedule.steps


def steps_done(path: Path) -> int:
    """How many steps the state at `path` has behind it; 0 where there is none."""
    if not path.exists():
        return 0
    with safe_open(path, framework="pt") as file:
        return int(json.loads(file.metadata()["progress"])["step"])


def take_average(path: Path, module: nn.Module) -> None:
    """Give a module the averaged weights of a state."""
    with safe_open(path, framework="pt") as file, torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.copy_(file.get_tensor(f"average/{name}"))
