"""What a worker and the server say to each other: one JSON object a line.

The worker tells on standard output what happens; the server commands on its standard input.  What
counts stands in the store: a message that is lost costs a moment, nothing else.  No torch.
"""

import json
from dataclasses import asdict, dataclass
from typing import Literal

Doing = Literal["starting", "idle", "loading", "busy", "waiting for space"]


@dataclass(frozen=True, kw_only=True)
class Working:
    """What the worker does now.

    `device`, `name`, `cores`, `memory_total`, `memory_free`: of the machine as just measured.
    `devices`: all that are there, the preferred first.  `model`: the last one that was loaded and
    still is.  `detail`: a sentence for the user where something is in the way.
    """

    doing: Doing
    device: str
    name: str
    cores: int
    memory_total: int
    memory_free: int
    devices: tuple[str, ...]
    model: str | None = None
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Unfit:
    """The worker cannot begin at all, for this reason."""

    message: str


@dataclass(frozen=True, kw_only=True)
class Began:
    """A job has begun, or goes on."""

    job: str


@dataclass(frozen=True, kw_only=True)
class Stepped:
    """Step `step` of `steps` of the images `number … number + images - 1` of a job is done.

    `fraction` of the whole job; `seconds_left` until its end.  `film`: previews of the step lie in
    the films of these images.
    """

    job: str
    number: int
    images: int
    step: int
    steps: int
    fraction: float
    seconds_left: float
    film: bool


@dataclass(frozen=True, kw_only=True)
class Made:
    """An image of a job is in the gallery, under this id."""

    job: str
    number: int
    image: str


@dataclass(frozen=True, kw_only=True)
class Changed:
    """Something about a job is different in the store: its notes, or its state."""

    job: str


Message = Working | Unfit | Began | Stepped | Made | Changed
_MESSAGES = {
    kind.__name__.lower(): kind for kind in (Working, Unfit, Began, Stepped, Made, Changed)
}


@dataclass(frozen=True, kw_only=True)
class Command:
    """What a worker is to do.  `cancel` and `skip` mean the job if it is the one at work.

    `wake`: look for a job at once.  `stop`: end in good order, as the end of standard input does.
    """

    order: Literal["wake", "cancel", "skip", "stop"]
    job: str = ""


def line_of(message: Message | Command) -> str:
    """A message or command as a line."""
    if isinstance(message, Command):
        return json.dumps(asdict(message)) + "\n"
    return json.dumps({"event": type(message).__name__.lower(), **asdict(message)}) + "\n"


def message_in(line: str) -> Message | None:
    """The message of a line; None for what is none, such as half a line of a worker that died."""
    try:
        values = json.loads(line)
        if "devices" in values:
            values["devices"] = tuple(values["devices"])
        return _MESSAGES[values.pop("event")](**values)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def command_in(line: str) -> Command | None:
    """The command of a line; None for what is none."""
    try:
        return Command(**json.loads(line))
    except (ValueError, TypeError):
        return None
