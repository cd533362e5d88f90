"""Images that a test needs and does not care how they are made: small, of two steps."""

import re
from typing import Any

from playwright.sync_api import Locator, Page, expect

SMALL = {"model": "mini", "steps": 2, "guidance": 1}
_MAKE = """async (body) => {
  const options = { method: "POST", headers: { "Content-Type": "application/json" } };
  const answer = await fetch("/api/jobs", { ...options, body: JSON.stringify(body) });
  let { job } = await answer.json();
  while (!["done", "failed", "cancelled"].includes(job.state)) {
    await new Promise((done) => setTimeout(done, 150));
    ({ job } = await (await fetch(`/api/jobs/${job.id}`)).json());
  }
  return (await fetch(`/api/jobs/${job.id}`)).json();
}"""


def make(page: Page, prompt: str, *, grid: Any = None, **wish: Any) -> list[dict[str, Any]]:
    """The images of a job, in their order."""
    body: dict[str, Any] = {"request": {**SMALL, "prompt": prompt, **wish}}
    if grid is not None:
        body["grid"] = grid
    made = page.evaluate(_MAKE, body)
    assert made["job"]["state"] == "done", made
    images: list[dict[str, Any]] = sorted(made["images"], key=lambda image: image["number"])
    return images


def find(page: Page, words: str) -> None:
    """The gallery with the images whose prompts hold these words."""
    page.goto("#/gallery")
    page.get_by_role("searchbox", name="Search in prompts").fill(words)
    expect(page.get_by_role("status").filter(has_text=re.compile("image"))).to_be_visible()


def picture(page: Page, words: str) -> Locator:
    """The images on the wall whose prompts hold these words."""
    return page.get_by_role("listbox", name="Images").get_by_role(
        "option", name=re.compile(re.escape(words))
    )
