"""Watches the cells of one kernel: what each of them read and changed, so that a run knows which ones it needs.

What the text of a cell says is held against what really happened: which names are other
objects afterwards, which objects have changed, which files were opened, whether random
numbers were drawn. Where that cannot be known in time, a change is assumed.
"""

from __future__ import annotations

import os
import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FunctionType, MethodType, ModuleType
from typing import Any, Final

from tracknb.capture.cellnames import CellNames, globals_of, names_of
from tracknb.capture.executions import DELETED, FILE, OTHERS, STATE, Execution
from tracknb.capture.fingerprints import fingerprint, of_state
from tracknb.capture.importing import Imports
from tracknb.capture.objects import Budget, Look, hash_of_state, is_a, is_atom, look
from tracknb.capture.opened import Opened, Stamp, differs, is_of_user, note, stamp, watch, with_digest
from tracknb.capture.readfiles import Digests, named_files

# How long all looks at objects may take before and after a cell, and what a long cell may cost besides.
_SECONDS: Final = 0.02
_SHARE: Final = 0.05
_MOST_SECONDS: Final = 1.0
# Two looks at 16 MB, which a cell has just read.
_READING_SECONDS: Final = 0.05
# Names that IPython binds itself; `_`, `__`, `_3` and `Out` are what a cell showed, and count.
_HIDDEN: Final = frozenset({"In", "_ih", "_oh", "_dh", "_i", "_ii", "_iii", "exit", "quit", "get_ipython", "open"})
_NOTHING: Final = object()
_TEXTS_KEPT: Final = 500
# How long it is looked whether files have changed.
_FILE_SECONDS: Final = 0.1
# Of a cell that binds more names, as `from x import *` does, these many get a digest.
_DIGESTS: Final = 100
_SEEDS: Final = ("seed", "manual_seed", "set_state", "setstate", "set_rng_state", "seed_everything", "set_seed")
_ENVIRONMENT: Final = ("environ", "getenv", "putenv", "subprocess")


@dataclass(slots=True)
class _Before:
    """What was there when a cell began."""

    code: str
    names: CellNames
    reads: set[str]
    ids: dict[str, int]
    looks: dict[str, Look | None]
    states: dict[str, object]
    began: float
    # The cell ran already: part of what it did was done unseen.
    is_late: bool = False
    files: Opened = field(default_factory=Opened)
    imports: Imports = field(default_factory=Imports)


