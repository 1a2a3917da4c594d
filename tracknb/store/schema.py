"""The tables of a store: the promise that any SQL tool may read.

Inside, runs, experiments and metric keys are small integers; MLflow's text ids
stand once, in ``runs.run_id`` and ``experiments.id``. The views ``metric_points``
and ``latest_metric_values`` spell run id and key out for people.

The same tables serve SQLite, PostgreSQL and MySQL. A change of them is a new number
here and a revision in ``upgrades``.
"""

from __future__ import annotations

import math
import sys
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

# "tnb1" in ASCII: the mark by which we know our own file.
APPLICATION_ID: Final = 0x746E6231
SCHEMA_VERSION: Final = 3

metadata = sa.MetaData()


class MetricValue(sa.types.TypeDecorator[float]):
    """A 64-bit float: NULL is NaN, which SQLite and MySQL do not keep.

    MySQL keeps no infinities either: there they are the greatest float, which as a value
    of its own is refused before it gets here.
    """

    impl = sa.Double
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: sa.Dialect) -> float | None:
        """Return what is stored for a value."""
        return to_stored(value, dialect.name)

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> Any:
        """Return what turns a stored value into the one that was logged; nothing to do but on MySQL."""
        return from_mysql if dialect.name == "mysql" else None


def to_stored(value: float | None, dialect: str) -> float | None:
    """Return what a database keeps for a metric's value."""
    if value is None or value != value:
        return None
    if dialect == "mysql" and math.isinf(value):
        return math.copysign(sys.float_info.max, value)
    return value


def from_mysql(value: float | None) -> float | None:
    """Return the value that was logged for what MySQL kept."""
    if value is not None and abs(value) == sys.float_info.max:
        return math.copysign(math.inf, value)
    return value


def stored_text(length: int | None = None) -> sa.types.TypeEngine[str]:
    """Return a text that every database compares and sorts byte by byte.

    SQLite has no use for a length. MySQL's collation is a matter of its server's kind;
    ``server.py`` sets it.
    """
    of_mysql = mysql.MEDIUMTEXT() if length is None else mysql.VARCHAR(length)
    sorted_by_byte = sa.Text(collation="C") if length is None else sa.String(length, collation="C")
    return sa.Text().with_variant(of_mysql, "mysql").with_variant(sorted_by_byte, "postgresql")


# PostgreSQL refuses an index row above 2,700 bytes and MySQL one above 3,072, so the
# indexes of values hold their beginning there.
VALUE_PREFIX: Final = 200


def _value_indexes(table: str) -> tuple[sa.Index, sa.Index]:
    whole = sa.Index(f"{table}_by_value", "key", "value", "run", mysql_length={"value": VALUE_PREFIX})
    beginning = sa.Index(f"{table}_by_value", "key", sa.text(f"left(value, {VALUE_PREFIX})"), "run")
    return whole.ddl_if(callable_=_is_not_postgresql), beginning.ddl_if(dialect="postgresql")


def _is_not_postgresql(*_: Any, dialect: sa.Dialect, **__: Any) -> bool:
    return dialect.name != "postgresql"


experiments = sa.Table(
    "experiments",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", stored_text(500), nullable=False, unique=True),
    sa.Column("artifact_location", stored_text(), nullable=False),
    sa.Column("lifecycle_stage", stored_text(32), nullable=False),
    sa.Column("creation_time", sa.BigInteger, nullable=False),
    sa.Column("last_update_time", sa.BigInteger, nullable=False),
)

experiment_tags = sa.Table(
    "experiment_tags",
    metadata,
    sa.Column("experiment", sa.ForeignKey("experiments.id"), primary_key=True),
    sa.Column("key", stored_text(250), primary_key=True),
    sa.Column("value", stored_text(), nullable=False),
    sqlite_with_rowid=False,
)

# The lease columns say which process keeps a RUNNING run alive, so that whoever
# opens the store next can tell a long training from a dead kernel.
runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("run_id", stored_text(64), nullable=False, unique=True),
    sa.Column("experiment", sa.ForeignKey("experiments.id"), nullable=False),
    sa.Column("name", stored_text(500), nullable=False),
    sa.Column("user_id", stored_text(500), nullable=False),
    sa.Column("status", stored_text(32), nullable=False),
    sa.Column("start_time", sa.BigInteger, nullable=False),
    sa.Column("end_time", sa.BigInteger),
    sa.Column("lifecycle_stage", stored_text(32), nullable=False),
    sa.Column("artifact_uri", stored_text(), nullable=False),
    sa.Column("deleted_time", sa.BigInteger),
    sa.Column("lease_host", stored_text(255)),
    sa.Column("lease_boot", stored_text(255)),
    sa.Column("lease_pid", sa.Integer),
    sa.Column("lease_process_start", stored_text(255)),
    sa.Column("heartbeat", sa.BigInteger),
    # A search's default page: newest first within an experiment.
    sa.Index("runs_by_experiment", "experiment", "start_time", "id"),
    # The same page over all experiments.
    sa.Index("runs_by_start_time", "start_time"),
    # Settling looks for what is still open; partial would not be portable.
    sa.Index("runs_by_status", "status"),
)

