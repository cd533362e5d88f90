"""The judge knows true drawings, and is not fooled by the right colours in the right place."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from darkroom.errors import DarkroomError
from darkroom.evaluation import glyphs as drawing
from darkroom.evaluation.glyphs import Glyphs
from darkroom.evaluation.judge import Judge
from darkroom.evaluation.scenes import Drawer
from darkroom.evaluation.scoring import ask
from darkroom.evaluation.suites import SUITES, trials


@pytest.fixture(scope="module")
def drawer(glyphs: Glyphs) -> Drawer:
    return Drawer(glyphs)


@pytest.mark.parametrize("suite", SUITES)
def test_true_drawings_are_judged_right(judge: Judge, drawer: Drawer, suite: str) -> None:
    for trial in trials(suite, judge.glyphs.names, 4):
        answer = ask(judge, trial, drawer.draw(trial, 128))
        assert answer.whole, (trial.prompt, answer.saw)


def test_true_drawings_of_64_pixels_are_judged_right(judge: Judge, drawer: Drawer) -> None:
    for trial in trials("single", judge.glyphs.names, 10):
        answer = ask(judge, trial, drawer.draw(trial, 64))
        assert answer.whole, (trial.prompt, answer.saw)


def spoilt(picture: NDArray[np.uint8], how: str) -> NDArray[np.uint8]:
    """The right colours in the right place, and yet no such thing."""
    side = picture.shape[0]
    if how == "smeared":
        small = Image.fromarray(picture).resize((5, 5), Image.Resampling.BOX)
        return np.asarray(small.resize((side, side), Image.Resampling.BICUBIC))
    if how == "upside down":
        return picture[::-1].copy()
    tiles = picture.reshape(4, side // 4, 4, side // 4, 3).transpose(0, 2, 1, 3, 4)
    order = np.random.default_rng(1).permutation(16)
    shuffled = tiles.reshape(16, side // 4, side // 4, 3)[order].reshape(tiles.shape)
    return shuffled.transpose(0, 2, 1, 3, 4).reshape(picture.shape)


@pytest.mark.parametrize("how", ["smeared", "upside down", "shuffled"])
def test_what_is_spoilt_is_not_named(judge: Judge, drawer: Drawer, how: str) -> None:
    asked = trials("single", ["hamster", "car", "penguin", "house", "owl", "guitar"], 6)
    answers = [ask(judge, trial, spoilt(drawer.draw(trial, 128), how)) for trial in asked]
    assert not any(answer.right["object"] for answer in answers), [a.saw for a in answers]


def test_noise_and_plain_colours_show_nothing(judge: Judge) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    assert all(thing.name is None for thing in judge.judge(noise).things)
    plain = np.full((128, 128, 3), (45, 110, 220), np.uint8)
    assert judge.judge(plain).things == ()
    assert judge.judge(plain).background == "blue"


def test_without_the_font_the_way_to_it_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pytest.TempPathFactory
) -> None:
    monkeypatch.setattr(drawing, "_FONT_FOLDERS", (tmp_path,))
    with pytest.raises(DarkroomError) as refusal:
        Judge.open()
    assert "--glyphs" in refusal.value.hint
