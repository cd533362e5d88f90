"""The canvas: every tool leaves in the files what it showed on the screen."""

import numpy as np
import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Page, expect

from tests.browser import harness
from tests.browser.handling import Canvas, canvas, paste, png, said, upload

WHITE, BLACK, BLUE = (255, 255, 255), (0, 0, 0), (63, 127, 208)


def plain(width: int = 96, height: int = 64, colour: tuple[int, int, int] = WHITE) -> Image.Image:
    return Image.new("RGB", (width, height), colour)


def seen(image: Image.Image, *points: tuple[int, int]) -> list[object]:
    rgb = image.convert("RGB")
    return [rgb.getpixel(point) for point in points]


def test_a_sketch_is_painted_erased_filled_and_undone(page: Page) -> None:
    paper = canvas(page, plain())
    paper.press("Blue")
    paper.set("Size", 10)
    paper.stroke((10, 10), (86, 10))
    paper.stroke((10, 50), (86, 50))
    paper.press("Undo")
    paper.tool("Eraser")
    paper.stroke((48, 2), (48, 18))
    paper.press("Undo")
    paper.press("Redo")
    harness.shoot(page, "canvas-sketch")
    wish = paper.use()
    assert wish["task"] == "img2img"
    image = upload(page, wish["image"])
    assert image.size == (96, 64)
    assert seen(image, (20, 10), (76, 10), (48, 10), (20, 50)) == [BLUE, BLUE, WHITE, WHITE]


def test_hardness_opacity_and_the_picker(page: Page) -> None:
    ground = plain()
    ImageDraw.Draw(ground).rectangle((0, 0, 20, 20), fill=(10, 200, 30))
    paper = canvas(page, ground)
    paper.tool("Pick colour")
    page.mouse.click(*paper.place(10, 10))
    paper.set("Size", 30)
    paper.set("Opacity", 0.5)
    page.mouse.click(*paper.place(48, 40))
    paper.set("Opacity", 1)
    paper.set("Hardness", 0)
    page.mouse.click(*paper.place(80, 40))
    image = upload(page, paper.use()["image"])
    # Half of the colour over white; a soft dab fades from its middle to its edge.
    middle, inner, outer = (
        np.array(image.convert("RGB").getpixel(p)) for p in ((48, 40), (80, 40), (91, 40))
    )
    assert np.abs(middle - (132, 228, 142)).max() <= 2
    assert inner[0] < 60
    assert 180 < outer[0] < 255


def test_fill_stops_at_what_was_drawn(page: Page) -> None:
    paper = canvas(page, plain())
    paper.set("Size", 3)
    paper.stroke((30, 20), (60, 20), (60, 44), (30, 44), (30, 20))
    paper.press("Red")
    paper.tool("Fill")
    page.mouse.click(*paper.place(45, 32))
    image = upload(page, paper.use()["image"])
    assert seen(image, (45, 32), (32, 22), (10, 10)) == [(214, 69, 51), (214, 69, 51), WHITE]


def test_a_mask_is_of_the_image_s_size_and_leaves_the_image_alone(page: Page) -> None:
    paper = canvas(page, plain(), "Inpaint")
    paper.set("Size", 20)
    paper.stroke((30, 32), (60, 32))
    harness.shoot(page, "canvas-mask")
    assert harness.violations(page) == []
    wish = paper.use()
    mask = upload(page, wish["mask"])
    assert wish["task"] == "inpaint"
    assert mask.size == (96, 64)
    assert seen(mask, (45, 32), (45, 24), (45, 20), (5, 5)) == [WHITE, WHITE, BLACK, BLACK]
    assert seen(upload(page, wish["image"]), (45, 32)) == [WHITE]

    # It goes on being edited, inverted, and filled where its strokes enclose something.
    page.get_by_role("button", name="Change the mask").click()
    paper.press("Invert mask")
    assert seen(upload(page, paper.use()["mask"]), (45, 32), (5, 5)) == [BLACK, WHITE]
    page.get_by_role("button", name="Change the mask").click()
    paper.press("Clear mask")
    assert "mask" not in paper.use()


def test_crop_extend_and_a_canvas_of_one_colour(page: Page) -> None:
    ground = plain()
    ImageDraw.Draw(ground).rectangle((32, 16, 63, 47), fill=BLUE)
    paper = canvas(page, ground)
    paper.tool("Crop")
    paper.stroke((32, 16), (64, 48))
    paper.press("Cut it out")
    paper.tool("Extend")
    cropped = Canvas(page, 32, 32)
    cropped.dialog.get_by_role("spinbutton", name="Below").fill("16")
    page.keyboard.press("Tab")
    expect(cropped.dialog.get_by_text("becomes 32 × 48")).to_be_visible()
    # The whole is shown again, 48 pixels high: the right handle lies at its middle.
    extended = Canvas(page, 32, 48)
    extended.stroke((32, 24), (48, 24))
    harness.shoot(page, "canvas-extend")
    wish = cropped.use()
    assert wish["extend"] == [0, 0, 16, 16]
    image = upload(page, wish["image"])
    assert image.size == (32, 32)
    assert np.abs(np.array(seen(image, (0, 0), (31, 31))) - BLUE).max() <= 1

    page.get_by_role("button", name="Extend").click()
    paper.press("New")
    ask = page.get_by_role("dialog", name="New canvas")
    ask.get_by_label("Width").fill("128")
    ask.get_by_label("Colour").fill("#102030")
    ask.get_by_role("button", name="Begin").click()
    wish = paper.use()
    assert upload(page, wish["image"]).size == (128, 32)
    assert seen(upload(page, wish["image"]), (100, 30)) == [(16, 32, 48)]


