"""The tables of a store: the promise that any SQL tool may read.

Inside, runs, experiments and metric keys are small integers; MLflow's text ids
stand once, in ``runs.run_id`` and ``experiments.id``. The views ``metric_points``
and ``latest_metric_values`` spell run id and key out for people.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

# "tnb1" in ASCII: the mark by which we know our own file.
APPLICATION_ID: Final = 0x746E6231
SCHEMA_VERSION: Final = 1

metadata = sa.MetaData()

experiments = sa.Table(
    "experiments",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("artifact_location", sa.Text, nullable=False),
    sa.Column("lifecycle_stage", sa.Text, nullable=False),
    sa.Column("creation_time", sa.BigInteger, nullable=False),
    sa.Column("last_update_time", sa.BigInteger, nullable=False),
)

experiment_tags = sa.Table(
    "experiment_tags",
    metadata,
    sa.Column("experiment", sa.ForeignKey("experiments.id"), primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)

# The lease columns say which process keeps a RUNNING run alive, so that whoever
# opens the store next can tell a long training from a dead kernel.
runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("run_id", sa.Text, nullable=False, unique=True),
    sa.Column("experiment", sa.ForeignKey("experiments.id"), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("start_time", sa.BigInteger, nullable=False),
    sa.Column("end_time", sa.BigInteger),
    sa.Column("lifecycle_stage", sa.Text, nullable=False),
    sa.Column("artifact_uri", sa.Text, nullable=False),
    sa.Column("deleted_time", sa.BigInteger),
    sa.Column("lease_host", sa.Text),
    sa.Column("lease_boot", sa.Text),
    sa.Column("lease_pid", sa.Integer),
    sa.Column("lease_process_start", sa.Text),
    sa.Column("heartbeat", sa.BigInteger),
    # A search's default page: newest first within an experiment.
    sa.Index("runs_by_experiment", "experiment", "start_time", "id"),
    # Settling looks for what is still open; partial would not be portable.
    sa.Index("runs_by_status", "status"),
)

params = sa.Table(
    "params",
    metadata,
    sa.Column("run", sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
    # A filter such as params.model = 'ridge' starts from here.
    sa.Index("params_by_value", "key", "value", "run"),
    sqlite_with_rowid=False,
)

tags = sa.Table(
    "tags",
    metadata,
    sa.Column("run", sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
    # A filter such as tags.stage = 'candidate' starts from here.
    sa.Index("tags_by_value", "key", "value", "run"),
    sqlite_with_rowid=False,
)

# Metric names, once each: a point then costs one byte for its key.
metric_keys = sa.Table(
    "metric_keys",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
)

# Clustered by run, key and step: a curve is one contiguous read. ``point`` is the
# writer's number (upper half) and its count (lower half), so two equal points are two
# rows. NULL is NaN: SQLite keeps no NaN, and a missing point has no row at all.
metrics = sa.Table(
    "metrics",
    metadata,
    sa.Column("run", sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("key", sa.ForeignKey("metric_keys.id"), primary_key=True),
    sa.Column("step", sa.BigInteger, primary_key=True),
    sa.Column("point", sa.BigInteger, primary_key=True),
    sa.Column("timestamp", sa.BigInteger, nullable=False),
    sa.Column("value", sa.Double),
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
    sa.Column("value", sa.Double),
    sa.Column("timestamp", sa.BigInteger, nullable=False),
    sa.Column("step", sa.BigInteger, nullable=False),
    sa.Column("count", sa.BigInteger, nullable=False),
    sa.Column("min", sa.Double),
    sa.Column("min_step", sa.BigInteger),
    sa.Column("max", sa.Double),
    sa.Column("max_step", sa.BigInteger),
    # A filter such as metrics.rmse < 4 starts from here.
    sa.Index("latest_metrics_by_value", "key", "value", "run"),
    sqlite_with_rowid=False,
)

# Each spool that ever wrote here, and how many of its points are in: what is at or
# below ``committed`` is skipped, so taking a spool in twice doubles nothing.
writers = sa.Table(
    "writers",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("uuid", sa.Text, nullable=False, unique=True),
    sa.Column("committed", sa.BigInteger, nullable=False),
)

VIEWS: Final = (
    """CREATE VIEW metric_points AS
    SELECT r.run_id, k.name AS key, m.step, m.timestamp, m.value
    FROM metrics AS m JOIN runs AS r ON r.id = m.run JOIN metric_keys AS k ON k.id = m.key""",
    """CREATE VIEW latest_metric_values AS
    SELECT r.run_id, k.name AS key, m.value, m.timestamp, m.step, m.count, m.min, m.min_step, m.max, m.max_step
    FROM latest_metrics AS m JOIN runs AS r ON r.id = m.run JOIN metric_keys AS k ON k.id = m.key""",
)
