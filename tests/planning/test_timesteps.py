"""The reference's integer grid, worked out by hand and against numpy's definition."""

import numpy as np
import pytest

from darkroom.errors import RequestError
from darkroom.timesteps import encode_step, ldm_timesteps, steps_from_image


@pytest.mark.parametrize(
    ("steps", "grid"),
    [
        (1, (1,)),
        (2, (1, 501)),
        (3, (1, 334, 667)),
        (4, (1, 251, 501, 751)),
        (10, (1, 101, 201, 301, 401, 501, 601, 701, 801, 901)),
    ],
)
def test_short_grids_by_hand(steps: int, grid: tuple[int, ...]) -> None:
    assert ldm_timesteps(steps) == grid


@pytest.mark.parametrize(
    ("steps", "count"), [(15, 16), (20, 20), (50, 50), (37, 37), (334, 500), (499, 500), (500, 500)]
)
def test_the_grid_may_be_longer_than_asked(steps: int, count: int) -> None:
    assert len(ldm_timesteps(steps)) == count


def test_every_grid_is_the_references() -> None:
    for steps in range(1, 501):
        reference = 1 + np.arange(0, 1000, 1000 // steps)
        assert ldm_timesteps(steps) == tuple(reference[reference <= 999].tolist())


@pytest.mark.parametrize("steps", [-3, 0, 501, 1000, 10**9])
def test_impossible_counts_are_refused(steps: int) -> None:
    with pytest.raises(RequestError, match="1 to 500"):
        ldm_timesteps(steps)


@pytest.mark.parametrize(
    ("strength", "steps", "expected"),
    [
        (0.0, 50, 0),
        (0.01, 50, 0),
        (0.02, 50, 1),
        (0.75, 50, 37),
        (0.8, 50, 40),
        (0.29, 100, 28),  # 28.999…, truncated as the reference does
        (0.99, 50, 49),
        (1.0, 50, 49),
        (1.0, 1, 0),
    ],
)
def test_encode_step(strength: float, steps: int, expected: int) -> None:
    assert encode_step(strength, steps) == expected


@pytest.mark.parametrize(
    ("strength", "steps", "starts_below", "expected"),
    [
        (0.0, 50, True, 0),
        (0.0, 50, False, 0),
        (0.01, 50, True, 0),
        (0.01, 50, False, 1),
        (0.75, 50, True, 37),
        (0.75, 50, False, 38),
        (1.0, 50, True, 49),
        (1.0, 50, False, 50),
        (1.0, 1, True, 0),
        (1.0, 1, False, 1),
    ],
)
def test_steps_from_image(strength: float, steps: int, starts_below: bool, expected: int) -> None:
    assert steps_from_image(strength, steps, starts_below=starts_below) == expected
