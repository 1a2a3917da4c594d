"""MLflow's file store: a folder for each experiment, in it one for each run, in it a file for each thing.

A param or tag is a file with its text, a metric one with a line a point; ``train/loss``
is the file ``loss`` in the folder ``train``. Deleted experiments lie in ``.trash``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tracknb.entities import (
    RUN_NAME_TAG,
    USER_TAG,
    Dataset,
    DatasetInput,
    Experiment,
    InputTag,
    LifecycleStage,
    Run,
    RunData,
    RunInfo,
    RunInputs,
    RunStatus,
)
from tracknb.errors import InvalidValue, SourceDamaged
from tracknb.transfer.source import ArtifactPlace, Point, SourceRun, Unreadable, sorted_points
from tracknb.transfer.yaml import Value, read_below, read_flat

_META: Final = "meta.yaml"
_TRASH: Final = ".trash"
# Folders of an experiment that are no runs, with what to call what is in them.
_OTHERS: Final = {"traces": "traces"}
_DATASETS: Final = "datasets"
_MODELS: Final = "models"
_NO_RUNS: Final = {"tags", _MODELS, _DATASETS, *_OTHERS}
_STATUSES: Final = (None, *(status.value for status in RunStatus))
_INT64: Final = 1 << 63
_PORTION: Final = 100_000


class FileStore:
    """An ``mlruns`` folder.

    Raises
    ------
    InvalidValue
        The folder is none.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.shown = str(root)
        self.folders: Sequence[Path] = (root.parent, root)
        self._places = self._experiment_folders()
        if not self._places:
            raise InvalidValue(f"{root} is no mlruns folder of MLflow: {self._what_else()}. Nothing was imported.")

    def _experiment_folders(self) -> dict[str, Path]:
        """Return the folders of experiments by their names, which are the experiments' ids."""
        found: dict[str, Path] = {}
        for top in (self.root, self.root / _TRASH):
            for folder in _folders(top):
                if folder.name != _TRASH and (folder / _META).is_file() and folder.name != _MODELS:
                    found.setdefault(folder.name, folder)
        return found

    def _what_else(self) -> str:
        for folder in (self.root, self.root.parent):
            for name in ("mlflow.db", "mlruns.db"):
                if (folder / name).is_file():
                    return f"its runs are in the database {folder / name}; import that"
        if any((self.root / "mlruns").glob(f"*/{_META}")):
            return f"it holds one; import {self.root / 'mlruns'}"
        return f"no folder in it has a {_META}"

    # -- experiments -----------------------------------------------------------------

    def experiments(self) -> list[Experiment | Unreadable]:
        """Return every experiment, deleted ones too."""
        return [self._experiment(number, folder) for number, folder in sorted(self._places.items(), key=_by_number)]

    def _experiment(self, number: str, folder: Path) -> Experiment | Unreadable:
        try:
            meta = _read_meta(folder)
            tags = _texts(folder / "tags")
            name = _text(meta, "name")
        except SourceDamaged as error:
            return Unreadable(number, str(error))
        if not name:
            return Unreadable(number, f"{folder / _META} holds no name")
        is_deleted = folder.parent.name == _TRASH or meta.get("lifecycle_stage") == LifecycleStage.DELETED
        return Experiment(
            experiment_id=number,
            name=name,
            artifact_location=_text(meta, "artifact_location"),
            lifecycle_stage=(LifecycleStage.DELETED if is_deleted else LifecycleStage.ACTIVE).value,
            tags=tags,
            creation_time=_number(meta, "creation_time"),
            last_update_time=_number(meta, "last_update_time"),
        )

    def run_ids(self, experiment_id: str) -> list[str]:
        """Return the folders that are runs: those with a ``meta.yaml``, or with what only a run has."""
        return [
            folder.name
            for folder in _folders(self._places[experiment_id])
            if folder.name not in _NO_RUNS
            and ((folder / _META).is_file() or any((folder / part).is_dir() for part in ("metrics", "params")))
        ]

    # -- runs --------------------------------------------------------------------------

    def run(self, experiment_id: str, run_id: str) -> SourceRun:
        """Return a run without its points."""
        folder = self._places[experiment_id] / run_id
        meta = _read_meta(folder)
        told = str(meta.get("experiment_id"))
        if told != experiment_id:
            raise SourceDamaged(f"{folder / _META} says that it belongs to experiment {told}, not to {experiment_id}.")
        tags = _texts(folder / "tags")
        start = _number(meta, "start_time")
        status = meta.get("status")
        if isinstance(status, int):
            status = _STATUSES[status] if 0 < status < len(_STATUSES) else None
        info = RunInfo(
            run_id=run_id,
            experiment_id=experiment_id,
            run_name=_text(meta, "run_name") or _text(meta, "name") or tags.get(RUN_NAME_TAG) or run_id[:8],
            user_id=_text(meta, "user_id") or tags.get(USER_TAG, ""),
            status=str(status or RunStatus.RUNNING.value),
            start_time=0 if start is None else start,
            end_time=_number(meta, "end_time"),
            lifecycle_stage=_text(meta, "lifecycle_stage") or LifecycleStage.ACTIVE.value,
            artifact_uri=_text(meta, "artifact_uri"),
        )
        lengths = {key: os.stat(path).st_size for key, path in _files(folder / "metrics")}
        usual = folder / "artifacts"
        own = ArtifactPlace(info.artifact_uri or str(usual), usual=usual)
        return SourceRun(
            run=Run(info, RunData(params=_texts(folder / "params"), tags=tags), self._inputs(experiment_id, folder)),
            lengths=lengths,
            deleted_time=_number(meta, "deleted_time"),
            artifacts=(own, *self._models(experiment_id, run_id)),
        )

    def _inputs(self, experiment_id: str, folder: Path) -> RunInputs:
        """Return the datasets that a run used."""
        found = []
        for use in _folders(folder / "inputs"):
            told = _read_meta(use)
            if told.get("source_type") != "DATASET":
                continue
            dataset = _read_meta(self._places[experiment_id] / _DATASETS / _text(told, "source_id"))
            schema, profile = (dataset.get(name) for name in ("schema", "profile"))
            found.append(
                DatasetInput(
                    Dataset(
                        _text(dataset, "name"),
                        _text(dataset, "digest"),
                        _text(dataset, "source_type"),
                        _text(dataset, "source"),
                        None if schema is None else str(schema),
                        None if profile is None else str(profile),
                    ),
                    [
                        InputTag(key, "" if value is None else str(value))
                        for key, value in read_below(_read(use / _META), "tags").items()
                    ],
                )
            )
        return RunInputs(found)

    def _models(self, experiment_id: str, run_id: str) -> Iterator[ArtifactPlace]:
        """Give the places of the models that a run logged: MLflow 3 keeps them beside the runs."""
        taken: set[str] = set()
        for folder in sorted(_folders(self._places[experiment_id] / _MODELS), key=_newest_first):
            try:
                meta = _read_meta(folder)
            except SourceDamaged:
                continue
            if meta.get("source_run_id") == run_id:
                name = _text(meta, "name") or folder.name
                yield ArtifactPlace(
                    _text(meta, "artifact_location") or str(folder / "artifacts"),
                    below=f"{name}-{folder.name}" if name in taken else name,
                    usual=folder / "artifacts",
                )
                taken.add(name)

    def history(self, experiment_id: str, run_id: str) -> Iterator[tuple[str, Sequence[Point]]]:
        """Give the points of a run, portions of one metric after the other."""
        folder = self._places[experiment_id] / run_id / "metrics"
        for key, path in _files(folder):
            points = sorted_points(_read_points(path))
            for first in range(0, len(points), _PORTION):
                yield key, points[first : first + _PORTION]

    def left_out(self) -> dict[str, int]:
        """Return what else is there that tracknb does not take, counted."""
        found = {"registered models": len(_folders(self.root / _MODELS))}
        for name, what in _OTHERS.items():
            found[what] = sum(len(_folders(folder / name)) for folder in self._places.values())
        return {what: count for what, count in found.items() if count}

    def close(self) -> None:
        """Do nothing: no file stays open."""


