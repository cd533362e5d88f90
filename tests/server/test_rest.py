"""The routes of `/api`, one after another, as the page uses them."""

import io
import json
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from darkroom import paths
from darkroom.checkpoints import download
from darkroom.checkpoints.sources import Source
from darkroom.contracts import Recipe, Request
from darkroom.errors import DownloadError
from darkroom.server import answers
from darkroom.settings import TABLE
from darkroom.store import wire
from tests.server.conftest import House


def png(colour: str = "navy", size: tuple[int, int] = (64, 64)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


def upload(house: House, data: bytes) -> str:
    answer = house.client.post("/api/uploads", content=data)
    assert answer.status_code == 201, answer.text
    name: str = answer.json()["id"]
    return name


def recipe(**said: Any) -> Recipe:
    values: dict[str, Any] = {
        "task": "txt2img",
        "prompt": "a cat",
        "negative": "",
        "seed": 3,
        "steps": 20,
        "sampler": "dpmpp_2m",
        "schedule": "trailing",
        "guidance": 3.5,
        "eta": 0.0,
        "width": 64,
        "height": 64,
        "strength": None,
        "input_sha256": None,
        "model": "mini",
        "model_sha256": "0" * 64,
        "prediction": "v",
        "precision": "fp32",
        "engine": "torch",
        "device": "cpu",
        "watermark": None,
        "software": "Darkroom",
        "versions": {},
        "prompt_syntax": "a1111",
    }
    return Recipe(**values | said)


def refused(house: House, status: int = 422, **wish: Any) -> dict[str, str]:
    """The error of a wish that cannot be meant; both its plan and its submission say it."""
    body = {"request": {"prompt": "a cat", **wish}}
    said = house.client.post("/api/jobs", json=body)
    assert said.status_code == status, said.text
    assert house.client.post("/api/plan", json=body).json() == said.json()
    assert house.services.store.queue.list() == ()
    assert set(said.json()) == {"error"} and set(said.json()["error"]) == {"message", "hint"}
    error: dict[str, str] = said.json()["error"]
    return error


def stored(house: House, job: dict[str, Any]) -> tuple[Request, ...]:
    requests = house.services.store.queue.get(job["id"]).requests
    return tuple(wire.request_from_wire(one, house.services.store.inputs.read) for one in requests)


# Jobs


def test_a_job_is_accepted_and_found_again(house: House) -> None:
    answer = house.client.post("/api/jobs", json={"request": {"prompt": "a cat", "count": 3}})
    assert answer.status_code == 201
    job = answer.json()["job"]
    assert answer.headers["location"] == f"/api/jobs/{job['id']}"
    assert (job["state"], job["images"], job["position"], job["title"]) == (
        "waiting",
        3,
        0,
        "a cat",
    )
    assert house.crew.told == [("wake",)]
    whole = house.client.get(f"/api/jobs/{job['id']}").json()
    assert whole["job"] == job
    assert [line["kind"] for line in whole["history"]] == ["accepted"]
    assert house.client.get("/api/jobs").json() == {"jobs": [job], "next": None}


def test_seeds_are_drawn_when_a_job_is_accepted(house: House) -> None:
    one = stored(house, house.submit())[0]
    other = stored(house, house.submit())[0]
    assert one.seed is not None and one.seed != other.seed
    varied = stored(house, house.submit(seed=7, variation_strength=0.2))[0]
    assert varied.seed == 7 and varied.variation_seed is not None
    assert stored(house, house.submit(seed=0))[0].seed == 0


def test_many_wishes_in_one_job(house: House) -> None:
    body = {"requests": [{"prompt": "a cat", "seed": 1}, {"prompt": "a dog", "count": 2}]}
    job = house.client.post("/api/jobs", json=body).json()["job"]
    assert job["images"] == 3
    assert [request.prompt for request in stored(house, job)] == ["a cat", "a dog"]


def test_wildcards_and_styles(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    styles = tmp_path / "styles.csv"
    styles.write_text("name,prompt,negative_prompt\ncosy,{prompt} by the fire,rain\n")
    monkeypatch.setenv("DARKROOM_STYLES_FILE", str(styles))
    body = {"request": {"prompt": "a {cat|dog}", "seed": 1, "count": 8}, "styles": ["Cosy"]}
    requests = stored(house, house.client.post("/api/jobs", json=body).json()["job"])
    assert {request.prompt for request in requests} == {
        "a cat by the fire",
        "a dog by the fire",
    }
    assert {request.negative for request in requests} == {"rain"}
    assert sum(request.count for request in requests) == 8
    body["styles"] = ["cossy"]
    error = house.client.post("/api/jobs", json=body).json()["error"]
    assert "cosy" in error["hint"] and str(tmp_path) not in error["message"]


def test_what_the_settings_say(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARKROOM_STEPS", "9")
    assert stored(house, house.submit())[0].steps == 9
    assert stored(house, house.submit(steps=3))[0].steps == 3
    assert stored(house, house.submit(steps=None))[0].steps == 9


def test_a_table(house: House) -> None:
    grid = {
        "axes": [
            {"field": "guidance", "values": [1, 4.5, 8], "label": "Pull"},
            {"field": "prompt", "values": ["a cat", "a dog"], "labels": ["cat", "dog"]},
        ]
    }
    body = {"request": {"prompt": "a cat", "steps": 4}, "grid": grid}
    job = house.client.post("/api/jobs", json=body).json()["job"]
    requests = stored(house, job)
    assert [(one.guidance, one.prompt) for one in requests] == [
        (guidance, prompt) for prompt in ("a cat", "a dog") for guidance in (1, 4.5, 8)
    ]
    assert len({one.seed for one in requests}) == 1
    assert job["grid"]["axes"][0] == {
        "field": "guidance",
        "label": "Pull",
        "values": [1.0, 4.5, 8.0],
        "labels": ["1", "4.5", "8"],
    }


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        ([{"field": "image", "values": ["x"]}], "cannot vary"),
        ([{"field": "steps", "values": ["many"]}], "Steps cannot be"),
        ([{"field": "steps", "values": [1, 1]}], "twice"),
        (
            [{"field": "seed", "values": [*range(600)]}, {"field": "steps", "values": [1, 2]}],
            "1,200",
        ),
        ([{"field": "steps", "values": [0, 4]}], "Steps"),
        ([{"field": "model", "values": ["mini", "/etc/passwd"]}], "no model"),
        ([], "at least 1"),
    ],
)
def test_a_table_that_cannot_be_meant(house: House, axes: list[Any], words: str) -> None:
    body = {"request": {"prompt": "a cat"}, "grid": {"axes": axes}}
    answer = house.client.post("/api/jobs", json=body)
    assert answer.status_code == 422 and words in answer.text
    assert house.services.store.queue.list() == ()


def test_the_same_key_is_the_same_job(house: House) -> None:
    key = {"idempotency-key": "press-1"}
    body = {"request": {"prompt": "a cat"}}
    first, again = (house.client.post("/api/jobs", json=body, headers=key) for _ in range(2))
    assert first.json()["job"]["id"] == again.json()["job"]["id"]
    other = house.client.post("/api/jobs", json={"request": {"prompt": "a dog"}}, headers=key)
    assert other.status_code == 409
    assert len(house.services.store.queue.list()) == 1
    odd = house.client.post("/api/jobs", json=body, headers={"idempotency-key": "x" * 129})
    assert odd.status_code == 422


def test_a_full_queue(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(house.services.store.queue, "_max_waiting", 1)
    house.submit()
    answer = house.client.post("/api/jobs", json={"request": {"prompt": "a cat"}})
    assert answer.status_code == 429 and int(answer.headers["retry-after"]) > 0


def test_cancel_retry_move_forget(house: House) -> None:
    first, second = house.submit()["id"], house.submit()["id"]
    moved = house.client.post(f"/api/jobs/{second}/move", json={"before": first}).json()["job"]
    assert moved["position"] == 0
    moved = house.client.post(f"/api/jobs/{second}/move", json={"before": None}).json()["job"]
    assert moved["position"] == 1
    cancelled = house.client.post(f"/api/jobs/{first}/cancel").json()["job"]
    assert cancelled["state"] == "cancelled" and ("cancel", first) in house.crew.told
    assert house.client.post(f"/api/jobs/{first}/cancel").status_code == 409
    assert house.client.post(f"/api/jobs/{first}/retry").json()["job"]["state"] == "waiting"
    assert house.client.post(f"/api/jobs/{second}/skip").status_code == 200
    house.client.post(f"/api/jobs/{first}/cancel")
    assert house.client.delete(f"/api/jobs/{first}").status_code == 204
    assert house.client.get(f"/api/jobs/{first}").status_code == 404


def test_pause_and_clear(house: House) -> None:
    said = house.client.post("/api/queue", json={"paused": True}).json()
    assert said == {"paused": True, "reason": "", "waiting": 0, "running": 0}
    for _ in range(3):
        house.submit()
    assert house.client.get("/api/status").json()["queue"]["waiting"] == 3
    assert house.client.post("/api/queue/clear", json={"what": "waiting"}).json() == {"jobs": 3}
    assert house.client.get("/api/jobs?state=waiting").json()["jobs"] == []
    assert len(house.client.get("/api/jobs?state=cancelled").json()["jobs"]) == 3
    assert house.client.post("/api/queue/clear", json={"what": "finished"}).json() == {"jobs": 3}
    assert house.client.post("/api/queue", json={"paused": False}).json()["paused"] is False


def test_pages_of_jobs(house: House) -> None:
    ids = [house.submit()["id"] for _ in range(5)]
    first = house.client.get("/api/jobs?limit=3").json()
    rest = house.client.get("/api/jobs", params={"limit": 3, "after": first["next"]}).json()
    assert [job["id"] for job in first["jobs"] + rest["jobs"]] == ids and rest["next"] is None


# Wishes that cannot be meant


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"steps": 0}, "Steps"),
        ({"steps": 1.5}, "steps"),
        ({"steps": True}, "steps"),
        ({"sampler": "eulr"}, "nearest is euler"),
        ({"schedule": "karas"}, "nearest is karras"),
        ({"width": 65}, "64"),
        ({"seed": -2}, "Seed"),
        ({"seed": 2**63}, "Seed"),
        ({"count": 0}, "Count"),
        ({"count": 10**6}, "Count"),
        ({"guidance": "strong"}, "guidance"),
        ({"guidance": 1e9}, "Guidance"),
        ({"prompt": 3}, "prompt"),
        ({"prompt": "a\0b"}, "NUL"),
        ({"prompt": "x" * 100_000}, "100,000"),
        ({"model": "minni"}, "mini"),
        ({"model": "/etc/passwd"}, "no model"),
        ({"model": "../mini/mini.safetensors"}, "no model"),
        ({"vae": "/etc/passwd"}, "no model"),
        ({"device": "cuda:7"}, "cpu"),
        ({"task": "img2img"}, "no image"),
        ({"stepz": 3}, "steps"),
        ({"strength": 0.5}, "strength"),
        ({"width": 8192, "height": 8192}, ""),
    ],
    ids=str,
)
def test_wishes_that_cannot_be_meant(house: House, wish: dict[str, Any], words: str) -> None:
    error = refused(house, **wish)
    assert words in error["message"] + error["hint"]
    assert error["hint"]


