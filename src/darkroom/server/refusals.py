"""How the server says no: in the shape of each API, with the right status, and nothing private.

Messages of the house may name files and folders, which a person at the terminal wants to know.
Here every path is cut down to the name of the file before it leaves.
"""

import contextlib
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from darkroom import paths, settings
from darkroom.errors import (
    DarkroomError,
    DownloadError,
    ImageError,
    ModelError,
    OutputError,
    RequestError,
)
from darkroom.store.refusals import (
    FolderInUseError,
    KeyConflictError,
    QueueFullError,
    StateError,
    StoreError,
    UnknownError,
)

Shape = Callable[[int, str, str], Mapping[str, Any]]


class Refusal(DarkroomError):
    """A no with its status, and how many seconds later it may be a yes."""

    def __init__(
        self, status: int, message: str, hint: str = "", *, retry_after: int | None = None
    ) -> None:
        super().__init__(message, hint)
        self.status = status
        self.retry_after = retry_after


def missing(what: str) -> Refusal:
    """There is no such thing (here, or any more)."""
    return Refusal(
        404, f"There is no such {what}.", "It may have been removed; load the list anew."
    )


_STATUS: Mapping[type[DarkroomError], int] = {
    RequestError: 422,
    ImageError: 422,
    ModelError: 422,
    OutputError: 507,
    DownloadError: 409,
    UnknownError: 404,
    StateError: 409,
    KeyConflictError: 409,
    FolderInUseError: 409,
    QueueFullError: 429,
    StoreError: 503,
}
_QUEUE_SECONDS = 30  # after which there may be room
# A path begins where a word begins; the folders that are known may hold spaces as well.
_PATH = re.compile(
    r"(?<![\w/.:])(?!/(?:api|v1|sdapi)/)(?:~|[A-Za-z]:)?[\\/](?:[^\s\\/:*?\"<>|,;'’”]+[\\/]+)*"
    r"(?P<name>[^\s\\/:*?\"<>|,;'’”]+)"
)
BROKEN = ("Something went wrong in Darkroom itself.", "Try again; its terminal says more.")


def status_of(error: DarkroomError) -> int:
    """The HTTP status that an error means."""
    if isinstance(error, Refusal):
        return error.status
    for kind in type(error).__mro__:
        if kind in _STATUS:
            return _STATUS[kind]
    return 500


def headers_of(error: DarkroomError) -> dict[str, str]:
    """When to try again, where that may help."""
    wait = error.retry_after if isinstance(error, Refusal) else None
    if isinstance(error, QueueFullError):
        wait = _QUEUE_SECONDS
    return {} if wait is None else {"retry-after": str(wait)}


def plain(status: int, message: str, hint: str) -> Mapping[str, Any]:  # noqa: ARG001
    """The shape of errors on `/api`, and wherever no other program's is spoken."""
    return {"error": {"message": message, "hint": hint}}


_OPENAI_KINDS: Mapping[int, tuple[str, str | None]] = {
    401: ("invalid_request_error", "invalid_api_key"),
    429: ("rate_limit_error", "rate_limit_exceeded"),
}


def of_openai(
    status: int, message: str, hint: str, param: str | None = None, code: str | None = None
) -> Mapping[str, Any]:
    """OpenAI's shape of a refusal.  `param`: the field that it is about."""
    kind, usual = _OPENAI_KINDS.get(
        status, ("server_error" if status >= 500 else "invalid_request_error", None)
    )
    said = {
        "message": f"{message} {hint}".strip(),
        "type": kind,
        "param": param,
        "code": usual if code is None else code,
    }
    return {"error": said}


def of_a1111(status: int, message: str, hint: str) -> Mapping[str, Any]:
    """The shape of a refusal of AUTOMATIC1111's API."""
    kind = "OutOfMemoryError" if status == 507 else "HTTPException"
    return {"error": kind, "detail": message, "body": "", "errors": f"{message} {hint}".strip()}


# The shapes of other programs' interfaces, by the beginning of their addresses.
_SHAPES: Mapping[str, Shape] = {"/v1": of_openai, "/sdapi": of_a1111}


def body(path: str, status: int, message: str, hint: str = "") -> Mapping[str, Any]:
    """What is answered on this path."""
    for beginning, shape in _SHAPES.items():
        if path.startswith(beginning):
            return shape(status, without_paths(message), without_paths(hint))
    return plain(status, without_paths(message), without_paths(hint))


def without_paths(text: str) -> str:
    """The text with every path cut down to its last part."""
    if "/" not in text and "\\" not in text:
        return text
    for folder in _folders():
        text = text.replace(folder, "")
    return _PATH.sub(lambda found: found["name"], text)


def _folders() -> list[str]:
    """The folders in which what Darkroom speaks of lies, the deepest first, with their slash."""
    known = {Path.home(), Path(tempfile.gettempdir()), Path.cwd()}
    with contextlib.suppress(RequestError):  # settings that cannot be read are told of elsewhere
        known |= {paths.models_folder(), paths.cache_folder(), paths.styles_file().parent}
        known |= {paths.wildcards_folder(), settings.config_file().parent}
    return sorted((f"{folder}{os.sep}" for folder in known), key=len, reverse=True)
