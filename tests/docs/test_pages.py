"""Every page: its links lead somewhere, and what it names exists."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from darkroom import names, settings

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "src").rglob("*.md")])
IDS = [str(page.relative_to(ROOT)) for page in PAGES]

FENCE = re.compile(r"^(```+).*?^\1\s*$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")


def prose(page: Path) -> str:
    """The page without its code blocks."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """What `#…` may name, by GitHub's rule."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.strip().replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_links_lead_somewhere(page: Path) -> None:
    for pair in LINK.findall(prose(page)):
        link = pair[0] or pair[1]
        if link.startswith(("https://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link} leads nowhere"
        assert target.is_relative_to(ROOT), f"{link} leaves the repository"
        if anchor:
            assert anchor in anchors(target), f"{link}: there is no such heading"


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_one_title_and_closed_blocks(page: Path) -> None:
    assert page.read_text(encoding="utf-8").count("\n```") % 2 == 0
    assert len(re.findall(r"^# ", prose(page), re.MULTILINE)) == 1


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = set(re.findall(r"\(([\w-]+\.md)\)", (folder / "README.md").read_text("utf-8")))
    assert listed == {page.name for page in folder.glob("[0-9]*.md")}


def test_the_reference_is_what_the_code_says() -> None:
    check = [sys.executable, str(ROOT / "scripts" / "docs"), "--check"]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_reference_names_everything() -> None:
    reference = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    for name in (*names.SAMPLERS, *names.SCHEDULES, *settings.TABLE):
        assert f"`{name}`" in reference
    for row in settings.TABLE.values():
        assert f"`{row.environment}`" in reference


def test_pages_name_files_that_exist() -> None:
    """`planning/resolve.py` in a text is a promise that it is there."""
    package = ROOT / "src" / "darkroom"
    for page in PAGES:
        if page.name in ("CHANGELOG.md", "compat.md"):  # they name the past, and others' files
            continue
        for name in re.findall(r"`([\w/.-]+/[\w-]+\.(?:py|md|toml|safetensors))`", prose(page)):
            roots = (ROOT, package, page.parent, ROOT / "compat" / "compvis")
            assert any((root / name).exists() for root in roots), f"{page.name} names {name}"


def test_scripts_named_by_pages_exist() -> None:
    for page in PAGES:
        for script in re.findall(
            r"(?<![\w./])scripts/([\w-]+)(?![\w./-])", page.read_text("utf-8")
        ):
            assert (ROOT / "scripts" / script).exists(), f"{page.name} names scripts/{script}"
