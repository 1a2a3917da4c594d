"""Runs side by side: what they share, and where they differ from the first of them.

The first run is the baseline. A metric's difference to it says whether that is better or
worse where somebody knows which way is up; what differs is marked by a sign and not only
by colour. Code is compared line by line.
"""

from __future__ import annotations

import difflib
import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Self

from tracknb.capture.lockfile import Lock
from tracknb.entities import (
    ACCELERATOR_TAG,
    ATTEMPT_TAG,
    CELL_TAG,
    ERROR_TAG,
    EVALUATION_DIGEST_TAG,
    GIT_BRANCH_TAG,
    GIT_CHANGES_TAG,
    GIT_COMMIT_TAG,
    GIT_DIRTY_TAG,
    GIT_UNTRACKED_TAG,
    NOTE_TAG,
    PARENT_TAG,
    PLATFORM_TAG,
    PYTHON_TAG,
    SOURCE_NAME_TAG,
    SYSTEM_METRICS,
    CellExecution,
    Run,
    context_of,
    evaluation_sets,
)
from tracknb.live import LiveSeries
from tracknb.view import format as fmt
from tracknb.view.base import (
    HTML_LIMIT,
    bounded_table,
    html_table,
    safe,
    sendable,
    set_texts,
    shown_tags,
)
from tracknb.view.cellcode import joined
from tracknb.view.changes import Changes, read_files
from tracknb.view.chart import (
    ALTAIR_ROWS,
    Panel,
    abscissa,
    curves_altair,
    image,
    looks_of,
    small_multiples,
    thin,
)
from tracknb.view.delta import delta
from tracknb.view.direction import Goals
from tracknb.view.panel import series_facts
from tracknb.view.table import RunsView, coded

if TYPE_CHECKING:
    import altair as alt

# What a sentence names before it counts the rest, and how much of each name.
_LISTED: Final = 4
_NAME_LETTERS: Final = 60
# More runs than this have a row each and not a column: side by side they would not fit.
_SIDE_BY_SIDE: Final = 8
_COLUMNS_OF_MANY: Final = 12
# Packages that have a row each, and how many a cell names that other runs lack.
_PACKAGES: Final = 100
_LISTED_PACKAGES: Final = 8
_DIFFERS: Final = "≠"
_DIFF_LINES: Final = 80
_DIFF_LETTERS: Final = 16_000
# difflib takes time that grows with the square of what it reads.
_CODE_LINES: Final = 2_000
_CODE_LETTERS: Final = 12_000
_CODE_SHARE: Final = 40_000
_POINTS: Final = 2_000
_PER_CURVE: Final = 300
_LEAST_PER_CURVE: Final = 12
_LEAST_FOR_CURVES: Final = 20_000
_PICTURES: Final = 6


@dataclass(frozen=True, slots=True)
class Row:
    """One fact of every run; None where a run lacks it. ``steady`` says that it is the same on every machine."""

    section: str
    key: str
    cells: tuple[str | None, ...]
    steady: bool = True
    # What a cell says beside its value, such as the difference to the baseline.
    beside: tuple[str, ...] = ()
    # Times of runs always differ, which tells nothing.
    matters: bool = True

    @property
    def differs(self) -> bool:
        """Whether the runs differ in it."""
        return self.matters and len(set(self.cells)) > 1

    def texts(self) -> list[str]:
        """Return what the cells show."""
        beside = self.beside or ("",) * len(self.cells)
        return [f"{cell or ''} ({more})" if more else cell or "" for cell, more in zip(self.cells, beside, strict=True)]


