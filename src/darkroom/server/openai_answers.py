"""What OpenAI's image API answers."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from darkroom.contracts import PromptSyntax
from darkroom.images.io import Format
from darkroom.planning.resolve import PROMPT_SYNTAX
from darkroom.server.metering import metered
from darkroom.server.services import Services
from darkroom.server.waiting import Made, written
from darkroom.store.jobs import Job


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """What every answer to one call has in common.

    `address`: of this server.  `factor`: pixels of an image that one of its preview stands for.
    """

    address: str
    file_format: Format
    quality: int | None
    as_url: bool
    factor: int
    tokens: int
    prompt: str

    def data(self, made: Made) -> dict[str, Any]:
        """One image, with its seed and its place in the gallery, which OpenAI's have not."""
        said: dict[str, Any] = {"seed": made.image.seed, "id": made.image.id}
        if self.as_url:
            said["url"] = f"{self.address}/api/images/{made.image.id}/file"
        else:
            said["b64_json"] = text_of(written(made, self.file_format, self.quality))
        if made.image.prompt != self.prompt:  # by styles and wildcards
            said["revised_prompt"] = made.image.prompt
        return said

    def whole(self, made: Sequence[Made], created: int) -> dict[str, Any]:
        """The answer to a call that does not stream."""
        first = made[0].image
        return {
            "created": created,
            "data": [self.data(one) for one in made],
            "background": "opaque",
            "output_format": self.file_format,
            "size": f"{first.width}x{first.height}",
            "usage": self.usage(),
        }

    def shown(self, size: tuple[int, int], picture: bytes, created: int) -> dict[str, Any]:
        """What all events of a stream tell of a picture."""
        return {
            "b64_json": text_of(picture),
            "created_at": created,
            "size": f"{size[0]}x{size[1]}",
            "quality": "auto",
            "background": "opaque",
            "output_format": self.file_format,
        }

    def usage(self) -> dict[str, Any]:
        """Tokens of the prompts.  Images are not made of tokens here, so they count 0."""
        return {
            "input_tokens": self.tokens,
            "input_tokens_details": {"text_tokens": self.tokens, "image_tokens": 0},
            "output_tokens": 0,
            "output_tokens_details": {"text_tokens": 0, "image_tokens": 0},
            "total_tokens": self.tokens,
        }


def tokens_of(services: Services, job: Job) -> int:
    """How many tokens the model reads of the prompts of a job's first image."""
    first = job.requests[0]
    spec = services.shelf.spec(str(first["model"]))
    said = first.get("prompt_syntax")
    syntax: PromptSyntax = PROMPT_SYNTAX if said is None else said  # type: ignore[assignment]
    counts = [
        metered(str(first.get(name, "")), spec, syntax, negative=name == "negative")["tokens"]
        for name in ("prompt", "negative")
    ]
    return sum(counts)


def event(name: str, data: Mapping[str, Any]) -> bytes:
    """A server-sent event as OpenAI's client reads it."""
    return (
        f"event: {name}\ndata: {json.dumps({'type': name, **data}, allow_nan=False)}\n\n".encode()
    )


def text_of(data: bytes) -> str:
    """A file as base64."""
    return base64.b64encode(data).decode()
