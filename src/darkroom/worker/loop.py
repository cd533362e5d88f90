"""The life of a worker: a job after the other, until it is told to stop or its server is gone."""

import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from darkroom.contracts import Machine
from darkroom.errors import DarkroomError, ImageError, ModelError, RequestError
from darkroom.store.jobs import Claim
from darkroom.store.opening import Store
from darkroom.worker.backend import Backend
from darkroom.worker.log import Log
from darkroom.worker.making import LEAST_SPACE, NO_SPACE, Bench, Making
from darkroom.worker.messages import Began, Changed, Doing, Message, Working
from darkroom.worker.orders import Cancelled, Orders, Stop
from darkroom.worker.shelf import Shelf

POLL_SECONDS = 5.0  # the server wakes a worker; this is for jobs that came otherwise
_MEASURE_SECONDS = 30.0

FINE, BROKEN = 0, 3


class Worker:
    """Works on one device, through whatever fails.  Its files are those of the store."""

    def __init__(
        self,
        store: Store,
        backend: Backend,
        machine: Machine,
        *,
        idle: float,
        orders: Orders,
        tell: Callable[[Message], None],
        log: Log,
    ) -> None:
        """`machine`: the device, as just measured.  `idle`: seconds after which unused models are
        given up.
        """
        self._store = store
        self._backend = backend
        self._device = machine.device
        self._orders = orders
        self._tell = tell
        self._log = log
        self._devices = backend.devices()
        self._doing: tuple[Doing, str | None, str] = ("starting", None, "")
        self._machine = machine
        self._measured = 0.0
        self._shelf = Shelf(backend, machine.device, idle=idle)
        self._bench = Bench(
            store=store,
            backend=backend,
            device=machine.device,
            shelf=self._shelf,
            orders=orders,
            tell=tell,
            doing=self._do,
        )

    def run(self) -> int:
        """Work until told to stop; the exit code, `BROKEN` where another process must go on."""
        code = FINE
        with suppress(Stop):
            self._bench.durably(self._measure)
            self._do("idle", None, "")
            while code == FINE and not self._orders.stopping:
                claim = self._next()
                if claim is None:
                    self._rest()
                else:
                    code = self._job(claim)
        return code

    def _next(self) -> Claim | None:
        """The next job, once there is room on the disk for its images."""
        found: list[Claim | None] = []
        while shutil.disk_usage(self._store.folder.root).free < LEAST_SPACE:
            self._do("waiting for space", None, NO_SPACE)
            self._orders.wait(POLL_SECONDS)
            self._orders.heed()
        self._bench.durably(lambda: found.append(self._store.queue.claim(self._device)))
        return found[0]

    def _rest(self) -> None:
        given_up = self._shelf.rest()
        if given_up or time.monotonic() - self._measured > _MEASURE_SECONDS:
            self._bench.durably(self._measure)
        self._do("idle", None, "")
        self._orders.wait(POLL_SECONDS)

    def _job(self, claim: Claim) -> int:
        """Carry out one job, and say how it ended; the exit code."""
        job, queue, code = claim.job.id, self._store.queue, FINE
        making = Making(self._bench, claim)
        self._orders.begin(job)
        self._do("busy", None, "")
        self._tell(Began(job=job))
        try:
            if not queue.holds(claim):  # cancelled before commands for it were heard
                raise Cancelled
            making.carry_out()
            self._bench.durably(lambda: _ignored(queue.finished(claim)))
        except Cancelled:
            making.abandon()
        except Stop:
            making.abandon()
            with suppress(DarkroomError):  # the next server finds it all the same
                queue.release(claim)
        except DarkroomError as error:
            making.abandon()
            if not isinstance(error, (RequestError, ImageError, ModelError)):
                self._shelf.clear()
            self._fail(claim, error.message, error.hint)
        except Exception as error:  # noqa: BLE001 (one job fails, the next ones do not)
            making.abandon()
            self._log.fault(error)
            self._shelf.clear()
            self._fail(
                claim,
                f"Darkroom failed in a way that it does not know ({type(error).__name__}).",
                "Try again. If it stays so, report it: the folder workers/ in the data folder "
                "tells where it happened.",
            )
            code = BROKEN if self._backend.broken(error) else FINE
        finally:
            self._orders.begin("")
            self._tell(Changed(job=job))
        return code

    def _fail(self, claim: Claim, message: str, hint: str) -> None:
        with suppress(Cancelled):
            self._bench.durably(lambda: _ignored(self._store.queue.failed(claim, message, hint)))

    def _measure(self) -> None:
        """Look at the machine, and tell the server, which plans with it.

        Memory that loaded models take counts as free: they give way to another.
        """
        self._machine = self._backend.measure(self._device)
        self._measured = time.monotonic()
        free = min(self._machine.memory_free + self._shelf.bytes, self._machine.memory_total)
        self._store.machines.put(replace(self._machine, memory_free=free))

    def _do(self, doing: Doing, model: str | None, detail: str) -> None:
        """Tell what is done now, if that is new.  `model`: one that is being loaded."""
        models = self._shelf.models
        now = doing, model or (models[-1] if models else None), detail
        if now == self._doing:
            return
        self._doing = now
        self._tell(working(self._machine, self._devices, *now))


def working(
    machine: Machine,
    devices: tuple[str, ...],
    doing: Doing,
    model: str | None = None,
    detail: str = "",
) -> Working:
    """What a worker tells of itself."""
    return Working(
        doing=doing,
        device=machine.device,
        name=machine.name,
        cores=machine.cores,
        memory_total=machine.memory_total,
        memory_free=machine.memory_free,
        devices=devices,
        model=model,
        detail=detail,
    )


def _ignored(_: object) -> None:
    """What a call that may come too late answers."""
