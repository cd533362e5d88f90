"""`/api` where something is odd: texts that are none, numbers without end, disks that are full."""

import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from darkroom.server import running
from darkroom.store import durable
from darkroom.store.refusals import DiskFullError
from tests.server.conftest import House
from tests.server.test_rest import png

WISH = {"prompt": "a cat", "model": "mini", "steps": 2, "seed": 1}
HALF = "\ud800"  # of a character: JSON can write it, UTF-8 cannot
TEXTS = ("prompt", "negative", "model", "sampler", "schedule", "device", "vae", "tiling")


def ask(house: House, path: str, body: Any) -> int:
    """The status of an answer; a fault of the server is an error of the test."""
    kind = {"content-type": "application/json"}
    return house.client.post(path, content=json.dumps(body), headers=kind).status_code


@pytest.mark.parametrize("path", ["/api/jobs", "/api/plan", "/api/sayings"])
def test_halves_of_characters(shared: House, path: str) -> None:
    for field in TEXTS:
        assert ask(shared, path, {"request": {**WISH, field: f"a {HALF}"}}) == 422, field
    assert shared.services.store.queue.state().waiting == 0


@pytest.mark.parametrize("field", ["name", "prompt", "negative"])
def test_styles_are_whole_characters(
    shared: House, field: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DARKROOM_STYLES_FILE", str(tmp_path / "styles.csv"))
    said = {"name": "cosy", "prompt": "by the fire", "negative": "rain"}
    assert ask(shared, "/api/styles", {**said, field: HALF}) == 422
    assert not (tmp_path / "styles.csv").exists()


@pytest.mark.parametrize("path", ["/api/jobs", "/api/plan"])
@pytest.mark.parametrize("value", [10**400, float("inf"), float("nan")])
def test_numbers_without_end_in_a_comparison(shared: House, path: str, value: float) -> None:
    grid = {"axes": [{"field": "guidance", "values": [value]}]}
    assert ask(shared, path, {"request": WISH, "grid": grid}) == 422


def test_thumbnails_are_shown_on_a_full_disk(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.submit()
    image = house.develop(png())

    def full(*_: object) -> None:
        raise DiskFullError("The disk is full.")

    monkeypatch.setattr(durable, "write", full)
    answer = house.client.get(f"/api/images/{image}/thumbnail")
    assert answer.status_code == 200
    assert Image.open(io.BytesIO(answer.content)).size == (64, 64)


def test_a_zip_holds_images_that_are_called_alike(house: House) -> None:
    images = house.services.store.folder.images
    for month, colour in ("2026-01", "navy"), ("2026-02", "teal"):
        (images / month).mkdir()
        (images / month / "sea.png").write_bytes(png(colour))
        os.utime(images / month / "sea.png", (0, 0))  # before the first day of a zip file
    house.services.store.gallery.rebuild(running._found)
    ids = [one["id"] for one in house.client.get("/api/images").json()["images"]]
    answer = house.client.post("/api/images/zip", json={"ids": ids})
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        found = {archive.read(name) for name in set(archive.namelist())}
    assert found == {png("navy"), png("teal")}
