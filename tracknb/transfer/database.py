"""MLflow's SQLite database, read by what it holds: the columns that are there, of any version.

The file is opened for reading only. One that needs a repair or an index before it can be
read, because it was copied or its writer died, is read from a copy.
"""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

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
from tracknb.transfer.source import ArtifactPlace, Point, SourceRun, Unreadable

# Without these there is nothing to import; every other column may be missing.
_NEEDED: Final = {
    "experiments": ("experiment_id", "name"),
    "runs": ("run_uuid", "experiment_id"),
    "params": ("key", "value", "run_uuid"),
    "tags": ("key", "value", "run_uuid"),
    "metrics": ("key", "value", "timestamp", "run_uuid"),
}
_OTHERS: Final = {
    "trace_info": "traces",
    "registered_models": "registered models",
}
_PORTION: Final = 20_000
_BUSY_SECONDS: Final = 30.0
_SQLITE_HEADER: Final = b"SQLite format 3\0"


class Database:
    """An MLflow database.

    Raises
    ------
    InvalidValue
        It is another program's, or of a shape that is not known.
    SourceDamaged
        It is no sound database.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.shown = str(path)
        self.folders: Sequence[Path] = (path.parent, path.parent / "mlruns", path.parent / "mlartifacts")
        self._copies: tempfile.TemporaryDirectory[str] | None = None
        self._connection = self._opened()
        try:
            self._columns = self._tables()
            self._names = self._experiment_names()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the file, and of the copy if there is one."""
        self._connection.close()
        if self._copies is not None:
            self._copies.cleanup()

    # -- opening -----------------------------------------------------------------------

    def _opened(self) -> sqlite3.Connection:
        try:
            return _connect(self.path, self._options())
        except sqlite3.Error as first:
            if _is_no_database(first):
                raise self._damaged(first) from first
        except OSError as error:
            raise SourceDamaged(f"{self.path} cannot be read: {error.strerror}.") from error
        try:
            return _connect(self._copy(), "mode=rw")
        except (sqlite3.Error, OSError) as error:
            raise self._damaged(error) from error

    def _options(self) -> str:
        """Return how to open the file so that SQLite writes nothing beside it."""
        if os.path.exists(f"{self.path}-wal"):
            # Somebody has it open, and keeps the index that readers need; else this fails.
            return "mode=ro&readonly_shm=1"
        # A WAL without a writer: SQLite would make the files of one.
        return "mode=ro&immutable=1" if _is_wal(self.path) else "mode=ro"

    def _copy(self) -> Path:
        self._copies = tempfile.TemporaryDirectory(prefix="tracknb-import-")
        target = Path(self._copies.name, "copy.db")
        for ending in ("", "-wal", "-journal"):
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(f"{self.path}{ending}", f"{target}{ending}")
        return target

    def _damaged(self, error: Exception) -> SourceDamaged:
        return SourceDamaged(
            f"{self.path} is no sound SQLite database ({error}). It was not changed, and nothing was imported from it."
        )

    def _tables(self) -> dict[str, set[str]]:
        """Return the columns of each table, or say why they are not MLflow's."""
        tables = [name for (name,) in self._rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
        columns = {table: {row[1] for row in self._rows(f"PRAGMA table_info({_quoted(table)})")} for table in tables}
        if "runs" in columns and "run_id" in columns["runs"] and "lease_pid" in columns["runs"]:
            raise InvalidValue(
                f"{self.path} is a store of tracknb itself, not of MLflow. "
                f"Open it with set_tracking_uri('{self.path}')."
            )
        if not {"experiments", "runs", "metrics"} <= columns.keys():
            raise InvalidValue(
                f"{self.path} is no database of MLflow: it lacks the tables experiments, runs and metrics. "
                "Nothing was imported."
            )
        for table, needed in _NEEDED.items():
            missing = [name for name in needed if name not in columns.get(table, ())]
            if missing:
                raise InvalidValue(
                    f"{self.path} is a database of an MLflow that this version of tracknb does not know: the table "
                    f"'{table}' has no column '{missing[0]}'. Nothing was imported. Upgrade tracknb."
                )
        return columns

    # -- experiments -----------------------------------------------------------------

    def _experiment_names(self) -> dict[str, str]:
        """Return the names of experiments by id; two workspaces may have one of the same name."""
        rows = self._select("experiments", ("experiment_id", "name", "workspace"), "1 ORDER BY experiment_id")
        found: dict[str, str] = {}
        for number, name, workspace in rows:
            taken = name in found.values()
            found[str(number)] = f"{name} ({workspace})" if taken and workspace else name
        return found

    def experiments(self) -> list[Experiment | Unreadable]:
        """Return every experiment, deleted ones too."""
        wanted = ("experiment_id", "artifact_location", "lifecycle_stage", "creation_time", "last_update_time")
        return [
            Experiment(
                experiment_id=str(number),
                name=_text(self._names[str(number)]),
                artifact_location=_text(location),
                lifecycle_stage=_text(stage) or LifecycleStage.ACTIVE.value,
                tags=self._texts("experiment_tags", "experiment_id", number),
                creation_time=_time(created),
                last_update_time=_time(updated),
            )
            for number, location, stage, created, updated in self._select(
                "experiments", wanted, "1 ORDER BY experiment_id"
            )
        ]

    def run_ids(self, experiment_id: str) -> list[str]:
        """Return the runs of an experiment in the order of their making."""
        rows = self._rows("SELECT run_uuid FROM runs WHERE experiment_id = ? ORDER BY rowid", (experiment_id,))
        return [str(run_id) for (run_id,) in rows]

    # -- runs --------------------------------------------------------------------------

    def run(self, experiment_id: str, run_id: str) -> SourceRun:
        """Return a run without its points."""
        wanted = ("name", "user_id", "status", "start_time", "end_time", "lifecycle_stage", "artifact_uri")
        rows = self._select("runs", (*wanted, "deleted_time"), "run_uuid = ?", (run_id,))
        if not rows:
            raise SourceDamaged(f"{self.path} holds the run {run_id} no more.")
        name, user, status, start, end, stage, artifact_uri, deleted = rows[0]
        tags = self._texts("tags", "run_uuid", run_id)
        info = RunInfo(
            run_id=run_id,
            experiment_id=experiment_id,
            run_name=_text(name) or tags.get(RUN_NAME_TAG) or run_id[:8],
            user_id=_text(user) or tags.get(USER_TAG, ""),
            status=_text(status) or RunStatus.RUNNING.value,
            start_time=_time(start) or 0,
            end_time=_time(end),
            lifecycle_stage=_text(stage) or LifecycleStage.ACTIVE.value,
            artifact_uri=_text(artifact_uri),
        )
        counts = self._rows("SELECT key, COUNT(*) FROM metrics WHERE run_uuid = ? GROUP BY key", (run_id,))
        own = [ArtifactPlace(info.artifact_uri)] if info.artifact_uri else []
        return SourceRun(
            run=Run(info, RunData(params=self._texts("params", "run_uuid", run_id), tags=tags), self._inputs(run_id)),
            lengths={_text(key): count for key, count in counts},
            deleted_time=_time(deleted),
            artifacts=(*own, *self._models(run_id)),
        )

    def _inputs(self, run_id: str) -> RunInputs:
        """Return the datasets that a run used."""
        if not {"datasets", "inputs", "input_tags"} <= self._columns.keys():
            return RunInputs()
        rows = self._rows(
            "SELECT i.input_uuid, d.name, d.digest, d.dataset_source_type, d.dataset_source, d.dataset_schema, "
            "d.dataset_profile FROM inputs AS i JOIN datasets AS d ON d.dataset_uuid = i.source_id "
            "WHERE i.source_type = 'DATASET' AND i.destination_type = 'RUN' AND i.destination_id = ? ORDER BY i.rowid",
            (run_id,),
        )
        found = []
        for number, name, data_digest, source_type, source, schema, profile in rows:
            tags = self._rows("SELECT name, value FROM input_tags WHERE input_uuid = ? ORDER BY rowid", (number,))
            found.append(
                DatasetInput(
                    Dataset(
                        _text(name),
                        _text(data_digest),
                        _text(source_type),
                        _text(source),
                        None if schema is None else _text(schema),
                        None if profile is None else _text(profile),
                    ),
                    [InputTag(_text(key), _text(value)) for key, value in tags],
                )
            )
        return RunInputs(found)

    def _models(self, run_id: str) -> Iterator[ArtifactPlace]:
        """Give the places of the models that a run logged: MLflow 3 keeps them beside the runs."""
        if not {"model_id", "name", "artifact_location", "source_run_id"} <= self._columns.get("logged_models", set()):
            return
        taken: set[str] = set()
        rows = self._rows(
            "SELECT model_id, name, artifact_location FROM logged_models WHERE source_run_id = ? ORDER BY rowid DESC",
            (run_id,),
        )
        for model_id, name, location in rows:
            yield ArtifactPlace(_text(location), below=f"{name}-{model_id}" if name in taken else _text(name))
            taken.add(name)

    def history(self, experiment_id: str, run_id: str) -> Iterator[tuple[str, Sequence[Point]]]:
        """Give the points of a run, portions of one metric after the other."""
        there = self._columns["metrics"]
        chosen = ", ".join(name if name in there else "0" for name in ("step", "timestamp", "value", "is_nan"))
        sql = f"SELECT key, {chosen} FROM metrics WHERE run_uuid = ? ORDER BY key, 2, 3, rowid"
        try:
            cursor = self._connection.execute(sql, (run_id,))
            while rows := cursor.fetchmany(_PORTION):
                for key, of_key in groupby(rows, itemgetter(0)):
                    yield _text(key), [_point(row) for row in of_key]
        except sqlite3.Error as error:
            raise self._damaged(error) from error

    def left_out(self) -> dict[str, int]:
        """Return what else is there that tracknb does not take, counted."""
        found = {
            what: self._rows(f"SELECT COUNT(*) FROM {table}")[0][0]
            for table, what in _OTHERS.items()
            if table in self._columns
        }
        return {what: count for what, count in found.items() if count}

    # -- rows --------------------------------------------------------------------------

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise self._damaged(error) from error

    def _select(
        self, table: str, columns: Sequence[str], where: str, values: Sequence[Any] = ()
    ) -> list[tuple[Any, ...]]:
        """Return rows of a table, with None in the columns that it does not have."""
        there = self._columns[table]
        chosen = ", ".join(name if name in there else "NULL" for name in columns)
        return self._rows(f"SELECT {chosen} FROM {table} WHERE {where}", values)

    def _texts(self, table: str, owner: str, of: Any) -> dict[str, str]:
        if table not in self._columns:
            return {}
        rows = self._rows(f"SELECT key, value FROM {table} WHERE {owner} = ?", (of,))
        return {_text(key): _text(value) for key, value in rows}


def _connect(path: Path, options: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{quote(str(path))}?{options}", uri=True, timeout=_BUSY_SECONDS)
    try:
        # Nothing that a stranger's file brings along may run.
        connection.execute("PRAGMA trusted_schema=OFF")
        connection.execute("PRAGMA cell_size_check=ON")
        connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _is_wal(path: Path) -> bool:
    """Tell whether a database is in WAL mode, by its header."""
    if _is_open_here(path):
        # Closing a file drops the locks that this process holds on it. One that is open
        # here in WAL mode would have its WAL beside it.
        return False
    with open(path, "rb") as file:
        header = file.read(20)
    return header.startswith(_SQLITE_HEADER) and header[18:20] == b"\2\2"


def _is_open_here(path: Path) -> bool:
    own = os.stat(path)
    try:
        descriptors = os.listdir("/proc/self/fd")
    except OSError:
        return False
    for number in descriptors:
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(int(number)), own):
                return True
    return False


def _is_no_database(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorname", "") in ("SQLITE_NOTADB", "SQLITE_CORRUPT")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: Any) -> str:
    return "" if value is None else value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _time(value: Any) -> int | None:
    try:
        return int(value) if isinstance(value, (int, float)) else None
    except (ValueError, OverflowError):
        raise SourceDamaged(f"A time in the database is no number: {value!r:.60}.") from None


def _point(row: tuple[Any, ...]) -> Point:
    _, step, timestamp, value, is_nan = row
    if isinstance(value, (str, bytes)):
        raise SourceDamaged(f"A metric's value in the database is no number: {value!r:.60}.")
    if is_nan or value is None:
        value = math.nan
    elif abs(value) == sys.float_info.max:
        # MLflow's databases keep no infinities: there they are the greatest float.
        value = math.copysign(math.inf, value)
    return _whole(step), _whole(timestamp), float(value) + 0.0, 0


def _whole(value: Any) -> int:
    if type(value) is int:
        return value
    if isinstance(value, bytes) and len(value) == 8:
        # What MLflow's SQLite keeps of a NumPy integer.
        return int.from_bytes(value, "little", signed=True)
    try:
        return int(value or 0)
    except (TypeError, ValueError, OverflowError):
        raise SourceDamaged(f"A step or time in the database is no number: {value!r:.60}.") from None
