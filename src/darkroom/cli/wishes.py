"""From flags to Requests: the only place where the two meet."""

import dataclasses
import sys
from pathlib import Path
from typing import Any

from darkroom import settings
from darkroom.cli.flags import Flags
from darkroom.contracts import Request
from darkroom.errors import RequestError
from darkroom.images import io

# The flags that are settings as well as fields of a Request, under one name.
_SETTLED = tuple(
    field.name for field in dataclasses.fields(Request) if field.name in settings.TABLE
)
# The flags that are fields of a Request only.
_SAID = ("width", "height", "eta", "count", "ema")
_BYTE_ORDER_MARK = "\ufeff"


def requests(
    flags: Flags,
    *,
    prompt: str | None,
    image: Path | None = None,
    strength: float | None = None,
) -> tuple[Request, ...]:
    """One Request a prompt; seeds go on counting from one to the next.

    Raises:
        RequestError: no prompt, or two sources of prompts.
        ImageError: the input image is none, or cannot be read.
    """
    settled: dict[str, Any] = {name: _settled(name, getattr(flags, name)) for name in _SETTLED}
    said: dict[str, Any] = {name: getattr(flags, name) for name in _SAID}
    first = Request(
        task="img2img" if image else "txt2img",
        image=io.readable_bytes(image) if image else None,
        strength=strength,
        seed=flags.seed,
        **settled,
        **said,
    )
    return tuple(
        dataclasses.replace(first, prompt=text, seed=_continued(flags, index))
        for index, text in enumerate(_prompts(prompt, flags.from_file))
    )


def _settled(name: str, said: settings.Value) -> settings.Value:
    value = settings.read(name, said)
    return None if value == "auto" else value


def _continued(flags: Flags, index: int) -> int | None:
    return None if flags.seed is None else flags.seed + index * flags.count


def _prompts(prompt: str | None, file: str | None) -> list[str]:
    if prompt is not None and file is not None:
        raise RequestError("There are a prompt and a file of prompts.", "Keep one of the two.")
    if prompt is not None:
        return [prompt]
    if file is not None:
        return [line for line in lines(file) if line.strip()]
    raise RequestError("There is no prompt.", 'Say what to make: darkroom txt2img "a hamster".')


def lines(file: str) -> list[str]:
    """The lines of a text file; `-` is standard input.

    Raises:
        RequestError: the file cannot be read, or it is empty.
    """
    name = "standard input" if file == "-" else file
    try:
        text = _standard_input() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "they are no text in UTF-8"
        raise RequestError(
            f"The prompts in {name} cannot be read: {reason}.", "Name a text file in UTF-8."
        ) from error
    if not text.strip():
        raise RequestError(f"There is no prompt in {name}.", "Write one prompt a line.")
    return text.removeprefix(_BYTE_ORDER_MARK).splitlines()


def _standard_input() -> str:
    return "" if sys.stdin is None else sys.stdin.read()  # None where it was closed
