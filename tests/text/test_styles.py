"""The library of styles, and the user's own."""

import csv
import re
from pathlib import Path

import pytest

from darkroom.errors import RequestError
from darkroom.text import styles
from darkroom.text.styles import Style


def names() -> list[str]:
    return [name for rows in styles.library().values() for name in rows]


def test_the_library_is_large_and_in_order() -> None:
    assert len(names()) >= 60
    assert len({name.casefold() for name in names()}) == len(names())
    for group, rows in styles.library().items():
        assert rows, group
        for name, style in rows.items():
            assert style.prompt.count("{prompt}") == 1, name
            assert "{prompt}" not in style.negative, name
            said = (style.prompt + style.negative).replace("{prompt}", "")
            assert not re.search(r"[{}<>()\[\]|_:]", said), f"{name} holds marks of a syntax"
            both = {word.strip() for word in style.prompt.split(",")} & set(
                style.negative.split(", ")
            )
            assert not both, f"{name} wants and does not want {both}"


def test_the_library_needs_no_file(tmp_path: Path) -> None:
    file = tmp_path / "none.csv"
    assert styles.apply("a hamster", "", ["On Blue"], file) == (
        "a hamster on a blue background",
        "",
    )
    with pytest.raises(RequestError, match="no style “on bluu”") as refused:
        styles.apply("a hamster", "", ["on bluu"], file)
    assert refused.value.hint == "Did you mean “on blue”?"
    assert not file.exists()


def test_own_styles_go_before_the_library(tmp_path: Path) -> None:
    file = tmp_path / "new" / "styles.csv"
    styles.save(file, "Pencil Sketch", Style("{prompt}, drawn by me", "ink"))
    assert styles.apply("a cat", "", ["pencil sketch"], file) == ("a cat, drawn by me", "ink")
    groups = styles.groups(file)
    assert next(iter(groups)) == styles.OWN
    assert "pencil sketch" not in groups["Medium"]
    styles.save(file, "pencil sketch", Style("by me", ""))
    assert styles.read(file) == {"pencil sketch": Style("by me", "")}
    styles.remove(file, "PENCIL sketch")
    assert styles.read(file) == {}
    assert "pencil sketch" in styles.groups(file)["Medium"]
    assert [entry.name for entry in file.parent.iterdir()] == ["styles.csv"]
    with pytest.raises(RequestError, match="of your own"):
        styles.remove(file, "oil painting")


def test_what_others_keep_in_the_table_stays(tmp_path: Path) -> None:
    file = tmp_path / "styles.csv"
    file.write_text("path,name,prompt\nhere,One,first\n,Two,second\n", "utf-8")
    styles.save(file, "Two", Style('with "marks", and a\nline', "no"))
    with file.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert rows[0] == {"path": "here", "name": "One", "prompt": "first", "negative_prompt": ""}
    assert styles.read(file)["Two"] == Style('with "marks", and a\nline', "no")


@pytest.mark.parametrize(
    ("name", "prompt"),
    [("", "x"), ("  ", "x"), ("a\nb", "x"), ("a" * 201, "x"), ("a", " "), ("a", "x" * 20_001)],
)
def test_what_cannot_be_saved(tmp_path: Path, name: str, prompt: str) -> None:
    with pytest.raises(RequestError):
        styles.save(tmp_path / "styles.csv", name, Style(prompt, ""))
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_no_table_is_not_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "styles.csv"
    file.write_text("a,b\n1,2\n")
    with pytest.raises(RequestError, match="lacks the columns"):
        styles.save(file, "One", Style("x", ""))
    assert file.read_text() == "a,b\n1,2\n"
