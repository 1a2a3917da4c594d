"""A real JupyterLab, a real Notebook 7 and a real Chromium for the tests in this folder."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, ViewportSize

from tests.browser.lab import Lab, LabPage, NoChromium, chromium, jupyter

SIZE: Final[ViewportSize] = {"width": 1400, "height": 1100}
FAILED: Final = pytest.StashKey[bool]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A page under load may be late once: its test is done again, which pytest tells of, before it counts as failed."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed or report.outcome == "rerun":
        item.stash[FAILED] = True
    return report


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    try:
        with chromium() as browser:
            yield browser
    except NoChromium as problem:
        pytest.fail(str(problem))


@pytest.fixture(scope="package")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with jupyter(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture(scope="package")
def notebook7(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Notebook 7, started by the first test that wants it."""
    with jupyter(tmp_path_factory.mktemp("notebook7"), "notebook") as server:
        yield server


@pytest.fixture(scope="package")
def both(request: pytest.FixtureRequest) -> Lab:
    """Either of the two; tests that take it are run in each."""
    server: Lab = request.getfixturevalue("lab" if request.param == "lab" else "notebook7")
    return server


@pytest.fixture(scope="package")
def lend(browser: Browser) -> Iterator[Callable[..., AbstractContextManager[LabPage]]]:
    """Lend pages of a server to one test after the other, each with no notebook open."""
    kept: dict[str, LabPage] = {}

    @contextmanager
    def lend(request: pytest.FixtureRequest, lab: Lab, *, keep_application: bool = True) -> Iterator[LabPage]:
        page = kept.pop(lab.url, None)
        if page is None:
            page = LabPage(browser.new_context(viewport=SIZE).new_page(), lab)
        else:
            page.page.set_viewport_size(SIZE)
            page.clean(keep_application=keep_application)
        request.node.stash[FAILED] = False
        yield page
        # What went wrong in one test is not left to the next one.
        if not request.node.stash[FAILED] and not page.errors:
            kept[lab.url] = page
        else:
            page.page.context.close()

    yield lend
    for page in kept.values():
        page.page.context.close()


@pytest.fixture
def lab_page(request, lend, lab: Lab) -> Iterator[LabPage]:
    with lend(request, lab) as page:
        yield page


@pytest.fixture
def page_of_both(request, lend, both: Lab) -> Iterator[LabPage]:
    """A page of each of the two applications in turn."""
    with lend(request, both) as page:
        yield page
