"""`/api/events`: everything that happens, as it happens."""

import asyncio
import contextlib
from typing import Annotated

from fastapi import APIRouter, Header
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from darkroom.server.events import MAX_LISTENERS, Hub
from darkroom.server.refusals import Refusal
from darkroom.server.services import Here

router = APIRouter(prefix="/api", tags=["events"])

_PATIENCE = 60.0  # seconds in which a listener takes something of what it is sent
_LAST_PATIENCE = 1.0
_EXAMPLE = (
    'id: 1f2e3d4c-17\nevent: step\ndata: {"job":"…","index":0,"step":3,"steps":12,'
    '"images":1,"fraction":0.25,"seconds_left":1.2,"preview":"/api/jobs/…/film/0/3"}\n\n'
)


class EventStream(Response):
    """A stream that ends when its client goes away, when the server stops, or never."""

    media_type = "text/event-stream"

    def __init__(self, hub: Hub, last_id: str | None) -> None:
        super().__init__()
        del self.headers["content-length"]
        self.headers["x-accel-buffering"] = "no"
        self.hub = hub
        self.last_id = last_id

    async def __call__(
        self,
        scope: Scope,  # noqa: ARG002
        receive: Receive,
        send: Send,
    ) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)

        async def talk() -> None:
            async with contextlib.aclosing(self.hub.stream(self.last_id)) as parts:
                async for part in parts:
                    message = {"type": "http.response.body", "body": part, "more_body": True}
                    await asyncio.wait_for(send(message), _PATIENCE)

        async def gone() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        talking, leaving = asyncio.create_task(talk()), asyncio.create_task(gone())
        try:
            await asyncio.wait({talking, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in talking, leaving:
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError, TimeoutError):
                await talking
        end = {"type": "http.response.body", "body": b"", "more_body": False}
        with contextlib.suppress(OSError, TimeoutError):
            await asyncio.wait_for(send(end), _LAST_PATIENCE)


@router.get(
    "/events",
    response_class=Response,
    responses={200: {"content": {"text/event-stream": {"example": _EXAMPLE}}}},
)
async def events(
    here: Here,
    last_event_id: Annotated[
        str | None,
        Header(max_length=64, description="Go on after this event, as a browser asks by itself."),
    ] = None,
) -> Response:
    """Listen to `job`, `step`, `image`, `gone`, `queue`, `machine`, `models`, `pull` and `reset`.

    After `reset` some events were missed: ask for the state anew.
    """
    if here.news.hub.listeners >= MAX_LISTENERS:
        raise Refusal(429, "Too many pages listen.", "Close some of them.", retry_after=30)
    return EventStream(here.news.hub, last_event_id)
