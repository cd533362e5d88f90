"""The queue's column: what waits, runs, failed, and what can be done about it."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser import creating


@pytest.fixture
def paused(page: Page) -> Iterator[Page]:
    """The page, while nothing begins."""
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    yield page
    page.request.post("/api/queue/clear", data={"what": "waiting"})
    page.request.post("/api/queue", data={"paused": False})


def _wait(page: Page, *prompts: str) -> None:
    for text in prompts:
        creating.wish_for(page, text)
        creating.generate(page).click()
        expect(page.get_by_role("button", name=f"Cancel {text}").first).to_be_attached()


def _titles(page: Page) -> list[str]:
    waiting = creating.asked(page, "jobs?state=waiting")["jobs"]
    return [job["title"] for job in sorted(waiting, key=lambda job: job["position"])]


def test_what_waits_is_moved_by_keyboard(paused: Page) -> None:
    _wait(paused, "a robot", "a cat", "a dog")
    expect(paused.get_by_role("heading", name="Waiting")).to_be_visible()
    grip = paused.get_by_role("button", name="Move a dog")
    grip.focus()
    paused.keyboard.press("ArrowUp")
    expect(creating.jobs(paused).nth(1)).to_contain_text("a dog")
    assert _titles(paused) == ["a robot", "a dog", "a cat"]
    grip.focus()
    paused.keyboard.press("ArrowDown")
    expect(creating.jobs(paused).nth(2)).to_contain_text("a dog")


def test_what_waits_is_dragged(paused: Page) -> None:
    _wait(paused, "a robot", "a cat")
    creating.jobs(paused).nth(1).drag_to(creating.jobs(paused).nth(0))
    expect(creating.jobs(paused).nth(0)).to_contain_text("a cat")
    assert _titles(paused) == ["a cat", "a robot"]


def test_what_waits_is_cancelled_and_run_after_all(paused: Page) -> None:
    _wait(paused, "a whale on a blue background")
    paused.get_by_role("button", name="Cancel a whale").last.click()
    expect(creating.jobs(paused).first).to_contain_text("cancelled")
    creating.jobs(paused).first.get_by_role("button", name="Run again").click()
    paused.get_by_role("button", name="Resume").click()
    expect(creating.picture(paused, "a whale on a blue background")).to_be_visible()


def test_all_that_waits_is_cleared(paused: Page) -> None:
    _wait(paused, "a robot", "a cat")
    paused.get_by_role("button", name="Clear").click()
    expect(paused.get_by_text("2 jobs cancelled.")).to_be_visible()
    assert _titles(paused) == []


def test_a_failed_job_says_why_and_what_to_do(page: Page) -> None:
    failed: dict[str, Any] = dict.fromkeys(
        ("position", "started", "finished", "seconds_left", "step", "steps", "grid", "sheet")
    )
    failed |= {"id": "f", "state": "failed", "title": "a fox", "task": "txt2img", "attempts": 2}
    failed |= {"images": 1, "images_done": 0, "created": "2026-01-01T00:00:00Z", "notes": []}
    failed["requests"] = [{"task": "txt2img", "prompt": "a fox", "model": "mini"}]
    failed["error"] = {"message": "The worker died twice on it.", "hint": "Make it smaller."}
    page.route("**/api/jobs?*", lambda route: route.fulfill(json={"jobs": [failed]}))
    page.reload()
    job = creating.jobs(page).first
    expect(job).to_contain_text("The worker died twice on it.")
    expect(job).to_contain_text("Make it smaller.")
    expect(job.get_by_role("button", name="Try again")).to_be_visible()