class Recorder:
    """The executions of one kernel.

    Parameters
    ----------
    namespace
        The user's names, as the shell holds them.
    hidden
        Names that the shell put there before the user came.
    is_closed
        Says of a file that it must not be opened.
    """

    def __init__(
        self,
        namespace: dict[str, Any],
        hidden: Mapping[str, Any],
        is_closed: Callable[[str], bool] = lambda path: False,
    ) -> None:
        self.executions: list[Execution] = []
        self._namespace = namespace
        self._hidden = hidden
        self._looks: dict[str, Look | None] = {}
        # Names whose object could not be looked at, or not in time: it is not tried again.
        self._unknown: dict[str, int] = {}
        self._texts: OrderedDict[str, CellNames] = OrderedDict()
        self._before: _Before | None = None
        # Names of inputs, `_i3`, that were met.
        self._inputs: set[str] = set()
        self._digests = Digests(is_closed)
        # Which execution wrote a file last, and how that left it.
        self._written: dict[str, tuple[int, Stamp]] = {}

    def adopt(self, source: str, code: str, *, execution_count: int) -> None:
        """Note a cell that ran before anybody watched: only its text tells what it did."""
        names = self._names_of(code)
        execution = Execution(len(self.executions) + 1, source, "", execution_count, 0, None, "FINISHED")
        execution.reads, execution.kills = set(names.reads), set(names.binds)
        execution.writes = names.binds | names.may_bind | self._held(names)
        execution.digests = {OTHERS: ""}
        self.executions.append(execution)

    def begin(
        self, source: str, code: str, *, cell_id: str, execution_count: int, start_time: int, is_late: bool = False
    ) -> Execution:
        """Note that a cell begins, or runs already; ``code`` is what IPython makes of its source."""
        execution = Execution(len(self.executions) + 1, source, cell_id, execution_count, start_time)
        self.executions.append(execution)
        names = self._names_of(code)
        with self._or_assumed(execution, names):
            budget = Budget(_SECONDS)
            ids = self._ids()
            reads = set(ids) if names.reads_all else self._reached(names.reads)
            looks: dict[str, Look | None] = {}
            waiting = reads & ids.keys()
            while waiting:
                looked_up: set[str] = set()
                for name in waiting:
                    if name not in self._looks and not is_atom(self._namespace[name]):
                        self._look(name, budget)
                    seen = looks[name] = self._looks.get(name)
                    looked_up |= seen.looked_up if seen is not None else set()
                # Functions in a list or dictionary, or inside of other objects.
                waiting = (self._reached(looked_up & self._namespace.keys()) - reads) & ids.keys()
                reads |= waiting
            self._before = _Before(code, names, reads, ids, looks, _states(), time.perf_counter(), is_late)
            watch(self._before.files, self._before.imports.heard)
        return execution

    def end(self, status: str, end_time: int) -> Execution | None:
        """Note that the cell has ended, and find out what it did."""
        before, self._before = self._before, None
        watch(None)
        execution = self.executions[-1] if self.executions else None
        if execution is None or execution.status != "RUNNING":
            return None
        execution.status, execution.end_time = status, end_time
        if before is None:
            return execution
        with self._or_assumed(execution, before.names):
            seconds = min(_MOST_SECONDS, max(_SECONDS, (time.perf_counter() - before.began) * _SHARE))
            for path, how in named_files(before.code, self._namespace).items():
                if is_of_user(path):
                    note(before.files, path, how)
            self._compare(execution, before, Budget(seconds))
            read, written = (
                {os.path.abspath(path) for path, how in before.files.how.items() if letter in how} for letter in "rw"
            )
            execution.contents = self._digests.of(read - written, max(seconds, _READING_SECONDS))
        return execution

    @contextmanager
    def _or_assumed(self, execution: Execution, names: CellNames) -> Iterator[None]:
        """Take what the text of a cell speaks of for changed, where an object of the user's keeps us from looking."""
        try:
            yield
        except Exception:
            known = {name for name in self._namespace.copy() if not _is_input(name) and name not in self._hidden}
            execution.reads |= known if names.reads_all else names.reads
            execution.writes |= names.binds | names.may_bind | names.stores | (execution.reads & known)
            execution.kills = set()
            execution.assumed = set(execution.writes)
            execution.digests = {OTHERS: ""}
            self._looks.clear()
            raise

    # -- what a cell did ---------------------------------------------------------------

    def _compare(self, execution: Execution, before: _Before, budget: Budget) -> None:
        now, names = self._ids(), before.names
        rebound = {name for name in now.keys() | before.ids.keys() if now.get(name) != before.ids.get(name)}
        sure = names.binds if execution.status == "FINISHED" else set()
        bound = (sure | names.may_bind) & (now.keys() | before.ids.keys())
        if not before.is_late:
            # Importing once more what is there already changes nothing.
            bound = {name for name in bound if name in rebound or not _is_imported(self._namespace.get(name))}
        kills = rebound | (sure & bound)
        writes = kills | bound
        changed, assumed = self._changed(before, now, kills, budget)
        writes |= changed | self._sharing(changed, now, before.looks)
        if before.is_late:
            writes |= self._held(names)
        if assumed:
            execution.assumed = assumed | self._sharing(assumed, now, before.looks)
            execution.assumed -= kills | bound | (changed - assumed)
        execution.reads = before.reads & (before.ids.keys() | names.reads)
        execution.writes, execution.kills = writes, kills
        self._look_again(writes, now, budget)
        self._note_digests(execution, now, budget)
        self._note_states(execution, before)
        self._note_files(execution, before.files)

    def _held(self, names: CellNames) -> set[str]:
        """Return the names of a cell whose objects it may have changed unseen."""
        return {name for name in names.reads | names.stores if not is_atom(self._namespace.get(name))}

    def _changed(
        self, before: _Before, now: Mapping[str, int], kills: set[str], budget: Budget
    ) -> tuple[set[str], set[str]]:
        """Return the names whose object is the same one and holds something else, or may; and those that only may."""
        found, assumed = set(), set()
        for name in (before.reads | before.names.stores) & now.keys() - kills:
            value = self._namespace[name]
            if is_atom(value):
                # Attributes of a module or class are state that is bound there.
                if name in before.names.stores:
                    found.add(name)
                continue
            if is_a(value, FunctionType) and not value.__closure__ and name not in before.names.stores:
                continue
            then, after = before.looks.get(name), self._look(name, budget)
            if then is None or after is None or then.digest != after.digest:
                found.add(name)
            if then is None or after is None:
                assumed.add(name)
        return found, assumed

    def _look(self, name: str, budget: Budget) -> Look | None:
        """Look at the object of a name, and remember what it holds."""
        value = self._namespace[name]
        if self._unknown.get(name) == id(value):
            return None
        found = self._looks[name] = look(value, budget)
        if found is None:
            self._unknown[name] = id(value)
        else:
            self._unknown.pop(name, None)
        return found

    def _sharing(self, changed: set[str], now: Mapping[str, int], looks: Mapping[str, Look | None]) -> set[str]:
        """Return the other names whose objects share parts with those that changed."""
        parts: set[int] = set()
        for name in changed:
            for seen in (self._looks.get(name), looks.get(name)):
                parts |= seen.parts if seen is not None else frozenset()
            parts.add(id(self._namespace[name]))
        sharing = set()
        for name, value in now.items():
            seen = self._looks.get(name)
            if name not in changed and (value in parts or (seen is not None and not parts.isdisjoint(seen.parts))):
                sharing.add(name)
        return {name for name in sharing if not is_atom(self._namespace[name])}

    def _look_again(self, writes: set[str], now: Mapping[str, int], budget: Budget) -> None:
        """Remember what the objects that changed hold now, for the next cell that reads them."""
        for name in writes:
            self._looks.pop(name, None)
        for name in writes & now.keys():
            if not is_atom(self._namespace[name]):
                self._look(name, budget)

    def _note_digests(self, execution: Execution, now: Mapping[str, int], budget: Budget) -> None:
        """Note what the names that the cell bound or changed hold now."""
        written = sorted(filter(str.isidentifier, execution.writes))
        for name in written[:_DIGESTS]:
            value = self._namespace.get(name)
            known = fingerprint(name, value, self._looks.get(name), budget) if name in now else DELETED
            execution.digests[name] = known
        if len(written) > _DIGESTS:
            execution.digests[OTHERS] = ""

    def _note_states(self, execution: Execution, before: _Before) -> None:
        states, attributes = _states(), before.names.attributes
        drawn_by_imports = {f"{STATE}random"} if before.imports.drew_alone() else set()
        seeds = not attributes.isdisjoint(_SEEDS)
        for name, value in states.items():
            if value == before.states.get(name) or (name not in before.states and _is_untouched(name)):
                continue
            execution.writes.add(name)
            if name in _RANDOM:
                execution.digests[name] = of_state(value)
            if name in drawn_by_imports:
                # Who draws next goes on from there, but nothing here came from it.
                continue
            if name in _RANDOM and not seeds:
                # Numbers were drawn: the next one depends on those before it.
                execution.reads.add(name)
            else:
                execution.kills.add(name)
        if not attributes.isdisjoint(_ENVIRONMENT):
            execution.reads.add(f"{STATE}environ")
        if _imports(before.names):
            execution.reads.add(f"{STATE}path")

    def _note_files(self, execution: Execution, files: Opened) -> None:
        budget = Budget(_SECONDS)
        for path, how in files.how.items():
            if not os.path.isabs(path):
                execution.reads.add(f"{STATE}cwd")
            real = os.path.abspath(path)
            name = f"{FILE}{real}"
            if "r" in how:
                execution.reads.add(name)
                # Not where the cell went to another folder meanwhile.
                if real in files.stamps:
                    execution.files[real] = with_digest(files.stamps[real], real, budget)
            if "w" in how:
                execution.writes.add(name)
                if "r" not in how and "a" not in how:
                    execution.kills.add(name)
                if (left := stamp(real)) is not None:
                    self._written[real] = execution.number, left

    def changed_files(self, executions: Iterable[Execution]) -> dict[str, Execution]:
        """Return which files are others than when some executions read them, and which one did.

        What cells of this kernel wrote into a file afterwards is no change: the notebook shows it.
        A file that is gone is none either; it may have been there for a moment only.
        """
        found: dict[str, Execution] = {}
        budget = Budget(_FILE_SECONDS)
        # It loads changed modules again by itself, and not in a cell.
        passed_over = ".py" if "IPython.extensions.autoreload" in sys.modules else None
        for execution in executions:
            for path, then in execution.files.items():
                if budget.is_spent:
                    return found
                number, left = self._written.get(path, (0, then))
                now = stamp(path)
                if now is not None and os.path.splitext(path)[1] != passed_over:
                    known = left if number >= execution.number else then
                    if differs(path, known, now):
                        found[path] = execution
        return found

    # -- names -------------------------------------------------------------------------

    def _names_of(self, code: str) -> CellNames:
        known = self._texts.get(code)
        if known is None:
            known = self._texts[code] = names_of(code)
            if len(self._texts) > _TEXTS_KEPT:
                self._texts.popitem(last=False)
        return known

    def _ids(self) -> dict[str, int]:
        """Return which object each of the user's names stands for."""
        hidden, inputs = self._hidden, self._inputs
        # IPython binds a name for each cell's input, and so most names of a long session: those are passed over first.
        held = [item for item in self._namespace.copy().items() if item[0] not in inputs]
        inputs.update(name for name, _ in held if _is_input(name))
        return {
            name: id(value)
            for name, value in held
            if _is_shown(name)
            or (name not in _HIDDEN and name not in inputs and hidden.get(name, _NOTHING) is not value)
        }

    def _reached(self, names: set[str]) -> set[str]:
        """Return names, with those that the functions and classes behind them look up when they are used."""
        found: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name in found:
                continue
            found.add(name)
            if name in self._namespace:
                waiting.extend(self._looked_up(self._namespace[name]))
        return found

    def _looked_up(self, value: Any) -> set[str]:
        """Return the names of the user that a value looks up when it is called or used."""
        found: set[str] = set()
        for function in _functions_of(value, self._namespace):
            found |= globals_of(function.__code__) & self._namespace.keys()
        # An object's class may have been changed since it was made.
        return found | {base.__name__ for base in type(value).__mro__ if self._namespace.get(base.__name__) is base}


