"""What a worker needs of the machine: devices, engines, and finished images as files."""

from collections.abc import Callable, Generator
from typing import Protocol

from darkroom.contracts import (
    Event,
    ImageDone,
    Machine,
    ModelSpec,
    Plan,
    Prediction,
    Request,
    Resolved,
)


class Maker(Protocol):
    """An engine: one model, loaded with its first image."""

    spec: ModelSpec

    def plan(self, request: Request, *, freed: int = 0) -> tuple[Resolved, Plan]:
        """What would be made, if so many bytes more were free."""

    def run(self, request: Request, *, previews: bool = False) -> Generator[Event]:
        """Make the images."""


class Backend(Protocol):
    """The machine under a worker."""

    def devices(self) -> tuple[str, ...]:
        """All devices, the preferred first."""

    def measure(self, device: str, /) -> Machine:
        """One of them, as it is now."""

    def open(self, model: str, prediction: Prediction | None) -> Maker:
        """The engine of a model."""

    def encode(self, done: ImageDone) -> tuple[bytes, str]:
        """The file of a finished image, and its suffix."""

    def freed(self) -> None:
        """An engine was given up: hand its memory back to the system."""

    def broken(self, error: BaseException, /) -> bool:
        """Whether after this error the process can compute no more."""


Start = Callable[[], Backend]
"""Makes the backend; what takes long to import is imported then."""


def torch_backend() -> Backend:
    """That of Darkroom's own engine."""
    from darkroom.worker.torch_backend import TorchBackend

    return TorchBackend()
