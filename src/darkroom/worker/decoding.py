"""The child process that opens uploaded images: what goes wrong in a decoder goes wrong here.

It reads questions on standard input and answers on standard output, each a line of JSON and as
many bytes as the line says.  It takes no more memory and no more time of the processor than its
limits, and holds nothing but the one image.
"""

import io
import json
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image

from darkroom.contracts import Recipe, Request
from darkroom.errors import DarkroomError, RequestError
from darkroom.images import inspection, metadata
from darkroom.images import io as files
from darkroom.tasks import recalling

MEMORY = 3 * 2**30  # bytes of addresses; 64 megapixels with transparency and a profile take 2.2
CPU_SECONDS = 30
_THUMBNAIL_QUALITY = 82

_WISHES = tuple(entry.name for entry in fields(Request))


def main() -> None:
    """Answer until standard input ends."""
    source, target = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no answer
    limit_memory()
    while question := source.readline():
        asked = json.loads(question)
        data = source.read(asked["bytes"])
        limit_time()
        said, picture = answer(asked, data)
        write(target, said, picture)


def write(target: BinaryIO, said: Mapping[str, object], data: bytes) -> None:
    """One question or answer: a line of JSON, then the bytes."""
    target.write(json.dumps({**said, "bytes": len(data)}).encode() + b"\n")
    target.write(data)
    target.flush()


def answer(asked: Mapping[str, Any], data: bytes) -> tuple[dict[str, object], bytes]:
    """What is said to a question, and the picture if it asks for one."""
    try:
        return _ANSWERS[asked["ask"]](asked, data)
    except DarkroomError as error:
        return {"error": [error.message, error.hint]}, b""
    except MemoryError:
        return {"error": ["The image needs too much memory to be opened.", "Make it smaller."]}, b""


def _decode(_: Mapping[str, Any], data: bytes) -> tuple[dict[str, object], bytes]:
    """What the image is, its recipe, and the image again as a PNG file."""
    found = inspection.inspect(data, hidden=False)
    image, _frames = files.open_screened(data)
    image.load()
    carried = metadata.carried(image)
    ours = {} if carried.recipe is None else {metadata.RECIPE_KEY: carried.recipe}
    return {
        "width": found.width,
        "height": found.height,
        "format": found.format,
        "notes": list(found.notes),
        "texts": {**carried.texts, **ours},
        "by_machine": _by_machine(found),
        "recipe": _recipe(found),
    }, _png(files.plain(image))


def _by_machine(found: inspection.Inspection) -> bool:
    """Whether a trained model made it, or a part of it: by its mark, or by its recipe."""
    told = found.recipe is not None or found.foreign is not None
    return told or (found.mark is not None and found.mark.by_machine)


def _recipe(found: inspection.Inspection) -> dict[str, object] | None:
    """The recipe as a wish and as text, None where there is none."""
    recipe = found.recipe or found.foreign
    if recipe is None:
        return None
    task = recipe.task if isinstance(recipe, Recipe) else "txt2img"
    try:
        meant = recalling.meaning(found, "The image", task, hashing=False)
    except RequestError as error:
        values: dict[str, object] = {}
        remarks: tuple[str, ...] = (error.message,)
    else:
        values = {name: meant.fields[name] for name in _WISHES if name in meant.fields}
        remarks = meant.remarks
    if task != "txt2img":
        remarks = (*remarks, "It began with an image, which is not in its recipe.")
    ours = isinstance(recipe, Recipe)
    return {
        "program": "Darkroom" if isinstance(recipe, Recipe) else recipe.program,
        "fields": {"task": task, **{n: v for n, v in values.items() if v not in {None, ()}}},
        "text": metadata.to_parameters(recipe) if isinstance(recipe, Recipe) else _told(recipe),
        "remarks": list(remarks),
        "ours": ours,
    }


def _told(recipe: Any) -> str:
    """Another program's recipe, a setting a line."""
    lines = [recipe.prompt or ""]
    if recipe.negative:
        lines.append(f"Negative prompt: {recipe.negative}")
    for entry in fields(recipe):
        value = getattr(recipe, entry.name)
        if value is not None and entry.name not in {"prompt", "negative", "tool", "rest"}:
            lines.append(f"{entry.name.replace('_', ' ').capitalize()}: {value}")
    lines += [f"{name}: {value}" for name, value in recipe.rest.items()]
    return "\n".join(lines).strip()


def _picture(asked: Mapping[str, Any], data: bytes) -> tuple[dict[str, object], bytes]:
    """The image as a PNG file of at most `side` pixels a side."""
    image, _ = files.open_screened(data)
    return {}, _png(_small(image, asked["side"]))


def _thumbnail(asked: Mapping[str, Any], _: bytes) -> tuple[dict[str, object], bytes]:
    """A file on this computer as a WebP file of at most `side` pixels a side."""
    path = Path(asked["path"])
    image, _frames = files.open_screened(files.read_bytes(path), path.name)
    buffer = io.BytesIO()
    _small(image, asked["side"]).save(buffer, "WEBP", quality=_THUMBNAIL_QUALITY, method=2)
    return {}, buffer.getvalue()


def _small(image: Image.Image, side: int) -> Image.Image:
    image.draft("RGB", (side, side))  # a JPEG is decoded small
    image.load()
    small = files.plain(image)
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    return small


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


_ANSWERS: Mapping[str, Callable[[Mapping[str, Any], bytes], tuple[dict[str, object], bytes]]] = {
    "decode": _decode,
    "picture": _picture,
    "thumbnail": _thumbnail,
}


def limit_memory() -> None:
    """So much memory, no file written, no core dumped.  Windows has no such limits."""
    if sys.platform == "win32":
        return
    import resource

    for what, limit in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        _, highest = resource.getrlimit(what)
        allowed = limit if highest == resource.RLIM_INFINITY else min(limit, highest)
        with suppress(OSError, ValueError):  # macOS knows some of them by name alone
            resource.setrlimit(what, (allowed, highest))


def limit_time() -> None:
    """So many seconds of the processor from now on."""
    if sys.platform == "win32":
        return
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    _, highest = resource.getrlimit(resource.RLIMIT_CPU)
    limit = int(used.ru_utime + used.ru_stime) + CPU_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (limit, highest))


if __name__ == "__main__":
    main()
