"""MLflow's stores into one of ours: what is there, under its own ids, once however often.

Each run comes in one transaction, then its files; what was broken off is completed by the
next import. The source is never written to.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal, get_args
from urllib.parse import unquote, urlsplit

from tracknb import config, validation
from tracknb.client import TrackingClient
from tracknb.entities import Experiment, LifecycleStage
from tracknb.errors import AlreadyExists, InvalidValue, NotFound, SourceDamaged, StoreError
from tracknb.files import LocalArtifacts
from tracknb.transfer.artifacts import Copied, copy_folder, find_folder, link_folder, unlink_folder
from tracknb.transfer.database import Database
from tracknb.transfer.mlruns import FileStore
from tracknb.transfer.source import Source, SourceRun, Unreadable, digest
from tracknb.transfer.summary import Counts, ImportSummary

Artifacts = Literal["copy", "link", "skip"]
# Runs done, runs in all, and the name of the one that was done last.
Progress = Callable[[int, int, str], None]

_FORMS: Final = "an mlruns folder, sqlite:///mlflow.db or the path of such a database"


def import_mlflow(
    path_or_uri: str | os.PathLike[str],
    *,
    tracking_uri: str | os.PathLike[str] | None = None,
    artifacts: Artifacts = "copy",
    progress: Progress | None = None,
) -> ImportSummary:
    """Copy the experiments and runs of an MLflow store into a store of tracknb.

    Runs keep their ids, times, params, tags, every metric point and their files;
    experiments go by their names, so one that is here already takes the runs. Importing
    again adds what has grown since, and completes what was broken off. A run that is here
    under the same id and was not imported stays as it is. The source is only read, and
    MLflow need not be installed.

    Parameters
    ----------
    path_or_uri
        An ``mlruns`` folder, or an MLflow database of SQLite as ``sqlite:///mlflow.db`` or
        by its path.
    tracking_uri
        The store to import into; the current one if left out.
    artifacts
        ``"copy"`` copies the files of each run into its own folder. ``"link"`` makes that
        folder a link to where they are. ``"skip"`` leaves them; a later import may take
        them. Where a file's address is of another machine, it is looked for beside the
        source.
    progress
        Called after each run with how many are done, how many there are, and its name.

    Returns
    -------
    ImportSummary
        How many experiments, runs, points and files came, and what did not and why.

    Raises
    ------
    NotFound
        There is nothing at this path.
    InvalidValue
        What is there is no MLflow store, or one of an unknown kind.
    SourceDamaged
        The database is damaged.

    Examples
    --------
    >>> import pathlib, tempfile, tracknb
    >>> mlruns = pathlib.Path(tempfile.mkdtemp(), "mlruns")
    >>> run = mlruns / "1" / ("a" * 32)
    >>> (run / "metrics").mkdir(parents=True)
    >>> _ = (mlruns / "1" / "meta.yaml").write_text("experiment_id: '1'\\nname: nyc-taxi\\n")
    >>> _ = (run / "meta.yaml").write_text(
    ...     "experiment_id: '1'\\nrun_name: ridge\\nstatus: 3\\nstart_time: 1000\\nend_time: 5000\\n"
    ... )
    >>> _ = (run / "metrics" / "rmse").write_text("2000 4.2 0\\n")
    >>> summary = tracknb.import_mlflow(mlruns)
    >>> summary.runs, summary.points
    (1, 1)
    >>> tracknb.get_run("a" * 32).data.metrics
    {'rmse': 4.2}
    >>> tracknb.import_mlflow(mlruns).unchanged_runs
    1
    """
    if artifacts not in get_args(Artifacts):
        raise InvalidValue(f"artifacts is 'copy', 'link' or 'skip', not {artifacts!r}. Nothing was imported.")
    client = TrackingClient(tracking_uri)
    source = _open(path_or_uri)
    try:
        counts = _Import(client, source, artifacts, progress).run()
    finally:
        source.close()
    return ImportSummary(source.shown, client.tracking_uri, counts)


def _open(path_or_uri: str | os.PathLike[str]) -> Source:
    path = _path(os.fsdecode(path_or_uri))
    if path.is_dir():
        return FileStore(path)
    if not path.exists():
        raise NotFound(f"There is nothing at {path}. Nothing was imported. Name {_FORMS}.")
    if not path.is_file():
        raise InvalidValue(f"{path} is no folder and no file. Nothing was imported. Name {_FORMS}.")
    return Database(path)


def _path(text: str) -> Path:
    if text.startswith("sqlite:"):
        path = config.locate(text).path
        assert path is not None  # a SQLite store has one
        return path
    if text.startswith("file:"):
        return Path(os.path.abspath(unquote(urlsplit(text).path)))
    if "://" in text:
        scheme = text.split("://", 1)[0]
        raise InvalidValue(f"'{scheme}://' cannot be imported from. Nothing was imported. Name {_FORMS}.")
    if not text:
        raise InvalidValue(f"An empty path names nothing to import. Name {_FORMS}.")
    return Path(os.path.abspath(os.path.expanduser(text)))


class _Import:
    """One import on its way."""

    def __init__(self, client: TrackingClient, source: Source, artifacts: Artifacts, progress: Progress | None) -> None:
        self.client = client
        self.source = source
        self.artifacts = artifacts
        self.progress = progress
        self.counts = Counts(left_out=source.left_out())

    def run(self) -> Counts:
        plan: list[tuple[Experiment, list[str]]] = []
        for experiment in self.source.experiments():
            if isinstance(experiment, Unreadable):
                self.counts.skipped.append((f"experiment {experiment.name}", experiment.why))
            else:
                plan.append((experiment, self.source.run_ids(experiment.experiment_id)))
        done, total = 0, sum(len(run_ids) for _, run_ids in plan)
        for experiment, run_ids in plan:
            ours = self._experiment(experiment)
            for run_id in run_ids if ours is not None else ():
                assert ours is not None
                name = self._run(experiment.experiment_id, run_id, ours)
                done += 1
                if self.progress is not None:
                    self.progress(done, total, name)
        return self.counts

    def _experiment(self, experiment: Experiment) -> Experiment | None:
        state = digest(experiment.lifecycle_stage, sorted(experiment.tags.items()))
        try:
            ours, is_new = self.client.import_experiment(experiment, state=f"mlflow {state}")
        except InvalidValue as error:
            self.counts.skipped.append((f"experiment {experiment.name}", str(error)))
            return None
        if ours.lifecycle_stage != experiment.lifecycle_stage and ours.lifecycle_stage == LifecycleStage.DELETED:
            why = f"It is deleted here and stays so; its runs came. Use restore_experiment('{ours.experiment_id}')."
            self.counts.skipped.append((f"experiment {experiment.name}", why))
        self.counts.experiments += 1
        self.counts.new_experiments += is_new
        return ours

    def _run(self, theirs: str, run_id: str, experiment: Experiment) -> str:
        """Import a run; returns how it is called."""
        name = run_id
        try:
            found = self.source.run(theirs, run_id)
            name = f"{found.run.info.run_name} ({run_id})"
            for key in found.lengths:
                validation.as_key(key, "metric")
            run = replace(found.run, info=replace(found.run.info, experiment_id=experiment.experiment_id))
            taken = self.client.import_run(
                run,
                lambda: self.source.history(theirs, run_id),
                state=f"mlflow {found.state()}",
                deleted_time=found.deleted_time,
            )
        except (InvalidValue, AlreadyExists, SourceDamaged) as error:
            self.counts.skipped.append((f"run {name}", str(error)))
            return name
        except StoreError:
            # Our own store: nothing more can come in.
            raise
        except (ArithmeticError, TypeError, ValueError, OSError) as error:
            # Something in the source that nobody thought of; the other runs come in.
            self.counts.skipped.append((f"run {name}", f"{type(error).__name__}: {error}"))
            return name
        self.counts.runs += taken.outcome == "new"
        self.counts.updated_runs += taken.outcome == "updated"
        self.counts.unchanged_runs += taken.outcome == "unchanged"
        self.counts.points += taken.points
        self._files(found, name)
        return name

    def _files(self, found: SourceRun, name: str) -> None:
        """Bring the files of a run that is in; they come at every import, so that none is left out for good."""
        if self.artifacts == "skip":
            return
        target = self.client.artifacts(found.run.info.run_id)
        copied = Copied()
        if isinstance(target, LocalArtifacts) and self.artifacts == "copy":
            unlink_folder(target.root)
        for place in found.artifacts:
            folder = find_folder(place, found.run.info.run_id, self.source.folders)
            if folder is None:
                copied.miss(place.uri)
            elif not folder.is_dir():
                # Nothing was logged.
                continue
            elif self.artifacts == "copy":
                if os.path.realpath(folder) != os.path.realpath(str(target.root)):
                    copy_folder(folder, target, place.below, copied)
            elif not isinstance(target, LocalArtifacts):
                copied.miss(f"{folder} cannot be linked from {target.root}; import with artifacts='copy'")
            elif not place.below:
                link_folder(folder, target.root)
            else:
                copied.miss(f"{folder} is a model's folder; with artifacts='link' only the run's own is linked")
        self.counts.artifacts += copied.files
        self.counts.artifact_bytes += copied.size_bytes
        self.counts.missing_artifacts += [(f"run {name}", what) for what in copied.missing or ()]
