"""What the browser tests stand on: a server, a browser, and eyes for what went wrong."""

import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    StorageState,
    ViewportSize,
)

AXE = Path(__file__).parent / "axe" / "axe.min.js"
ARTEFACTS = Path(__file__).parents[2] / "outputs" / "browser"
DESKTOP: ViewportSize = {"width": 1440, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
_ENTRANCE = re.compile(r"https?://[^\s/]+/enter\?token=[^\s\"']+")
Theme = Literal["dark", "light"]
PATIENCE = 20_000.0  # milliseconds that a page has for what a test waits for
_STARTS_WITHIN = 120.0  # seconds; a machine that is busy with other things is slow


class Darkroom:
    """`darkroom serve` with Mini in a folder of its own, on one port for as long as it is used."""

    def __init__(self, data: Path, log: Path) -> None:
        self.data = data
        self._log = log
        self._port = _free_port()
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> str:
        """Starts the server; the address that buys a cookie."""
        command = [sys.executable, "-m", "darkroom", "serve", "--no-browser", "--device", "cpu"]
        command += ["--port", str(self._port), "--data", str(self.data)]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1
        )
        self._process = process
        found: list[str] = []
        ready = threading.Event()
        self._reader = threading.Thread(target=self._read, args=(process, found, ready))
        self._reader.start()
        if not ready.wait(_STARTS_WITHIN) or not found:
            self.stop()
            raise AssertionError(f"darkroom serve did not start:\n{self.log()}")
        return found[0]

    def _read(
        self, process: subprocess.Popen[str], found: list[str], ready: threading.Event
    ) -> None:
        assert process.stdout is not None
        with process.stdout, self._log.open("a", encoding="utf-8") as log:
            for line in process.stdout:
                log.write(line)
                log.flush()
                entrance = _ENTRANCE.search(line)
                if entrance and not found:
                    found.append(entrance[0])
                    ready.set()
        ready.set()

    def kill(self) -> None:
        """As a power cut: nothing can be put in order any more."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._reader is not None:
            self._reader.join(timeout=20)  # the worker holds the pipe until it has ended as well
        self._process = None

    def log(self) -> str:
        return self._log.read_text(encoding="utf-8") if self._log.exists() else ""


class Windows:
    """Opens windows and sees what a page must never do.

    That is: errors in the console, broken policies, requests that fail, are refused, or go to
    anybody but the server.
    """

    def __init__(self, browser: Browser, url: str, cookie: StorageState) -> None:
        self._browser = browser
        self._url = url
        self._cookie = cookie
        self._contexts: list[BrowserContext] = []
        self._seen: list[str] = []
        self._allowed: list[re.Pattern[str]] = []

    def open(self, at: str = "", *, phone: bool = False, theme: Theme = "dark") -> Page:
        """One as new as on a machine that was never here, but let in; `at`: `#/gallery`."""
        context = self._browser.new_context(
            base_url=self._url,
            viewport=PHONE if phone else DESKTOP,
            has_touch=phone,
            is_mobile=phone,
            color_scheme=theme,
            reduced_motion="reduce",
            storage_state=self._cookie,
        )
        context.set_default_timeout(PATIENCE)
        context.on("console", self._console)
        context.on("weberror", lambda error: self._seen.append(f"script: {error.error}"))
        context.on("request", self._asked)
        context.on("requestfailed", self._failed)
        context.on("response", self._answered)
        self._contexts.append(context)
        page = context.new_page()
        page.goto(f"/{at}")
        return page

    def allow(self, pattern: str) -> None:
        """What this test brings about on purpose, as a regular expression."""
        self._allowed.append(re.compile(pattern))

    def close(self, *, shot: str = "") -> list[str]:
        """Closes all, after a picture where one is asked for; what was seen that must not be."""
        for number, context in enumerate(self._contexts):
            if shot and context.pages:
                shoot(context.pages[0], f"{shot}-{number}")
            context.close()
        return [line for line in self._seen if not any(each.search(line) for each in self._allowed)]

    def _console(self, message: ConsoleMessage) -> None:
        # A refusal of the server stands there as well, and has its own line below.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self._seen.append(f"console: {message.text}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self._url, "blob:", "data:")):
            self._seen.append(f"request to somebody else: {request.url}")

    def _failed(self, request: Request) -> None:
        # What a page breaks off itself, as the stream of events when it is left, did not fail.
        if request.failure != "net::ERR_ABORTED":
            self._seen.append(f"request: {request.method} {request.url} {request.failure}")

    def _answered(self, response: Response) -> None:
        # Whether a wish can be meant is a question that the page asks; no is an answer.
        is_answer = response.url.endswith("/api/plan") and response.status in (409, 422)
        if response.status >= 400 and not is_answer:
            method, url = response.request.method, response.url
            self._seen.append(f"answer: {method} {url} {response.status}")


def violations(page: Page, *, rules: tuple[str, ...] = ()) -> list[str]:
    """Serious and critical findings of axe-core on what the page shows now; all rules, or some."""
    if not page.evaluate("() => Boolean(window.axe)"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    chosen = {"runOnly": {"type": "rule", "values": list(rules)}} if rules else {}
    found: dict[str, Any] = page.evaluate(
        "options => axe.run(document, options)", {"resultTypes": ["violations"], **chosen}
    )
    return [
        f"{violation['id']} ({violation['impact']}): {violation['help']}\n"
        + "\n".join(
            f"    {node['html'][:200]}\n    {node['any'][:1]}" for node in violation["nodes"][:5]
        )
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
    ]


def shoot(page: Page, name: str) -> None:
    """Keeps what the page shows, to be looked at."""
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=ARTEFACTS / f"{name}.png")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
