"""Models on their way: downloads and conversions, each in a thread, told as `pull` events."""

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from darkroom import paths
from darkroom.checkpoints import catalog, download
from darkroom.checkpoints.download import Pulled, Remark
from darkroom.checkpoints.sources import Source
from darkroom.errors import DarkroomError, OutputError
from darkroom.server import refusals
from darkroom.server.news import News
from darkroom.server.refusals import Refusal

_log = logging.getLogger(__name__)
_TOLD_SECONDS = 0.25
_AT_ONCE = 3
_CONVERT_SECONDS = 3600

State = Literal["running", "done", "failed"]


class Arrivals:
    """Starts them, and remembers how far each is, for pages that are opened later."""

    def __init__(self, news: News) -> None:
        self._news = news
        self._lock = threading.Lock()
        self._told: dict[str, dict[str, Any]] = {}

    def all(self) -> list[dict[str, Any]]:
        """How far each is, those that ended included."""
        with self._lock:
            return [dict(one) for one in self._told.values()]

    def pull(self, name: str, source: Source) -> None:
        """Download a model.  Refusal where it is being done, or too much is."""
        self._start(name, "pull", lambda: self._pulled(name, source))

    def convert(self, name: str, source: Path, target: Path, precision: str | None) -> None:
        """Write a model in another layout, in a process of its own, which loads torch."""
        self._start(name, "convert", lambda: _converted(source, target, precision))

    def _start(self, name: str, kind: str, work: Callable[[], None]) -> None:
        with self._lock:
            running = [one for one in self._told.values() if one["state"] == "running"]
            if any(one["name"] == name for one in running):
                raise Refusal(409, f"{name[:200]} is being worked on already.", "Wait for it.")
            if len(running) >= _AT_ONCE:
                raise Refusal(
                    429, "Too many models are on their way.", "Wait for one.", retry_after=60
                )
            self._told.pop(name, None)
            self._told[name] = {"name": name, "kind": kind} | _state("running")
        threading.Thread(target=self._work, args=(name, work), daemon=True).start()
        self._tell(name)

    def _work(self, name: str, work: Callable[[], None]) -> None:
        try:
            work()
        except DarkroomError as error:
            message = refusals.without_paths(error.message), refusals.without_paths(error.hint)
            self._tell(name, _state("failed", *message))
        except Exception:  # noqa: BLE001 (a page waits for the end of it)
            _log.exception("The model %s did not arrive", name)
            self._tell(name, _state("failed", *refusals.BROKEN))
        else:
            self._tell(name, _state("done"))
            self._news.models()

    def _pulled(self, name: str, source: Source) -> None:
        last = 0.0
        for event in download.pull(source, paths.models_folder()):
            if isinstance(event, Pulled):
                catalog.remember(event.path, event.sha256)
            elif isinstance(event, Remark):
                self._tell(name, {"message": refusals.without_paths(event.text)})
            elif (now := time.monotonic()) - last >= _TOLD_SECONDS:
                last = now
                told = {"done": event.done, "total": event.total, "checking": event.checking}
                self._tell(name, told)

    def _tell(self, name: str, more: dict[str, Any] | None = None) -> None:
        with self._lock:
            told = self._told[name] = self._told[name] | (more or {})
        self._news.pull(told)


def _state(state: State, message: str = "", hint: str = "") -> dict[str, Any]:
    return {
        "state": state,
        "message": message,
        "hint": hint,
        "done": None,
        "total": None,
        "checking": False,
    }


def _converted(source: Path, target: Path, precision: str | None) -> None:
    """The command of the same name, so that torch is never loaded here."""
    words = [sys.executable, "-m", "darkroom", "models", "convert", str(source), str(target)]
    if precision is not None:
        words += ["--precision", precision]
    try:
        done = subprocess.run(  # noqa: S603
            [*words, "--quiet"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_CONVERT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise OutputError("The model could not be converted.", "Try it at a terminal.") from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or [""]
        raise OutputError(lines[0].removeprefix("Error: ") or "The conversion stopped.", lines[-1])
