"""The worker as a process: its arguments, its lock, and its two lines to the server."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import filelock

from darkroom.errors import DarkroomError
from darkroom.store.opening import join_store
from darkroom.worker.backend import Start, torch_backend
from darkroom.worker.log import Log
from darkroom.worker.loop import FINE, Worker
from darkroom.worker.messages import Message, Unfit, line_of
from darkroom.worker.orders import Orders

_LOCK_SECONDS = 0.5
UNFIT = 2  # the exit code of one that cannot begin


def main(arguments: Sequence[str] | None = None, start: Start = torch_backend) -> int:
    """Be a worker; returns the exit code.  `start`: makes what computes."""
    said = _parsed(arguments)
    root = Path(said.data)
    workers = root / "workers"
    log = Log.take_over(workers / f"{_file_name(said.device)}.log")
    orders = Orders()
    line = _Line(orders)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is meant for the server
    signal.signal(signal.SIGTERM, lambda *_: orders.stop())
    orders.listen(sys.stdin)
    try:
        backend = start()
        machine = backend.measure(backend.devices()[0] if said.device == "auto" else said.device)
        store = join_store(root)
    except DarkroomError as error:
        line.say(Unfit(message=f"{error.message} {error.hint}".strip()))
        return UNFIT
    lock = filelock.FileLock(workers / f"{_file_name(machine.device)}.lock")
    # A worker whose server was killed may still be at its last step: what it holds, it holds.
    while not orders.stopping:
        with suppress(filelock.Timeout):
            lock.acquire(timeout=_LOCK_SECONDS)
            break
    try:
        if orders.stopping:
            return FINE
        worker = Worker(
            store, backend, machine, idle=said.idle, orders=orders, tell=line.say, log=log
        )
        return worker.run()
    finally:
        store.close()
        lock.release()


class _Line:
    """Standard output for messages alone: what a library prints goes to the log."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._out = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)

    def say(self, message: Message) -> None:
        """One message.  Where nobody reads it any more, the worker stops."""
        try:
            self._out.write(line_of(message))
            self._out.flush()
        except (OSError, ValueError):
            self._orders.stop()


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m darkroom.worker",
        description="Makes the images of a data folder's queue. `darkroom serve` starts it.",
    )
    parser.add_argument("--data", required=True, metavar="DIR", help="the data folder")
    parser.add_argument("--device", default="auto", help="cpu, cuda:0, …; auto is the fastest")
    parser.add_argument(
        "--idle",
        type=float,
        default=600.0,
        metavar="SECONDS",
        help="after so long unused, models are given up",
    )
    return parser.parse_args(arguments)


def _file_name(device: str) -> str:
    return device.replace(":", "-")
