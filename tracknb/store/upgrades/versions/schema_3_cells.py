"""The cells that ran in a kernel, and which of them a run depends on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tracknb.store.schema import stored_text


def upgrade() -> None:
    """Go from schema 2 to schema 3."""
    op.create_table(
        "sources",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("digest", stored_text(64), nullable=False, unique=True),
        sa.Column("text", stored_text(), nullable=False),
    )
    op.create_table(
        "executions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("kernel", stored_text(64), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("source", sa.Integer, sa.ForeignKey("sources.id"), nullable=False),
        sa.Column("notebook", stored_text(), nullable=False),
        sa.Column("cell_id", stored_text(250), nullable=False),
        sa.Column("execution_count", sa.Integer, nullable=False),
        sa.Column("start_time", sa.BigInteger, nullable=False),
        sa.Column("end_time", sa.BigInteger),
        sa.Column("status", stored_text(32), nullable=False),
        sa.Column("digests", stored_text(), nullable=False),
        sa.UniqueConstraint("kernel", "number", name="executions_once"),
    )
    op.create_table(
        "run_executions",
        sa.Column("run", sa.Integer, sa.ForeignKey("runs.id"), primary_key=True),
        sa.Column("execution", sa.Integer, sa.ForeignKey("executions.id"), primary_key=True),
        sa.Column("role", stored_text(32), nullable=False),
        sa.Column("names", stored_text(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("run_executions_by_execution", "run_executions", ["execution"])
    op.execute(
        """CREATE VIEW run_cells AS
    SELECT DISTINCT r.run_id, e.number, e.execution_count, e.cell_id, e.start_time, e.end_time, e.status,
        coalesce(x.role, 'before') AS role, coalesce(x.names, '') AS names, e.digests, s.text AS source
    FROM run_executions AS t JOIN runs AS r ON r.id = t.run JOIN executions AS own ON own.id = t.execution
    JOIN executions AS e ON e.kernel = own.kernel AND e.number <= own.number
    JOIN sources AS s ON s.id = e.source
    LEFT JOIN run_executions AS x ON x.run = t.run AND x.execution = e.id
    WHERE t.role = 'tracked'"""
    )
