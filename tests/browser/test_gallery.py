"""The gallery: finding, choosing, marking, deleting, downloading; and very many images."""

import io
import json
import re
import zipfile
from urllib.parse import parse_qs, urlsplit

from PIL import Image
from playwright.sync_api import Page, Route, expect

from tests.browser import harness, making
from tests.browser.handling import png


def test_images_are_found_by_words_and_marks(page: Page) -> None:
    making.make(page, "a quiet whale on a blue background", count=2)
    making.make(page, "a quiet tiger on a red background")
    making.find(page, "quiet")
    expect(making.picture(page, "quiet")).to_have_count(3)
    page.get_by_role("searchbox").fill("quiet whale")
    expect(making.picture(page, "whale")).to_have_count(2)
    expect(making.picture(page, "tiger")).to_have_count(0)
    making.picture(page, "whale").first.focus()
    wall = page.get_by_role("listbox", name="Images")
    wall.focus()
    wall.press("f")
    expect(making.picture(page, "favourite")).to_have_count(1)
    page.get_by_role("button", name="Favourites").click()
    expect(making.picture(page, "whale")).to_have_count(1)
    page.get_by_role("button", name="Clear").click()
    page.get_by_role("searchbox").fill("nowhere to be found")
    expect(page.get_by_role("heading", name="No image matches")).to_be_visible()
    page.get_by_role("button", name="Show all images").click()
    expect(making.picture(page, "quiet").first).to_be_visible()
    harness.shoot(page, "gallery-desktop")
    assert not harness.violations(page)


