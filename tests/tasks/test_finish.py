"""The only exit: rounding, watermark, mark, recipe and the file."""

import dataclasses
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from darkroom.contracts import ImageDone, Request
from darkroom.errors import OutputError, RequestError
from darkroom.images import inspection, io, metadata, watermark
from darkroom.tasks import finish, pixels
from darkroom.tasks.engine import Engine

if TYPE_CHECKING:
    from tests.tiny import TinyCheckpoint


@pytest.fixture(scope="module")
def done(tiny_checkpoint: "TinyCheckpoint") -> ImageDone:
    model = str(tiny_checkpoint.safetensors)
    wish = Request(model=model, prompt="a cat", steps=1, width=256, height=256, seed=1)
    events = Engine.open(model).run(dataclasses.replace(wish, device="cpu", precision="fp32"))
    return next(event for event in events if isinstance(event, ImageDone))


def test_colours_are_rounded_down_as_in_the_reference() -> None:
    values = [-7.0, -1.0, -1 + 1.99 / 255, 0.0, 1 - 0.01 / 255, 1.0, 7.0]
    colours = torch.tensor(values).expand(3, 1, -1)
    raster = pixels.to_raster(colours, 7, 1)
    assert list(raster.data[::3]) == [0, 0, 0, 127, 254, 255, 255]


def test_only_the_canvas_is_cut_off() -> None:
    colours = torch.zeros(3, 4, 6)
    colours[0, 1, 2] = 1
    raster = pixels.to_raster(colours, 3, 2)
    expected = np.full((2, 3, 3), 127, np.uint8)
    expected[1, 2, 0] = 255
    assert np.array_equal(io.to_array(raster), expected)


def test_the_edge_is_repeated_to_the_canvas() -> None:
    image = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    colours = pixels.to_tensor(image, 5, 4)
    assert colours.shape == (3, 4, 5)
    expected = np.pad(image, ((0, 2), (0, 2), (0, 0)), mode="edge") / 127.5 - 1
    assert np.allclose(colours.permute(1, 2, 0).numpy(), expected, atol=1e-6)
    whole = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 256, 3)
    assert np.abs(pixels.to_tensor(whole, 256, 1).numpy()).max() == 1


def test_the_watermark_is_in_the_pixels_and_in_the_recipe(done: ImageDone) -> None:
    assert done.recipe.watermark == "StableDiffusionV1"
    assert watermark.agreement(io.to_array(done.image), b"StableDiffusionV1") > 0.7


@pytest.mark.parametrize("suffix", ["png", "PNG", "jpg", "jpeg", "webp"])
def test_every_file_says_that_ai_made_it_and_how(
    done: ImageDone, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"image.{suffix}"
    finish.write(done, path)
    found = inspection.inspect_file(path)
    assert found.mark is not None
    assert found.mark.by_machine
    assert found.recipe == done.recipe
    if suffix not in {"jpg", "jpeg"}:
        assert np.array_equal(io.read_file(path).pixels, io.to_array(done.image))
    assert stat.S_IMODE(path.stat().st_mode) & 0o400


def test_private_leaves_out_the_recipe_never_the_mark(done: ImageDone) -> None:
    data = finish.encode(done, "png", private=True)
    asked = dataclasses.replace(done, private=True)
    assert b"a cat" not in finish.encode(asked, "png")
    found = inspection.inspect(data)
    assert found.mark is not None
    assert found.mark.by_machine
    assert found.recipe is None
    assert b"a cat" not in data


def test_the_recipe_survives_its_json(done: ImageDone) -> None:
    assert metadata.from_json(metadata.to_json(done.recipe)) == done.recipe


def test_nothing_is_replaced_unasked(done: ImageDone, tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    path.write_bytes(b"mine")
    with pytest.raises(OutputError, match="exists"):
        finish.write(done, path)
    assert path.read_bytes() == b"mine"
    finish.write(done, path, overwrite=True)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert list(tmp_path.iterdir()) == [path]


def test_a_name_that_says_no_format(done: ImageDone, tmp_path: Path) -> None:
    for name in ("image", "image.tiff"):
        with pytest.raises(RequestError, match="no kind of image"):
            finish.write(done, tmp_path / name)
    finish.write(done, tmp_path / "image", file_format="png")
    assert [path.name for path in tmp_path.iterdir()] == ["image"]
