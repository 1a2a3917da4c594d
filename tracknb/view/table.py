"""The run table: runs as rows, what was logged as columns."""

from __future__ import annotations

import contextlib
import json
import math
import re
import sys
from array import array
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from tracknb.capture.hidden import DOUBTFUL, GRADES
from tracknb.entities import (
    ARCHIVED_TAG,
    CELL_GROUP_TAG,
    EXECUTION_COUNT_TAG,
    GRADE_TAG,
    PARENT_TAG,
    SOURCE_NAME_TAG,
    SYSTEM_METRICS,
    Run,
    ambiguous_evaluation_sets,
    attempt_of,
    doubts_of,
    evaluation_sets,
    is_marked,
    is_own_tag,
    pin_tag,
    star_tag,
)
from tracknb.view import format as fmt
from tracknb.view.base import (
    HTML_ROWS,
    SHORT_TEXT,
    VERSION,
    View,
    bounded_table,
    chip_texts,
    fitted,
    left_out_columns,
    safe,
    sendable,
    set_texts,
    short_note,
    shortened,
    shown_tags,
)
from tracknb.view.chart import color_index
from tracknb.view.direction import Goals

if TYPE_CHECKING:
    import pandas as pd

Value = TypeVar("Value")

_SAMPLE: Final = 100
# Runs that are each other's parents would have no end.
_DEEPEST: Final = 16
_TEXT_COLUMNS: Final = 12
# More columns than this of one kind no page can hold; the first by name are sent.
_CHUNK_COLUMNS: Final = 300
# So many runs and metrics have their curve drawn small in the saved output; a page asks for more.
SPARK_RUNS: Final = 40
SPARK_METRICS: Final = 3
_SPARK_POINTS: Final = 24
_SPARK_LEVELS: Final = "0123456789abcdef"


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
        goals: Goals | None = None,
        user: str = "",
        asked: Mapping[str, Any] | None = None,
        sparks: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        super().__init__()
        self.goals = goals or Goals()
        self._user = user
        self._asked = dict(asked or {})
        self._sparks = dict(sparks or {})
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

    # Each of these goes through every run, of which there may be 100,000.

    @cached_property
    def _metrics(self) -> list[str]:
        return _metric_keys(self.runs)

    @cached_property
    def _params(self) -> list[str]:
        return fmt.sorted_keys([run.data.params for run in self.runs])

    @cached_property
    def _marks(self) -> dict[str, str]:
        """The tags by which the user who looks marks runs."""
        return {"star": star_tag(self._user), "pin": pin_tag(self._user), "archived": ARCHIVED_TAG}

    @cached_property
    def _ambiguous(self) -> list[str]:
        return ambiguous_evaluation_sets(self.runs)

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
        found = self._ambiguous
        if not found:
            return ""
        names = ", ".join(f"'{fmt.one_line(name)}'" for name in found[:3]) + (" ..." if len(found) > 3 else "")
        return f"Evaluated on different data of one name: {names}. Metrics of these runs cannot be compared."

    def left_out_text(self) -> str:
        """Return which columns the text and the table do not show, or nothing."""
        return left_out_columns(len(self._metrics), len(self._params), _TEXT_COLUMNS)

    def payload(self) -> dict[str, Any]:
        """Return the view's data.

        Where it would weigh too much, metrics of the machine are left out, then long texts
        are cut, then the oldest runs are left out, then columns; ``note`` says so.
        """
        if len(self.runs) <= 2 * _SAMPLE:
            payload = self._payload_of(len(self.runs), None, None, system=True)
            if len(json.dumps(payload)) <= self.payload_limit:
                return payload
        limit = self.payload_limit - (len(json.dumps(self._sparks)) if self._sparks else 0)
        count = len(self.runs)
        letters: int | None = None
        if count > 2 * _SAMPLE:
            # A few runs tell about how many fit; all of ten thousand would take seconds.
            sample = self.runs[:_SAMPLE]
            if count * len(json.dumps(self._data_of(sample, None, None))) / _SAMPLE > limit:
                letters = SHORT_TEXT
            weight = len(json.dumps(self._data_of(sample, letters, None))) / _SAMPLE
            count = max(1, min(count, int(2 * limit / weight)))
        return fitted(self._payload_of, self.payload_limit, count=count, letters=letters, keys=self._most_keys)

    def _most_keys(self) -> int:
        """Return how many columns of one kind the newest run fills."""
        data = self.runs[0].data
        return max(len(data.metrics), len(data.params), len(data.tags))

    def _payload_of(self, count: int, letters: int | None, keys: int | None, *, system: bool = False) -> dict[str, Any]:
        runs = self.runs[:count]
        left_out = self.matched - count
        notes = [
            f"{left_out:,} older {'run is' if left_out == 1 else 'runs are'} left out of this output; "
            "tracknb.search_runs() has them all."
            if left_out > 0
            else "",
            short_note(letters, keys) if letters is not None and (keys is not None or _is_long(runs, letters)) else "",
        ]
        data = self._data_of(runs, letters, keys)
        if system:
            data["system"] = _numbers(runs, _metric_keys(runs, system=True))
        metrics = [item["key"] for item in data["metrics"]]
        return {
            "version": VERSION,
            "kind": self.kind,
            "view": self.view_id,
            "title": sendable(self.title),
            "experiment": sendable(next(iter(self._experiments.values()))) if len(self._experiments) == 1 else None,
            "query": sendable(self.query),
            "total": self.total,
            "matched": self.matched,
            # How many a kernel can give, where that is less than what matched.
            "held": len(self.runs),
            "note": " ".join(filter(None, [self.warning_text(), *notes])),
            "warning": self.warning_text(),
            "now": self._now_ms,
            **self.goals.payload(metrics),
            "marks": self._marks,
            "asked": self._asked,
            "sparks": {key: shapes[:count] for key, shapes in self._sparks.items() if key in metrics},
            "data": data,
        }

    def _data_of(self, runs: Sequence[Run], letters: int | None, keys: int | None) -> dict[str, Any]:
        infos = [run.info for run in runs]
        tags = [run.data.tags for run in runs]
        texts = self._texts(runs)
        return {
            "n": len(runs),
            "id": [info.run_id for info in infos],
            "name": [sendable(info.run_name) for info in infos],
            "start": [info.start_time for info in infos],
            "end": [info.end_time for info in infos],
            **{name: texts[name] for name in texts if name not in ("parent", "cell") or any(texts[name])},
            "color": [color_index(info.run_id) for info in infos],
            "attempt": [attempt_of(item) for item in tags],
            **self._marked(runs),
            "tags": _coded_lists(
                [[list(pair) for pair in list(shown_tags(item).items())[:keys]] for item in tags], letters
            ),
            "evalSets": _coded_lists([list(evaluation_sets(item)) for item in tags], letters),
            "grades": _coded_lists([[list(pair) for pair in _graded(item)] for item in tags], letters),
            "metrics": _numbers(runs, _metric_keys(runs)[:keys]),
            "params": [
                {"key": sendable(key), **coded([run.data.params.get(key) for run in runs], letters)}
                for key in fmt.sorted_keys([run.data.params for run in runs])[:keys]
            ],
            "keys": keys,
        }

    def _texts(self, runs: Sequence[Run]) -> dict[str, list[str]]:
        """Return what each run says in a word, by the names of the payload's columns."""
        tags = [run.data.tags for run in runs]
        return {
            "status": [run.info.status for run in runs],
            "lifecycle": [run.info.lifecycle_stage for run in runs],
            "user": [sendable(run.info.user_id) for run in runs],
            "experiment": [
                sendable(self._experiments.get(run.info.experiment_id, run.info.experiment_id)) for run in runs
            ],
            "source": [sendable(item.get(SOURCE_NAME_TAG, "").rsplit("/", 1)[-1]) for item in tags],
            "group": [sendable(item.get(CELL_GROUP_TAG, "")) for item in tags],
            "parent": [sendable(item.get(PARENT_TAG, "")) for item in tags],
            "cell": [sendable(item.get(EXECUTION_COUNT_TAG, "")) for item in tags],
        }

    def _marked(self, runs: Sequence[Run]) -> dict[str, list[int]]:
        """Return the places of the runs that are starred, pinned and archived."""
        return {
            name: [place for place, run in enumerate(runs) if is_marked(run.data.tags, self._marks[mark])]
            for name, mark in (("starred", "star"), ("pinned", "pin"), ("archived", "archived"))
        }

    def chunk(self, first: int, count: int) -> tuple[dict[str, Any], tuple[bytes, bytes, bytes]]:
        """Return some of the runs for a page that holds typed arrays: words as JSON, numbers as bytes.

        The three buffers, little-endian and without gaps, hold a column after the other: as
        Float64 ``start``, ``end``, ``metrics``, ``system`` (NaN where missing); as Int32 the codes
        of ``texts``, then ``color``, ``attempt`` (-1 where missing), ``tags``, ``evalSets``, ``grades``,
        ``params`` (-1 where missing); as bytes 1 or 0, whether a number is there, in the order
        of the first.
        """
        runs = self.runs[first : first + count]
        tags = [run.data.tags for run in runs]
        metrics, system = _metric_keys(runs)[:_CHUNK_COLUMNS], _metric_keys(runs, system=True)[:_CHUNK_COLUMNS]
        params = fmt.sorted_keys([run.data.params for run in runs])[:_CHUNK_COLUMNS]
        texts = {name: coded(values, None) for name, values in self._texts(runs).items()}
        own = {key for key in set().union(*tags) if is_own_tag(key)}
        tag_lists = _coded_rows([tuple([pair for pair in item.items() if pair[0] in own]) for item in tags])
        set_lists = _coded_rows([evaluation_sets(item) for item in tags])
        grades = _coded_rows([_graded(item) for item in tags])
        in_columns = zip(params, _columns_of([run.data.params for run in runs], params), strict=True)
        held = {key: coded(values, SHORT_TEXT) for key, values in in_columns}
        infos = [run.info for run in runs]
        numbers: list[Sequence[float | None]] = [[info.start_time for info in infos], [info.end_time for info in infos]]
        numbers += _columns_of([run.data.metrics for run in runs], [*metrics, *system])
        codes = [*(item["codes"] for item in texts.values()), [color_index(run.info.run_id) for run in runs]]
        codes.append([-1 if (attempt := attempt_of(item)) is None else min(attempt, 1 << 30) for item in tags])
        codes += [tag_lists["codes"], set_lists["codes"], grades["codes"], *(item["codes"] for item in held.values())]
        content = {
            "from": first,
            "n": len(runs),
            "held": len(self.runs),
            "view": self.view_id,
            "id": [run.info.run_id for run in runs],
            "name": [sendable(run.info.run_name) for run in runs],
            "texts": {name: item["dict"] for name, item in texts.items()},
            **self._marked(runs),
            "tags": [
                [[sendable(key), shortened(value, SHORT_TEXT)] for key, value in row] for row in tag_lists["dict"]
            ],
            "evalSets": [[sendable(name) for name in row] for row in set_lists["dict"]],
            "grades": [[[shortened(part, SHORT_TEXT) for part in pair] for pair in row] for row in grades["dict"]],
            "metrics": [sendable(key) for key in metrics],
            "system": [sendable(key) for key in system],
            "params": [{"key": sendable(key), "dict": item["dict"]} for key, item in held.items()],
            **self.goals.payload(metrics),
            "marks": self._marks,
        }
        values, there = array("d"), bytearray()
        for column in numbers:
            values.extend([math.nan if value is None else value for value in column])
            there += bytes([value is not None for value in column])
        whole = array("i", chain.from_iterable(codes))
        if sys.byteorder == "big":
            values.byteswap()
            whole.byteswap()
        return content, (values.tobytes(), whole.tobytes(), bytes(there))


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
        archived: bool = False,
        **known: Any,
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
        archived
            Whether runs that were put aside are shown too.
        known
            What else `RunsView` takes: ``goals``, ``user``, ``asked``, ``sparks``.
        """
        view = cls(
            runs,
            experiments=experiments,
            title=title,
            query=query,
            total=total,
            matched=len(runs) if matched is None else matched,
            now_ms=now_ms,
            **known,
        )
        view._with_archived = archived
        return view

    def payload(self) -> dict[str, Any]:
        """Return the view's data, and whether archived runs are shown at first."""
        return {**super().payload(), "showArchived": self._with_archived}

    def text(self, *, times: bool = False) -> str:
        """Return aligned columns: status, name, evaluation set, tags, metrics, params."""
        if not self.runs:
            return self.empty_text()
        head, right, cells = self._columns(times=times)
        runs = self._rows
        shown = runs[:HTML_ROWS] if not times else runs
        rows = [cells(run) for run in shown]
        lines = [self.headline(), "", fmt.columns(head, rows, right=right)]
        if len(shown) < self.matched - self._put_aside:
            lines.append(f"and {self.matched - self._put_aside - len(shown):,} more")
        lines += [line for text in self._remarks(rows) for line in ("", text)]
        return "\n".join(lines)

    def html(self) -> str:
        """Return a plain table of the newest runs, every stored text escaped."""
        if not self.runs:
            return f"<pre>{safe(self.empty_text())}</pre>"
        head, right, cells = self._columns(times=True)
        rows = [cells(run) for run in self._rows[:HTML_ROWS]]
        notes = "".join(f"<p>{safe(text)}</p>" for text in self._remarks(rows))
        table = bounded_table(head, rows, right=right, total=self.matched - self._put_aside)
        return f"<p><b>{safe(self.headline())}</b></p>{table}{notes}"

    _with_archived = False

    @cached_property
    def _put_aside(self) -> int:
        """How many of the runs are archived and not shown."""
        return 0 if self._with_archived else sum(is_marked(run.data.tags, ARCHIVED_TAG) for run in self.runs)

    @cached_property
    def _has_nested(self) -> bool:
        return any(PARENT_TAG in run.data.tags for run in self.runs)

    @cached_property
    def _rows(self) -> list[Run]:
        """The runs that are shown, children under what they belong to."""
        shown = [run for run in self.runs if self._with_archived or not is_marked(run.data.tags, ARCHIVED_TAG)]
        if not self._has_nested:
            return shown
        there = {run.info.run_id for run in shown}
        under: dict[str, list[Run]] = {}
        tops = []
        for run in shown:
            parent = run.data.tags.get(PARENT_TAG, "")
            if parent in there and parent != run.info.run_id:
                under.setdefault(parent, []).append(run)
            else:
                tops.append(run)
        placed: list[Run] = []
        waiting = tops[::-1]
        while waiting:
            placed.append(waiting.pop())
            waiting += reversed(under.pop(placed[-1].info.run_id, []))
        # Parents that name each other in a circle have no top: nobody is lost for that.
        return placed + [run for runs in under.values() for run in runs]

    def _remarks(self, rows: Sequence[Sequence[str]]) -> list[str]:
        aside = self._put_aside
        hidden = f"Not shown: {fmt.counted(aside, aside, 'archived run')}; %track runs --archived shows them."
        best = "* the best value of a metric"
        return [
            text
            for text in (
                best if any(cell.startswith("*") for row in rows for cell in row[2:]) and self._bests else "",
                hidden if aside else "",
                self.warning_text(),
                self.left_out_text(),
            )
            if text
        ]

    @cached_property
    def _bests(self) -> dict[str, float]:
        """The best value of each metric of which several runs have different ones."""
        found = {}
        for key in self._metrics:
            if self.goals.direction(key) is None:
                continue
            values = {run.data.metrics[key] for run in self.runs if key in run.data.metrics}
            best = self.goals.best(key, values)
            if best is not None and len([value for value in values if math.isfinite(value)]) > 1:
                found[key] = best
        return found

    def _columns(self, *, times: bool) -> tuple[list[str], list[bool], Callable[[Run], list[str]]]:
        """Return heads, which of them hold numbers, and what makes a run's cells."""
        metrics = list(self._metrics)
        if self.goals.primary in metrics:
            metrics.remove(self.goals.primary)
            metrics.insert(0, self.goals.primary)
        metrics = metrics[:_TEXT_COLUMNS]
        params = self._params[:_TEXT_COLUMNS]
        several = len(self._experiments) > 1
        units = self.goals.units
        head = ["status", "run", *(["experiment"] if several else [])]
        head += ["start", "duration"] if times else []
        # Whether everything is committed is another thing on every machine, and in the texts of notebooks.
        grades = GRADES if times else DOUBTFUL
        graded = any(run.data.tags.get(GRADE_TAG) in DOUBTFUL for run in self.runs)
        head += ["grade"] if graded else []
        named = [f"{key} ({units[key]})" if key in units else key for key in metrics]
        head += ["evaluation set", "tags", *named, *params]
        left = len(head) - len(metrics) - len(params)
        right = [False] * left + [True] * len(metrics) + [False] * len(params)
        bests = self._bests
        parents = {run.info.run_id: run.data.tags.get(PARENT_TAG) for run in self.runs} if self._has_nested else {}
        # HTML takes spaces at the beginning of a cell for none.
        space = "\N{NO-BREAK SPACE}" * 2 if times else "  "

        def indent(run: Run) -> str:
            depth, parent = 0, parents.get(run.info.run_id)
            while parent in parents and depth < _DEEPEST:
                depth, parent = depth + 1, parents[parent]
            return space * (depth - 1) + "└ " if depth else ""

        def number(run: Run, key: str) -> str:
            value = run.data.metrics.get(key)
            return ("*" if value is not None and bests.get(key) == value else "") + fmt.number(value)

        def cells(run: Run) -> list[str]:
            info = run.info
            attempt = attempt_of(run.data.tags)
            again = f" (attempt {attempt})" if attempt is not None and attempt > 1 else ""
            made = [fmt.status(info.status), f"{indent(run)}{info.run_name}{again}"]
            made += [self._experiments.get(info.experiment_id, info.experiment_id)] if several else []
            if times:
                end = info.end_time if info.end_time is not None else self._now_ms
                made += [fmt.moment(info.start_time), fmt.duration(end - info.start_time)]
            grade = run.data.tags.get(GRADE_TAG, "")
            made += [grade if grade in grades else ""] if graded else []
            made += [set_texts(run.data.tags), " ".join(chip_texts(run.data.tags))]
            made += [number(run, key) for key in metrics]
            return made + [run.data.params.get(key, "") for key in params]

        return head, right, cells


