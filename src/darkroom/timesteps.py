"""Timestep arithmetic that planning and diffusion share: plain integers, no torch."""

from darkroom.errors import RequestError

TIMESTEPS = 1000  # of the forward process that every Stable Diffusion model was trained on
MAX_LDM_STEPS = 500


def ldm_timesteps(steps: int) -> tuple[int, ...]:
    """The grid of the first Stable Diffusion release, ascending: `1, 1 + s, 1 + 2 s, …`.

    The stride is `s = 1000 // steps`, so the grid may be longer than `steps` (15 gives 16).
    Values above 999 are dropped.  RequestError outside 1…500: from 501 on the stride is 1, and
    999 steps would run whatever was asked for.
    """
    if not 1 <= steps <= MAX_LDM_STEPS:
        raise RequestError(
            f"The ldm schedule takes 1 to {MAX_LDM_STEPS} steps.",
            "Choose a number in this range, or another schedule.",
        )
    return tuple(range(1, TIMESTEPS, TIMESTEPS // steps))


def encode_step(strength: float, steps: int) -> int:
    """How far into a run of `steps` an image of this strength is noised: `t_enc`.

    `int(strength * steps)`, truncated as the reference does, and held below `steps`: the
    reference's strength 1 indexed one past its table.  0 leaves the image as it is.
    """
    return min(int(strength * steps), steps - 1)


def steps_from_image(strength: float, steps: int, *, starts_below: bool) -> int:
    """How many of a run's last steps img2img takes; 0 leaves the image as it is.

    `starts_below`: the level that the image is noised to is not evaluated itself.
    """
    if strength == 0:
        return 0
    return encode_step(strength, steps) + (not starts_below)
