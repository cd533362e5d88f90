"""What every training shares: where it happens and what it may take."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from darkroom.training.loop import Budget, Progress, Watch


@dataclass(frozen=True, kw_only=True)
class Work:
    """One call.  `state`: the folder of unfinished work.

    `font`: that of the scenes, the system's where it is None.  `workers`: processes that draw
    them.  `start`: a finished model to go on from.
    """

    state: Path
    device: torch.device
    budget: Budget
    say: Callable[[str], None]
    font: Path | None = None
    workers: int = 0
    start: Path | None = None

    def watch(self, title: str) -> Watch:
        """Says now and then how far a stage is, and how long it will still take."""

        def report(progress: Progress) -> None:
            left = (progress.steps - progress.step) * progress.seconds_a_step / 60
            self.say(
                f"{title}: step {progress.step} of {progress.steps}, loss {progress.loss:.4f}, "
                f"{progress.seconds_a_step:.3f} s a step, {left:.0f} min left"
            )

        return Watch(report=report)
