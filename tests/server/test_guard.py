"""Nobody gets in without a key, from another site, or by another name; and nothing is told them."""

import base64
import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from darkroom.errors import RequestError
from darkroom.server import security
from darkroom.server.keys import Keys
from darkroom.server.security import Hosts
from tests.server.conftest import ADDRESS, House

Opened = Callable[..., House]
PARAMETER = re.compile(r"\{[^}]*\}")


def routes(house: House) -> Iterator[tuple[str, str]]:
    """Every method and address that the application answers, those of included routers too."""

    def below(found: list[BaseRoute]) -> Iterator[tuple[str, str]]:
        for route in found:
            inner = getattr(route, "original_router", None) or getattr(route, "app", None)
            if isinstance(route, APIRoute) or (
                hasattr(route, "methods") and hasattr(route, "path")
            ):
                path = PARAMETER.sub("1", route.path)
                yield from ((method, path) for method in route.methods or ())
            elif inner is not None and hasattr(inner, "routes"):
                yield from below(inner.routes)
            else:
                raise AssertionError(f"{route!r} is of no known kind")

    yield from sorted(set(below(house.app.routes)))


def test_the_inventory_is_complete(shared: House) -> None:
    found = set(routes(shared))
    paths = {path for _, path in found}
    assert {"/", "/api/status", "/api/events", "/api/jobs/1/cancel", "/api/openapi.json"} <= paths
    documented = shared.client.get("/api/openapi.json").json()["paths"]
    told = {PARAMETER.sub("1", path) for path in documented}
    hidden = {"/", "/1", "/api/openapi.json", "/enter", "/health", "/sign-in"}
    assert paths - hidden == told


def test_every_route_but_three_asks_for_a_key(shared: House) -> None:
    assert len(security.OPEN) <= 3
    for method, path in routes(shared):
        answer = shared.stranger.request(method, path)
        if path in security.OPEN:
            assert answer.status_code != 401, path
        else:
            assert answer.status_code == 401, (method, path)
    assert len(shared.services.store.queue.list()) <= 1


def test_open_addresses_tell_nothing(shared: House) -> None:
    assert shared.stranger.get("/health").json() == {"ok": True}
    for path in security.OPEN:
        text = shared.stranger.get(path).text
        assert shared.services.keys.token not in text
        assert shared.services.keys.session not in text


def the_job(house: House) -> dict[str, Any]:
    """The only job of a server that tests share."""
    jobs = house.client.get("/api/jobs").json()["jobs"]
    return jobs[0] if jobs else house.submit()


