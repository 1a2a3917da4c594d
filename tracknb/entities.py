"""The words of tracking: what a store keeps, as plain values.

Names and fields are MLflow's, so that code written for its entities reads ours.
Every class is frozen; nothing here reads or writes a store.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from typing import Any, Final, Generic, TypeVar

# So many items of a dictionary or a list are shown.
_SHOWN: Final = 30
_LETTERS: Final = 200
# Tags that MLflow and tracknb set by themselves.
_OWN_TAGS: Final = ("mlflow.", "tracknb.")


class RunStatus(StrEnum):
    """How a run stands, in MLflow's five words."""

    RUNNING = "RUNNING"
    SCHEDULED = "SCHEDULED"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"

    @staticmethod
    def from_string(status: str) -> RunStatus:
        """Return the status that a word means."""
        return RunStatus(status)

    @staticmethod
    def to_string(status: str) -> str:
        """Return a status as a word."""
        return RunStatus(status).value

    @staticmethod
    def is_terminated(status: str) -> bool:
        """Tell whether a run has ended."""
        return RunStatus(status) not in (RunStatus.RUNNING, RunStatus.SCHEDULED)


class LifecycleStage(StrEnum):
    """Whether something is in use or softly deleted."""

    ACTIVE = "active"
    DELETED = "deleted"


class ViewType(IntEnum):
    """Which lifecycle stages a search looks at."""

    ACTIVE_ONLY = 1
    DELETED_ONLY = 2
    ALL = 3


class SourceType(StrEnum):
    """What started a run."""

    NOTEBOOK = "NOTEBOOK"
    JOB = "JOB"
    PROJECT = "PROJECT"
    LOCAL = "LOCAL"
    UNKNOWN = "UNKNOWN"


# Tags whose meaning tracknb and MLflow share.
RUN_NAME_TAG = "mlflow.runName"
NOTE_TAG = "mlflow.note.content"
PARENT_TAG = "mlflow.parentRunId"
USER_TAG = "mlflow.user"
SOURCE_NAME_TAG = "mlflow.source.name"
SOURCE_TYPE_TAG = "mlflow.source.type"
GIT_COMMIT_TAG = "mlflow.source.git.commit"
GIT_BRANCH_TAG = "mlflow.source.git.branch"
GIT_REMOTE_TAG = "mlflow.source.git.repoURL"
GIT_DIRTY_TAG = "tracknb.source.git.dirty"
CELL_TAG = "tracknb.source.cell"
# The names of params that no call logged: a cell's literals, what `--params` names, papermill's. And what was left out.
CODE_PARAMS_TAG = "tracknb.params.from_code"
LEFT_OUT_PARAMS_TAG = "tracknb.params.left_out"
CELL_ID_TAG = "tracknb.source.cell_id"
EXECUTION_COUNT_TAG = "tracknb.source.execution_count"
CELL_GROUP_TAG = "tracknb.source.group"
ATTEMPT_TAG = "tracknb.attempt"
ERROR_TAG = "tracknb.error"
TRACEBACK_TAG = "tracknb.traceback"
END_REASON_TAG = "tracknb.end_reason"
PYTHON_TAG = "tracknb.env.python"
PLATFORM_TAG = "tracknb.env.platform"
ACCELERATOR_TAG = "tracknb.env.accelerator"
# How many distributions were imported or needed by these, and what two equal lock files share.
PACKAGES_TAG = "tracknb.env.packages"
ENVIRONMENT_TAG = "tracknb.env.digest"
# What a run keeps packed in tags instead of files: code written for MLflow sees no files that it did not log.
LOCK_TAG = "tracknb.env.lock"
GIT_DIFF_TAG = "tracknb.source.git.diff"
# Which files differ from the commit, in words, and which were imported without being in it.
GIT_CHANGES_TAG = "tracknb.source.git.changes"
GIT_UNTRACKED_TAG = "tracknb.source.git.untracked"
# Marks that people put on runs and experiments. Stars and pins are each user's own.
STAR_TAGS = "tracknb.star."
PIN_TAGS = "tracknb.pin."
ARCHIVED_TAG = "tracknb.archived"
# What MLflow's pages look for.
LOGGED_ARTIFACTS_TAG = "mlflow.loggedArtifacts"
LOGGED_IMAGES_TAG = "mlflow.loggedImages"
# What the names of metrics begin with that tracknb samples by itself.
SYSTEM_METRICS = "system/"
_DATA: Final = "mlflow.data."
DATASET_CONTEXT_TAG = f"{_DATA}context"
# What a run depends on that its notebook, run from top to bottom, would not show: a line each, with what helps.
HIDDEN_STATE_TAG = "tracknb.hidden_state"
# What the files held that the cells behind a run read: JSON of paths and digests, the same on every machine.
CONTENTS_TAG = "tracknb.data.files"
# How those and the cells' own modules stood, to ask later whether they have changed: only the machine that made
# the run can tell, without reading them again.
STAMPS_TAG = "tracknb.data.stamps"
# What a tracked cell displayed and no file of the run keeps, in words.
OUTPUTS_TAG = "tracknb.outputs.left_out"
# How far a run can be trusted to come out again, in a word of `capture/hidden.py`; only runs of cells have one.
GRADE_TAG = "tracknb.grade"
# The id of the run that a run is the replay of.
REPLAY_TAG = "tracknb.replay_of"
# What begins so holds an alert's sentence; the rest names the rule and the metric.
ALERT_TAG = "tracknb.alert."
# What a run or experiment that was imported looked like where it came from.
IMPORT_TAG = "tracknb.import"
# The first is the Backstage plugin's convention, which existing runs carry.
EVALUATION_SET_TAGS = ("mlflow.backstage.evaluation_set", "tracknb.evaluation_set")
EVALUATION_DIGEST_TAG = "tracknb.evaluation_set.digest"


