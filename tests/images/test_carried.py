"""Where other programs put their texts: PNG chunks, EXIF, XMP, each in its encoding there."""

import io as streams
import json
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from darkroom.images import comparison, inspection, io, screening
from tests.images.test_foreign import samples

(SAMPLE,) = next(s.values for s in samples() if "two LoRAs" in str(s.id))
GRAPH = json.dumps(SAMPLE["texts"]["prompt"])
TEXT = "a müller's cat\nSteps: 20, Sampler: Euler, CFG scale: 7, Seed: 5, Size: 8x8"


def saved(file_format: str, **arguments: Any) -> bytes:
    buffer = streams.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, file_format, **arguments)
    return buffer.getvalue()


def with_exif(file_format: str, tags: dict[int, object], comment: bytes | None = None) -> bytes:
    exif = Image.Exif()
    for tag, value in tags.items():
        exif[tag] = value
    if comment is not None:
        exif.get_ifd(0x8769)[0x9286] = comment
    return saved(file_format, exif=exif.tobytes())


@pytest.mark.parametrize("file_format", ["JPEG", "WEBP", "PNG"])
@pytest.mark.parametrize(
    "comment",
    [
        b"UNICODE\0" + TEXT.encode("utf-16-be"),
        b"UNICODE\0" + TEXT.encode("utf-16-le"),
        b"UNICODE\0" + TEXT.encode("utf-16"),
        b"ASCII\0\0\0" + TEXT.encode(),
        bytes(8) + TEXT.encode(),
        TEXT.encode(),
    ],
    ids=["big-endian", "little-endian", "marked", "ascii", "undefined", "bare"],
)
def test_an_exif_comment_in_every_encoding(comment: bytes, file_format: str) -> None:
    found = inspection.inspect(with_exif(file_format, {}, comment)).foreign
    assert found is not None
    assert (found.prompt, found.seed) == ("a müller's cat", 5)


@pytest.mark.parametrize("tag", [0x010E, 0x010F, 0x0110])
def test_a_graph_of_comfyui_in_the_exif_of_a_webp(tag: int) -> None:
    other = 0x010F if tag == 0x0110 else 0x0110
    found = inspection.inspect(
        with_exif("WEBP", {tag: f"prompt:{GRAPH}", other: 'workflow:{"nodes": []}'})
    )
    assert found.foreign is not None
    assert (found.foreign.tool, found.foreign.prompt) == ("comfyui", "a fox")
    assert inspection.inspect(with_exif("WEBP", {tag: "A camera"})).foreign is None


def test_a_comment_in_xmp() -> None:
    packet = f"""<x:xmpmeta xmlns:x="adobe:ns:meta/"
        xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
        xmlns:exif="http://ns.adobe.com/exif/1.0/"><rdf:RDF><rdf:Description>
        <exif:UserComment><rdf:Alt><rdf:li xml:lang="x-default">{TEXT}</rdf:li></rdf:Alt>
        </exif:UserComment></rdf:Description></rdf:RDF></x:xmpmeta>"""
    for file_format in ("JPEG", "WEBP"):
        found = inspection.inspect(saved(file_format, xmp=packet.encode())).foreign
        assert found is not None
        assert (found.prompt, found.seed) == ("a müller's cat", 5)


def test_chunks_of_a_png_in_every_kind() -> None:
    for compressed in (False, True):
        for add in ("add_text", "add_itxt"):
            chunks = PngImagePlugin.PngInfo()
            getattr(chunks, add)("parameters", TEXT, zip=compressed)
            found = inspection.inspect(saved("PNG", pnginfo=chunks)).foreign
            assert found is not None
            assert found.prompt == "a müller's cat"


def test_a_damaged_recipe_of_another_program_is_a_note() -> None:
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("invokeai_metadata", "{")
    seen = inspection.inspect(saved("PNG", pnginfo=chunks))
    assert seen.foreign is None
    assert seen.notes == ("The InvokeAI recipe is damaged: it is not JSON.",)


def test_a_recipe_that_lies_about_the_size_is_noted() -> None:
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("parameters", TEXT.replace("8x8", "999999x8"))
    seen = inspection.inspect(saved("PNG", pnginfo=chunks))
    assert seen.notes == (
        "The recipe tells of 999999 x 8 pixels; the image was cut, enlarged or exchanged since.",
    )


@pytest.mark.parametrize(
    ("file_format", "arguments", "exact"),
    [
        ("PNG", {}, True),
        ("BMP", {}, True),
        ("JPEG", {"quality": 100}, False),
        ("WEBP", {"lossless": True}, True),
        ("WEBP", {"lossless": True, "exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"}, True),
        ("WEBP", {"quality": 90}, False),
        ("WEBP", {"quality": 90, "xmp": b"VP8L"}, False),
    ],
)
def test_which_files_keep_every_pixel(
    file_format: str, arguments: dict[str, Any], exact: bool
) -> None:
    assert screening.keeps_pixels(saved(file_format, **arguments)) is exact


def test_how_far_two_pictures_are_apart() -> None:
    one = io.read(saved("PNG")).pixels
    other = one.copy()
    other[0, 0] = (255, 0, 1)
    assert comparison.difference(one, one) == comparison.Difference(largest=0, mean=0.0)
    assert comparison.difference(one, other) == comparison.difference(other, one)
    assert comparison.difference(one, other).largest == 255
    assert comparison.difference(one, other).mean == 256 / (8 * 8 * 3)
    with pytest.raises(ValueError, match="8"):
        comparison.difference(one, other[:4])
