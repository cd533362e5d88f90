"""The judge as the tests use it: its pictures from a file, so that no font is needed."""

from pathlib import Path

import pytest

from darkroom.evaluation.glyphs import Glyphs
from darkroom.evaluation.judge import Judge

GLYPHS = Path(__file__).parents[1] / "data" / "judge.npz"


@pytest.fixture(scope="session")
def glyphs() -> Glyphs:
    return Glyphs.from_file(GLYPHS)


@pytest.fixture(scope="session")
def judge() -> Judge:
    return Judge.open(GLYPHS)
