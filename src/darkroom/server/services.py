"""What the routes stand on, made once and handed in: nothing here is found by looking around."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Protocol

from fastapi import Depends, Request

from darkroom.server.arrivals import Arrivals
from darkroom.server.keys import Keys
from darkroom.server.news import News
from darkroom.server.security import Hosts
from darkroom.server.shelf import Shelf
from darkroom.server.uploads import Uploads
from darkroom.server.views import Progress
from darkroom.store.opening import Store
from darkroom.worker.decoder import Decoder


class Crew(Protocol):
    """Who starts the workers and speaks with them.  Every call may come from any thread."""

    def wake(self) -> None:
        """There is something to do."""

    def cancel(self, job_id: str) -> None:
        """Stop this job within a step, if a worker has it."""

    def skip(self, job_id: str) -> None:
        """Leave out the image that is being made of this job."""

    def devices(self) -> Sequence[Mapping[str, object]]:
        """Each device, and what its worker does."""

    def progress(self, job_id: str) -> Progress | None:
        """How far a running job is."""

    def blocked(self) -> str | None:
        """Why nothing goes on, such as a full disk; None while it does."""


def _no_safety() -> Mapping[str, object]:
    return {"policy": "off", "installed": False}


@dataclass(frozen=True, kw_only=True)
class Services:
    """Everything that a route may need."""

    store: Store
    decoder: Decoder
    news: News
    keys: Keys
    hosts: Hosts
    crew: Crew
    shelf: Shelf = field(default_factory=Shelf)
    safety: Callable[[], Mapping[str, object]] = _no_safety
    arrivals: Arrivals = field(init=False)
    uploads: Uploads = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "arrivals", Arrivals(self.news))
        object.__setattr__(self, "uploads", Uploads(self.decoder))


async def _here(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


Here = Annotated[Services, Depends(_here)]
