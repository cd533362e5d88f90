"""`/v1` says no as OpenAI does, whatever is sent.  Its images are tested with OpenAI's client."""

import json
from typing import Any

import pytest

from tests.server.conftest import ADDRESS, House

GENERATE, EDIT = "/v1/images/generations", "/v1/images/edits"


def problem(answer: Any) -> dict[str, Any]:
    """The problem in OpenAI's shape."""
    assert 400 <= answer.status_code < 500, answer.text
    said = answer.json()
    assert said.keys() == {"error"} and said["error"].keys() == {"message", "type", "param", "code"}
    assert said["error"]["message"] and said["error"]["type"]
    assert "/home" not in answer.text and "Traceback" not in answer.text
    error: dict[str, Any] = said["error"]
    return error


def test_strangers(shared: House) -> None:
    for path in ("/v1/models", GENERATE, "/v1/nowhere"):
        answer = shared.stranger.get(path)
        assert answer.status_code == 401 and problem(answer)["code"] == "invalid_api_key"


def test_addresses_that_are_none(shared: House) -> None:
    assert problem(shared.client.get("/v1/nowhere"))["type"] == "invalid_request_error"
    assert shared.client.delete(GENERATE).status_code == 405
    assert problem(shared.client.get("/v1/models/%2e%2e/%2e%2e/etc"))
    answer = shared.client.get("/v1/models/gpt-image-2")
    assert answer.status_code == 404 and problem(answer)["code"] == "model_not_found"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"7",
        b'"text"',
        b"\xff\xfe",
        b"[" * 5000,
        b'{"prompt": ' + b"[" * 5000,
        json.dumps({"prompt": "\ud800"}).encode(),
        json.dumps({"prompt": "x", "styles": ["\ud800"]}).encode(),
        json.dumps({"prompt": "x", "model": "\ud800"}).encode(),
        json.dumps({"prompt": "x", "\ud800": 1}).encode(),
        json.dumps({"prompt": "x" * 200_000}).encode(),
        json.dumps({"prompt": "x", "styles": ["ink"] * 51}).encode(),
        b'{"prompt": "x", "guidance": NaN}',
        b'{"prompt": "x", "guidance": 1e999}',
        b'{"prompt": "x", "seed": 1' + b"0" * 400 + b"}",
        b'{"prompt": "x", "seed": -1}',
        b'{"prompt": "x", "model": "../../etc/passwd"}',
        b'{"prompt": "x", "model": "/etc/passwd"}',
        b'{"prompt": "x", "vae": "/etc/passwd"}',
        b'{"prompt": "x", "device": "/dev/sda"}',
        b'{"prompt": "x", "size": "99999x99999"}',
        b'{"prompt": "x", "image": "0"}',
        b'{"prompt": "x", "images": ["0"]}',
        b'{"prompt": "x", "version": 2}',
        *(
            b'{"prompt": "x", "%s": %s}' % (name, b"[" * depth + b"1" + b"]" * depth)
            for name in (b"quality", b"n", b"size", b"styles", b"steps", b"user", b"frobnicate")
            for depth in (700, 950)
        ),
    ],
)
def test_hostile_wishes(shared: House, body: bytes) -> None:
    answer = shared.client.post(
        GENERATE, content=body, headers={"content-type": "application/json"}
    )
    problem(answer)
    assert shared.services.store.queue.state().waiting == 0


def test_wishes_of_another_type(shared: House) -> None:
    problem(shared.client.post(GENERATE, content=b"prompt=x"))
    problem(shared.client.post(GENERATE, data={"prompt": "x"}))
    problem(shared.client.post(EDIT, json={"prompt": "x"}))
    problem(shared.client.post(EDIT, content=b"x", headers={"content-type": "multipart/form-data"}))
    problem(
        shared.client.post(
            EDIT, content=b"x", headers={"content-type": "multipart/form-data; boundary=y"}
        )
    )


@pytest.mark.parametrize(
    ("files", "form"),
    [
        ({}, {}),
        ({"image": b"no image"}, {}),
        ({"image": b""}, {}),
        ({"frobnicate": b"x"}, {}),
        ({"image": b"x", "mask": b"no image"}, {}),
        ({}, {"image": "0" * 64}),
        ({"image": b"x"}, {"mask": "0" * 64}),
        ({"image": b"x", "depth": b"no image"}, {"task": "depth2img"}),
        ({"image": b"x"}, {"model": "/etc/passwd"}),
        ({"image": b"x"}, {"images[]": "0"}),
        ({"image": b"x"}, {"strength": "nan"}),
        ({"image": b"x"}, {"stream": "maybe"}),
        ({"image": b"x"}, {"": "x"}),
    ],
)
def test_hostile_forms(shared: House, files: dict[str, bytes], form: dict[str, str]) -> None:
    sent = {name: ("../../etc/passwd\0.png", data) for name, data in files.items()}
    problem(shared.client.post(EDIT, data={"prompt": "x", **form}, files=sent or {"x": b""}))
    assert shared.services.store.queue.state().waiting == 0


def test_another_site_gets_nothing(shared: House) -> None:
    foreign = {"origin": "http://example.com"}
    assert shared.client.get("/v1/models", headers=foreign).status_code == 403
    assert shared.client.get("/v1/models", headers={"origin": ADDRESS}).status_code == 200


def test_models(shared: House) -> None:
    said = shared.client.get("/v1/models").json()
    assert said["object"] == "list" and "mini" in [one["id"] for one in said["data"]]
    assert shared.client.get("/v1/models/mini").json()["object"] == "model"


def test_the_routes_are_documented(shared: House) -> None:
    told = shared.client.get("/api/openapi.json").json()["paths"]
    for path, kind in ((GENERATE, "application/json"), (EDIT, "multipart/form-data")):
        schema = told[path]["post"]["requestBody"]["content"][kind]["schema"]
        assert {"prompt", "n", "size", "stream"} <= schema["properties"].keys()
