"""One image: its recipe, film, lineage and equals, and what can be done with it."""

import re

from playwright.sync_api import Page, expect

from tests.browser import harness, making
from tests.browser.handling import said


def test_an_image_tells_how_it_was_made(page: Page) -> None:
    (image,) = making.make(page, "a merry fox on an orange background", steps=4, seed=77)
    page.goto(f"#/image/{image['id']}")
    recipe = page.get_by_role("region", name="Recipe")
    expect(recipe).to_contain_text("77")
    expect(recipe.get_by_role("link", name="mini")).to_be_visible()
    expect(page.get_by_role("img", name="a merry fox on an orange background")).to_be_visible()
    film = page.get_by_role("region", name="Film").get_by_role("slider")
    film.focus()
    film.press("Home")
    expect(film).to_have_attribute("aria-valuetext", "Step 1 of 4")
    page.get_by_role("button", name="Back to the image").click()
    words = page.get_by_role("region", name="The same in other words")
    expect(words).to_contain_text("darkroom txt2img")
    words.get_by_text("Python").click()
    expect(words).to_contain_text("darkroom.load")
    words.get_by_text("Request").click()
    expect(words).to_contain_text("/api/jobs")
    harness.shoot(page, "image-desktop")
    assert not harness.violations(page)


def test_what_an_image_came_from_is_shown_and_compared(page: Page) -> None:
    (first,) = making.make(page, "a proud lion on a green background")
    page.goto(f"#/image/{first['id']}")
    page.get_by_role("button", name="Use as input").click()
    expect(page).to_have_url(re.compile("#/create"))
    wish = said(page)
    assert wish["task"] == "img2img"
    text = "a proud lion on a yellow background"
    (second,) = making.make(page, text, task="img2img", image=wish["image"], strength=0.5)
    page.goto(f"#/image/{second['id']}")
    lineage = page.get_by_role("region", name="Lineage")
    expect(lineage.get_by_role("link", name=re.compile("green"))).to_be_visible()
    page.get_by_role("button", name="Compare", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name=re.compile("lion.*green")).click()
    slider = page.get_by_role("slider", name="How much of its input is shown")
    slider.focus()
    slider.press("End")
    expect(slider).to_have_attribute("aria-valuetext", "100 percent")
    harness.shoot(page, "image-compared")
    page.get_by_role("button", name="End the comparison").click()
    lineage.get_by_role("link").first.click()
    expect(page.get_by_role("region", name="Lineage")).to_contain_text("What came of it")


def test_it_is_marked_tagged_deleted_and_brought_back(phone: Page) -> None:
    (image,) = making.make(phone, "a shy cow on a blue background")
    phone.goto(f"#/image/{image['id']}")
    phone.get_by_role("button", name="Favourite", exact=True).tap()
    expect(phone.get_by_role("button", name="No favourite")).to_be_visible()
    phone.get_by_role("combobox", name="Add a tag").fill("farm")
    phone.get_by_role("combobox", name="Add a tag").press("Enter")
    expect(phone.get_by_role("button", name="Take the tag farm away")).to_be_visible()
    harness.shoot(phone, "image-phone")
    phone.get_by_role("button", name="Delete", exact=True).tap()
    expect(phone).not_to_have_url(re.compile(image["id"]))
    phone.get_by_role("button", name="Undo").tap()
    phone.goto(f"#/image/{image['id']}")
    expect(phone.get_by_role("button", name="Take the tag farm away")).to_be_visible()
    now = phone.request.get(f"/api/images/{image['id']}").json()["image"]
    assert (now["favourite"], now["tags"], now["trashed"]) == (True, ["farm"], None)


def test_the_neighbours_are_a_key_away(page: Page) -> None:
    made = making.make(page, "a calm turtle on a pink background", count=2)
    making.find(page, "calm turtle")
    cells = making.picture(page, "turtle")
    expect(cells).to_have_count(2)
    cells.first.click()
    expect(page).to_have_url(re.compile("#/image/"))
    expect(page.get_by_role("region", name="Recipe")).to_be_visible()
    first = page.url
    page.keyboard.press("ArrowRight")
    expect(page).not_to_have_url(first)
    assert {first.rsplit("/", 1)[1], page.url.rsplit("/", 1)[1]} == {one["id"] for one in made}
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile("#/gallery"))


def test_an_image_that_is_not_there(windows: harness.Windows) -> None:
    windows.allow(r"/api/images/nothing 404")
    page = windows.open("#/image/nothing")
    expect(page.get_by_role("heading", name="This image is not here")).to_be_visible()
    page.get_by_role("link", name="Go to the gallery").click()
    expect(page).to_have_url(re.compile("#/gallery"))
