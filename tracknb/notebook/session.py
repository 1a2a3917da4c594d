"""One kernel's tracking: which cell runs, which runs belong to it, and how it ended.

It hangs on IPython's own events, and never changes what a cell does. A failure of ours
warns once per kernel and steps aside.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import traceback
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracknb import active, config, names
from tracknb.capture import environment, git, literals, opened, readfiles, secrets, source
from tracknb.capture.document import Document, Saved, Told
from tracknb.capture.executions import FILE, Execution, slice_of
from tracknb.capture.hidden import DIRTY, Hidden, hidden_state, worst
from tracknb.capture.recorder import Recorder
from tracknb.entities import (
    CELL_GROUP_TAG,
    CELL_ID_TAG,
    CELL_TAG,
    CONTENTS_TAG,
    EXECUTION_COUNT_TAG,
    GIT_DIRTY_TAG,
    GRADE_TAG,
    HIDDEN_STATE_TAG,
    PLATFORM_TAG,
    PYTHON_TAG,
    SOURCE_NAME_TAG,
    SOURCE_TYPE_TAG,
    STAMPS_TAG,
    CellExecution,
    RunStatus,
)
from tracknb.errors import TracknbError
from tracknb.notebook import line, magics
from tracknb.validation import MAX_TAG_VALUE
from tracknb.view.format import without_home

if TYPE_CHECKING:
    from IPython.core.interactiveshell import ExecutionInfo, ExecutionResult, InteractiveShell

    from tracknb.client import TrackingClient
    from tracknb.live import LiveRun
    from tracknb.notebook.live import LivePanel
    from tracknb.notebook.outputs import Outputs
    from tracknb.view.changes import Changes


class Session:
    """The tracking of one shell."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell
        self._depth = 0
        self._is_silent_run = False
        self._panel: LivePanel | None = None
        self._outputs: Outputs | None = None
        self._warned = False
        # The innermost cell that runs, as it was typed, and what of its params only its end can tell.
        self._source = ""
        self._pending: tuple[str, ...] = ()
        self._never_seen: set[str] = set()
        self._injected: dict[str, Any] = {}
        self._kernel = names.new_id()
        self._recorder = Recorder(shell.user_ns, shell.user_ns_hidden, lambda path: config.is_of_store(Path(path)))
        # How the notebook stands, as pages and the saved file tell.
        self._told = Told()
        self._saved = Saved()
        # How many executions each store knows already.
        self._kept: dict[str, int] = {}

    def register(self) -> None:
        """Hang the hooks and magics into the shell."""
        self.shell.input_transformers_cleanup.append(magics.transform)
        self.shell.events.register("pre_run_cell", self.pre_run_cell)
        self.shell.events.register("post_execute", self.post_execute)
        self.shell.events.register("post_run_cell", self.post_run_cell)
        manager = self.shell.magics_manager
        manager.register_function(magics.track, "line", "track")
        manager.register_function(magics.track_run_help, "cell", "track_run")
        manager.register_function(self.open_run, "line", magics.OPENER_MAGIC)
        line.listen(self.shell, self)
        # papermill puts its parameters on top, so that they were run before this.
        history = self.shell.history_manager
        for earlier in history.input_hist_raw if history is not None else ():
            self._note_injected(earlier)
        self._guarded(self._record_earlier)

    def unregister(self) -> None:
        """Take every hook and magic back."""
        transformers = self.shell.input_transformers_cleanup
        transformers[:] = [item for item in transformers if item is not magics.transform]
        callbacks: dict[str, Callable[..., None]] = {
            "pre_run_cell": self.pre_run_cell,
            "post_execute": self.post_execute,
            "post_run_cell": self.post_run_cell,
        }
        for name, callback in callbacks.items():
            if callback in self.shell.events.callbacks[name]:
                self.shell.events.unregister(name, callback)
        for kind, name in (("line", "track"), ("cell", "track_run"), ("line", magics.OPENER_MAGIC)):
            self.shell.magics_manager.magics[kind].pop(name, None)
        line.stop_listening(self.shell)
        self._stop_listening()
        active.state.injected = active.CodeParams

    # -- the life of a cell -----------------------------------------------------------

    def pre_run_cell(self, info: ExecutionInfo) -> None:
        """Note that a cell begins."""
        # A cell that runs another one, by %run or run_cell, is still the cell.
        self._depth += 1
        self._source = str(info.raw_cell)
        self._note_injected(self._source)
        if self._depth > 1:
            return
        self._stop_listening()
        self._panel = None
        self._is_silent_run = False
        self._pending = ()
        self._guarded(lambda: active.begin_cell(lambda: self._tags_of(info), self._show_panel, self._folder))
        self._guarded(lambda: self._record_begin(info))

    def post_execute(self) -> None:
        """End a run that a silent execution opened: it has no other event."""
        if self._is_silent_run and self._depth == 0:
            self._is_silent_run = False
            status, error, text = _outcome(self.shell.last_execution_result)
            self._guarded(self._keep_outputs)
            self._guarded(lambda: active.end_cell(status, error, text))

    def post_run_cell(self, result: ExecutionResult | None) -> None:
        """End the runs of the cell with what happened, and show their final form.

        ipykernel gives None where the cell was cancelled before it had a result.
        """
        # IPython says that an empty cell ended, but never that it began.
        if result is not None and result.info is not None and not (result.info.raw_cell or "").strip():
            return
        self._source = ""
        # The cell that loads the extension ends here without having begun.
        self._depth -= 1
        status, error, text = _outcome(result)
        if self._depth != 0:
            if self._depth < 0:
                self._guarded(lambda: self._recorder.end(status, names.now_ms()))
            self._depth = max(0, self._depth)
            return
        self._guarded(lambda: self._log_pending(is_finished=status == RunStatus.FINISHED))
        self._guarded(lambda: self._record_end(status))
        self._guarded(self._keep_outputs)
        # The cell may have a store of its own.
        here = active.client() if self._panel is not None else None
        self._guarded(lambda: active.end_cell(status, error, text))
        panel, self._panel = self._panel, None
        if panel is not None:
            self._guarded(lambda: panel.finish(lambda runs: self._changes_of(here, runs)))

    def open_run(self, written: str) -> None:
        """Open the run of a ``%%track_run`` cell."""
        # Only now: who loads the extension and tracks nothing does not pay for click.
        from tracknb.notebook.options import parse_line

        options = parse_line(written)
        if options is None:
            return
        self._guarded(lambda: magics.show_as_typed(written))
        self._is_silent_run = self._depth == 0
        if not options.display:
            active.mute_cell()
        active.open_cell_run(
            experiment=options.experiment,
            run_name=options.name,
            tags=options.tags,
            params=options.params,
            description=options.note,
            nested=options.nested,
            parent_run_id=options.parent,
            resume=options.resume,
            store=options.store,
            durable=options.durable,
            system_metrics=options.system_metrics or None,
            plateau=options.plateau,
            overtime_ms=options.overtime_ms,
            code_params=self._code_params(options.wanted_params),
        )
        if options.outputs and config.keeps_outputs():
            self._guarded(self._listen)

    def _listen(self) -> None:
        from tracknb.notebook.outputs import Outputs

        if self._outputs is None:
            self._outputs = Outputs(self.shell)

    def _stop_listening(self) -> None:
        """Hear no more of what is displayed, where a cell never came to its end."""
        outputs, self._outputs = self._outputs, None
        if outputs is not None:
            outputs.stop()

    def _keep_outputs(self) -> None:
        outputs, self._outputs = self._outputs, None
        if outputs is not None:
            outputs.keep()

    # -- params without a call ----------------------------------------------------------

    def _code_params(self, wanted: tuple[str, ...]) -> active.CodeParams:
        found = active.CodeParams()

        def read() -> None:
            nonlocal found
            found, self._pending = parameters.of_cell(self._source, wanted, self.shell.user_ns)

        if wanted:
            from tracknb.notebook import parameters

            self._guarded(read)
        return found

    def _log_pending(self, *, is_finished: bool) -> None:
        """Log the params that the cell has made by its end; a name that is nowhere is told once."""
        pending, self._pending = self._pending, ()
        if not pending:
            return
        from tracknb.notebook import parameters

        found, missing = parameters.at_end(pending, self.shell.user_ns)
        active.log_code_params(found)
        for name in missing if is_finished else ():
            if name not in self._never_seen:
                import difflib

                self._never_seen.add(name)
                near = difflib.get_close_matches(name, [key for key in self.shell.user_ns if key[0] != "_"], n=1)
                hint = f" Did you mean '{near[0]}'?" if near else ""
                warnings.warn(
                    f"--params names '{name}', and no variable was called so when the cell ended.{hint}",
                    RuntimeWarning,
                    stacklevel=2,
                )

    def _note_injected(self, source: str) -> None:
        """Remember the parameters that papermill wrote into a cell, for the runs that come."""
        found = literals.injected(source)
        if not found:
            return
        self._injected |= found
        active.state.injected = self._injected_params

    def _injected_params(self) -> active.CodeParams:
        from tracknb.notebook import parameters

        return parameters.injected(self._injected, self.shell.user_ns)

    def _show_panel(self) -> None:
        """Begin the panel; called when the cell gets its first run."""
        from tracknb.notebook.live import LivePanel

        if self._panel is None:
            ids = active.cell_runs_reader()
            self._panel = LivePanel(self.shell, lambda: active.snapshot(ids()))
            self._guarded(self._panel.start)

    def _changes_of(self, client: TrackingClient | None, runs: Sequence[LiveRun]) -> Mapping[str, Changes]:
        """Return what changed since the attempt before, of a cell that made one run."""
        found: dict[str, Changes] = {}

        def read() -> None:
            # A first attempt, or a run that goes on in the next cell.
            if len(runs) != 1 or (runs[0].attempt or 1) < 2 or runs[0].end_time is None or client is None:
                return
            from tracknb.looking.changes import changes_since_previous

            changes = changes_since_previous(client, client.get_run(runs[0].run_id))
            if changes is not None:
                found[runs[0].run_id] = changes

        self._guarded(read)
        return found

    def _tags_of(self, info: ExecutionInfo) -> Mapping[str, str]:
        notebook = source.notebook_path(self.shell.user_ns)
        cell_id = getattr(info, "cell_id", None)
        text = secrets.mask(str(info.raw_cell), "the source of a cell")
        # Without an id, as in a console or under nbclient, the whole text stands for it: two
        # cells that begin alike must not pass for attempts of one.
        place = cell_id or text
        tags = {
            SOURCE_NAME_TAG: notebook,
            SOURCE_TYPE_TAG: "NOTEBOOK",
            CELL_TAG: _shortened(text),
            EXECUTION_COUNT_TAG: str(self._execution_count(info)),
            # A digest: saved outputs carry it, and must not tell where the notebook lies.
            CELL_GROUP_TAG: hashlib.sha256(f"{notebook}#{place}".encode()).hexdigest()[:16],
            PYTHON_TAG: environment.python_version(),
            PLATFORM_TAG: environment.platform_name(),
        }
        if cell_id:
            tags[CELL_ID_TAG] = str(cell_id)
        return tags | active.git_tags(git.facts(self._folder()))

    def _folder(self) -> str:
        """Return where the notebook lies; the working directory where no front end tells."""
        return os.path.dirname(source.notebook_path(self.shell.user_ns)) or os.getcwd()

    # -- which cells a run depends on --------------------------------------------------------

    def _record_earlier(self) -> None:
        """Take in the cells that ran before the extension was loaded, and the one that loads it."""
        history = self.shell.history_manager
        inputs = list(enumerate(history.input_hist_raw[1:], 1)) if history is not None else []
        running = _message_code(self.shell)
        if running is not None and (not inputs or inputs[-1][1] != running):
            # Some clients, as nbval, have nothing kept of what they run.
            inputs.append((0, running))
        for number, raw in inputs:
            code = str(self.shell.transform_cell(raw))  # type: ignore[no-untyped-call]
            if (number, raw) != inputs[-1]:
                self._recorder.adopt(raw, code, execution_count=number)
            else:
                now = names.now_ms()
                self._recorder.begin(raw, code, cell_id="", execution_count=number, start_time=now, is_late=True)

    def hear(self, page: object, told: object) -> None:
        """Take in how a page's notebook stands; `line.Listener`."""
        self._told.hear(page, told, seen=len(self._recorder.executions))

    def forget(self, page: object) -> None:
        """Note that a page is gone; `line.Listener`."""
        self._told.forget(page)

    def _record_begin(self, info: ExecutionInfo) -> None:
        self._told.begin(_message_id(self.shell))
        raw = str(info.raw_cell or "")
        self._recorder.begin(
            raw,
            str(getattr(info, "transformed_cell", None) or raw),
            cell_id=str(getattr(info, "cell_id", None) or ""),
            execution_count=self._next_count(info),
            start_time=names.now_ms(),
        )

    def _next_count(self, info: ExecutionInfo) -> int:
        """Return the number in the brackets of a cell that begins: its input is not kept yet."""
        history = self.shell.history_manager
        return len(history.input_hist_raw) if info.store_history and history is not None else 0

    def _record_end(self, status: str) -> None:
        """Find out what the cell did; where it touched runs, their store gets to know which cells they depend on."""
        ended: list[Execution | None] = []
        self._guarded(lambda: ended.append(self._recorder.end(status, names.now_ms())))
        # Where it could not look, it has assumed.
        execution = ended[0] if ended else self._recorder.executions[-1]
        touched = active.cell_runs_reader()()
        if execution is None or not touched:
            return
        client = active.client()
        executions = self._recorder.executions
        needed, unmade = slice_of(executions, execution)
        chain = [*(item.execution for item in needed), execution]
        hidden = hidden_state(
            executions,
            needed,
            unmade,
            document=self._document(execution),
            changed=self._recorder.changed_files(chain),
        )
        contents = _contents(chain, unmade, self._folder())
        tags = {
            run.run_id: _graded(run.tags, hidden) | _read_files(run.tags, chain, contents)
            for run in active.snapshot(touched)
        }
        roles = {item.execution.number: item.names for item in needed}
        known = self._kept.get(client.address, 0)
        cells = [
            _as_stored(item, "tracked" if item is execution else "needed" if item.number in roles else "before", roles)
            for item in executions
            if item.number > known or item.number in roles or item is execution
        ]
        client.record_cells(
            {run_id: tags.get(run_id, {}) for run_id in touched},
            self._kernel,
            source.notebook_path(self.shell.user_ns),
            cells,
        )
        self._kept[client.address] = execution.number
        # The panel's final form is made of what is in memory.
        for run in active.snapshot(touched):
            run.tags |= tags[run.run_id]

    def _document(self, target: Execution) -> Document | None:
        """Return the notebook as it stood when the cell began; None where nobody tells it."""
        told = self._told.document(target)
        path = source.notebook_path(self.shell.user_ns)
        if told is not None or not target.cell_id or path == source.UNKNOWN:
            return told
        return self._saved.document(path, self._recorder.executions)

    def _execution_count(self, info: ExecutionInfo) -> int:
        """Return the number in the brackets of the cell that runs."""
        # IPython 9 counts up before a cell runs, 8 behind it. What it keeps of the inputs ends with this cell in both.
        history = self.shell.history_manager
        if info.store_history and history is not None:
            return len(history.input_hist_raw) - 1
        return int(self.shell.execution_count)

    def _guarded(self, step: Callable[[], Any]) -> None:
        """Do a step of ours; the cell is never the worse for it."""
        try:
            step()
        except Exception as problem:
            if not self._warned:
                self._warned = True
                told = str(problem) if isinstance(problem, TracknbError) else f"{type(problem).__name__}: {problem}"
                message = f"tracknb could not track this cell: {told.rstrip('.')}. The cell itself runs as it is "
                message += "written; its run may lack something. Later cells are tracked again; this is said once."
                warnings.warn(message, RuntimeWarning, stacklevel=2)


