"""Processes that are killed at any moment lose nothing that was accepted, and double nothing."""

import random
import subprocess
import sys
import threading
import time
from pathlib import Path

from darkroom.store import durable
from darkroom.store.opening import Store, join_store, open_store
from darkroom.store.pictures import Filter
from tests.store import deadly
from tests.store.samples import WISH

KILLS = 20


class Child:
    """One process, and the lines that it had printed when it was killed."""

    def __init__(self, root: Path, part: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, deadly.__file__, str(root), part],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.endswith("\n"):
                self.lines.append(line.strip())

    def begun(self) -> "Child":
        """Wait until it works."""
        end = time.monotonic() + 60
        while not self.lines and time.monotonic() < end:
            time.sleep(0.002)
        return self

    def kill(self) -> list[str]:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()
        return self.lines


def accepted_by(children: list[Child]) -> set[str]:
    return {line.split()[1] for one in children for line in one.lines if "accepted" in line}


def whole(store: Store, jobs: set[str]) -> None:
    """Every accepted job is there, every visible image is complete, none is there twice."""
    found = {job.id: job for job in store.queue.list(limit=1000)}
    assert jobs <= set(found)
    seen = set()
    after = None
    while True:
        page = store.gallery.page(limit=500, after=after)
        for image in page.images:
            data = store.gallery.path(image.id).read_bytes()
            assert data.startswith(f"pixels:{image.job} {image.number} ".encode())
            assert data.endswith(b"." * 20_000)
            assert (image.job, image.number) not in seen
            seen.add((image.job, image.number))
        after = page.next
        if after is None:
            break
    for job in found.values():
        count = len([1 for name, _ in seen if name == job.id])
        assert count == job.images_done
        assert job.state != "done" or count == deadly.IMAGES
        assert job.state != "failed"
    names = [path.name for path in store.folder.images.rglob("*.png")]
    assert len(names) == len(set(names))


def test_kill_after_kill_loses_no_job_and_makes_no_image_twice(tmp_path: Path) -> None:
    root = tmp_path / "data"
    store = open_store(root)
    chance = random.Random(7)
    dead: list[Child] = []
    living = {part: Child(root, part) for part in ("submit", "work")}
    for _ in range(KILLS):
        for child in living.values():
            child.begun()
        time.sleep(chance.uniform(0, 0.05))
        for part in chance.choice([("submit",), ("work",), ("submit", "work")]):
            living[part].kill()
            dead.append(living[part])
            if part == "work":
                store.queue.recover()
            living[part] = Child(root, part)
    for child in living.values():
        child.kill()
    store.queue.recover()
    jobs = accepted_by([*dead, *living.values()])
    assert len(jobs) >= KILLS / 2
    whole(store, jobs)
    worker = Child(root, "work")
    end = time.monotonic() + 60
    while (state := store.queue.state()).waiting + state.running and time.monotonic() < end:
        time.sleep(0.05)
    worker.kill()
    whole(store, jobs)
    assert {store.queue.get(job).state for job in jobs} == {"done"}
    store.close()
    again = open_store(root)
    assert again.notes == ()
    whole(again, jobs)
    again.close()


def test_orphans_of_a_dead_server_and_a_new_worker_do_not_both_win(store: Store) -> None:
    """A worker that outlives its server for a while meets the next one at the same job."""
    wishes = [store.queue.submit([WISH], task="t", title="", images=deadly.IMAGES) for _ in "123"]
    orphans = [Child(store.folder.root, "work").begun() for _ in range(2)]
    for _ in range(15):
        time.sleep(0.01)
        store.queue.recover()
    end = time.monotonic() + 30
    while store.queue.state().waiting + store.queue.state().running and time.monotonic() < end:
        store.queue.recover()
        time.sleep(0.2)
    for child in orphans:
        child.kill()
    assert store.gallery.count() == len(wishes) * deadly.IMAGES
    whole(store, {job.id for job in wishes})
    assert not [path for path in store.folder.images.rglob("*") if durable.is_part(path)]


def test_sixteen_writers_disturb_nobody(store: Store) -> None:
    """Two processes and twelve threads accept, claim, mark and read at once."""
    children = [Child(store.folder.root, part) for part in ("submit", "work")]
    wrong: list[Exception] = []
    keys = [f"key {n}" for n in range(6)]

    def write(number: int) -> None:
        mine = join_store(store.folder.root)
        try:
            for turn in range(12):
                key = keys[turn % len(keys)]
                job = mine.queue.submit([WISH], task="t", title=key, images=1, key=key)
                assert job.title == key
                mine.gallery.page(Filter(search="pixels"), limit=10)
                for image in mine.gallery.page(limit=2).images:
                    mine.gallery.favourite(image.id, bool(number % 2))
        except Exception as error:  # noqa: BLE001
            wrong.append(error)
        finally:
            mine.close()

    threads = [threading.Thread(target=write, args=[n]) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for child in children:
        child.kill()
    assert wrong == []
    with store.database.read() as connection:
        titles = connection.execute("SELECT title FROM jobs WHERE title LIKE 'key%'").fetchall()
    assert sorted(row[0] for row in titles) == sorted(keys), "one job for each key"