def test_numbers_that_are_none(house: House) -> None:
    for text in "NaN", "Infinity", "-Infinity", "1e999":
        body = '{"request": {"prompt": "a cat", "guidance": ' + text + "}}"
        answer = house.client.post("/api/jobs", content=body)
        assert answer.status_code in {400, 422}, text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"3",
        b"null",
        b'"x"',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"request": 3}',
        b"{}",
        b'{"request": {}, "requests": [{}]}',
        b'{"wish": {}}',
        b'{"requests": []}',
        b'{"request": {"seed": ' + b"9" * 5000 + b"}}",
    ],
    ids=range(14),
)
def test_bodies_that_are_none(house: House, body: bytes) -> None:
    for path in "/api/jobs", "/api/plan":
        answer = house.client.post(path, content=body, headers={"content-type": "application/json"})
        assert answer.status_code in {400, 422}, (path, answer.text)
        assert set(answer.json()) == {"error"}


def test_half_a_character(house: House) -> None:
    body = b'{"request": {"prompt": "\\ud800"}}'
    answer = house.client.post("/api/jobs", content=body)
    assert answer.status_code == 422
    said = house.client.post("/api/tokens", content=b'{"prompt": "\\ud800"}')
    assert said.status_code == 422


def test_addresses_without_anything(house: House) -> None:
    for path in "/api/nothing", "/api/jobs/x/y", "/nothing.html", "/js/nothing.js":
        answer = house.client.get(path)
        assert answer.status_code == 404 and set(answer.json()) == {"error"}, path
    assert house.client.put("/api/jobs").status_code == 405


