"""One job: its wishes become images in the gallery, whatever happened to it before."""

import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace

from darkroom.contracts import (
    Event,
    ImageDone,
    Noted,
    Plan,
    Request,
    Started,
)
from darkroom.contracts import Stepped as Step
from darkroom.store import wire
from darkroom.store.jobs import Claim, NewImage
from darkroom.store.opening import Store
from darkroom.store.refusals import DiskFullError
from darkroom.worker import tables
from darkroom.worker.backend import Backend, Maker
from darkroom.worker.films import Films
from darkroom.worker.messages import Changed, Doing, Made, Message, Stepped
from darkroom.worker.orders import Cancelled, Orders, Skipped
from darkroom.worker.shelf import Shelf

_PAUSE = 2.0  # seconds between two looks at a full disk
LEAST_SPACE = 64 * 2**20  # bytes that a disk must have left, so that a job begins
NO_SPACE = f"The disk is full. Free at least {LEAST_SPACE // 2**20} MB: it goes on by itself."


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What a worker works with.  `device`: its own, for wishes that name none.

    `doing` takes what it does now, the model that it concerns, and a sentence for the user.
    """

    store: Store
    backend: Backend
    device: str
    shelf: Shelf
    orders: Orders
    tell: Callable[[Message], None]
    doing: Callable[[Doing, str | None, str], None]

    def durably(self, act: Callable[[], None]) -> None:
        """Do what needs room on the disk; while there is none, wait for it, and say so.

        Raises:
            Stop, Cancelled: that was commanded while it waited.  Nothing is skipped meanwhile: what
                waits for room is made already.
        """
        waited = False
        while True:
            try:
                act()
            except DiskFullError:
                waited = True
                self.doing("waiting for space", None, NO_SPACE)
                self.orders.wait(_PAUSE)
                with suppress(Skipped):
                    self.orders.heed()
            else:
                break
        if waited:
            self.doing("busy", None, "")


@dataclass
class _Pace:
    """How fast a job goes: images a second since the first step that was seen."""

    expected: float = 0.0  # seconds an image, as planned
    begin: float = 0.0
    before: float | None = None  # images that were done at `begin`

    def left(self, done: float, total: int) -> float:
        """Seconds until all images are done."""
        now = time.monotonic()
        if self.before is None:
            self.begin, self.before = now, done
        made = done - self.before
        seconds = (now - self.begin) / made if made > 0.5 else self.expected
        return max(0.0, (total - done) * seconds)


@dataclass
class Making:
    """A claimed job at work.

    Its images are numbered through over all wishes.  Those that an earlier attempt finished are
    left out; each of the others is the image that it would have been, for its seed is its own.
    """

    bench: Bench
    claim: Claim
    _settled: set[int] = field(init=False)
    _at_work: range = field(default=range(0), init=False)
    _notes: list[str] = field(default_factory=list, init=False)
    _pace: _Pace = field(default_factory=_Pace, init=False)

    def __post_init__(self) -> None:
        self._settled = set(self.claim.settled)
        self._films = Films(self.bench.store.folder, self.claim.job.id)

    def carry_out(self) -> None:
        """Make what is left to make.

        Raises:
            Stop, Cancelled: that was commanded, or the claim has ended.
            DarkroomError: a wish cannot be meant or carried out.
        """
        job, first = self.claim.job, 0
        for said in job.requests:
            request = wire.request_from_wire(said, self.bench.store.inputs.read)
            if request.device in {None, "auto"}:
                request = replace(request, device=self.bench.device)
            self._images(request, first)
            first += request.count
        if job.grid is not None and job.sheet is None:
            sheet = tables.table(self.bench.store, job)
            if sheet is not None:
                self._put(job.images, sheet)

    def abandon(self) -> None:
        """Forget the films of images that were begun and are not there."""
        self._films.drop(number for number in self._at_work if number not in self._settled)

    def _images(self, request: Request, first: int) -> None:
        """The images of one request, which begin with number `first`."""
        while (gap := _gap(range(first, first + request.count), self._settled)) is not None:
            part = _part(request, gap.start - first, len(gap))
            try:
                self._run(part, gap.start)
            except Skipped:
                for number in self._at_work:
                    if number not in self._settled:
                        self._skip(number)

    def _skip(self, number: int) -> None:
        self.bench.durably(lambda: self._held(self.bench.store.queue.image_skipped, number))
        self._settled.add(number)
        self._films.drop([number])

    def _run(self, request: Request, first: int) -> None:
        bench = self.bench
        self._at_work = range(first, first + 1)
        bench.orders.heed()
        engine, fresh = bench.shelf.engine(request)
        self._notes, weights = [], 0
        with closing(engine.run(request, previews=True)) as events:
            for event in events:
                if isinstance(event, Started):
                    self._begin(event.plan, request, first, fresh=fresh)
                    weights = event.plan.weight_bytes
                else:
                    fresh = self._loaded(event, engine, weights, fresh=fresh)
                    self._take(event, first)
                bench.orders.heed()

    def _begin(self, plan: Plan, request: Request, first: int, *, fresh: bool) -> None:
        self._pace.expected = plan.seconds / request.count
        self._at_work = range(first, first + min(plan.batch, request.count))
        self.bench.doing("loading" if fresh else "busy", request.model, "")
        for number in self._at_work:  # what an attempt left that was interrupted
            self._films.drop([number])

    def _loaded(self, event: Event, engine: Maker, weights: int, *, fresh: bool) -> bool:
        """Whether the model is still to be loaded, now that this event has come."""
        if not fresh or not isinstance(event, Step | ImageDone):
            return fresh
        self.bench.shelf.loaded(engine, weights)
        self.bench.doing("busy", None, "")
        return False

    def _take(self, event: Event, first: int) -> None:
        match event:
            case Noted():
                self._note(event.message)
            case Step():
                self._step(event, first)
            case ImageDone():
                number = first + event.index
                if event.recipe.flagged and event.recipe.safety == "blur":
                    self._films.drop([number])  # it shows what the image no longer does
                data, suffix = self.bench.backend.encode(event)
                self._put(
                    number,
                    NewImage(
                        data=data,
                        suffix=suffix,
                        width=event.image.width,
                        height=event.image.height,
                        recipe=event.recipe,
                        notes=tuple(self._notes),
                        film_steps=self._films.length(number),
                    ),
                )

    def _note(self, message: str) -> None:
        self._notes.append(message)
        self.bench.durably(lambda: self._held(self.bench.store.queue.note, message))
        self.bench.tell(Changed(job=self.claim.job.id))

    def _held(self, act: Callable[..., object], *arguments: object) -> None:
        """Tell the queue something of the claimed job."""
        if not act(self.claim, *arguments):
            raise Cancelled

    def _step(self, event: Step, first: int) -> None:
        begin = first + event.first
        at_work = range(begin, begin + event.images)
        if at_work != self._at_work:  # the next batch
            self._at_work = at_work
            self._films.drop(at_work)
        shown = [
            self._films.show(number, event.step, preview)
            for number, preview in zip(at_work, event.previews, strict=False)
        ]
        total = self.claim.job.images
        done = len(self._settled) + event.images * event.step / event.steps
        self.bench.tell(
            Stepped(
                job=self.claim.job.id,
                number=begin,
                images=event.images,
                step=event.step,
                steps=event.steps,
                fraction=min(1.0, done / total),
                seconds_left=self._pace.left(done, total),
                film=bool(shown) and all(shown),
            )
        )

    def _put(self, number: int, image: NewImage) -> None:
        """Into the gallery: the file first, then its row, both or none."""
        queue, found = self.bench.store.queue, []
        self.bench.durably(lambda: found.append(queue.image_done(self.claim, number, image)))
        (row,) = found
        if row is None and not queue.holds(self.claim):
            raise Cancelled
        self._settled.add(number)
        if row is not None:
            self.bench.tell(Made(job=self.claim.job.id, number=number, image=row.id))


def _gap(numbers: range, settled: set[int]) -> range | None:
    """The first of these numbers that is not settled, and those right behind it."""
    begin = next((number for number in numbers if number not in settled), None)
    if begin is None:
        return None
    end = next((n for n in range(begin, numbers.stop) if n in settled), numbers.stop)
    return range(begin, end)


def _part(request: Request, begin: int, count: int) -> Request:
    """A few images of a request, counted from 0: image k has the seed or variation seed + k."""
    if count == request.count:
        return request
    name = "variation_seed" if request.variation_strength else "seed"
    seed = getattr(request, name)
    if seed is None:
        raise ValueError(f"a job in the queue has no {name}")
    return replace(request, count=count, **{name: seed + begin})
