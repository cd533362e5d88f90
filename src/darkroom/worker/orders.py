"""The commands that a worker was given, read beside its work."""

import threading
from collections.abc import Iterable

from darkroom.worker.messages import Command, command_in


class Stop(Exception):
    """The worker is to end, or its server is gone."""


class Cancelled(Exception):
    """The job at work is to end."""


class Skipped(Exception):
    """The image at work is to be left out."""


class Orders:
    """What was commanded and not yet done.  The end of the commands means stop."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._stop = False
        self._wake = False
        self._job = ""
        self._cancel = False
        self._skip = False

    def listen(self, lines: Iterable[str]) -> None:
        """Read commands in a thread of its own, until they end."""
        threading.Thread(target=self._read, args=(lines,), daemon=True).start()

    def begin(self, job: str) -> None:
        """From now on this job is at work ("" for none): commands for another mean nothing."""
        with self._changed:
            self._job, self._cancel, self._skip = job, False, False

    def heed(self) -> None:
        """Raise `Stop`, `Cancelled` or `Skipped` where that was commanded."""
        with self._changed:
            if self._stop:
                raise Stop
            if self._cancel:
                raise Cancelled
            if self._skip:
                self._skip = False
                raise Skipped

    @property
    def stopping(self) -> bool:
        """Whether the worker is to end."""
        return self._stop

    def stop(self) -> None:
        """As the command does."""
        self.take(Command(order="stop"))

    def wait(self, seconds: float) -> None:
        """Sleep so long, or until there is something to do."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._wake or self._stop or self._cancel or self._skip, seconds
            )
            self._wake = False

    def take(self, command: Command) -> None:
        """One command."""
        with self._changed:
            if command.order == "stop":
                self._stop = True
            elif command.order == "wake":
                self._wake = True
            elif command.job == self._job:
                self._cancel |= command.order == "cancel"
                self._skip |= command.order == "skip"
            self._changed.notify_all()

    def _read(self, lines: Iterable[str]) -> None:
        try:
            for line in lines:
                command = command_in(line)
                if command is not None:
                    self.take(command)
        finally:
            self.stop()
