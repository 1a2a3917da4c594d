"""What changed between two runs of a cell, in words: one line each, and the same line wherever it is shown.

Told are params, tags, the evaluation set and data, lines of code, packages and what else of the
environment can matter, and how far the metrics moved. What differs between any two runs, such as
times and ids, is not a change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from tracknb.capture import readfiles
from tracknb.capture.lockfile import Lock
from tracknb.entities import (
    ACCELERATOR_TAG,
    CONTENTS_TAG,
    EVALUATION_DIGEST_TAG,
    PYTHON_TAG,
    SYSTEM_METRICS,
    CellExecution,
    Run,
    attempt_of,
    context_of,
    evaluation_sets,
)
from tracknb.view import format as fmt
from tracknb.view.base import safe, set_texts, shortened, shown_tags
from tracknb.view.cellcode import CellChange, changed_cells
from tracknb.view.delta import delta
from tracknb.view.direction import Goals

Kind = Literal["param", "tag", "evaluation set", "data", "code", "package", "environment", "metric"]
# How much an output says: items of each kind, letters of a value, lines of a cell and of all, letters of a line.
_MOST: Final = 12
_LETTERS: Final = 60
_CELL_LINES: Final = 12
_LINES: Final = 40
_LINE_LETTERS: Final = 120
_OTHER: Final = "other contents"
_CODE_FILE: Final = ".py"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a run that a change of it can be told by; without a lock nothing of its packages is."""

    run: Run
    cells: Sequence[CellExecution] = ()
    lock: Lock | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is another than before; ``lines`` are those of a diff."""

    kind: Kind
    text: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed since another run; make one with `changes_between`.

    ``causes`` may be why ``metrics`` moved. ``has_metrics`` says whether the two have one in common.
    """

    since: str
    causes: tuple[Change, ...]
    metrics: tuple[Change, ...]
    has_metrics: bool = True

    def headline(self) -> str:
        """Return what the list is called; all there is to say where nothing changed."""
        if self.causes:
            return f"Changed since {self.since}"
        moved = f"; the metrics {'moved' if self.metrics else 'did not'}" if self.has_metrics else ""
        return f"Nothing changed since {self.since}{moved}"

    def changes(self) -> tuple[Change, ...]:
        """Return all of them, the metrics last."""
        return (*self.causes, *self.metrics)

    def lines(self, *, with_code: bool = True) -> list[str]:
        """Return the headline and below it a line a change, with the lines of code that differ if wanted."""
        found = [self.headline()]
        for change in self.changes():
            found.append(f"  {fmt.one_line(change.text)}")
            found += [f"    {fmt.one_line(line)}" for line in change.lines if with_code]
        return found

    def html(self, *, with_code: bool = True) -> str:
        """Return the same as HTML; lines of code are folded."""
        items = "".join(f"<li>{_item(change) if with_code else safe(change.text)}</li>" for change in self.changes())
        return f"<p>{safe(self.headline())}</p>" + (f"<ul>{items}</ul>" if items else "")

    def payload(self, letters: int | None = None) -> dict[str, Any]:
        """Return the same as data; ``letters`` bounds each text."""
        return {
            "title": shortened(self.headline(), letters),
            "changes": [
                {
                    "kind": change.kind,
                    "text": shortened(change.text, letters),
                    "diff": [shortened(line, letters) for line in change.lines],
                }
                for change in self.changes()
            ],
        }


def changes_between(old: Facts, new: Facts, *, goals: Goals, since: str | None = None) -> Changes:
    """Return what changed from one run to another.

    Parameters
    ----------
    old, new
        The runs.
    goals
        Which way the metrics are better.
    since
        What the first is called; its attempt if left out, or its name.
    """
    attempt = attempt_of(old.run.data.tags)
    named = since or (old.run.info.run_name if attempt is None else f"attempt {attempt}")
    called = fmt.one_line(fmt.clipped(named, _LETTERS))
    causes = [
        *_bounded(_params(old.run, new.run)),
        *_bounded(_tags(old.run, new.run)),
        *_bounded(_data(old.run, new.run)),
        *_code(old, new, called),
        *_bounded(_packages(old.lock, new.lock)),
        *_bounded(_environment(old, new)),
    ]
    shared = sorted(old.run.data.metrics.keys() & new.run.data.metrics.keys())
    shared = [key for key in shared if not key.startswith(SYSTEM_METRICS)]
    return Changes(called, tuple(causes), tuple(_bounded(_metrics(old.run, new.run, shared, goals))), bool(shared))


