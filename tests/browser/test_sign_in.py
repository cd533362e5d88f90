"""The password, typed into the browser's own form, which no script sends."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.browser import creating
from tests.browser.harness import Darkroom


@pytest.fixture
def stranger(_browser: Browser) -> Iterator[BrowserContext]:
    context = _browser.new_context()
    yield context
    context.close()


def test_the_password_lets_in(
    stranger: BrowserContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DARKROOM_PASSWORD", "correct horse")
    server = Darkroom(tmp_path / "data", tmp_path / "log.txt")
    try:
        server.start()
        page = stranger.new_page()
        for password in "battery staple", "correct horse":
            page.goto(f"{server.url}/sign-in")
            page.get_by_label("Password").fill(password)
            page.get_by_role("button", name="Sign in").click()
            if password == "battery staple":
                expect(page.get_by_role("alert")).to_have_text("That is not the password.")
        expect(creating.prompt(page)).to_be_visible()
        assert stranger.request.get(f"{server.url}/api/status").ok
    finally:
        server.stop()
