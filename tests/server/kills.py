"""Kills worker, server and both at random moments while jobs run, and counts what was lost.

python tests/server/kills.py --kills 200 --jobs 500 --stub     flat images, made at once
python tests/server/kills.py --kills 30 --jobs 60              Mini, a few steps

Prints one JSON object.  Nothing may be lost, made twice, or unreadable.  Linux: it finds the worker
in /proc.
"""

import argparse
import http.client
import io
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from PIL import Image

TOKEN = "a-token-for-the-kill-loop"
STUB = Path(__file__).with_name("stub.py")
Victim = Literal["worker", "server", "both"]
_PATIENCE = 120.0


class Site:
    """A server that is started again and again on one data folder and one port."""

    def __init__(self, data: Path, *, stub: bool, delay: float) -> None:
        self.data = data
        self.port = free_port()
        self._log = (data.parent / "log.txt").open("ab")
        self.ready: list[float] = []
        words = ["--data", str(data), "--port", str(self.port), "--token", TOKEN]
        if stub:
            self.command = [sys.executable, str(STUB), "serve", *words, "--delay", str(delay)]
        else:
            self.command = [sys.executable, "-m", "darkroom", "serve", "--no-browser", *words]
            self.command += ["--device", "cpu"]
        self.process = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        begin = time.monotonic()
        self.process = subprocess.Popen(self.command, stdout=self._log, stderr=self._log)
        while time.monotonic() - begin < _PATIENCE:
            with suppress(OSError, http.client.HTTPException):
                if self.ask("GET", "/health")[0] == 200:
                    self.ready.append(time.monotonic() - begin)
                    return self.process
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with {self.process.returncode}")
            time.sleep(0.02)
        raise RuntimeError("the server does not answer")

    def ask(self, method: str, path: str, body: Any = None, key: str = "") -> tuple[int, Any]:
        """One request; OSError or HTTPException where the server is not there or dies."""
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        if key:
            headers["Idempotency-Key"] = key
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, headers)
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        kind = answer.headers.get("content-type", "")
        return answer.status, json.loads(data) if kind.startswith("application/json") else data

    def surely(self, method: str, path: str, body: Any = None, key: str = "") -> Any:
        """The answer, however often the server dies meanwhile."""
        end, said = time.monotonic() + _PATIENCE, None
        while time.monotonic() < end:
            with suppress(OSError, http.client.HTTPException, ValueError):
                status, said = self.ask(method, path, body, key)
                if status < 300:
                    return said
                if status != 429:
                    raise RuntimeError(f"{method} {path}: {status} {said}")
            time.sleep(0.05)
        raise RuntimeError(f"{method} {path}: no answer but {said}")

    def workers(self) -> list[int]:
        """The processes of the server's workers."""
        found = []
        for folder in Path(f"/proc/{self.process.pid}/task").glob("*"):
            with suppress(OSError):
                for child in (folder / "children").read_text().split():
                    words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
                    if b"--idle" in words:
                        found.append(int(child))
        return found

    def kill(self, victim: Victim) -> bool:
        """kill -9.  False where there is nobody to kill just now."""
        workers = self.workers()
        if victim == "worker" and not workers:
            return False
        if victim != "server":
            for worker in workers:
                with suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGKILL)
        if victim != "worker":
            self.process.kill()
            self.process.wait()
        return True

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(60)
        self._log.close()
        return code


class Client(threading.Thread):
    """Submits jobs, each until it is accepted; remembers what it was promised."""

    def __init__(self, site: Site, numbers: range, pause: float) -> None:
        super().__init__()
        self.site = site
        self.numbers = numbers
        self.pause = pause
        self.promised: dict[str, tuple[int, int]] = {}  # job: its seed and count
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            for number in self.numbers:
                seed, count = 1000 * number + 1, 1 + number % 3
                wish = {"prompt": "a red apple", "seed": seed, "count": count, "steps": 3}
                job = self.site.surely("POST", "/api/jobs", {"request": wish}, f"key-{number}")
                self.promised[job["job"]["id"]] = seed, count
                time.sleep(self.pause)
        except Exception as error:  # noqa: BLE001 (told by the main thread)
            self.error = error


