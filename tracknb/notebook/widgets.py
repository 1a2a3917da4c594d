"""The widget that draws a view, and the line on which a page tells what is ticked and asks for more.

In JupyterLab 4.4 and newer with ipykernel 7 the line runs over a subshell, so a question is
answered by another thread while a cell runs; elsewhere it waits for the cell.

Imported only where a widget is shown: anywidget and ipywidgets cost half a second.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tracknb import answers
from tracknb.errors import TracknbError
from tracknb.view.base import view_by_id

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

COMM_TARGET: Final = "tracknb.view"
_SCRIPT: Final = Path(__file__).parent / "static" / "widget.js"


def make_widget(payload: dict[str, Any]) -> Any:
    """Return a widget that draws a payload; its ``selected`` trait holds run ids.

    Raises
    ------
    ImportError
        anywidget is not installed.
    """
    import anywidget
    import traitlets

    class TrackView(anywidget.AnyWidget):
        """A view of runs."""

        _esm = _SCRIPT
        view: Any = traitlets.Dict().tag(sync=True)
        selected: Any = traitlets.List().tag(sync=True)

    return TrackView(view=payload)


def listen(shell: InteractiveShell) -> None:
    """Register the comm target on which our JupyterLab renderer tells what is ticked."""
    manager = _comm_manager(shell)
    if manager is not None:
        manager.register_target(COMM_TARGET, _opened)


def stop_listening(shell: InteractiveShell) -> None:
    """Take the comm target back."""
    manager = _comm_manager(shell)
    if manager is not None and COMM_TARGET in manager.targets:
        manager.unregister_target(COMM_TARGET, _opened)


def _comm_manager(shell: InteractiveShell) -> Any:
    kernel = getattr(shell, "kernel", None)
    return getattr(kernel, "comm_manager", None)


def _opened(comm: Any, message: Any) -> None:
    view_id = _data_of(message).get("view")

    @comm.on_msg  # type: ignore[untyped-decorator]
    def told(message: Any) -> None:
        data = _data_of(message)
        if "selected" in data:
            select(view_id, data["selected"])
        if isinstance(data.get("question"), dict):
            _reply(comm, data.get("id"), data["question"], view_id)


def _reply(comm: Any, number: Any, asked: dict[str, Any], view_id: Any) -> None:
    """Answer a question of the page; what goes wrong is told there, and never in the user's cell."""
    try:
        found = answers.answer(asked, view_id if isinstance(view_id, str) else None)
    except TracknbError as problem:
        comm.send({"id": number, "error": str(problem)})
    except Exception as problem:
        comm.send({"id": number, "error": f"tracknb could not answer this. {type(problem).__name__}: {problem}"})
    else:
        comm.send({"id": number, "answer": found.content}, buffers=list(found.buffers))


def _data_of(message: Any) -> dict[str, Any]:
    content = message.get("content") if isinstance(message, dict) else None
    data = content.get("data") if isinstance(content, dict) else None
    return data if isinstance(data, dict) else {}


def select(view_id: Any, run_ids: Any) -> None:
    """Tell a view which runs are ticked; what is malformed is passed over."""
    view = view_by_id(view_id) if isinstance(view_id, str) else None
    if view is not None and isinstance(run_ids, list) and all(isinstance(item, str) for item in run_ids):
        view.selection = tuple(run_ids)
