"""`darkroom serve`: how it starts, what it prints, and how it stops."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

import pytest

from darkroom.errors import DarkroomError, RequestError
from darkroom.server import running

TOKEN = "a-token-of-many-letters"
ENTRANCE = re.compile(r"http://127\.0\.0\.1:(\d+)/enter\?token=([\w-]+)")


@pytest.fixture(scope="module", autouse=True)
def _no_network() -> None:
    """The command is another process; this one talks to it over loopback."""


class Served:
    """The command in a process of its own."""

    def __init__(self, data: Path, *words: str) -> None:
        command = [sys.executable, "-m", "darkroom", "serve", "--no-browser", "--device", "cpu"]
        self.process = subprocess.Popen(
            [*command, "--data", str(data), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.said: list[str] = []
        self.talk: list[str] = []
        self._readers = [
            threading.Thread(target=self._read, args=(self.process.stdout, self.said)),
            threading.Thread(target=self._read, args=(self.process.stderr, self.talk)),
        ]
        for reader in self._readers:
            reader.start()

    @staticmethod
    def _read(pipe: IO[str], lines: list[str]) -> None:
        with pipe:
            lines.extend(iter(pipe.readline, ""))

    def ready(self) -> int:
        """The port, once it is told."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            found = ENTRANCE.search("".join(self.said))
            if found:
                return int(found[1])
            assert self.process.poll() is None, "".join(self.talk)
            time.sleep(0.02)
        raise AssertionError("it does not start: " + "".join(self.talk))

    def stop(self, how: int = signal.SIGINT) -> int:
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(60)
        finally:
            self.process.kill()
            for reader in self._readers:
                reader.join(10)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[list[Served]]:
    """Every server of a test stands here, and is stopped at its end."""
    servers: list[Served] = []
    yield servers
    for server in servers:
        server.stop()


def get(port: int, path: str, token: str = "") -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, data


def test_it_starts_prints_an_address_that_lets_in_once_and_stops(
    tmp_path: Path, served: list[Served]
) -> None:
    server = Served(tmp_path / "data", "--open", "create?task=upscale")
    served.append(server)
    port = server.ready()
    (address,) = server.said
    assert address.rstrip().endswith("#/create?task=upscale")
    token = ENTRANCE.search(address)
    assert token is not None
    status, headers, _ = get(port, f"/enter?token={token[2]}")
    assert (status, headers["location"]) == (303, "/")
    assert "HttpOnly" in headers["set-cookie"]
    assert get(port, f"/enter?token={token[2]}")[0] == 403
    assert get(port, "/api/status")[0] == 401
    kept = json.loads((tmp_path / "data" / "keys.json").read_text())
    assert get(port, "/api/status", kept["token"])[0] == 200
    talk = "".join(server.talk)
    assert "Traceback" not in talk
    assert kept["token"] not in talk + "".join(server.said)
    assert str(tmp_path / "data") in talk
    assert server.stop() == 0
    with socket.socket() as free:
        free.bind(("127.0.0.1", port))


def test_the_worker_tells_of_its_machine_and_ends_with_the_server(
    tmp_path: Path, served: list[Served]
) -> None:
    server = Served(tmp_path / "data", "--token", TOKEN)
    served.append(server)
    port = server.ready()
    end = time.monotonic() + 90
    while time.monotonic() < end:
        (device,) = json.loads(get(port, "/api/status", TOKEN)[2])["devices"]
        if device["state"] == "idle":
            break
        time.sleep(0.1)
    assert device["device"] == "cpu"
    assert device["memory_total"] > 0
    (log,) = (tmp_path / "data" / "workers").glob("*.log")
    begun = re.search(r"worker (\d+) begins", log.read_text())
    assert begun is not None
    server.process.kill()  # as a power cut: nobody tells the worker
    end = time.monotonic() + 30
    while time.monotonic() < end and _lives(int(begun[1])):
        time.sleep(0.05)
    assert not _lives(int(begun[1]))


def _lives(process: int) -> bool:
    with suppress(OSError):
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z"
    return False


def test_a_second_server_on_the_folder_is_refused_and_told_of_the_first(
    tmp_path: Path, served: list[Served]
) -> None:
    first = Served(tmp_path / "data")
    served.append(first)
    port = first.ready()
    second = Served(tmp_path / "data")
    served.append(second)
    assert second.process.wait(60) == 1
    time.sleep(0.2)
    talk = "".join(second.talk)
    assert str(first.process.pid) in talk
    assert f"http://127.0.0.1:{port}" in talk
    assert first.process.poll() is None


def test_sigterm_ends_it_too(tmp_path: Path, served: list[Served]) -> None:
    server = Served(tmp_path / "data")
    served.append(server)
    server.ready()
    assert server.stop(signal.SIGTERM) == 128 + signal.SIGTERM


def test_it_needs_no_torch() -> None:
    script = (
        "import sys; sys.modules['torch'] = None\n"
        "from darkroom.cli import app\n"
        "from darkroom.server import running\n"
        "assert [name for name in sys.modules if name.startswith('torch.')] == []"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_a_free_port_is_found_where_none_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        monkeypatch.setattr(running, "PORT", taken)
        (found,) = running.listening("127.0.0.1", None)
        with found:
            assert taken < found.getsockname()[1] < taken + 20
        with pytest.raises(DarkroomError, match=f"Port {taken} .* is taken"):
            running.listening("127.0.0.1", taken)


def test_no_such_address() -> None:
    with pytest.raises(DarkroomError, match=r"no address|taken"):
        running.listening("203.0.113.7", 0)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.168.1.2", "studio.example", "127.example.com", ""]
)
def test_other_computers_need_a_password(host: str, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="password"):
        running.Wanted(data=tmp_path, host=host)
    assert running.Wanted(data=tmp_path, host=host, password="long enough").host == host


def test_who_is_meant_by_host() -> None:
    assert running.hosts("127.0.0.1", 7860).allows("localhost:7860")
    assert not running.hosts("127.0.0.1", 7860).allows("192.168.1.2:7860")
    assert running.hosts("127.0.0.2", 7860).allows("127.0.0.2:7860")
    assert not running.hosts("127.0.0.2", 7860).anywhere
    assert running.hosts("192.168.1.2", 7860).allows("192.168.1.2:7860")
    assert running.hosts("0.0.0.0", 7860).allows("192.168.1.2:7860")
    assert not running.hosts("0.0.0.0", 7860).allows("evil.example:7860")


def test_the_open_door_is_told(tmp_path: Path, served: list[Served]) -> None:
    environment = os.environ | {"DARKROOM_PASSWORD": "long enough"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        server = Served(tmp_path / "data", "--host", "0.0.0.0")
    served.append(server)
    server.ready()
    end = time.monotonic() + 5
    while "not encrypted" not in "".join(server.talk) and time.monotonic() < end:
        time.sleep(0.02)
    talk = "".join(server.talk)
    assert "not encrypted" in talk
    assert "long enough" not in talk
