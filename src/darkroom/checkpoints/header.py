"""Reading a checkpoint's header: which tensors it holds, without its weights.  No torch."""

from pathlib import Path

from darkroom.checkpoints import folder
from darkroom.checkpoints.container import read_file
from darkroom.checkpoints.tensors import Header, TensorInfo
from darkroom.errors import ModelError

__all__ = ["Header", "TensorInfo", "read_header"]


def read_header(path: Path) -> Header:
    """Names, types, shapes and places of the tensors in a checkpoint: a file, or a folder.

    Reads a few megabytes however large the model is, executes nothing in it, and raises ModelError
    with the reason and what to do for everything that is not a whole, plain checkpoint.
    """
    try:
        return folder.read_folder(path) if path.is_dir() else read_file(path)
    except OSError as error:
        raise ModelError(
            f"{path.name} cannot be read: {error.strerror or error}.",
            "Check its permissions and its disk.",
        ) from error
