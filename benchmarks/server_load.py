"""Many people at one server: 50 clients submit and listen for a minute, at 10,000 images.

    python -m benchmarks.server_load > results.json

Images are flat and made at once (tests/server/stub.py): what is measured is the server.  An event
is lost where a client that listened all the time did not hear of a finished job or image.
"""

import argparse
import asyncio
import json
import os
import platform
import random
import re
import statistics
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from darkroom.contracts import Request
from darkroom.images import io, provenance
from darkroom.store import rows
from darkroom.store.opening import open_store
from darkroom.tasks import judging
from tests.server.kills import TOKEN, Site
from tests.server.stub import flat, recipe_of

_IMAGE = re.compile(rb'"image":\{"id":"([^"]+)"')
_JOB = re.compile(rb'"job":\{"id":"([^"]+)","state":"(\w+)"')
_ID = re.compile(rb"^id: [0-9a-f]+-(\d+)$", re.MULTILINE)
_WORDS = "red green blue old young small large round apple pear house tree cat dog boat".split()


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--every", type=float, default=10.0, help="seconds between jobs of one")
    parser.add_argument("--images", type=int, default=10_000, help="in the gallery before")
    said = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="darkroom-load-") as folder:
        data = Path(folder) / "data"
        fill(data, said.images)
        site = Site(data, stub=True, delay=0.0)
        try:
            quiet = gallery(site)
            told = asyncio.run(crowd(site, said.clients, said.seconds, said.every))
        finally:
            site.stop()
    result = {
        "machine": {
            "cores": os.cpu_count(),
            "processor": platform.processor(),
            "python": platform.python_version(),
            "load before": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        },
        "gallery of": said.images,
        "gallery alone": quiet,
        **told,
    }
    print(json.dumps(result, indent=1))


def fill(data: Path, images: int) -> None:
    """A gallery of so many images: rows of their own, and names of one file."""
    store, dice = open_store(data), random.Random(1)
    try:
        resolved, _ = judging.judge(Request(prompt="a", seed=1, steps=4), judging.spec_of("mini"))
        recipe = recipe_of(resolved, judging.spec_of("mini"), 1)
        mark = provenance.new_mark("0")
        file = io.encode(flat(1, resolved.width), "png", mark=mark, recipe=recipe)
        first = store.folder.images / "2026-01" / "first.png"
        first.parent.mkdir(parents=True)
        first.write_bytes(file)
        with store.database.write() as connection:
            for number in range(images):
                name = f"2026-01/20260101-000000-{number:016x}-001.png"
                os.link(first, store.folder.shown(name))
                day = f"2026-01-{number % 28 + 1:02d}T{number % 24:02d}:00:00.000Z"
                prompt = " ".join(dice.sample(_WORDS, 5))
                row = rows.NewRow(
                    id=f"{number:016x}-0",
                    job=f"{number:016x}",
                    number=0,
                    sheet=False,
                    file=name,
                    sha256="0" * 64,
                    bytes=len(file),
                    width=resolved.width,
                    height=resolved.height,
                    created=day,
                    recipe=type(recipe)(**{**vars(recipe), "prompt": prompt, "seed": number}),
                )
                rows.insert(connection, row)
        first.unlink()
    finally:
        store.close()


def gallery(site: Site) -> dict[str, Any]:
    """Pages of the gallery while nothing else happens, in milliseconds."""
    paths = {
        "first page": "/api/images?limit=60",
        "search": "/api/images?limit=60&search=apple+tree",
        "filter": "/api/images?limit=60&model=mini&min_side=32",
    }
    return {name: timed(site, path) for name, path in paths.items()}


def timed(site: Site, path: str, times: int = 50) -> dict[str, float]:
    """Milliseconds that an answer takes."""
    taken = []
    for _ in range(times):
        begin = time.perf_counter()
        status, _ = site.ask("GET", path)
        taken.append(1000 * (time.perf_counter() - begin))
        if status != 200:
            raise RuntimeError(f"{path}: {status}")
    return summary(taken)


def summary(taken: list[float]) -> dict[str, float]:
    """The middle and the tail."""
    ordered = sorted(taken)
    return {
        "median": round(statistics.median(ordered), 1),
        "p99": round(ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))], 1),
        "most": round(ordered[-1], 1),
        "calls": len(ordered),
    }


@dataclass
class Client:
    """What one client submitted and heard."""

    jobs: dict[str, int] = field(default_factory=dict)  # id: images
    images: set[bytes] = field(default_factory=set)
    done: set[bytes] = field(default_factory=set)
    events: int = 0
    last: int = 0
    backwards: int = 0
    resets: int = 0
    submitting: list[float] = field(default_factory=list)