def _as_stored(execution: Execution, role: str, needed: Mapping[int, tuple[str, ...]]) -> CellExecution:
    """Return an execution as a store keeps it."""
    return CellExecution(
        number=execution.number,
        # Said when the run began, at a line of the cell; here would be none.
        source=_shortened(secrets.mask(execution.source, None)),
        cell_id=execution.cell_id[:250],
        execution_count=execution.execution_count,
        start_time=execution.start_time,
        end_time=execution.end_time,
        status=execution.status,
        role=role,
        names=needed.get(execution.number, ()),
        digests=execution.digests,
    )


def _contents(executions: Sequence[Execution], unmade: Collection[str], folder: str) -> dict[str, str]:
    """Return what the files held that cells read and none of them made: digests by path."""
    found = {
        path: digest
        for execution in executions
        for path, digest in execution.contents.items()
        if f"{FILE}{path}" in unmade and _may_be_told(path)
    }
    own = os.path.join(os.path.abspath(folder), "")
    # By paths that are the same on another machine, where they can be.
    return {without_home(path.removeprefix(own)): digest for path, digest in found.items()}


def _graded(tags: Mapping[str, str], hidden: Sequence[Hidden]) -> dict[str, str]:
    """Return the tags of a run's grade and of what speaks against it, beside what an earlier cell of it found."""
    grades = [tags.get(GRADE_TAG, ""), *(item.grade for item in hidden)]
    if tags.get(GIT_DIRTY_TAG) == "true":
        grades.append(DIRTY)
    earlier = tags.get(HIDDEN_STATE_TAG, "").splitlines()
    lines = dict.fromkeys([*earlier, *(f"{item.reason}. {item.remedy}" for item in hidden)])
    found = {GRADE_TAG: worst(grades)}
    if lines:
        found[HIDDEN_STATE_TAG] = secrets.mask("\n".join(lines), None)[:MAX_TAG_VALUE]
    return found


