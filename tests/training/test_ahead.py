"""Workers change nothing but time."""

import math

from darkroom.training.ahead import Ahead


def test_workers_give_what_the_function_gives() -> None:
    with Ahead(math.sqrt, 1) as far, Ahead(math.sqrt, 0) as near:
        for step in (3, 4, 5, 9):
            assert far(step) == near(step) == math.sqrt(step)
