"""`/sdapi/v1` says no as the original does; its images are tested with a client of other people."""

import base64
import io
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from darkroom.contracts import ModelTask
from darkroom.images import inspection, provenance
from darkroom.images import io as files
from darkroom.server import a1111, a1111_extras
from darkroom.server.a1111_bodies import Extras
from darkroom.server.model_names import ModelNames
from tests.server.conftest import House

TEXT, IMAGE = "/sdapi/v1/txt2img", "/sdapi/v1/img2img"


def picture(size: tuple[int, int] = (8, 8)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, "green").save(buffer, "PNG")
    return buffer.getvalue()


def text_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def problem(answer: Any) -> dict[str, Any]:
    """The problem in the shape of the original."""
    assert 400 <= answer.status_code < 500, answer.text
    said: dict[str, Any] = answer.json()
    assert said.keys() == {"error", "detail", "body", "errors"} and said["detail"]
    assert "/home" not in answer.text and "Traceback" not in answer.text
    return said


def test_strangers(shared: House) -> None:
    assert shared.stranger.get("/sdapi/v1/options").status_code == 401
    problem(shared.stranger.post(TEXT, json={}))
    token = shared.services.keys.token
    assert shared.stranger.get("/sdapi/v1/options", auth=("anybody", token)).status_code == 200
    assert shared.stranger.get("/sdapi/v1/options", auth=("anybody", "wrong")).status_code == 401


def test_addresses_that_are_none(shared: House) -> None:
    problem(shared.client.get("/sdapi/v1/nowhere"))
    assert shared.client.delete(TEXT).status_code == 405
    problem(shared.client.post("/sdapi/v1/interrogate", json={"image": ""}))


HOSTILE: list[Any] = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"[" * 5000,
    b'{"cfg_scale": NaN}',
    b'{"frobnicate": NaN, "width": 63}',
    b'{"seed": 1' + b"0" * 400 + b"}",
    {"width": 63},
    {"width": 1e30},
    {"steps": "many"},
    {"steps": 0},
    {"seed": -2},
    {"batch_size": 10**9, "n_iter": 10**9},
    {"styles": ["\ud800"]},
    {"styles": ["no such style"]},
    {"prompt": "x" * 200_000},
    {"prompt": "\0"},
    {"sampler_name": "\ud800"},
    {"sampler_name": "x" * 10_000},
    {"script_name": "x" * 10_000},
    {"alwayson_scripts": {"x" * 10_000: {"args": [1]}}},
    {"override_settings": {"sd_model_checkpoint": "/etc/passwd"}},
    {"override_settings": {"sd_model_checkpoint": "../mini"}},
    {"override_settings": {"sd_model_checkpoint": "x" + " " * 10**6 + "x"}},
    {"override_settings": {"sd_vae": "/etc/passwd"}},
    {"override_settings": {"CLIP_stop_at_last_layers": 10**30}},
    {"override_settings": {"eta_noise_seed_delta": 1e300}},
    {"override_settings": {"samples_format": ["png"]}},
    {"enable_hr": True, "hr_scale": 1e308},
    {"enable_hr": True, "hr_resize_x": 10**400, "width": 64, "height": 64},
    {"eta": 7, "sampler_name": "Euler a"},
    *(
        b'{"%s": %s}' % (name, b"[" * depth + b"1" + b"]" * depth)
        for name in (b"steps", b"styles", b"override_settings")
        for depth in (700, 950)
    ),
    *(
        b'{"%s": {"x": %s, "sd_model_checkpoint": 7}}' % (name, b"[" * 900 + b"1" + b"]" * 900)
        for name in (b"override_settings", b"alwayson_scripts")
    ),
]


