"""What a person does on Create: says a wish, runs it and looks at what came."""

import re
import time
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.browser import harness

FILM = "Step of the film"


def prompt(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Prompt", exact=True)


def wish_for(page: Page, text: str) -> None:
    """Types a prompt and waits until it is planned."""
    prompt(page).fill(text)
    expect(generate(page)).to_be_enabled()


def generate(page: Page) -> Locator:
    return page.get_by_role(
        "button", name=re.compile(r"^(Generate|Paint|Upscale|Vary) [\d,]+ image")
    )


def picture(page: Page, text: str) -> Locator:
    """The finished image of this prompt on the stage."""
    return page.get_by_role("figure", name=text, exact=True)


def create(page: Page, text: str) -> Locator:
    """Makes an image of the prompt; it, when it is finished."""
    wish_for(page, text)
    generate(page).click()
    made = picture(page, text)
    expect(made).to_be_visible(timeout=3 * harness.PATIENCE)
    expect(page.get_by_role("slider", name=FILM)).to_be_visible()
    return made


def act(page: Page, made: Locator, action: str) -> None:
    """One of the things that can be done with the image on the stage."""
    made.hover()
    button = made.get_by_role("button", name=action, exact=True)
    if button.count() == 0:
        made.get_by_role("button", name="More actions").click()
        button = page.get_by_role("menuitem", name=action, exact=True)
    button.click()


def task(page: Page, name: str) -> None:
    page.get_by_role("group", name="Task").get_by_text(name, exact=True).click()


def recent(page: Page) -> Locator:
    return page.get_by_role("region", name="Recent images").get_by_role("button")


def jobs(page: Page) -> Locator:
    return page.get_by_role("region", name="Queue").get_by_role("listitem")


def asked(page: Page, path: str) -> Any:
    """What the API answers to this window."""
    answer = page.request.get(f"/api/{path}")
    assert answer.ok, answer.text()
    return answer.json()


def newest(page: Page, count: int = 1) -> list[dict[str, Any]]:
    """The newest images, newest first."""
    images: list[dict[str, Any]] = asked(page, f"images?limit={count}")["images"]
    return images


def total(page: Page) -> int:
    """How many images there are."""
    number: int = asked(page, "images?limit=1")["total"]
    return number


def wait_for_total(page: Page, number: int) -> None:
    """Until there are so many images."""
    late = time.monotonic() + 3 * harness.PATIENCE / 1000
    while total(page) < number:
        assert time.monotonic() < late, f"{total(page)} images, not {number}"
        page.wait_for_timeout(100)
