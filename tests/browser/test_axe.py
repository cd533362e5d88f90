"""axe-core finds nothing serious on any page or dialog, on desk and phone, dark and light."""

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser import harness
from tests.browser.handling import canvas, drop, png

PAGES = ("create", "compare", "gallery", "models", "settings", "how")
TASKS = ("Text", "Image", "Inpaint", "Depth", "Upscale", "Vary")


def checked(page: Page, name: str) -> None:
    harness.shoot(page, name)
    found = harness.violations(page)
    assert not found, f"{name}:\n" + "\n".join(found)
    assert page.evaluate("() => document.scrollingElement.scrollWidth <= innerWidth"), name


@pytest.fixture(params=["desk-dark", "desk-light", "phone-dark", "phone-light"])
def look(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def looked_at(windows: harness.Windows, look: str) -> Page:
    theme: harness.Theme = "light" if look.endswith("light") else "dark"
    return windows.open(phone=look.startswith("phone"), theme=theme)


def test_pages(looked_at: Page, look: str) -> None:
    page = looked_at
    for name in PAGES:
        page.goto(f"#/{name}")
        expect(page.locator("main").get_by_role("heading").first).to_be_visible()
        checked(page, f"page-{name}-{look}")
    page.goto("#/create")
    for task in TASKS:
        page.get_by_role("group", name="Task").get_by_text(task, exact=True).click()
        checked(page, f"task-{task.lower()}-{look}")


def test_dialogs(looked_at: Page, look: str) -> None:
    page = looked_at
    paper = canvas(page, Image.new("RGB", (64, 64), (200, 180, 90)))
    checked(page, f"canvas-sketch-{look}")
    for tool in ("Fill", "Crop", "Extend"):
        paper.tool(tool)
        checked(page, f"canvas-{tool.lower()}-{look}")
    paper.press("New")
    checked(page, f"canvas-new-{look}")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(paper.dialog).to_be_hidden()
    drop(page, png(Image.new("RGB", (64, 64))))
    checked(page, f"drop-{look}")