def read_files(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the files that the cells behind a run read: digests by path."""
    return readfiles.read(tags.get(CONTENTS_TAG, ""))


def _item(change: Change) -> str:
    if not change.lines:
        return safe(change.text)
    shown = "\n".join(map(fmt.one_line, change.lines))
    return f"<details><summary>{safe(change.text)}</summary><pre>{safe(shown)}</pre></details>"


def _bounded(changes: Iterable[Change]) -> Iterator[Change]:
    """Yield the first of some changes, and how many more there are."""
    found = list(changes)
    yield from found[:_MOST]
    if len(found) > _MOST:
        left = len(found) - _MOST
        yield Change(found[-1].kind, f"and {left:,} more {_plural(found[-1].kind)}")


def _plural(kind: str) -> str:
    return {"data": "data", "code": "files of code", "environment": "variables"}.get(kind, f"{kind}s")


def _values(old: str | None, new: str | None) -> str:
    """Return ``old → new``; of long texts the part from where they differ."""
    texts = ["(none)" if text is None else fmt.one_line(text) or "''" for text in (old, new)]
    if max(map(len, texts)) > _LETTERS:
        same = next((at for at, pair in enumerate(zip(*texts, strict=False)) if pair[0] != pair[1]), 0)
        start = max(0, same - 10) if same > _LETTERS // 2 else 0
        texts = [fmt.clipped(("…" if start else "") + text[start:], _LETTERS) for text in texts]
    return " → ".join(texts)


def _differing(kind: Kind, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Change]:
    for key in fmt.sorted_keys([old, new]):
        if old.get(key) != new.get(key):
            yield Change(kind, f"{kind} {fmt.clipped(key, _LETTERS)} {_values(old.get(key), new.get(key))}")


def _params(old: Run, new: Run) -> Iterator[Change]:
    yield from _differing("param", old.data.params, new.data.params)


def _tags(old: Run, new: Run) -> Iterator[Change]:
    yield from _differing("tag", shown_tags(old.data.tags), shown_tags(new.data.tags))


def _data(old: Run, new: Run) -> Iterator[Change]:
    sets = set_texts(old.data.tags), set_texts(new.data.tags)
    digests = old.data.tags.get(EVALUATION_DIGEST_TAG), new.data.tags.get(EVALUATION_DIGEST_TAG)
    if sets[0] != sets[1]:
        yield Change("evaluation set", f"evaluation set {_values(*(text or None for text in sets))}")
    elif None not in digests and digests[0] != digests[1]:
        yield Change("evaluation set", f"evaluation set {fmt.clipped(sets[1], _LETTERS)}: {_OTHER}")
    used = _used(old), _used(new)
    for name in fmt.sorted_keys(used):
        if name not in used[0] or name not in used[1]:
            yield Change("data", f"data {fmt.clipped(name, _LETTERS)}: {'new' if name in used[1] else 'gone'}")
        elif used[0][name] != used[1][name]:
            yield Change("data", f"data {fmt.clipped(name, _LETTERS)}: {_OTHER}")
    yield from _files(read_files(old.data.tags), read_files(new.data.tags))


def _used(run: Run) -> dict[str, str]:
    """Return the datasets of a run but for its evaluation set: digests by name and what they were used for."""
    found: dict[str, str] = {}
    sets = evaluation_sets(run.data.tags)
    for item in run.inputs.dataset_inputs:
        context = context_of(item)
        if context != "evaluation" or item.dataset.name not in sets:
            found[f"{item.dataset.name} ({context})" if context else item.dataset.name] = item.dataset.digest
    return found


def _files(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Change]:
    for path in sorted(old.keys() & new.keys()):
        if old[path] != new[path]:
            shown = _path(path)
            if path.endswith(_CODE_FILE):
                yield Change("code", f"code of {shown}: {_OTHER}")
            else:
                yield Change("data", f"data {shown}: {_OTHER}")
    # What is only read once, such as a file that is kept in memory, is no change: told is what came in its place.
    gone, come = _data_only_in(old, new), _data_only_in(new, old)
    if gone and come:
        yield from (Change("data", f"data {_path(path)}: gone") for path in gone)
        yield from (Change("data", f"data {_path(path)}: new") for path in come)


def _data_only_in(files: Mapping[str, str], others: Mapping[str, str]) -> list[str]:
    return [path for path in sorted(files.keys() - others) if not path.endswith(_CODE_FILE)]


def _path(path: str) -> str:
    return path if len(path) <= _LETTERS else f"…{path[1 - _LETTERS :]}"


def _code(old: Facts, new: Facts, called: str) -> Iterator[Change]:
    if not old.cells or not new.cells:
        return
    left = _LINES
    changed = changed_cells(old.cells, new.cells, _told(old.run, new.run))
    for change in changed[:_MOST]:
        lines = _shown(change.lines, min(left, _CELL_LINES))
        left = max(0, left - len(lines))
        yield Change("code", _cell_words(change, new.cells[-1], called), lines)
    if len(changed) > _MOST:
        yield Change("code", f"and {len(changed) - _MOST:,} more cells")


def _told(old: Run, new: Run) -> set[tuple[str, str]]:
    """Return the values, old and new, of params, tags and evaluation sets that differ."""
    found = set(zip(evaluation_sets(old.data.tags), evaluation_sets(new.data.tags), strict=False))
    for before, after in (
        (old.data.params, new.data.params),
        (shown_tags(old.data.tags), shown_tags(new.data.tags)),
    ):
        found |= {(before[key], after[key]) for key in before.keys() & after}
    return {pair for pair in found if pair[0] != pair[1]}


def _cell_words(change: CellChange, own: CellExecution, called: str) -> str:
    cell = change.new or change.old
    assert cell is not None
    number = f" [{cell.execution_count}]" if cell.execution_count else ""
    if change.old is None:
        return f"code: the cell{number} is new"
    if change.new is None:
        return f"code: the cell{number} of {called} is gone"
    name = "the tracked cell" if change.new is own else f"the cell{number}"
    if not change.lines:
        return f"code of {name}: comments or layout"
    removed = sum(line.startswith("-") for line in change.lines)
    return f"code of {name}: +{len(change.lines) - removed} -{removed}"


def _shown(lines: Sequence[str], most: int) -> tuple[str, ...]:
    shown = [fmt.clipped(line, _LINE_LETTERS) for line in lines[:most]]
    left = len(lines) - len(shown)
    return tuple(shown + ([f"and {fmt.counted(left, left, 'more line')}"] if left else []))


def _packages(old: Lock | None, new: Lock | None) -> Iterator[Change]:
    # A later cell has mostly imported more, which is no reason for anything.
    if old is not None and new is not None:
        shared = old.versions.keys() & new.versions
        yield from _differing("package", *({name: lock.versions[name] for name in shared} for lock in (old, new)))


def _environment(old: Facts, new: Facts) -> Iterator[Change]:
    before, after = old.run.data.tags, new.run.data.tags
    for name, tag in (("Python", PYTHON_TAG), ("accelerator", ACCELERATOR_TAG)):
        values = before.get(tag), after.get(tag)
        # An older run may not know; nor does one that imported nothing that uses an accelerator.
        if None not in values and values[0] != values[1]:
            yield Change("environment", f"{name} {_values(*values)}")
    if old.lock is not None and new.lock is not None:
        yield from _differing("environment", old.lock.variables, new.lock.variables)


def _metrics(old: Run, new: Run, keys: Sequence[str], goals: Goals) -> Iterator[Change]:
    for key in keys:
        before, after = old.data.metrics[key], new.data.metrics[key]
        # NaN is not itself, and has not moved.
        if before != after and not (before != before and after != after):
            found = delta(after, before, goals.direction(key))
            beside = f" ({found.text()})" if found is not None else ""
            text = f"metric {fmt.clipped(key, _LETTERS)} {fmt.number(before)} → {fmt.number(after)}{beside}"
            yield Change("metric", text)
