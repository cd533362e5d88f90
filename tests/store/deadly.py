"""A submitter and a worker in processes of their own, to be killed at any moment.

    python deadly.py FOLDER submit|work

Each line that they print was true when it was printed: `accepted ID` after the answer of `submit`.
"""

import sys
import time
from pathlib import Path

from darkroom.store.jobs import NewImage
from darkroom.store.opening import Store, join_store

IMAGES = 3


def submit(store: Store) -> None:
    print("ready", flush=True)
    number = 0
    while True:
        number += 1
        wish = {"version": 1, "task": "txt2img", "prompt": str(number)}
        job = store.queue.submit([wish], task="txt2img", title=str(number), images=IMAGES)
        print("accepted", job.id, flush=True)
        time.sleep(0.02)


def work(store: Store) -> None:
    print("ready", flush=True)
    while True:
        claim = store.queue.claim("cpu")
        if claim is None:
            time.sleep(0.002)
            continue
        for number in claim.todo:
            data = f"pixels:{claim.job.id} {number} ".encode() + b"." * 20_000
            image = NewImage(data=data, suffix=".png", width=8, height=8, recipe=None)
            if store.queue.image_done(claim, number, image) is None:
                break
        else:
            if store.queue.finished(claim) is not None:
                print("done", claim.job.id, flush=True)


if __name__ == "__main__":
    {"submit": submit, "work": work}[sys.argv[2]](join_store(Path(sys.argv[1])))
