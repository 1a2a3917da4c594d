"""The words of tracking: what a store keeps, as plain values.

Names and fields are MLflow's, so that code written for its entities reads ours.
Every class is frozen; nothing here reads or writes a store.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Generic, TypeVar


class RunStatus(StrEnum):
    """How a run stands, in MLflow's five words."""

    RUNNING = "RUNNING"
    SCHEDULED = "SCHEDULED"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"


class LifecycleStage(StrEnum):
    """Whether something is in use or softly deleted."""

    ACTIVE = "active"
    DELETED = "deleted"


class ViewType(IntEnum):
    """Which lifecycle stages a search looks at."""

    ACTIVE_ONLY = 1
    DELETED_ONLY = 2
    ALL = 3


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
CELL_ID_TAG = "tracknb.source.cell_id"
EXECUTION_COUNT_TAG = "tracknb.source.execution_count"
CELL_GROUP_TAG = "tracknb.source.group"
ATTEMPT_TAG = "tracknb.attempt"
ERROR_TAG = "tracknb.error"
TRACEBACK_TAG = "tracknb.traceback"
END_REASON_TAG = "tracknb.end_reason"
PYTHON_TAG = "tracknb.env.python"
PLATFORM_TAG = "tracknb.env.platform"
# What MLflow's pages look for.
LOGGED_ARTIFACTS_TAG = "mlflow.loggedArtifacts"
LOGGED_IMAGES_TAG = "mlflow.loggedImages"
DATASET_CONTEXT_TAG = "mlflow.data.context"
# The first is the Backstage plugin's convention, which existing runs carry.
EVALUATION_SET_TAGS = ("mlflow.backstage.evaluation_set", "tracknb.evaluation_set")
EVALUATION_DIGEST_TAG = "tracknb.evaluation_set.digest"


@dataclass(frozen=True, slots=True)
class Experiment:
    """A named place for runs that belong together; times are milliseconds since 1970."""

    experiment_id: str
    name: str
    artifact_location: str
    lifecycle_stage: str = LifecycleStage.ACTIVE.value
    tags: Mapping[str, str] = field(default_factory=dict)
    creation_time: int | None = None
    last_update_time: int | None = None


@dataclass(frozen=True, slots=True)
class Metric:
    """One logged point: a value at a step, and when it was logged (milliseconds)."""

    key: str
    value: float
    timestamp: int
    step: int
    run_id: str | None = None


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
class RunInfo:
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
class RunData:
    """What was logged: the last value of each metric, parameters as text, tags."""

    metrics: Mapping[str, float] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Data that runs of an experiment used; ``source``, ``schema`` and ``profile`` are JSON."""

    name: str
    digest: str
    source_type: str
    source: str
    schema: str | None = None
    profile: str | None = None


@dataclass(frozen=True, slots=True)
class InputTag:
    """A tag of a run's use of a dataset, such as what it was used for."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class DatasetInput:
    """A run's use of a dataset."""

    dataset: Dataset
    tags: list[InputTag] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class RunInputs:
    """The datasets that a run used, in the order in which they were logged."""

    dataset_inputs: list[DatasetInput] = field(default_factory=list)
    model_inputs: list[object] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Run:
    """A run as the store knew it when it was read."""

    info: RunInfo
    data: RunData
    inputs: RunInputs = field(default_factory=RunInputs)


T = TypeVar("T")


class PagedList(list[T], Generic[T]):
    """A page of results; ``token`` leads to the next page, None at the end."""

    def __init__(self, items: Iterable[T], token: str | None = None) -> None:
        super().__init__(items)
        self.token = token


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