@pytest.mark.parametrize("body", HOSTILE, ids=lambda body: str(body)[:30])
def test_hostile_wishes(shared: House, body: Any) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    problem(shared.client.post(TEXT, content=content, headers={"content-type": "application/json"}))
    assert shared.services.store.queue.state().waiting == 0


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"init_images": ["%%%"]},
        {"init_images": [text_of(b"no image")]},
        {"init_images": ["http://127.0.0.1/x.png"]},
        {"init_images": ["file:///etc/passwd"]},
        {"init_images": ["/etc/passwd"]},
        {"init_images": [text_of(picture())] * 2, "n_iter": 10**12},
        {"init_images": [text_of(picture())], "mask": text_of(b"no image")},
        {"init_images": [text_of(picture())], "resize_mode": 1, "width": -8, "height": 8},
        {"init_images": [text_of(picture())], "resize_mode": 2, "width": 10**9, "height": 1},
    ],
    ids=lambda said: str(said)[:40],
)
def test_hostile_images(shared: House, said: dict[str, Any]) -> None:
    problem(shared.client.post(IMAGE, json=said))
    for path in ("png-info", "extra-single-image"):
        image = said.get("init_images", [""])[0]
        if len(said) == 1:
            problem(shared.client.post(f"/sdapi/v1/{path}", json={"image": image}))
    assert shared.services.store.queue.state().waiting == 0


def test_options_are_judged_before_they_hold(house: House) -> None:
    for said in (
        {"sd_model_checkpoint": "absent"},
        {"sd_model_checkpoint": 7},
        {"CLIP_stop_at_last_layers": "two"},
        {"randn_source": "dice"},
    ):
        problem(house.client.post("/sdapi/v1/options", json=said))
    settled = {"CLIP_stop_at_last_layers": 2, "some_other_option": 1, "sd_model_checkpoint": "mini"}
    assert house.client.post("/sdapi/v1/options", json=settled).json() is None
    told = house.client.get("/sdapi/v1/options").json()
    assert told["CLIP_stop_at_last_layers"] == 2 and "some_other_option" not in told
    assert told["sd_model_checkpoint"].startswith("mini")


def answered(house: House, path: str, body: dict[str, Any], file: bytes) -> Any:
    """The answer to a call that waits, while somebody makes this file of every image."""
    came: list[Any] = []
    asking = threading.Thread(
        target=lambda: came.append(house.client.post(f"/sdapi/v1/{path}", json=body))
    )
    asking.start()
    for _ in range(400):
        if house.services.store.queue.state().waiting:
            break
        time.sleep(0.01)
    identifier = house.develop(file)
    house.services.news.job(identifier.rpartition("-")[0])
    asking.join(20)
    (answer,) = came
    return answer


def test_private_images_come_without_recipe(house: House) -> None:
    answer = answered(house, "txt2img", {"prompt": "a cat", "seed": 4}, picture())
    assert answer.status_code == 200, answer.text
    said = answer.json()
    info = json.loads(said["info"])
    assert said["images"] == [text_of(picture())] and info["infotexts"] == [""]
    jobs = house.services.store.queue.list(["done"])
    assert [job.origin for job in jobs] == ["a1111"]


def test_who_waits_is_told_when_the_queue_is_cleared(house: House) -> None:
    came: list[Any] = []
    asking = threading.Thread(
        target=lambda: came.append(house.client.post(TEXT, json={"prompt": "a cat"}))
    )
    asking.start()
    for _ in range(400):
        if house.services.store.queue.state().waiting:
            break
        time.sleep(0.01)
    house.client.post("/api/queue/clear", json={"what": "waiting"})
    asking.join(20)
    assert came[0].status_code == 200 and came[0].json()["images"] == []


def test_images_that_are_not_wanted_are_not_sent(house: House) -> None:
    body = {"prompt": "a cat", "send_images": False, "save_images": True}
    said = answered(house, "txt2img", body, picture()).json()
    assert said["images"] == [] and len(json.loads(said["info"])["all_seeds"]) == 1
    assert said["parameters"]["send_images"] is False


def test_input_images_come_back_where_they_are_asked_for(house: House) -> None:
    image = text_of(picture())
    body = {"init_images": [image], "include_init_images": True}
    said = answered(house, "img2img", body, picture()).json()
    assert said["parameters"]["init_images"] == [image]


