"""A real JupyterLab or Notebook 7 and a real Chromium, driven as a person would.

Tests, screenshots and benchmarks share it, so it knows nothing of pytest.
"""

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
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

import nbformat
from playwright.sync_api import Browser, ConsoleMessage, Error, FloatRect, Locator, Page, Request, sync_playwright

App = Literal["lab", "notebook"]
Theme = Literal["light", "dark"]
# The command of each application, and where a notebook's page is.
_MODULES: Final[dict[App, str]] = {"lab": "jupyterlab", "notebook": "notebook"}
_CLASSES: Final[dict[App, str]] = {"lab": "LabApp", "notebook": "JupyterNotebookApp"}
_THEMES: Final[dict[Theme, str]] = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
_CHROMIUM: Final = ("chromium", "chromium-browser", "google-chrome")
_FLAGS: Final = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-quic",
]


# Disposing of a tab asks nothing of a notebook that was not saved; closing does.
_CLOSE_ALL: Final = """async () => {
    const { shell, serviceManager } = window.jupyterapp;
    for (const tab of [...shell.widgets('main')]) { tab.dispose(); }
    await serviceManager.sessions.shutdownAll(); }"""


class NoChromium(Exception):
    """There is no browser to drive."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Chromium.

    Raises
    ------
    NoChromium
        None is installed; the message says how to.
    """
    path = next((found for name in _CHROMIUM if (found := shutil.which(name))), None)
    if path is None:
        raise NoChromium("These tests need Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_FLAGS)
        yield browser
        browser.close()


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab or Notebook 7: its address and the folder that it serves."""

    url: str
    folder: Path
    app: App = "lab"

    def write(self, name: str, cells: list[str], *, kernel: str = "python3") -> str:
        """Write a notebook with code cells, unexecuted, and return its name."""
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(source) for source in cells],
            metadata={"kernelspec": {"name": kernel, "display_name": "Python 3", "language": "python"}},
        )
        nbformat.write(notebook, self.folder / name)
        return name

    def read(self, name: str) -> nbformat.NotebookNode:
        """Return a notebook as it was saved."""
        return nbformat.read(self.folder / name, as_version=4)

    def address(self, name: str) -> str:
        """Return the address of a notebook's page."""
        if self.app == "notebook":
            return f"{self.url}/notebooks/{name}"
        return f"{self.url}/lab/workspaces/auto-{time.time_ns()}/tree/{name}?reset"


@contextmanager
def jupyter(
    home: Path, app: App = "lab", *, python: str = sys.executable, environment: dict[str, str] | None = None
) -> Iterator[Lab]:
    """Start a server of its own, without the user's settings; ``home`` gets its folders."""
    folder, settings = home / "files", home / "settings"
    folder.mkdir(parents=True)
    settings.mkdir()
    # The dialog that asks for news, and what looks for updates, would hide the page.
    overrides = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}}
    (settings / "overrides.json").write_text(json.dumps(overrides))
    port = _free_port()
    own = {
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "IPYTHONDIR": str(home / "ipython"),
    }
    name = _CLASSES[app]
    with (home / "server.log").open("w") as log:
        server = subprocess.Popen(
            [
                python,
                "-m",
                _MODULES[app],
                "--no-browser",
                "--allow-root",
                f"--ServerApp.port={port}",
                "--ServerApp.ip=127.0.0.1",
                "--IdentityProvider.token=",
                f"--ServerApp.root_dir={folder}",
                f"--{name}.app_settings_dir={settings}",
                f"--{name}.expose_app_in_browser=True",
            ],
            cwd=folder,
            env={**(os.environ if environment is None else environment), **own},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        url = f"http://127.0.0.1:{port}"
        try:
            wait_until(lambda: _answers(f"{url}/api/status"), 60, f"{_MODULES[app]} did not start: {home}/server.log")
            yield Lab(url, folder, app)
        finally:
            server.terminate()
            server.wait(timeout=20)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def wait_until(condition: Callable[[], bool], seconds: float, problem: str) -> None:
    """Wait for something that nothing tells of."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(problem)
        time.sleep(0.1)


class LabPage:
    """A page of JupyterLab or Notebook 7, with what went wrong on it.

    ``foreign`` are requests that left this machine, ``errors`` exceptions and dialogs,
    ``complaints`` what was written to the console as an error.
    """

    def __init__(self, page: Page, lab: Lab) -> None:
        self.page = page
        self.lab = lab
        self.foreign: list[str] = []
        self.errors: list[str] = []
        self.complaints: list[str] = []
        page.on("request", self._watch)
        page.on("requestfailed", self._refused)
        page.on("pageerror", self._raised)
        page.on("dialog", self._dialog)
        page.on("console", self._heard)
        self._is_loaded = False

    def _watch(self, request: Request) -> None:
        host = urlsplit(request.url).hostname
        if request.url.startswith(("http", "ws")) and host not in ("127.0.0.1", "localhost"):
            self.foreign.append(request.url)

    def _refused(self, request: Request) -> None:
        # What a page's own policy forbids is told of at times, and never sent.
        if request.failure == "csp" and request.url in self.foreign:
            self.foreign.remove(request.url)

    def _raised(self, error: Error) -> None:
        # Notebook 7.6 raises by itself when it starts, with nothing of ours on the page.
        if self.lab.app == "lab" or "/static/notebook/" not in (error.stack or ""):
            self.errors.append(f"{error.message}\n{error.stack}")

    def _dialog(self, dialog) -> None:
        # A notebook that was not saved asks before the page is left.
        if dialog.type == "beforeunload":
            dialog.accept()
            return
        self.errors.append(f"a script opened a dialog: {dialog.message}")
        dialog.dismiss()

    def _heard(self, message: ConsoleMessage) -> None:
        # What Jupyter says by itself: of files that need not be there, of a kernel that was shut down while it started.
        own = ("Failed to load resource", "Could not restore the debugger state")
        if message.type == "error" and not any(text in message.text for text in own):
            self.complaints.append(message.text)

    def open(self, name: str) -> None:
        """Load the application with a notebook; a page that `clean` made ready has loaded it already."""
        if self._is_loaded:
            self.page.evaluate("path => window.jupyterapp.commands.execute('docmanager:open', {path})", name)
            self._is_loaded = False
        else:
            self.page.goto(self.lab.address(name))
        self.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
        self.complaints.clear()
        if self.lab.app == "lab":
            # The file browser would take what little room a narrow window has.
            self.page.evaluate("window.jupyterapp.shell.collapseLeft()")

    def clean(self, *, keep_application: bool = True) -> None:
        """Make a page that was used ready for another notebook: loading JupyterLab takes seconds.

        Kernels are shut down and tabs closed. ``keep_application=False`` lets the next notebook
        load it anew all the same, with what the browser has in its cache.
        """
        for other in self.page.context.pages:
            if other is not self.page:
                other.close()
        self.page.context.clear_permissions()
        self.page.evaluate(_CLOSE_ALL)
        if self.page.evaluate("document.body.dataset.jpThemeLight") != "true":
            self.show("light")
        self._is_loaded = keep_application and self.lab.app == "lab"
        for heard in (self.foreign, self.errors, self.complaints):
            heard.clear()

    def wait_for_kernel(self) -> None:
        self.page.wait_for_function(
            """() => { const session = window.jupyterapp?.shell.currentWidget?.sessionContext?.session;
                       return session?.kernel?.status === 'idle'; }""",
            timeout=60_000,
        )

    def command(self, name: str, **arguments: object) -> None:
        """Let the application do one of its commands, without waiting for its end."""
        self.page.evaluate("([name, given]) => { window.jupyterapp.commands.execute(name, given); }", [name, arguments])

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

    def show(self, theme: Theme) -> None:
        """Switch the theme as the settings menu does."""
        self.command("apputils:change-theme", theme=_THEMES[theme])
        light = str(theme == "light").lower()
        self.page.wait_for_selector(f"body[data-jp-theme-light={light}]", state="attached", timeout=20_000)
        # Views draw their charts again once the style sheet has followed.
        self.page.wait_for_timeout(500)

    def cell(self, number: int) -> Locator:
        return self.page.locator(".jp-Notebook .jp-Cell").nth(number)

    def output(self, number: int) -> Locator:
        return self.cell(number).locator(".jp-Cell-outputArea")

    def steady_box(self, locator: Locator) -> FloatRect:
        """Return where an element is, once it has stayed there for a moment."""
        boxes: list[FloatRect | None] = [None]

        def stays() -> bool:
            boxes.append(locator.bounding_box())
            return boxes[-1] is not None and boxes[-1] == boxes[-2]

        wait_until(stays, 20, "an element never came to rest")
        box = boxes[-1]
        assert box is not None
        return box

    def is_busy(self, number: int) -> bool:
        return "[*]" in (self.cell(number).locator(".jp-InputPrompt").first.text_content() or "")

    def wait_until_done(self, number: int, seconds: float = 60) -> None:
        prompt = self.cell(number).locator(".jp-InputPrompt").first
        wait_until(
            lambda: (prompt.text_content() or "").strip("[]: ").isdecimal(), seconds, f"cell {number} did not finish"
        )

    def save(self) -> None:
        self.page.keyboard.press("Control+s")
        self.page.wait_for_timeout(1_500)
