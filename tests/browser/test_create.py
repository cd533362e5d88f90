"""Create: saying a wish, its plan, and the image."""

import io
import re

from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser import creating, harness
from tests.browser.handling import said


def test_a_prompt_becomes_an_image(page: Page) -> None:
    made = creating.create(page, "a fox on a blue background")
    expect(page.get_by_text(re.compile(r"Step 20 of 20, seed \d+"))).to_be_visible()
    image = made.get_by_role("img", name="a fox on a blue background")
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") == 64
    harness.shoot(page, "create-desktop")


def test_it_works_on_a_phone(phone: Page) -> None:
    creating.wish_for(phone, "an octopus on a green background")
    creating.generate(phone).tap()
    expect(creating.picture(phone, "an octopus on a green background")).to_be_visible()
    sideways = phone.evaluate("() => document.querySelector('main').scrollWidth > innerWidth")
    assert not sideways
    phone.get_by_role("button", name="More actions").tap()
    delete = phone.get_by_role("menuitem", name="Delete")
    expect(delete).to_be_in_viewport(ratio=1)
    phone.keyboard.press("Escape")
    harness.shoot(phone, "create-phone")


def test_the_plan_stands_beside_the_button(page: Page) -> None:
    creating.wish_for(page, "a fox")
    plan = page.locator("#plan")
    expect(plan).to_contain_text(re.compile(r"(under 1|\d+) s"))
    expect(plan).to_contain_text(re.compile(r"\d+(\.\d+)? [MG]B of \d+ GB"))
    expect(plan).to_contain_text("CPU, ")
    page.get_by_role("spinbutton", name="Steps").fill("1000")
    page.get_by_role("spinbutton", name="Images").fill("10000")
    expect(plan).to_contain_text(re.compile(r"\d+(\.\d+)? h"))
    page.get_by_role("spinbutton", name="Width").fill("8000")
    expect(plan).to_contain_text("Width 8000 is out of range; the nearest that works is 512.")


def test_what_cannot_be_meant_is_said_in_place(page: Page) -> None:
    creating.wish_for(page, "a fox")
    creating.task(page, "Image")
    plan = page.locator("#plan")
    expect(plan).to_contain_text("An image comes first.")
    expect(creating.generate(page)).to_be_disabled()
    creating.task(page, "Text")
    creating.prompt(page).fill("a fox __nosuchlist__")
    expect(plan).to_contain_text("nosuchlist")
    expect(creating.generate(page)).to_be_disabled()
    creating.prompt(page).fill("a fox")
    expect(creating.generate(page)).to_be_enabled()


def test_only_what_the_task_takes_is_shown_and_sent(page: Page) -> None:
    names = {
        "Text": {"Size", "Steps"},
        "Image": {"Strength", "Size", "Steps"},
        "Inpaint": {"Strength", "Size", "Steps", "Grow mask"},
        "Depth": {"Strength", "Size", "Steps"},
        "Upscale": {"Noise level", "Steps"},
        "Vary": {"Noise level", "Size", "Steps"},
    }
    every = set().union(*names.values()) - {"Size"}
    for task, expected in names.items():
        creating.task(page, task)
        shown = {
            each for each in every if page.get_by_role("spinbutton", name=each, exact=True).count()
        }
        if page.get_by_role("group", name="Size").count():
            shown.add("Size")
        assert shown == expected, task
    # Said for one task, kept, and left out of another.
    creating.task(page, "Image")
    page.get_by_role("spinbutton", name="Strength").fill("0.4")
    creating.task(page, "Text")
    creating.create(page, "a fox on a red background")
    assert said(page)["strength"] == 0.4


def test_numbers_are_typed_stepped_and_dragged(page: Page) -> None:
    steps = page.get_by_role("spinbutton", name="Steps")
    steps.fill("12")
    assert said(page)["steps"] == 12
    steps.press("ArrowUp")
    steps.press("Shift+ArrowUp")
    expect(steps).to_have_value("23")
    steps.fill("99999")
    steps.press("Tab")
    expect(steps).to_have_value("1000")
    guidance = page.get_by_role("spinbutton", name="Guidance", exact=True)
    guidance.fill("0")
    assert said(page)["guidance"] == 0  # zero is a value
    guidance.fill("")
    assert "guidance" not in said(page)
    strip = steps.bounding_box()
    assert strip is not None
    steps.fill("20")
    page.mouse.move(strip["x"] + 10, strip["y"] + 8)
    page.mouse.down()
    page.mouse.move(strip["x"] + 35, strip["y"] + 8, steps=5)
    page.mouse.up()
    assert said(page)["steps"] == 25


def test_sizes_are_shapes_and_numbers(page: Page) -> None:
    size = page.get_by_role("group", name="Size")
    size.get_by_role("button", name="3:2").click()
    wide = said(page)
    assert wide["width"] > wide["height"]
    size.get_by_role("button", name="swap").click()
    assert (said(page)["width"], said(page)["height"]) == (wide["height"], wide["width"])
    size.get_by_role("spinbutton", name="Width").fill("96")
    creating.create(page, "a boat")
    expect(size.get_by_role("button", name=f"96 × {wide['width']}")).to_be_visible()
    size.get_by_role("button", name="usual").click()
    assert "width" not in said(page)


