"""A real JupyterLab and a real Chromium for the tests in this folder."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
import pytest
from playwright.sync_api import Browser, Page, Request, sync_playwright

_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-quic"]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    path = next((found for name in _CHROMIUM if (found := shutil.which(name))), None)
    if path is None:
        pytest.fail("These tests need Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_FLAGS)
        yield browser
        browser.close()


@dataclass
class Lab:
    """A running JupyterLab: its address and the folder that it serves."""

    url: str
    folder: Path
    requests: list[str] = field(default_factory=list)

    def write(self, name: str, cells: list[str]) -> str:
        """Write a notebook with code cells, unexecuted, and return its name."""
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(source) for source in cells],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        )
        nbformat.write(notebook, self.folder / name)
        return name

    def read(self, name: str) -> nbformat.NotebookNode:
        """Return a notebook as it was saved."""
        return nbformat.read(self.folder / name, as_version=4)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="package")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("lab")
    settings = tmp_path_factory.mktemp("settings")
    # The dialog that asks for news, and what looks for updates, would hide the page.
    overrides = settings / "overrides.json"
    overrides.write_text(
        json.dumps({"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}})
    )
    port = _free_port()
    environment = {
        **os.environ,
        "JUPYTER_CONFIG_DIR": str(tmp_path_factory.mktemp("config")),
        "JUPYTER_DATA_DIR": str(tmp_path_factory.mktemp("data")),
        "IPYTHONDIR": str(tmp_path_factory.mktemp("ipython")),
    }
    log = (folder.parent / "lab.log").open("w")
    server = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "jupyterlab",
            "--no-browser",
            "--allow-root",
            f"--ServerApp.port={port}",
            "--ServerApp.ip=127.0.0.1",
            "--IdentityProvider.token=",
            f"--ServerApp.root_dir={folder}",
            f"--LabApp.app_settings_dir={settings}",
        ],
        cwd=folder,
        env=environment,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until(lambda: _answers(f"{url}/api/status"), 60, "JupyterLab did not start")
        yield Lab(url, folder)
    finally:
        server.terminate()
        server.wait(timeout=20)
        log.close()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _wait_until(condition: Callable[[], bool], seconds: float, problem: str) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(problem)
        time.sleep(0.2)


class LabPage:
    """A notebook that is open in JupyterLab."""

    def __init__(self, page: Page, lab: Lab) -> None:
        self.page = page
        self.lab = lab
        self.foreign: list[str] = []
        self.errors: list[str] = []
        page.on("request", self._watch)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("dialog", self._dialog)

    def _watch(self, request: Request) -> None:
        host = urlsplit(request.url).hostname
        if request.url.startswith(("http", "ws")) and host not in ("127.0.0.1", "localhost"):
            self.foreign.append(request.url)

    def _dialog(self, dialog) -> None:
        self.errors.append(f"a script opened a dialog: {dialog.message}")
        dialog.dismiss()

    def open(self, name: str) -> None:
        self.page.goto(f"{self.lab.url}/lab/workspaces/auto-{time.time_ns()}/tree/{name}?reset")
        self.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)

    def wait_for_kernel(self) -> None:
        self.page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=60_000)

    def run_all(self) -> None:
        """Start running every cell; does not wait for the end."""
        self.wait_for_kernel()
        self.page.locator(".jp-Notebook .jp-Cell").first.click()
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.get_by_role("menuitem", name="Run All Cells", exact=True).click()

    def run_cell(self, number: int) -> None:
        """Start running one cell; does not wait for the end."""
        prompt = self.cell(number).locator(".jp-InputPrompt").first
        before = prompt.text_content()
        # A key that comes before the notebook took the focus is lost: press again then.
        for _ in range(10):
            self.cell(number).locator(".jp-InputArea-editor .cm-content").click()
            self.page.keyboard.press("Control+Enter")
            self.page.wait_for_timeout(500)
            if prompt.text_content() != before:
                return
        raise AssertionError(f"cell {number} did not start")

    def cell(self, number: int):
        return self.page.locator(".jp-Notebook .jp-Cell").nth(number)

    def output(self, number: int):
        return self.cell(number).locator(".jp-Cell-outputArea")

    def is_busy(self, number: int) -> bool:
        return "[*]" in (self.cell(number).locator(".jp-InputPrompt").first.text_content() or "")

    def wait_until_done(self, number: int, seconds: float = 60) -> None:
        prompt = self.cell(number).locator(".jp-InputPrompt").first
        _wait_until(
            lambda: (prompt.text_content() or "").strip("[]: ").isdecimal(), seconds, f"cell {number} did not finish"
        )

    def save(self) -> None:
        self.page.keyboard.press("Control+s")
        self.page.wait_for_timeout(1_500)


@pytest.fixture
def lab_page(browser: Browser, lab: Lab) -> Iterator[LabPage]:
    context = browser.new_context(viewport={"width": 1400, "height": 1100})
    page = LabPage(context.new_page(), lab)
    yield page
    context.close()
