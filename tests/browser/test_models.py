"""Models and Settings: what is there and why, and nothing goes out unasked."""

import json
import re

from playwright.sync_api import Page, Route, expect

from tests.browser import harness


def test_a_model_says_what_it_is_and_why(page: Page) -> None:
    page.goto("#/models")
    mini = page.get_by_role("article", name="mini", exact=True)
    expect(mini).to_be_visible()
    if not mini.get_by_text("Identified as").is_visible():
        mini.get_by_text("What it is, and how that is known").click()
    expect(mini).to_contain_text("Stable Diffusion 1")
    expect(mini).to_contain_text("U-Net")
    expect(mini).to_contain_text("Apache-2.0")
    mini.get_by_role("button", name="Compute").click()
    expect(mini).to_contain_text(re.compile("[0-9a-f]{64}"))
    mini.get_by_role("button", name=re.compile(r"\d+ words")).click()
    words = page.get_by_role("dialog", name="Words that mini knows")
    words.get_by_role("searchbox").fill("hamster")
    expect(words.get_by_role("listitem")).to_have_text("hamster")
    page.keyboard.press("Escape")
    expect(mini.get_by_role("button", name="Remove")).to_have_count(0)
    harness.shoot(page, "models-desktop")
    mini.get_by_role("button", name="Use").click()
    expect(page).to_have_url(re.compile("#/create"))


def test_nothing_is_fetched_before_somebody_says_so(page: Page) -> None:
    asked: list[str] = []

    def pull(route: Route) -> None:
        asked.append(str(json.loads(route.request.post_data or "{}")["name"]))
        route.fulfill(status=202, content_type="application/json", body="{}")

    page.route(re.compile("/api/models/pull"), pull)
    page.goto("#/models")
    page.get_by_role("button", name="Fetch sd-1.5", exact=True).click()
    dialog = page.get_by_role("dialog", name="Fetch sd-1.5?")
    expect(dialog).to_contain_text("opens a connection to huggingface.co")
    harness.shoot(page, "models-fetch")
    dialog.get_by_role("button", name="Stay offline").click()
    assert asked == []
    page.get_by_role("button", name="Fetch sd-1.5", exact=True).click()
    dialog.get_by_role("button", name=re.compile("Fetch .* GB")).click()
    expect(page.get_by_role("progressbar", name="Fetching sd-1.5")).to_be_visible()
    assert asked == ["sd-1.5"]


def test_models_of_other_programs_are_imported_and_removed(page: Page) -> None:
    row: dict[str, object] = {
        "id": "0" * 32,
        "program": "ComfyUI",
        "name": "dreamy",
        "imported_as": None,
    }
    row |= {"bytes": 2_132_625_894, "family": "sd1", "task": "txt2img", "why_not": None}
    other = row | {"id": "1" * 32, "name": "huge", "why_not": "huge is SDXL."}

    def found(route: Route) -> None:
        route.fulfill(content_type="application/json", body=json.dumps({"found": [row, other]}))

    def take(route: Route) -> None:
        row["imported_as"] = "dreamy"
        answer = json.dumps({"name": "dreamy"})
        route.fulfill(status=201, content_type="application/json", body=answer)

    page.route(re.compile("/api/models/found"), found)
    page.route(re.compile("/api/models/import"), take)
    page.goto("#/models")
    expect(page.get_by_text("huge is SDXL.")).to_be_visible()
    expect(page.get_by_role("button", name="Import huge")).to_have_count(0)
    page.get_by_role("button", name="Import dreamy").click()
    expect(page.get_by_text("dreamy can be used now.")).to_be_visible()
    expect(page.get_by_role("button", name="Import dreamy")).to_have_count(0)


def test_settings_say_where_their_values_come_from(phone: Page) -> None:
    phone.goto("#/settings")
    expect(phone.get_by_role("row", name=re.compile("^steps"))).to_contain_text("the default")
    phone.get_by_role("searchbox", name="Find a setting").fill("guidance")
    expect(phone.get_by_role("row", name=re.compile("^steps"))).to_have_count(0)
    expect(phone.get_by_role("button", name="Copy DARKROOM_GUIDANCE")).to_be_visible()
    phone.get_by_role("searchbox", name="Find a setting").fill("no such setting")
    expect(phone.get_by_text("No setting has these words.")).to_be_visible()
    phone.get_by_role("link", name="How it works").tap()
    expect(phone.get_by_role("heading", name="How a picture is developed")).to_be_visible()


def test_settings_that_cannot_be_loaded_are_asked_for_again(windows: harness.Windows) -> None:
    windows.allow(r"/api/settings 500")
    page = windows.open()
    broken = json.dumps({"error": {"message": "The table is locked.", "hint": "Wait."}})
    pattern = re.compile("/api/settings")
    page.route(
        pattern,
        lambda route: route.fulfill(status=500, content_type="application/json", body=broken),
    )
    page.goto("#/settings")
    expect(page.get_by_role("alert")).to_contain_text("The table is locked.")
    page.unroute(pattern)
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("row", name=re.compile("^steps"))).to_be_visible()
