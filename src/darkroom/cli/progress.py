"""What is told on stderr while images are made: a bar on a terminal, else a line now and then."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from darkroom.cli.failure import printable

SECONDS_BETWEEN_LINES = 5.0
NARROW = 60  # columns


class Progress(Protocol):
    """Told of what happens; says what a person wants to know of it."""

    def say(self, line: str) -> None:
        """One line of talk, which may quote what an image or a model says."""

    def result(self, line: str) -> None:
        """One line of result, on stdout at once."""

    def step(self, done: float, of: float, line: str) -> None:
        """`done` of `of` images are made; a part of one counts.  `line` says it in words."""


class Quiet:
    """Says nothing but results."""

    def say(self, line: str) -> None:
        """Say nothing."""

    def result(self, line: str) -> None:
        """One line of result."""
        print(line, flush=True)

    def step(self, done: float, of: float, line: str) -> None:
        """Say nothing."""


class Lines:
    """For logs and pipes: whole lines, not too many."""

    def __init__(self) -> None:
        self.first: tuple[float, float] | None = None  # moment and place of the first step
        self.spoken = time.monotonic()

    def say(self, line: str) -> None:
        """One line of talk."""
        print(printable(line), file=sys.stderr, flush=True)

    def result(self, line: str) -> None:
        """One line of result."""
        print(line, flush=True)

    def step(self, done: float, of: float, line: str) -> None:
        """A line every few seconds, with the time that is left at the pace of the steps so far.

        The first step tells no pace, for the model was loaded before it.
        """
        now = time.monotonic()
        begin, before = self.first = self.first or (now, done)
        if now - self.spoken < SECONDS_BETWEEN_LINES:
            return
        self.spoken = now
        left = 0 if done == before else round((now - begin) / (done - before) * (of - done))
        self.say(f"{line}, {left} s left" if left else line)


class Bar:
    """For a terminal: a bar with the time that is left; talk scrolls by above it."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        console = Console(stderr=True)
        # Between the words and the time a narrow terminal has no room.
        bar = [BarColumn()] if console.width >= NARROW else []
        self.bar = Progress(
            TextColumn("{task.description}"),
            *bar,
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
            redirect_stdout=False,  # rich would send results to stderr
            redirect_stderr=False,
        )
        self.task = self.bar.add_task("Loading the model", total=None)

    def say(self, line: str) -> None:
        """One line of talk."""
        self.bar.console.print(printable(line), markup=False, highlight=False, soft_wrap=True)

    def result(self, line: str) -> None:
        """One line of result; the bar steps aside, for both may stand on one screen."""
        self.bar.stop()
        print(line, flush=True)
        self.bar.start()

    def step(self, done: float, of: float, line: str) -> None:
        """Move the bar."""
        self.bar.update(self.task, completed=done, total=of, description=line)


@contextmanager
def progress(*, quiet: bool) -> Iterator[Progress]:
    """The progress that fits what stderr is."""
    if quiet or sys.stderr is None:  # print() would take stdout instead
        yield Quiet()
    elif sys.stderr.isatty() and os.environ.get("TERM") not in {"dumb", "unknown"}:
        bar = Bar()
        with bar.bar:
            yield bar
    else:
        yield Lines()
