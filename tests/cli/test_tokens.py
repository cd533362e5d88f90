"""`darkroom tokens`: what it shows, for people and for programs."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import assert_refused, in_a_shell, in_process
from tests.tiny import TinyCheckpoint


@pytest.fixture(autouse=True)
def no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARKROOM_CONFIG", str(tmp_path / "none.toml"))


def said(*arguments: object) -> str:
    done = in_process("tokens", *arguments)
    assert done.exit_code == 0, done.stderr
    return done.stdout


def told(*arguments: object) -> Any:
    return json.loads(said(*arguments, "--json"))


def test_words_weights_and_how_full_it_is() -> None:
    assert said("a (red:1.3) hamster on a [blue] background") == (
        "mini reads this as a1111.\n"
        "  7 of 30 tokens\n"
        "    a (red:1.3) hamster on a (blue:0.9091) background\n"
    )


def test_parts_stages_and_chunks() -> None:
    lines = said("[cat|dog] BREAK red AND [a:b:0.5] :-0.5").splitlines()
    assert lines[2:4] == ["Part 1 of 2, weight 1", "Steps 1-2, 4, 6, 8, 10, 12, 14, 16, 18, 20"]
    assert "  chunk 2 of 2: 1 of 30 tokens" in lines
    assert "Part 2 of 2, weight -0.5" in lines
    assert {"Steps 1-11", "Steps 12-20"} <= set(lines)


def test_the_parts_of_a_word_and_of_a_blend() -> None:
    lines = said("hamsters:1 cat:3", "--prompt-syntax", "basujindal").splitlines()
    assert lines[1:4] == ["25% of the blend", "  4 of 30 tokens", "    ham·st·er·s"]
    assert "75% of the blend" in lines


def test_what_is_cut_is_named() -> None:
    out = said("cat " * 31 + "dog", "--prompt-syntax", "plain")
    assert "30 of 30 tokens" in out
    assert "does not see: cat dog" in out


def test_negative_prompts_have_no_and() -> None:
    assert "cat an·d dog" in said("cat AND dog", "--negative")


def test_for_programs(tiny_checkpoint: TinyCheckpoint) -> None:
    found = told("a (red:1.3) cat", "--model", tiny_checkpoint.safetensors, "--steps", 5)
    assert (found["syntax"], found["room"], found["remarks"]) == ("a1111", 75, [])
    (part,) = found["parts"]
    (saying,) = part["sayings"]
    assert saying["steps"] == [1, 2, 3, 4, 5]
    (chunk,) = saying["chunks"]
    assert chunk == [
        {"id": 320, "text": "a", "ends_word": True, "weight": 1.0},
        {"id": 736, "text": "red", "ends_word": True, "weight": 1.3},
        {"id": 2368, "text": "cat", "ends_word": True, "weight": 1.0},
    ]


@pytest.mark.parametrize("prompt", ["(a:1e9)", "(a: NaN )", "(a:-inf)", "(a:1000)", "(" * 50 + "a"])
def test_weights_that_cannot_be_meant(prompt: str) -> None:
    assert "weight" in assert_refused(in_process("tokens", prompt), 2)


@pytest.mark.parametrize(
    ("prompt", "chooses"),
    [
        ("a {red|blue} cat", True),
        ("a __animal__", True),
        ("a {2$$red} cat", True),
        ("a {red} cat", False),
        (r"a \{red|blue} \__animal__", False),
        ("a [red|blue] cat", False),
    ],
)
def test_choices_are_told_for_they_are_made_before(prompt: str, chooses: bool) -> None:
    assert ("Choices such as" in said(prompt)) is chooses
    assert "Choices such as" not in said(prompt, "--prompt-syntax", "plain")


def test_a_syntax_that_does_not_exist() -> None:
    assert "a111" in assert_refused(in_process("tokens", "a", "--prompt-syntax", "a111"), 2)


def test_control_characters_have_no_power() -> None:
    assert "\x1b" not in said("a \x1b]0;title\x07 cat (\x1b[2J:1.3)", "--model", "mini")


def test_it_is_instant() -> None:
    """No torch, which import-linter cannot see inside of functions."""
    done = in_a_shell("tokens", "a cat", before="sys.modules['torch'] = None")
    assert done.returncode == 0, done.stderr
    assert "2 of 30 tokens" in done.stdout
