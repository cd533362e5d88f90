"""An application asked directly: addresses arrive as they are said, streams as they flow."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message, Scope


@dataclass
class Answer:
    """What came back."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        return json.loads(self.body)


def scope(method: str, address: str, headers: Mapping[str, str]) -> Scope:
    path, _, query = address.partition("?")
    known = {"host": "127.0.0.1:7860", **headers}
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(errors="surrogatepass"),
        "query_string": query.encode(errors="surrogatepass"),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in known.items()],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 7860),
    }


async def ask(
    app: ASGIApp, method: str, address: str, headers: Mapping[str, str], body: bytes = b""
) -> Answer:
    """One request; `address` is not quoted."""
    answer = Answer()
    parts: Iterator[Message] = iter(
        [{"type": "http.request", "body": body}, {"type": "http.disconnect"}]
    )

    async def receive() -> Message:
        return next(parts)

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            answer.body += message.get("body", b"")

    await app(scope(method, address, headers), receive, send)
    return answer


@dataclass
class Listener:
    """Somebody who reads a stream of events; `slow`: how long each part takes them."""

    text: str = ""
    status: int = 0
    slow: float = 0.0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    done: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def events(self) -> list[tuple[str, str, Any]]:
        """Id, name and data of each event that came whole."""
        found = []
        for block in self.text.split("\n\n")[:-1]:
            fields = dict(line.split(": ", 1) for line in block.splitlines())
            if "event" in fields:
                found.append((fields["id"], fields["event"], json.loads(fields["data"])))
        return found

    @property
    def last_id(self) -> str:
        return [line[4:] for line in self.text.splitlines() if line.startswith("id: ")][-1]

    async def until(self, what: str, seconds: float = 10.0) -> None:
        """Wait until this text came."""
        async with asyncio.timeout(seconds):
            while what not in self.text:
                self.arrived.clear()
                await self.arrived.wait()


@asynccontextmanager
async def listening(
    app: ASGIApp, headers: Mapping[str, str], *, slow: float = 0.0
) -> AsyncIterator[Listener]:
    """Somebody who listens to `/api/events`, until the block ends."""
    listener = Listener(slow=slow)
    asked = False

    async def receive() -> Message:
        nonlocal asked
        if not asked:
            asked = True
            return {"type": "http.request", "body": b""}
        await listener.left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            listener.status = message["status"]
        listener.text += message.get("body", b"").decode()
        listener.arrived.set()
        await asyncio.sleep(listener.slow if "body" in message else 0)

    async def whole() -> None:
        await app(scope("GET", "/api/events", headers), receive, send)
        listener.done.set()
        listener.arrived.set()

    task = asyncio.create_task(whole())
    try:
        yield listener
    finally:
        listener.left.set()
        async with asyncio.timeout(10):
            await task
