"""OpenAI's own client, against a running server."""

import asyncio
import base64
import io
import time

import httpx
import numpy as np
import openai
import pytest
from numpy.typing import NDArray
from PIL import Image

from darkroom.images import inspection
from tests.clients.conftest import Served

PROMPT = "a hamster on a blue background"


@pytest.fixture
def client(served: Served) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{served.url}/v1", api_key=served.token, max_retries=0)


def pixels(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def file_of(text: str | None) -> bytes:
    assert text is not None
    return base64.b64decode(text)


def test_images_of_a_prompt(client: openai.OpenAI) -> None:
    before = int(time.time())
    made = client.images.generate(
        model="mini", prompt=PROMPT, n=2, size="64x64", extra_body={"seed": 1, "steps": 3}
    )
    assert made.data is not None and len(made.data) == 2
    assert before <= made.created <= time.time()
    assert (made.size, made.output_format, made.background) == ("64x64", "png", "opaque")
    assert made.usage is not None and made.usage.input_tokens == made.usage.total_tokens > 0
    first, second = (file_of(one.b64_json) for one in made.data)
    assert pixels(first).shape == (64, 64, 3) and (pixels(first) != pixels(second)).any()
    found = inspection.inspect(first)
    assert found.recipe is not None and (found.recipe.seed, found.recipe.steps) == (1, 3)
    assert found.mark is not None and found.mark.by_machine


def test_other_formats_and_addresses(client: openai.OpenAI, served: Served) -> None:
    small = {"seed": 1, "steps": 1}
    made = client.images.generate(
        prompt=PROMPT, output_format="webp", output_compression=50, extra_body=small
    )
    assert made.data is not None
    found = inspection.inspect(file_of(made.data[0].b64_json))
    assert found.format == "webp" and found.recipe is not None and found.mark is not None
    made = client.images.generate(prompt=PROMPT, response_format="url", extra_body=small)
    assert made.data is not None and made.data[0].url is not None
    assert made.data[0].url.startswith(f"{served.url}/api/images/")
    key = {"Authorization": f"Bearer {served.token}"}
    with httpx.Client(headers=key) as plain:
        assert pixels(plain.get(made.data[0].url).content).shape == (64, 64, 3)
        assert plain.get(made.data[0].url, headers={"Authorization": ""}).status_code == 401


def test_edits(client: openai.OpenAI) -> None:
    image = Image.new("RGB", (64, 64), "red")
    file = io.BytesIO()
    image.save(file, "PNG")
    clear = Image.new("RGBA", (64, 64), "white")
    clear.paste((0, 0, 0, 0), (0, 0, 32, 64))
    mask = io.BytesIO()
    clear.save(mask, "PNG")
    made = client.images.edit(
        image=("image.png", file.getvalue()),
        mask=("mask.png", mask.getvalue()),
        prompt=PROMPT,
        extra_body={"seed": 1, "steps": 3},
    )
    assert made.data is not None
    painted = pixels(file_of(made.data[0].b64_json))
    assert (painted[:, 32:] == (255, 0, 0)).all() and (painted[:, :32] != (255, 0, 0)).any()
    made = client.images.edit(
        image=[("image.png", file.getvalue())],
        prompt=PROMPT,
        size="64x64",
        n=2,
        extra_body={"strength": 0.5, "seed": 1, "steps": 3, "extend": None},
    )
    assert made.data is not None and len(made.data) == 2


def test_streams(client: openai.OpenAI) -> None:
    wish = {"seed": 1, "steps": 6}
    with client.images.generate(
        model="mini", prompt=PROMPT, stream=True, partial_images=2, extra_body=wish
    ) as stream:
        events = list(stream)
    kinds = [event.type for event in events]
    assert kinds[-1] == "image_generation.completed"
    assert set(kinds[:-1]) == {"image_generation.partial_image"} and len(kinds) <= 3
    for place, event in enumerate(events[:-1]):
        assert event.type == "image_generation.partial_image"
        assert event.partial_image_index == place and event.size == "64x64"
        assert pixels(file_of(event.b64_json)).shape == (64, 64, 3)
    last = events[-1]
    assert last.type == "image_generation.completed" and last.usage.total_tokens > 0
    whole = client.images.generate(model="mini", prompt=PROMPT, extra_body=wish)
    assert whole.data is not None
    assert (pixels(file_of(last.b64_json)) == pixels(file_of(whole.data[0].b64_json))).all()


def test_models(client: openai.OpenAI) -> None:
    assert "mini" in [model.id for model in client.models.list()]
    assert client.models.retrieve("mini").owned_by == "darkroom"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-image-2")


def test_refusals(client: openai.OpenAI, served: Served) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        client.images.generate(model="gpt-image-2", prompt=PROMPT)
    assert (missing.value.code, missing.value.param) == ("model_not_found", "model")
    for wish, param in (
        ({"size": "63x64"}, None),
        ({"n": 99}, "n"),
        ({"extra_body": {"steps": "many"}}, "steps"),
        ({"extra_body": {"frobnicate": 1}}, "frobnicate"),
        ({"background": "transparent"}, "background"),
    ):
        with pytest.raises(openai.BadRequestError) as refused:
            client.images.generate(model="mini", prompt=PROMPT, **wish)
        assert refused.value.param == param and refused.value.type == "invalid_request_error"
    with pytest.raises(openai.BadRequestError):
        client.images.edit(image=("x.png", b"no image"), prompt=PROMPT)
    stranger = openai.OpenAI(base_url=f"{served.url}/v1", api_key="wrong", max_retries=0)
    with pytest.raises(openai.AuthenticationError) as locked:
        stranger.models.list()
    assert locked.value.code == "invalid_api_key"


def test_the_client_that_waits_for_nothing(served: Served) -> None:
    async def make() -> int:
        async with openai.AsyncOpenAI(base_url=f"{served.url}/v1", api_key=served.token) as client:
            wishes = [
                client.images.generate(prompt=PROMPT, extra_body={"seed": seed, "steps": 1})
                for seed in range(3)
            ]
            made = await asyncio.gather(*wishes)
        return len({one.data[0].b64_json for one in made if one.data})

    assert asyncio.run(make()) == 3
