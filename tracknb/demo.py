"""The demo: the first notebook, written into a folder, executed and opened.

The notebook is the one in the documentation, so what the README promises is what a
new user runs. It needs the packages of the ``lab`` extra.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import shutil
import subprocess
import sys
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tracknb import executing
from tracknb.errors import AlreadyExists, MissingExtra, NotFound, StoreReadOnly, TracknbError

NOTEBOOK = "01-first-run.ipynb"
# Variables that would send the demo's runs into a store or an experiment of the user's.
_ELSEWHERE = ("TRACKNB_", "MLFLOW_")


def source() -> Path:
    """Return where the notebook lies: inside the installed package, or in a checkout."""
    here = Path(__file__).resolve().parent
    for candidate in (here / "demo" / NOTEBOOK, here.parent / "notebooks" / NOTEBOOK):
        if candidate.exists():
            return candidate
    raise NotFound(f"This installation of tracknb has no {NOTEBOOK}. Install it anew.")


def write(folder: Path, *, force: bool = False) -> Path:
    """Write the notebook without its outputs into a folder and return its path.

    Raises
    ------
    AlreadyExists
        It is there, perhaps with the user's own changes, and ``force`` was not given.
    MissingExtra
        Something that runs or opens notebooks is not installed; nothing was written.
    """
    _need_lab()
    target = folder.resolve() / NOTEBOOK
    if target.exists() and not force:
        raise AlreadyExists(
            f"{target} is already there and stays as it is.\n"
            f"Open it:         {lab_command(target)}\n"
            f"Write it anew:   {command_word()} demo --out {shlex.quote(as_typed(folder.resolve()))} --force"
        )
    notebook = json.loads(source().read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _save(notebook, target)
    except OSError as problem:
        raise StoreReadOnly(
            f"The notebook cannot be written to {target}: {problem.strerror}. "
            "Choose another folder: tracknb demo --out DIR"
        ) from problem
    return target


def _save(notebook: Any, target: Path) -> None:
    target.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _need_lab() -> None:
    missing = [name for name in ("nbclient", "ipykernel", "jupyterlab") if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtra(f'The demo needs {", ".join(missing)}. Install: pip install "tracknb[lab]"')


def cell_count(notebook: Path) -> int:
    """Return how many cells an execution will report as done."""
    return len(json.loads(notebook.read_text(encoding="utf-8"))["cells"])


def execute(notebook: Path, *, done: Callable[[], None], timeout_seconds: int = 600) -> Path:
    """Run a notebook's cells in a kernel, save it with its outputs, and return its store.

    Parameters
    ----------
    notebook
        The file; its runs go to ``tracknb.db`` beside it.
    done
        Called after each cell.
    timeout_seconds
        The longest that one cell may take.

    Raises
    ------
    TracknbError
        A cell failed. What ran until then is saved.
    """
    import nbformat
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    content = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call,unused-ignore]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(_ELSEWHERE)}
    # What Jupyter Server sets for its kernels: the runs' source is then this notebook.
    environment["JPY_SESSION_NAME"] = str(notebook)
    try:
        executing.execute(
            content, folder=str(notebook.parent), environment=environment, timeout_seconds=timeout_seconds, done=done
        )
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as problem:
        raise TracknbError(f"A cell of {notebook} did not finish; open it to see which.\n\n{problem}") from problem
    finally:
        nbformat.write(content, notebook)  # type: ignore[no-untyped-call,unused-ignore]
    return notebook.with_name("tracknb.db")


def lab_command(notebook: Path) -> str:
    """Return the line that opens a notebook in JupyterLab from here."""
    return shlex.join([as_typed(Path(sys.executable)), "-m", "jupyterlab", as_typed(notebook)])


def command_word() -> str:
    """Return how ``tracknb`` is called from here: without an activated environment, by its path."""
    script = Path(sys.argv[0])
    if script.stem != "tracknb" or shutil.which("tracknb") == str(script):
        return "tracknb"
    return shlex.quote(as_typed(script))


def as_typed(path: Path) -> str:
    """Return a path as short as a person would type it here."""
    # Without following links: an environment's python is a link to another one.
    shown = os.path.relpath(path)
    return str(path) if shown.startswith("..") else shown


def can_open_browser() -> bool:
    """Say whether somebody sits in front of a screen that a browser can open on."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    has_screen = sys.platform in ("darwin", "win32") or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )
    if not has_screen:
        return False
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True


def open_lab(notebook: Path) -> int:
    """Open JupyterLab on a notebook and wait until it ends."""
    try:
        return subprocess.call([sys.executable, "-m", "jupyterlab", str(notebook)])
    except KeyboardInterrupt:
        return 0