def test_many_are_chosen_with_the_keyboard_and_brought_back(page: Page) -> None:
    made = making.make(page, "a bold carrot on a white background", count=4)
    making.find(page, "bold carrot")
    expect(making.picture(page, "carrot")).to_have_count(4)
    wall = page.get_by_role("listbox", name="Images")
    expect(wall.get_by_role("option")).to_have_count(4)  # the others have gone
    wall.focus()
    for key in ("Home", "Space", "ArrowRight", "Shift+ArrowRight"):
        wall.press(key)
    expect(wall.get_by_role("option", selected=True)).to_have_count(2)
    wall.press("Control+a")
    expect(wall.get_by_role("option", selected=True)).to_have_count(4)
    tools = page.get_by_role("toolbar", name="Selected images")
    expect(tools.get_by_role("status")).to_have_text("4 images selected")
    wall.press("Delete")
    expect(page.get_by_role("heading", name="No image matches")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(making.picture(page, "carrot")).to_have_count(4)
    assert page.request.get(f"/api/images/{made[0]['id']}").json()["image"]["trashed"] is None


def test_the_trash_keeps_what_was_deleted(page: Page) -> None:
    made = making.make(page, "an old mushroom on a brown background", count=2)
    ids = [image["id"] for image in made]
    making.find(page, "old mushroom")
    wall = page.get_by_role("listbox", name="Images")
    expect(wall.get_by_role("option")).to_have_count(2)
    wall.focus()
    for key in ("Home", "Control+a", "Delete"):
        wall.press(key)
    expect(page.get_by_role("heading", name="No image matches")).to_be_visible()
    page.get_by_role("button", name="Trash").click()
    cells = making.picture(page, "mushroom")
    expect(cells).to_have_count(2)
    cells.first.click(modifiers=["Control"])
    page.get_by_role("button", name="Bring back").click()
    expect(cells).to_have_count(1)
    cells.first.click(modifiers=["Control"])
    page.get_by_role("button", name="Delete for good").click()
    question = page.get_by_role("dialog", name="Delete 1 image for good?")
    question.get_by_role("button", name="Delete for good").click()
    expect(page.get_by_role("heading", name="Nothing is in the trash")).to_be_visible()
    left = [page.request.get(f"/api/images/{name}").status for name in ids]
    assert sorted(left) == [200, 404]


def test_a_selection_is_tagged_and_downloaded(page: Page) -> None:
    making.make(page, "a kind donut on a pink background", count=3)
    making.find(page, "kind donut")
    cells = making.picture(page, "donut")
    expect(cells).to_have_count(3)
    cells.nth(0).click(modifiers=["Control"])
    cells.nth(2).click(modifiers=["Shift"])
    tools = page.get_by_role("toolbar", name="Selected images")
    expect(tools.get_by_role("status")).to_have_text("3 images selected")
    tools.get_by_role("button", name="Tags").click()
    dialog = page.get_by_role("dialog", name="Tags of 3 images")
    dialog.get_by_role("combobox", name="Add a tag").fill("sweet, round")
    dialog.get_by_role("combobox", name="Add a tag").press("Enter")
    dialog.get_by_role("button", name="Save tags").click()
    expect(making.picture(page, "sweet")).to_have_count(3)
    with page.expect_download() as download:
        tools.get_by_role("button", name="Download zip").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        names = archive.namelist()
        assert len(names) == 3
        with Image.open(io.BytesIO(archive.read(names[0]))) as image:
            assert "darkroom" in image.info, "the recipe goes along"
    tools.get_by_role("button", name="Select none").click()
    page.get_by_role("searchbox").fill("")
    page.get_by_label("Tag", exact=True).select_option("sweet")
    expect(making.picture(page, "donut")).to_have_count(3)


def test_a_phone_selects_with_a_long_press(phone: Page) -> None:
    making.make(phone, "a small panda on a green background", count=2)
    making.find(phone, "small panda")
    cells = making.picture(phone, "panda")
    expect(cells).to_have_count(2)
    cells.first.dispatch_event("pointerdown", {"pointerType": "touch"})
    expect(cells.first).to_have_attribute("aria-selected", "true")
    cells.first.dispatch_event("pointerup", {"pointerType": "touch"})
    cells.first.dispatch_event("click")
    cells.nth(1).tap()
    tools = phone.get_by_role("toolbar", name="Selected images")
    expect(tools.get_by_role("status")).to_have_text("2 images selected")
    harness.shoot(phone, "gallery-phone")
    tools.get_by_role("button", name="Select none").click()
    phone.get_by_role("button", name="Filters").click()
    phone.get_by_label("Order").select_option("old")
    cells.first.tap()
    expect(phone.get_by_role("region", name="Recipe")).to_be_visible()


MANY = 10_000
_DOT = png(Image.new("RGB", (8, 8), (200, 120, 40)))


def answer(route: Route) -> None:
    """A gallery of ten thousand, a page at a time."""
    said = parse_qs(urlsplit(route.request.url).query)
    first, limit = int(said.get("after", ["0"])[0]), int(said["limit"][0])
    rows: list[dict[str, object]] = [
        {
            "id": f"many-{n}",
            "job": "many",
            "number": n,
            "sheet": False,
            "seed": n,
            "width": 64,
            "height": 64,
            "bytes": 1,
            "prompt": f"number {n}",
            "negative": "",
            "model": "mini",
            "task": "txt2img",
            "created": "2030-01-01T00:00:00Z",
            "favourite": False,
            "tags": [],
            "steps": 1,
            "missing": False,
            "trashed": None,
            "file": "",
            "thumbnail": "",
        }
        for n in range(first, min(MANY, first + limit))
    ]
    after = str(first + limit) if first + limit < MANY else None
    route.fulfill(
        content_type="application/json",
        body=json.dumps({"images": rows, "next": after, "total": MANY}),
    )


def test_ten_thousand_images_scroll(page: Page) -> None:
    page.route(re.compile(r"/api/images\?"), answer)
    page.route(
        re.compile(r"/api/images/many-\d+/thumbnail"),
        lambda route: route.fulfill(content_type="image/png", body=_DOT),
    )
    page.goto("#/gallery")
    expect(page.get_by_role("option", name="number 0,")).to_be_visible()
    wall = page.get_by_role("listbox", name="Images")
    wall.focus()
    wall.press("End")
    expect(page.get_by_role("option", name=f"number {MANY - 1},")).to_be_in_viewport()
    assert wall.get_by_role("option").count() < 150, "only what is in sight is there"
    place = page.locator("main")
    for share in (0.5, 0.1, 0.9, 0.0):
        place.evaluate("(main, share) => { main.scrollTop = share * main.scrollHeight; }", share)
        first = wall.get_by_role("option").first
        expect(first).to_have_attribute("aria-setsize", str(MANY))
        assert wall.get_by_role("option").count() < 150
    expect(page.get_by_role("option", name="number 0,").locator("img")).to_be_visible()
