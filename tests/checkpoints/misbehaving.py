"""A web host on this computer that does what it is told, and keeps what it was asked."""

import contextlib
import hashlib
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

Send = Callable[[bytes], object]


@dataclass(frozen=True)
class Asked:
    """One request; names of headers in small letters."""

    path: str
    headers: Mapping[str, str]


Behaviour = Callable[[Asked, Send], None]


@dataclass
class Host:
    """Answers each request with the next of `answers`; the last one serves for all that follow."""

    answers: list[Behaviour] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    certificate: Path | None = None

    def __enter__(self) -> Self:
        host = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError):
                    host.answer(self.rfile.readline, self.wfile.write)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            block_on_close = False

            def get_request(self) -> tuple[socket.socket, object]:
                connected, place = super().get_request()
                connected.settimeout(10)
                return (host.wrapped(connected) if host.certificate else connected), place

            def handle_error(self, request: object, client_address: object) -> None:
                """Those who are hung up on say nothing."""

        self.server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.server.shutdown()
        self.server.server_close()

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wrapped(self, connected: socket.socket) -> socket.socket:
        assert self.certificate is not None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate)
        try:
            return context.wrap_socket(connected, server_side=True)
        finally:
            connected.close()

    def answer(self, line: Callable[[], bytes], send: Send) -> None:
        path = line().split()[1].decode()
        headers = {}
        while (text := line().decode().strip()) != "":
            name, _, value = text.partition(":")
            headers[name.lower()] = value.strip()
        asked = Asked(path, headers)
        self.asked.append(asked)
        (self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])(asked, send)


def say(status: int, body: bytes = b"", /, **headers: str) -> Behaviour:
    """That status, these headers (`content_type` is Content-Type) and this body."""
    said = {"content_length": str(len(body)), **headers}

    def behave(asked: Asked, send: Send) -> None:
        lines = [f"HTTP/1.1 {status} So"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in said.items() if value]
        send("\r\n".join([*lines, "", ""]).encode() + body)

    return behave


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def file(
    content: bytes,
    *,
    etag: str = '"first"',
    ranges: bool = True,
    cut: int | None = None,
    **headers: str,
) -> Behaviour:
    """A file as good hosts give it; after `cut` bytes of its body the connection ends."""

    def behave(asked: Asked, send: Send) -> None:
        begin, status = 0, 200
        said = {"etag": etag, "accept_ranges": "bytes", **headers}
        same = asked.headers.get("if-range", etag) == etag
        if ranges and same and "range" in asked.headers:
            begin, status = int(asked.headers["range"][6:-1]), 206
            said["content_range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
        body = content[begin:]
        said["content_length"] = str(len(body))
        say(status, body[:cut], **said)(asked, send)

    return behave


def drip(pieces: list[bytes], seconds: float) -> Behaviour:
    """Those bytes with pauses between them."""

    def behave(asked: Asked, send: Send) -> None:
        for piece in pieces:
            send(piece)
            time.sleep(seconds)

    return behave
