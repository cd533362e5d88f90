"""Names out of patterns: whatever a prompt says, a file that every system takes."""

import os
import unicodedata
from pathlib import PureWindowsPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom import settings
from darkroom.errors import RequestError
from darkroom.images import naming

DEVICES = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"}
DEVICES |= {f"{port}{digit}" for port in ("COM", "LPT") for digit in "0123456789¹²³"}
VALUES: dict[str, Any] = {
    "date": "2026-11-20",
    "time": "173005",
    "seed": 7,
    "prompt": "a hamster on a blue background",
    "model": "mini",
    "sampler": "dpmpp_2m",
    "steps": 20,
    "guidance": "7.5",
    "width": 512,
    "height": 768,
    "task": "txt2img",
    "index": 3,
}


def name(pattern: str, counter: int = 1, **values: object) -> str:
    return naming.parse(pattern).name(VALUES | values, counter, ".png")


def test_the_values_are_all_there_are() -> None:
    assert VALUES.keys() | {"counter"} == naming.FIELDS.keys()


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("{date}-{seed}-{counter:3}", "2026-11-20-7-001.png"),
        ("{date}-{seed}-{prompt:9}", "2026-11-20-7-a-hamster.png"),
        ("{prompt:10}", "a-hamster.png"),
        ("{width}x{height} {task}", "512x768-txt2img.png"),
        ("{index:4}_{time}", "0003_173005.png"),
        ("{sampler} {steps} {guidance}", "dpmpp_2m-20-7.5.png"),
        ("{{{seed}}}", "{7}.png"),
        ("{model}: the best?", "mini-the-best.png"),
        ("hamster", "hamster.png"),
        (".hidden.", "hidden.png"),
        ("--seed", "seed.png"),
        ("...", "image.png"),
        ("CON", "_CON.png"),
        ("aux.{seed}", "_aux.7.png"),
        ("com¹", "_com¹.png"),
        ("console", "console.png"),
    ],
)
def test_a_pattern_becomes_a_name(pattern: str, expected: str) -> None:
    assert name(pattern) == expected


def test_the_usual_pattern_is_one() -> None:
    assert name(str(settings.TABLE["name"].default), 12) == "2026-11-20-7-012.png"


def test_a_pattern_without_a_counter_counts_from_the_second_on() -> None:
    assert [name("{seed}", counter) for counter in (1, 2, 3)] == ["7.png", "7-2.png", "7-3.png"]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a/b\\c", "a-b-c"),
        ("../../etc/passwd", "etc-passwd"),
        ("a\tb\nc\x1b[31m\0d", "a-b-c[31md"),
        ("“naïve” 水車 🐹", "“naïve”-水車-🐹"),
        ("e\u0301tude", "étude"),
        ("rtl \u202egnp.exe", "rtl-gnp.exe"),
        ("", "image"),
        ("\ud800", "image"),
        ("nul", "_nul"),
    ],
)
def test_what_no_name_may_hold_is_left_out(prompt: str, expected: str) -> None:
    assert name("{prompt}", prompt=prompt) == f"{expected}.png"


def test_a_character_put_together_from_several_is_not_cut_apart() -> None:
    family = "👩\u200d👩\u200d👧"
    assert name("{prompt:7}", prompt=family * 2) == f"{family}.png"
    assert name("{prompt:3}", prompt="abe\u0323\u0301") == "ab.png"
    long = name("{prompt}", prompt=family * 60).removesuffix(".png")
    assert set(long.split(family)) == {""}, "whole families only"


def assert_fits(found: str) -> None:
    """The rules of the three systems, and of every folder's end."""
    assert found == os.path.basename(found)  # noqa: PTH119 (a path would swallow the dots)
    assert PureWindowsPath(found).name == found
    assert found.partition(".")[0].upper() not in DEVICES
    assert not set(found) & set('<>:"/\\|?*\0')
    assert not any(unicodedata.category(letter) in {"Cc", "Cs"} for letter in found)
    assert not found.startswith((".", "-", " "))
    assert not found.removesuffix(".png").endswith((".", " "))
    assert len(found.encode()) <= 255
    assert len(found.encode("utf-16-le")) <= 2 * 255
    assert found.endswith(".png")


everything = st.text() | st.sampled_from(["con", "lpt1.x", "..", "~", "$HOME", "%TEMP%", "a" * 900])


@given(
    everything,
    everything,
    st.lists(st.sampled_from([*naming.FIELDS, "prompt:40", "seed:12"]), min_size=1, max_size=6),
    st.integers(1, 10**6),
)
def test_every_name_fits_everywhere(
    prompt: str, model: str, pieces: list[str], counter: int
) -> None:
    try:
        pattern = naming.parse("-".join(f"{{{piece}}}" for piece in pieces))
    except RequestError as refused:
        return pytest.fail(refused.message) if len(pieces) < 4 else None
    values = VALUES | {"prompt": prompt, "model": model}
    found = pattern.name(values, counter, ".png")
    assert_fits(found)
    assert pattern.name(values, counter + 1, ".png") != found


@given(st.text(max_size=60))
def test_any_pattern_is_a_name_or_refused(text: str) -> None:
    try:
        pattern = naming.parse(text)
    except RequestError as error:
        said = error.message
    else:
        assert_fits(pattern.name(VALUES, 1, ".png"))
        said = ""
    assert len(said) < 300


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("../{seed}", "another folder"),
        ("a\\b", "another folder"),
        ("/{seed}", "another folder"),
        ("{sed}", "the nearest is seed"),
        ("{}", "There is no field ''"),
        ("{seed.__class__}", "There is no field"),
        ("{seed", "no partner"),
        ("seed}", "no partner"),
        ("{prompt:0}", "cannot be '0'"),
        ("{prompt:x}", "cannot be 'x'"),
        ("{seed:999}", "longer than a name can be"),
        ("a" * 500, "longer than a name can be"),
        ("", "empty"),
        ("  ", "empty"),
    ],
)
def test_a_pattern_that_is_none(pattern: str, said: str) -> None:
    with pytest.raises(RequestError) as refused:
        naming.parse(pattern)
    assert said in refused.value.message
    assert refused.value.hint
