"""From flags to Requests: the only place where the two meet."""

import dataclasses
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from darkroom import settings
from darkroom.cli.flags import Flags
from darkroom.contracts import Request, Task
from darkroom.errors import RequestError
from darkroom.images import io
from darkroom.tasks import recalling
from darkroom.tasks.wording import chosen, styled

_FLAGS = {field.name for field in dataclasses.fields(Flags)}
_WISHES = [field.name for field in dataclasses.fields(Request)]
_FIELDS = [name for name in _WISHES if name in _FLAGS]
# What one command alone says.
_OWN = [name for name in _WISHES if name not in _FLAGS | {"task", "image", "prompt", "version"}]
# Tasks in which the image says enough.
_WORDLESS: tuple[Task, ...] = ("upscale", "vary")
_BYTE_ORDER_MARK = "\ufeff"


def requests(
    flags: Flags,
    *,
    prompt: str | None,
    task: Task = "txt2img",
    image: Path | None = None,
    tell: Callable[[str], None] = lambda _: None,
    **own: Any,
) -> tuple[Request, ...]:
    """One Request a prompt, or more where wildcards make it read differently from image to image.

    Seeds go on counting from one to the next.  `own`: what only this task's command can say, by
    the names of a Request, None where it was not said.  `tell` takes remarks about what `--like`
    found.

    Raises:
        RequestError: no prompt, two sources of prompts, no such style or wildcard.
        ImageError: an image is none, or cannot be read.
    """
    alike = _like(flags, task, tell)
    said = {name: _said(name, getattr(flags, name), alike.get(name)) for name in _FIELDS}
    named = alike.get("model") if flags.model is None else flags.model
    said["model"] = settings.read_model(task, named)
    said |= {name: alike.get(name) for name in _OWN}
    said |= {name: value for name, value in own.items() if value is not None}
    first = Request(
        task=task,
        image=io.readable_bytes(image) if image else None,
        **{name: value for name, value in said.items() if value is not None},
    )
    wanted = [
        styled(
            dataclasses.replace(first, prompt=text, seed=_continued(first, index)),
            flags.style or (),
        )
        for index, text in enumerate(_prompts(task, prompt, flags.from_file, alike.get("prompt")))
    ]
    if prompt is None and flags.from_file is None:
        return tuple(wanted)  # in the prompt of an image everything is chosen already
    return tuple(request for wish in wanted for request in chosen(wish))


def _like(flags: Flags, task: Task, tell: Callable[[str], None]) -> Mapping[str, Any]:
    """The fields of `--like`.  Another sampler than its own brings its own schedule and noise."""
    if flags.like is None:
        return {}
    found = recalling.like(flags.like, task, tell=tell)
    for remark in found.remarks:
        tell(remark)
    replaced = () if flags.sampler is None else ("schedule", "eta", "churn")
    return {name: value for name, value in found.fields.items() if name not in replaced}


def _said(name: str, flag: Any, alike: Any) -> Any:
    """The flag, else what the image of `--like` says, else the setting; None where nothing does."""
    switched_off = flag is False and alike is not None  # a switch that was not said
    value = alike if flag is None or switched_off else flag
    if name in settings.TABLE:
        value = settings.read(name, value)
    return None if value == "auto" else value


def _continued(first: Request, index: int) -> int | None:
    return None if first.seed is None else first.seed + index * first.count


def _prompts(task: Task, prompt: str | None, file: str | None, alike: str | None) -> list[str]:
    if prompt is not None and file is not None:
        raise RequestError("There are a prompt and a file of prompts.", "Keep one of the two.")
    if prompt is not None:
        return [prompt]
    if file is not None:
        return [line for line in lines(file) if line.strip()]
    if alike is not None:
        return [alike]
    if task in _WORDLESS:
        return [""]
    raise RequestError("There is no prompt.", 'Say what to make, in quotes: "a hamster".')


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
