"""The page of a run: everything that is known of it, in one place."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tracknb.capture import lockfile
from tracknb.capture.displays import FOLDER as OUTPUTS_FOLDER
from tracknb.capture.executions import in_words
from tracknb.capture.git import DIFF_NAME, UNTRACKED_FOLDER
from tracknb.capture.hidden import DOUBTFUL
from tracknb.entities import (
    ACCELERATOR_TAG,
    CELL_ID_TAG,
    CELL_TAG,
    CONTENTS_TAG,
    END_REASON_TAG,
    ERROR_TAG,
    EXECUTION_COUNT_TAG,
    GIT_BRANCH_TAG,
    GIT_CHANGES_TAG,
    GIT_COMMIT_TAG,
    GIT_DIFF_TAG,
    GIT_DIRTY_TAG,
    GIT_REMOTE_TAG,
    GIT_UNTRACKED_TAG,
    GRADE_TAG,
    HIDDEN_STATE_TAG,
    LOCK_TAG,
    NOTE_TAG,
    OUTPUTS_TAG,
    PACKAGES_TAG,
    PLATFORM_TAG,
    PYTHON_TAG,
    SOURCE_NAME_TAG,
    SOURCE_TYPE_TAG,
    STAMPS_TAG,
    TRACEBACK_TAG,
    CellExecution,
    DatasetInput,
    Run,
    alerts_of,
    attempt_of,
    context_of,
    doubts_of,
    evaluation_sets,
)
from tracknb.live import LiveSeries
from tracknb.view import format as fmt
from tracknb.view.base import (
    HTML_LIMIT,
    VERSION,
    View,
    chip_texts,
    fitted,
    html_table,
    safe,
    sendable,
    set_texts,
    short_note,
    shortened,
    shown_tags,
)
from tracknb.view.changes import Changes, read_files
from tracknb.view.chart import Panel as ChartPanel
from tracknb.view.chart import color_index, curves_altair, image, small_multiples
from tracknb.view.panel import METRIC_HEAD, METRIC_RIGHT, family_charts, metric_rows, series_facts, thinned_points

if TYPE_CHECKING:
    import altair as alt

# As a panel's: the picture beside it takes its share of the output.
_PAYLOAD_LIMIT: Final = 110_000
_POINTS: Final = 1_000
# A page that a kernel was asked for is saved nowhere.
_POINTS_ASKED: Final = 20_000
_PER_CURVE: Final = 500
_LEAST_PER_CURVE: Final = 16
_PICTURES: Final = 12
_CODE_LINES: Final = 40
_FILES: Final = 20
_NAMES: Final = 8
# Shown in places of their own.
_SHOWN_ELSEWHERE: Final = (
    *(CELL_TAG, TRACEBACK_TAG, NOTE_TAG, LOCK_TAG, GIT_DIFF_TAG, GIT_UNTRACKED_TAG),
    *(GRADE_TAG, HIDDEN_STATE_TAG, STAMPS_TAG, CONTENTS_TAG),
)
# How many letters of a text, of a code and how many rows of a table the HTML may hold.
_BOUNDS: Final = ((200, 8_000, 50), (60, 4_000, 50), (60, 2_000, 20), (30, 500, 8), (20, 200, 3))


@dataclass(frozen=True, slots=True)
class Relative:
    """A run that another belongs to, or that belongs to another."""

    run_id: str
    name: str
    status: str


@dataclass(frozen=True, slots=True)
class PageFile:
    """A file or folder of a run."""

    path: str
    is_dir: bool
    size_bytes: int | None


@dataclass(frozen=True, slots=True)
class PageFiles:
    """The files of a run; ``entries`` is None where nobody looked, because looking costs time."""

    location: str
    entries: Sequence[PageFile] | None = None
    is_cut: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class PageFacts:
    """What a run page is made of."""

    run: Run
    experiment: str
    series: Mapping[str, LiveSeries]
    files: PageFiles
    parent: Relative | None = None
    children: Sequence[Relative] = field(default_factory=tuple)
    has_more_children: bool = False
    home: str = ""
    # The cells that the run depends on, its own not among them.
    cells: Sequence[CellExecution] = field(default_factory=tuple)
    # Since the attempt before; None for a first one, and while the run goes on.
    changes: Changes | None = None


class RunPage(View):
    """One run with all that is known of it; make one with ``tracknb.show()``."""

    def __init__(self, facts: PageFacts, *, now_ms: int) -> None:
        super().__init__()
        self._facts = facts
        self._now_ms = now_ms
        self.payload_limit = _PAYLOAD_LIMIT

    @classmethod
    def of(cls, facts: PageFacts, *, now_ms: int) -> RunPage:
        """Return the page of a run; ``now_ms`` is when it is drawn."""
        return cls(facts, now_ms=now_ms)

    @property
    def run(self) -> Run:
        """The run as the store knew it when the page was made."""
        return self._facts.run

    @property
    def _tags(self) -> Mapping[str, str]:
        return self.run.data.tags

    def to_altair(self, metric: str | Sequence[str] | None = None) -> alt.Chart | alt.FacetChart:
        """Return an Altair chart of the curves, or of those of one metric or several."""
        wanted = None if metric is None else {metric} if isinstance(metric, str) else set(metric)
        curves = {key: (item.x, item.y) for key, item in self._series() if wanted is None or key in wanted}
        return curves_altair({self.run.info.run_name: curves})

    def _series(self) -> list[tuple[str, LiveSeries]]:
        return sorted(self._facts.series.items())

    # -- in words --------------------------------------------------------------------

    def text(self, *, times: bool = False) -> str:
        """Return blocks of lines: what it is, params, metrics, data, files and code.

        Without ``times`` nothing that belongs to one machine or one moment.
        """
        data = self.run.data
        lines = [fmt.one_line(fmt.clipped(self._headline(), 500)), ""]
        facts = [row for row in self._rows(times=times) if row[1]]
        lines.append(_aligned(facts))
        if self._facts.changes is not None:
            lines += ["", *self._facts.changes.lines()]
        if note := self._tags.get(NOTE_TAG):
            lines += ["", "note", _indented(note)]
        if data.params:
            lines += [
                "",
                fmt.columns(["param", "value"], [list(item) for item in data.params.items()], right=[False] * 2),
            ]
        if self._facts.series:
            lines += ["", fmt.columns(METRIC_HEAD, metric_rows(self._series()), right=METRIC_RIGHT)]
        if times and self._tags.get(TRACEBACK_TAG):
            lines += ["", "traceback", _indented(self._private(self._tags[TRACEBACK_TAG]))]
        if data_rows := self._data_rows(times=times):
            lines += ["", fmt.columns(_DATA_HEAD, data_rows, right=[False] * len(_DATA_HEAD))]
        files = self._facts.files
        if rows := _file_rows([item for item in files.entries or () if times or not _is_captured(item.path)]):
            more = "" if len(rows) <= _FILES and not files.is_cut else "\nand more"
            lines += ["", fmt.columns(["file", "size"], rows[:_FILES], right=[False, True]) + more]
        if code := self._tags.get(CELL_TAG):
            lines += ["", "code", _indented(code)]
        return "\n".join(lines)

    def _headline(self) -> str:
        attempt = attempt_of(self._tags)
        again = f"  (attempt {attempt})" if attempt is not None and attempt > 1 else ""
        return f"{fmt.status(self.run.info.status)}  {self.run.info.run_name}  in {self._facts.experiment}{again}"

    def _rows(self, *, times: bool) -> list[tuple[str, str]]:
        """Return the labels and values of the head, empty ones too."""
        info, tags, facts = self.run.info, self._tags, self._facts
        children = ", ".join(child.name for child in facts.children[:20]) + (" ..." if facts.has_more_children else "")
        git = " ".join(filter(None, (tags.get(GIT_BRANCH_TAG), tags.get(GIT_COMMIT_TAG, "")[:12])))
        how = f" ({tags[GIT_CHANGES_TAG]})" if tags.get(GIT_CHANGES_TAG) else ""
        changed = f"with changes that are not committed{how}" if tags.get(GIT_DIRTY_TAG) == "true" or how else ""
        local = [
            ("run id", info.run_id),
            ("submitted by", info.user_id),
            ("start", fmt.moment(info.start_time)),
            ("end", fmt.moment(info.end_time)),
            ("duration", fmt.duration((info.end_time or self._now_ms) - info.start_time)),
        ]
        environment = [
            ("environment", self._environment()),
            ("git", ", ".join(filter(None, (git, tags.get(GIT_REMOTE_TAG), changed)))),
            ("imported, not in git", ", ".join(self._untracked())),
            ("files at", self._private(facts.files.location)),
        ]
        error = self._private(tags.get(ERROR_TAG) or tags.get(END_REASON_TAG, ""))
        return [
            *(local if times else ()),
            ("lifecycle", info.lifecycle_stage if info.lifecycle_stage != "active" else ""),
            ("error", error),
            ("alerts", ", ".join(alerts_of(tags))),
            ("evaluation set", set_texts(tags)),
            ("tags", ", ".join(chip_texts(tags))),
            ("parent", facts.parent.name if facts.parent is not None else ""),
            ("children", children),
            ("source", self._source()),
            ("outputs left out", tags.get(OUTPUTS_TAG, "")),
            # What a grade owes to the work tree is another thing on every machine.
            ("grade", tags.get(GRADE_TAG, "") if times or tags.get(GRADE_TAG) in DOUBTFUL else ""),
            *(
                ("hidden state" if place == 0 else "", line)
                for place, line in enumerate(_lines(tags, HIDDEN_STATE_TAG))
            ),
            *(environment if times else ()),
        ]

    def _python(self) -> str:
        version = self._tags.get(PYTHON_TAG, "")
        return f"Python {version}" if version else ""

    def _environment(self) -> str:
        tags, count = self._tags, self._tags.get(PACKAGES_TAG)
        packages = f"{count} packages" if count else ""
        return ", ".join(filter(None, (self._python(), tags.get(PLATFORM_TAG), tags.get(ACCELERATOR_TAG), packages)))

    def _untracked(self) -> list[str]:
        return _lines(self._tags, GIT_UNTRACKED_TAG)

    def _source(self) -> str:
        name, count = self._tags.get(SOURCE_NAME_TAG, ""), self._tags.get(EXECUTION_COUNT_TAG)
        short = name.replace("\\", "/").rsplit("/", 1)[-1]
        return f"{short}, cell [{count}]" if count else short

    def _data_rows(self, *, times: bool) -> list[list[str]]:
        rows = []
        for item in self.run.inputs.dataset_inputs:
            context = context_of(item)
            source = self._private(_source_of(item)) if times else ""
            rows.append([item.dataset.name, item.dataset.digest, context, source])
        # Files in other folders are elsewhere on another machine.
        files = read_files(self._tags).items()
        return rows + [[path, digest, _READ, ""] for path, digest in files if times or not _is_absolute(path)]

    def _private(self, text: str) -> str:
        """Return a text that is saved into notebooks: it does not tell how the user's folder is called."""
        return fmt.without_home(text, self._facts.home)

    # -- as HTML ---------------------------------------------------------------------

    def html(self) -> str:
        """Return tables, the note and the picture of the curves; every stored text escaped."""
        body = ""
        for letters, code, rows in _BOUNDS:
            body = self._html_within(letters, code, rows)
            if len(body) <= HTML_LIMIT:
                break
        return body

    def _html_within(self, letters: int, code: int, rows: int) -> str:
        facts = [list(row) for row in self._rows(times=True) if row[1]]
        parts = [
            f"<p><b>{safe(fmt.clipped(self._headline(), 1_000))}</b></p>",
            html_table(["", ""], facts, right=[False, False], letters=max(letters, 60)),
        ]
        if self._facts.changes is not None:
            parts.append(self._facts.changes.html())
        if note := self._tags.get(NOTE_TAG):
            parts.append(f"<p><b>note</b></p><pre>{safe(fmt.clipped(note, code))}</pre>")
        tables: list[tuple[Sequence[str], list[list[str]], Sequence[bool]]] = [
            (["param", "value"], [list(item) for item in self.run.data.params.items()], [False, False]),
            (METRIC_HEAD, metric_rows(self._series()), METRIC_RIGHT),
        ]
        parts += [_some(head, body, right, letters, rows) for head, body, right in tables if body]
        parts.append(self._picture())
        files = self._facts.files
        tables = [
            (_DATA_HEAD, self._data_rows(times=True), [False] * len(_DATA_HEAD)),
            (["file", "size"], _file_rows(files.entries or ()), [False, True]),
        ]
        parts += [_some(head, body, right, letters, rows) for head, body, right in tables if body]
        if trace := self._tags.get(TRACEBACK_TAG):
            parts.append(f"<p><b>traceback</b></p><pre>{safe(self._private(trace)[-code:])}</pre>")
        if source := self._tags.get(CELL_TAG):
            parts.append(f"<p><b>code</b></p><pre>{safe(fmt.clipped(source, code))}</pre>")
        return "".join(parts)

    def _picture(self) -> str:
        charts = family_charts(self._series())
        if not charts:
            return ""
        drawn = [charts[family] for family in sorted(charts)[:_PICTURES]]
        panels = [ChartPanel(", ".join(curve.name for curve in curves), curves) for curves in drawn]
        spoken = "Curves: " + ", ".join(panel.title for panel in panels)
        left_out = len(charts) - len(panels)
        more = f"<p>and {left_out:,} more charts</p>" if left_out else ""
        return image(small_multiples(panels), fmt.clipped(spoken, 500)) + more

    # -- as data ---------------------------------------------------------------------

    def payload(self) -> dict[str, Any]:
        """Return the page's data as an output carries it: curves thinned, long texts cut where it must be.

        ``note`` says what was left out.
        """
        # A saved page has room for what a screen may ask for.
        most = (_POINTS, _PER_CURVE) if self.payload_limit <= _PAYLOAD_LIMIT else (_POINTS_ASKED, _POINTS_ASKED)

        def make(count: int, letters: int | None, keys: int | None) -> dict[str, Any]:
            return self._payload_of(letters, keys, points=most[0], per_curve=most[1])

        return fitted(make, self.payload_limit, count=1, keys=self._most_keys)

    def _most_keys(self) -> int:
        facts, data = self._facts, self.run.data
        return max(len(facts.series), len(data.params), len(data.tags), len(facts.files.entries or ()))

    def full_payload(self) -> dict[str, Any]:
        """Return the page's data for a screen that asked for it: nothing is cut, and curves keep more points."""
        return self._payload_of(None, None, points=_POINTS_ASKED, per_curve=_POINTS_ASKED, is_saved=False)

    def _payload_of(
        self,
        letters: int | None,
        keys: int | None,
        *,
        points: int,
        per_curve: int,
        is_saved: bool = True,
    ) -> dict[str, Any]:
        info, tags, facts = self.run.info, self._tags, self._facts
        limit = max(_LEAST_PER_CURVE, min(per_curve, points // max(1, len(facts.series))))
        is_thinned = any(len(item.x) > limit for item in facts.series.values())
        hide = self._private if is_saved else str
        own = shown_tags(tags)
        system = {key: value for key, value in tags.items() if key not in own and key not in _SHOWN_ELSEWHERE}

        def short(text: str) -> str:
            return shortened(hide(text), letters)

        def pairs(mapping: Mapping[str, str]) -> list[list[str]]:
            return [[sendable(key), short(value)] for key, value in list(mapping.items())[:keys]]

        notes = [
            f"Curves are thinned to {limit} points each." if is_thinned else "",
            short_note(letters, keys) if letters is not None else "",
        ]
        return {
            "version": VERSION,
            "kind": "run",
            "view": self.view_id,
            "now": self._now_ms,
            "note": " ".join(filter(None, notes)),
            "thinned": is_thinned or letters is not None,
            "run": {
                "id": info.run_id,
                "name": sendable(info.run_name),
                "experiment": sendable(facts.experiment),
                "experimentId": info.experiment_id,
                "status": info.status,
                "lifecycle": info.lifecycle_stage,
                "user": sendable(info.user_id),
                "start": info.start_time,
                "end": info.end_time,
                "color": color_index(info.run_id),
                "attempt": attempt_of(self._tags),
                "source": {
                    "name": short(tags.get(SOURCE_NAME_TAG, "")),
                    "type": short(tags.get(SOURCE_TYPE_TAG, "")),
                    "cell": short(tags.get(CELL_ID_TAG, "")),
                    "count": short(tags.get(EXECUTION_COUNT_TAG, "")),
                },
                "env": {
                    "python": short(tags.get(PYTHON_TAG, "")),
                    "platform": short(tags.get(PLATFORM_TAG, "")),
                    "accelerator": short(tags.get(ACCELERATOR_TAG, "")),
                    "packages": short(tags.get(PACKAGES_TAG, "")),
                },
                "git": {
                    "commit": short(tags.get(GIT_COMMIT_TAG, "")),
                    "branch": short(tags.get(GIT_BRANCH_TAG, "")),
                    "remote": short(tags.get(GIT_REMOTE_TAG, "")),
                    "dirty": tags.get(GIT_DIRTY_TAG) == "true",
                    "changes": short(tags.get(GIT_CHANGES_TAG, "")),
                    "untracked": [short(name) for name in self._untracked()[:keys]],
                },
                "error": short(tags.get(ERROR_TAG) or tags.get(END_REASON_TAG, "")),
                "traceback": short(tags.get(TRACEBACK_TAG, "")),
                "description": short(tags.get(NOTE_TAG, "")),
                "evalSets": [shortened(name, letters) for name in evaluation_sets(tags)],
                "tags": pairs(own),
                "systemTags": pairs(system),
                "params": pairs(self.run.data.params),
                "series": [{**series_facts(item), **thinned_points(item, limit)} for _, item in self._series()[:keys]],
                "code": shortened(tags.get(CELL_TAG, ""), None if letters is None else 4 * letters),
                "since": None if facts.changes is None else facts.changes.payload(letters),
                "grade": short(tags.get(GRADE_TAG, "")),
                "doubts": [short(line) for line in doubts_of(tags)[:keys]],
                "cells": [
                    {
                        "count": cell.execution_count,
                        "names": [sendable(in_words(name)) for name in cell.names[:_NAMES]],
                        "source": short(cell.source),
                    }
                    for cell in facts.cells[: keys if keys is None else 2 * keys]
                ],
                "inputs": [
                    {
                        "name": sendable(item.dataset.name),
                        "digest": sendable(item.dataset.digest),
                        "context": sendable(context_of(item)),
                        "source": short(_source_of(item)),
                        "type": sendable(item.dataset.source_type),
                    }
                    for item in self.run.inputs.dataset_inputs[:keys]
                ]
                + [
                    {"name": short(path), "digest": sendable(digest), "context": _READ, "source": "", "type": "file"}
                    for path, digest in list(read_files(tags).items())[:keys]
                ],
                "files": {
                    "location": short(facts.files.location),
                    "entries": None
                    if facts.files.entries is None
                    else [
                        {"path": sendable(item.path), "dir": item.is_dir, "size": item.size_bytes}
                        for item in facts.files.entries[:keys]
                    ],
                    "cut": facts.files.is_cut or (keys is not None and len(facts.files.entries or ()) > keys),
                    "problem": sendable(hide(facts.files.problem)),
                },
                "parent": None if facts.parent is None else _relative(facts.parent),
                "children": [_relative(child) for child in facts.children[:keys]],
                "moreChildren": facts.has_more_children,
            },
        }


_DATA_HEAD: Final = ("data", "digest", "context", "source")
# What a file was used for that code read and nobody logged.
_READ: Final = "file read"


def _lines(tags: Mapping[str, str], key: str) -> list[str]:
    return list(filter(None, tags.get(key, "").split("\n")))


def _relative(run: Relative) -> dict[str, Any]:
    return {"id": run.run_id, "name": sendable(run.name), "status": run.status, "color": color_index(run.run_id)}


def _source_of(item: DatasetInput) -> str:
    """Return where data came from, in a line: a path or an address where there is one."""
    try:
        fields = json.loads(item.dataset.source)
    except ValueError:
        return item.dataset.source
    if not isinstance(fields, dict):
        return item.dataset.source
    found = fields.get("uri", fields.get("url"))
    return item.dataset.source_type if found is None else str(found)


def _is_absolute(path: str) -> bool:
    return path.startswith(("/", "~")) or path[1:2] == ":"


def _is_captured(path: str) -> bool:
    """Tell whether a file is one that tracked cells keep by themselves; it is another on every machine."""
    own = (lockfile.NAME, DIFF_NAME, UNTRACKED_FOLDER, OUTPUTS_FOLDER)
    return (
        path in own
        or path.startswith((f"{UNTRACKED_FOLDER}/", f"{OUTPUTS_FOLDER}/"))
        or any(item.startswith(f"{path}/") for item in own)
    )


def _file_rows(entries: Sequence[PageFile]) -> list[list[str]]:
    return [
        [f"{item.path}/" if item.is_dir else item.path, "" if item.size_bytes is None else fmt.size(item.size_bytes)]
        for item in entries
    ]


def _aligned(rows: Sequence[tuple[str, str]]) -> str:
    """Return labels and values, the values below each other."""
    wide = max((len(label) for label, _ in rows), default=0)
    return "\n".join(f"{label.ljust(wide)}  {fmt.one_line(fmt.clipped(value, 500))}" for label, value in rows)


def _indented(text: str) -> str:
    """Return the first lines of a text, set apart."""
    lines = text.splitlines()
    shown = [f"    {fmt.one_line(fmt.clipped(line, 200))}".rstrip() for line in lines[:_CODE_LINES]]
    more = [f"    and {len(lines) - _CODE_LINES:,} more lines"] if len(lines) > _CODE_LINES else []
    return "\n".join([*shown, *more])


def _some(head: Sequence[str], rows: list[list[str]], right: Sequence[bool], letters: int, count: int) -> str:
    """Return a table of the first rows; it says how many more there are."""
    more = f"<p>and {len(rows) - count:,} more</p>" if len(rows) > count else ""
    return html_table(head, rows[:count], right=right, letters=letters) + more
