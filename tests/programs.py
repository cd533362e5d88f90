"""Programs of other makers that some tests need, by the marker of those tests.

CI has them all: a missing one is a failure there.  On a person's machine its tests are left out,
and one line says so.
"""

import os
import shutil

PROGRAMS = {
    # The first has no window at all, and needs a third of the time.
    "browser": (
        "chromium-headless-shell",
        "chromium",
        "chromium-browser",
        "google-chrome",
        "google-chrome-stable",
    ),
    "npm": ("npm",),
}


def path(marker: str) -> str | None:
    """Where the program is."""
    return next(filter(None, map(shutil.which, PROGRAMS[marker])), None)


def name(marker: str) -> str:
    """What people call the program."""
    return {"browser": "Chromium", "npm": "npm"}[marker]


def left_out() -> list[str]:
    """Markers of the tests that do not run on this machine."""
    if os.environ.get("CI"):
        return []
    return [marker for marker in PROGRAMS if path(marker) is None]
