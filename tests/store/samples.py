"""Jobs, images and recipes for the tests of the store."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from darkroom.contracts import Recipe
from darkroom.store.jobs import Claim, Job, NewImage
from darkroom.store.opening import Store
from darkroom.store.pictures import Found, Image

WISH: Mapping[str, object] = {"version": 1, "task": "txt2img", "prompt": "a hamster", "seed": 7}

RECIPE = Recipe(
    task="txt2img",
    prompt="a hamster on a blue background",
    negative="blurry",
    seed=7,
    steps=20,
    sampler="dpmpp_2m",
    schedule="karras",
    guidance=7.5,
    eta=0.0,
    width=64,
    height=48,
    strength=None,
    input_sha256=None,
    model="mini",
    model_sha256="ab" * 32,
    prediction="v",
    precision="fp32",
    engine="torch",
    device="cpu",
    watermark=None,
    software="Darkroom 0.1",
    versions={"torch": "2.13"},
)


def recipe(**changes: Any) -> Recipe:
    return dataclasses.replace(RECIPE, **changes)


def new_image(data: bytes = b"pixels", **changes: Any) -> NewImage:
    width, height = changes.pop("width", 64), changes.pop("height", 48)
    return NewImage(data=data, suffix=".png", width=width, height=height, recipe=recipe(**changes))


def submit(store: Store, title: str = "a job", images: int = 1, **more: Any) -> Job:
    return store.queue.submit([WISH], task="txt2img", title=title, images=images, **more)


def claim(store: Store, worker: str = "cpu") -> Claim:
    claimed = store.queue.claim(worker)
    assert claimed is not None
    return claimed


def make(store: Store, data: bytes = b"pixels", **changes: Any) -> Image:
    """An image in the gallery, by way of a job of its own."""
    job = submit(store)
    claimed = claim(store)
    assert claimed.job.id == job.id
    image = store.queue.image_done(claimed, 0, new_image(data, **changes))
    assert image is not None
    store.queue.finished(claimed)
    return image


def read(path: Path) -> Found:
    """Stands for the reader of images: what the tests write is `pixels` and a prompt."""
    prompt = path.read_bytes().decode().partition(":")[2]
    return Found(width=64, height=48, recipe=recipe(prompt=prompt) if prompt else None)
