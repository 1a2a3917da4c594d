"""The run table: runs as rows, what was logged as columns."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, Self

from tracknb.entities import (
    ATTEMPT_TAG,
    CELL_GROUP_TAG,
    SOURCE_NAME_TAG,
    SYSTEM_METRICS,
    Run,
    ambiguous_evaluation_sets,
    evaluation_sets,
)
from tracknb.view import format as fmt
from tracknb.view.base import (
    HTML_ROWS,
    SHORT_TEXT,
    VERSION,
    View,
    bounded_table,
    chip_texts,
    left_out_columns,
    safe,
    sendable,
    set_texts,
    short_note,
    shortened,
    shown_tags,
)
from tracknb.view.chart import color_index

if TYPE_CHECKING:
    import pandas as pd

_SAMPLE: Final = 100
_TEXT_COLUMNS: Final = 12


class RunsView(View):
    """What the run table and the trend share: runs, and the words about them."""

    kind = ""

    def __init__(
        self,
        runs: Sequence[Run],
        *,
        experiments: Mapping[str, str],
        title: str,
        query: str,
        total: int,
        matched: int,
        now_ms: int,
    ) -> None:
        super().__init__()
        self.runs = tuple(runs)
        self.title = title
        self.query = query
        self.total = total
        self.matched = matched
        self._experiments = dict(experiments)
        self._now_ms = now_ms

    @property
    def selected(self) -> pd.DataFrame:
        """The runs that are ticked in the interactive table, as ``search_runs`` gives them."""
        return runs_frame([run for run in self.runs if run.info.run_id in self.selection])

    def to_pandas(self) -> pd.DataFrame:
        """Return all runs of the view, as ``search_runs`` gives them."""
        return runs_frame(self.runs)

    def headline(self) -> str:
        """Return what is shown, such as "nyc-taxi: 12 of 480 runs (metrics.rmse < 4)"."""
        asked = f" ({self.query})" if self.query else ""
        return fmt.one_line(f"{self.title}: {fmt.counted(self.matched, self.total)}{asked}")

    def empty_text(self) -> str:
        """Return what to say, and to do, when no run is there."""
        if self.total:
            return f"{self.headline()}\nNo run matches. Loosen the filter, or leave it out."
        name = next(iter(self._experiments.values())) if len(self._experiments) == 1 else "my-experiment"
        return (
            f"{fmt.one_line(self.title)}: No runs found for this experiment.\n"
            "Start one by putting this line above a cell:\n\n"
            f"    %%track_run --experiment {_argument(fmt.one_line(name))}"
        )

    def warning_text(self) -> str:
        """Return what makes these runs hard to compare, or nothing."""
        found = ambiguous_evaluation_sets(self.runs)
        if not found:
            return ""
        names = ", ".join(f"'{fmt.one_line(name)}'" for name in found[:3]) + (" ..." if len(found) > 3 else "")
        return f"Evaluated on different data of one name: {names}. Metrics of these runs cannot be compared."

    def left_out_text(self) -> str:
        """Return which columns the text and the table do not show, or nothing."""
        metrics = _metric_keys(self.runs)
        params = fmt.sorted_keys([run.data.params for run in self.runs])
        return left_out_columns(len(metrics), len(params), _TEXT_COLUMNS)

    def payload(self) -> dict[str, Any]:
        """Return the view's data.

        Where it would weigh too much, long texts are cut, then the oldest runs are left
        out, then columns; ``note`` says so.
        """
        count = len(self.runs)
        letters = keys = None
        if count > 2 * _SAMPLE:
            # A few runs tell about how many fit; all of ten thousand would take seconds.
            sample = self.runs[:_SAMPLE]
            if count * len(json.dumps(self._data_of(sample, None, None))) / _SAMPLE > self.payload_limit:
                letters = SHORT_TEXT
            weight = len(json.dumps(self._data_of(sample, letters, None))) / _SAMPLE
            count = max(1, min(count, int(2 * self.payload_limit / weight)))
        payload = self._payload_of(count, letters, keys)
        while (weight := len(json.dumps(payload))) > self.payload_limit:
            # Weight grows about with the number of runs; a little less than the share fits.
            share = self.payload_limit / weight * 0.95
            if letters is None:
                letters = SHORT_TEXT
            elif keys == 0 or not self.runs:
                # What is left is the title and the query, and those are the user's own.
                break
            elif count > 1:
                count = max(1, min(count - 1, int(count * share)))
            else:
                held = max(len(self.runs[0].data.metrics), len(self.runs[0].data.params), len(self.runs[0].data.tags))
                keys = int(min(held, held if keys is None else keys) * share)
            payload = self._payload_of(count, letters, keys)
        return payload

    def _payload_of(self, count: int, letters: int | None, keys: int | None) -> dict[str, Any]:
        runs = self.runs[:count]
        left_out = self.matched - count
        notes = [
            self.warning_text(),
            f"{left_out:,} older {'run is' if left_out == 1 else 'runs are'} left out of this output; "
            "tracknb.search_runs() has them all."
            if left_out > 0
            else "",
            short_note(letters, keys) if letters is not None and (keys is not None or _is_long(runs, letters)) else "",
        ]
        return {
            "version": VERSION,
            "kind": self.kind,
            "view": self.view_id,
            "title": sendable(self.title),
            "experiment": sendable(next(iter(self._experiments.values()))) if len(self._experiments) == 1 else None,
            "query": sendable(self.query),
            "total": self.total,
            "matched": self.matched,
            "note": " ".join(filter(None, notes)),
            "now": self._now_ms,
            "tagFilter": [],
            "evalFilter": [],
            "data": self._data_of(runs, letters, keys),
        }

    def _data_of(self, runs: Sequence[Run], letters: int | None, keys: int | None) -> dict[str, Any]:
        infos = [run.info for run in runs]
        tags = [run.data.tags for run in runs]
        return {
            "n": len(runs),
            "id": [info.run_id for info in infos],
            "name": [sendable(info.run_name) for info in infos],
            "status": [info.status for info in infos],
            "start": [info.start_time for info in infos],
            "end": [info.end_time for info in infos],
            "lifecycle": [info.lifecycle_stage for info in infos],
            "user": [sendable(info.user_id) for info in infos],
            "experiment": [sendable(self._experiments.get(info.experiment_id, info.experiment_id)) for info in infos],
            "source": [sendable(item.get(SOURCE_NAME_TAG, "").rsplit("/", 1)[-1]) for item in tags],
            "color": [color_index(info.run_id) for info in infos],
            "group": [sendable(item.get(CELL_GROUP_TAG, "")) for item in tags],
            "attempt": [int(text) if (text := item.get(ATTEMPT_TAG, "")).isdecimal() else None for item in tags],
            "tags": _coded_lists(
                [[list(pair) for pair in list(shown_tags(item).items())[:keys]] for item in tags], letters
            ),
            "evalSets": _coded_lists([list(evaluation_sets(item)) for item in tags], letters),
            "metrics": [
                {"key": sendable(key), "values": [fmt.json_number(run.data.metrics.get(key)) for run in runs]}
                for key in _metric_keys(runs)[:keys]
            ],
            "params": [
                {"key": sendable(key), **_coded([run.data.params.get(key) for run in runs], letters)}
                for key in fmt.sorted_keys([run.data.params for run in runs])[:keys]
            ],
        }


class RunTable(RunsView):
    """Runs as a table, the newest first; make one with ``tracknb.runs_table()``."""

    kind = "runs"

    @classmethod
    def of(
        cls,
        runs: Sequence[Run],
        *,
        experiments: Mapping[str, str],
        title: str,
        query: str = "",
        total: int,
        matched: int | None = None,
        now_ms: int,
    ) -> Self:
        """Return the table of runs.

        Parameters
        ----------
        runs
            The rows, the newest first.
        experiments
            Names by id.
        title
            What the runs have in common, such as the experiment's name.
        query
            The filter that chose them.
        total, matched
            How many runs there are before and after the filter; ``runs`` may be fewer.
        now_ms
            When this is drawn, in milliseconds since 1970.
        """
        return cls(
            runs,
            experiments=experiments,
            title=title,
            query=query,
            total=total,
            matched=len(runs) if matched is None else matched,
            now_ms=now_ms,
        )

    def text(self, *, times: bool = False) -> str:
        """Return aligned columns: status, name, evaluation set, tags, metrics, params."""
        if not self.runs:
            return self.empty_text()
        head, right, cells = self._columns(times=times)
        shown = self.runs[:HTML_ROWS] if not times else self.runs
        lines = [self.headline(), "", fmt.columns(head, [cells(run) for run in shown], right=right)]
        if len(shown) < self.matched:
            lines.append(f"and {self.matched - len(shown):,} more")
        lines += [line for text in (self.warning_text(), self.left_out_text()) if text for line in ("", text)]
        return "\n".join(lines)

    def html(self) -> str:
        """Return a plain table of the newest runs, every stored text escaped."""
        if not self.runs:
            return f"<pre>{safe(self.empty_text())}</pre>"
        head, right, cells = self._columns(times=True)
        rows = [cells(run) for run in self.runs[:HTML_ROWS]]
        notes = "".join(f"<p>{safe(text)}</p>" for text in (self.warning_text(), self.left_out_text()) if text)
        table = bounded_table(head, rows, right=right, total=self.matched)
        return f"<p><b>{safe(self.headline())}</b></p>{table}{notes}"

    def _columns(self, *, times: bool) -> tuple[list[str], list[bool], Callable[[Run], list[str]]]:
        """Return heads, which of them hold numbers, and what makes a run's cells."""
        metrics = _metric_keys(self.runs)[:_TEXT_COLUMNS]
        params = fmt.sorted_keys([run.data.params for run in self.runs])[:_TEXT_COLUMNS]
        several = len(self._experiments) > 1
        head = ["status", "run", *(["experiment"] if several else [])]
        head += ["start", "duration"] if times else []
        head += ["evaluation set", "tags", *metrics, *params]
        left = len(head) - len(metrics) - len(params)
        right = [False] * left + [True] * len(metrics) + [False] * len(params)

        def cells(run: Run) -> list[str]:
            info = run.info
            made = [fmt.status(info.status), info.run_name]
            made += [self._experiments.get(info.experiment_id, info.experiment_id)] if several else []
            if times:
                end = info.end_time if info.end_time is not None else self._now_ms
                made += [fmt.moment(info.start_time), fmt.duration(end - info.start_time)]
            made += [set_texts(run.data.tags), " ".join(chip_texts(run.data.tags))]
            made += [fmt.number(run.data.metrics.get(key)) for key in metrics]
            return made + [run.data.params.get(key, "") for key in params]

        return head, right, cells


