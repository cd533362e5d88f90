"""A database is lost, and the gallery comes back out of the files' own metadata."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from darkroom.images import io, provenance
from darkroom.images.io import Format
from darkroom.server import running
from darkroom.store.jobs import NewImage
from darkroom.store.opening import open_store
from tests.server.conftest import House
from tests.server.test_rest import recipe
from tests.store.samples import submit

SUFFIXES: dict[Format, str] = {"png": ".png", "jpeg": ".jpg", "webp": ".webp"}


def made(folder: Path) -> list[str]:
    """One image of each format, and a private one, of one job; their ids."""
    store = open_store(folder)
    submit(store, images=4)
    claim = store.queue.claim("cpu")
    assert claim is not None
    pixels = io.from_array(np.full((48, 64, 3), 90, np.uint8))
    ids = []
    for number, file_format in enumerate([*SUFFIXES, "png"]):
        told = recipe(prompt=f"a {file_format} of a fox", seed=number, height=48)
        mark = provenance.new_mark("0.1")
        data = io.encode(pixels, file_format, mark=mark, recipe=told if number < 3 else None)
        image = store.queue.image_done(
            claim,
            number,
            NewImage(data=data, suffix=SUFFIXES[file_format], width=64, height=48, recipe=told),
        )
        assert image is not None
        ids.append(image.id)
    store.close()
    return ids


def test_a_lost_gallery_comes_back_with_its_recipes(
    opened: Callable[..., House], tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    ids = made(folder)
    for path in folder.glob("*.db*"):
        path.unlink()
    house = opened(folder)
    assert house.client.get("/api/images").json()["total"] == 0
    running._tidy(house.services)

    listed = house.client.get("/api/images?search=fox&order=old").json()
    assert [image["id"] for image in listed["images"]] == ids[:3]
    assert [image["seed"] for image in listed["images"]] == [0, 1, 2]
    for number, name in enumerate(ids[:3]):
        seen = house.client.get(f"/api/images/{name}").json()
        assert seen["recipe"]["seed"] == number
        assert seen["request"]["prompt"] == seen["image"]["prompt"]
    store = house.services.store
    assert store.gallery.recipe(ids[1]) == recipe(prompt="a jpeg of a fox", seed=1, height=48)
    private = house.client.get(f"/api/images/{ids[3]}").json()
    assert (private["image"]["prompt"], private["recipe"]) == ("", None)
    assert (private["image"]["width"], private["image"]["height"]) == (64, 48)
    assert house.client.get(f"/api/images/{ids[3]}/file").status_code == 200