def test_models_enlarge_through_the_queue(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks: dict[str, ModelTask] = {"mini": "txt2img", "large": "upscale"}
    monkeypatch.setattr(ModelNames, "made_for_each", lambda _: tasks)
    assert "large" in [one["name"] for one in house.client.get("/sdapi/v1/upscalers").json()]
    how = a1111_extras.enlarging(Extras(upscaler_1="large", upscaling_resize=3), ["large"])
    request = how.request(b"a file")
    assert (request.task, request.model, request.image) == ("upscale", "large", b"a file")
    made = how.finished(Image.new("RGB", (32, 32), "green"), (8, 8))
    assert made.size == (24, 24)
    mark = inspection.inspect(a1111_extras.encoded(made, by_machine=True)).mark
    assert mark is not None and mark.source == provenance.EDITED


@pytest.mark.parametrize(
    "said",
    [
        {"upscaler_1": "ESRGAN_4x"},
        {"upscaler_1": "Lanczos", "gfpgan_visibility": 1},
        {"upscaler_1": "Lanczos", "upscaler_2": "Nearest", "extras_upscaler_2_visibility": 0.5},
        {"upscaler_1": "Lanczos", "upscaling_resize": 0},
        {"upscaler_1": "Lanczos", "upscaling_resize": -1},
        {"upscaler_1": "Lanczos", "upscaling_resize": 1e6},
        {"upscaler_1": "Lanczos", "resize_mode": 1, "upscaling_resize_w": 10**6},
        {"upscaler_1": "Lanczos", "resize_mode": 1, "upscaling_resize_w": 0,
         "upscaling_resize_h": 0},
        {"upscaler_1": "Lanczos", "resize_mode": 2},
    ],
)  # fmt: skip
def test_sizes_that_cannot_be_meant(shared: House, said: dict[str, Any]) -> None:
    body = {"image": text_of(picture()), **said}
    problem(shared.client.post("/sdapi/v1/extra-single-image", json=body))


def marked(size: tuple[int, int]) -> bytes:
    """A private picture: nobody knows how it was made, but that a machine did it."""
    raster = files.from_pil(Image.new("RGB", size, "green"))
    return files.encode(raster, "png", mark=provenance.new_mark("1"))


@pytest.mark.parametrize("upscaler", ["Nearest", "None"])
@pytest.mark.parametrize("made", [picture, marked])
def test_enlarging_keeps_what_is_known_of_a_picture(
    shared: House, made: Callable[[tuple[int, int]], bytes], upscaler: str
) -> None:
    body = {"image": text_of(made((8, 4))), "upscaler_1": upscaler, "upscaling_resize": 2}
    answer = shared.client.post("/sdapi/v1/extra-single-image", json=body)
    file = base64.b64decode(answer.json()["image"])
    image = Image.open(io.BytesIO(file))
    assert image.size == ((16, 8) if upscaler == "Nearest" else (8, 4))
    assert image.getpixel((0, 0)) == (0, 128, 0)
    mark = inspection.inspect(file).mark
    assert (mark is not None and mark.by_machine) == (made is marked)


def test_lists_and_states_while_nothing_runs(shared: House) -> None:
    told = shared.client.get("/sdapi/v1/progress").json()
    assert told["progress"] == 0 and told["state"]["job_count"] == 0
    assert told["current_image"] is None
    assert shared.client.post("/sdapi/v1/interrupt").json() == {}
    assert shared.client.post("/sdapi/v1/skip").json() is None
    assert shared.client.get("/sdapi/v1/memory").json()["ram"]["total"] == 8 * 2**30


def test_jobs_of_others_are_not_interrupted(house: House) -> None:
    house.submit()
    claim = house.services.store.queue.claim("cpu")
    assert claim is not None
    assert house.client.get("/sdapi/v1/progress").json()["state"]["job_count"] == 1
    house.client.post("/sdapi/v1/interrupt")
    assert house.services.store.queue.get(claim.job.id).state == "running"
    assert ("cancel", claim.job.id) not in house.crew.told


def test_a_job_that_ends_by_itself_is_not_interrupted(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = house.services.store.queue.get(house.submit()["id"])
    house.develop(picture())
    monkeypatch.setattr(a1111, "_running", lambda *_, **__: job)
    for _ in range(2):
        assert house.client.post("/sdapi/v1/interrupt").json() == {}
        house.client.post("/api/queue/clear", json={"what": "finished"})
