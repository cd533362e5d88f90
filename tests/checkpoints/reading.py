"""Reading a file that may be refused."""

from pathlib import Path

from darkroom.checkpoints.header import Header, read_header
from darkroom.errors import ModelError


def read_or_refuse(path: Path) -> Header | None:
    """What the file says; None if it was refused, in words that can be shown."""
    try:
        return read_header(path)
    except ModelError as error:
        refusal = error
    assert refusal.message.isprintable() and refusal.hint
    return None