params = sa.Table(
    "params",
    metadata,
    sa.Column("run", sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("key", stored_text(250), primary_key=True),
    sa.Column("value", stored_text(), nullable=False),
    # A filter such as params.model = 'ridge' starts from here.
    *_value_indexes("params"),
    sqlite_with_rowid=False,
)

tags = sa.Table(
    "tags",
    metadata,
    sa.Column("run", sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("key", stored_text(250), primary_key=True),
    sa.Column("value", stored_text(), nullable=False),
    # A filter such as tags.stage = 'candidate' starts from here.
    *_value_indexes("tags"),
    sqlite_with_rowid=False,
)

# What a param was before ``overwrite=True`` replaced it, the oldest first.
param_history = sa.Table(
    "param_history",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("run", sa.ForeignKey("runs.id"), nullable=False),
    sa.Column("key", stored_text(250), nullable=False),
    sa.Column("value", stored_text(), nullable=False),
    sa.Column("replaced_time", sa.BigInteger, nullable=False),
    sa.Index("param_history_by_run", "run", "key"),
)

# The same data is here once in an experiment, whatever number of its runs used it.
datasets = sa.Table(
    "datasets",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("experiment", sa.ForeignKey("experiments.id"), nullable=False),
    sa.Column("name", stored_text(500), nullable=False),
    sa.Column("digest", stored_text(64), nullable=False),
    sa.Column("source_type", stored_text(64), nullable=False),
    sa.Column("source", stored_text(), nullable=False),
    sa.Column("schema", stored_text()),
    sa.Column("profile", stored_text()),
    sa.UniqueConstraint("experiment", "name", "digest", name="datasets_once"),
    # A filter such as datasets.name = 'taxi' starts from here.
    sa.Index("datasets_by_name", "name"),
    sa.Index("datasets_by_digest", "digest"),
)

inputs = sa.Table(
    "inputs",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("run", sa.ForeignKey("runs.id"), nullable=False),
    sa.Column("dataset", sa.ForeignKey("datasets.id"), nullable=False),
    sa.UniqueConstraint("run", "dataset", name="inputs_once"),
    sa.Index("inputs_by_dataset", "dataset", "run"),
)

input_tags = sa.Table(
    "input_tags",
    metadata,
    sa.Column("input", sa.ForeignKey("inputs.id"), primary_key=True),
    sa.Column("key", stored_text(255), primary_key=True),
    sa.Column("value", stored_text(), nullable=False),
    sqlite_with_rowid=False,
)

# Metric names, once each: a point then costs one byte for its key.
metric_keys = sa.Table(
    "metric_keys",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", stored_text(250), nullable=False, unique=True),
)

# Clustered by run, key and step: a curve is one contiguous read. ``point`` tells points of
# one step apart: 0 where a step is higher than all before it (which costs no byte), else the
# point's place among all of its metric. ``elapsed`` is milliseconds since the run's
# start_time: three or four bytes where the date takes six. NULL is NaN: SQLite keeps no
# NaN, and a missing point has no row at all.
metrics = sa.Table(
    "metrics",
    metadata,
    sa.Column("run", sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("key", sa.ForeignKey("metric_keys.id"), primary_key=True),
    sa.Column("step", sa.BigInteger, primary_key=True),
    sa.Column("point", sa.BigInteger, primary_key=True),
    sa.Column("elapsed", sa.BigInteger, nullable=False),
    sa.Column("value", MetricValue),
    sqlite_with_rowid=False,
)

# The newest value of each metric (highest step, then latest time, then greatest
# value) with count, min and max, so that a run table never scans a history.
# ``min`` and ``max`` pass over NaN and are NULL while only NaN was logged.
latest_metrics = sa.Table(
    "latest_metrics",
    metadata,
    sa.Column("run", sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("key", sa.ForeignKey("metric_keys.id"), primary_key=True),
    sa.Column("value", MetricValue),
    sa.Column("timestamp", sa.BigInteger, nullable=False),
    sa.Column("step", sa.BigInteger, nullable=False),
    sa.Column("count", sa.BigInteger, nullable=False),
    sa.Column("min", MetricValue),
    sa.Column("min_step", sa.BigInteger),
    sa.Column("max", MetricValue),
    sa.Column("max_step", sa.BigInteger),
    # A filter such as metrics.rmse < 4 starts from here.
    sa.Index("latest_metrics_by_value", "key", "value", "run"),
    sqlite_with_rowid=False,
)

# A summary per 1,000 points of a metric, in the order of their arrival, so that a chart of
# a million points reads a thousand rows. Only metrics that passed 1,000 points have any.
# NaN: as in ``metrics``.
metric_blocks = sa.Table(
    "metric_blocks",
    metadata,
    sa.Column("run", sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("key", sa.ForeignKey("metric_keys.id"), primary_key=True),
    sa.Column("block", sa.Integer, primary_key=True),
    sa.Column("count", sa.BigInteger, nullable=False),
    *(
        column
        for name in ("first", "min", "max", "last")
        for column in (
            sa.Column(f"{name}_step", sa.BigInteger),
            sa.Column(f"{name}_time", sa.BigInteger),
            sa.Column(f"{name}_value", MetricValue),
        )
    ),
    sqlite_with_rowid=False,
)

# Each spool that ever wrote here, and how many of its points are in: what is at or
# below ``committed`` is skipped, so taking a spool in twice doubles nothing.
writers = sa.Table(
    "writers",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("uuid", stored_text(64), nullable=False, unique=True),
    sa.Column("committed", sa.BigInteger, nullable=False),
)

# What ran in a kernel: the code of cells once each, each execution of one, and which of them a
# run was made by (``tracked``) or depends on (``needed``, with the names for which it does, one a line).
# Digests are lines too: a few letters for what a name held after the cell, a space, the name.
sources = sa.Table(
    "sources",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("digest", stored_text(64), nullable=False, unique=True),
    sa.Column("text", stored_text(), nullable=False),
)

executions = sa.Table(
    "executions",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("kernel", stored_text(64), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("source", sa.ForeignKey("sources.id"), nullable=False),
    sa.Column("notebook", stored_text(), nullable=False),
    sa.Column("cell_id", stored_text(250), nullable=False),
    sa.Column("execution_count", sa.Integer, nullable=False),
    sa.Column("start_time", sa.BigInteger, nullable=False),
    sa.Column("end_time", sa.BigInteger),
    sa.Column("status", stored_text(32), nullable=False),
    sa.Column("digests", stored_text(), nullable=False),
    sa.UniqueConstraint("kernel", "number", name="executions_once"),
)

run_executions = sa.Table(
    "run_executions",
    metadata,
    sa.Column("run", sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("execution", sa.ForeignKey("executions.id"), primary_key=True),
    sa.Column("role", stored_text(32), nullable=False),
    sa.Column("names", stored_text(), nullable=False),
    sa.Index("run_executions_by_execution", "execution"),
    sqlite_with_rowid=False,
)

VIEWS: Final = (
    """CREATE VIEW metric_points AS
    SELECT r.run_id, k.name AS "key", m.step, r.start_time + m.elapsed AS timestamp, m.value
    FROM metrics AS m JOIN runs AS r ON r.id = m.run JOIN metric_keys AS k ON m."key" = k.id""",
    """CREATE VIEW latest_metric_values AS
    SELECT r.run_id, k.name AS "key", m.value, m.timestamp, m.step, m.count, m.min, m.min_step, m.max, m.max_step
    FROM latest_metrics AS m JOIN runs AS r ON r.id = m.run JOIN metric_keys AS k ON m."key" = k.id""",
    """CREATE VIEW dataset AS
    SELECT id, experiment, name, digest, source_type, source, "schema", profile FROM datasets""",
    """CREATE VIEW input AS
    SELECT r.run_id, d.name, d.digest, t.value AS context
    FROM inputs AS i JOIN runs AS r ON r.id = i.run JOIN datasets AS d ON d.id = i.dataset
    LEFT JOIN input_tags AS t ON t.input = i.id AND t."key" = 'mlflow.data.context'""",
    """CREATE VIEW run_cells AS
    SELECT DISTINCT r.run_id, e.number, e.execution_count, e.cell_id, e.start_time, e.end_time, e.status,
        coalesce(x.role, 'before') AS role, coalesce(x.names, '') AS names, e.digests, s.text AS source
    FROM run_executions AS t JOIN runs AS r ON r.id = t.run JOIN executions AS own ON own.id = t.execution
    JOIN executions AS e ON e.kernel = own.kernel AND e.number <= own.number
    JOIN sources AS s ON s.id = e.source
    LEFT JOIN run_executions AS x ON x.run = t.run AND x.execution = e.id
    WHERE t.role = 'tracked'""",
)

# A server has no place for SQLite's application_id and user_version; this is its own.
server_metadata = sa.MetaData()
store_version = sa.Table("store_version", server_metadata, sa.Column("version", sa.Integer, nullable=False))