def _by_number(item: tuple[str, Path]) -> tuple[int, int, str]:
    number = item[0]
    return (0, int(number), "") if number.isdecimal() and number.isascii() else (1, 0, number)


def _newest_first(folder: Path) -> float:
    try:
        return -float(_number(_read_meta(folder), "creation_timestamp") or 0)
    except SourceDamaged:
        return 0.0


def _folders(top: Path) -> list[Path]:
    try:
        return sorted(folder for folder in top.iterdir() if folder.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise _unreadable(top, error) from error


def _files(top: Path) -> Iterator[tuple[str, Path]]:
    """Give the regular files below a folder by their path in it, which is a key."""
    if top.is_symlink():
        return
    for folder, folders, names in os.walk(top, onerror=_raise):
        folders.sort()
        for name in sorted(names):
            path = Path(folder, name)
            # A link or a pipe was not written by MLflow; it might lead anywhere.
            if path.is_file() and not path.is_symlink():
                yield path.relative_to(top).as_posix(), path


def _raise(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise _unreadable(Path(error.filename or "."), error) from error


def _texts(top: Path) -> dict[str, str]:
    return {key: _read(path) for key, path in _files(top)}


def _read(path: Path) -> str:
    try:
        # Line ends as MLflow reads them, which opens its files in text mode with UTF-8.
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> SourceDamaged:
    why = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
    return SourceDamaged(f"{path} cannot be read: {why or error}.")


def _read_meta(folder: Path) -> dict[str, Value]:
    path = folder / _META
    try:
        return read_flat(_read(path))
    except ValueError as error:
        raise SourceDamaged(f"{path} cannot be read: {error}.") from error


def _text(meta: dict[str, Value], key: str) -> str:
    value = meta.get(key)
    return "" if value is None else str(value)


def _number(meta: dict[str, Value], key: str) -> int | None:
    value = meta.get(key)
    return value if isinstance(value, int) else None


def _read_points(path: Path) -> list[Point]:
    points: list[Point] = []
    number = 0
    lines = _read(path).split("\n")
    # What stands behind the last line end is a point that is just being written.
    for number, line in enumerate(lines[:-1], start=1):
        fields = line.split()
        try:
            step = int(fields[2]) if len(fields) > 2 else 0
            points.append((step, int(fields[0]), float(fields[1]) + 0.0, 0))
        except (ValueError, IndexError):
            if not fields:
                continue
            raise SourceDamaged(f"{path} holds no point in line {number}: {line[:60]!r}.") from None
    if any(not -_INT64 <= step < _INT64 or not 0 <= time < _INT64 for step, time, _, _ in points):
        raise SourceDamaged(f"{path} holds a step or a time that is beyond 64 bits, or a time before 1970.")
    return points