async def crowd(site: Site, count: int, seconds: float, every: float) -> dict[str, Any]:
    """All clients at once, and somebody who asks for the state all the time."""
    clients = [Client() for _ in range(count)]
    listening = [asyncio.create_task(listen(site.port, client)) for client in clients]
    await asyncio.sleep(1)
    over = time.monotonic() + seconds
    probe = Probe(site)
    probe.start()
    await asyncio.gather(
        *(submit(site.port, client, place, over, every) for place, client in enumerate(clients))
    )
    busy = time.monotonic()
    wanted = {job.encode(): images for client in clients for job, images in client.jobs.items()}
    while time.monotonic() < over + 120:
        if all(len(wanted.keys() - client.done) == 0 for client in clients):
            break
        await asyncio.sleep(0.2)
    drained = time.monotonic() - busy
    probe.stop()
    for task in listening:
        task.cancel()
    made = {b"%s-%d" % (job, k) for job, images in wanted.items() for k in range(images)}
    return {
        "clients": count,
        "seconds": seconds,
        "jobs": len(wanted),
        "images": len(made),
        "seconds to finish the rest": round(drained, 1),
        "events heard": sum(client.events for client in clients),
        "lost events": sum(
            len(made - client.images) + len(wanted.keys() - client.done) for client in clients
        ),
        "events out of order": sum(client.backwards for client in clients),
        "resets": sum(client.resets for client in clients),
        "status, ms": summary(probe.status),
        "gallery under load, ms": summary(probe.gallery),
        "submitting, ms": summary([one for client in clients for one in client.submitting]),
    }


class Probe(threading.Thread):
    """Asks for the state twenty times a second, and for the gallery twice."""

    def __init__(self, site: Site) -> None:
        super().__init__(daemon=True)
        self.site = site
        self.status: list[float] = []
        self.gallery: list[float] = []
        self._end = threading.Event()

    def run(self) -> None:
        """Until it is stopped."""
        turn = 0
        while not self._end.wait(0.05):
            self.status.append(timed(self.site, "/api/status", 1)["most"])
            if turn % 10 == 0:
                self.gallery.append(timed(self.site, "/api/images?limit=60", 1)["most"])
            turn += 1

    def stop(self) -> None:
        """At the end."""
        self._end.set()
        self.join()


async def listen(port: int, client: Client) -> None:
    """Hear every event until the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
    writer.write(_head(port, "GET", "/api/events"))
    await writer.drain()
    await reader.readuntil(b"\r\n\r\n")
    text = b""
    with suppress(asyncio.CancelledError):
        while data := await reader.read(2**20):
            *events, text = (text + data).split(b"\n\n")
            for event in events:
                hear(client, event)
    writer.close()


def hear(client: Client, event: bytes) -> None:
    """One event, as it came; the lengths of chunks may stand before it."""
    number = _ID.search(event)
    if number is None:
        return
    client.events += 1
    client.backwards += int(number[1]) <= client.last
    client.last = int(number[1])
    client.resets += b"event: reset" in event
    if b"event: image" in event and (found := _IMAGE.search(event)):
        client.images.add(found[1])
    if b"event: job" in event and (found := _JOB.search(event)) and found[2] == b"done":
        client.done.add(found[1])


async def submit(port: int, client: Client, place: int, over: float, every: float) -> None:
    """A job every few seconds."""
    dice = random.Random(place)
    await asyncio.sleep(dice.uniform(0, every))
    number = 0
    while time.monotonic() < over:
        number += 1
        images = dice.choice((1, 1, 2))
        wish = {"prompt": f"a {dice.choice(_WORDS)}", "steps": 4, "count": images}
        begin = time.perf_counter()
        answer = await ask(port, "POST", "/api/jobs", {"request": wish}, f"{place}-{number}")
        client.submitting.append(1000 * (time.perf_counter() - begin))
        client.jobs[answer["job"]["id"]] = images
        await asyncio.sleep(every)


async def ask(port: int, method: str, path: str, body: Any, key: str) -> Any:
    """One request and its answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    data = json.dumps(body).encode()
    writer.write(_head(port, method, path, len(data), f"Idempotency-Key: {key}\r\n") + data)
    await writer.drain()
    answer = await reader.read()
    writer.close()
    head, _, text = answer.partition(b"\r\n\r\n")
    if b" 201 " not in head.splitlines()[0]:
        raise RuntimeError(answer[:500].decode("utf-8", "replace"))
    return json.loads(text)


def _head(port: int, method: str, path: str, size: int = 0, more: str = "") -> bytes:
    last = "" if path.endswith("events") else "Connection: close\r\n"
    return (
        f"{method} {path} HTTP/1.1\r\nHost: localhost:{port}\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {size}\r\n{last}{more}\r\n"
    ).encode()


if __name__ == "__main__":
    main()
