"""The guard at the door: every request passes it, whatever route it is for.

In this order: who the request thinks it speaks to (`Host`: a foreign name that leads to this
computer is refused), where it comes from (`Origin`, `Sec-Fetch-Site`: no other site's page gets
in), whether it brings a key, and how much it brings.  What goes out bears the headers that keep a
browser from doing more than it should.
"""

import asyncio
import ipaddress
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from darkroom.server import doorstep, refusals
from darkroom.server.keys import Keys
from darkroom.server.refusals import Refusal

_log = logging.getLogger(__name__)

# The only addresses that need no key: they give one, or say that the server lives.
OPEN = frozenset({"/enter", "/health", "/sign-in"})
# Where a link on another site may lead: they change nothing, and show nothing to that site.
_LINKED = frozenset({"/", "/enter", "/sign-in"})

MAX_BODY = 2 * 2**20
# Where images come in, some of them as text in JSON (a third longer).
_LARGE_BODIES: Mapping[str, int] = {
    "/api/uploads": 128 * 2**20,
    "/v1/images": 256 * 2**20,
    "/sdapi/": 256 * 2**20,
}
BODY_SECONDS = 30.0  # without a byte
WHOLE_BODY_SECONDS = 600.0
_MAX_HEADERS = 100
_MAX_HEADER_BYTES = 32 * 2**10