# Before


def test_the_plan(house: House) -> None:
    body = {"request": {"prompt": "a cat", "count": 2, "sampler": "DDIM", "steps": 15}}
    plan = house.client.post("/api/plan", json=body).json()
    assert (plan["device"], plan["images"]) == ("cpu", 2)
    assert plan["resolved"]["steps"] == 16  # the grid of the first release
    assert plan["resolved"]["sampler"] == "ddim" and plan["resolved"]["width"] == 64
    assert 0 < plan["peak_bytes"] < plan["memory_total"] and plan["seconds"] > 0
    assert house.services.store.queue.list() == ()


def test_the_plan_before_the_device_is_measured(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(house.services.store.machines, "all", lambda: ())
    answer = house.client.post("/api/plan", json={"request": {"prompt": "a cat"}})
    assert answer.status_code == 409 and answer.headers["retry-after"]
    house.submit()


def test_the_meter(house: House) -> None:
    words = " ".join(["cat"] * 40) + " zeppelin"
    said = house.client.post("/api/tokens", json={"model": "mini", "prompt": words}).json()
    prompt = said["prompt"]
    assert prompt["tokens"] > prompt["limit"] and prompt["chunks"] == 2
    assert "cat" in prompt["beyond"] and prompt["unknown"][0]["word"] == "zeppelin"
    assert said["negative"]["tokens"] == 0
    plain = {"prompt": words, "prompt_syntax": "plain"}
    assert house.client.post("/api/tokens", json=plain).json()["prompt"]["cut"]
    odd = house.client.post("/api/tokens", json={"prompt": "x", "prompt_syntax": "y"})
    assert odd.status_code == 422


# Images


def test_an_upload_becomes_an_image(house: House) -> None:
    name = upload(house, png())
    seen = house.client.get(f"/api/uploads/{name}").json()
    assert (seen["width"], seen["height"], seen["format"], seen["recipe"]) == (64, 64, "png", None)
    picture = house.client.get(f"/api/uploads/{name}/image?side=32")
    assert picture.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(picture.content)).size == (64, 64)  # the nearest that is kept
    job = house.submit(task="img2img", image=name, strength=0.5)
    assert stored(house, job)[0].image == png()
    assert house.client.get(f"/api/uploads/{'0' * 64}").status_code == 404
    assert house.client.get("/api/uploads/..").status_code == 404


