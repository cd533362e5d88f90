"""The web page's files, as they lie in the package: what is read is what is served."""

import hashlib
import re
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from darkroom.server.refusals import Refusal

router = APIRouter(include_in_schema=False)

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webp": "image/webp",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".txt": "text/plain; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
}
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,80}")
_DEEPEST = 6


@router.get("/")
def index(request: Request) -> Response:
    """The page."""
    return _served(request, ("index.html",))


@router.get("/{path:path}")
def file(request: Request, path: str) -> Response:
    """One of its files: style, script, library or picture."""
    parts = tuple(path.split("/"))
    if len(parts) > _DEEPEST or not all(_PART.fullmatch(part) for part in parts):
        raise _nothing()
    return _served(request, parts)


def _served(request: Request, parts: tuple[str, ...]) -> Response:
    kind = _TYPES.get("." + parts[-1].rpartition(".")[2])
    found = _find(parts) if kind else None
    if kind is None or found is None:
        raise _nothing()
    data = found.read_bytes()
    tag = f'"{_checksum(data)}"'
    # Asked again each time, and answered with nothing where nothing changed.
    headers = {"etag": tag, "cache-control": "private, no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(data, headers=headers, media_type=kind)


def _find(parts: tuple[str, ...]) -> Traversable | None:
    """The file at this place in the package; names are compared, no path is put together."""
    place: Traversable = resources.files("darkroom") / "web"
    for part in parts:
        entries = {entry.name: entry for entry in place.iterdir()} if place.is_dir() else {}
        if part not in entries:
            return None
        place = entries[part]
    return place if place.is_file() else None


@lru_cache(maxsize=256)
def _checksum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def _nothing() -> Refusal:
    return Refusal(404, "There is nothing at this address.")
