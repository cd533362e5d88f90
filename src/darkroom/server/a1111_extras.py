"""Enlarging for AUTOMATIC1111's API: by filters at once, by models through the queue."""

import io
from dataclasses import dataclass

from PIL import Image as Pillow

from darkroom import __version__
from darkroom.contracts import Request
from darkroom.errors import RequestError
from darkroom.images import io as files
from darkroom.images import provenance, screening
from darkroom.server.a1111_bodies import SHOWN, Extras
from darkroom.server.a1111_lists import PLAIN_UPSCALERS
from darkroom.server.wishing import completed

_FILTERS = {"lanczos": Pillow.Resampling.LANCZOS, "nearest": Pillow.Resampling.NEAREST}
_MOST = 16_384


@dataclass(frozen=True, kw_only=True)
class Enlarging:
    """`model`: the one that enlarges, None where a filter does; `filter`: None to leave it."""

    model: str | None
    filter: Pillow.Resampling | None
    body: Extras

    def request(self, file: bytes) -> Request:
        """The wish to enlarge an image by the model."""
        return completed({"task": "upscale", "model": self.model, "image": file})

    def size(self, before: tuple[int, int]) -> tuple[int, int]:
        """Width and height after enlarging, before anything is cut off.  RequestError."""
        body = self.body
        if body.resize_mode == 1:
            wanted = self._box(before)
            times = max(wanted[0] / before[0], wanted[1] / before[1])
        else:
            times = 2.0 if body.upscaling_resize is None else body.upscaling_resize
        if not 0 < times <= _MOST:
            raise RequestError(f"Nothing can be enlarged {times:g} times.", "4 times is usual.")
        after = max(1, round(before[0] * times)), max(1, round(before[1] * times))
        if max(after) > _MOST or after[0] * after[1] > screening.MAX_PIXELS:
            raise RequestError(
                f"The image would be {after[0]} x {after[1]}.",
                f"At most {screening.MAX_PIXELS // 10**6} megapixels are made so.",
            )
        return after

    def finished(self, picture: Pillow.Image, before: tuple[int, int]) -> Pillow.Image:
        """The picture at its size, out of what a model made of it, or out of itself.

        `before`: the size of what came in.
        """
        if self.filter is None:
            return picture
        picture = picture.resize(self.size(before), self.filter)
        if self.body.resize_mode != 1 or self.body.upscaling_crop is False:
            return picture
        width, height = self._box(before)
        left, top = (picture.width - width) // 2, (picture.height - height) // 2
        return picture.crop((left, top, left + width, top + height))

    def _box(self, before: tuple[int, int]) -> tuple[int, int]:
        """The size that was asked for; the one of the two that is 0 follows the other."""
        body = self.body
        width = 512 if body.upscaling_resize_w is None else body.upscaling_resize_w
        height = 512 if body.upscaling_resize_h is None else body.upscaling_resize_h
        if min(width, height) < 0 or not (width or height) or max(width, height) > _MOST:
            raise RequestError(f"An image of {width} x {height} cannot be made.", "Say another.")
        width = width or max(1, round(before[0] * height / before[1]))
        return width, height or max(1, round(before[1] * width / before[0]))


def enlarging(body: Extras, x4_models: list[str]) -> Enlarging:
    """What `body` asks for.  RequestError for what there is not."""
    for name in ("gfpgan_visibility", "codeformer_visibility", "extras_upscaler_2_visibility"):
        second = name.startswith("extras") and (body.upscaler_2 or "None") == "None"
        if getattr(body, name) and not second:
            raise RequestError(f"There is no {name} here.", "Leave it out, or send 0.")
    if body.resize_mode not in {None, 0, 1}:
        raise RequestError(f"There is no resize_mode {body.resize_mode}.", "0 and 1 are there.")
    said = body.upscaler_1 or "None"
    if said in x4_models:
        return Enlarging(model=said, filter=Pillow.Resampling.LANCZOS, body=body)
    if said not in PLAIN_UPSCALERS:
        known = ", ".join([*PLAIN_UPSCALERS, *x4_models])
        raise RequestError(
            f"There is no upscaler {said[:SHOWN]!r} here.",
            f"Choose {known}; x4 models are installed like others.",
        )
    return Enlarging(model=None, filter=_FILTERS.get(said.lower()), body=body)


def opened(file: bytes) -> Pillow.Image:
    """The picture in a file that was made here."""
    picture = Pillow.open(io.BytesIO(file), formats=("PNG", "JPEG", "WEBP"))
    picture.load()
    return picture


def encoded(picture: Pillow.Image, *, by_machine: bool) -> bytes:
    """A PNG file, which says that a model made it where that is so."""
    if by_machine:
        mark = provenance.new_mark(__version__, edited=True)
        return files.encode(files.from_pil(picture), "png", mark=mark)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