def _is_imported(value: Any) -> bool:
    """Say whether a value is a module, or a class or function of one."""
    return is_a(value, ModuleType) or (
        callable(value) and hasattr(value, "__qualname__") and getattr(value, "__module__", None) != "__main__"
    )


def _is_input(name: str) -> bool:
    """Say whether a name is `_i3`: the text of a cell, which IPython keeps."""
    return name.startswith("_i") and name[2:].isdecimal()


def _is_shown(name: str) -> bool:
    """Say whether a name is `_`, `__`, `___` or `_3`: what a cell showed, which IPython hides but code reads."""
    return name.startswith("_") and (not name.strip("_") or name[1:].isdecimal())


def _functions_of(value: Any, namespace: Mapping[str, Any]) -> list[FunctionType]:
    """Return the functions of the user's own that a value is, or that its class has."""
    if is_a(value, MethodType):
        value = value.__func__
    # Behind functools.wraps and functools.partial.
    value = getattr(value, "func", value) if type(value).__name__ == "partial" else value
    if is_a(value, FunctionType):
        own = [value] if value.__globals__ is namespace else []
        inner = getattr(value, "__wrapped__", None)
        return own + (_functions_of(inner, namespace) if isinstance(inner, FunctionType) else [])
    kind = value if is_a(value, type) else type(value)
    if kind.__module__ != namespace.get("__name__", "__main__"):
        return []
    found = []
    for base in kind.__mro__:
        for member in vars(base).values():
            function = getattr(member, "fget", None) or getattr(member, "__func__", member)
            if isinstance(function, FunctionType) and function.__globals__ is namespace:
                found.append(function)
    return found


