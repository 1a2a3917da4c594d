"""A real JupyterLab, a real Notebook 7 and a real Chromium for the tests in this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.lab import Lab, LabPage, NoChromium, chromium, jupyter


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


@pytest.fixture
def lab_page(browser: Browser, lab: Lab) -> Iterator[LabPage]:
    context = browser.new_context(viewport={"width": 1400, "height": 1100})
    yield LabPage(context.new_page(), lab)
    context.close()


@pytest.fixture
def page_of_both(browser: Browser, both: Lab) -> Iterator[LabPage]:
    """A page of each of the two applications in turn."""
    context = browser.new_context(viewport={"width": 1400, "height": 1100})
    yield LabPage(context.new_page(), both)
    context.close()
