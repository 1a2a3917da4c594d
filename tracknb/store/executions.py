"""Which cells ran in a kernel, and which of them runs depend on, in the store."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

import sqlalchemy as sa

from tracknb.entities import CellExecution
from tracknb.store import schema
from tracknb.store.engine import insert_missing
from tracknb.store.points import parts

_COLUMNS: Final = (
    *("run_id", "number", "execution_count", "cell_id", "start_time", "end_time"),
    *("status", "role", "names", "digests", "source"),
)


def insert(
    connection: sa.Connection, runs: Sequence[int], kernel: str, notebook: str, cells: Sequence[CellExecution]
) -> None:
    """Note executions of a kernel, and what they are to runs.

    Parameters
    ----------
    connection
        In a writing transaction.
    runs
        The runs' inner numbers.
    kernel
        Tells kernels apart.
    cells
        With the role ``before`` they are nothing to the runs; noted already, they stay as they are.
    """
    sources = _sources(connection, [cell.source for cell in cells])
    rows = [
        {
            "kernel": kernel,
            "number": cell.number,
            "source": sources[cell.source],
            "notebook": notebook,
            "cell_id": cell.cell_id,
            "execution_count": cell.execution_count,
            "start_time": cell.start_time,
            "end_time": cell.end_time,
            "status": cell.status,
            "digests": "\n".join(f"{digest} {name}" for name, digest in cell.digests.items()),
        }
        for cell in cells
    ]
    insert_missing(connection, schema.executions, rows)
    table, ours = schema.executions, {cell.number: cell for cell in cells if cell.role != "before"}
    numbers: dict[int, int] = {}
    for part in parts(sorted(ours)):
        found = connection.execute(
            sa.select(table.c.number, table.c.id).where(table.c.kernel == kernel, table.c.number.in_(part))
        )
        numbers |= {row.number: row.id for row in found}
    links = [
        {"run": run, "execution": numbers[number], "role": cell.role, "names": "\n".join(cell.names)}
        for run in runs
        for number, cell in ours.items()
    ]
    insert_missing(connection, schema.run_executions, links)


def of_run(connection: sa.Connection, run_id: str, *, with_before: bool) -> list[CellExecution]:
    """Return the cells that a run depends on and its own, in the order of their execution; all before it if asked."""
    view = sa.table("run_cells", *map(sa.column, _COLUMNS))
    asked = sa.select(view).where(view.c.run_id == run_id).order_by(view.c.number)
    if not with_before:
        asked = asked.where(view.c.role != "before")
    return [
        CellExecution(
            number=row.number,
            source=row.source,
            cell_id=row.cell_id,
            execution_count=row.execution_count,
            start_time=row.start_time,
            end_time=row.end_time,
            status=row.status,
            role=row.role,
            names=tuple(row.names.splitlines()),
            digests={name: digest for digest, _, name in (line.partition(" ") for line in row.digests.splitlines())},
        )
        for row in connection.execute(asked)
    ]


def kernels_of(connection: sa.Connection, run: int) -> list[str]:
    """Return the kernels whose cells a run knows, by its inner number."""
    table, links = schema.executions, schema.run_executions
    asked = sa.select(table.c.kernel).join(links, links.c.execution == table.c.id).where(links.c.run == run)
    return sorted(set(connection.execute(asked).scalars()))


def remove_unused(connection: sa.Connection, kernels: Sequence[str]) -> None:
    """Take out the executions of kernels whose runs are all gone, and the code that nobody ran any more."""
    table, links = schema.executions, schema.run_executions
    for kernel in kernels:
        own = sa.select(table.c.id).where(table.c.kernel == kernel)
        if connection.execute(sa.select(links.c.run).where(links.c.execution.in_(own)).limit(1)).first() is None:
            connection.execute(sa.delete(table).where(table.c.kernel == kernel))
    if kernels:
        used = sa.exists().where(table.c.source == schema.sources.c.id)
        connection.execute(sa.delete(schema.sources).where(~used))


def _sources(connection: sa.Connection, texts: Sequence[str]) -> Mapping[str, int]:
    """Return the numbers of texts of cells; those that are not there yet are made."""
    table = schema.sources
    digests = {text: hashlib.sha256(text.encode("utf-8", "replace")).hexdigest() for text in texts}
    insert_missing(connection, table, [{"digest": digest, "text": text} for text, digest in digests.items()])
    numbers: dict[str, int] = {}
    for part in parts(sorted(set(digests.values()))):
        found = connection.execute(sa.select(table.c.digest, table.c.id).where(table.c.digest.in_(part)))
        numbers |= {row.digest: row.id for row in found}
    return {text: numbers[digest] for text, digest in digests.items()}
