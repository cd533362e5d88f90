"""Files as they are wished for: their names, and how much of every pixel they keep."""

import re
from pathlib import Path

import pytest

from darkroom.images import inspection, screening
from tests.cli.conftest import Run, assert_refused


def names(folder: str = "out") -> list[str]:
    return sorted(file.name for file in Path(folder).iterdir())


def test_names_follow_a_pattern(make: Run) -> None:
    pattern = "{seed}-{prompt:12}-{width}x{height}-{index:2}"
    done = make("a cat / dog: two", "--seed", 7, "--count", 2, "--out", "out", "--name", pattern)
    assert done.exit_code == 0, done.stderr
    assert names() == ["7-a-cat-dog-tw-64x64-01.png", "8-a-cat-dog-tw-64x64-02.png"]
    assert done.stdout.split() == [str(Path("out") / name) for name in names()]


def test_a_pattern_that_gives_one_name_overwrites_nothing(make: Run) -> None:
    for _ in range(2):
        make("a cat", "--count", 2, "--out", "out", "--name", "{prompt}", "--overwrite")
    assert names() == ["a-cat-2.png", "a-cat-3.png", "a-cat-4.png", "a-cat.png"]


def test_the_width_of_a_seed_is_its_least(make: Run) -> None:
    done = make("a cat", "--seed", 7, "--out", "out", "--name", "{seed:5}")
    assert done.stdout.strip() == str(Path("out", "00007.png"))


def test_a_grid_is_told_apart(make: Run) -> None:
    flags = ["--count", 2, "--grid", "--out", "out", "--seed", 7]
    make("a cat", *flags, "--name", "{seed}")
    assert names() == ["7.png", "8.png", "grid.png"]
    make("a cat", *flags, "--name", "{prompt}")
    assert set(names()) > {"a-cat.png", "a-cat-2.png", "grid-a-cat.png"}


def test_the_pattern_may_be_a_setting(make: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARKROOM_NAME", "{date}_{time}_{model}.webp")
    make("a cat", "--out", "out", "--format", "webp")
    (name,) = names()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d_\d{6}_tiny\.webp", name)
    assert make("a cat", "--out", "one.png").exit_code == 0, "one file has its own name"


@pytest.mark.parametrize(
    ("flags", "lossless"),
    [
        ([], True),
        (["--lossless"], True),
        (["--no-lossless"], False),
        (["--quality", "60"], False),
        (["--quality", "60", "--no-lossless"], False),
    ],
)
def test_webp_keeps_every_pixel_unless_it_is_said(
    make: Run, flags: list[str], lossless: bool
) -> None:
    done = make("a cat", "--out", "cat.webp", *flags)
    assert done.exit_code == 0, done.stderr
    data = Path("cat.webp").read_bytes()
    assert screening.keeps_pixels(data) is lossless
    found = inspection.inspect(data)
    assert found.recipe is not None and found.mark is not None


def test_quality_is_a_setting_too(make: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    for quality in ("30", "90"):
        monkeypatch.setenv("DARKROOM_QUALITY", quality)
        done = make("a cat", "--seed", 7, "--out", f"{quality}.jpg")
        assert done.exit_code == 0, done.stderr
        sizes.append(Path(f"{quality}.jpg").stat().st_size)
    assert sizes[0] < sizes[1]
    assert make("a cat", "--out", "cat.png").exit_code == 0, "PNG has none, and that is no fault"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--name", "../{seed}"], "leads into another folder"),
        (["--name", "/tmp/{seed}"], "leads into another folder"),
        (["--name", "a\\{seed}"], "leads into another folder"),
        (["--name", "{sed}"], "the nearest is seed"),
        (["--name", "{prompt"], "has no partner"),
        (["--name", ""], "is empty"),
        (["--name", "{seed}.webp"], "ends like webp, but the format is png"),
        (["--name", "{seed}", "--out", "cat.png"], "is the name of the image"),
        (["--quality", "50"], "PNG keeps every pixel"),
        (["--no-lossless"], "PNG keeps every pixel"),
        (["--format", "jpeg", "--lossless"], "JPEG cannot keep every pixel"),
        (["--format", "jpeg", "--quality", "0"], "Quality 0 is out of range"),
        (["--format", "webp", "--quality", "101"], "Quality 101 is out of range"),
        (["--format", "webp", "--quality", "high"], "valid integer"),
        (["--format", "webp", "--quality", "50", "--lossless"], "it has no quality"),
    ],
)
def test_a_wish_for_a_file_that_cannot_be(make: Run, flags: list[str], said: str) -> None:
    assert said in assert_refused(make("a cat", *flags), 2)
    assert list(Path().iterdir()) == []