def _metric_keys(runs: Sequence[Run]) -> list[str]:
    """Return the metrics that are columns: all but those that tracknb samples of the machine."""
    return [key for key in fmt.sorted_keys([run.data.metrics for run in runs]) if not key.startswith(SYSTEM_METRICS)]


def utc(milliseconds: Sequence[int | None]) -> Any:
    """Return times as pandas holds them; one that is beyond its calendar is missing."""
    import pandas as pd

    return pd.to_datetime(pd.array(list(milliseconds), dtype="Int64"), unit="ms", utc=True, errors="coerce")


def runs_frame(runs: Sequence[Run]) -> pd.DataFrame:
    """Return runs as MLflow's ``search_runs`` does: one row each, one column per key.

    Times are UTC; what a run lacks is NaN in ``metrics.`` and None in ``params.`` and
    ``tags.`` columns.
    """
    import pandas as pd

    infos = [run.info for run in runs]
    data: dict[str, Any] = {
        "run_id": [info.run_id for info in infos],
        "experiment_id": [info.experiment_id for info in infos],
        "status": [info.status for info in infos],
        "artifact_uri": [info.artifact_uri for info in infos],
        "start_time": utc([info.start_time for info in infos]),
        "end_time": utc([info.end_time for info in infos]),
    }
    for place, kind in (("metrics", "float64"), ("params", object), ("tags", object)):
        held = [getattr(run.data, place) for run in runs]
        for key in dict.fromkeys(chain.from_iterable(held)):
            data[f"{place}.{key}"] = pd.Series([mapping.get(key) for mapping in held], dtype=kind)
    return pd.DataFrame(data)


