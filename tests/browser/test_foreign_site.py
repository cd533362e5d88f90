"""A page of another site, in a browser that is signed in: it reads nothing and changes nothing."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, StorageState

from tests.browser.harness import Darkroom

BODY = '{"paused": true}'
# What such a page may try: each a function of the server's address that tells what it got.
TRIES = {
    "read": """async (url) => {
        const answer = await fetch(url + "/api/status", {credentials: "include"});
        return answer.text();
    }""",
    "read without asking": """async (url) => {
        const answer = await fetch(url + "/api/status", {mode: "no-cors", credentials: "include"});
        return answer.text();
    }""",
    "write plainly": """async (url) => {
        await fetch(url + "/api/queue", {method: "POST", mode: "no-cors",
            credentials: "include", body: BODY});
        return "";
    }""",
    "write JSON": """async (url) => {
        const answer = await fetch(url + "/api/queue", {method: "POST", credentials: "include",
            headers: {"Content-Type": "application/json"}, body: BODY});
        return answer.text();
    }""",
    "beacon": """async (url) => {
        navigator.sendBeacon(url + "/api/queue", new Blob([BODY], {type: "text/plain"}));
        return "";
    }""",
    "delete": """async (url) => {
        const answer = await fetch(url + "/api/jobs/1", {method: "DELETE", credentials: "include"});
        return answer.text();
    }""",
    "listen": """(url) => new Promise((done) => {
        const stream = new EventSource(url + "/api/events", {withCredentials: true});
        stream.onopen = () => done("the stream opened");
        stream.onerror = () => { stream.close(); done(""); };
    })""",
    "web socket": """(url) => new Promise((done) => {
        const socket = new WebSocket(url.replace("http", "ws") + "/api/events");
        socket.onopen = () => done("the socket opened");
        socket.onerror = () => done("");
    })""",
    "script": """(url) => new Promise((done) => {
        const script = document.createElement("script");
        script.type = "module";
        script.src = url + "/js/api.js";
        script.onload = () => done("the script ran");
        script.onerror = () => done("");
        document.head.append(script);
    })""",
    "picture": """(url) => new Promise((done) => {
        const image = new Image();
        image.onload = () => done("the picture was shown");
        image.onerror = () => done("");
        image.src = url + "/favicon.svg";
    })""",
    "style": """(url) => new Promise((done) => {
        const link = document.createElement("link");
        link.rel = "stylesheet";
        link.href = url + "/css/base.css";
        link.onload = () => done("the style was read");
        link.onerror = () => done("");
        document.head.append(link);
    })""",
    "form": """(url) => new Promise((done) => {
        document.body.innerHTML = `<iframe name="there"></iframe>
            <form method="post" enctype="text/plain" target="there" action="${url}/api/queue">
            <input name='{"paused": true, "x": "' value='"}'></form>`;
        document.querySelector("form").submit();
        setTimeout(() => done(""), 500);
    })""",
}


class _Foreign(BaseHTTPRequestHandler):
    """An empty page."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>another site</title><body></body>")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing is to be told."""


@pytest.fixture(scope="module")
def foreign_port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Foreign)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture
def signed_in(_browser: Browser, _cookie: StorageState) -> Iterator[BrowserContext]:
    context = _browser.new_context(storage_state=_cookie)
    yield context
    context.close()


def paused(context: BrowserContext, darkroom: Darkroom) -> bool:
    answer = context.request.get(f"{darkroom.url}/api/status")
    assert answer.ok
    said: bool = answer.json()["queue"]["paused"]
    return said


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_another_site_gets_nothing(
    signed_in: BrowserContext, darkroom: Darkroom, foreign_port: int, name: str
) -> None:
    page = signed_in.new_page()
    for attempt, script in TRIES.items():
        page.goto(f"http://{name}:{foreign_port}/")
        body = script.replace("BODY", repr(BODY))
        said = page.evaluate(f"(url) => ({body})(url).catch(() => '')", darkroom.url)
        assert said == "", attempt
        assert not paused(signed_in, darkroom), attempt


def test_another_site_cannot_frame_it(
    signed_in: BrowserContext, darkroom: Darkroom, foreign_port: int
) -> None:
    page = signed_in.new_page()
    page.goto(f"http://localhost:{foreign_port}/")
    page.evaluate(
        """(url) => new Promise((done) => {
            const frame = document.createElement("iframe");
            frame.onload = done;
            frame.src = url + "/";
            document.body.append(frame);
        })""",
        darkroom.url,
    )
    inside = page.frames[-1]
    assert "Darkroom" not in inside.content()


def test_a_link_from_another_site_shows_the_door(
    signed_in: BrowserContext, darkroom: Darkroom, foreign_port: int
) -> None:
    page = signed_in.new_page()
    page.goto(f"http://localhost:{foreign_port}/")
    page.evaluate("(url) => { location.href = url + '/'; }", darkroom.url)
    page.get_by_role("heading", name="Darkroom is locked").wait_for()
    page.get_by_role("link", name="Go in").click()  # from its own page the cookie is sent
    page.get_by_role("button", name="Generate").wait_for()


@pytest.mark.parametrize("name", ["evil.localhost", "darkroom.localhost", "[::ffff:127.0.0.1]"])
def test_a_foreign_name_that_leads_here(
    _browser: Browser,  # noqa: PT019 (its value is used)
    darkroom: Darkroom,
    name: str,
) -> None:
    page: Page = _browser.new_page()
    port = darkroom.url.rpartition(":")[2]
    answer = page.goto(f"http://{name}:{port}/")
    assert answer is not None and answer.status == 403
    page.close()
