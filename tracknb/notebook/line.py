"""The line between a page and its kernel: what is ticked, what the page asks, what is live.

In JupyterLab 4.4 and newer with ipykernel 7 the line runs over a subshell, so a question is
answered by another thread while a cell runs; elsewhere it waits for the cell.
"""

from __future__ import annotations

import functools
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final, Protocol

from tracknb.errors import TracknbError
from tracknb.view.base import sendable, view_by_id

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

COMM_TARGET: Final = "tracknb.view"
# The question that joins a page to a live view; every other one is put to `answers`.
_JOIN: Final = "panel"
# Final forms that are kept for a page that was being loaded while its cell ended.
_FINALS: Final = 20


class LiveView(Protocol):
    """A view that pages can join while it is live."""

    def join(self, page: Page) -> dict[str, Any] | None:
        """Return what is there so far, and send the page what comes from now on; None once it is over."""


class Listener(Protocol):
    """Who hears what pages say of the notebooks that they show."""

    def hear(self, page: object, told: object) -> None:
        """Take in how a notebook stands."""

    def forget(self, page: object) -> None:
        """Note that a page is gone."""


class Page:
    """The other end of a line: one output on somebody's screen."""

    def __init__(self, comm: Any) -> None:
        self._comm = comm
        self.is_open = True

    def push(self, message: dict[str, Any]) -> None:
        """Send what was not asked for."""
        self._comm.send({"push": message})

    def reply(self, number: Any, asked: dict[str, Any], view_id: str | None) -> None:
        """Answer a question; what goes wrong is told on the page, and never in the user's cell."""
        try:
            content, buffers = self._answer(asked, view_id)
            # What cannot be sent fails here, before anything of it was: the page is told so, and does not wait.
            self._comm.send({"id": number, "answer": content}, buffers=buffers)
        except TracknbError as problem:
            self._comm.send({"id": number, "error": sendable(str(problem))})
        except Exception as problem:
            words = f"tracknb could not answer. {type(problem).__name__}: {problem}"
            self._comm.send({"id": number, "error": sendable(words)})

    def _answer(self, asked: dict[str, Any], view_id: str | None) -> tuple[dict[str, Any], list[bytes]]:
        if asked.get("ask") == _JOIN and view_id is not None:
            joined = _join(view_id, self)
            if joined is not None:
                return joined, []
        # Only now: a kernel that nobody asks does not pay for what answers need.
        from tracknb import answers

        found = answers.answer(asked, view_id)
        return found.content, list(found.buffers)


_lock: Final = threading.Lock()
_live: Final[dict[str, LiveView]] = {}
_finals: Final[OrderedDict[str, dict[str, Any]]] = OrderedDict()


def offer(view_id: str, view: LiveView) -> None:
    """Let pages join a view."""
    with _lock:
        _live[view_id] = view


def withdraw(view_id: str, bundle: dict[str, Any]) -> None:
    """Say that a view is no longer live, and what its output is from now on."""
    with _lock:
        _live.pop(view_id, None)
        _finals[view_id] = bundle
        while len(_finals) > _FINALS:
            _finals.popitem(last=False)


def _join(view_id: str, page: Page) -> dict[str, Any] | None:
    with _lock:
        view = _live.get(view_id)
    joined = view.join(page) if view is not None else None
    if joined is not None:
        return joined
    with _lock:
        bundle = _finals.get(view_id)
    return None if bundle is None else {"bundle": bundle}


def listen(shell: InteractiveShell, listener: Listener) -> None:
    """Register the comm target that pages open; the listener hears of the notebooks that they show."""
    manager = _comm_manager(shell)
    if manager is not None:
        manager.register_target(COMM_TARGET, functools.partial(_opened, listener))


def stop_listening(shell: InteractiveShell) -> None:
    """Take the comm target back."""
    manager = _comm_manager(shell)
    if manager is not None and COMM_TARGET in manager.targets:
        manager.unregister_target(COMM_TARGET, manager.targets[COMM_TARGET])


def _comm_manager(shell: InteractiveShell) -> Any:
    kernel = getattr(shell, "kernel", None)
    return getattr(kernel, "comm_manager", None)


def _opened(listener: Listener, comm: Any, message: Any) -> None:
    told = _data_of(message).get("view")
    view_id = told if isinstance(told, str) else None
    page = Page(comm)

    def leave() -> None:
        page.is_open = False
        listener.forget(page)

    def heard(message: Any) -> None:
        data = _data_of(message)
        if data.get("left") is True:
            # The page is going: its comm is closed over the main shell, which may have a cell to run first.
            leave()
        if "notebook" in data:
            listener.hear(page, data["notebook"])
        if "selected" in data:
            select(view_id, data["selected"])
        if isinstance(data.get("question"), dict):
            page.reply(data.get("id"), data["question"], view_id)

    @comm.on_close  # type: ignore[untyped-decorator]
    def closed(message: Any) -> None:
        leave()

    # Instead of `on_msg`, which tells the shell's listeners that code was executed. Matplotlib's then shows and closes
    # all figures, in this thread: also those that the cell beside is still drawing.
    comm.handle_msg = heard


def _data_of(message: Any) -> dict[str, Any]:
    content = message.get("content") if isinstance(message, dict) else None
    data = content.get("data") if isinstance(content, dict) else None
    return data if isinstance(data, dict) else {}


def select(view_id: Any, run_ids: Any) -> None:
    """Tell a view which runs are ticked; what is malformed is passed over."""
    view = view_by_id(view_id) if isinstance(view_id, str) else None
    if view is not None and isinstance(run_ids, list) and all(isinstance(item, str) for item in run_ids):
        view.selection = tuple(run_ids)
