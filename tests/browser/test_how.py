"""How it works: the page's own runs are real."""

import re

from playwright.sync_api import Page, expect

from tests.browser import harness

SLOW = 90_000.0  # milliseconds: these images have as many steps as a person's


def test_an_image_is_developed_on_the_page(page: Page) -> None:
    page.goto("#/how")
    tokens = page.get_by_role("list", name="Tokens")
    expect(tokens).to_contain_text("hamster")
    page.get_by_label(re.compile("The prompt of this page")).fill("an owl on a red background")
    expect(tokens).to_contain_text("owl")
    expect(page.get_by_text(re.compile(r"^6 of \d+ tokens"))).to_be_visible()
    expect(page.get_by_text(re.compile(r"turns each place into \d+ numbers"))).to_be_visible()
    assert not re.search(r"undefined|NaN|\bnull\b", page.locator("main").inner_text())
    page.get_by_role("button", name="Develop one image").click()
    part = page.get_by_role("region", name="It begins with noise")
    image = part.get_by_role("img", name=re.compile("an owl on a red background"))
    expect(image).to_be_visible(timeout=SLOW)
    film = part.get_by_role("slider", name="Step")
    film.focus()
    film.press("Home")
    expect(film).to_have_attribute("aria-valuetext", "Step 1 of 20")
    expect(page.get_by_role("img", name="The picture with 50 percent noise")).to_be_visible()
    decoded = page.get_by_role("region", name="The latent is decoded")
    expect(decoded.get_by_role("img", name="decoded")).to_be_visible()
    harness.shoot(page, "how-desktop")
    assert not harness.violations(page)


def test_guidance_is_tried_side_by_side(phone: Page) -> None:
    phone.goto("#/how")
    part = phone.get_by_role("region", name="Negative prompts")
    part.get_by_role("button", name="Make these 4").tap()
    expect(part.get_by_role("link", name="white")).to_be_visible(timeout=SLOW)
    expect(part.get_by_role("link")).to_have_count(4)
    harness.shoot(phone, "how-phone")
    phone.reload()
    expect(part.get_by_role("link")).to_have_count(4)