def _argument(name: str) -> str:
    """Return an experiment's name as one argument of a magic's line."""
    return name if re.fullmatch(r"[\w.\-/]+", name) else '"' + re.sub(r'(["\\])', r"\\\1", name) + '"'


def _is_long(runs: Sequence[Run], letters: int) -> bool:
    places = (place for run in runs for place in (run.data.params, run.data.tags))
    return any(len(text) > letters for place in places for text in place.values())


def _coded(values: Sequence[str | None], letters: int | None) -> dict[str, Any]:
    """Return texts as codes into a dictionary; -1 where one is missing."""
    codes: dict[str, int] = {}
    return {
        "codes": [-1 if value is None else codes.setdefault(shortened(value, letters), len(codes)) for value in values],
        "dict": list(codes),
    }


def _coded_lists(lists: Sequence[Sequence[Any]], letters: int | None) -> dict[str, Any]:
    """Return lists of texts, or of pairs, as lists of codes into a dictionary."""
    codes: dict[str, int] = {}
    values: list[Any] = []
    coded = []
    for items in lists:
        row = []
        for item in items:
            clean = [shortened(part, letters) for part in item] if isinstance(item, list) else shortened(item, letters)
            mark = json.dumps(clean)
            if mark not in codes:
                codes[mark] = len(values)
                values.append(clean)
            row.append(codes[mark])
        coded.append(row)
    return {"dict": values, "codes": coded}
