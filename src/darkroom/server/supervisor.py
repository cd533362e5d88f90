"""One worker process for each device: started, listened to, commanded, and replaced when it dies.

The server computes nothing itself.  What a worker tells is passed on to the listeners; what counts
stands in the store, which outlives them all.
"""

import logging
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any, Literal

from darkroom.contracts import Machine
from darkroom.errors import DarkroomError
from darkroom.server.news import News
from darkroom.store.opening import Store
from darkroom.worker.messages import (
    Began,
    Changed,
    Command,
    Made,
    Message,
    Stepped,
    Unfit,
    Working,
    line_of,
    message_in,
)

_log = logging.getLogger(__name__)

IDLE_SECONDS = 600.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0  # seconds before a dead worker is replaced
_BROKEN = 3  # the exit code of a worker that told of its fault itself


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a running job is.  `index`: of the image; `fraction` of the whole job."""

    index: int
    step: int
    steps: int
    fraction: float
    seconds_left: float | None


class Supervisor:
    """The workers of one store.  Calls may come from any thread."""

    def __init__(
        self,
        store: Store,
        news: News,
        *,
        device: str = "auto",
        idle: float = IDLE_SECONDS,
        command: Sequence[str] = (sys.executable, "-m", "darkroom.worker"),
    ) -> None:
        """`device`: the only one, or `auto` for every one that is worth it.  Starts nothing.

        `idle`: seconds after which workers give up unused models.  `command`: starts a worker.
        """
        self._store = store
        self._news = news
        self._device = device
        self._command = [*command, "--data", str(store.folder.root), "--idle", str(idle)]
        self._lock = threading.Lock()
        self._keepers: list[_Keeper] = []
        self._progress: dict[str, Progress] = {}
        self._told_blocked: str | None = None
        self._stopping = threading.Event()
        news.views.progress = self.progress
        news.views.blocked = self.blocked

    def start(self) -> None:
        """Let jobs that a dead server left wait again, and start the first worker, which finds
        the other devices.
        """
        self._store.queue.recover()
        self._keep(self._device)

    def stop(self, seconds: float = 10.0) -> None:
        """End all workers in good order; those that take longer are killed, and no job is lost."""
        self._stopping.set()
        with self._lock:
            keepers = list(self._keepers)
        for keeper in keepers:
            keeper.end()
        end = time.monotonic() + seconds
        for keeper in keepers:
            keeper.join(max(0.0, end - time.monotonic()))
        with suppress(DarkroomError):
            self._store.queue.recover()

    def wake(self) -> None:
        """There is something to do."""
        self._send(Command(order="wake"))

    def cancel(self, job_id: str) -> None:
        """Stop this job within a step, if a worker has it.  The store is told before."""
        self._send(Command(order="cancel", job=job_id))

    def skip(self, job_id: str) -> None:
        """Leave out the image that is being made of this job."""
        self._send(Command(order="skip", job=job_id))

    def devices(self) -> list[dict[str, object]]:
        """Each device, what its worker does, and the model that it holds."""
        with self._lock:
            keepers = list(self._keepers)
        return [keeper.row() for keeper in keepers]

    def progress(self, job_id: str) -> Progress | None:
        """How far a running job is."""
        return self._progress.get(job_id)

    def blocked(self) -> str | None:
        """Why nothing goes on, such as a full disk; None while it does."""
        with self._lock:
            details = [keeper.detail for keeper in self._keepers]
        return next(filter(None, details), None)

    def _keep(self, device: str) -> None:
        """Start a worker for a device, unless the server stops."""
        if self._stopping.is_set():
            return
        keeper = _Keeper(self, device)
        with self._lock:
            self._keepers.append(keeper)
        keeper.start()

    def _send(self, command: Command) -> None:
        with self._lock:
            keepers = list(self._keepers)
        for keeper in keepers:
            keeper.send(command)

    # What keepers call, each from its own thread.

    def begin(self, device: str) -> subprocess.Popen[str]:
        """A new worker process."""
        return subprocess.Popen(  # noqa: S603 (its words are ours)
            [*self._command, "--device", device],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
        )

    @property
    def stopping(self) -> threading.Event:
        """Set once workers are no longer replaced."""
        return self._stopping

    def heard(self, message: Message) -> None:
        """A worker said something."""
        match message:
            case Working():
                self.changed()
                self._others(message)
            case Stepped():
                self._step(message)
            case Made():
                self._news.image(message.image)
                self._tell(message.job)
            case Began() | Changed():
                self._tell(message.job)
                self._news.queue()

    def died(self, worker: str, cause: str | None) -> None:
        """A worker is gone; its job waits again or, if it was its fault, has failed."""
        with suppress(DarkroomError):
            for job in self._store.queue.recover(worker, cause=cause):
                self._tell(job.id)
            self._news.queue()
        self.changed()

    def measured(self, device: str) -> Machine | None:
        """What an earlier worker found, until this one has looked."""
        with suppress(DarkroomError):
            machines = self._store.machines.all()
            return next((one for one in machines if device in {"auto", one.device}), None)
        return None

    def changed(self) -> None:
        """A device is in another state; the queue may stand still, or go on."""
        self._news.machine(self.devices())
        if (blocked := self.blocked()) != self._told_blocked:
            self._told_blocked = blocked
            self._news.queue()

    def _others(self, message: Working) -> None:
        """Workers for the other devices that the first one saw, but for the CPU beside a GPU."""
        if self._device != "auto":
            return
        with self._lock:
            known = {keeper.device for keeper in self._keepers}
        for device in message.devices:
            if device != "cpu" and device not in known:
                self._keep(device)

    def _step(self, message: Stepped) -> None:
        self._progress[message.job] = Progress(
            index=message.number,
            step=message.step,
            steps=message.steps,
            fraction=message.fraction,
            seconds_left=message.seconds_left,
        )
        self._news.step(
            message.job,
            message.number,
            message.step,
            message.steps,
            fraction=message.fraction,
            seconds_left=message.seconds_left,
            preview=message.film,
            images=message.images,
        )

    def _tell(self, job: str) -> None:
        self._news.job(job)
        with suppress(DarkroomError):
            if self._store.queue.get(job).state == "running":
                return
        self._progress.pop(job, None)


class _Keeper:
    """Keeps one worker alive, in a thread of its own."""

    def __init__(self, house: Supervisor, device: str) -> None:
        self._house = house
        self._asked = device
        self._thread = threading.Thread(target=self._run, name=f"worker {device}", daemon=True)
        self._writing = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._last: Working | None = None
        self._alive = True
        self._unfit = ""

    def start(self) -> None:
        self._thread.start()

    @property
    def device(self) -> str:
        """The device, as far as it is known."""
        return self._asked if self._last is None else self._last.device

    @property
    def detail(self) -> str:
        """What is in the way of the worker."""
        if not self._alive:
            return self._unfit or "The program that makes images ended, and is started again."
        return "" if self._last is None else self._last.detail

    def row(self) -> dict[str, object]:
        """The device for the page."""
        last = self._last
        state: Literal["starting", "idle", "loading", "busy", "dead"] = "starting"
        if not self._alive:
            state = "dead"
        elif last is not None:
            state = "busy" if last.doing == "waiting for space" else last.doing
        machine = last or self._house.measured(self._asked)
        return {
            "device": self.device if machine is None else machine.device,
            "name": "" if machine is None else machine.name,
            "cores": 0 if machine is None else machine.cores,
            "memory_total": 0 if machine is None else machine.memory_total,
            "memory_free": 0 if machine is None else machine.memory_free,
            "state": state,
            "model": None if last is None or not self._alive else last.model,
        }

    def send(self, command: Command) -> None:
        """Command the worker, if it lives; one that has just died will look into the store."""
        with self._writing, suppress(OSError, ValueError):
            if self._process is not None and self._process.stdin is not None:
                self._process.stdin.write(line_of(command))
                self._process.stdin.flush()

    def end(self) -> None:
        """Have the worker stop within a step."""
        self.send(Command(order="stop"))
        with self._writing, suppress(OSError, ValueError):
            if self._process is not None and self._process.stdin is not None:
                self._process.stdin.close()

    def join(self, seconds: float) -> None:
        """Wait so long for the end, then kill."""
        self._thread.join(seconds)
        if self._thread.is_alive() and self._process is not None:
            self._process.kill()
            self._thread.join(5)

    def _run(self) -> None:
        pause = _FIRST_PAUSE
        while not self._house.stopping.is_set():
            heard = self._one_life()
            if self._house.stopping.is_set():
                break
            pause = _FIRST_PAUSE if heard else min(2 * pause, _LONGEST_PAUSE)
            self._house.stopping.wait(pause)

    def _one_life(self) -> bool:
        """From the start of a process to its end.  Whether it finished an image meanwhile."""
        try:
            process = self._house.begin(self._asked)
        except OSError:
            self._alive = False
            self._house.changed()
            return False
        with self._writing:
            self._process = process
        if self._house.stopping.is_set():  # told before there was anybody to hear it
            self.end()
        made = False
        assert process.stdout is not None
        for line in process.stdout:
            message = message_in(line)
            if message is None:
                continue
            if isinstance(message, Working):
                self._last = message
                self._alive, self._unfit = True, ""
            if isinstance(message, Unfit):
                self._unfit = message.message
                _log.error("%s", message.message)
            made |= isinstance(message, Made)
            try:
                self._house.heard(message)
            except Exception:  # noqa: BLE001 (what is not passed on stands in the store)
                _log.exception("a message of the worker was lost")
        code = process.wait()
        with self._writing:
            self._process = None
            _close(process.stdin, process.stdout)
        stopping = self._house.stopping.is_set()
        self._alive = stopping
        if self._last is None:
            self._house.changed()
        else:
            self._house.died(self._last.device, None if stopping else _cause(code))
        return made


def _close(*pipes: IO[Any] | None) -> None:
    for pipe in pipes:
        with suppress(OSError, ValueError):
            if pipe is not None:
                pipe.close()


def _cause(code: int) -> str | None:
    """Why a worker ended, for the user; None where no job has to answer for it."""
    if code in {0, _BROKEN}:
        return None
    if code == -signal.SIGTERM:
        return None
    names: Mapping[int, str] = {
        9: "the system ended it, as it does where memory runs out.",
        11: "it crashed (segmentation fault).",
        6: "it gave up (abort).",
        7: "it crashed (bus error).",
        4: "it crashed (illegal instruction).",
    }
    if code < 0:
        return names.get(-code, f"signal {-code} ended it.")
    return f"it ended with code {code}."
