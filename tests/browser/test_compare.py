"""Compare: a table is planned, made, watched and kept."""

import io
import re
import zipfile

from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser import harness


def small(page: Page, prompt: str) -> None:
    """A wish of two steps, so that nobody waits."""
    wish = {"task": "txt2img", "prompt": prompt, "negative": "", "steps": 2, "count": 1}
    page.evaluate("wish => { sessionStorage['darkroom.wish'] = JSON.stringify(wish); }", wish)
    page.reload()
    page.goto("#/compare")


def test_a_table_is_made_as_one_job(page: Page) -> None:
    small(page, "an able robot on a white background")
    rows = page.get_by_role("group", name="Rows")
    rows.get_by_role("textbox", name="Values of the rows").fill("5-6")
    columns = page.get_by_role("group", name="Columns")
    values = columns.get_by_role("textbox", name="Values of the columns")
    values.fill("1, x")
    expect(columns).to_contain_text("“x” is no number")
    expect(page.get_by_role("button", name=re.compile("^Make"))).to_be_disabled()
    values.fill("1, 3.5")
    table = page.get_by_role("table", name="The table to be made")
    expect(table.get_by_role("columnheader", name="Guidance 3.5")).to_be_visible()
    expect(table.get_by_role("rowheader", name="Seed 6")).to_be_visible()
    expect(page.get_by_text(re.compile(r"^CPU, "))).to_be_visible()
    harness.shoot(page, "compare-desktop")
    page.get_by_role("button", name="Make 4 images").click()
    made = page.get_by_role("table", name=re.compile("able robot"))
    last = made.get_by_role("link", name="Guidance 3.5, Seed 6")
    expect(last).to_be_visible()
    sheet = page.get_by_role("link", name="Open as one image")
    expect(sheet).to_be_visible()
    harness.shoot(page, "compare-made")
    assert not harness.violations(page)
    with page.expect_download() as download:
        page.get_by_role("link", name="Table", exact=True).click()
    with Image.open(download.value.path()) as image:
        assert image.width > 2 * 128
    with page.expect_download() as download:
        page.get_by_role("button", name="Parts").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert len(archive.namelist()) == 4
        Image.open(io.BytesIO(archive.read(archive.namelist()[0]))).load()
    last.click()
    recipe = page.get_by_role("region", name="Recipe")
    expect(recipe).to_contain_text(re.compile(r"Seed\s*6"))
    expect(recipe).to_contain_text(re.compile(r"Guidance\s*3\.5"))


def test_samplers_prompts_and_a_third_parameter(page: Page) -> None:
    small(page, "a lone star on a blue background")
    page.get_by_label("Parameter of the columns").select_option("sampler")
    columns = page.get_by_role("group", name="Values of the columns")
    for chip in columns.get_by_role("button", pressed=True).all()[::-1]:
        chip.click()
    columns.get_by_role("button", name="Euler", exact=True).click()
    page.get_by_label("Parameter of the rows").select_option("prompt")
    page.get_by_label("Values of the rows, one on each line").fill("a star\na rocket")
    page.get_by_role("button", name="Third parameter").click()
    page.get_by_label("Parameter of the tables").select_option("seed")
    page.get_by_role("textbox", name="Values of the tables").fill("1, 2")
    expect(page.get_by_role("table")).to_have_count(2)
    page.get_by_role("button", name="Make 4 images").click()
    expect(page.get_by_role("link", name=re.compile("a rocket, Seed 2"))).to_be_visible()
    earlier = page.get_by_role("link", name=re.compile("Sampler × Prompt × Seed"))
    expect(earlier).to_be_visible()
    page.get_by_role("button", name="New table").click()
    earlier.click()
    expect(page.get_by_role("link", name=re.compile("a star, Seed 1"))).to_be_visible()


def test_a_table_is_cancelled_and_goes_on(phone: Page) -> None:
    small(phone, "a slow tortoise on a red background")
    phone.get_by_role("textbox", name="Values of the rows").fill("1-9")
    phone.get_by_role("textbox", name="Values of the columns").fill("1-3")
    phone.get_by_role("button", name="Make 27 images").tap()
    phone.get_by_role("button", name="Cancel").tap()
    expect(phone.get_by_text(re.compile("^Cancelled after"))).to_be_visible()
    expect(phone.get_by_role("button", name="Go on")).to_be_visible()
    harness.shoot(phone, "compare-phone")
