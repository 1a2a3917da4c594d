"""Smaller points, summaries of long metrics, datasets, what params were, an index for the newest runs of all."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op


def upgrade() -> None:
    """Go from schema 1 to schema 2; schema 1 was only ever in SQLite files."""
    op.create_table(
        "metric_blocks",
        sa.Column("run", sa.Integer, sa.ForeignKey("runs.id"), primary_key=True),
        sa.Column("key", sa.Integer, sa.ForeignKey("metric_keys.id"), primary_key=True),
        sa.Column("block", sa.Integer, primary_key=True),
        sa.Column("count", sa.BigInteger, nullable=False),
        *(
            column
            for name in ("first", "min", "max", "last")
            for column in (
                sa.Column(f"{name}_step", sa.BigInteger),
                sa.Column(f"{name}_time", sa.BigInteger),
                sa.Column(f"{name}_value", sa.Double),
            )
        ),
        sqlite_with_rowid=False,
    )
    op.create_index("runs_by_start_time", "runs", ["start_time"])
    _create_datasets()
    # A point's number is now its place in its metric, and its time counts from the run's start.
    op.execute("DROP VIEW metric_points")
    op.rename_table("metrics", "metrics_1")
    op.create_table(
        "metrics",
        sa.Column("run", sa.Integer, sa.ForeignKey("runs.id"), primary_key=True),
        sa.Column("key", sa.Integer, sa.ForeignKey("metric_keys.id"), primary_key=True),
        sa.Column("step", sa.BigInteger, primary_key=True),
        sa.Column("point", sa.BigInteger, primary_key=True),
        sa.Column("elapsed", sa.BigInteger, nullable=False),
        sa.Column("value", sa.Double),
        sqlite_with_rowid=False,
    )
    op.execute(
        """INSERT INTO metrics (run, "key", step, point, elapsed, value)
        SELECT m.run, m."key", m.step,
            row_number() OVER (PARTITION BY m.run, m."key" ORDER BY m.step, m.timestamp, m.point) - 1,
            m.timestamp - r.start_time, m.value
        FROM metrics_1 AS m JOIN runs AS r ON r.id = m.run"""
    )
    op.drop_table("metrics_1")
    op.execute(
        """CREATE VIEW metric_points AS
    SELECT r.run_id, k.name AS "key", m.step, r.start_time + m.elapsed AS timestamp, m.value
    FROM metrics AS m JOIN runs AS r ON r.id = m.run JOIN metric_keys AS k ON m."key" = k.id"""
    )


def _create_datasets() -> None:
    op.create_table(
        "param_history",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("run", sa.Integer, sa.ForeignKey("runs.id"), nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("replaced_time", sa.BigInteger, nullable=False),
    )
    op.create_index("param_history_by_run", "param_history", ["run", "key"])
    op.create_table(
        "datasets",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("experiment", sa.Integer, sa.ForeignKey("experiments.id"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("source_type", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("schema", sa.Text),
        sa.Column("profile", sa.Text),
        sa.UniqueConstraint("experiment", "name", "digest", name="datasets_once"),
    )
    op.create_index("datasets_by_name", "datasets", ["name"])
    op.create_index("datasets_by_digest", "datasets", ["digest"])
    op.create_table(
        "inputs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("run", sa.Integer, sa.ForeignKey("runs.id"), nullable=False),
        sa.Column("dataset", sa.Integer, sa.ForeignKey("datasets.id"), nullable=False),
        sa.UniqueConstraint("run", "dataset", name="inputs_once"),
    )
    op.create_index("inputs_by_dataset", "inputs", ["dataset", "run"])
    op.create_table(
        "input_tags",
        sa.Column("input", sa.Integer, sa.ForeignKey("inputs.id"), primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.execute(
        """CREATE VIEW dataset AS
    SELECT id, experiment, name, digest, source_type, source, "schema", profile FROM datasets"""
    )
    op.execute(
        """CREATE VIEW input AS
    SELECT r.run_id, d.name, d.digest, t.value AS context
    FROM inputs AS i JOIN runs AS r ON r.id = i.run JOIN datasets AS d ON d.id = i.dataset
    LEFT JOIN input_tags AS t ON t.input = i.id AND t."key" = 'mlflow.data.context'"""
    )