# -- state that no name holds ----------------------------------------------------------


def _states() -> dict[str, object]:
    """Return what stands for the state of the process, as far as it can be compared."""
    found: dict[str, object] = {
        f"{STATE}cwd": _working_directory(),
        f"{STATE}path": tuple(sys.path),
        f"{STATE}environ": hash(frozenset(os.environ.items())),
    }
    for name, read in _RANDOM.items():
        module = sys.modules.get(name.removeprefix(STATE))
        if module is not None:
            found[name] = hash_of_state(lambda read=read, module=module: read(module))  # type: ignore[misc]
    return found


def _working_directory() -> str:
    try:
        return os.getcwd()
    except OSError:
        return ""


_RANDOM: Final[dict[str, Callable[[ModuleType], Any]]] = {
    f"{STATE}random": lambda module: module.getstate(),
    f"{STATE}numpy": lambda module: [
        item.tobytes() if hasattr(item, "tobytes") else item for item in module.random.get_state(legacy=True)
    ],
    f"{STATE}torch": lambda module: module.random.get_rng_state().numpy().tobytes(),
}


def _is_untouched(name: str) -> bool:
    """Say whether a generator that came with an import has given no number yet, as far as that can be seen."""
    if name != f"{STATE}numpy":
        return False
    _, words, place, *_ = sys.modules["numpy"].random.get_state(legacy=True)
    # So NumPy begins with what the system gives it; the first number turns all words over.
    return int(words[0]) == 0x80000000 and place >= 623


def _imports(names: CellNames) -> bool:
    """Say whether a cell imports something: then it depends on where Python looks for it."""
    return any(isinstance(sys.modules.get(name), ModuleType) for name in names.attributes)
