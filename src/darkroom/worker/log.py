"""What a worker writes down of faults: where they happened, and not what was being made."""

import faulthandler
import os
import sys
import time
import traceback
from pathlib import Path
from types import TracebackType
from typing import TextIO

_LARGEST = 2**20


class Log:
    """A file in the data folder.  It takes standard error as well, where libraries complain."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    @classmethod
    def take_over(cls, path: Path) -> "Log":
        """Begin or go on with the file at `path`; standard error goes there from now on."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.is_file() and path.stat().st_size > _LARGEST:
            path.replace(path.with_suffix(".old.log"))
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(descriptor, 2)
        os.close(descriptor)
        faulthandler.enable(sys.stderr)
        log = cls(sys.stderr)
        sys.excepthook = log._uncaught
        log.say(f"worker {os.getpid()} begins")
        return log

    def say(self, what: str) -> None:
        """One line."""
        print(time.strftime("%Y-%m-%d %H:%M:%S"), what, file=self._file, flush=True)

    def fault(self, error: BaseException) -> None:
        """Kind and places of an error.  Its text may quote a prompt, and is left out."""
        seen: list[str] = []
        cause: BaseException | None = error
        while cause is not None and len(seen) < 8:
            places = "".join(_places(cause))
            seen.append(f"{type(cause).__name__}\n{places}")
            cause = cause.__cause__ or cause.__context__
        self.say("fault: " + "from ".join(seen))

    def _uncaught(
        self, _: type[BaseException], error: BaseException, __: TracebackType | None
    ) -> None:
        self.fault(error)


def _places(error: BaseException) -> list[str]:
    """The lines of code, without values."""
    frames = traceback.extract_tb(error.__traceback__)
    return [f"  {frame.filename}:{frame.lineno} {frame.name}\n" for frame in frames]
