"""Clients from npm, against a running server."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from tests.clients import npm
from tests.clients.conftest import Served

pytestmark = pytest.mark.npm


def pixels(text: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))


def test_openai(served: Served) -> None:
    told = npm.run("openai_client.mjs", DARKROOM_URL=served.url, DARKROOM_KEY=served.token)
    assert "mini" in told["models"]
    assert told["seeds"] == [1, 2]
    assert told["usage"]["input_tokens"] > 0 and told["usage"]["output_tokens"] == 0
    first, second = map(pixels, told["images"])
    assert first.shape == (64, 64, 3) and (first != second).any()
    assert told["kinds"] == ["image_generation.partial_image", "image_generation.completed"]
    assert (pixels(told["streamed"]) == first).all()
    assert (pixels(told["edited"]) != first).any()
    assert told["refusal"] == {"name": "NotFoundError", "code": "model_not_found"}


def test_a1111(served: Served) -> None:
    told = npm.run("a1111_client.mjs", DARKROOM_URL=served.url, DARKROOM_KEY=served.token)
    assert told["info"]["all_seeds"] == [1] and told["info"]["sampler_name"] == "Euler"
    assert "Denoising strength: 0.5" in told["again"]["infotexts"][0]
    assert len(base64.b64decode(told["pixels"])) == 64 * 64 * 3
    assert told["large"] == {"width": 192, "height": 192}
    assert "Euler a" in told["samplers"] and "mini" in told["models"]
    assert told["options"]["sd_model_checkpoint"].startswith("mini")
    assert told["progress"]["state"]["job_count"] == 0
