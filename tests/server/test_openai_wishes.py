"""What OpenAI's image API is sent becomes the Request that it means."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from darkroom.contracts import ModelTask, Request
from darkroom.errors import DarkroomError, RequestError
from darkroom.server import openai_wishes
from darkroom.server.openai_wishes import UnusableError, Wish
from darkroom.server.pictures import DecodedPictures
from darkroom.server.refusals import Refusal
from darkroom.store.refusals import UnknownError


class Shelf:
    """Models by name; what each was made for is its name's first word."""

    def named(self, title: str) -> str:
        if title.startswith("gpt"):
            raise Refusal(404, "There is no such model.", "Choose another.")
        return title

    def made_for(self, name: str) -> ModelTask:
        tasks: dict[str, ModelTask] = {"depth": "depth2img", "vary": "vary", "four": "upscale"}
        return tasks.get(name.partition("-")[0], "txt2img")


def read(upload: str) -> bytes:
    if upload != "u1":
        raise UnknownError("There is no such upload.")
    return b"an upload"


def generation(said: dict[str, Any]) -> Wish:
    return openai_wishes.generation(said, Shelf(), read)


def picture(mode: str = "RGBA", size: tuple[int, int] = (4, 2), clear: int = 2) -> bytes:
    """A file whose first `clear` columns are transparent."""
    image = Image.new(mode, size, "red")
    if mode == "RGBA":
        image.paste((0, 0, 0, 0), (0, 0, clear, size[1]))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def edit(form: dict[str, Any], *images: bytes, mask: bytes | None = None) -> Wish:
    pictures = DecodedPictures(lambda file: file)
    return openai_wishes.edit(form, images or (b"a file",), mask, Shelf(), pictures, read)


@pytest.mark.parametrize(
    ("said", "fields"),
    [
        ({}, {}),
        ({"prompt": "a cat", "model": "tiny", "n": 3}, {"model": "tiny", "count": 3}),
        ({"size": "auto"}, {}),
        ({"size": "64x32"}, {"width": 64, "height": 32}),
        ({"size": None, "n": None, "model": None, "steps": None}, {}),
        ({"size": "64x32", "width": 64}, {"width": 64, "height": 32}),
        (
            {"seed": 0, "steps": 5, "sampler": "heun", "guidance": 3, "negative": "dog"},
            {"seed": 0, "steps": 5, "sampler": "heun", "guidance": 3.0, "negative": "dog"},
        ),
        ({"hires": 1.5, "tiling": "x", "private": True}, {"hires": 1.5, "tiling": "x",
                                                          "private": True}),
        (
            {"quality": "hd", "background": "opaque", "moderation": "low", "user": "me",
             "style": "vivid", "safety_identifier": "x"},
            {},
        ),
    ],
)  # fmt: skip
def test_from_text(said: dict[str, Any], fields: dict[str, Any]) -> None:
    request = generation({"prompt": "a cat", **said}).request
    assert request == Request(**{"prompt": "a cat", **fields})


@pytest.mark.parametrize(
    ("form", "fields"),
    [
        ({}, {}),
        ({"n": "2", "size": "64x64", "seed": "7"}, {"count": 2, "width": 64, "height": 64,
                                                    "seed": 7}),
        ({"strength": "0.5", "guidance": "3"}, {"strength": 0.5, "guidance": 3.0}),
        ({"prompt": "12", "negative": "3"}, {"prompt": "12", "negative": "3"}),
        ({"extend": ["0", "0", "8", "0"]}, {"task": "inpaint", "extend": (0, 0, 8, 0)}),
        ({"extend": "[0, 0, 8, 0]"}, {"task": "inpaint", "extend": (0, 0, 8, 0)}),
        ({"private": "true"}, {"private": True}),
        ({"task": "inpaint"}, {"task": "inpaint"}),
        ({"model": "depth-x"}, {"task": "depth2img", "model": "depth-x"}),
        ({"model": "depth-x", "depth": "u1"},
         {"task": "depth2img", "model": "depth-x", "depth": b"an upload"}),
        ({"model": "four-x"}, {"task": "upscale", "model": "four-x"}),
        ({"input_fidelity": "high", "quality": "auto"}, {}),
    ],
)  # fmt: skip
def test_from_an_image(form: dict[str, Any], fields: dict[str, Any]) -> None:
    usual: dict[str, Any] = {"task": "img2img", "prompt": "a cat", "image": b"a file"}
    assert edit({"prompt": "a cat", **form}).request == Request(**{**usual, **fields})


