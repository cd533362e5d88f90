"""The machine under a worker, through torch."""

import gc

import torch

from darkroom import settings
from darkroom.contracts import ImageDone, Machine, Prediction
from darkroom.images.io import Format
from darkroom.runtime import allocator, device
from darkroom.tasks import finish
from darkroom.tasks.engine import Engine

_SUFFIXES: dict[object, tuple[Format, str]] = {
    "png": ("png", ".png"),
    "jpeg": ("jpeg", ".jpg"),
    "webp": ("webp", ".webp"),
}


class TorchBackend:
    """Every call but `encode` is quick, once the device was measured."""

    def __init__(self) -> None:
        allocator.use_huge_pages()  # before anything is measured

    def devices(self) -> tuple[str, ...]:
        """All devices that torch can use, the preferred first."""
        return device.available()

    def measure(self, device_name: str) -> Machine:
        """One of them, as it is now.  RequestError where it is not there."""
        return device.measure(device_name)

    def open(self, model: str, prediction: Prediction | None) -> Engine:
        """The engine of a model, which reads its header."""
        return Engine.open(model, prediction=prediction)

    def encode(self, done: ImageDone) -> tuple[bytes, str]:
        """The file of a finished image in the format of the settings, else PNG; and its suffix."""
        kind, suffix = _SUFFIXES.get(settings.read("format"), _SUFFIXES["png"])
        return finish.encode(done, kind), suffix

    def freed(self) -> None:
        """Hand the memory of what was given up back to the system."""
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if torch.xpu.is_available():
            torch.xpu.empty_cache()
        if torch.backends.mps.is_available():
            torch.mps.empty_cache()

    def broken(self, error: BaseException) -> bool:
        """A driver's fault stays with the process: every later call fails as well."""
        if not isinstance(error, RuntimeError) or isinstance(error, torch.OutOfMemoryError):
            return False
        kind = getattr(torch, "AcceleratorError", None)
        return (kind is not None and isinstance(error, kind)) or "CUDA error" in str(error)