def _read_files(
    tags: Mapping[str, str], executions: Sequence[Execution], contents: Mapping[str, str]
) -> dict[str, str]:
    """Return the tags of the files that a run's cells read, beside those that an earlier cell of it read."""
    stamps = {path: stood for item in executions for path, stood in item.files.items() if _may_be_told(path)}
    found = {
        STAMPS_TAG: opened.written(stamps, tags.get(STAMPS_TAG, "")),
        CONTENTS_TAG: readfiles.written(contents, tags.get(CONTENTS_TAG, ""), letters=MAX_TAG_VALUE),
    }
    return {key: text for key, text in found.items() if text}


def _may_be_told(path: str) -> bool:
    """Say whether a file's name holds nothing that nobody is to see."""
    return secrets.mask(path, None) == path


def _message(shell: InteractiveShell) -> dict[str, Any]:
    """Return the message that the executed cell came in; empty outside of a kernel."""
    kernel = getattr(shell, "kernel", None)
    parent = kernel.get_parent("shell") if kernel is not None else None
    return parent if isinstance(parent, dict) else {}


def _message_id(shell: InteractiveShell) -> str:
    header = _message(shell).get("header")
    return str(header.get("msg_id", "")) if isinstance(header, dict) else ""


def _message_code(shell: InteractiveShell) -> str | None:
    content = _message(shell).get("content")
    code = content.get("code") if isinstance(content, dict) else None
    return code if isinstance(code, str) else None