def _graded(tags: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return a run's grade and what speaks against it, as a row of none or one."""
    return ((tags[GRADE_TAG], "\n".join(doubts_of(tags))),) if GRADE_TAG in tags else ()


def _metric_keys(runs: Sequence[Run], *, system: bool = False) -> list[str]:
    """Return the metrics that are columns, or those that tracknb samples of the machine."""
    return [
        key for key in fmt.sorted_keys([run.data.metrics for run in runs]) if key.startswith(SYSTEM_METRICS) == system
    ]


def _columns_of(mappings: Sequence[Mapping[str, Value]], keys: Sequence[str]) -> list[Sequence[Value | None]]:
    """Return a column for each key: what the mappings hold there, None where one has nothing."""
    if len(keys) > 1:
        # Where all have all keys, which most tables are, this takes a third of the time.
        with contextlib.suppress(KeyError):
            return list(zip(*map(itemgetter(*keys), mappings), strict=True))
    return [[mapping.get(key) for mapping in mappings] for key in keys]


def _numbers(runs: Sequence[Run], keys: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {"key": sendable(key), "values": [fmt.json_number(run.data.metrics.get(key)) for run in runs]} for key in keys
    ]


def spark(values: Sequence[float]) -> str:
    """Return a curve as a few digits, the height of each point in sixteenths; empty if there is none to draw.

    Examples
    --------
    >>> spark([0.0, 1.0, 2.0, 3.0]), spark([1.0]), spark([1.0, float("nan"), 3.0])
    ('05af', '', '0 f')
    """
    if len(values) > _SPARK_POINTS:
        values = [values[place * (len(values) - 1) // (_SPARK_POINTS - 1)] for place in range(_SPARK_POINTS)]
    finite = [value for value in values if math.isfinite(value)]
    if len(finite) < 2:
        return ""
    low, high = min(finite), max(finite)
    # Halved first: the distance of two floats may be beyond a float.
    span = high / 2 - low / 2
    return "".join(
        " "
        if not math.isfinite(value)
        else _SPARK_LEVELS[7 if span == 0 else min(15, round(15 * ((value / 2 - low / 2) / span)))]
        for value in values
    )


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


def coded(values: Sequence[str | None], letters: int | None = None) -> dict[str, Any]:
    """Return texts as codes into a dictionary; -1 where one is missing."""
    known: dict[str | None, int] = {None: -1}
    codes: dict[str, int] = {}
    for value in dict.fromkeys(values):
        if value is not None:
            known[value] = codes.setdefault(shortened(value, letters), len(codes))
    return {"codes": list(map(known.__getitem__, values)), "dict": list(codes)}


def _coded_rows(rows: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
    """Return whole rows of items as codes into a dictionary: most runs have the tags of another."""
    codes: dict[tuple[Any, ...], int] = {}
    return {"codes": [codes.setdefault(row, len(codes)) for row in rows], "dict": list(codes)}


def _coded_lists(lists: Sequence[Sequence[Any]], letters: int | None) -> dict[str, Any]:
    """Return lists of texts, or of pairs, as lists of codes into a dictionary."""
    codes: dict[str, int] = {}
    values: list[Any] = []
    rows = []
    for items in lists:
        row = []
        for item in items:
            clean = [shortened(part, letters) for part in item] if isinstance(item, list) else shortened(item, letters)
            mark = json.dumps(clean)
            if mark not in codes:
                codes[mark] = len(values)
                values.append(clean)
            row.append(codes[mark])
        rows.append(row)
    return {"dict": values, "codes": rows}
