"""The panel under a tracked cell: there at once, growing while the cell runs, static at the end.

A thread draws it, because the kernel's own messages wait for the running cell. It shows
the static form first, then the widget, then pushes what is new about five times a
second. When the cell ends the output becomes the static three-layer form, so a saved
notebook never holds a widget.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from typing import Any, Final

from IPython.core.interactiveshell import InteractiveShell

from tracknb import names
from tracknb.live import LiveRun
from tracknb.notebook import widgets
from tracknb.view.base import MIME
from tracknb.view.panel import Panel, new_points, run_facts

PUSH_SECONDS: Final = 0.2
# A cell that ends at once is shown once, in its final form.
_GRACE_SECONDS: Final = 0.15
_WIDGET_MIME: Final = "application/vnd.jupyter.widget-view+json"


class LivePanel:
    """The panel of one execution of a cell.

    Parameters
    ----------
    shell
        The shell whose cell runs.
    runs
        Gives the runs that the cell has touched so far, from memory.
    """

    def __init__(self, shell: InteractiveShell, runs: Callable[[], list[LiveRun]]) -> None:
        self._shell = shell
        self._runs = runs
        self._display_id = names.new_id()
        self._publisher: Any = shell.display_pub
        self._lock = threading.Lock()
        self._is_over = False
        self._shown = False
        self._widget: Any = None
        self._bundle: dict[str, Any] = {}
        self._sent: dict[tuple[str, str], tuple[int, int]] = {}
        self._versions: dict[str, int] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to draw in the background; nothing is shown before the cell has a run."""
        # Inside %%capture there is nobody to watch; what is captured is the final form.
        if not self._is_live() or self._thread is not None:
            return
        # Hooks hold for the thread that registers them: the cell's, which is this one.
        self._publisher.register_hook(self._heard)
        # The thread takes the cell's context along: ipykernel finds the cell that an
        # output belongs to in a context variable.
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._work,), name="tracknb-panel", daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Show the final, static form; called when the cell has ended."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
            self._publisher.unregister_hook(self._heard)
        with self._lock:
            self._is_over = True
        runs = self._runs()
        if runs or self._shown:
            panel = Panel.of(runs, now_ms=names.now_ms())
            if getattr(self._shell, "kernel", None) is None:
                print(panel.text())
            else:
                self._show(panel._repr_mimebundle_(), is_final=True)
        if self._widget is not None:
            self._widget.close()
            self._widget = None

    def _work(self) -> None:
        try:
            self._stop.wait(_GRACE_SECONDS)
            while not self._stop.is_set():
                runs = self._runs()
                if runs:
                    self._draw(runs)
                self._stop.wait(PUSH_SECONDS)
        except Exception:
            # The panel is a convenience: the static form still comes at the end.
            return

    def _draw(self, runs: list[LiveRun]) -> None:
        if self._widget is None:
            panel = Panel.of(runs, now_ms=names.now_ms())
            bundle = panel._repr_mimebundle_()
            if not self._shown:
                # Importing the widget takes half a second: something is there meanwhile.
                self._show({key: value for key, value in bundle.items() if key != MIME})
            self._remember(runs)
            self._widget = widgets.make_widget(panel.payload())
            view = {"version_major": 2, "version_minor": 1, "model_id": self._widget.model_id}
            self._bundle = {_WIDGET_MIME: view, "text/html": bundle["text/html"], "text/plain": bundle["text/plain"]}
            self._show(self._bundle)
            return
        if not self._shown:
            self._show(self._bundle)
        news = [self._news_of(run) for run in runs if self._versions.get(run.run_id) != run.version]
        if news:
            self._widget.send({"type": "points", "now": names.now_ms(), "runs": news})

    def _remember(self, runs: list[LiveRun]) -> None:
        """Note how far the widget's first payload goes."""
        for run in runs:
            self._versions[run.run_id] = run.version
            for key, series in list(run.series.items()):
                self._sent[run.run_id, key] = (series.generation, len(series.x))

    def _news_of(self, run: LiveRun) -> dict[str, Any]:
        self._versions[run.run_id] = run.version
        append = []
        for key, series in list(run.series.items()):
            generation, start = self._sent.get((run.run_id, key), (series.generation, 0))
            if generation != series.generation:
                # Old points were dropped here too: where the new ones begin is a guess
                # that loses none, and the static form at the end draws all.
                start = len(series.x) // 2
            news = new_points(series, start)
            # Counted after the copy: a point that came in between is the next round's.
            self._sent[run.run_id, key] = (series.generation, start + len(news["x"]))
            append.append(news)
        return {**run_facts(run), "append": append}

    def _is_live(self) -> bool:
        return getattr(self._shell, "kernel", None) is not None and hasattr(self._publisher, "register_hook")

    def _heard(self, message: Any) -> Any:
        """Note that the cell cleared its output, and with it the panel: it is shown anew."""
        if message["header"]["msg_type"] == "clear_output":
            with self._lock:
                self._shown = False
        return message

    def _show(self, bundle: dict[str, Any], *, is_final: bool = False) -> None:
        with self._lock:
            # A thread that was too slow to be waited for must not overwrite the final form.
            if self._is_over and not is_final:
                return
            update, self._shown = self._shown, True
            self._publisher.publish(bundle, transient={"display_id": self._display_id}, update=update)