def test_a_kept_seed_makes_the_same_image(page: Page) -> None:
    creating.create(page, "a guitar on a green background")
    page.get_by_role("button", name="Keep the seed of the image shown").click()
    seed = said(page)["seed"]
    before = creating.total(page)
    creating.generate(page).click()
    creating.wait_for_total(page, before + 1)
    second, first = creating.newest(page, 2)
    assert second["seed"] == first["seed"] == seed
    files = [page.request.get(image["file"]).body() for image in (first, second)]
    pixels = [Image.open(io.BytesIO(data)).convert("RGB").tobytes() for data in files]
    assert pixels[0] == pixels[1]
    page.get_by_role("button", name="Random seed").click()
    assert "seed" not in said(page)


def test_the_meter_names_words_that_the_model_does_not_know(page: Page) -> None:
    creating.prompt(page).fill("a kat on a blue background")
    expect(page.get_by_text("Mini does not know kat.")).to_be_visible()
    page.get_by_role("button", name="Use cat", exact=True).click()
    expect(page.get_by_text("Mini does not know")).to_be_hidden()
    expect(page.get_by_text(re.compile(r"\d+ of \d+ tokens"))).to_be_visible()


def test_the_meter_shows_what_falls_beyond_the_limit(page: Page) -> None:
    creating.prompt(page).fill("red " * 35 + "fox cat")
    expect(page.get_by_text(re.compile("Beyond the first .* fox cat"))).to_be_visible()
    page.get_by_text("Advanced").click()
    page.get_by_role("combobox", name="Prompt syntax").select_option("plain")
    expect(page.get_by_text(re.compile("Beyond the limit, never read:.*fox cat"))).to_be_visible()


def test_styles_are_chosen_saved_and_removed(page: Page) -> None:
    page.get_by_role("button", name=re.compile(r"^\+ \d+ styles")).click()
    library = page.get_by_role("dialog", name="Styles")
    assert library.get_by_role("button").count() >= 60
    library.get_by_role("searchbox", name="Find a style").fill("water")
    library.get_by_role("button").filter(has_text=re.compile("water", re.IGNORECASE)).first.click()
    library.get_by_role("button", name="Save a style").click()
    form = page.get_by_role("dialog", name="Save a style")
    form.get_by_role("textbox", name="Name").fill("my blue")
    form.get_by_role("textbox", name="Added to the prompt").fill("{prompt} on a blue background")
    form.get_by_role("button", name="Save", exact=True).click()
    expect(form).to_be_hidden()
    library.get_by_role("searchbox", name="Find a style").fill("my blue")
    library.get_by_role("button", name="my blue", exact=True).click()
    library.get_by_role("button", name="Close").click()
    chips = page.get_by_role("group", name="Styles")
    expect(chips.get_by_role("button", name="my blue")).to_have_attribute("aria-pressed", "true")
    chips.get_by_role("button", pressed=True).filter(has_not_text="my blue").click()
    creating.wish_for(page, "a fox")
    creating.generate(page).click()
    expect(creating.picture(page, "a fox on a blue background")).to_be_visible()
    page.get_by_role("button", name=re.compile(r"^\+ \d+ styles")).click()
    library.get_by_role("button", name="Remove my blue").click()
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(library.get_by_role("button", name="my blue", exact=True)).to_have_count(0)


def test_wildcards_are_explained_and_drawn(page: Page) -> None:
    creating.prompt(page).fill("a fox on a")
    page.get_by_role("button", name="Wildcards").click()
    page.get_by_role("button", name="{red|blue|green}").click()
    expect(creating.prompt(page)).to_have_value("a fox on a {red|blue|green}")
    page.get_by_role("spinbutton", name="Images").fill("2")
    expect(creating.generate(page)).to_be_enabled()
    before = creating.total(page)
    creating.generate(page).click()
    creating.wait_for_total(page, before + 2)
    prompts = {image["prompt"] for image in creating.newest(page, 2)}
    assert prompts <= {f"a fox on a {colour}" for colour in ("red", "blue", "green")}


def test_prompts_used_before_come_back(page: Page) -> None:
    creating.create(page, "a violin on a white background")
    creating.prompt(page).fill("")
    page.get_by_role("button", name="History").click()
    dialog = page.get_by_role("dialog", name="Prompts used before")
    dialog.get_by_role("button", name="a violin on a white background").click()
    expect(creating.prompt(page)).to_have_value("a violin on a white background")


def test_a_wish_is_shown_as_command_python_and_request(page: Page) -> None:
    creating.wish_for(page, "a fox on a blue background")
    page.get_by_role("button", name="The same as a command").click()
    dialog = page.get_by_role("dialog", name="The same, elsewhere")
    expect(dialog.get_by_text("darkroom txt2img")).to_be_visible()
    dialog.get_by_text("Python", exact=True).click()
    expect(dialog.get_by_text("import darkroom")).to_be_visible()
    dialog.get_by_text("Request", exact=True).click()
    expect(dialog.get_by_text("/api/jobs")).to_be_visible()


def test_without_images_there_are_three_prompts_to_click(page: Page) -> None:
    page.route(
        "**/api/images?*",
        lambda route: route.fulfill(json={"images": [], "total": 0, "next": None}),
    )
    page.reload()
    expect(page.get_by_role("heading", name="Mini is ready")).to_be_visible()
    harness.shoot(page, "create-empty")
    page.get_by_role("button", name="a rocket on a yellow background").click()
    expect(creating.picture(page, "a rocket on a yellow background")).to_be_visible()
