"""One server with Mini, one browser, and a fresh window for each test."""

import re
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright, StorageState, expect, sync_playwright

from tests import programs
from tests.browser import harness

_HERE = Path(__file__).parent
# In a container there is neither a sandbox for root nor much shared memory.
_ARGUMENTS = ["--no-sandbox", "--disable-dev-shm-usage", "--force-color-profile=srgb"]
_outcome = pytest.StashKey[bool]()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this folder need a browser; they go last, for its loop stays in the thread."""
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker(pytest.mark.browser)
    items.sort(key=lambda item: item.path.is_relative_to(_HERE))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if call.when == "call":
        item.stash[_outcome] = report.passed
    return report


@pytest.fixture(scope="module", autouse=True)
def _no_network() -> None:
    """The server and the browser talk over loopback; this process opens no connection either."""


@pytest.fixture(scope="session")
def _playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def _browser(_playwright: Playwright) -> Iterator[Browser]:
    path = programs.path("browser")
    if path is None:
        pytest.fail("the browser tests need chromium: apt-get install chromium")
    expect.set_options(timeout=harness.PATIENCE)
    browser = _playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def darkroom(tmp_path_factory: pytest.TempPathFactory) -> Iterator[harness.Darkroom]:
    """A running server with an empty gallery."""
    folder = tmp_path_factory.mktemp("serve")
    server = harness.Darkroom(folder / "data", folder / "log.txt")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def _cookie(darkroom: harness.Darkroom, _browser: Browser) -> StorageState:
    """What a browser holds that once went through the entrance."""
    entrance = darkroom.start()
    context = _browser.new_context()
    page = context.new_page()
    page.goto(entrance)
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def windows(
    _browser: Browser,
    _cookie: StorageState,
    darkroom: harness.Darkroom,
    request: pytest.FixtureRequest,
) -> Iterator[harness.Windows]:
    """Opens windows of any kind; at the end none of them may have seen an error."""
    windows = harness.Windows(_browser, darkroom.url, _cookie)
    yield windows
    passed = request.node.stash.get(_outcome, default=False)
    name = re.sub(r"\W+", "-", request.node.name).strip("-")
    unexpected = windows.close(shot="" if passed else f"failed-{name}")
    if not passed:
        print(f"log of the server:\n{darkroom.log()[-4000:]}")
    assert not unexpected, "\n".join(unexpected)


@pytest.fixture
def page(windows: harness.Windows) -> Page:
    """Create, as on a desk: 1440 × 900."""
    return windows.open()


@pytest.fixture
def phone(windows: harness.Windows) -> Page:
    """Create, as on a phone: 390 × 844, with fingers."""
    return windows.open(phone=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if harness.ARTEFACTS.exists():
        terminalreporter.write_line(f"Screenshots: {harness.ARTEFACTS}")