class _Entity:
    """What all entities can do: turn into a dictionary, be gone through, show themselves in a notebook."""

    __slots__ = ()

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        """Yield names and values, so that ``dict(entity)`` works."""
        for item in fields(self):  # type: ignore[arg-type]
            yield item.name, getattr(self, item.name)

    def to_dictionary(self) -> dict[str, Any]:
        """Return a dictionary of plain values."""
        return {name: _plain(value) for name, value in self}

    def _rows(self) -> list[tuple[str, list[str]]]:
        """Return what the notebook shows: names, and the lines of their values."""
        return [(name, _lines(value)) for name, value in self.to_dictionary().items()]

    def _repr_html_(self) -> str:
        import html  # here, because `import tracknb` is to stay fast

        def cell(lines: Iterable[str], weight: str) -> str:
            text = "<br>".join(map(html.escape, lines))
            return f"<td style='text-align:left;vertical-align:top;font-weight:{weight}'>{text}</td>"

        rows = "".join(f"<tr>{cell([name], 'bold')}{cell(lines, 'normal')}</tr>" for name, lines in self._rows())
        return f"<table>{rows}</table>"


def _moment(milliseconds: int) -> str:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return str(milliseconds)


@dataclass(frozen=True, slots=True)
class _Pair(_Entity):
    """A key and its text; one dataclass for four, because each takes half a millisecond of every import."""

    key: str
    value: str


def _plain(value: Any) -> Any:
    if isinstance(value, _Entity):
        return value.to_dictionary()
    if isinstance(value, Mapping):
        return dict(value)
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _lines(value: Any) -> list[str]:
    """Return the lines that show a value."""
    if isinstance(value, Mapping):
        value = [f"{key} = {item}" for key, item in value.items()]
    lines = [str(item) for item in value[:_SHOWN]] if isinstance(value, list) else [str(value)]
    more = [f"and {len(value) - _SHOWN:,} more"] if isinstance(value, list) and len(value) > _SHOWN else []
    return [*(line if len(line) <= _LETTERS else f"{line[:_LETTERS]}…" for line in lines), *more]


@dataclass(frozen=True, slots=True)
class Experiment(_Entity):
    """A named place for runs that belong together; times are milliseconds since 1970."""

    experiment_id: str
    name: str
    artifact_location: str
    lifecycle_stage: str = LifecycleStage.ACTIVE.value
    tags: Mapping[str, str] = field(default_factory=dict)
    creation_time: int | None = None
    last_update_time: int | None = None


@dataclass(frozen=True, slots=True)
class ExperimentUse:
    """How many runs an experiment has, how many of them are one user's, and when the newest began (milliseconds)."""

    runs: int
    of_user: int
    newest: int


