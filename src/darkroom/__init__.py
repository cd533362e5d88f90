"""Darkroom makes images with Stable Diffusion on your own computer.

>>> import darkroom
>>> model = darkroom.load("mini")
>>> model.txt2img("a hamster on a blue background", seed=3).save("hamster.png")
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from darkroom.api import Generation, Image, Model, load
    from darkroom.errors import DarkroomError

__version__ = "0.1.0"
__all__ = ["DarkroomError", "Generation", "Image", "Model", "__version__", "load"]


def __getattr__(name: str) -> object:
    """Look `name` up on first use: `import darkroom` alone loads neither torch nor numpy."""
    if name == "DarkroomError":
        from darkroom.errors import DarkroomError

        return DarkroomError
    if name in __all__:
        from darkroom import api

        return getattr(api, name)
    raise AttributeError(f"module 'darkroom' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
