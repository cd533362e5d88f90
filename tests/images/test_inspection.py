"""What a file says about itself."""

import io as streams
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from darkroom.errors import ImageError
from darkroom.images import inspection, io, provenance, watermark

DATA = Path(__file__).parents[1] / "data" / "watermark"


def png(image: Image.Image, **texts: str) -> bytes:
    chunks = PngImagePlugin.PngInfo()
    for key, value in texts.items():
        chunks.add_text(key, value)
    buffer = streams.BytesIO()
    image.save(buffer, "PNG", pnginfo=chunks)
    return buffer.getvalue()


def test_a_stranger_says_nothing() -> None:
    seen = inspection.inspect(png(Image.new("RGB", (30, 20))))
    assert (seen.format, seen.width, seen.height) == ("png", 30, 20)
    assert (seen.recipe, seen.foreign, seen.mark) == (None, None, None)
    assert seen.watermarks == {}
    assert seen.notes == ()


def test_both_watermarks_are_looked_for() -> None:
    seen = inspection.inspect_file(DATA / "noise-320.SDV2.png")
    assert seen.watermarks["SDV2"] == 1
    assert 0.2 < seen.watermarks["StableDiffusionV1"] < 0.8


def test_a_finished_image_shows_everything() -> None:
    random = np.random.default_rng(1).integers(110, 140, (256, 256, 3)).astype(np.uint8)
    raster = io.from_array(watermark.embed(random, b"StableDiffusionV1"))
    mark = provenance.new_mark("0.1.0")
    seen = inspection.inspect(io.encode(raster, mark=mark))
    assert seen.mark == mark
    assert seen.watermarks["StableDiffusionV1"] > 0.95


def test_a_damaged_recipe_is_a_note() -> None:
    seen = inspection.inspect(png(Image.new("RGB", (1, 1)), darkroom="{", parameters="a cat"))
    assert seen.recipe is None
    assert seen.notes == ("The recipe is damaged: it is not JSON.",)
    assert seen.foreign is not None
    assert seen.foreign.prompt == "a cat"


def test_a_recipe_of_fifty_megabytes_is_refused() -> None:
    with pytest.raises(ImageError, match="more than 4 MiB"):
        inspection.inspect(png(Image.new("RGB", (1, 1)), darkroom="a" * 50_000_000))


def test_no_image() -> None:
    with pytest.raises(ImageError, match="a PDF document"):
        inspection.inspect(b"%PDF-1.7")


def test_it_works_where_torch_cannot_be_imported() -> None:
    script = (
        "import sys; sys.modules['torch'] = None\n"
        "from pathlib import Path\n"
        "from darkroom.images import inspection\n"
        "print(inspection.inspect_file(Path(sys.argv[1])).watermarks['SDV2'])"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, str(DATA / "noise-320.SDV2.png")],
        env={"PYTHONPATH": str(Path(io.__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "1.0", done.stderr
