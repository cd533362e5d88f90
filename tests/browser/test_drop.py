"""An image that is dropped or pasted says what it holds, and becomes what it is asked to be."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin
from playwright.sync_api import Page, expect

from tests.browser import harness
from tests.browser.handling import drop, let_go, paste, png, said

DATA = Path(__file__).parents[1] / "data" / "foreign"
PLAIN = Image.new("RGB", (64, 64), (90, 140, 200))


def foreign(program: str) -> bytes:
    """An image with the first recipe among the samples of that program."""
    [sample, *_] = json.loads((DATA / f"{program}.json").read_text("utf-8"))
    texts = PngImagePlugin.PngInfo()
    for name, text in sample["texts"].items():
        texts.add_text(name, text if isinstance(text, str) else json.dumps(text))
    return png(PLAIN, pnginfo=texts)


def expected(program: str) -> dict[str, Any]:
    [sample, *_] = json.loads((DATA / f"{program}.json").read_text("utf-8"))
    found: dict[str, Any] = sample["expect"]
    return found


@pytest.mark.parametrize(
    ("program", "title"),
    [("a1111", "AUTOMATIC1111"), ("comfyui", "ComfyUI"), ("invokeai", "InvokeAI")],
)
def test_the_recipe_of_another_program_is_read_and_used(
    page: Page, program: str, title: str
) -> None:
    dialog = drop(page, foreign(program))
    expect(dialog.get_by_role("heading", name=f"Its recipe, by {title}")).to_be_visible()
    expect(dialog.get_by_role("list", name="Remarks")).to_be_visible()
    harness.shoot(page, f"drop-{program}")
    assert harness.violations(page) == []
    dialog.get_by_role("button", name="Use these settings").click()
    wants = expected(program)
    expect(page.get_by_label("Prompt", exact=True)).to_have_value(wants["prompt"])
    wish = said(page)
    assert (wish["seed"], wish["steps"]) == (wants["seed"], wants["steps"])


def test_our_own_recipe_comes_back(page: Page) -> None:
    prompt = "a tree on a white background"
    request = {"prompt": prompt, "seed": 11, "steps": 3, "sampler": "euler", "schedule": "karras"}
    # As a script would; the browser lets it in by its cookie, and knows where it comes from.
    answer = page.request.post(
        "/api/jobs", data={"request": request}, headers={"Origin": page.evaluate("() => origin")}
    )
    assert answer.status == 201, answer.text()
    thumb = page.get_by_role("region", name="Recent images").get_by_role("img", name=prompt)
    expect(thumb).to_be_visible(timeout=60_000)
    images = page.request.get("/api/images").json()["images"]
    [image] = [each for each in images if each["prompt"] == prompt]
    dialog = drop(page, page.request.get(image["file"]).body())
    expect(dialog.get_by_role("heading", name="Its recipe, by Darkroom")).to_be_visible()
    dialog.get_by_role("button", name="Use these settings").click()
    expect(page.get_by_label("Prompt", exact=True)).to_have_value(prompt)
    wish = said(page)
    assert {name: wish[name] for name in request} == request


def test_an_image_becomes_an_input_and_a_mask(page: Page) -> None:
    page.goto("#/gallery")
    paste(page, png(PLAIN))
    dialog = page.get_by_role("dialog", name="What should become of it?")
    expect(dialog.get_by_text("It holds no recipe.")).to_be_visible()
    expect(dialog.get_by_role("button", name="Use as mask")).to_be_hidden()
    dialog.get_by_role("button", name="Use as input").click()
    expect(page.get_by_role("img", name="The input image")).to_be_visible()
    image = said(page)["image"]

    mask = Image.new("L", (64, 64), 0)
    mask.paste(255, (16, 16, 48, 48))
    drop(page, png(mask)).get_by_role("button", name="Use as mask").click()
    expect(page.get_by_role("img", name="The mask: white is painted")).to_be_visible()
    wish = said(page)
    assert (wish["task"], wish["image"]) == ("inpaint", image)
    assert wish["mask"] != image


def test_what_is_no_image_is_refused_in_a_sentence(page: Page, windows: harness.Windows) -> None:
    windows.allow(r"/api/uploads 4(13|15|22|00)$")
    let_go(page, b"no picture")
    notice = page.get_by_role("status").filter(has_text="image")
    expect(notice.first).to_be_visible()
    expect(page.get_by_role("dialog")).to_be_hidden()
