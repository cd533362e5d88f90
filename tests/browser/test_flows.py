"""The way of one image on the page: by keyboard alone, over reloads and crashes, on a phone."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.browser import harness
from tests.browser.handling import canvas, said, upload

# How far what stands on the page moves by itself, as the browsers count it.
_SHIFT = """() => new Promise(done => {
  let moved = 0;
  new PerformanceObserver(list => list.getEntries().forEach(each => { moved += each.value; }))
    .observe({ type: "layout-shift", buffered: true });
  requestAnimationFrame(() => setTimeout(() => done(moved), 50));
})"""


def stage(page: Page) -> Locator:
    return page.get_by_role("region", name="Image", exact=True)


def arrived(page: Page, prompt: str) -> Locator:
    """The finished image, on the stage and among the recent ones."""
    image = stage(page).get_by_role("img", name=prompt, exact=True)
    expect(image).to_be_visible(timeout=60_000)
    expect(
        page.get_by_role("region", name="Recent images").get_by_role("img", name=prompt).first
    ).to_be_visible()
    return image


def generate(page: Page, prompt: str) -> None:
    page.get_by_label("Prompt", exact=True).fill(prompt)
    page.keyboard.press("Control+Enter")


def asked(page: Page, path: str) -> Any:
    answer = page.request.get(f"/api{path}")
    assert answer.ok, answer.text()
    return answer.json()


def newest(page: Page, prompt: str) -> dict[str, Any]:
    """The newest image of that prompt, as the server tells it."""
    found = [each for each in asked(page, "/images?limit=50")["images"] if each["prompt"] == prompt]
    assert found, prompt
    whole: dict[str, Any] = asked(page, f"/images/{found[0]['id']}")
    return whole


def file_of(page: Page, image: dict[str, Any]) -> Image.Image:
    return Image.open(io.BytesIO(page.request.get(f"/api/images/{image['id']}/file").body()))


def tab_to(page: Page, target: Locator, most: int = 60) -> None:
    """Goes on by Tab until the focus is there, which must be seen."""
    look = """element => { const { outline, boxShadow, borderColor } = getComputedStyle(element);
      return [outline, boxShadow, borderColor].join(); }"""
    before = target.evaluate(look)
    for _ in range(most):
        page.keyboard.press("Tab")
        if target.evaluate("element => element === document.activeElement"):
            assert target.evaluate(look) != before
            return
    pytest.fail(f"{most} times Tab do not lead to {target}")


def test_an_image_by_the_keyboard_alone(page: Page) -> None:
    prompt = "a fox on a blue background"
    tab_to(page, page.get_by_label("Prompt", exact=True))
    page.keyboard.type(prompt)
    expect(page.get_by_text("of 30 tokens")).to_be_visible()
    page.keyboard.press("Control+Enter")
    arrived(page, prompt)
    assert page.evaluate(_SHIFT) < 0.05  # 0.1 is where people begin to notice
    film = page.get_by_role("slider", name="Step of the film")
    tab_to(page, stage(page).get_by_role("button", name="Use as input"))
    tab_to(page, film)
    page.keyboard.press("Home")
    expect(film).to_have_attribute("aria-valuenow", "1")
    page.keyboard.press("End")
    harness.shoot(page, "create-desktop")
    assert harness.violations(page) == []
    stage(page).get_by_role("button", name="Use as input").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("img", name="The input image")).to_be_visible()
    assert said(page)["task"] == "img2img"


def test_a_reload_loses_nothing_that_was_typed(page: Page) -> None:
    page.get_by_label("Prompt", exact=True).fill("a rocket on a green background")
    page.get_by_role("button", name="Negative").click()
    page.get_by_label("Negative prompt").fill("clouds")
    page.get_by_label("Seed", exact=True).fill("0")
    page.get_by_label("Width").fill("96")
    page.keyboard.press("Tab")
    before = said(page)
    assert (before["seed"], before["width"], before["negative"]) == (0, 96, "clouds")
    page.reload()
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("a rocket on a green background")
    expect(page.get_by_label("Negative prompt")).to_have_value("clouds")
    expect(page.get_by_label("Seed", exact=True)).to_have_value("0")
    assert said(page) == before


def test_a_run_is_cancelled_within_a_step_and_run_again(page: Page) -> None:
    prompt = "an owl on a red background"
    page.get_by_label("Steps", exact=True).last.fill("400")
    generate(page, prompt)
    expect(
        stage(page).get_by_text("Running").or_(stage(page).get_by_role("button", name="Cancel"))
    ).to_be_visible()
    expect(page.get_by_role("slider", name="Step of the film")).to_be_visible(timeout=60_000)
    stage(page).get_by_role("button", name="Cancel").click()
    expect(stage(page).get_by_role("heading", name="Cancelled")).to_be_visible()
    [job] = [each for each in asked(page, "/jobs?limit=20")["jobs"] if each["title"] == prompt]
    assert (job["state"], job["images_done"]) == ("cancelled", 0)
    page.get_by_role("button", name=f"Forget {prompt}").click()
    expect(page.get_by_role("button", name=f"Forget {prompt}")).to_be_hidden()


def test_the_page_outlives_the_server(
    page: Page, windows: harness.Windows, darkroom: harness.Darkroom
) -> None:
    windows.allow(r"^request: .* net::ERR_(CONNECTION|INCOMPLETE|EMPTY|SOCKET|NETWORK)")
    windows.allow(r"/film/\d+/\d+ 404$")  # of the run that was broken off
    prompt = "a castle on a purple background"
    page.get_by_label("Steps", exact=True).last.fill("100")
    generate(page, prompt)
    expect(page.get_by_role("slider", name="Step of the film")).to_be_visible(timeout=60_000)
    darkroom.kill()
    expect(page.get_by_text("The server is away")).to_be_visible()
    harness.shoot(page, "server-away")
    page.get_by_label("Prompt", exact=True).fill("typed while it was away")
    darkroom.start()
    expect(page.get_by_text("The server is away")).to_be_hidden(timeout=60_000)
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("typed while it was away")
    # The page goes on by itself, and so does the job; its only image comes once.
    arrived(page, prompt)
    images = [
        each for each in asked(page, "/images?limit=50")["images"] if each["prompt"] == prompt
    ]
    assert len(images) == 1
    history = asked(page, f"/jobs/{images[0]['job']}")["history"]
    assert "interrupted" in [event["kind"] for event in history]


def test_inpainting_leaves_the_rest_as_it_was(page: Page) -> None:
    shades = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    paper = canvas(page, Image.fromarray(shades), "Inpaint")
    paper.set("Size", 24)
    paper.stroke((44, 20), (44, 44))
    wish = paper.use()
    prompt = "an apple on a white background"
    generate(page, prompt)
    arrived(page, prompt)
    mask = np.array(upload(page, wish["mask"]).convert("L")) > 127
    made = np.array(file_of(page, newest(page, prompt)["image"]).convert("RGB"))
    assert 0.1 < mask.mean() < 0.5
    assert np.array_equal(made[~mask], shades[~mask])
    assert not np.array_equal(made[mask], shades[mask])


def test_an_image_goes_on_beyond_its_edge(page: Page) -> None:
    shades = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    paper = canvas(page, Image.fromarray(shades), "Inpaint")
    paper.tool("Extend")
    paper.dialog.get_by_role("spinbutton", name="Right").fill("32")
    page.keyboard.press("Tab")
    expect(paper.dialog.get_by_text("becomes 96 × 64")).to_be_visible()
    assert paper.use()["extend"] == [0, 0, 32, 0]
    prompt = "a balloon on a blue background"
    generate(page, prompt)
    arrived(page, prompt)
    made = np.array(file_of(page, newest(page, prompt)["image"]).convert("RGB"))
    assert made.shape == (64, 96, 3)
    assert np.array_equal(made[:, :64], shades)


def test_a_sketch_becomes_an_image(page: Page) -> None:
    paper = canvas(page, Image.new("RGB", (64, 64), (120, 190, 240)))
    paper.press("Yellow")
    paper.set("Size", 30)
    paper.stroke((32, 30), (32, 34))
    wish = paper.use()
    prompt = "a star on a blue background"
    page.get_by_label("Strength", exact=True).last.fill("0.6")
    generate(page, prompt)
    arrived(page, prompt)
    recipe = newest(page, prompt)["recipe"]
    assert (recipe["task"], recipe["strength"]) == ("img2img", 0.6)
    assert recipe["input_sha256"] == wish["image"]


def test_a_phone_makes_an_image_and_looks_at_it(phone: Page) -> None:
    prompt = "a hamster on a yellow background"
    phone.get_by_label("Prompt", exact=True).fill(prompt)
    phone.get_by_role("button", name="Generate 1 image").tap()
    image = stage(phone).get_by_role("img", name=prompt, exact=True)
    expect(image).to_be_visible(timeout=60_000)
    harness.shoot(phone, "create-phone")
    # Seen and pressed without scrolling sideways.
    wide = "() => document.scrollingElement.scrollWidth <= innerWidth"
    assert phone.evaluate(wide)
    phone.get_by_role("navigation", name="Pages").get_by_role("link", name="Gallery").tap()
    expect(phone.get_by_role("option", name=prompt)).to_be_visible()
    assert phone.evaluate(wide)
    harness.shoot(phone, "gallery-phone")