@dataclass(frozen=True, slots=True)
class Metric(_Entity):
    """One logged point: a value at a step, and when it was logged (milliseconds)."""

    key: str
    value: float
    timestamp: int
    step: int
    run_id: str | None = None


class Param(_Pair):
    """A parameter, as text."""

    __slots__ = ()


class RunTag(_Pair):
    """A tag of a run."""

    __slots__ = ()


class ExperimentTag(_Pair):
    """A tag of an experiment."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class FileInfo(_Entity):
    """A file or folder of a run, its path relative to the run's root."""

    path: str
    is_dir: bool
    file_size: int | None


@dataclass(frozen=True, slots=True)
class MetricSummary:
    """What the store keeps of a run's metric beside its points."""

    last: float
    last_step: int
    timestamp: int
    count: int
    min: float
    min_step: int
    max: float
    max_step: int


@dataclass(frozen=True, slots=True)
class CellExecution:
    """An execution of a cell: its code as it was then, and what it is to a run.

    ``role`` is ``tracked`` for the run's own cell, ``needed`` for one that it depends on (for
    the ``names``), ``before`` for any other that ran in the same kernel before it. ``digests``
    tells, as a few letters, what the names that it bound or changed held after it.
    """

    number: int
    source: str
    cell_id: str
    execution_count: int
    start_time: int
    end_time: int | None
    status: str
    role: str
    names: tuple[str, ...] = ()
    digests: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunInfo(_Entity):
    """Who, when, where and how a run ended; times are milliseconds since 1970."""

    run_id: str
    experiment_id: str
    run_name: str
    user_id: str
    status: str
    start_time: int
    end_time: int | None
    lifecycle_stage: str
    artifact_uri: str


@dataclass(frozen=True, slots=True)
class RunData(_Entity):
    """What was logged: the last value of each metric, parameters as text, tags."""

    metrics: Mapping[str, float] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Dataset(_Entity):
    """Data that runs of an experiment used; ``source``, ``schema`` and ``profile`` are JSON."""

    name: str
    digest: str
    source_type: str
    source: str
    schema: str | None = None
    profile: str | None = None


class InputTag(_Pair):
    """A tag of a run's use of a dataset, such as what it was used for."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class DatasetInput(_Entity):
    """A run's use of a dataset."""

    dataset: Dataset
    tags: list[InputTag] = field(default_factory=list)

    def to_dictionary(self) -> dict[str, Any]:
        """Return a dictionary of plain values; the tags by their keys."""
        return {"dataset": self.dataset.to_dictionary(), "tags": {tag.key: tag.value for tag in self.tags}}


@dataclass(frozen=True, slots=True)
class RunInputs(_Entity):
    """The datasets that a run used, in the order in which they were logged."""

    dataset_inputs: list[DatasetInput] = field(default_factory=list)
    model_inputs: list[object] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class RunOutputs(_Entity):
    """What a run made beside its files; nothing in this version."""

    model_outputs: list[object] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Run(_Entity):
    """A run as the store knew it when it was read."""

    info: RunInfo
    data: RunData
    inputs: RunInputs = field(default_factory=RunInputs)
    outputs: RunOutputs = field(default_factory=RunOutputs)

    def _rows(self) -> list[tuple[str, list[str]]]:
        info, data = self.info, self.data
        end = "" if info.end_time is None else f" to {_moment(info.end_time)}"
        own_tags = {key: value for key, value in data.tags.items() if not key.startswith(_OWN_TAGS)}
        used = [
            " ".join(
                [
                    f"{item.dataset.name} ({item.dataset.digest})",
                    *(f"{tag.key.removeprefix(_DATA)}={tag.value}" for tag in item.tags),
                ]
            )
            for item in self.inputs.dataset_inputs
        ]
        rows = [
            ("run", [f"{info.run_name}: {info.status}"]),
            ("run_id", [info.run_id]),
            ("time", [f"{_moment(info.start_time)}{end}"]),
            *((name, _lines(held)) for name, held in (("metrics", data.metrics), ("params", data.params)) if held),
            ("tags", _lines(own_tags)),
            ("datasets", _lines(used)),
            ("files", [info.artifact_uri]),
        ]
        return [(name, lines) for name, lines in rows if any(lines)]

    def __repr__(self) -> str:
        """Return what tells this run from others."""
        parts = [f"{type(self).__name__} '{self.info.run_name}' {self.info.status}"]
        for what, values in (("metrics", self.data.metrics), ("params", self.data.params)):
            shown = ", ".join(f"{key}={value!s:.40}" for key, value in list(values.items())[:4])
            if shown:
                parts.append(f"{what}: {shown}{', ...' if len(values) > 4 else ''}")
        return f"<{'; '.join(parts)}; run_id={self.info.run_id}>"


