"""A run that was killed and resumed is the run that was not."""

import math
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from darkroom.errors import DarkroomError
from darkroom.training.loop import (
    Budget,
    Paused,
    Progress,
    Schedule,
    Watch,
    finished,
    seconds_a_step,
    take_average,
    train,
)

SCHEDULE = Schedule(steps=120, rate=1e-2, warm_up=10, slow=0.1, slow_prefix="first.", ema_decay=0.9)


class Killed(Exception):
    pass


class Net(nn.Module):
    def __init__(self, width: int = 4) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Linear(3, width)
        self.second = nn.Linear(width, 1)

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


def run(
    net: Net, state: Path, *, dies_at: int = -1, budget: Budget | None = None
) -> list[Progress]:
    seen: list[Progress] = []
    train(
        net,
        fitting(net, dies_at),
        SCHEDULE,
        state,
        seed=5,
        watch=Watch(report=seen.append),
        budget=budget or Budget(),
        save_seconds=0.0,
    )
    return seen


def assert_same(ours: nn.Module, theirs: nn.Module) -> None:
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(a, b)


def test_resuming_gives_the_same_weights_bit_for_bit(tmp_path: Path) -> None:
    whole, broken, fresh = Net(), Net(), Net()
    run(whole, tmp_path / "whole.safetensors")
    with pytest.raises(Killed):
        run(broken, tmp_path / "broken.safetensors", dies_at=77)
    run(fresh, tmp_path / "broken.safetensors")
    assert_same(fresh, whole)


def test_a_killed_process_leaves_a_state_to_go_on_from(tmp_path: Path) -> None:
    program = textwrap.dedent(
        """
        import os, signal, sys
        from pathlib import Path
        from tests.training.test_loop import Net, fitting, SCHEDULE
        from darkroom.training.loop import Budget, Watch, train
        net = Net()
        good = fitting(net)
        def loss(step, generator):
            if step == 60:
                os.kill(os.getpid(), signal.SIGKILL)
            return good(step, generator)
        train(net, loss, SCHEDULE, Path(sys.argv[1]), seed=5,
              watch=Watch(report=lambda _: None), budget=Budget(), save_seconds=0.01)
        """
    )
    state = tmp_path / "state.safetensors"
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program, str(state)],
        env={**os.environ, "PYTHONPATH": f"{root / 'src'}{os.pathsep}{root}"},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    whole, resumed = Net(), Net()
    run(whole, tmp_path / "whole.safetensors")
    run(resumed, state)
    assert_same(resumed, whole)


def test_a_budget_pauses_and_the_same_call_goes_on(tmp_path: Path) -> None:
    whole, parts, state = Net(), Net(), tmp_path / "parts.safetensors"
    run(whole, tmp_path / "whole.safetensors")
    for _ in range(2):
        with pytest.raises(Paused):
            run(parts, state, budget=Budget(steps=50))
        assert not finished(state, SCHEDULE)
        parts = Net()
    run(parts, state)
    assert finished(state, SCHEDULE)
    assert_same(parts, whole)
    with pytest.raises(Paused):
        run(Net(), tmp_path / "none.safetensors", budget=Budget(seconds=-1.0))


def test_it_learns_and_says_how_far_it_is(tmp_path: Path) -> None:
    seen = run(Net(), tmp_path / "state.safetensors")
    assert [progress.step for progress in seen] == [50, 100]
    assert seen[1].loss < 0.9 * seen[0].loss


def test_a_finished_stage_is_not_run_again(tmp_path: Path) -> None:
    first, second, third = Net(), Net(), Net()
    run(first, tmp_path / "state.safetensors")
    assert run(second, tmp_path / "state.safetensors", dies_at=0) == []
    take_average(tmp_path / "state.safetensors", third)
    assert_same(second, first)
    assert_same(third, first)


def test_looking_at_the_averaged_weights_changes_nothing(tmp_path: Path) -> None:
    plain, watched = Net(), Net()
    run(plain, tmp_path / "plain.safetensors")
    seen: dict[int, Tensor] = {}
    train(
        watched,
        fitting(watched),
        SCHEDULE,
        tmp_path / "watched.safetensors",
        seed=5,
        watch=Watch(
            report=lambda _: None,
            evaluate=lambda step: seen.update({step: watched.first.weight.detach().clone()}),
            evaluate_every=50,
        ),
        budget=Budget(),
    )
    assert_same(watched, plain)
    assert list(seen) == [50, 100, 120]
    assert torch.equal(seen[120], plain.first.weight)


def test_a_loss_that_is_no_number_never_reaches_the_weights(tmp_path: Path) -> None:
    net, state = Net(), tmp_path / "state.safetensors"
    good = fitting(net)

    def loss(step: int, generator: torch.Generator) -> Tensor:
        return good(step, generator) * (math.nan if step == 33 else 1.0)

    with pytest.raises(RuntimeError, match="non-finite"):
        train(
            net,
            loss,
            SCHEDULE,
            state,
            seed=5,
            watch=Watch(report=lambda _: None),
            budget=Budget(),
        )
    assert all(parameter.isfinite().all() for parameter in net.parameters())


def test_the_state_of_other_networks_is_refused(tmp_path: Path) -> None:
    run(Net(), tmp_path / "state.safetensors")
    with pytest.raises(DarkroomError, match="other sizes"):
        run(Net(width=5), tmp_path / "state.safetensors")


def test_measuring_the_pace_changes_nothing() -> None:
    net, untouched = Net(), Net()
    assert seconds_a_step(net, fitting(net)) > 0
    assert_same(net, untouched)
    assert all(parameter.grad is None for parameter in net.parameters())


def test_the_rate_warms_up_stays_and_decays_to_zero() -> None:
    schedule = Schedule(steps=1000, rate=1.0, warm_up=100, decay_part=0.3)
    rates = [schedule.at(step) for step in (0, 49, 99, 400, 700, 850, 999)]
    assert rates == pytest.approx([0.01, 0.5, 1.0, 1.0, 1.0, 0.5, 1 / 300])
