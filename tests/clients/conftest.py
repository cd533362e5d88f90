"""A running server with Mini, for clients that other people wrote."""

import _socket
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import programs
from tests.clients import npm

_TOKEN = "a-token-for-the-clients"
_ENTRANCE = re.compile(r"http://127\.0\.0\.1:(\d+)/enter")
_STARTS_WITHIN = 120.0
_LOOPBACK = "127.0.0.1"
_missing: list[str] = []


@dataclass(frozen=True)
class Served:
    """Where the server is, and what lets in."""

    port: int
    token: str
    data: Path

    @property
    def url(self) -> str:
        return f"http://{_LOOPBACK}:{self.port}"


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """`darkroom serve` as people start it, in a process of its own."""
    data = tmp_path_factory.mktemp("served")
    command = [sys.executable, "-m", "darkroom", "serve", "--no-browser", "--device", "cpu"]
    command += ["--port", "0", "--data", str(data), "--token", _TOKEN]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    lines: list[str] = []
    ports: list[int] = []
    ready = threading.Event()
    reader = threading.Thread(target=_read, args=(process, lines, ports, ready))
    reader.start()
    ready.wait(_STARTS_WITHIN)
    try:
        assert ports, f"darkroom serve did not start: {''.join(lines)}"
        yield Served(ports[0], _TOKEN, data)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
        reader.join(timeout=20)


def _read(
    process: "subprocess.Popen[str]", lines: list[str], ports: list[int], ready: threading.Event
) -> None:
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            lines.append(line)
            entrance = _ENTRANCE.search(line)
            if entrance and not ports:
                ports.append(int(entrance[1]))
                ready.set()
    ready.set()


@pytest.fixture(autouse=True)
def _loopback_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients reach the server on this computer, and nothing else."""

    def connect(self: socket.socket, address: Any) -> None:
        assert address[0] == _LOOPBACK, f"a client opened a connection: {address}"
        _socket.socket.connect(self, address)

    def getaddrinfo(host: Any, port: Any, *_: object, **__: object) -> list[Any]:
        assert host == _LOOPBACK, f"a client looked up a name: {host}"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, int(port)))]

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out, on a person's machine, what needs modules that cannot be had."""
    here = Path(__file__).parent
    ours = [i for i in items if i.path.is_relative_to(here) and i.get_closest_marker("npm")]
    if not ours or "npm" in programs.left_out() or os.environ.get("CI"):
        return
    try:
        npm.install()
    except npm.ModulesError as error:
        _missing.append(str(error))
        config.hook.pytest_deselected(items=ours)
        items[:] = [item for item in items if item not in ours]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for reason in _missing:
        terminalreporter.write_line(f"Tests of the clients from npm are left out: {reason}")
