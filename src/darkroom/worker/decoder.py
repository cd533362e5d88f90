"""Opens images that came from outside, in a process of its own: a fault costs one upload.

The process stays, so that a picture dropped on the page is answered at once; it is replaced after
a number of files, after any fault, and when it takes too long.
"""

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

from darkroom.errors import ImageError
from darkroom.images import screening

_LIFE = 200  # files
_SECONDS = 20.0
_PROCESSES = 2  # a thumbnail need not wait for a large upload


@dataclass(frozen=True, kw_only=True)
class Found:
    """The recipe that an image holds.

    `program` wrote it.  `fields`: of a Request, by name, as JSON has them.  `text`: the recipe for
    people.  `remarks`: a sentence for each thing that has no meaning here, or another one.
    """

    program: str
    ours: bool
    fields: Mapping[str, Any]
    text: str
    remarks: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """What an image is.  `width`, `height`: in pixels, upright; `format` in lower case; `notes`
    for the user.

    `png`: the image again, upright sRGB, with its transparency and nothing beside the pixels; as
    an input it means the same as the file.  `texts`: those that the file carries, by their names
    in a PNG file (`parameters`, `darkroom`, `prompt`, …).  `by_machine`: its mark or its
    recipe says that a trained model made it, or a part of it.
    """

    width: int
    height: int
    format: str
    notes: tuple[str, ...]
    png: bytes = field(repr=False)
    texts: Mapping[str, str] = field(repr=False)
    by_machine: bool
    recipe: Found | None


class Decoder:
    """Asks the processes.  Calls block, and may come from many threads.

    Every method raises ImageError, and nothing else, for what is no image, is damaged, is larger
    than `screening` allows, or takes more time or memory than an image should.
    """

    def __init__(self, *, seconds: float = _SECONDS, processes: int = _PROCESSES) -> None:
        """`seconds`: that one file may take.  Starts nothing."""
        self._seconds = seconds
        self._free: queue.LifoQueue[_Child] = queue.LifoQueue()
        self._children = [_Child() for _ in range(processes)]
        for child in self._children:
            self._free.put(child)

    def warm(self) -> None:
        """Start a process now, so that the first upload need not wait for it."""
        child = self._free.get()
        try:
            child.start()
        finally:
            self._free.put(child)

    def decode(self, data: bytes) -> Decoded:
        """An encoded image, looked through and made anew."""
        said, png = self._ask({"ask": "decode"}, data)
        recipe = said["recipe"]
        found = None
        if recipe is not None:
            found = Found(**{**recipe, "remarks": tuple(recipe["remarks"])})
        return Decoded(
            width=said["width"],
            height=said["height"],
            format=said["format"],
            notes=tuple(said["notes"]),
            png=png,
            texts=said["texts"],
            by_machine=said["by_machine"],
            recipe=found,
        )

    def picture(self, data: bytes, side: int) -> bytes:
        """The image as a PNG file of its pixels alone, at most `side` pixels a side."""
        return self._ask({"ask": "picture", "side": side}, data)[1]

    def thumbnail(self, path: Path, side: int) -> bytes:
        """An image file on this computer as a WebP file of at most `side` pixels a side."""
        return self._ask({"ask": "thumbnail", "path": str(path), "side": side}, b"")[1]

    def close(self) -> None:
        """End the processes, whatever they are doing."""
        for child in self._children:
            child.end()

    def _ask(self, question: Mapping[str, object], data: bytes) -> tuple[dict[str, Any], bytes]:
        screening.check_bytes(len(data), "The image")
        child = self._free.get()
        try:
            said, picture = child.ask(question, data, self._seconds)
        finally:
            self._free.put(child)
        if "error" in said:
            raise ImageError(*said["error"])
        return said, picture


class _Child:
    """One process, started when it is first needed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._files = 0

    def start(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None and self._files < _LIFE:
            return self._process
        self.end()
        self._files = 0
        self._process = subprocess.Popen(
            [sys.executable, "-m", "darkroom.worker.decoding"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # Threads of libraries would each take a share of the memory that is allowed.
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        return self._process

    def ask(
        self, question: Mapping[str, object], data: bytes, seconds: float
    ) -> tuple[dict[str, Any], bytes]:
        """The answer; after a fault the process is ended, and the next question starts another."""
        process = self.start()
        self._files += 1
        late = threading.Event()

        def give_up() -> None:
            late.set()
            process.kill()

        watch = threading.Timer(seconds, give_up)
        watch.daemon = True
        watch.start()
        try:
            return _exchange(process, question, data)
        except (OSError, ValueError, EOFError) as error:
            self.end()
            if late.is_set():
                raise ImageError(
                    f"The image took more than {seconds:g} seconds to open.",
                    "Make it smaller, or save it as PNG, and try again.",
                ) from error
            raise ImageError(
                "The image is damaged or asks for more than an image should: "
                "the program that opens images had to stop.",
                "Save it as PNG or JPEG and try again.",
            ) from error
        finally:
            watch.cancel()
            if late.is_set():  # the answer may have come in the very moment
                self.end()

    def end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in process.stdin, process.stdout:
            with suppress(OSError):
                cast("BinaryIO", pipe).close()


def _exchange(
    process: subprocess.Popen[bytes], question: Mapping[str, object], data: bytes
) -> tuple[dict[str, Any], bytes]:
    source, target = cast("BinaryIO", process.stdout), cast("BinaryIO", process.stdin)
    target.write(json.dumps({**question, "bytes": len(data)}).encode() + b"\n")
    target.write(data)
    target.flush()
    line = source.readline()
    if not line:
        raise EOFError("the process ended")
    said: dict[str, Any] = json.loads(line)
    size = said.pop("bytes")
    picture = source.read(size)
    if len(picture) != size:
        raise EOFError("the process ended")
    return said, picture