def test_a_recipe_says_what_does_not_go_without_saying(house: House) -> None:
    house.submit()
    image = house.develop(png(), recipe=recipe(sampler="euler", steps=12))
    whole = house.client.get(f"/api/images/{image}").json()
    assert whole["recipe"]["guidance"] == 3.5
    said = {"task": "txt2img", "prompt": "a cat", "model": "mini", "seed": 3}
    assert whole["request"] == said | {"sampler": "euler", "steps": 12, "version": 1}
    assert whole["sayings"]["command"] == (
        "darkroom txt2img 'a cat' --steps=12 --sampler=euler --seed=3"
    )
    again = house.client.post("/api/jobs", json={"request": whole["request"]})
    assert again.status_code == 201


def test_the_gallery(house: House) -> None:
    house.submit(prompt="a hamster")
    image = house.develop(png())
    listed = house.client.get("/api/images").json()
    assert [one["id"] for one in listed["images"]] == [image] and listed["total"] == 1
    file = house.client.get(f"/api/images/{image}/file")
    assert (file.content, file.headers["content-type"]) == (png(), "image/png")
    saved = house.client.get(f"/api/images/{image}/file?download=1")
    assert "attachment" in saved.headers["content-disposition"]
    small = house.client.get(f"/api/images/{image}/thumbnail?side=128")
    assert small.headers["content-type"] == "image/webp"
    assert Image.open(io.BytesIO(small.content)).size == (64, 64)
    assert house.client.get(f"/api/images/{image}/film/1").status_code == 404
    whole = house.client.get(f"/api/images/{image}").json()
    assert whole["recipe"] is None and [one["kind"] for one in whole["history"]][-1] == "done"


def test_favourites_and_tags(house: House) -> None:
    house.submit()
    image = house.develop(png())
    changed = house.client.patch(f"/api/images/{image}", json={"favourite": True, "tags": ["sea"]})
    assert changed.json()["favourite"] and changed.json()["tags"] == ["sea"]
    assert house.client.get("/api/images?tag=sea&favourite=true").json()["total"] == 1
    assert house.client.get("/api/images?favourite=false").json()["total"] == 0
    assert house.client.get("/api/images/facets").json()["tags"] == [{"name": "sea", "images": 1}]
    for wrong in {"tags": [""]}, {"tags": ["x" * 61]}, {"favourite": 1}, {"seed": 3}:
        assert house.client.patch(f"/api/images/{image}", json=wrong).status_code == 422


