"""The panel under a tracked cell: there at once, growing while the cell runs, static at the end.

A thread draws it, because the kernel's own messages wait for the running cell. It shows
what is there at once. A page with our extension then joins over a line of its own and is
pushed what is new, about five times a second; where nobody joins, a widget is shown and
pushed the same. A page that is loaded again while the cell runs joins again. When the cell
ends the output becomes the static three-layer form, so a saved notebook never holds a
widget for long.
"""

from __future__ import annotations

import contextlib
import contextvars
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from IPython.core.interactiveshell import InteractiveShell

from tracknb import active, names
from tracknb.errors import TracknbError
from tracknb.live import LiveRun
from tracknb.notebook import line, widgets
from tracknb.notebook.line import Page
from tracknb.view.base import MIME
from tracknb.view.changes import Changes
from tracknb.view.panel import Panel, new_points, run_facts

PUSH_SECONDS: Final = 0.2
# How often it is looked whether there is something to push, and whether a run takes too long.
_LOOK_SECONDS: Final = 0.05
_ALERT_SECONDS: Final = 1.0
# A cell that ends at once is shown once, in its final form.
_GRACE_SECONDS: Final = 0.15
# A page with our extension joins before that; elsewhere the half second that a widget's import
# costs is paid then.
_WIDGET_SECONDS: Final = 1.0
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
        # One for what is shown, one for what was sent: a page may join while the thread draws.
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._is_over = False
        self._shown = False
        self._view_id = names.new_id()
        self._pages: list[Page] = []
        self._widget: Any = None
        self._widget_is_due = 0.0
        self._bundle: dict[str, Any] = {}
        # By run and metric: how often old points were dropped, the points sent, the points logged.
        self._sent: dict[tuple[str, str], tuple[int, int, int]] = {}
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

    def finish(self, changes_of: Callable[[list[LiveRun]], Mapping[str, Changes]] = lambda runs: {}) -> None:
        """Show the final, static form; called when the cell has ended.

        ``changes_of`` gives what changed since the attempt before, by run id.
        """
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
            self._publisher.unregister_hook(self._heard)
        with self._lock:
            self._is_over = True
        runs = self._runs()
        if runs or self._shown:
            panel = Panel.of(runs, now_ms=names.now_ms(), changes=changes_of(runs))
            if getattr(self._shell, "kernel", None) is None:
                print(panel.text())
            else:
                bundle = panel._repr_mimebundle_()
                self._show(bundle, is_final=True)
                self._tell_the_end(bundle)
        if self._widget is not None:
            self._widget.close()
            self._widget = None

    def join(self, page: Page) -> dict[str, Any] | None:
        """Return the panel so far, and push to the page what comes from now on."""
        with self._sending:
            if self._is_over:
                return None
            runs = [run.frozen() for run in self._runs()]
            # Who watches already gets all that the newcomer is given: from here on both are the same.
            self._push(runs)
            self._pages.append(page)
            return {"live": True, "payload": Panel.of(runs, now_ms=names.now_ms()).payload()}

    def _tell_the_end(self, bundle: dict[str, Any]) -> None:
        """Tell pages that were loaded again: the closing update does not reach them."""
        line.withdraw(self._view_id, bundle)
        with self._sending:
            pages, self._pages = self._pages, []
        for page in pages:
            if page.is_open:
                page.push({"type": "over"})

    def _work(self) -> None:
        try:
            self._stop.wait(_GRACE_SECONDS)
            due = checked = 0.0
            while not self._stop.is_set():
                now = time.monotonic()
                runs = self._runs()
                if runs and now >= due:
                    is_new = any(self._versions.get(run.run_id) != run.version for run in runs)
                    if is_new or now - checked >= _ALERT_SECONDS:
                        self._check_alerts()
                        checked = now
                    self._draw(runs)
                    if is_new:
                        # Five a second on the whole, and not a fifth of a second after the last: points
                        # that come as often would drift behind by up to a round. One that comes after
                        # a pause does not wait either.
                        due = max(due, now - PUSH_SECONDS) + PUSH_SECONDS
                self._stop.wait(due - now if now < due else _LOOK_SECONDS)
        except Exception:
            # The panel is a convenience: the static form still comes at the end.
            return

    def _check_alerts(self) -> None:
        """Tag the runs with what their alerts say; a store that refuses does not stop the panel."""
        with contextlib.suppress(TracknbError):
            active.check_alerts()

    def _draw(self, runs: list[LiveRun]) -> None:
        if not self._bundle:
            panel = Panel.of([run.frozen() for run in runs], now_ms=names.now_ms())
            line.offer(self._view_id, self)
            self._bundle = panel._repr_mimebundle_()
            self._bundle[MIME] |= {"live": True, "view": self._view_id}
            self._widget_is_due = time.monotonic() + _WIDGET_SECONDS
        if not self._shown:
            self._show(self._bundle)
            return
        with self._sending:
            self._push([run.frozen() for run in runs if self._versions.get(run.run_id) != run.version])
            is_watched = bool(self._pages)
        if not is_watched and self._widget is None and time.monotonic() > self._widget_is_due:
            self._show_widget()

    def _show_widget(self) -> None:
        """Show a widget beside the rest: where our extension is not, or cannot reach a kernel that is busy."""
        with self._sending:
            runs = [run.frozen() for run in self._runs()]
            self._push(runs)
            widget = widgets.make_widget(Panel.of(runs, now_ms=names.now_ms()).payload())
            self._widget = widget
        view = {"version_major": 2, "version_minor": 1, "model_id": widget.model_id}
        self._bundle = {**self._bundle, _WIDGET_MIME: view}
        self._show(self._bundle)

    def _push(self, runs: list[LiveRun]) -> None:
        """Send what is new in these copies to all who watch, and note how far that goes."""
        news = [self._news_of(run) for run in runs]
        if not news:
            return
        message = {"type": "points", "now": names.now_ms(), "runs": news}
        self._pages = [page for page in self._pages if page.is_open]
        for page in self._pages:
            page.push(message)
        if self._widget is not None:
            self._widget.send(message)

    def _news_of(self, run: LiveRun) -> dict[str, Any]:
        self._versions[run.run_id] = run.version
        append = []
        for key, series in run.series.items():
            generation, start, count = self._sent.get((run.run_id, key), (series.generation, 0, 0))
            if count == series.count:
                continue
            if generation != series.generation:
                # Old points were dropped here too: where the new ones begin is a guess
                # that loses none, and the static form at the end draws all.
                start = len(series.x) // 2
            append.append(new_points(series, start))
            self._sent[run.run_id, key] = (series.generation, len(series.x), series.count)
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
