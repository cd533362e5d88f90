"""What every test may rely on: no network, no home folder, the same examples each time."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

from tests import programs

if TYPE_CHECKING:
    from tests.tiny import TinyCheckpoint

os.environ["HF_HUB_OFFLINE"] = "1"

hypothesis.settings.register_profile(
    "darkroom",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("darkroom")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what needs a program that a person may do without."""
    absent = programs.left_out()
    out = [item for item in items if any(map(item.get_closest_marker, absent))]
    if out:
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if item not in out]


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Where all that was asked for is left out, nothing went wrong."""
    if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and programs.left_out():
        session.exitstatus = pytest.ExitCode.OK


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for marker in programs.left_out():
        line = f"Tests marked {marker} are left out: no {programs.name(marker)} here."
        terminalreporter.write_line(line)


@pytest.fixture(scope="session", autouse=True)
def _own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Settings of the person who runs the tests neither reach them nor are touched."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("DARKROOM_")]:
            patch.delenv(name)
        patch.setenv("DARKROOM_CONFIG", str(home / "config.toml"))
        patch.setenv("DARKROOM_MODELS_FOLDER", str(home / "models"))
        patch.setenv("DARKROOM_CACHE_FOLDER", str(home / "cache"))
        yield


@pytest.fixture(scope="module", autouse=True)
def _no_network() -> Iterator[None]:
    """Of a module, so that one whose server is another process may have another of this name."""

    def refuse(*args: object, **_: object) -> None:
        raise AssertionError(f"a test opened a connection: {args[1:]}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket.socket, "connect_ex", refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        yield


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> "TinyCheckpoint":
    """A random v1 of a few megabytes, as .safetensors and as .ckpt."""
    from tests import tiny

    return tiny.write(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def averaged_checkpoint(
    tiny_checkpoint: "TinyCheckpoint", tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The tiny checkpoint with moving averages of its U-Net, which differ from its weights."""
    from tests import tiny

    file = tmp_path_factory.mktemp("models") / "averaged.safetensors"
    tiny.write_averaged(tiny_checkpoint, file)
    return file
