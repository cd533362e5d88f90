"""Batches made in other processes, some steps before they are needed."""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Ahead(Generic[T]):
    """`function(step)` for rising steps, computed by `workers` processes, or by this one for 0.

    What the function returns depends on the step alone, so that workers change nothing but time.
    It is pickled once for each worker.
    """

    def __init__(self, function: Callable[[int], T], workers: int) -> None:
        self._function = function
        self._reach = 2 * workers
        self._pending: dict[int, Future[T]] = {}
        self._pool = (
            ProcessPoolExecutor(
                workers,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_begin,
                initargs=(function,),
            )
            if workers
            else None
        )

    def __enter__(self) -> "Ahead[T]":
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def __call__(self, step: int) -> T:
        if self._pool is None:
            return self._function(step)
        for later in range(step, step + self._reach):
            if later not in self._pending:
                self._pending[later] = self._pool.submit(_call, later)
        return self._pending.pop(step).result()


_function: Callable[[int], object]


def _begin(function: Callable[[int], object]) -> None:
    global _function  # noqa: PLW0603 (a worker's one possession)
    _function = function


def _call(step: int) -> Any:
    return _function(step)