def test_without_a_mouse(page: Page) -> None:
    paper = canvas(page, plain(64, 64))
    paper.paper.focus()
    for key in ("[", "[", "]", "ArrowLeft", "ArrowLeft", "Enter", "e", "b", "Enter", "Control+z"):
        page.keyboard.press(key)
    expect(paper.dialog.get_by_role("status", name="What was done")).to_contain_text("Undone")
    page.keyboard.press("m")
    page.keyboard.press("Enter")
    page.keyboard.press("Control+Enter")
    expect(paper.dialog).to_be_hidden()
    mask = np.array(upload(page, said(page)["mask"]).convert("L"))
    assert mask.max() == 255
    assert mask[:, 40:].max() == 0


def test_leaving_asks_and_pasting_paints(page: Page) -> None:
    paper = canvas(page, plain(64, 64))
    paste(page, png(plain(16, 16, BLUE)))
    expect(paper.dialog.get_by_role("status", name="What was done")).to_contain_text("Pasted")
    page.keyboard.press("Escape")
    ask = page.get_by_role("dialog", name="Leave the canvas")
    ask.get_by_role("button", name="Go on painting").click()
    # What is to be said is said where it can be seen: over the dialog.
    paper.press("Paste")
    expect(paper.dialog.get_by_text("Press Ctrl V on the canvas.")).to_be_visible()
    assert seen(upload(page, paper.use()["image"]), (32, 32), (4, 4)) == [BLUE, WHITE]

    page.get_by_role("button", name="Paint on it").click()
    expect(paper.paper).to_be_visible()
    page.keyboard.press("Escape")
    expect(paper.dialog).to_be_hidden()


def test_zoom_and_pan_keep_strokes_where_they_are(page: Page) -> None:
    paper = canvas(page, plain(64, 64))
    paper.set("Size", 8)
    page.mouse.move(*paper.place(16, 16))
    page.mouse.wheel(0, -400)
    page.mouse.down()
    page.mouse.up()
    paper.paper.focus()
    page.keyboard.down(" ")
    page.mouse.down()
    page.mouse.move(*paper.place(32, 32), steps=3)
    page.mouse.up()
    page.keyboard.up(" ")
    page.mouse.down()
    page.mouse.up()
    # The same pixel was under the pointer each time.
    image = np.array(upload(page, paper.use()["image"]).convert("L"))
    dark = np.argwhere(image < 128)
    assert np.abs(dark.mean(axis=0) - 16).max() < 1
    assert len(dark) == pytest.approx(np.pi * 16, abs=12)


def test_fingers_and_pen_on_a_phone(phone: Page) -> None:
    paper = canvas(phone, plain(64, 64))
    paper.set("Size", 12)
    assert harness.violations(phone) == []
    harness.shoot(phone, "canvas-phone")
    tools = phone.context.new_cdp_session(phone)

    def touch(kind: str, *places: tuple[float, float]) -> None:
        points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(places)]
        tools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def pen(kind: str, place: tuple[float, float], force: float) -> None:
        event = {"type": kind, "x": place[0], "y": place[1], "pointerType": "pen", "force": force}
        tools.send(
            "Input.dispatchMouseEvent", {**event, "button": "left", "buttons": 1, "clickCount": 1}
        )

    # One finger draws.
    touch("touchStart", paper.place(10, 10))
    touch("touchMove", paper.place(50, 10))
    touch("touchEnd")
    # Two zoom, and leave nothing behind.
    left, right = paper.place(24, 40), paper.place(40, 40)
    zoom = paper.dialog.get_by_role("button", name="Show the whole image")
    before = zoom.inner_text()
    touch("touchStart", left)
    touch("touchStart", left, right)
    touch("touchMove", (left[0] - 40, left[1]), (right[0] + 40, right[1]))
    touch("touchEnd")
    expect(zoom).not_to_have_text(before)
    zoom.click()
    # A light pen draws a thinner line.
    pen("mousePressed", paper.place(32, 40), 0.2)
    pen("mouseReleased", paper.place(32, 40), 0)
    image = np.array(upload(phone, paper.use()["image"]).convert("L"))
    assert image[10, 12:48].max() < 128
    assert image[20:30].min() == 255
    # A quarter and three quarters of the pressure: 12 · (0.25 + 0.75 · 0.2) = 4.8 pixels.
    assert (image[40] < 128).sum() in (4, 5, 6)
