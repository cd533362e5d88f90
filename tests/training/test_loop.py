"""A run that was killed and resumed is the run that was not."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from darkroom.training.loop import Progress, Schedule, train

SCHEDULE = Schedule(steps=120, rate=1e-2, warm_up=10, slow=0.1, slow_prefix="first.")


class Killed(Exception):
    pass


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Linear(3, 4)
        self.second = nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.second(self.first(x).tanh())
        return out


def fitting(net: Net, dies_at: int = -1) -> Callable[[int, torch.Generator], Tensor]:
    def loss(step: int, generator: torch.Generator) -> Tensor:
        if step == dies_at:
            raise Killed
        x = torch.randn(8, 3, generator=generator)
        return nn.functional.mse_loss(net(x), x.sum(dim=1, keepdim=True))

    return loss


def run(net: Net, state: Path, *, dies_at: int = -1) -> list[Progress]:
    seen: list[Progress] = []
    train(
        net,
        fitting(net, dies_at),
        SCHEDULE,
        state,
        seed=5,
        ema_decay=0.9,
        report=seen.append,
        save_every=20,
    )
    return seen


def test_resuming_gives_the_same_weights_bit_for_bit(tmp_path: Path) -> None:
    whole, broken = Net(), Net()
    run(whole, tmp_path / "whole.safetensors")
    with pytest.raises(Killed):
        run(broken, tmp_path / "broken.safetensors", dies_at=77)
    fresh = Net()
    run(fresh, tmp_path / "broken.safetensors")
    for ours, theirs in zip(fresh.parameters(), whole.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_it_learns_and_says_how_far_it_is(tmp_path: Path) -> None:
    seen = run(Net(), tmp_path / "state.safetensors")
    assert [progress.step for progress in seen] == [50, 100]
    assert seen[1].loss < 0.9 * seen[0].loss


def test_a_finished_stage_is_not_run_again(tmp_path: Path) -> None:
    first, second = Net(), Net()
    run(first, tmp_path / "state.safetensors")
    assert run(second, tmp_path / "state.safetensors", dies_at=0) == []
    for ours, theirs in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_loss_that_is_no_number_never_reaches_the_weights(tmp_path: Path) -> None:
    net, state = Net(), tmp_path / "state.safetensors"
    good = fitting(net)

    def loss(step: int, generator: torch.Generator) -> Tensor:
        return good(step, generator) * (math.nan if step == 33 else 1.0)

    with pytest.raises(RuntimeError, match="non-finite"):
        train(net, loss, SCHEDULE, state, seed=5, ema_decay=0.9, report=lambda _: None)
    assert all(parameter.isfinite().all() for parameter in net.parameters())


def test_the_rate_warms_up_stays_and_decays_to_zero() -> None:
    schedule = Schedule(steps=1000, rate=1.0, warm_up=100, decay_part=0.3)
    rates = [schedule.at(step) for step in (0, 49, 99, 400, 700, 850, 999)]
    assert rates == pytest.approx([0.01, 0.5, 1.0, 1.0, 1.0, 0.5, 1 / 300])
