"""No name that a client says becomes a path: 500 hostile ones, wherever a name can be said."""

import asyncio
import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server import asgi
from tests.server.conftest import House

_ROOTS = [
    "../",
    "..\\",
    "/",
    "\\",
    "C:\\",
    "c:/",
    "\\\\host\\share\\",
    "//host/",
    "file:///",
    "~/",
    "./",
]
_TARGETS = [
    "etc/passwd",
    "darkroom.db",
    "keys.json",
    "windows/win.ini",
    "server.lock",
    "x.safetensors",
]
_TRICKS = [
    "",
    ".",
    "..",
    "...",
    "\0",
    "a\0.png",
    "\n",
    "\r\nset-cookie: x=1",
    "a" * 300,
    "a" * 5000,
    "😀" * 200,
    "\u202egnp.exe",
    "\u2024\u2024/\u2024\u2024/etc/passwd",
    "\uff0e\uff0e\uff0fetc\uff0fpasswd",
    "%2e%2e%2fetc%2fpasswd",
    "..%252f..%252fetc",
    "..;/",
    "%00",
    "%c0%ae%c0%ae/",
    "con",
    "nul.txt",
    "aux.safetensors",
    "com1",
    "x.png:stream",
    "mini::$DATA",
    "*",
    "?",
    "[a-z]",
    "<script>alert(1)</script>",
    "'; DROP TABLE images; --",
    '" OR 1=1',
    "$(touch /tmp/x)",
    "`id`",
    "| id",
    "-rf",
    "--help",
    "{{7*7}}",
    "${jndi:ldap://x}",
    "e\u0301",
    "\u00e9",
    "\ufeffmini",
    " mini",
    "mini ",
    "MINI",
    "mini\u200b",
    "mini/../mini",
    "0" * 80,
    "-1",
    "1e9",
    "True",
    "None",
    "__proto__",
    "constructor",
]


def names() -> list[str]:
    deep = (
        f"{root * count}{target}"
        for count, root, target in itertools.product((1, 2, 5, 12, 40), _ROOTS, _TARGETS)
    )
    mixed = (f"x/{root}{target}" for root, target in itertools.product(_ROOTS, _TARGETS))
    tails = (f"../{name}" for name in _TRICKS)
    return [*dict.fromkeys([*_TRICKS, *deep, *mixed, *tails])]


PLACES = [
    ("GET", "/api/jobs/{}"),
    ("POST", "/api/jobs/{}/cancel"),
    ("DELETE", "/api/jobs/{}"),
    ("GET", "/api/images/{}"),
    ("GET", "/api/images/{}/file"),
    ("GET", "/api/images/{}/thumbnail"),
    ("DELETE", "/api/images/{}"),
    ("GET", "/api/images/0-0/film/{}"),
    ("GET", "/api/jobs/{}/film/0/1"),
    ("GET", "/api/uploads/{}"),
    ("GET", "/api/uploads/{}/image"),
    ("GET", "/api/models/{}"),
    ("DELETE", "/api/models/{}"),
    ("DELETE", "/api/styles/{}"),
    ("GET", "/{}"),
    ("GET", "/js/{}"),
    ("GET", "/api/jobs?after={}"),
    ("GET", "/api/images?after={}"),
]


def bodies(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    wish = {"prompt": "a cat"}
    for field in "model", "vae", "device", "sampler", "schedule", "image", "mask", "depth", "task":
        yield "/api/jobs", {"request": wish | {field: name}}
    yield "/api/jobs", {"request": wish, "styles": [name]}
    yield "/api/jobs", {"request": wish | {"images": [name]}}
    yield "/api/tokens", {"model": name}
    yield "/api/models/import", {"id": name}
    yield "/api/models/mini/convert", {"to": name}
    yield "/api/queue/clear", {"what": name}
    yield "/api/images/delete", {"ids": [name]}
    yield "/api/images/zip", {"ids": [name]}


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every path that is opened outside of what Python itself needs."""
    seen: list[str] = []
    real = Path.open

    def noting(self: Path, *more: Any, **named: Any) -> Any:
        seen.append(str(self))
        return real(self, *more, **named)

    monkeypatch.setattr(Path, "open", noting)
    return seen


def leaks(text: str, house: House) -> bool:
    return any(
        secret in text
        for secret in (
            "root:x:",
            house.services.keys.token,
            house.services.keys.session,
            str(house.services.store.folder.root),
            os.sep + "home",
            "Traceback",
        )
    )


def test_there_are_enough() -> None:
    assert len(names()) >= 500


def key(house: House) -> dict[str, str]:
    return {"authorization": f"Bearer {house.services.keys.token}"}


def unread(opened: list[str]) -> bool:
    """Whether nothing outside was opened, and none of the server's own secrets."""
    outside = [path for path in opened if path.startswith(("/etc", "/windows", "/proc"))]
    return not outside and not any(path.endswith(("keys.json", "server.lock")) for path in opened)


@pytest.mark.parametrize(("method", "place"), PLACES, ids=lambda value: value)
def test_names_in_addresses(shared: House, method: str, place: str, opened: list[str]) -> None:
    async def all_of_them() -> None:
        for name in names():
            answer = await asgi.ask(shared.app, method, place.replace("{}", name), key(shared))
            fine = answer.status in {200, 304} and known(place, name)
            assert fine or 400 <= answer.status < 500, (name, answer.status, answer.text)
            assert not leaks(answer.text, shared), name

    asyncio.run(all_of_them())
    assert unread(opened)


def known(place: str, name: str) -> bool:
    """Whether something of this name is there after all."""
    if "after=" in place or place.startswith("/api/models"):
        return True
    here = {"", "\n", ".", "..", "/"} | {f"{folder}mini" for folder in ("", " ")}
    return name in here or name.startswith(("?", "#")) or place.replace("{}", name) in LISTS


LISTS = {"/api/jobs/", "/api/images/"}


def test_names_in_bodies(shared: House, opened: list[str]) -> None:
    async def all_of_them() -> None:
        for name in names()[::6]:
            for path, said in bodies(name):
                body = json.dumps(said).encode()
                headers = key(shared) | {"content-type": "application/json"}
                answer = await asgi.ask(shared.app, "POST", path, headers, body)
                assert 400 <= answer.status < 500 or harmless(path, said), (path, name)
                assert not leaks(answer.text, shared), (path, name)

    asyncio.run(all_of_them())
    assert unread(opened)
    assert not shared.crew.told
    assert shared.services.store.queue.list() == ()


def harmless(path: str, body: dict[str, Any]) -> bool:
    """What may be answered: the list of images that were not there."""
    return path == "/api/images/delete" and len(body["ids"][0]) <= 80