_HEADERS = {
    "content-security-policy": (
        "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


@dataclass(frozen=True, kw_only=True)
class Hosts:
    """What the server may be called by in `Host`.

    `names`: beside those of this computer itself.  `anywhere`: it listens on every address, so
    that any bare address is fine: only names can be made to lead elsewhere.
    """

    port: int
    names: Sequence[str] = ()
    anywhere: bool = False

    def allows(self, host: str) -> bool:
        """Whether this is us."""
        try:
            parts = urlsplit(f"//{host}")
            name, port = parts.hostname, parts.port
        except ValueError:
            return False
        if not name or parts.username is not None or parts.path or parts.query or parts.fragment:
            return False
        if self.anywhere and _is_address(name):
            return True
        own = {"127.0.0.1", "localhost", "::1"} | {one.lower().strip("[]") for one in self.names}
        return name in own and (80 if port is None else port) == self.port


class Guard:
    """Wraps the application: nothing reaches it that has no business there."""

    def __init__(self, app: ASGIApp, *, keys: Keys, hosts: Hosts, cookie: str) -> None:
        self.app = app
        self.keys = keys
        self.hosts = hosts
        self.cookie = cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # there are no web sockets here
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = Headers(scope=scope)
        safe = _Hardened(send)
        try:
            self._check(scope, headers)
        except Refusal as error:
            await _refused(scope, headers, error)(scope, receive, safe)
            return
        body = _Body(receive, _allowed(scope["path"]))
        answer = _Answer(body, safe, lambda error: _refused(scope, headers, error))
        try:
            await self.app(scope, body, answer)
        except Exception:  # noqa: BLE001 (nothing of it may be told)
            _log.exception("%s %s failed", scope["method"], scope["path"])
            if not safe.started:
                broken = Refusal(500, *refusals.BROKEN)
                await _refused(scope, headers, broken)(scope, receive, safe)

    def _check(self, scope: Scope, headers: Headers) -> None:
        """Raises Refusal where the request is not let in."""
        path, method = scope["path"], scope["method"]
        raw = scope["headers"]
        if len(raw) > _MAX_HEADERS or sum(map(len, sum(raw, ()))) > _MAX_HEADER_BYTES:
            raise Refusal(431, "The request has too many headers.")
        names = headers.getlist("host")
        if len(names) != 1 or not self.hosts.allows(names[0]):
            raise Refusal(
                403,
                "This server is not called by that name.",
                "Open the address that it printed; other names are allowed with --host NAME.",
            )
        if _is_foreign(headers, f"{scope['scheme']}://{names[0]}") and not (
            method == "GET" and path in _LINKED and _is_navigation(headers)
        ):
            raise Refusal(403, "The request comes from another site.", "Use Darkroom's own page.")
        if path not in OPEN and not self._has_key(headers):
            raise Refusal(
                401,
                "The request brings no key.",
                "Open the address that darkroom serve printed; programs send the token as "
                "“Authorization: Bearer TOKEN”.",
            )
        length = headers.get("content-length")
        if length is not None and _is_more(length, _allowed(path)):
            raise _too_large(_allowed(path))

    def _has_key(self, headers: Headers) -> bool:
        authorization = headers.get("authorization")
        if authorization is not None and self.keys.knows_authorization(authorization):
            return True
        return any(
            self.keys.knows_session(value)
            for line in headers.getlist("cookie")
            for value in _cookies(line, self.cookie)
        )


class _Hardened:
    """Sends, with the headers that every answer bears."""

    def __init__(self, send: Send) -> None:
        self.send = send
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("cache-control", "no-store")
        await self.send(message)


class _Body:
    """Receives, and stops at the limit before anything more is kept."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self.receive = receive
        self.limit = limit
        self.size = 0
        self.whole = False
        self.end = time.monotonic() + WHOLE_BODY_SECONDS
        self.stopped: Refusal | None = None

    async def __call__(self) -> Message:
        if self.whole:
            return await self.receive()
        try:
            left = min(BODY_SECONDS, self.end - time.monotonic())
            message = await asyncio.wait_for(self.receive(), left)
        except TimeoutError:
            self.stopped = Refusal(408, "The request stopped in the middle.", "Send it again.")
            raise ClientDisconnect from None
        if message["type"] == "http.request":
            self.size += len(message.get("body", b""))
            self.whole = not message.get("more_body", False)
            if self.size > self.limit:
                self.stopped = _too_large(self.limit)
                raise ClientDisconnect
        return message


class _Answer:
    """Sends what the application says, or why its request was not read to the end."""

    def __init__(
        self, body: _Body, send: "_Hardened", refused: Callable[[Refusal], Response]
    ) -> None:
        self.body = body
        self.send = send
        self.refused = refused
        self.said = False

    async def __call__(self, message: Message) -> None:
        if self.body.stopped is None or (self.send.started and not self.said):
            await self.send(message)
        elif not self.said:
            self.said = True
            await self.refused(self.body.stopped)({"type": "http"}, self.body.receive, self.send)


def _too_large(limit: int) -> Refusal:
    return Refusal(
        413, f"The request is larger than {limit // 2**20} MB.", "Send less, or a smaller image."
    )


def _is_more(length: str, limit: int) -> bool:
    """Whether a Content-Length says more; numbers of thousands of digits are not even read."""
    return length.isdecimal() and (len(length) > 18 or int(length) > limit)


def _allowed(path: str) -> int:
    """How many bytes a request to this path may bring."""
    found = (limit for beginning, limit in _LARGE_BODIES.items() if path.startswith(beginning))
    return next(found, MAX_BODY)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_foreign(headers: Headers, own: str) -> bool:
    """Whether another site's page sent it; programs that are no browsers say nothing of this."""
    origins = headers.getlist("origin")
    if any(origin.lower() != own.lower() for origin in origins) or len(origins) > 1:
        return True
    sites = headers.getlist("sec-fetch-site")
    return any(site not in {"same-origin", "none"} for site in sites)


def _is_navigation(headers: Headers) -> bool:
    """Whether a person follows a link to a page of its own (and nothing is framed)."""
    return (
        headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
        and "origin" not in headers
    )


def _cookies(line: str, name: str) -> Iterator[str]:
    """Every cookie of this name: other programs on this computer may set odd ones beside it."""
    for part in line.split(";"):
        key, _, value = part.strip().partition("=")
        if key == name:
            yield value


def _refused(scope: Scope, headers: Headers, error: Refusal) -> Response:
    """The answer to who is not let in: a page for people, JSON for programs."""
    extra = {} if error.retry_after is None else {"retry-after": str(error.retry_after)}
    wants_page = "text/html" in headers.get("accept", "")
    if error.status == 401 and scope["path"] == "/" and wants_page:
        return doorstep.answer(doorstep.locked(), error.status, extra)
    if error.status == 401:
        extra["www-authenticate"] = 'Bearer realm="Darkroom"'
    answer = refusals.body(scope["path"], error.status, error.message, error.hint)
    return JSONResponse(answer, error.status, extra)