def test_what_a_mask_leaves_clear_is_painted() -> None:
    request = edit({"prompt": "a cat"}, mask=picture()).request
    assert request.task == "inpaint" and request.mask is not None
    painted = np.asarray(Image.open(io.BytesIO(request.mask)).convert("L"))
    assert painted.tolist() == [[255, 255, 0, 0]] * 2
    for opaque in (picture("RGB"), picture(clear=0)):
        with pytest.raises(RequestError, match="transparent nowhere"):
            edit({"prompt": "a cat"}, mask=opaque)
    with pytest.raises(UnusableError, match="takes no mask"):
        edit({"prompt": "a cat", "task": "img2img"}, mask=picture())


def test_several_images_are_mixed_by_models_that_can() -> None:
    request = edit({"model": "vary-x"}, b"one", b"two").request
    assert (request.task, request.image, request.images) == ("vary", b"one", (b"two",))
    with pytest.raises(UnusableError, match="starts from one"):
        edit({}, b"one", b"two")
    with pytest.raises(UnusableError, match="no image"):
        openai_wishes.edit({}, (), None, Shelf(), DecodedPictures(lambda file: file), read)


def test_what_shall_come_back() -> None:
    wish = generation(
        {"prompt": "x", "output_format": "webp", "output_compression": 0, "stream": True,
         "partial_images": 2, "styles": ["ink"]}
    )  # fmt: skip
    assert (wish.file_format, wish.quality, wish.stream, wish.partial_images) == (
        "webp",
        1,
        True,
        2,
    )
    assert wish.styles == ("ink",) and not wish.as_url
    assert generation({"prompt": "x", "response_format": "url"}).as_url
    plain = generation({"prompt": "x"})
    assert (plain.file_format, plain.quality, plain.stream, plain.as_url) == (
        "png",
        None,
        False,
        False,
    )
    assert edit({"stream": "true", "partial_images": "3", "styles": ["ink"]}).partial_images == 3


@pytest.mark.parametrize(
    ("said", "param"),
    [
        ({"n": 0}, "n"),
        ({"n": 11}, "n"),
        ({"n": True}, "n"),
        ({"n": "2"}, "n"),
        ({"prompt": 7}, "prompt"),
        ({"size": "large"}, "size"),
        ({"size": 512}, "size"),
        ({"size": "64x64", "width": 32}, "size"),
        ({"quality": "best"}, "quality"),
        ({"quality": ["low"]}, "quality"),
        ({"background": "transparent"}, "background"),
        ({"output_format": "gif"}, "output_format"),
        ({"output_compression": 50}, "output_compression"),
        ({"output_format": "jpeg", "output_compression": 101}, "output_compression"),
        ({"response_format": "file"}, "response_format"),
        ({"response_format": "url", "output_format": "webp"}, "response_format"),
        ({"stream": "yes"}, "stream"),
        ({"partial_images": 2}, "partial_images"),
        ({"stream": True, "partial_images": 4}, "partial_images"),
        ({"user": 7}, "user"),
        ({"svg": {}}, "svg"),
        ({"frobnicate": 1}, "frobnicate"),
        ({"count": 3}, "count"),
        ({"steps": "many"}, "steps"),
        ({"steps": 5.5}, "steps"),
        ({"seed": True}, "seed"),
        ({"tiling": "sideways"}, "tiling"),
        ({"task": "img2img"}, "task"),
        ({"model": 7}, "model"),
        ({"styles": [7]}, "styles"),
        ({"styles": 7}, "styles"),
    ],
)
def test_what_cannot_be_meant_is_named(said: dict[str, Any], param: str) -> None:
    with pytest.raises(UnusableError) as refused:
        generation({"prompt": "x", **said})
    assert refused.value.param == param and refused.value.status == 400
    assert refused.value.message


def test_models_that_are_not_installed() -> None:
    with pytest.raises(UnusableError) as refused:
        generation({"prompt": "x", "model": "gpt-image-2"})
    assert (refused.value.status, refused.value.code) == (404, "model_not_found")


def test_nonsense_in_forms_is_refused_as_in_json() -> None:
    for form in ({"steps": "["}, {"steps": "many"}, {"extend": "[" * 10_000}, {"n": "1e400"}):
        with pytest.raises(DarkroomError):
            edit({"prompt": "x", **form})