FOREIGN: list[dict[str, str]] = [
    {"origin": "http://evil.example"},
    {"origin": "https://127.0.0.1:7860"},
    {"origin": "http://127.0.0.1:7861"},
    {"origin": "http://localhost:7860"},
    {"origin": "null"},
    {"origin": ""},
    {"origin": "http://127.0.0.1:7860.evil.example"},
    {"origin": "http://127.0.0.1:7860@evil.example"},
    {"origin": "chrome-extension://abcdefgh"},
    {"origin": "file://"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"},
    {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"},
    {"sec-fetch-site": "unheard-of"},
]
HOSTS = [
    "evil.example",
    "evil.example:7860",
    "127.0.0.1",
    "127.0.0.1:80",
    "127.0.0.1:7861",
    "localhost.evil.example:7860",
    "127.0.0.1.evil.example:7860",
    "user@127.0.0.1:7860",
    "127.0.0.1:7860/x",
    "127.0.0.1:7860, evil.example",
    "0.0.0.0:7860",
    "192.168.0.10:7860",
    "[::2]:7860",
    "[::1",
    "127.1:7860",
    "2130706433:7860",
    "127.0.0.1:x",
    "",
]


@pytest.mark.parametrize("headers", FOREIGN, ids=lambda headers: str(list(headers.values())))
def test_other_sites_change_and_read_nothing(shared: House, headers: dict[str, str]) -> None:
    job = the_job(shared)
    for method, path in routes(shared):
        named = path.replace("/jobs/1", f"/jobs/{job['id']}")
        answer = shared.client.request(method, named, headers=headers)
        assert answer.status_code == 403, (method, path)
        assert "access-control-allow-origin" not in answer.headers
        assert job["id"] not in answer.text
    assert [one.state for one in shared.services.store.queue.list()] == ["waiting"]


@pytest.mark.parametrize("host", HOSTS)
def test_other_names_change_and_read_nothing(shared: House, host: str) -> None:
    job = the_job(shared)
    for method, path in routes(shared):
        answer = shared.client.request(method, path, headers={"host": host})
        assert answer.status_code == 403, (method, path)
        assert job["id"] not in answer.text
    assert [one.state for one in shared.services.store.queue.list()] == ["waiting"]


@pytest.mark.parametrize(
    "host", ["127.0.0.1:7860", "localhost:7860", "[::1]:7860", "LOCALHOST:7860"]
)
def test_its_own_names_are_fine(shared: House, host: str) -> None:
    headers = {"host": host, "origin": f"http://{host}", "sec-fetch-site": "same-origin"}
    assert shared.client.get("/api/status", headers=headers).status_code == 200


def test_no_origin_but_its_own_for_any_of_its_names(shared: House) -> None:
    headers = {"host": "localhost:7860", "origin": ADDRESS}
    assert shared.client.get("/api/status", headers=headers).status_code == 403


def test_names_that_were_allowed() -> None:
    named = Hosts(port=7860, names=("studio.local", "192.168.0.10"))
    assert named.allows("studio.local:7860") and named.allows("192.168.0.10:7860")
    assert not named.allows("studio.local") and not named.allows("192.168.0.11:7860")
    anywhere = Hosts(port=7860, anywhere=True)
    assert anywhere.allows("192.168.0.10:7860") and anywhere.allows("[fe80::1]:7860")
    assert not anywhere.allows("evil.example:7860") and not anywhere.allows("127.1:7860")
    assert Hosts(port=80).allows("localhost")


TOKENS = [
    {"authorization": "Bearer TOKENx"},
    {"authorization": "Bearer TOKE"},
    {"authorization": "Bearer"},
    {"authorization": "TOKEN"},
    {"authorization": "Token TOKEN"},
    {"authorization": "Basic !!!"},
    {"authorization": "Basic TOKEN"},
    {"authorization": "Basic " + base64.b64encode(b"x:y").decode()},
    {"cookie": "darkroom-7860=TOKEN"},
    {"cookie": "darkroom-7860="},
    {"cookie": "darkroom-7860"},
    {"cookie": "\x00;=;darkroom"},
    {"x-token": "TOKEN"},
]


@pytest.mark.parametrize("wrong", TOKENS, ids=range(len(TOKENS)))
def test_wrong_keys_open_nothing(shared: House, wrong: dict[str, str]) -> None:
    token = shared.services.keys.token
    headers = {name: value.replace("TOKEN", token) for name, value in wrong.items()}
    headers = {name: value.replace("TOKE", token[:-1]) for name, value in headers.items()}
    assert shared.stranger.get("/api/status", headers=headers).status_code == 401
    assert shared.stranger.get("/api/status?token=x", headers=headers).status_code == 401


def test_right_keys(shared: House) -> None:
    token = shared.services.keys.token
    basic = base64.b64encode(f"anybody:{token}".encode()).decode()
    for header in f"Bearer {token}", f"bearer {token}", f"Basic {basic}":
        answer = shared.stranger.get("/api/status", headers={"authorization": header})
        assert answer.status_code == 200


def test_an_invitation_buys_a_cookie_once(house: House) -> None:
    token = house.services.keys.invite()
    assert house.stranger.get("/").status_code == 401
    answer = house.stranger.get("/enter", params={"token": token})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie and "Path=/" in cookie
    assert token not in cookie and house.services.keys.token not in cookie
    assert house.stranger.get("/api/status").status_code == 200  # the client keeps it
    assert house.stranger.get("/").status_code == 200
    house.stranger.cookies.clear()
    again = house.stranger.get("/enter", params={"token": token})
    assert again.status_code == 403 and "set-cookie" not in again.headers
    assert "used" in again.text


@pytest.mark.parametrize("token", ["", "x", "\0", "é", "🐹", "a" * 200])
def test_no_invitation(shared: House, token: str) -> None:
    shared.services.keys.invite()
    answer = shared.stranger.get("/enter", params={"token": token})
    assert answer.status_code == 403 and "set-cookie" not in answer.headers


def test_a_link_elsewhere_may_lead_to_the_door(shared: House) -> None:
    followed = {
        "sec-fetch-site": "cross-site",
        "sec-fetch-mode": "navigate",
        "sec-fetch-dest": "document",
        "accept": "text/html",
    }
    assert shared.stranger.get("/", headers=followed).status_code == 401
    token = shared.services.keys.invite()
    answer = shared.stranger.get("/enter", params={"token": token}, headers=followed)
    assert answer.status_code == 303
    shared.stranger.cookies.clear()
    assert shared.stranger.get("/api/status", headers=followed).status_code == 403
    assert shared.stranger.post("/sign-in", headers=followed).status_code == 403


def test_who_is_locked_out_reads_how_to_get_in(shared: House) -> None:
    answer = shared.stranger.get("/", headers={"accept": "text/html,*/*"})
    assert answer.status_code == 401
    assert "<script" not in answer.text and 'style="' not in answer.text
    assert "darkroom serve" in answer.text


def test_the_password(opened: Opened, tmp_path: Path) -> None:
    house = opened(tmp_path / "data", password="correct horse", hosts=Hosts(port=7860))
    page = house.stranger.get("/sign-in")
    assert "<script" not in page.text
    assert page.headers["referrer-policy"] == "same-origin"  # else its form comes from nobody
    wrong = house.stranger.post("/sign-in", data={"password": "battery staple"})
    assert wrong.status_code == 403 and "set-cookie" not in wrong.headers
    right = house.stranger.post("/sign-in", data={"password": "correct horse"})
    assert right.status_code == 303
    assert house.stranger.get("/api/status").status_code == 200


def test_the_password_cannot_be_tried_quickly(opened: Opened, tmp_path: Path) -> None:
    house = opened(tmp_path / "data", password="correct horse")
    for _ in range(5):
        assert house.stranger.post("/sign-in", data={"password": "x"}).status_code == 403
    for guess in "x", "correct horse":
        slowed = house.stranger.post("/sign-in", data={"password": guess})
        assert slowed.status_code == 429 and int(slowed.headers["retry-after"]) > 30
    bearer = {"authorization": f"Bearer {house.services.keys.token}"}
    assert house.stranger.get("/api/status", headers=bearer).status_code == 200


def test_many_guesses_at_once_gain_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = Keys(password="correct horse")
    tried: list[str] = []
    real = keys._hash

    def slow(guess: str) -> bytes:
        tried.append(guess)
        return real(guess)

    monkeypatch.setattr(keys, "_hash", slow)
    guesses = [f"guess {number}" for number in range(30)]
    with ThreadPoolExecutor(30) as pool:
        assert not any(pool.map(keys.knows_password, guesses))
    assert len(tried) == 5 and keys.seconds_to_wait() > 50
    assert not keys.knows_password("correct horse")


def test_odd_cookies_beside_its_own(shared: House) -> None:
    session = shared.services.keys.session
    for cookie in (
        f'a[b]=1; c="; darkroom-7860={session}',
        f"darkroom-7860=tossed; darkroom-7860={session}",
        f"darkroom-7860={session};;;=;",
    ):
        answer = shared.stranger.get("/api/status", headers={"cookie": cookie})
        assert answer.status_code == 200, cookie


def test_keys_are_kept(tmp_path: Path) -> None:
    first = Keys.kept_in(tmp_path)
    again = Keys.kept_in(tmp_path)
    assert (first.token, first.session) == (again.token, again.session)
    file = tmp_path / "keys.json"
    assert os.name == "nt" or file.stat().st_mode & 0o077 == 0
    for damage in "", "[]", '{"token": 3}', '{"token": "short"}', "{":
        file.write_text(damage)
        assert Keys.kept_in(tmp_path).token != first.token
    said = Keys.kept_in(tmp_path, token="x" * 16)
    assert said.token == "x" * 16 and Keys.kept_in(tmp_path).token == "x" * 16
    for wrong in {"token": "short"}, {"token": "é" * 20}, {"password": "short"}:
        with pytest.raises(RequestError):
            Keys(**wrong)


def test_no_password_no_sign_in(shared: House) -> None:
    assert shared.stranger.get("/sign-in").status_code == 404
    assert shared.stranger.post("/sign-in", data={"password": ""}).status_code == 404


def test_what_every_answer_bears(shared: House) -> None:
    for path in "/", "/api/status", "/nothing", "/enter":
        headers = shared.client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy or "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "access-control-allow-origin" not in headers
        assert "server" not in headers


def test_a_large_body_is_refused_before_it_is_read(shared: House) -> None:
    read = 0

    def parts() -> Iterator[bytes]:
        nonlocal read
        for _ in range(64):
            read += 2**20
            yield bytes(2**20)

    said = shared.client.post("/api/jobs", content=b"x", headers={"content-length": str(2**40)})
    assert said.status_code == 413
    for length in "9" * 19, "9" * 5000:
        said = shared.client.post("/api/jobs", content=b"x", headers={"content-length": length})
        assert said.status_code == 413
    counted = shared.client.post("/api/jobs", content=parts())
    assert counted.status_code == 413
    assert counted.json()["error"]["message"] == "The request is larger than 2 MB."


def test_many_headers(shared: House) -> None:
    many = {f"x-{number}": "1" for number in range(200)}
    assert shared.client.get("/api/status", headers=many).status_code == 431
    assert shared.client.get("/api/status", headers={"x": "y" * 2**16}).status_code == 431


def test_a_fault_tells_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError(f"secret {house.services.keys.token} in /home/somebody")

    monkeypatch.setattr(house.crew, "devices", broken)
    answer = house.client.get("/api/status")
    assert answer.status_code == 500
    assert set(answer.json()["error"]) == {"message", "hint"}
    assert "secret" not in answer.text and "somebody" not in answer.text


def test_no_web_sockets(shared: House) -> None:
    from starlette.websockets import WebSocketDisconnect

    with pytest.raises(WebSocketDisconnect), shared.client.websocket_connect("/api/events"):
        pass
