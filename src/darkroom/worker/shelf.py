"""The models that stay loaded: as many as memory holds without changing what any of them does."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from darkroom.contracts import Prediction, Request
from darkroom.errors import DarkroomError
from darkroom.worker.backend import Backend, Maker

_ROOM = 1.5  # so many times the memory of a plan must be free for others to stay beside it


@dataclass
class _Entry:
    """An engine.  `bytes` of weights that it holds, 0 before its first image; `state` of files."""

    engine: Maker
    bytes: int
    state: tuple[int, int]


class Shelf:
    """Engines, the one that was used last at the end."""

    def __init__(
        self,
        backend: Backend,
        device: str,
        *,
        idle: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`device`: of the worker.  `idle`: seconds after which unused models are given up."""
        self._backend = backend
        self._device = device
        self._idle = idle
        self._clock = clock
        self._used = clock()
        self._entries: OrderedDict[tuple[str, Prediction | None], _Entry] = OrderedDict()

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the loaded models, the one that was used last at the end."""
        return tuple(key[0] for key, entry in self._entries.items() if entry.bytes)

    @property
    def bytes(self) -> int:
        """What the loaded models take of the memory."""
        return sum(entry.bytes for entry in self._entries.values())

    def engine(self, request: Request) -> tuple[Maker, bool]:
        """The engine for a request, room made for it; and whether its model is still to be loaded.

        Raises:
            DarkroomError: there is no such model, the wish cannot be meant, or it cannot fit.
        """
        self._used = self._clock()
        key = request.model, request.prediction
        entry = self._entries.get(key)
        if entry is not None and entry.state != _state(entry.engine):
            entry = None
            self._give_up(key)
        if entry is None:
            engine = self._backend.open(*key)
            entry = _Entry(engine, 0, _state(engine))
            self._entries[key] = entry
        self._entries.move_to_end(key)
        self._make_room(entry, request)
        return entry.engine, not entry.bytes

    def loaded(self, engine: Maker, size: int) -> None:
        """An engine has loaded so many bytes of weights."""
        for entry in self._entries.values():
            if entry.engine is engine:
                entry.bytes = max(size, 1)

    def rest(self) -> bool:
        """Give everything up that was not used for a while.  Whether there was anything."""
        if self._clock() - self._used < self._idle:
            return False
        return self.clear()

    def clear(self) -> bool:
        """Give everything up.  Whether there was anything."""
        held = bool(self._entries)
        self._entries.clear()
        if held:
            self._backend.freed()
        return held

    def _make_room(self, entry: _Entry, request: Request) -> None:
        """Give up models, the longest unused first, until the others change nothing.

        What is planned with them in memory must be what would be planned without them: the same
        precision and batch, so that an image never depends on what was made before it.
        """
        while len(self._entries) > 1:
            others = sum(one.bytes for one in self._entries.values() if one is not entry)
            _, alone = entry.engine.plan(request, freed=others)
            try:
                _, now = entry.engine.plan(request)
            except DarkroomError:
                now = None
            free = self._backend.measure(self._device).memory_free + entry.bytes
            same = now is not None and (now.precision, now.batch, now.rows) == (
                alone.precision,
                alone.batch,
                alone.rows,
            )
            if same and alone.peak_bytes * _ROOM <= free:
                return
            self._give_up(next(iter(self._entries)))

    def _give_up(self, key: tuple[str, Prediction | None]) -> None:
        del self._entries[key]
        self._backend.freed()


def _state(engine: Maker) -> tuple[int, int]:
    """What changes when a model's file is exchanged."""
    path: Path = engine.spec.path
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns
