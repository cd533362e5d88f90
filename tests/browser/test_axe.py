"""axe-core finds nothing serious on any page or dialog, on desk and phone, dark and light."""

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser import harness
from tests.browser.handling import canvas, drop, png

PAGES = ("create", "compare", "gallery", "models", "settings", "how")
TASKS = ("Text", "Image", "Inpaint", "Depth", "Upscale", "Vary")


class Eyes:
    """Looks at one state of the page after the other, and says at the end what is wrong."""

    def __init__(self, page: Page, look: str) -> None:
        self.page = page
        self._look = look
        self._wrong: list[str] = []

    def see(self, name: str) -> None:
        harness.shoot(self.page, f"{name}-{self._look}")
        # The other theme of a width differs in its colours alone.
        rules = ("color-contrast",) if self._look in ("desk-light", "phone-dark") else ()
        found = harness.violations(self.page, rules=rules)
        self._wrong += [f"{name}: {finding}" for finding in found]
        if self.page.evaluate("() => document.scrollingElement.scrollWidth > innerWidth"):
            self._wrong.append(f"{name} is wider than the window")

    def done(self) -> None:
        assert not self._wrong, "\n".join(self._wrong)


@pytest.fixture(params=["desk-dark", "desk-light", "phone-dark", "phone-light"])
def eyes(windows: harness.Windows, request: pytest.FixtureRequest) -> Eyes:
    look: str = request.param
    theme: harness.Theme = "light" if look.endswith("light") else "dark"
    return Eyes(windows.open(phone=look.startswith("phone"), theme=theme), look)


def test_pages(eyes: Eyes) -> None:
    page = eyes.page
    for name in PAGES:
        page.goto(f"#/{name}")
        expect(page.locator("main").get_by_role("heading").first).to_be_visible()
        eyes.see(f"page-{name}")
    page.goto("#/create")
    for task in TASKS:
        page.get_by_role("group", name="Task").get_by_text(task, exact=True).click()
        eyes.see(f"task-{task.lower()}")
    eyes.done()


def test_dialogs(eyes: Eyes) -> None:
    page = eyes.page
    paper = canvas(page, Image.new("RGB", (64, 64), (200, 180, 90)))
    eyes.see("canvas-sketch")
    for tool in ("Fill", "Crop", "Extend"):
        paper.tool(tool)
        eyes.see(f"canvas-{tool.lower()}")
    paper.press("New")
    eyes.see("canvas-new")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(paper.dialog).to_be_hidden()
    for name in ("History", "Wildcards", "The same as a command", "95 styles"):
        page.get_by_role("button", name=name).first.click()
        expect(page.get_by_role("dialog")).to_be_visible()
        eyes.see(f"dialog-{name.split()[-1].lower()}")
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_be_hidden()
    drop(page, png(Image.new("RGB", (64, 64))))
    eyes.see("drop")
    eyes.done()
