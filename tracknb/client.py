"""The whole programme surface under MlflowClient's names; no run needs to be active.

Values are checked here, on their way in: what passes is stored as it is.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
import threading
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from tracknb import config, contents, names, validation
from tracknb.capture import environment, secrets
from tracknb.entities import (
    CODE_PARAMS_TAG,
    LOGGED_ARTIFACTS_TAG,
    LOGGED_IMAGES_TAG,
    PARENT_TAG,
    RUN_NAME_TAG,
    USER_TAG,
    CellExecution,
    DatasetInput,
    Experiment,
    ExperimentUse,
    FileInfo,
    LifecycleStage,
    Metric,
    MetricSummary,
    PagedList,
    Param,
    Run,
    RunStatus,
    RunTag,
    ViewType,
    code_param_names,
)
from tracknb.errors import InvalidValue, NotFound, ParamChanged, RunDeleted, TracknbError
from tracknb.files import LocalArtifacts
from tracknb.live import CURVE_LIMIT, LiveSeries

if TYPE_CHECKING:
    import pandas as pd

    from tracknb.remote_files import RemoteArtifacts
    from tracknb.store.intake import History, Taken
    from tracknb.store.spool import Series
    from tracknb.store.tracking import TrackingStore
    from tracknb.store.upkeep import RunSize

# MLflow's limit.
_LARGEST_PAGE: Final = 50_000

_stores: dict[str, TrackingStore] = {}
_stores_lock = threading.Lock()
_tables = threading.RLock()


def _store_at(uri: str) -> TrackingStore:
    # Imported here: SQLAlchemy costs half a second, which `import tracknb` must not.
    from tracknb.store.tracking import TrackingStore

    with _stores_lock:
        if uri not in _stores:
            _stores[uri] = TrackingStore(config.locate(uri))
        return _stores[uri]


def _renew_lock() -> None:
    """Free the locks that another thread of the parent may have held."""
    global _stores_lock, _tables
    _stores_lock, _tables = threading.Lock(), threading.RLock()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_renew_lock)


def close_stores() -> None:
    """Commit what is queued in every store of this process and let go of its files."""
    # They stay known: a loop's next point goes through the store that it knows.
    failed: TracknbError | None = None
    for uri, store in list(_stores.items()):
        try:
            store.close()
        except TracknbError as error:
            failed = error
            del _stores[uri]
    if failed is not None:
        raise failed


def let_go(uri: str) -> None:
    """Forget a store whose file is another one by now; whoever asks next opens what is there."""
    with _stores_lock:
        store = _stores.pop(uri, None)
    if store is not None:
        with contextlib.suppress(TracknbError):
            store.close()


class TrackingClient:
    """Reads and writes a store, without an active run.

    Parameters
    ----------
    tracking_uri
        The store; what ``set_tracking_uri`` or the environment says if left out.

    Examples
    --------
    >>> import tracknb
    >>> client = tracknb.MlflowClient()
    >>> experiment_id = client.create_experiment("nyc-taxi")
    >>> run = client.create_run(experiment_id, run_name="ridge")
    >>> client.log_metric(run.info.run_id, "rmse", 4.2)
    >>> client.set_terminated(run.info.run_id)
    >>> client.get_run(run.info.run_id).data.metrics
    {'rmse': 4.2}
    """

    def __init__(self, tracking_uri: str | os.PathLike[str] | None = None) -> None:
        self._uri = config.resolve_uri(tracking_uri) if tracking_uri is not None else config.resolved_uri()

    def __repr__(self) -> str:
        return f"TrackingClient({self.tracking_uri!r})"

    @property
    def tracking_uri(self) -> str:
        """The store's address, with its path absolute and without a password."""
        return config.without_password(self._uri)

    @property
    def address(self) -> str:
        """The store's address with all that it takes to open it; not for showing."""
        return self._uri

    @property
    def _store(self) -> TrackingStore:
        return _store_at(self._uri)

    # -- experiments ---------------------------------------------------------------

    def create_experiment(
        self, name: str, artifact_location: str | None = None, tags: Mapping[str, Any] | None = None
    ) -> str:
        """Make an experiment and return its id.

        Parameters
        ----------
        name
            A name that is free.
        artifact_location
            The folder or URL (``s3://bucket/folder``) of its runs' files; what the environment
            or the store says if left out.
        tags
            The experiment's own tags.

        Raises
        ------
        AlreadyExists
            The name is taken; the message gives the id.
        InvalidValue
            The URL holds a password.
        """
        clean = {
            validation.as_key(key, "experiment tag"): validation.as_experiment_tag_value(key, value)
            for key, value in (tags or {}).items()
        }
        location = None if artifact_location is None else config.artifact_place(artifact_location)
        return self._store.create_experiment(validation.as_experiment_name(name), location, clean)

    def get_or_create_experiment(self, name: str) -> Experiment:
        """Return the experiment of this name, making it if it is new; safe to race."""
        return self._store.get_or_create_experiment(validation.as_experiment_name(name))

    def get_experiment(self, experiment_id: str) -> Experiment:
        """Return an experiment by its id.

        Raises
        ------
        NotFound
            No experiment has this id.
        """
        return self._store.get_experiment(str(experiment_id))

    def get_experiment_by_name(self, name: str) -> Experiment | None:
        """Return an experiment by its name, or None."""
        return self._store.get_experiment_by_name(secrets.masked("experiment", "name", name))

    def search_experiments(
        self,
        view_type: int = ViewType.ACTIVE_ONLY,
        max_results: int | None = 1000,
        filter_string: str | None = None,
        order_by: Sequence[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[Experiment]:
        """Return a page of the experiments that match a filter on ``name``, times or ``tags.``, the newest first.

        All of them with ``max_results=None``; a page's ``token`` leads to the next.
        """
        if max_results is not None:
            _check_page_size(max_results)
        return self._store.search_experiments(ViewType(view_type), max_results, filter_string, order_by, page_token)

    def set_experiment_tag(self, experiment_id: str, key: str, value: Any) -> None:
        """Set a tag of an experiment."""
        clean = validation.as_experiment_tag_value(key, value)
        self._store.set_experiment_tag(str(experiment_id), validation.as_key(key, "experiment tag"), clean)

    def change_experiment_tags(
        self, experiment_id: str, tags: Mapping[str, Any], removed: Sequence[str] = ()
    ) -> Experiment:
        """Set some tags of an experiment and take others off, in one transaction; return it as it is then.

        Raises
        ------
        NotFound
            No experiment has this id.
        InvalidValue
            A key or a value is refused; nothing was changed.
        """
        clean = {
            validation.as_key(key, "experiment tag"): validation.as_experiment_tag_value(key, value)
            for key, value in tags.items()
        }
        self._store.change_experiment_tags(str(experiment_id), clean, [key for key in removed if key not in clean])
        return self.get_experiment(experiment_id)

    def delete_experiment(self, experiment_id: str) -> None:
        """Delete an experiment and its runs softly: searches pass over them until they are restored."""
        self._store.set_experiment_stage(str(experiment_id), LifecycleStage.DELETED)

    def rename_experiment(self, experiment_id: str, new_name: str) -> None:
        """Give an experiment another name.

        Raises
        ------
        AlreadyExists
            The name is taken.
        """
        self._store.rename_experiment(str(experiment_id), validation.as_experiment_name(new_name))

    def delete_experiment_tag(self, experiment_id: str, key: str) -> None:
        """Take a tag off an experiment; it must be there."""
        self._store.delete_experiment_tag(str(experiment_id), key)

    def restore_experiment(self, experiment_id: str) -> None:
        """Take a deleted experiment back, and its runs with it."""
        self._store.set_experiment_stage(str(experiment_id), LifecycleStage.ACTIVE)

    # -- runs ------------------------------------------------------------------------

    def create_run(
        self,
        experiment_id: str,
        start_time: int | None = None,
        tags: Mapping[str, Any] | None = None,
        run_name: str | None = None,
        *,
        params: Mapping[str, Any] | None = None,
        attempt_group: str | None = None,
    ) -> Run:
        """Make a RUNNING run and return it; without a name it gets a readable one.

        ``attempt_group`` names the cell that runs again; the run's attempt is counted.
        """
        clean = validation.as_tags(tags or {})
        user = clean.get(USER_TAG) or environment.user_name()
        validation.as_user(user)
        run_name = run_name or clean.get(RUN_NAME_TAG)
        return self._store.create_run(
            str(experiment_id),
            run_name=validation.as_run_name(run_name) if run_name else names.new_run_name(),
            user_id=user,
            start_time=names.now_ms() if start_time is None else validation.as_timestamp(start_time),
            tags={**clean, USER_TAG: user},
            params=validation.as_params(params or {}),
            attempt_group=attempt_group,
        )

    def get_run(self, run_id: str) -> Run:
        """Return a run with its last metric values, params and tags.

        Raises
        ------
        NotFound
            No run has this id.
        """
        return self._store.get_run(run_id)

    def search_runs(
        self,
        experiment_ids: Sequence[str],
        filter_string: str = "",
        run_view_type: int = ViewType.ACTIVE_ONLY,
        max_results: int = 1000,
        order_by: Sequence[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[Run]:
        """Return one page of the runs that match a filter, the newest first.

        A filter is one comparison, or several joined by ``and``. Its left side names a
        place (``metrics.``, ``params.``, ``tags.``) or a field of the run such as
        ``status``; its right side is a bare number or a quoted text. A metric means its
        last value.

        Parameters
        ----------
        experiment_ids
            Where to look; none given means nothing found.
        filter_string
            Empty matches every run.
        run_view_type
            Whether deleted runs count.
        max_results
            The most runs on one page; the page's ``token`` leads to the next.
        order_by
            Such as ``["metrics.rmse ASC"]``. Runs that lack the value come last in both
            directions.
        page_token
            The ``token`` of the page before.

        Raises
        ------
        FilterError
            The filter cannot be read. The message marks the place.

        Examples
        --------
        >>> import tracknb
        >>> taxi = tracknb.set_experiment("nyc-taxi")
        >>> with tracknb.start_run(run_name="linear"):
        ...     tracknb.log_metric("rmse", 5.1)
        >>> with tracknb.start_run(run_name="forest"):
        ...     tracknb.log_metric("rmse", 3.8)
        >>> client = tracknb.MlflowClient()
        >>> page = client.search_runs([taxi.experiment_id], "metrics.rmse < 4")
        >>> [run.info.run_name for run in page]
        ['forest']
        """
        if isinstance(experiment_ids, str):
            experiment_ids = [experiment_ids]
        ids = [str(item) for item in experiment_ids]
        _check_page_size(max_results)
        return self._store.search_runs(
            ids, filter_string or "", ViewType(run_view_type), max_results, order_by, page_token
        )

    def all_runs(
        self,
        experiment_ids: Sequence[str],
        filter_string: str = "",
        run_view_type: int = ViewType.ACTIVE_ONLY,
        max_results: int = 100_000,
        order_by: Sequence[str] | None = None,
    ) -> list[Run]:
        """Return the runs of as many pages as ``max_results`` asks for."""
        found: list[Run] = []
        token: str | None = None
        while True:
            size = min(max_results - len(found), _LARGEST_PAGE)
            page = self.search_runs(experiment_ids, filter_string, run_view_type, size, order_by, token)
            found += page
            token = page.token
            if token is None or len(found) >= max_results:
                return found

    def count_runs(self, experiment_ids: Sequence[str]) -> int:
        """Return how many runs that are not deleted the experiments hold."""
        return self._store.count_runs([str(item) for item in experiment_ids])

    def experiment_use(self, user: str, experiment_ids: Sequence[str] | None = None) -> dict[str, ExperimentUse]:
        """Return what the runs of each experiment come to, by its id; an experiment without runs is left out."""
        return self._store.experiment_use(user, experiment_ids)

    def set_terminated(self, run_id: str, status: str | None = None, end_time: int | None = None) -> None:
        """End a run: FINISHED now, unless said otherwise."""
        self._store.update_run(
            run_id,
            status=_as_status(status or RunStatus.FINISHED),
            end_time=names.now_ms() if end_time is None else validation.as_timestamp(end_time),
        )

    def close_run(self, run_id: str, status: str, end_time: int, tags: Mapping[str, Any]) -> None:
        """End a run that this process opened, also if somebody has deleted it since; why goes into its tags."""
        self._store.update_run(
            run_id, status=_as_status(status), end_time=end_time, tags=validation.as_tags(tags), even_deleted=True
        )

    def update_run(
        self,
        run_id: str,
        status: str | None = None,
        name: str | None = None,
        *,
        tags: Mapping[str, Any] | None = None,
    ) -> None:
        """Change how a run stands, its name or its tags, in one transaction."""
        known = _as_status(status) if status is not None else None
        ended = known in (RunStatus.FINISHED, RunStatus.FAILED, RunStatus.KILLED)
        self._store.update_run(
            run_id,
            status=known,
            end_time=names.now_ms() if ended else None,
            run_name=validation.as_run_name(name) if name is not None else None,
            tags=validation.as_tags(tags or {}),
        )

    def get_parent_run(self, run_id: str) -> Run | None:
        """Return the run that a nested run belongs to, or None."""
        parent = self.get_run(run_id).data.tags.get(PARENT_TAG)
        return None if parent is None else self.get_run(parent)

    def get_child_runs(self, run_id: str) -> list[Run]:
        """Return the runs that were nested directly in a run, the newest first."""
        here = self.get_run(run_id)
        return self.all_runs([here.info.experiment_id], f"tags.`{PARENT_TAG}` = '{here.info.run_id}'")

    def delete_run(self, run_id: str) -> None:
        """Delete a run softly: searches pass over it until it is restored."""
        self._store.set_run_stage(run_id, LifecycleStage.DELETED)

    def restore_run(self, run_id: str) -> None:
        """Take a deleted run back."""
        self._store.set_run_stage(run_id, LifecycleStage.ACTIVE)

    def other_content_of_set(self, experiment_id: str, evaluation_set: str, digest: str) -> Run | None:
        """Return the newest run whose evaluation set of this name had other content, or None."""
        return self._store.other_content_of_set(experiment_id, evaluation_set, digest)

    def latest_run_of_group(self, group: str) -> Run | None:
        """Return the newest run of a cell, or None."""
        return self._store.latest_run_of_group(group)

    def run_of_attempt_before(self, run_id: str) -> Run | None:
        """Return the run of the attempt before that a run of a cell is to be held against; None for a first one."""
        return self._store.run_of_attempt_before(run_id)

    # -- what is logged ----------------------------------------------------------------

    def log_metric(
        self,
        run_id: str,
        key: str,
        value: float,
        timestamp: int | None = None,
        step: int | None = None,
        synchronous: bool | None = None,
    ) -> None:
        """Keep one point; it is safe from the death of this process on return."""
        self._store.log_points(run_id, [as_point(key, value, step, timestamp)])

    def log_points(self, run_id: str, points: Sequence[tuple[str, float, int, int]]) -> None:
        """Keep points of (key, value, step, timestamp) that ``as_point`` made."""
        self._store.log_points(run_id, points)

    def set_durable(self, durable: bool) -> None:
        """Say whether every point is on the disk, not only in the system's cache, when its call returns."""
        self._store.set_durable(durable)

    def point_series(self, run_id: str, key: str) -> Series | None:
        """Return where a loop appends checked points of one metric; None if each must be checked."""
        return self._store.point_series(run_id, key)

    def log_param(
        self, run_id: str, key: str, value: Any, synchronous: bool | None = None, *, overwrite: bool | None = None
    ) -> Any:
        """Keep a parameter as text and return the value; the same value again is quiet.

        Raises
        ------
        ParamChanged
            The parameter was logged with another value, which stays, unless ``overwrite`` was given.
        """
        self.log_params(run_id, {key: value}, overwrite=overwrite)
        return value

    def log_params(self, run_id: str, params: Mapping[str, Any], *, overwrite: bool | None = None) -> None:
        """Keep parameters, all or none; ``overwrite`` replaces other values and keeps them in the history."""
        self._keep_params(run_id, validation.as_params(params), overwrite=overwrite)

    def _keep_params(self, run_id: str, params: Mapping[str, str], *, overwrite: bool | None) -> None:
        may_replace = config.may_overwrite_params() if overwrite is None else overwrite
        try:
            self._store.log_params(run_id, params, overwrite=may_replace)
        except ParamChanged:
            if not self._take_over(run_id, params):
                raise

    def _take_over(self, run_id: str, params: Mapping[str, str]) -> bool:
        """Replace params that no call logged, because one does now; False where others would have to change too."""
        data = self.get_run(run_id).data
        given = code_param_names(data.tags)
        changed = [key for key, value in params.items() if data.params.get(key, value) != value]
        if not set(changed) <= set(given):
            return False
        self._store.log_params(run_id, params, overwrite=True)
        self._store.set_tags(run_id, {CODE_PARAMS_TAG: ", ".join(name for name in given if name not in params)})
        return True

    def param_history(self, run_id: str, key: str) -> list[tuple[str, int]]:
        """Return what a param was before it was overwritten: (value, when it was replaced in ms), the oldest first."""
        return self._store.param_history(run_id, key)

    def log_inputs(
        self,
        run_id: str,
        datasets: Sequence[DatasetInput] | None = None,
        models: Sequence[object] | None = None,
    ) -> None:
        """Note which datasets a run used; one that is noted already stays as it is.

        Raises
        ------
        InvalidValue
            A text is too long or cannot be stored; nothing was logged.
        """
        if models:
            raise InvalidValue("Models are no inputs of runs in this version. Nothing was logged.")
        self._store.log_inputs(run_id, [validation.as_input(item) for item in datasets or ()])

    def set_tag(self, run_id: str, key: str, value: Any, synchronous: bool | None = None) -> None:
        """Set a tag of a run, over an older value if there is one."""
        self.set_tags(run_id, {key: value})

    def set_tags(self, run_id: str, tags: Mapping[str, Any]) -> None:
        """Set tags of a run, all or none."""
        self._store.set_tags(run_id, validation.as_tags(tags))

    def delete_tag(self, run_id: str, key: str) -> None:
        """Take a tag off a run; it must be there."""
        self._store.delete_tag(run_id, key)

    def log_batch(
        self,
        run_id: str,
        metrics: Sequence[Metric] = (),
        params: Sequence[Param] | Mapping[str, Any] = (),
        tags: Sequence[RunTag] | Mapping[str, Any] = (),
        synchronous: bool | None = None,
    ) -> None:
        """Keep metrics, parameters and tags of a run; everything is checked before anything is kept."""
        points = [as_point(metric.key, metric.value, metric.step, metric.timestamp) for metric in metrics]
        clean_params, clean_tags = validation.as_params(_by_key(params)), validation.as_tags(_by_key(tags))
        if clean_params:
            self._keep_params(run_id, clean_params, overwrite=False)
        if clean_tags:
            self._store.set_tags(run_id, clean_tags)
        if points:
            self._store.log_points(run_id, points)

    def get_metric_history(self, run_id: str, key: str) -> list[Metric]:
        """Return every point of a metric by step, then time; nothing if it was never logged."""
        return self._store.metric_history(run_id, key)

    def get_metric_history_df(
        self, run_ids: str | Sequence[str], metric_keys: str | Sequence[str] | None = None
    ) -> pd.DataFrame:
        """Return the points of metrics of several runs as one tidy table.

        Parameters
        ----------
        run_ids
            One run or several.
        metric_keys
            One metric or several; every one if left out. A run without it has no rows.

        Returns
        -------
        pandas.DataFrame
            Columns ``run_id`` and ``key`` (categories), ``step``, ``timestamp`` (milliseconds
            since 1970) and ``value``; sorted by run, metric, step and time.

        Raises
        ------
        NotFound
            No run has one of the ids.

        Examples
        --------
        >>> import tracknb
        >>> with tracknb.start_run() as run:
        ...     for step in range(3):
        ...         tracknb.log_metric("loss", 1 / (1 + step), step=step)
        >>> frame = tracknb.MlflowClient().get_metric_history_df(run.info.run_id, "loss")
        >>> frame["step"].tolist()
        [0, 1, 2]
        """
        return self._store.metric_frame(_several(run_ids) or [], _several(metric_keys))

    def metric_series(self, run_id: str, key: str, max_points: int = 1_000) -> pd.DataFrame:
        """Return a curve with at most about ``max_points`` points that looks the same when drawn.

        Of each stretch of the curve the first, lowest, highest and last point stay, so no
        peak is lost. A long metric is read from its summaries, not point by point.

        Returns
        -------
        pandas.DataFrame
            Columns ``step``, ``timestamp`` (milliseconds since 1970) and ``value``.
        """
        import pandas as pd

        step, timestamp, value = self._store.metric_series(run_id, key, max_points)
        return pd.DataFrame({"step": step, "timestamp": timestamp, "value": value})

    def metric_curve(self, run_id: str, key: str, max_points: int) -> tuple[list[int], list[int], list[float]]:
        """Return steps, times and values of a curve, thinned as by ``metric_series``, as plain lists."""
        steps, times, values = self._store.metric_series(run_id, key, max_points)
        return steps.tolist(), times.tolist(), values.tolist()

    def metric_outlines(
        self, run_ids: Sequence[str], keys: Sequence[str], max_points: int
    ) -> dict[tuple[str, str], list[float]]:
        """Return values of curves by run and metric, thinned as by ``metric_series``, in one go.

        Runs that are unknown, and metrics of fewer than two points, are left out.
        """
        return self._store.metric_outlines(run_ids, keys, max_points)

    def live_series(self, run_id: str) -> dict[str, LiveSeries]:
        """Return the metrics of a run as the panel draws them, however long they are."""
        return {
            key: LiveSeries.stored(key, summary, self.metric_curve(run_id, key, CURVE_LIMIT // 2))
            for key, summary in self.metric_summaries(run_id).items()
        }

    def metric_summaries(self, run_id: str) -> dict[str, MetricSummary]:
        """Return last, count, min and max of each metric of a run."""
        return self._store.metric_summaries(run_id)

    # -- from elsewhere ------------------------------------------------------------------

    def import_experiment(self, experiment: Experiment, *, state: str) -> tuple[Experiment, bool]:
        """Take an experiment of another tracker in by its name; returns ours, and whether it is new.

        One that is there already keeps its tags. ``state`` stands for all that the other
        tracker says of it: when it changes, an experiment that was imported follows.
        """
        validation.as_experiment_name(experiment.name)
        tags = {
            validation.as_key(key, "experiment tag"): validation.as_experiment_tag_value(key, value)
            for key, value in experiment.tags.items()
        }
        return self._store.import_experiment(replace(experiment, tags=tags), state)

    def import_run(self, run: Run, history: History, *, state: str, deleted_time: int | None = None) -> Taken:
        """Take a run of another tracker in under its own id, whole or not at all.

        Parameters
        ----------
        run
            What was logged, with the id of an experiment of this store; its metrics are
            passed over in favour of ``history``.
        history
            Gives the points of all metrics anew each time it is called.
        state
            Stands for all that the other tracker says of the run. The same state again
            changes nothing; another one adds what is missing here.
        deleted_time
            When it was deleted there, in milliseconds.

        Raises
        ------
        AlreadyExists
            A run of this id is here that was not imported, or is another one.
        """
        return self._store.import_run(_as_imported(run), history, state=state, deleted_time=deleted_time)

    # -- upkeep ----------------------------------------------------------------------------

    def storage(self, run_ids: str | Sequence[str] | None = None) -> pd.DataFrame:
        """Return what each run holds, the greatest first.

        Returns
        -------
        pandas.DataFrame
            Columns ``run_id``, ``run_name``, ``experiment``, ``status``, ``lifecycle_stage``,
            ``points``, ``store_bytes`` (its share of the database, counted from what it logged)
            and ``artifact_bytes``.

        Examples
        --------
        >>> import tracknb
        >>> with tracknb.start_run(run_name="ridge"):
        ...     tracknb.log_metric("rmse", 4.2)
        >>> tracknb.MlflowClient().storage()[["run_name", "points"]].values.tolist()
        [['ridge', 1]]
        """
        return _sizes_frame(self._store.run_sizes(_several(run_ids)))

    def gc(
        self, older_than: str | None = None, *, run_ids: str | Sequence[str] | None = None, dry_run: bool = False
    ) -> pd.DataFrame:
        """Remove deleted runs and experiments for good, with their files, and give the room back.

        Only what ``delete_run`` or ``delete_experiment`` marked as deleted goes; no way leads
        back. Interrupted, it goes on with the next call.

        Parameters
        ----------
        older_than
            Only what was deleted longer ago than this, such as ``"30d"`` or ``"12h30m"``.
        run_ids
            Only these runs, as far as they are deleted.
        dry_run
            Tells what would go, and removes nothing.

        Returns
        -------
        pandas.DataFrame
            The runs that went or would go, with the columns of ``storage``.

        Raises
        ------
        InvalidValue
            ``older_than`` is no length of time.

        Examples
        --------
        >>> import tracknb
        >>> with tracknb.start_run(run_name="ridge") as run:
        ...     tracknb.log_metric("rmse", 4.2)
        >>> client = tracknb.MlflowClient()
        >>> client.delete_run(run.info.run_id)
        >>> client.gc()["run_name"].tolist()
        ['ridge']
        """
        before = names.now_ms() - (0 if older_than is None else validation.as_duration_ms(older_than))
        found = self._store.removable_runs(before, _several(run_ids))
        frame = _sizes_frame(found)
        if dry_run:
            return frame
        for size in found:
            if not self._store.is_removable(before, size.run_id):
                # Somebody took it back meanwhile.
                continue
            # Files first: cut off here, the run is still known as deleted.
            open_artifacts(size.artifact_uri).remove(size.run_id)
            self._store.remove_run(size.run_id)
        if run_ids is None:
            self._store.remove_empty_experiments(before)
        self._compact()
        return frame

    def prune(
        self, max_points: int, *, run_ids: str | Sequence[str] | None = None, dry_run: bool = False
    ) -> pd.DataFrame:
        """Thin long metrics of ended runs for good, and give the room back.

        Of each stretch of a curve the first, lowest, highest and last point stay, so it looks
        the same when drawn, and last, lowest and highest value stay what they are.

        Parameters
        ----------
        max_points
            The most points that a metric keeps, at least 4; a smooth curve keeps about half.
        run_ids
            Only these runs.
        dry_run
            Tells what would be thinned, and changes nothing.

        Returns
        -------
        pandas.DataFrame
            The metrics that were or would be thinned: ``run_id``, ``key`` and ``points`` before.

        Examples
        --------
        >>> import tracknb
        >>> with tracknb.start_run() as run:
        ...     for step in range(1_000):
        ...         tracknb.log_metric("loss", 1 / (1 + step), step=step)
        >>> client = tracknb.MlflowClient()
        >>> client.prune(100)["points"].tolist()
        [1000]
        >>> len(client.get_metric_history(run.info.run_id, "loss")) <= 100
        True
        """
        import pandas as pd

        if max_points < 4:
            raise InvalidValue(f"prune keeps at least 4 points of a metric, not {max_points}. Nothing was removed.")
        found = self._store.long_metrics(max_points, _several(run_ids))
        if found and not dry_run:
            for metric in found:
                self._store.thin_metric(metric, max_points)
            self._compact()
        rows = [(metric.run_id, metric.name, metric.points) for metric in found]
        return pd.DataFrame(rows, columns=["run_id", "key", "points"])

    def _compact(self) -> None:
        if not self._store.compact():
            warnings.warn(
                f"{self.tracking_uri} is in use, so its file did not shrink yet; the free room is used again. "
                "Call this once more when nothing else uses it.",
                RuntimeWarning,
                stacklevel=3,
            )

    def flush(self) -> None:
        """Commit every point that was logged before this call, however long it takes."""
        self._store.flush()

    def retire(self) -> None:
        """Commit everything; the spool's file goes until the next point comes."""
        self._store.retire_spool()

    # -- artifacts -----------------------------------------------------------------------

    def artifacts(self, run_id: str) -> LocalArtifacts | RemoteArtifacts:
        """Return the files of a run."""
        return open_artifacts(self.get_run(run_id).info.artifact_uri)

    def _writable_artifacts(self, run_id: str) -> LocalArtifacts | RemoteArtifacts:
        """Return the files of a run that is not deleted."""
        info = self.get_run(run_id).info
        if info.lifecycle_stage != LifecycleStage.ACTIVE:
            raise RunDeleted.of(run_id)
        return open_artifacts(info.artifact_uri)

    def log_artifact(self, run_id: str, local_path: str | os.PathLike[str], artifact_path: str | None = None) -> None:
        """Copy a file, or a whole folder, into a run."""
        folder = self._writable_artifacts(run_id)
        if Path(local_path).is_dir():
            name = Path(local_path).resolve().name
            folder.put_folder(local_path, f"{artifact_path}/{name}" if artifact_path else name)
        else:
            folder.put_file(local_path, artifact_path)

    def log_artifacts(self, run_id: str, local_dir: str | os.PathLike[str], artifact_path: str | None = None) -> None:
        """Copy the content of a folder into a run."""
        self._writable_artifacts(run_id).put_folder(local_dir, artifact_path)

    def log_text(self, run_id: str, text: str, artifact_file: str) -> None:
        """Keep a text as a file of a run, in UTF-8."""
        self._writable_artifacts(run_id).put_bytes(text.encode(), artifact_file)

    def log_dict(self, run_id: str, dictionary: Mapping[str, Any] | Sequence[Any], artifact_file: str) -> None:
        """Keep a dictionary as JSON, or as YAML where the file is called ``.yml`` or ``.yaml``."""
        self._writable_artifacts(run_id).put_bytes(contents.dictionary_bytes(dictionary, artifact_file), artifact_file)

    def log_stream(self, run_id: str, stream: BinaryIO, artifact_file: str) -> None:
        """Keep what a binary file-like object still holds as a file of a run."""
        self._writable_artifacts(run_id).put_bytes(stream.read(), artifact_file)

    def log_figure(
        self, run_id: str, figure: Any, artifact_file: str, *, save_kwargs: Mapping[str, Any] | None = None
    ) -> None:
        """Keep a matplotlib, Plotly or Altair figure as the file its name's ending says.

        Raises
        ------
        InvalidValue
            The object is none of these figures.
        """
        self._writable_artifacts(run_id).put_bytes(
            contents.figure_bytes(figure, artifact_file, save_kwargs), artifact_file
        )

    def log_image(
        self,
        run_id: str,
        image: Any,
        artifact_file: str | None = None,
        key: str | None = None,
        step: int | None = None,
        timestamp: int | None = None,
        synchronous: bool | None = None,
    ) -> None:
        """Keep an image: as the file ``artifact_file``, or as one of a series with ``key`` and ``step``.

        Parameters
        ----------
        run_id
            The run.
        image
            A Pillow image, or an array of height × width (× 1, 3 or 4): whole numbers from 0 to
            255, or floats from 0 to 1.
        artifact_file
            Its name; the ending says which kind of file.
        key, step, timestamp
            The series, and the place in it; step 0 and now if left out.
        synchronous
            Accepted for MLflow's sake.

        Raises
        ------
        InvalidValue
            It is no image, or both ways of naming it were mixed; nothing was logged.
        MissingExtra
            Pillow is not installed.
        """
        is_series = any(item is not None for item in (key, step, timestamp))
        if (artifact_file is None) == (key is None) or (artifact_file is not None and is_series):
            raise InvalidValue(
                "log_image takes artifact_file=, or key= with step= and timestamp=: one of the two. Nothing was logged."
            )
        picture, folder = contents.as_image(image), self._writable_artifacts(run_id)
        if artifact_file is not None:
            folder.put_bytes(contents.image_bytes(picture, artifact_file), artifact_file)
            return
        assert key is not None
        place = 0 if step is None else validation.as_step(step)
        moment = names.now_ms() if timestamp is None else validation.as_timestamp(timestamp)
        whole, small = contents.image_names(key, place, moment, names.new_run_id())
        for name, item in ((whole, picture), (small, contents.small(picture))):
            folder.put_bytes(contents.image_bytes(item, name), name)
        self.set_tag(run_id, LOGGED_IMAGES_TAG, True)

    def log_table(self, run_id: str, data: Any, artifact_file: str) -> None:
        """Keep a table, or add rows to the one of this name.

        Parameters
        ----------
        run_id
            The run.
        data
            A DataFrame, or a dictionary of columns.
        artifact_file
            Ends in ``.json`` (as MLflow keeps tables) or in ``.parquet``.

        Raises
        ------
        InvalidValue
            This makes no table; nothing was logged.
        """
        contents.check_table_name(artifact_file)
        table, folder = contents.as_table(data), self._writable_artifacts(run_id)
        # Rows of two threads must not overwrite each other.
        with _tables:
            before = None
            with contextlib.suppress(NotFound):
                before = _content(folder, artifact_file)
            content = contents.table_bytes(table, artifact_file, before)
            noted = _logged_artifacts(self.get_run(run_id))
            note = {"path": artifact_file, "type": "table"}
            # First: if the tag is refused nothing is logged, so a second try doubles no rows.
            if note not in noted:
                self.set_tag(run_id, LOGGED_ARTIFACTS_TAG, json.dumps([*noted, note]))
            folder.put_bytes(content, artifact_file)

    def load_table(
        self,
        experiment_id: str,
        artifact_file: str,
        run_ids: Sequence[str] | None = None,
        extra_columns: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """Return the rows of a table of one run, or of several runs one below the other.

        Parameters
        ----------
        experiment_id
            Where to look.
        artifact_file
            The table's name.
        run_ids
            Which runs; all of the experiment that have the table if left out.
        extra_columns
            Columns of ``search_runs`` that are added, such as ``"run_id"`` or ``"params.lr"``;
            where the table has one of this name, with an underscore behind it.

        Raises
        ------
        NotFound
            No run has this table.
        """
        import pandas as pd

        from tracknb.view.table import runs_frame

        contents.check_table_name(artifact_file)
        wanted = {"path": artifact_file, "type": "table"}
        runs = [
            run
            for run in self.all_runs([experiment_id], f"tags.`{LOGGED_ARTIFACTS_TAG}` IS NOT NULL")
            if (run_ids is None or run.info.run_id in run_ids) and wanted in _logged_artifacts(run)
        ]
        if not runs:
            raise NotFound(f"No run of the experiment {experiment_id} has the table '{artifact_file}'.")
        about, tables = runs_frame(runs), []
        for place, run in enumerate(runs):
            content = _content(self.artifacts(run.info.run_id), artifact_file)
            table = contents.read_table(content, artifact_file)
            for column in extra_columns or ():
                if column not in about:
                    raise InvalidValue(f"search_runs has no column '{column}'. It has: {', '.join(about.columns)}.")
                table[f"{column}_" if column in table else column] = about[column].iloc[place]
            tables.append(table)
        return pd.concat(tables, ignore_index=True)

    def record_cells(
        self, tags: Mapping[str, Mapping[str, str]], kernel: str, notebook: str, cells: Sequence[CellExecution]
    ) -> None:
        """Note executions of a kernel's cells, and what they are to runs; those noted already stay as they are.

        ``tags`` holds, by run id, the tags that each of the runs gets in the same transaction.
        """
        self._store.record_cells(tags, kernel, notebook, cells)

    def get_cells(self, run_id: str, *, with_before: bool = False) -> list[CellExecution]:
        """Return the cells that a run depends on and its own, in the order in which they ran.

        With ``with_before`` every cell that ran in its kernel before it. Nothing for runs that no
        cell of a notebook made.
        """
        self.get_run(run_id)
        return self._store.cells_of(run_id, with_before=with_before)

    def list_artifacts(self, run_id: str, path: str | None = None) -> list[FileInfo]:
        """Return what lies directly in a folder of a run."""
        return self.artifacts(run_id).list(path)

    def download_artifacts(self, run_id: str, path: str, dst_path: str | os.PathLike[str] | None = None) -> str:
        """Return where a file or folder of a run lies on this machine.

        Parameters
        ----------
        run_id
            The run.
        path
            A path in the run; all of its files if it is empty.
        dst_path
            A folder to copy it to. If left out, files in a local folder stay where they are, and
            others are read into a folder for temporary files that goes with this process.

        Raises
        ------
        NotFound
            The run has no such file.
        """
        return str(self.artifacts(run_id).local_path(path, dst_path))


def open_artifacts(uri: str) -> LocalArtifacts | RemoteArtifacts:
    """Return the files of a run by their address: a folder, or a URL that fsspec knows."""
    if not config.is_url(uri):
        return LocalArtifacts(uri, _files_of_stores())
    # Imported here: most files lie in a folder, and `import tracknb` is to stay fast.
    from tracknb.remote_files import RemoteArtifacts

    return RemoteArtifacts(uri, _files_of_stores())


def _files_of_stores() -> list[str]:
    """Return the files that belong to the SQLite stores of this process."""
    paths = [store.location.path for store in list(_stores.values()) if store.location.path is not None]
    return [f"{path}{ending}" for path in paths for ending in ("", "-wal", "-shm")]


def _check_page_size(max_results: int) -> None:
    if not isinstance(max_results, int) or not 1 <= max_results <= _LARGEST_PAGE:
        raise InvalidValue(f"max_results is a whole number from 1 to {_LARGEST_PAGE:,}, not {max_results!r}.")


def _several(one_or_more: str | Sequence[str] | None) -> list[str] | None:
    return [one_or_more] if isinstance(one_or_more, str) else None if one_or_more is None else list(one_or_more)


def _sizes_frame(sizes: Sequence[RunSize]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(
        {
            "run_id": [size.run_id for size in sizes],
            "run_name": [size.name for size in sizes],
            "experiment": [size.experiment for size in sizes],
            "status": [size.status for size in sizes],
            "lifecycle_stage": [size.lifecycle_stage for size in sizes],
            "points": [size.points for size in sizes],
            "store_bytes": [size.size_bytes for size in sizes],
            "artifact_bytes": [open_artifacts(size.artifact_uri).size_bytes() for size in sizes],
        }
    )


def as_point(
    key: str, value: Any, step: int | None = None, timestamp: int | None = None
) -> tuple[str, float, int, int]:
    """Return a checked point of (key, value, step, timestamp in ms); step 0 and now if left out."""
    return (
        validation.as_key(key, "metric"),
        validation.as_metric_value(key, value),
        0 if step is None else validation.as_step(step),
        names.now_ms() if timestamp is None else validation.as_timestamp(timestamp),
    )


def _content(folder: LocalArtifacts | RemoteArtifacts, artifact_file: str) -> bytes:
    """Return a file of a run; a copy that had to be fetched is gone afterwards."""
    if isinstance(folder, LocalArtifacts):
        return folder.local_path(artifact_file).read_bytes()
    with tempfile.TemporaryDirectory(prefix="tracknb-") as fetched:
        return folder.local_path(artifact_file, fetched).read_bytes()


def _logged_artifacts(run: Run) -> list[Any]:
    """Return what MLflow's tag says of a run's tables; what somebody else wrote there says nothing."""
    with contextlib.suppress(ValueError):
        noted = json.loads(run.data.tags.get(LOGGED_ARTIFACTS_TAG, "[]"))
        if isinstance(noted, list):
            return noted
    return []


def _by_key(items: Sequence[Param] | Sequence[RunTag] | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(items, Mapping):
        return items
    found: dict[str, Any] = {}
    for item in items:
        if found.setdefault(item.key, item.value) != item.value:
            raise InvalidValue(
                f"The key '{item.key}' comes twice in this batch, with '{found[item.key]}' and '{item.value}'. "
                "Nothing was logged."
            )
    return found


def _as_imported(run: Run) -> Run:
    """Return a run of another tracker as it is stored."""
    info = run.info
    # The id becomes a folder's name.
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", info.run_id):
        raise InvalidValue(f"{info.run_id!r:.80} is no run id: letters, digits, _ and -, at most 64 of them.")
    name = validation.as_run_name(info.run_name)
    validation.as_tag_value("user", validation.as_user(info.user_id))
    for moment in (info.start_time, info.end_time):
        if moment is not None:
            validation.as_timestamp(moment)
    _as_status(info.status)
    if info.lifecycle_stage not in list(LifecycleStage):
        raise InvalidValue(f"'{info.lifecycle_stage:.80}' is no lifecycle stage: {', '.join(LifecycleStage)}.")
    inputs = [validation.as_input(item) for item in run.inputs.dataset_inputs]
    params, tags = validation.as_params(run.data.params), validation.as_tags(run.data.tags)
    return Run(
        replace(info, run_name=name),
        replace(run.data, params=params, tags=tags),
        replace(run.inputs, dataset_inputs=inputs),
    )


def _as_status(status: str) -> str:
    try:
        return RunStatus(status).value
    except ValueError:
        raise InvalidValue(f"'{status}' is no run status. Use one of: {', '.join(RunStatus)}.") from None


def experiment_ids_by_name(client: TrackingClient, names_: Iterable[str]) -> list[str]:
    """Return the ids of experiments; an unknown name raises with a near miss."""
    ids = []
    for name in names_:
        experiment = client.get_experiment_by_name(name)
        if experiment is None:
            raise no_such_experiment(client, name)
        ids.append(experiment.experiment_id)
    return ids


def no_such_experiment(client: TrackingClient, name: str) -> NotFound:
    """Return the error for an unknown experiment name, with the nearest known one."""
    import difflib

    known = [experiment.name for experiment in client.search_experiments()]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else f" There are: {', '.join(known[:8])}."
    return NotFound(f"No experiment is called '{name}'.{hint}")
