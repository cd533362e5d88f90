"""What a person does with images on the page: drops and pastes them, and paints."""

import io
from dataclasses import dataclass
from typing import Any

from PIL import Image
from playwright.sync_api import Locator, Page, expect

_MARGIN = 24  # around a picture that fits the canvas
_TRANSFER = """bytes => {
  const transfer = new DataTransfer();
  transfer.items.add(new File([new Uint8Array(bytes)], "image.png", { type: "image/png" }));
  return transfer;
}"""


def png(image: Image.Image, **more: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", **more)
    return file.getvalue()


def let_go(page: Page, file: bytes) -> None:
    """Drags a file over the page and lets it go there."""
    transfer = page.evaluate_handle(_TRANSFER, list(file))
    page.dispatch_event("body", "dragover", {"dataTransfer": transfer})
    page.dispatch_event("body", "drop", {"dataTransfer": transfer})


def drop(page: Page, file: bytes) -> Locator:
    """Lets go of an image over the page; the dialog that asks what it is for."""
    let_go(page, file)
    dialog = page.get_by_role("dialog", name="What should become of it?")
    expect(dialog).to_be_visible()
    return dialog


def paste(page: Page, file: bytes) -> None:
    page.evaluate_handle(_TRANSFER, list(file)).evaluate(
        """clipboardData => document.body.dispatchEvent(
          new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }))"""
    )


def said(page: Page) -> dict[str, Any]:
    """The wish that Create holds."""
    wish: dict[str, Any] = page.evaluate("() => JSON.parse(localStorage['darkroom.wish'])")
    return wish


def upload(page: Page, identity: str) -> Image.Image:
    """An image that the server keeps."""
    answer = page.request.get(f"/api/uploads/{identity}/image")
    assert answer.ok, answer.text()
    image = Image.open(io.BytesIO(answer.body()))
    image.load()
    return image


@dataclass(frozen=True)
class Canvas:
    """The open canvas, on which points are said in pixels of the image."""

    page: Page
    width: int
    height: int

    @property
    def dialog(self) -> Locator:
        return self.page.get_by_role("dialog", name="Canvas")

    @property
    def paper(self) -> Locator:
        return self.dialog.locator("canvas")

    def tool(self, name: str) -> None:
        self.dialog.get_by_role("toolbar", name="Tools").get_by_role("button", name=name).click()

    def press(self, name: str) -> None:
        self.dialog.get_by_role("button", name=name, exact=True).click()

    def set(self, slider: str, value: float) -> None:
        self.dialog.get_by_role("slider", name=slider).fill(str(value))

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where a pixel lies on the screen while the whole image is shown."""
        box = self.paper.bounding_box()
        assert box is not None
        room = box["width"] - 2 * _MARGIN, box["height"] - 2 * _MARGIN
        scale = min(room[0] / self.width, room[1] / self.height)
        return (
            box["x"] + box["width"] / 2 + (x - self.width / 2) * scale,
            box["y"] + box["height"] / 2 + (y - self.height / 2) * scale,
        )

    def stroke(self, *points: tuple[float, float]) -> None:
        mouse = self.page.mouse
        mouse.move(*self.place(*points[0]))
        mouse.down()
        for point in points[1:]:
            mouse.move(*self.place(*point), steps=4)
        mouse.up()

    def use(self) -> dict[str, Any]:
        """Takes what was painted; the wish that then stands in Create."""
        self.dialog.get_by_role("button", name="Use it").click()
        expect(self.dialog).to_be_hidden()
        return said(self.page)


def canvas(page: Page, image: Image.Image, choice: str = "Sketch on it") -> Canvas:
    """Drops an image and goes to paint on it."""
    drop(page, png(image)).get_by_role("button", name=choice).click()
    opened = Canvas(page, image.width, image.height)
    expect(opened.paper).to_be_visible()
    expect(opened.dialog.get_by_role("button", name="Use it")).to_be_enabled()
    return opened