def test_the_trash(house: House) -> None:
    house.submit()
    image = house.develop(png())
    assert house.client.delete(f"/api/images/{image}").json() == {"ids": [image]}
    assert house.client.get("/api/images").json()["total"] == 0
    assert house.client.get("/api/images?trashed=true").json()["total"] == 1
    assert house.client.post(f"/api/images/{image}/restore").json()["trashed"] is None
    assert house.client.post("/api/images/delete", json={"ids": [image]}).json()["ids"] == [image]
    assert house.client.post("/api/images/restore", json={"ids": [image]}).json()["ids"] == [image]
    house.client.delete(f"/api/images/{image}")
    purge = {"ids": [image]}
    assert house.client.post("/api/images/purge", json=purge).json() == purge
    assert house.client.post("/api/images/purge", json=purge).json() == {"ids": []}
    assert house.client.get(f"/api/images/{image}").status_code == 404


def test_images_in_a_zip(house: House) -> None:
    house.submit(count=2)
    house.develop(png())
    ids = [one["id"] for one in house.client.get("/api/images").json()["images"]]
    answer = house.client.post("/api/images/zip", json={"ids": ids})
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert [archive.read(name) for name in archive.namelist()] == [png(), png()]
    gone = house.client.post("/api/images/zip", json={"ids": ["0-0"]})
    assert gone.status_code == 404


def test_an_image_becomes_an_input(house: House) -> None:
    house.submit()
    image = house.develop(png())
    name = house.client.post(f"/api/images/{image}/input").json()["id"]
    house.submit(task="img2img", image=name)
    child = house.develop(png("red"), recipe=recipe(input_sha256=name))
    assert [one["id"] for one in house.client.get(f"/api/images/{child}").json()["parents"]] == [
        image
    ]


# What there is


def test_models(house: House) -> None:
    said = house.client.get("/api/models").json()
    (mini,) = [model for model in said["models"] if model["name"] == "mini"]
    assert mini["demonstration"] and not mini["removable"] and mini["prediction_reason"]
    one = house.client.get("/api/models/mini").json()["model"]
    assert len(one["sha256"]) == 64
    assert house.client.get("/api/models/known").json()["models"][0]["licence"]
    assert house.client.delete("/api/models/mini").status_code == 409
    assert house.client.delete("/api/models/nobody").status_code == 404


def test_models_of_other_programs(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_checkpoint: Any
) -> None:
    folder = tmp_path / "a1111" / "Stable-diffusion"
    folder.mkdir(parents=True)
    (folder / "theirs.safetensors").write_bytes(tiny_checkpoint.safetensors.read_bytes())
    monkeypatch.setenv("SD_MODELSDIR", str(folder.parent))
    monkeypatch.setenv("HOME", str(tmp_path))
    text = house.client.get("/api/models/found").text
    assert str(tmp_path) not in text
    (found,) = json.loads(text)["found"]
    assert (found["program"], found["name"]) == ("A1111", "theirs")
    assert house.client.post("/api/models/import", json={"id": "0" * 32}).status_code == 404
    named = house.client.post("/api/models/import", json={"id": found["id"]})
    assert (named.status_code, named.json()) == (201, {"name": "theirs"})
    assert stored(house, house.submit(model="theirs", width=64, height=64))[0].model == "theirs"
    assert house.client.delete("/api/models/theirs").status_code == 204


@pytest.mark.parametrize(
    "name",
    ["", "x", "../x", "file:///etc/passwd", "http://127.0.0.1/x.ckpt", "ftp://x/y.ckpt", "a/b/c"],
)
def test_nothing_is_pulled_from_nowhere(house: House, name: str) -> None:
    answer = house.client.post("/api/models/pull", json={"name": name})
    assert answer.status_code == 422
    assert house.services.arrivals.all() == []