class Audit:
    """Looks at what is visible, at any time."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.seen: set[Path] = set()
        self.unreadable: list[str] = []

    def files(self) -> int:
        """Every file that bears a name must be a whole image.  How many are new."""
        new = set(self.site.data.glob("images/*/[!.]*")) - self.seen
        for path in new:
            self._decode(path.read_bytes(), path.name)
        self.seen |= new
        return len(new)

    def _decode(self, data: bytes, name: str) -> None:
        try:
            with Image.open(io.BytesIO(data)) as image:
                image.load()
        except Exception as error:  # noqa: BLE001 (counted)
            self.unreadable.append(f"{name}: {error}")

    def gallery(self) -> list[dict[str, Any]]:
        """All images, each of them fetched and decoded."""
        images: list[dict[str, Any]] = []
        after = ""
        while True:
            page = self.site.surely("GET", f"/api/images?limit=200{after}")
            images += page["images"]
            if not page["next"]:
                break
            after = f"&after={page['next']}"
        for image in images:
            self._decode(self.site.surely("GET", image["file"]), image["id"])
        return images


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def kill_at_random(
    site: Site, audit: Audit, kills: int, longest: float, minutes: float
) -> Counter[str]:
    """So many kills after random pauses of at most `longest` seconds, while there are minutes left.

    Before every second one an image is waited for, so that a slow machine gets somewhere at all.
    """
    dice, counts = random.Random(7), Counter[str]()
    victims: list[Victim] = ["worker", "server", "both"] * (kills // 3 + 1)
    dice.shuffle(victims)
    over = time.monotonic() + 60 * minutes
    for turn, victim in enumerate(victims[:kills]):
        if time.monotonic() > over:
            break
        end = time.monotonic() + 30 * (turn % 2)
        while time.monotonic() < end and not audit.files():
            time.sleep(0.05)
        time.sleep(dice.uniform(0.05, longest))
        while not site.kill(victim):
            time.sleep(0.05)
        counts[victim] += 1
        audit.files()
        if victim != "worker":
            site.start()
    return counts


def wait_for(site: Site, promised: dict[str, tuple[int, int]]) -> tuple[Counter[str], int]:
    """The states in which the jobs end; and how many had to be asked for again."""
    parked, waiting = 0, set(promised)
    end = time.monotonic() + 600
    states: Counter[str] = Counter()
    while waiting and time.monotonic() < end:
        time.sleep(0.2)
        for job in sorted(waiting):
            status, said = site.ask("GET", f"/api/jobs/{job}")
            state = said["job"]["state"] if status == 200 else "lost"
            if state in {"waiting", "running"}:
                break  # in their order: those behind it wait as well
            if state == "failed" and "ended twice" in said["job"]["error"]["message"]:
                parked += 1
                site.surely("POST", f"/api/jobs/{job}/retry")
                continue
            states[state] += 1
            waiting.discard(job)
    states["unfinished"] += len(waiting)
    return +states, parked


def judge(promised: dict[str, tuple[int, int]], images: list[dict[str, Any]]) -> dict[str, int]:
    """What is missing, there twice, or another image than was promised."""
    found = Counter((image["job"], image["number"]) for image in images)
    wanted = {(job, k) for job, (_, count) in promised.items() for k in range(count)}
    seeds = {(image["job"], image["number"]): image["seed"] for image in images}
    return {
        "images": len(images),
        "missing": len(wanted - set(found)),
        "twice": sum(count - 1 for count in found.values()),
        "not asked for": len(set(found) - wanted),
        "other seeds": sum(
            seeds.get((job, k)) not in {None, promised[job][0] + k} for job, k in wanted
        ),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--stub", action="store_true")
    parser.add_argument("--delay", type=float, default=0.02, help="seconds of a stub's step")
    parser.add_argument("--longest", type=float, default=1.0, help="seconds between two kills")
    parser.add_argument("--minutes", type=float, default=60.0, help="after which none is killed")
    parser.add_argument("--pause", type=float, default=0.2, help="seconds between two jobs")
    said = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="darkroom-kills-") as place:
        site = Site(Path(place) / "data", stub=said.stub, delay=said.delay)
        try:
            result = besieged(site, said)
        except RuntimeError:
            print((Path(place) / "log.txt").read_text()[-4000:], file=sys.stderr)
            raise
        finally:
            site.process.kill()
    print(json.dumps(result, indent=1))
    flaws = ("missing", "twice", "not asked for", "other seeds", "unreadable", "errors", "faults")
    whole = result["files"] == result["images"] and result["accepted"] == said.jobs
    fine = whole and result["states"] == {"done": said.jobs}
    return 0 if fine and not any(result[name] for name in flaws) else 1


def besieged(site: Site, said: argparse.Namespace) -> dict[str, Any]:
    """The whole of it: jobs are submitted, everything is killed, and what is there is counted."""
    begin, audit = time.monotonic(), Audit(site)
    share = said.jobs // 4
    clients = [
        Client(site, range(k * share, (k + 1) * share if k < 3 else said.jobs), said.pause)
        for k in range(4)
    ]
    for client in clients:
        client.start()
    kills = kill_at_random(site, audit, said.kills, said.longest, said.minutes)
    for client in clients:
        client.join()
    promised = {job: what for client in clients for job, what in client.promised.items()}
    states, parked = wait_for(site, promised)
    images = audit.gallery()
    audit.files()
    code = site.stop()
    logs = [file.read_text().splitlines() for file in site.data.glob("workers/*.log")]
    return {
        "kills": dict(kills),
        "jobs": said.jobs,
        "accepted": len(promised),
        "states": dict(states),
        "asked for again": parked,
        **judge(promised, images),
        "files": sum(1 for _ in site.data.glob("images/*/[!.]*")),
        "unreadable": audit.unreadable,
        "errors": [str(client.error) for client in clients if client.error is not None],
        "faults": [line for log in logs for line in log if "fault" in line],
        "exit code": code,
        "ready after": {
            "median": round(statistics.median(site.ready), 2),
            "most": round(max(site.ready), 2),
        },
        "seconds": round(time.monotonic() - begin, 1),
    }


if __name__ == "__main__":
    sys.exit(main())
