"""The store at 10,000 jobs and 10,000 images, beside SQLite's own price of a durable commit.

python -m benchmarks.store > results.json
"""

import argparse
import json
import random
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.v1_cpu import machine, spread
from darkroom.contracts import Recipe
from darkroom.store import database, rows
from darkroom.store.opening import Store, open_store
from darkroom.store.pictures import Filter

WORDS = 3000  # that prompts are made of
PROMPT_WORDS = 30


def milliseconds(run: Callable[[], object], rounds: int) -> dict[str, float]:
    """Of each of `rounds` runs: least, median, most."""
    found = []
    for _ in range(rounds):
        begin = time.perf_counter()
        run()
        found.append(1000 * (time.perf_counter() - begin))
    return spread(found)


def commits(folder: Path, count: int) -> float:
    """Seconds for durable commits of one short row each, and nothing else: what the disk takes."""
    connection = database.connect(folder / "plain.db")
    connection.execute("CREATE TABLE numbers (n INTEGER PRIMARY KEY, text TEXT)")
    begin = time.perf_counter()
    for _ in range(count):
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO numbers (text) VALUES ('a row')")
        connection.execute("COMMIT")
    seconds = time.perf_counter() - begin
    connection.close()
    return seconds


def prompt(chance: random.Random) -> str:
    """Words that mean nothing."""
    return " ".join(f"word{chance.randrange(WORDS)}" for _ in range(PROMPT_WORDS))


def fill_gallery(store: Store, count: int) -> None:
    """Rows and, for each, a file of one byte."""
    chance = random.Random(1)
    folder = store.folder.images / "2026-11"
    folder.mkdir()
    with store.database.write() as connection:
        for number in range(count):
            (folder / f"{number}.png").write_bytes(b"x")
            rows.insert(connection, _row(number, prompt(chance)))


def _row(number: int, text: str) -> rows.NewRow:
    recipe = Recipe(
        task="txt2img",
        prompt=text,
        negative="",
        seed=number,
        steps=20,
        sampler="dpmpp_2m",
        schedule="karras",
        guidance=7.5,
        eta=0.0,
        width=512,
        height=512,
        strength=None,
        input_sha256=f"{number - 1:064x}" if number % 3 else None,
        model="mini",
        model_sha256="0" * 64,
        prediction="v",
        precision="fp32",
        engine="torch",
        device="cpu",
        watermark=None,
        software="Darkroom",
        versions={},
    )
    return rows.NewRow(
        id=f"{number:016x}-0",
        job=f"{number:016x}",
        number=0,
        sheet=False,
        file=f"2026-11/{number}.png",
        sha256=f"{number:064x}",
        bytes=1,
        width=512,
        height=512,
        created="2026-11-20T20:00:00.000Z",
        recipe=recipe,
    )


def submit(store: Store, count: int) -> float:
    """Seconds for jobs that are accepted one by one."""
    chance = random.Random(2)
    wishes = [{"version": 1, "task": "txt2img", "prompt": prompt(chance)} for _ in range(count)]
    begin = time.perf_counter()
    for wish in wishes:
        store.queue.submit([wish], task="txt2img", title="a job", images=1)
    return time.perf_counter() - begin


def queue_times(store: Store, rounds: int) -> dict[str, Any]:
    """What people and workers do to a long queue."""
    queue = store.queue
    jobs = [job.id for job in queue.list(limit=1000)]

    def turn() -> None:
        claim = queue.claim("bench")
        assert claim is not None
        queue.release(claim)

    return {
        "page_of_100": milliseconds(lambda: queue.list(limit=100), rounds),
        "page_of_100_in_the_middle": milliseconds(
            lambda: queue.list(limit=100, after=jobs[500]), rounds
        ),
        "one_job": milliseconds(lambda: queue.get(jobs[-1]), rounds),
        "state": milliseconds(queue.state, rounds),
        "claim_and_release": milliseconds(turn, rounds),
        "move": milliseconds(lambda: queue.move(jobs[900], jobs[3]), rounds),
        "cancel_all": milliseconds(lambda: queue.clear("waiting"), 1),
        "forget_all": milliseconds(lambda: queue.clear("finished"), 1),
    }


def gallery_times(store: Store, rounds: int) -> dict[str, Any]:
    """What a page of the gallery asks."""
    gallery = store.gallery
    middle = f"{5000:016x}-0"
    searches = {
        "search_two_words": Filter(search="word17 word2"),
        "search_letters": Filter(search="(("),
        "no_such_size": Filter(min_side=5000),
        "no_favourite": Filter(favourite=True),
    }
    return {
        "first_page_of_60": milliseconds(lambda: gallery.page(limit=60), rounds),
        "page_of_500": milliseconds(lambda: gallery.page(limit=500), rounds),
        "count": milliseconds(gallery.count, rounds),
        **{
            name: milliseconds(lambda chosen=chosen: gallery.page(chosen, limit=60), rounds)  # type: ignore[misc]
            for name, chosen in searches.items()
        },
        "parents_and_children": milliseconds(
            lambda: (gallery.parents(middle), gallery.children(middle)), rounds
        ),
        "delete_1000": milliseconds(
            lambda: gallery.trash([f"{number:016x}-0" for number in range(1000)]), 1
        ),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--count", type=int, default=10_000, help="jobs, and images")
    said = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder) / "data")
        plain, enqueued = commits(Path(folder), said.count), submit(store, said.count)
        fill_gallery(store, said.count)
        results = {
            "machine": machine(),
            "sqlite": sqlite3.sqlite_version,
            "count": said.count,
            "enqueue_seconds": round(enqueued, 3),
            "plain_commits_seconds": round(plain, 3),
            "enqueue_by_plain_commits": round(enqueued / plain, 2),
            "database_megabytes": round(store.folder.database.stat().st_size / 1e6, 1),
            "queue_milliseconds": queue_times(store, said.rounds),
            "gallery_milliseconds": gallery_times(store, said.rounds),
        }
        store.close()
        root = Path(folder) / "data"
        results["open_milliseconds"] = milliseconds(lambda: open_store(root).close(), 3)
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