def test_a_pull_is_told_from_its_beginning_to_its_end(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = threading.Event()

    def pulled(source: Source, folder: Path) -> Iterator[download.Event]:
        yield download.Step(1, 4)
        assert asked.wait(10)
        raise DownloadError(f"There is no room in {folder}/x.", "Make some.")

    monkeypatch.setattr(download, "pull", pulled)
    answer = house.client.post("/api/models/pull", json={"name": "sd-1.5"})
    assert (answer.status_code, answer.json()) == (202, {"name": "sd-1.5"})
    again = house.client.post("/api/models/pull", json={"name": "sd-1.5"})
    assert again.status_code == 409
    asked.set()
    for _ in range(1000):
        (told,) = house.client.get("/api/models").json()["pulls"]
        if told["state"] != "running":
            break
        time.sleep(0.01)
    assert (told["state"], told["message"]) == ("failed", "There is no room in x.")
    events = house.services.news.hub.since(0)
    assert events is not None and events[-1].name == "pull"


def test_a_model_is_converted(house: House) -> None:
    body = {"to": "safetensors", "precision": "fp16"}
    answer = house.client.post("/api/models/mini/convert", json=body)
    assert (answer.status_code, answer.json()) == (202, {"name": "mini-fp16.safetensors"})
    for _ in range(6000):
        (told,) = house.client.get("/api/models").json()["pulls"]
        if told["state"] != "running":
            break
        time.sleep(0.02)
    assert told["state"] == "done", told
    names = [model["name"] for model in house.client.get("/api/models").json()["models"]]
    assert "mini-fp16" in names
    assert house.client.post("/api/models/mini/convert", json=body).status_code == 409
    (paths.models_folder() / "mini-fp16.safetensors").unlink()


def test_settings_and_choices(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARKROOM_STEPS", "many")
    rows = {row["name"]: row for row in house.client.get("/api/settings").json()["settings"]}
    assert rows.keys() == TABLE.keys()
    assert rows["steps"]["source"] == "environment" and "many" in rows["steps"]["error"]
    choices = house.client.get("/api/choices").json()
    assert "euler" in {sampler["name"] for sampler in choices["samplers"]}
    assert {"field": "steps", "label": "Steps", "kind": "integer"} in choices["axes"]
    assert "names" in house.client.get("/api/wildcards").json()


def test_the_document_says_what_a_wish_may_hold(house: House) -> None:
    document = house.client.get("/api/openapi.json").json()
    wish = answers.Submission.model_json_schema()["properties"]["request"]["anyOf"][0]
    assert wish["properties"].keys() == {*Request.__dataclass_fields__}
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            assert told["description"] and told["tags"], (method, path)
            assert any(status.startswith("2") for status in told["responses"]), (method, path)
            if not path.startswith("/api/"):
                continue
            assert_is_shown(document, told)
            wrong = told["responses"].get("422", {"content": {"application/json": {"schema": {}}}})
            assert "HTTPValidationError" not in str(wrong), (method, path)


def assert_is_shown(document: Any, told: Any) -> None:
    """Every body that is taken has an example; every one that is answered is described."""
    for content in told.get("requestBody", {}).get("content", {}).values():
        name = content["schema"].get("$ref", "").rpartition("/")[2]
        shown = document["components"]["schemas"].get(name, {}).get("examples")
        assert shown or content["schema"].get("format") == "binary", told["operationId"]
    for status, answer in told["responses"].items():
        if status.startswith("2") and "application/json" in answer.get("content", {}):
            assert "$ref" in answer["content"]["application/json"]["schema"], told["operationId"]


def test_a_wish_in_other_words(house: House) -> None:
    wish = {"prompt": "it's a cat", "steps": 9, "seed": 1, "guidance": 4.5}
    said = house.client.post("/api/sayings", json={"request": wish}).json()
    assert said["command"] == (
        """darkroom txt2img 'it'"'"'s a cat' --steps=9 --guidance=4.5 --seed=1"""
    )
    assert """model.txt2img("it's a cat", steps=9, guidance=4.5, seed=1)""" in said["python"]
    assert said["http"].startswith("curl http://127.0.0.1:7860/api/jobs")
    compile(said["python"], "said", "exec")


def test_the_page(house: House) -> None:
    answer = house.client.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    tag = {"if-none-match": answer.headers["etag"]}
    assert house.client.get("/", headers=tag).status_code == 304
    script = house.client.get("/js/main.js")
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    for path in (
        "/js",
        "/js/",
        "/js//main.js",
        "/..%2fcontracts.py",
        "/%2e%2e/app.py",
        "/js/main.py",
    ):
        assert house.client.get(path).status_code == 404, path