def _outcome(result: ExecutionResult | None) -> tuple[str, str | None, str | None]:
    """Return how a cell ended: status, the error's line and its traceback."""
    if result is None:
        return RunStatus.KILLED, None, None
    error = result.error_before_exec or result.error_in_exec
    if error is None or (isinstance(error, SystemExit) and error.code in (None, 0)):
        return RunStatus.FINISHED, None, None
    # An interrupt reaches a cell that awaits as a cancellation.
    is_killed = isinstance(error, KeyboardInterrupt | asyncio.CancelledError)
    status = RunStatus.KILLED if is_killed else RunStatus.FAILED
    line = "".join(traceback.format_exception_only(error)).strip()
    return status, line, "".join(traceback.format_exception(error))


def _shortened(text: str) -> str:
    if len(text) <= MAX_TAG_VALUE:
        return text
    left_out = f"\n# ... {len(text) - MAX_TAG_VALUE + 60} characters are left out here ...\n"
    half = (MAX_TAG_VALUE - len(left_out)) // 2
    return text[:half] + left_out + text[-half:]


_sessions: dict[int, Session] = {}


def load(shell: InteractiveShell) -> None:
    """Give a shell the magics and hooks; twice is once."""
    if id(shell) not in _sessions:
        session = _sessions[id(shell)] = Session(shell)
        session.register()


def unload(shell: InteractiveShell) -> None:
    """Take everything back."""
    session = _sessions.pop(id(shell), None)
    if session is not None:
        session.unregister()
