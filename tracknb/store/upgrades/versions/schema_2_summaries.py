"""Smaller points, summaries of long metrics, and an index for the newest runs of all experiments."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2"
down_revision = "1"


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
