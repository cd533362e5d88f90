"""The page on prompts: its commands run, and every line of its tables reads as it says."""

import re
from itertools import groupby
from pathlib import Path
from typing import get_args

import pytest

from darkroom.contracts import PromptSyntax
from darkroom.text import syntax
from darkroom.text.parsed import Part, Passage, Section
from tests.docs.test_tutorial import ROOT, blocks, run_console

PAGE = ROOT / "docs" / "prompts.md"
STEPS = 10
ROW = re.compile(r"^\| `(.+)` \| `(.+)` \|$", re.MULTILINE)


def lines() -> list[tuple[PromptSyntax, str, str]]:
    """Syntax, prompt and reading of every line; a table's head or its section names the syntax."""
    found: list[tuple[PromptSyntax, str, str]] = []
    chosen: PromptSyntax = "plain"
    for line in PAGE.read_text("utf-8").splitlines():
        if line.startswith(("## ", "| you write, ")):
            for name in get_args(PromptSyntax):
                if re.search(rf"\b{name}\b", line, re.IGNORECASE):
                    chosen = name
        if row := ROW.match(line):
            prompt, reading = (cell.replace("\\|", "|") for cell in row.groups())
            found.append((chosen, prompt, reading))
    return found


def reading(prompt: str, chosen: PromptSyntax) -> str:
    parts = syntax.parse(prompt, chosen, steps=STEPS).parts
    if len(parts) > 1:
        return " + ".join(f"{part.weight:g} × {staged(part)}" for part in parts)
    return staged(parts[0])


def staged(part: Part) -> str:
    said = [blended(part.stages[part.at(step)].blend) for step in range(STEPS)]
    if len(set(said)) == 1:
        return said[0]
    return ", ".join(
        f"{spans([step + 1 for step in range(STEPS) if said[step] == text])}: {text}"
        for text in dict.fromkeys(said)
    )


def spans(steps: list[int]) -> str:
    rows = [
        [step for _, step in group]
        for _, group in groupby(enumerate(steps), lambda pair: pair[1] - pair[0])
    ]
    return ", ".join(f"{row[0]}-{row[-1]}" if len(row) > 1 else str(row[0]) for row in rows)


def blended(blend: tuple[Passage, ...]) -> str:
    if len(blend) == 1:
        return joined(blend[0].sections)
    return ", ".join(
        f"{passage.share:.0%} {joined(passage.sections)}" for passage in blend
    ).replace("%", " %")


def joined(sections: tuple[Section, ...]) -> str:
    return " / ".join(
        " ".join(
            fragment.text.strip()
            if fragment.weight == 1
            else f"({fragment.text.strip()}:{fragment.weight:.3g})"
            for fragment in section.fragments
            if fragment.text.strip()
        )
        for section in sections
    )


@pytest.mark.parametrize(("chosen", "prompt", "says"), lines())
def test_it_reads_as_the_page_says(chosen: PromptSyntax, prompt: str, says: str) -> None:
    assert " ".join(reading(prompt, chosen).split()) == says


def test_every_syntax_has_its_lines() -> None:
    assert {chosen for chosen, _, _ in lines()} == set(get_args(PromptSyntax))


def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for block in blocks(PAGE):
        for line in block.text.splitlines():
            run_console(line, monkeypatch)
    assert len(list((tmp_path / "drawn").iterdir())) == 2
