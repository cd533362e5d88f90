"""Whatever fits the documents of the APIs of other programs, or nearly does, gets an answer."""

import base64
import io
from typing import Any

import hypothesis
import pytest
import schemathesis
from PIL import Image
from schemathesis.checks import not_a_server_error

from darkroom.store.jobs import NewImage
from tests.server.conftest import ADDRESS, House
from tests.server.test_schema import SECRET

EXAMPLES = 12  # for each operation
_MANY = 4  # images that are made of a job


@pytest.fixture
def quick(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """Every job is done the moment that it is accepted; large ones end without images."""
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    queue = house.services.store.queue

    def work() -> None:
        claim = queue.claim("cpu")
        assert claim is not None
        for number in claim.todo[:_MANY]:
            new = NewImage(data=buffer.getvalue(), suffix=".png", width=8, height=8, recipe=None)
            queue.image_done(claim, number, new)
        if len(claim.todo) > _MANY:
            queue.cancel(claim.job.id)
        else:
            queue.finished(claim)

    monkeypatch.setattr(house.crew, "wake", work)
    return house


@pytest.mark.parametrize("beginning", ["/v1/", "/sdapi/"])
def test_no_fault_and_no_leak(quick: House, beginning: str) -> None:
    key = {"host": "127.0.0.1:7860", "authorization": f"Bearer {quick.services.keys.token}"}
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", quick.app, headers=key)
    seen: set[tuple[str, int]] = set()

    def ask(case: Any) -> None:
        answer = case.call(headers=key, base_url=ADDRESS)
        case.validate_response(answer, checks=[not_a_server_error])
        if answer.status_code >= 400:
            assert not SECRET.search(answer.text), answer.text
        assert quick.services.keys.token not in answer.text
        seen.add((case.path, answer.status_code // 100))

    for found in schema.get_all_operations():
        operation = found.ok()  # type: ignore[union-attr]
        if operation.method.upper() == "POST" and operation.path.startswith(beginning):
            few = hypothesis.settings(max_examples=EXAMPLES)
            few(hypothesis.given(case=operation.as_strategy())(ask))()
    assert {path for path, _ in seen} >= {
        "/v1/": {"/v1/images/generations", "/v1/images/edits"},
        "/sdapi/": {"/sdapi/v1/txt2img", "/sdapi/v1/img2img", "/sdapi/v1/options"},
    }[beginning]
    assert quick.services.store.queue.state().running == 0


def test_wishes_are_answered_at_once(quick: House) -> None:
    made = quick.client.post("/v1/images/generations", json={"prompt": "a cat", "n": 2})
    assert made.status_code == 200 and len(made.json()["data"]) == 2
    image = base64.b64decode(made.json()["data"][0]["b64_json"])
    assert Image.open(io.BytesIO(image)).size == (8, 8)
    stopped = quick.client.post("/sdapi/v1/txt2img", json={"prompt": "a cat", "n_iter": 9})
    assert stopped.status_code == 200 and len(stopped.json()["images"]) == _MANY
