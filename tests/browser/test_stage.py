"""What can be done with the image on the stage, and the film under it."""

import json
import re

from playwright.sync_api import Page, expect

from tests.browser import creating
from tests.browser.handling import said


def test_the_film_is_dragged_through(page: Page) -> None:
    made = creating.create(page, "a tiger on a purple background")
    film = page.get_by_role("slider", name=creating.FILM)
    box = film.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.24, box["y"] + 40, steps=4)
    expect(film).to_have_attribute("aria-valuetext", "Step 5 of 20")
    page.mouse.up()
    shown = made.get_by_role("img", name="a tiger on a purple background")
    expect(shown).to_have_attribute("src", re.compile("/film/5$"))
    assert shown.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    expect(page.get_by_text(re.compile("Step 5 of 20, seed"))).to_be_visible()


def test_film_and_menu_are_walked_by_keys(page: Page) -> None:
    made = creating.create(page, "a rocket on a yellow background")
    film = page.get_by_role("slider", name=creating.FILM)
    film.focus()
    for key, step in (("Home", 1), ("ArrowRight", 2), ("PageUp", 7), ("End", 20)):
        page.keyboard.press(key)
        expect(film).to_have_attribute("aria-valuetext", f"Step {step} of 20")
    page.keyboard.press("Shift+Tab")
    menu = made.get_by_role("button", name="More actions")
    expect(menu).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitem", name="Make similar")).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("menuitem", name="Delete")).to_be_focused()
    page.keyboard.press("Escape")
    expect(menu).to_be_focused()


def test_an_image_becomes_the_input_of_another(page: Page) -> None:
    made = creating.create(page, "a fox on a blue background")
    creating.act(page, made, "Use as input")
    expect(page.get_by_role("img", name="The input image")).to_be_visible()
    assert said(page)["task"] == "img2img"
    page.get_by_role("spinbutton", name="Strength").fill("0.9")
    creating.create(page, "a tiger on a blue background")
    newest = creating.newest(page)[0]
    assert newest["task"] == "img2img"
    whole = creating.asked(page, f"images/{newest['id']}")
    assert [parent["prompt"] for parent in whole["parents"]] == ["a fox on a blue background"]


def test_inpainting_begins_at_the_image(page: Page) -> None:
    made = creating.create(page, "a robot on a white background")
    creating.act(page, made, "Inpaint")
    expect(page.get_by_role("button", name="Paint the mask")).to_be_visible()
    assert said(page)["task"] == "inpaint"


def test_more_of_the_same(page: Page) -> None:
    made = creating.create(page, "an owl on a green background")
    creating.prompt(page).fill("something else is being typed")
    first = creating.newest(page)[0]
    before = creating.total(page)
    creating.act(page, made, "Make similar")
    creating.wait_for_total(page, before + 4)
    similar = creating.newest(page, 4)
    assert {image["prompt"] for image in similar} == {"an owl on a green background"}
    assert len({image["seed"] for image in similar} | {first["seed"]}) == 5
    expect(creating.prompt(page)).to_have_value("something else is being typed")
    creating.act(
        page, creating.picture(page, "an owl on a green background"), "Again with more steps"
    )
    page.get_by_role("spinbutton", name="More steps").fill("5")
    page.get_by_role("button", name="Develop 25 steps").click()
    expect(page.get_by_text(re.compile("Step 25 of 25, seed"))).to_be_visible()


def test_an_image_is_copied_in_every_form(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    made = creating.create(page, "a sunflower on a blue background")
    seed = creating.newest(page)[0]["seed"]

    def copied(action: str, notice: str) -> str:
        creating.act(page, made, action)
        expect(page.get_by_text(notice)).to_be_visible()
        text: str = page.evaluate("() => navigator.clipboard.readText()")
        return text

    assert copied("Copy seed", "Seed copied.") == str(seed)
    command = copied("Copy as command", "Command copied.")
    assert command.startswith("darkroom txt2img") and str(seed) in command
    assert "import darkroom" in copied("Copy as Python", "Python copied.")
    assert json.loads(copied("Copy as JSON", "Recipe copied."))["seed"] == seed


def test_an_image_is_downloaded(page: Page) -> None:
    made = creating.create(page, "a fish on a blue background")
    with page.expect_download() as started:
        creating.act(page, made, "Save")
    assert started.value.suggested_filename.endswith(".png")


def test_favourites_have_a_star(page: Page) -> None:
    made = creating.create(page, "a dog on a red background")
    creating.act(page, made, "Favourite")
    expect(made.get_by_title("Favourite")).to_be_visible()
    assert creating.newest(page)[0]["favourite"]


def test_a_deleted_image_can_be_had_back(page: Page) -> None:
    made = creating.create(page, "a bicycle on a yellow background")
    total = creating.total(page)
    creating.act(page, made, "Delete")
    expect(page.get_by_text("Image deleted.")).to_be_visible()
    expect(page.get_by_role("link", name=f"All {total - 1:,}")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("link", name=f"All {total:,}")).to_be_visible()
    expect(made).to_be_visible()


def test_two_images_are_compared_with_a_slider(page: Page) -> None:
    creating.create(page, "a cat on a blue background")
    made = creating.create(page, "a dog on a blue background")
    creating.act(page, made, "Compare")
    slider = page.get_by_role("slider", name=re.compile("^How much of"))
    slider.focus()
    page.keyboard.press("Home")
    expect(slider).to_have_value("0")
    page.keyboard.press("ArrowRight")
    expect(slider).to_have_value("1")
    page.get_by_role("button", name="Done").click()
    expect(slider).to_have_count(0)


def test_recent_images_come_to_the_stage(page: Page) -> None:
    creating.create(page, "a cat on a white background")
    creating.create(page, "a dog on a white background")
    creating.recent(page).nth(1).click()
    expect(creating.picture(page, "a cat on a white background")).to_be_visible()
    expect(creating.recent(page).nth(1)).to_have_attribute("aria-pressed", "true")


def test_its_wish_is_loaded_into_the_form(page: Page) -> None:
    page.get_by_role("spinbutton", name="Steps").fill("9")
    made = creating.create(page, "a piano on a red background")
    creating.prompt(page).fill("something else")
    page.get_by_role("spinbutton", name="Steps").fill("")
    creating.act(page, made, "Load its wish")
    expect(creating.prompt(page)).to_have_value("a piano on a red background")
    assert said(page)["steps"] == 9
    assert said(page)["seed"] == creating.newest(page)[0]["seed"]


def test_the_image_does_not_move_what_is_around_it(page: Page) -> None:
    creating.create(page, "a fox on a white background")
    page.evaluate(
        """() => { window.shifted = 0; new PerformanceObserver(list => {
          for (const entry of list.getEntries()) window.shifted += entry.value;
        }).observe({ type: "layout-shift" }); }"""
    )
    creating.create(page, "an apple on a white background")
    assert page.evaluate("() => window.shifted") < 0.05
