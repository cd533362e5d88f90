"""The same wish by the command line, `/api`, `/v1` and `/sdapi` is the same image."""

import base64
import hashlib
import io
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.cli.conftest import in_process
from tests.clients.conftest import Served

PROMPT = "a hamster on a blue background"
WISH: dict[str, Any] = {"prompt": PROMPT, "seed": 7, "steps": 3, "guidance": 5}


@pytest.fixture
def client(served: Served) -> Any:
    with httpx.Client(
        base_url=served.url, headers={"Authorization": f"Bearer {served.token}"}, timeout=120
    ) as client:
        yield client


@pytest.fixture
def image(tmp_path: Path) -> Path:
    file = tmp_path / "image.png"
    Image.linear_gradient("L").convert("RGB").resize((64, 64)).save(file)
    return file


def pixels(data: bytes) -> str:
    """A checksum of the pixels."""
    return hashlib.sha256(Image.open(io.BytesIO(data)).convert("RGB").tobytes()).hexdigest()


def by_flags(tmp_path: Path, *arguments: object) -> str:
    file = tmp_path / "made.png"
    said = ["--seed", 7, "--steps", 3, "--guidance", 5, "--device", "cpu", "--out", file]
    done = in_process(*arguments, *said)
    assert done.exit_code == 0, done.stderr
    return pixels(file.read_bytes())


def by_rest(client: httpx.Client, wish: dict[str, Any]) -> str:
    job = _said(client.post("/api/jobs", json={"request": wish}))["job"]
    for _ in range(600):
        found = _said(client.get(f"/api/jobs/{job['id']}"))
        if found["job"]["state"] == "done":
            return pixels(client.get(found["images"][0]["file"]).content)
        assert found["job"]["state"] in {"waiting", "running"}, found
        time.sleep(0.05)
    raise AssertionError(found)


def by_openai(answer: httpx.Response) -> str:
    return pixels(base64.b64decode(_said(answer)["data"][0]["b64_json"]))


def by_a1111(client: httpx.Client, route: str, **said: Any) -> str:
    wish = {"prompt": PROMPT, "seed": 7, "steps": 3, "cfg_scale": 5, **said}
    answer = _said(client.post(f"/sdapi/v1/{route}", json=wish))
    return pixels(base64.b64decode(answer["images"][0]))


def _said(answer: httpx.Response) -> Any:
    assert answer.is_success, answer.text
    return answer.json()


def test_from_text(client: httpx.Client, tmp_path: Path) -> None:
    made = {
        by_flags(tmp_path, "txt2img", PROMPT),
        by_rest(client, WISH),
        by_openai(client.post("/v1/images/generations", json=WISH)),
        by_a1111(client, "txt2img"),
    }
    assert len(made) == 1


def test_from_an_image(client: httpx.Client, tmp_path: Path, image: Path) -> None:
    data = image.read_bytes()
    text = base64.b64encode(data).decode()
    upload = _said(client.post("/api/uploads", content=data))["id"]
    form = {name: str(value) for name, value in WISH.items()} | {"strength": "0.6"}
    made = {
        by_flags(tmp_path, "img2img", image, PROMPT, "--strength", 0.6),
        by_rest(client, {**WISH, "task": "img2img", "image": upload, "strength": 0.6}),
        by_openai(client.post("/v1/images/edits", data=form, files={"image": data})),
        by_a1111(client, "img2img", init_images=[text], denoising_strength=0.6),
    }
    assert len(made) == 1


def test_who_goes_away_stops_nothing(client: httpx.Client) -> None:
    _said(client.post("/api/queue", json={"paused": True}))
    try:
        for route in ("/v1/images/generations", "/sdapi/v1/txt2img"):
            with pytest.raises(httpx.ReadTimeout):
                client.post(route, json={"prompt": PROMPT, "steps": 1}, timeout=0.5)
    finally:
        _said(client.post("/api/queue", json={"paused": False}))
    for _ in range(600):
        jobs = _said(client.get("/api/jobs", params={"limit": 2}))["jobs"]
        if {job["state"] for job in jobs} == {"done"}:
            break
        time.sleep(0.05)
    assert [(job["state"], job["images_done"]) for job in jobs] == [("done", 1)] * 2
    assert {job["origin"] for job in jobs} == {"openai", "a1111"}


def test_a_stream_may_be_left(client: httpx.Client) -> None:
    wish = {"prompt": PROMPT, "seed": 12, "steps": 40, "stream": True, "partial_images": 3}
    with client.stream("POST", "/v1/images/generations", json=wish) as answer:
        lines = answer.iter_lines()
        assert next(lines) == "event: image_generation.partial_image"
    job = _said(client.get("/api/jobs", params={"limit": 1}))["jobs"][0]
    assert job["state"] in {"running", "done"}
    client.post(f"/api/jobs/{job['id']}/cancel")