T = TypeVar("T")


class PagedList(list[T], Generic[T]):
    """A page of results; ``token`` leads to the next page, None at the end."""

    def __init__(self, items: Iterable[T], token: str | None = None) -> None:
        super().__init__(items)
        self.token = token


def star_tag(user: str) -> str:
    """Return the tag by which a user has starred an experiment or a run.

    Examples
    --------
    >>> star_tag("ada@example.org")
    'tracknb.star.ada_example.org'
    """
    return STAR_TAGS + re.sub(r"[^\w\-.]|^\.+", "_", user)[:200]


def pin_tag(user: str) -> str:
    """Return the tag by which a user keeps a run on top of every table."""
    return PIN_TAGS + star_tag(user).removeprefix(STAR_TAGS)


def attempt_of(tags: Mapping[str, str]) -> int | None:
    """Return which attempt of its cell a run is, counted from 1; None where nobody counted."""
    text = tags.get(ATTEMPT_TAG, "")
    # Tags are anybody's text: int() takes digits of other scripts, and refuses thousands of them.
    return int(text[:18]) if text.isascii() and text.isdecimal() else None


def code_param_names(tags: Mapping[str, str]) -> list[str]:
    """Return the params of a run that no call logged, by name: code gave them by what it assigns."""
    return [name for name in tags.get(CODE_PARAMS_TAG, "").split(", ") if name]


def context_of(used: DatasetInput) -> str:
    """Return what a run used data for, such as "training"; empty where nobody said."""
    return next((tag.value for tag in used.tags if tag.key == DATASET_CONTEXT_TAG), "")


def is_own_tag(key: str) -> bool:
    """Say whether a tag is a user's own: neither MLflow's nor ours."""
    return not key.startswith(("mlflow.", "tracknb."))


def is_marked(tags: Mapping[str, str], tag: str) -> bool:
    """Say whether a mark is set: a star, a pin, or that a run is archived."""
    return tags.get(tag) == "true"


def alerts_of(tags: Mapping[str, str]) -> list[str]:
    """Return the sentences of a run's alerts, in the order of their tags' keys."""
    found = {key: text for key, text in dict(tags).items() if key.startswith(ALERT_TAG)}
    return [found[key] for key in sorted(found)]


def doubts_of(tags: Mapping[str, str]) -> list[str]:
    """Return why a run has another grade than ``clean``: sentences, each with what helps.

    Examples
    --------
    >>> doubts_of({"tracknb.grade": "dirty git", "tracknb.source.git.dirty": "true"})
    ['Changes were not committed. Commit them before the next run.']
    """
    found = tags.get(HIDDEN_STATE_TAG, "").splitlines()
    changes = tags.get(GIT_CHANGES_TAG, "")
    if GRADE_TAG in tags and (tags.get(GIT_DIRTY_TAG) == "true" or changes):
        what = f" ({changes})" if changes else ""
        found.append(f"Changes were not committed{what}. Commit them before the next run.")
    return found


def evaluation_sets(tags: Mapping[str, str]) -> tuple[str, ...]:
    """Return the evaluation sets that a run's tags name, without repeats."""
    found = (tags[key] for key in EVALUATION_SET_TAGS if tags.get(key))
    return tuple(dict.fromkeys(found))


def ambiguous_evaluation_sets(runs: Iterable[Run]) -> list[str]:
    """Return the names of evaluation sets that stand for different data among runs, in order."""
    contents: dict[str, set[str]] = {}
    for run in runs:
        digest = run.data.tags.get(EVALUATION_DIGEST_TAG)
        if digest:
            for name in evaluation_sets(run.data.tags):
                contents.setdefault(name, set()).add(digest)
    return sorted(name for name, digests in contents.items() if len(digests) > 1)
