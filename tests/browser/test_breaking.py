"""What people do by mistake, and what an address, a seed or a tab may hold."""

import re

from playwright.sync_api import Page, expect

from tests.browser import creating, harness
from tests.browser.handling import said

_OFFICE = """field => {
  const clipboardData = new DataTransfer();
  clipboardData.setData("text/plain", "words");
  clipboardData.items.add(new File([new Uint8Array(9)], "words.png", { type: "image/png" }));
  const event = new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true });
  return field.dispatchEvent(event);
}"""


def test_an_address_that_names_nothing_says_so(windows: harness.Windows) -> None:
    windows.allow(r"answer: GET .*/api/(images|jobs)/.* 4\d\d")
    page = windows.open("#/image/%E0%A4%A")
    expect(page.get_by_role("heading", name="This image is not here")).to_be_visible()
    page.goto("/#/compare/%%%")
    expect(page.get_by_role("heading", name="This table is not here any more")).to_be_visible()
    page.goto("/#/no-such-page/1?a=%")
    expect(creating.prompt(page)).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="This table is not here any more")).to_be_visible()


def test_every_digit_of_a_large_seed_is_kept(page: Page) -> None:
    seed = "9007199254740993"  # 2^53 + 1, which no JavaScript number is
    field = page.get_by_role("spinbutton", name="Seed", exact=True)
    field.fill(seed)
    creating.create(page, "a fox on a white background")
    assert re.search(rf'"seed":\s*{seed}\b', page.request.get("/api/images?limit=1").text())
    expect(page.get_by_text(f"Step 20 of 20, seed {seed}")).to_be_visible()
    page.reload()
    expect(field).to_have_value(seed)
    field.press("ArrowDown")
    field.press("ArrowDown")
    expect(field).to_have_value("9007199254740991")


def test_a_double_click_or_a_held_key_is_one_wish(page: Page) -> None:
    creating.wish_for(page, "a cat on a white background")
    before = creating.total(page)
    creating.generate(page).dblclick()
    creating.wait_for_total(page, before + 1)
    page.keyboard.down("Control")
    for _ in range(5):
        page.keyboard.down("Enter")
    page.keyboard.up("Enter")
    page.keyboard.up("Control")
    creating.wait_for_total(page, before + 2)
    expect(creating.jobs(page)).to_have_count(0)
    assert creating.total(page) == before + 2


def test_two_tabs_keep_their_own_words(page: Page) -> None:
    creating.prompt(page).fill("of the first")
    other = page.context.new_page()
    other.goto("/")
    expect(creating.prompt(other)).to_have_value("of the first")
    creating.prompt(other).fill("of the second")
    page.reload()
    expect(creating.prompt(page)).to_have_value("of the first")
    other.reload()
    expect(creating.prompt(other)).to_have_value("of the second")


def test_words_that_come_with_a_picture_of_them_are_pasted_as_words(page: Page) -> None:
    assert creating.prompt(page).evaluate(_OFFICE), "left to the browser"
    page.wait_for_timeout(300)
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_wish_of_another_version_is_left(page: Page) -> None:
    page.evaluate(
        """() => { for (const store of [sessionStorage, localStorage]) {
          store["darkroom.wish"] = '{"task": "sing", "prompt": 5}';
          store["darkroom.beside"] = '{"styles": null}';
          store["darkroom.compare"] = '[null]';
        } }"""
    )
    page.reload()
    expect(creating.prompt(page)).to_have_value("")
    assert said(page)["task"] == "txt2img"