class Comparison(RunsView):
    """Runs side by side; make one with ``tracknb.compare()``."""

    kind = "compare"
    goals: Goals
    # By run id and metric; they may be thinned.
    curves: Mapping[str, Mapping[str, LiveSeries]]
    # By run id; of a run without one nothing is known.
    environments: Mapping[str, Lock]
    # By run id: the cells that a run depends on and its own.
    cells: Mapping[str, Sequence[CellExecution]]
    changes: Changes | None = None
    # The ids of runs whose cells displayed something that is kept.
    with_outputs: Collection[str] = ()
    differences_only = False
    curves_left_out = 0

    @classmethod
    def of(
        cls,
        runs: Sequence[Run],
        *,
        experiments: Mapping[str, str],
        curves: Mapping[str, Mapping[str, LiveSeries]],
        goals: Goals,
        now_ms: int,
        differences_only: bool = False,
        curves_left_out: int = 0,
        environments: Mapping[str, Lock] | None = None,
        cells: Mapping[str, Sequence[CellExecution]] | None = None,
        changes: Changes | None = None,
        with_outputs: Collection[str] = (),
    ) -> Self:
        """Return the comparison of runs with the first of them.

        Parameters
        ----------
        runs
            At least one; the first is the baseline.
        experiments
            Names by id.
        curves
            By run id and metric; they may be thinned.
        goals
            Which way the metrics are better.
        now_ms
            When this is drawn, in milliseconds since 1970.
        differences_only
            Whether what all runs share is hidden at first.
        curves_left_out
            How many metrics have curves that are not given.
        environments
            What the runs imported, by run id.
        cells
            The cells that a run depends on and its own, by run id.
        changes
            The same in short, where two runs are compared.
        with_outputs
            The ids of runs whose cells displayed something that is kept.
        """
        title = ", ".join(dict.fromkeys(experiments.get(run.info.experiment_id, "") for run in runs))
        view = cls(
            runs, experiments=experiments, title=title, query="", total=len(runs), matched=len(runs), now_ms=now_ms
        )
        view.curves = curves
        view.environments = environments or {}
        view.cells = cells or {}
        view.changes = changes
        view.with_outputs = frozenset(with_outputs)
        view.goals = goals
        view.differences_only = differences_only
        view.curves_left_out = curves_left_out
        return view

    def headline(self) -> str:
        """Return what is compared, such as "3 runs in nyc-taxi; the others against linear"."""
        against = f"; the others against {self.labels()[0]}" if len(self.runs) > 1 else ""
        return fmt.one_line(f"{fmt.counted(len(self.runs), len(self.runs))} in {self.title}{against}")

    def labels(self) -> list[str]:
        """Return the runs' names; those that share one are told apart by attempt, else by number."""
        shared = Counter(run.info.run_name for run in self.runs)
        attempts = Counter((run.info.run_name, run.data.tags.get(ATTEMPT_TAG)) for run in self.runs)
        seen: Counter[str] = Counter()
        labels = []
        for run in self.runs:
            name, attempt = run.info.run_name, run.data.tags.get(ATTEMPT_TAG)
            seen[name] += 1
            if shared[name] == 1:
                labels.append(name)
            elif attempt and attempts[name, attempt] == 1:
                labels.append(f"{name} #{attempt}")
            else:
                labels.append(f"{name} ({seen[name]})")
        return labels

    def warnings(self) -> list[str]:
        """Return what makes these runs hard to compare."""
        found = [text] if (text := self.warning_text()) else []
        by_set: dict[tuple[str, ...], list[str]] = {}
        for run, label in zip(self.runs, self.labels(), strict=True):
            by_set.setdefault(evaluation_sets(run.data.tags), []).append(fmt.one_line(label))
        if len(by_set) > 1:
            groups = [
                f"{_listed(labels)} on {_listed(list(map(fmt.one_line, names))) if names else 'none that is named'}"
                for names, labels in by_set.items()
            ]
            words = "; ".join(groups[:_LISTED]) + (f"; and {len(groups) - _LISTED} more" if groups[_LISTED:] else "")
            found.append(f"Not evaluated on one evaluation set: {words}. Metrics of these runs may not compare.")
        return found

    # -- rows ----------------------------------------------------------------------

    def rows(self) -> list[Row]:
        """Return every fact of the runs, by section; where no run has it, it is left out."""
        rows = [*self._run_rows(), *self._metric_rows(), *self._logged_rows(), *self._origin_rows()]
        return [row for row in rows if any(row.cells)]

    def _run_rows(self) -> list[Row]:
        infos = [run.info for run in self.runs]
        ends = [info.end_time if info.end_time is not None else self._now_ms for info in infos]
        return [
            _row("run", "status", [fmt.status(info.status) for info in infos]),
            _row("run", "experiment", [self._experiments.get(info.experiment_id) for info in infos]),
            _row("run", "user", [info.user_id for info in infos], steady=False),
            _row(
                "run",
                "source",
                [place and fmt.without_home(place) for place in self._tagged(SOURCE_NAME_TAG)],
                steady=False,
            ),
            _row("run", "start", [fmt.moment(info.start_time) for info in infos], steady=False, matters=False),
            _row(
                "run",
                "duration",
                [fmt.duration(end - info.start_time) for info, end in zip(infos, ends, strict=True)],
                steady=False,
                matters=False,
            ),
            _row("run", "attempt", self._tagged(ATTEMPT_TAG)),
            _row("run", "error", self._tagged(ERROR_TAG)),
        ]

    def _metric_rows(self) -> list[Row]:
        rows = []
        for key in fmt.sorted_keys([run.data.metrics for run in self.runs]):
            if key.startswith(SYSTEM_METRICS):
                continue
            values = [run.data.metrics.get(key) for run in self.runs]
            deltas = [delta(value, values[0], self.goals.direction(key)) for value in values]
            beside = ["" if found is None or found.outcome == "equal" else found.text() for found in deltas]
            # Compared in full: what four digits show alike may still differ.
            cells = [None if value is None else repr(value) for value in values]
            rows.append(Row("metrics", key, tuple(cells), beside=tuple(beside)))
        return rows

    def _logged_rows(self) -> list[Row]:
        rows = [
            _row("params", key, [run.data.params.get(key) for run in self.runs])
            for key in fmt.sorted_keys([run.data.params for run in self.runs])
        ]
        tags = [shown_tags(run.data.tags) for run in self.runs]
        rows += [_row("tags", key, [held.get(key) for held in tags]) for key in fmt.sorted_keys(tags)]
        return rows

    def _origin_rows(self) -> list[Row]:
        used: list[dict[str, str]] = []
        for run in self.runs:
            held: dict[str, str] = {}
            for item in run.inputs.dataset_inputs:
                context = context_of(item)
                held[f"{item.dataset.name} ({context})" if context else item.dataset.name] = item.dataset.digest
            used.append(held)
        files = [read_files(run.data.tags) for run in self.runs]
        return [
            _row("evaluation", "evaluation set", [set_texts(run.data.tags) or None for run in self.runs]),
            _row("evaluation", "digest of the set", self._tagged(EVALUATION_DIGEST_TAG)),
            *(_row("data", key, [held.get(key) for held in used]) for key in fmt.sorted_keys(used)),
            *(_row("data", key, [held.get(key) for held in files], steady=False) for key in fmt.sorted_keys(files)),
            _row("note", "note", self._tagged(NOTE_TAG)),
            _row("environment", "python", self._tagged(PYTHON_TAG), steady=False),
            _row("environment", "platform", self._tagged(PLATFORM_TAG), steady=False),
            _row("environment", "accelerator", self._tagged(ACCELERATOR_TAG), steady=False),
            *self._variable_rows(),
            _row("environment", "git commit", self._tagged(GIT_COMMIT_TAG), steady=False),
            _row("environment", "git branch", self._tagged(GIT_BRANCH_TAG), steady=False),
            _row("environment", "uncommitted changes", self._tagged(GIT_DIRTY_TAG), steady=False),
            _row("environment", "changed files", self._tagged(GIT_CHANGES_TAG), steady=False),
            _row("environment", "imported, not in git", self._untracked(), steady=False),
            *self._package_rows(),
            _row("code", "cell", self._code_words()),
        ]

    def _locks(self) -> list[Lock | None]:
        return [self.environments.get(run.info.run_id) for run in self.runs]

    def _package_rows(self) -> list[Row]:
        """Return the packages that differ: a row for each that all runs imported, and one for those that some did."""
        locks = self._locks()
        known = [lock.versions for lock in locks if lock is not None]
        everywhere = set.intersection(*(set(versions) for versions in known)) if known else set()
        changed = [name for name in sorted(everywhere) if len({versions[name] for versions in known}) > 1]
        rows = [
            _row("packages", name, [None if lock is None else lock.versions[name] for lock in locks], steady=False)
            for name in changed[:_PACKAGES]
        ]
        if len(changed) > _PACKAGES:
            more = f"and {len(changed) - _PACKAGES:,} more differ"
            rows.append(_row("packages", "more", [None if lock is None else more for lock in locks], steady=False))
        others = [[] if lock is None else sorted(set(lock.versions) - everywhere) for lock in locks]
        only = [_listed(names, _LISTED_PACKAGES) or None for names in others]
        # A later cell has mostly imported more, which is no reason for anything.
        return [*rows, _row("packages", "only in some", only, steady=False, matters=False)]

    def _variable_rows(self) -> list[Row]:
        locks = self._locks()
        held = [lock.variables for lock in locks if lock is not None]
        differing = [name for name in fmt.sorted_keys(held) if len({variables.get(name) for variables in held}) > 1]
        return [
            _row(
                "environment",
                name,
                [None if lock is None else lock.variables.get(name, "not set") for lock in locks],
                steady=False,
            )
            for name in differing
        ]

    def _untracked(self) -> list[str | None]:
        return [text and ", ".join(text.split("\n")) for text in self._tagged(GIT_UNTRACKED_TAG)]

    def _tagged(self, tag: str) -> list[str | None]:
        return [run.data.tags.get(tag) or None for run in self.runs]

    def sources(self) -> list[str | None]:
        """Return the code of each run: of the cells that it depends on, and its own."""
        cells = [joined(self.cells.get(run.info.run_id, ())) for run in self.runs]
        return [text or run.data.tags.get(CELL_TAG) for text, run in zip(cells, self.runs, strict=True)]

    def _code_words(self) -> list[str | None]:
        known: dict[str, int] = {}
        return [
            None if source is None else f"version {known.setdefault(source, len(known) + 1)}"
            for source in self.sources()
        ]

    def code_diffs(self) -> list[tuple[str, list[str]]]:
        """Return a unified diff of each run's code to the baseline's, by the name of the first run that has it."""
        labels = [fmt.one_line(label) for label in self.labels()]
        base, *others = self.sources()
        found = []
        done = {base}
        for label, source in zip(labels[1:], others, strict=True):
            if base is None or source is None or source in done:
                continue
            done.add(source)
            old, new = base.splitlines()[:_CODE_LINES], source.splitlines()[:_CODE_LINES]
            lines = list(difflib.unified_diff(old, new, labels[0], label, lineterm=""))
            found.append((label, lines))
        return found

    # -- the three layers ------------------------------------------------------------

    def text(self, *, times: bool = False) -> str:
        """Return aligned columns, one a run; of many runs a row each with what differs."""
        if len(self.runs) > _SIDE_BY_SIDE:
            head, cells, right, left_out = self._many(times=times)
            table = fmt.columns(head, cells, right=right) + (f"\n\n{left_out}" if left_out else "")
        else:
            rows = self._shown_rows(times=times)
            head = ["", "", *self.labels()]
            table = fmt.columns(head, self._table_rows(rows), right=[False] * len(head)) if rows else "No difference."
        short = ["", *self.changes.lines(with_code=False)] if self.changes is not None else []
        lines = [self.headline(), *self.warnings(), *short, "", table]
        for _, diff in self.code_diffs():
            lines += ["", *(fmt.one_line(fmt.clipped(line, 200)) for line in diff[:_DIFF_LINES])]
            lines += [f"and {len(diff) - _DIFF_LINES:,} more lines"] if len(diff) > _DIFF_LINES else []
        return "\n".join(lines)

    def _shown_rows(self, *, times: bool) -> list[Row]:
        return [
            row
            for row in self.rows()
            if (times or row.steady or row.differs)
            and (row.differs or not self.differences_only)
            # One experiment stands in the headline.
            and (row.key != "experiment" or row.section != "run" or row.differs)
        ]

    def _table_rows(self, rows: Sequence[Row]) -> list[list[str]]:
        """Return the cells of a table: a line for each section, then its rows with a sign where runs differ."""
        made: list[list[str]] = []
        section = ""
        for row in rows:
            if row.section != section:
                section = row.section
                made.append(["", section.upper(), *[""] * len(self.runs)])
            made.append([_DIFFERS if row.differs else "", row.key, *_short(row).texts()])
        return made

    def _many(self, *, times: bool) -> tuple[list[str], list[list[str]], list[bool], str]:
        """Return head, rows, which columns hold numbers, and a sentence on what is left out."""
        differing = [row for row in self.rows() if row.differs and (times or row.steady) and row.key != "status"]
        shown = [_short(replace(row, beside=())) for row in differing[:_COLUMNS_OF_MANY]]
        head = ["", "run", *(row.key for row in shown)]
        rows = [
            [fmt.STATUS_MARKS.get(run.info.status, "?"), label, *(row.cells[place] or "" for row in shown)]
            for place, (run, label) in enumerate(zip(self.runs, self.labels(), strict=True))
        ]
        missing = len(differing) - len(shown)
        left_out = f"Not shown: {missing:,} more in which they differ." if missing else ""
        return head, rows, [False, False, *(row.section == "metrics" for row in shown)], left_out

    def html(self) -> str:
        """Return plain tables, the curves' picture and the code's differences, every stored text escaped."""
        if len(self.runs) > _SIDE_BY_SIDE:
            head, rows, right, left_out = self._many(times=True)
            table = bounded_table(head, rows, right=right, total=len(rows))
            table += f"<p>{safe(left_out)}</p>" if left_out else ""
        else:
            table = self._html_side_by_side()
        warned = "".join(f"<p><b>Warning:</b> {safe(fmt.clipped(text, 2_000))}</p>" for text in self.warnings())
        head_line = f"<p><b>{safe(fmt.clipped(self.headline(), 2_000))}</b></p>"
        short = self.changes.html(with_code=False) if self.changes is not None else ""
        return f"{head_line}{warned}{short}{table}{self._picture()}{self._html_code()}"

    def _html_side_by_side(self) -> str:
        head = ["", "", *self.labels()]
        right = [False] * len(head)
        rows = self._shown_rows(times=True)
        for letters in (200, 60):
            table = html_table(head, self._table_rows(rows), right=right, letters=letters)
            if len(table) <= HTML_LIMIT:
                return table
        differing = self._table_rows([row for row in rows if row.differs])
        equal = sum(not row.differs for row in rows)
        same = f"<p>Not shown: {equal:,} in which they do not differ.</p>" if equal else ""
        return bounded_table(head, differing, right=right, total=len(differing)) + same

    def _html_code(self) -> str:
        parts = []
        letters = _DIFF_LETTERS
        for label, diff in self.code_diffs():
            shown = "\n".join(fmt.clipped(line, 200) for line in diff[:_DIFF_LINES])
            more = f"\nand {len(diff) - _DIFF_LINES:,} more lines" if len(diff) > _DIFF_LINES else ""
            letters -= len(shown)
            if letters < 0:
                parts.append("<p>The code of more runs differs; it is left out of this output.</p>")
                break
            title = safe(f"Code of {label} against {fmt.one_line(self.labels()[0])}")
            parts.append(f"<p><b>{title}</b></p><pre>{safe(shown + more)}</pre>")
        return "".join(parts)

    def _curve_keys(self) -> list[str]:
        """Return the metrics that have a curve, those of most runs first."""
        counts = Counter(key for of_run in self.curves.values() for key in of_run)
        return sorted(counts, key=lambda key: (-counts[key], key))

    def _picture(self) -> str:
        looks = looks_of((run.info.run_id, label) for run, label in zip(self.runs, self.labels(), strict=True))
        panels = []
        keys = self._curve_keys()
        for key in keys[:_PICTURES]:
            drawn = []
            for run, look in zip(self.runs, looks, strict=True):
                if key in self.curves.get(run.info.run_id, {}):
                    series = self.curves[run.info.run_id][key]
                    drawn.append(replace(look, x=abscissa(series.x), y=series.y))
            panels.append(Panel(key, drawn))
        if not panels:
            return ""
        spoken = "Curves: " + ", ".join(panel.title for panel in panels)
        left_out = len(keys) - len(panels) + self.curves_left_out
        more = f"<p>and {left_out:,} more charts</p>" if left_out else ""
        return image(small_multiples(panels, legend=looks), fmt.clipped(spoken, 500)) + more

    def payload(self) -> dict[str, Any]:
        """Return the run table's data with code, origin and curves; ``note`` says what was left out."""
        payload = super().payload()
        count = payload["data"]["n"]
        payload["warnings"] = [sendable(text) for text in self.warnings()]
        # The table's note repeats what stands among the warnings.
        notes = [payload["note"].removeprefix(self.warning_text()).strip()]
        payload |= self.goals.payload([item["key"] for item in payload["data"]["metrics"]])
        payload["onlyDifferences"] = self.differences_only
        payload["labels"] = [sendable(label) for label in self.labels()[:count]]
        payload["facts"] = self._facts(count)
        payload["since"] = self.changes.payload() if self.changes is not None else None
        payload["outputs"] = [run.info.run_id in self.with_outputs for run in self.runs[:count]]
        payload["code"], code_note = self._code(count)
        weight = len(json.dumps(payload))
        payload["curves"], curves_note = self._curves(count, max(_LEAST_FOR_CURVES, self.payload_limit - weight))
        payload["note"] = sendable(" ".join(filter(None, [*notes, code_note, curves_note])))
        return payload

    def _facts(self, count: int) -> list[dict[str, Any]]:
        """Return what the run table's data does not hold, in the form of its params."""
        parents = [run.data.tags.get(PARENT_TAG) for run in self.runs]
        names = {run.info.run_id: label for run, label in zip(self.runs, self.labels(), strict=True)}
        rows = [
            row
            for row in [*self._run_rows(), *self._origin_rows()]
            if row.key in ("error", "source") or (row.section not in ("run", "code") and row.key != "evaluation set")
        ]
        rows.append(_row("run", "parent", [None if it is None else names.get(it, it[:8]) for it in parents]))
        return [
            {"section": row.section, "key": sendable(row.key), **coded(row.cells[:count])}
            for row in rows
            if any(row.cells[:count])
        ]

    def _code(self, count: int) -> tuple[dict[str, Any], str]:
        """Return each run's code once, and a sentence where it was cut."""
        found = coded(self.sources()[:count])
        own = {sendable(run.data.tags.get(CELL_TAG, "")).strip() for run in self.runs}
        found["several"] = [source.strip() not in own for source in found["dict"]]
        limit = min(_CODE_LETTERS, _CODE_SHARE // max(1, len(found["dict"])))
        is_cut = any(len(source) > limit for source in found["dict"])
        found["dict"] = [fmt.clipped(source, limit) for source in found["dict"]]
        return found, f"Code longer than {limit:,} letters is cut short in this output." if is_cut else ""

    def _curves(self, count: int, letters: int) -> tuple[list[dict[str, Any]], str]:
        """Return the curves that fit, thinned, and a sentence on those that do not."""
        chosen = [(key, place) for key in self._curve_keys() for place in range(count) if self._has(key, place)]
        # A point weighs some 32 letters: its step, value and time.
        points = min(_POINTS, letters // 32)
        shown = chosen[: max(1, points // _LEAST_PER_CURVE)]
        limit = max(_LEAST_PER_CURVE, min(_PER_CURVE, points // max(1, len(shown))))
        curves: dict[str, dict[str, Any]] = {}
        is_thinned = False
        for key, place in shown:
            series = self.curves[self.runs[place].info.run_id][key]
            kept = thin(series.x, series.y, limit)
            is_thinned = is_thinned or len(kept) < series.count
            curve = {
                "run": place,
                **series_facts(series),
                "x": [series.x[index] for index in kept],
                # No screen shows the eighth digit.
                "y": [fmt.json_number(float(f"{series.y[index]:.7g}")) for index in kept],
                "t": [series.t[index] for index in kept],
            }
            curves.setdefault(key, {"key": sendable(key), "runs": []})["runs"].append(curve)
        left_out = len(chosen) - len(shown)
        words = [
            f"{fmt.counted(left_out, left_out, 'curve')} left out of this output." if left_out else "",
            f"Curves of {fmt.counted(self.curves_left_out, self.curves_left_out, 'more metric')} are not in it."
            if self.curves_left_out
            else "",
            f"Curves are drawn from at most {limit} points each." if is_thinned else "",
        ]
        return list(curves.values()), " ".join(filter(None, words))

    def _has(self, key: str, place: int) -> bool:
        return key in self.curves.get(self.runs[place].info.run_id, {})

    # -- Altair ------------------------------------------------------------------------

    def to_altair(self) -> alt.Chart | alt.FacetChart:
        """Return the runs' curves, one small chart a metric, to restyle or to export."""
        histories = {
            label: {key: (series.x, series.y) for key, series in self.curves.get(run.info.run_id, {}).items()}
            for run, label in zip(self.runs, self.labels(), strict=True)
        }
        return curves_altair(histories)

    def parallel_altair(self, columns: Sequence[str] | None = None) -> alt.Chart:
        """Return parallel coordinates: a line a run over params and metrics, each from its least to its greatest.

        Parameters
        ----------
        columns
            Such as ``["params.lr", "metrics.rmse"]``; what differs and is a number if left out.
        """
        import altair as alt
        import pandas as pd

        frame = self.to_pandas()
        found = {
            name: pd.to_numeric(frame[name], errors="coerce") for name in columns or frame.columns if _logged(name)
        }
        numbers = pd.DataFrame(found).dropna(axis="columns", how="all")
        if columns is None:
            numbers = numbers[[name for name in numbers if numbers[name].nunique() > 1]]
        span = (numbers.max() - numbers.min()).replace(0, 1)
        places = ((numbers - numbers.min()) / span).assign(run=self.labels())
        values = numbers.assign(run=self.labels()).melt("run", var_name="column", value_name="value")
        long = places.melt("run", var_name="column", value_name="place").assign(value=values["value"]).dropna()
        chart: alt.Chart = (
            alt.Chart(long.head(ALTAIR_ROWS))
            .mark_line(point=True)
            .encode(
                x=alt.X("column:N", sort=[str(name) for name in numbers], title=None),
                y=alt.Y("place:Q", title="from least to greatest", axis=alt.Axis(labels=False, ticks=False)),
                color="run:N",
                detail="run:N",
                tooltip=["run:N", "column:N", "value:Q"],
            )
        )
        return chart


def _row(section: str, key: str, cells: Sequence[str | None], *, steady: bool = True, matters: bool = True) -> Row:
    return Row(section, key, tuple(cells), steady=steady, matters=matters)


def _short(row: Row) -> Row:
    """Return a row of metrics with numbers as people read them."""
    if row.section != "metrics":
        return row
    return replace(row, cells=tuple(None if cell is None else fmt.number(float(cell)) for cell in row.cells))


def _logged(name: str) -> bool:
    return name.startswith("params.") or (name.startswith("metrics.") and SYSTEM_METRICS not in name)


def _listed(labels: Sequence[str], most: int = _LISTED) -> str:
    shown = ", ".join(fmt.clipped(label, _NAME_LETTERS) for label in labels[:most])
    return shown + (f" and {len(labels) - most} more" if len(labels) > most else "")
