"""An engine with a random model, and a small wish for it."""

import dataclasses
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from darkroom.contracts import Request
from darkroom.tasks.engine import Engine

if TYPE_CHECKING:
    from tests.tiny import Kind, TinyCheckpoint

Wish = Callable[..., Request]


@pytest.fixture(scope="module")
def engine(tiny_checkpoint: "TinyCheckpoint") -> Engine:
    return Engine.open(str(tiny_checkpoint.safetensors))


@pytest.fixture(scope="module")
def wish(tiny_checkpoint: "TinyCheckpoint") -> Wish:
    """A small txt2img in fp32, with whatever is said changed."""
    small = Request(
        model=str(tiny_checkpoint.safetensors),
        prompt="a cat",
        steps=3,
        sampler="euler_ancestral",
        width=32,
        height=32,
        seed=7,
        device="cpu",
        precision="fp32",
    )
    return lambda **said: dataclasses.replace(small, **said)


@pytest.fixture(scope="session")
def opened(tmp_path_factory: pytest.TempPathFactory) -> "Callable[[Kind], Engine]":
    """An engine with a random model of one kind."""
    from tests import tiny

    @functools.cache
    def opened(kind: "Kind") -> Engine:
        checkpoint = tiny.write(tmp_path_factory.mktemp("models"), kind)
        return Engine.open(str(checkpoint.safetensors))

    return opened
