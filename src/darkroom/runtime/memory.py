"""What to do when memory runs out: the same work in smaller parts."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from darkroom.errors import DarkroomError

# torch has a class for it on some devices only; the others say it in words.
_SIGNS = ("DefaultCPUAllocator", "out of memory", "not enough memory", "can't allocate memory")


def ran_out(error: BaseException) -> bool:
    """Whether `error` says that the memory of any device ran out."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _SIGNS)


@contextmanager
def or_explain(work: str) -> Iterator[None]:
    """Turn full memory into a DarkroomError; `work` completes *memory ran out while …*."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not ran_out(error):
            raise
        raise _explanation(work) from error


class Ladder:
    """Calls on batches that go on in halves when memory runs out.

    The rows of a batch do not depend on each other, so the result stays the same.  A ladder keeps
    to the size that went well, so as not to run into the same wall at every step.
    """

    def __init__(self, work: str, note: Callable[[str], None], limit: int | None = None) -> None:
        """`work` completes the sentence *memory ran out while …*; `note` takes one line.

        `limit`: rows at once from the start, None for as many as come.
        """
        self.work = work
        self.note = note
        self.limit = limit

    def __call__(self, evaluate: Callable[..., Tensor], *batches: Tensor) -> Tensor:
        """`evaluate(*batches)`; every argument and the result are [B, …] with the same B.

        Raises:
            DarkroomError: memory does not hold even a single row.
        """
        rows = len(batches[0])
        while True:
            limit = rows if self.limit is None else min(rows, self.limit)
            try:
                parts = [torch.split(batch, limit) for batch in batches]
                return torch.cat([evaluate(*part) for part in zip(*parts, strict=True)])
            except (RuntimeError, MemoryError) as error:
                if not ran_out(error):
                    raise
            # Outside the handler: the error's frames, and the tensors in them, are gone by now.
            if limit == 1:
                raise _explanation(self.work)
            self.limit = limit // 2
            self.note(f"Memory ran out while {self.work}; going on in smaller parts.")


def _explanation(work: str) -> DarkroomError:
    return DarkroomError(
        f"Memory ran out while {work}.",
        "Ask for a smaller image, close other programs, or compute on the device cpu.",
    )
