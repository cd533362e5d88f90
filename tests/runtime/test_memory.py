import pytest
import torch
from torch import Tensor

from darkroom.errors import DarkroomError
from darkroom.runtime.memory import Ladder, or_explain, ran_out

FULL = RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 40 bytes")


class Room:
    """Doubles its input; holds `rows` rows at most."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.seen: list[int] = []

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        self.seen.append(len(x))
        if len(x) > self.rows:
            raise FULL
        return x + y


@pytest.mark.parametrize(
    "error",
    [
        FULL,
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
        RuntimeError("MPS backend out of memory (MPS allocated: 17 GB)"),
        RuntimeError("XPU out of memory."),
    ],
)
def test_knows_full_memory(error: Exception) -> None:
    assert ran_out(error)


def test_knows_other_errors() -> None:
    assert not ran_out(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not ran_out(ValueError("out of memory"))


def test_really_full_memory_is_known() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert ran_out(caught.value)


def test_goes_on_in_halves_and_remembers() -> None:
    notes: list[str] = []
    ladder, room = Ladder("testing", notes.append), Room(2)
    x = torch.arange(7.0)[:, None]
    assert torch.equal(ladder(room, x, x), 2 * x)
    assert room.seen == [7, 3, 1, 1, 1, 1, 1, 1, 1]
    room.seen.clear()
    assert torch.equal(ladder(room, x, x), 2 * x)
    assert room.seen == [1] * 7
    assert notes == ["Memory ran out while testing; going on in smaller parts."] * 2


def test_whole_batches_where_there_is_room() -> None:
    ladder, room = Ladder("testing", pytest.fail), Room(4)
    ladder(room, torch.ones(4, 1), torch.ones(4, 1))
    assert room.seen == [4]


def test_a_limit_from_the_start() -> None:
    ladder, room = Ladder("testing", pytest.fail, limit=2), Room(7)
    x = torch.arange(5.0)[:, None]
    assert torch.equal(ladder(room, x, x), 2 * x)
    assert room.seen == [2, 2, 1]


def test_nothing_left_is_explained() -> None:
    with pytest.raises(DarkroomError, match="Memory ran out while testing") as caught:
        Ladder("testing", lambda _: None)(Room(0), torch.ones(2, 1), torch.ones(2, 1))
    assert caught.value.hint.startswith("Ask for a smaller image")


def test_other_errors_pass() -> None:
    def broken(_: Tensor) -> Tensor:
        raise RuntimeError("a fault")

    with pytest.raises(RuntimeError, match="a fault"):
        Ladder("testing", pytest.fail)(broken, torch.ones(2, 1))
    with pytest.raises(RuntimeError, match="a fault"), or_explain("testing"):
        raise RuntimeError("a fault")
    with pytest.raises(DarkroomError, match="while testing"), or_explain("testing"):
        raise MemoryError
