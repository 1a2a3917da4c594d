"""Which datasets runs used, in the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from tracknb.entities import Dataset, DatasetInput, InputTag
from tracknb.store import schema
from tracknb.store.engine import insert_missing
from tracknb.store.points import parts


def insert(connection: sa.Connection, run: int, dataset_inputs: Sequence[DatasetInput]) -> None:
    """Note datasets as used by a run; of one that is noted already nothing changes, its tags neither.

    Parameters
    ----------
    connection
        In a writing transaction.
    run
        The run's inner number.
    dataset_inputs
        Of two with one name and digest the first counts.
    """
    first: dict[tuple[str, str], DatasetInput] = {}
    for item in dataset_inputs:
        first.setdefault((item.dataset.name, item.dataset.digest), item)
    experiment = connection.execute(sa.select(schema.runs.c.experiment).where(schema.runs.c.id == run)).scalar_one()
    numbers = _datasets(connection, experiment, [item.dataset for item in first.values()])
    known = set(
        connection.execute(sa.select(schema.inputs.c.dataset).where(schema.inputs.c.run == run)).scalars().all()
    )
    for place, item in first.items():
        if numbers[place] in known:
            continue
        made = connection.execute(sa.insert(schema.inputs).values(run=run, dataset=numbers[place]))
        assert made.inserted_primary_key is not None
        number = made.inserted_primary_key[0]
        tags = {tag.key: tag.value for tag in item.tags}
        if tags:
            rows = [{"input": number, "key": key, "value": value} for key, value in tags.items()]
            connection.execute(sa.insert(schema.input_tags), rows)


def _datasets(connection: sa.Connection, experiment: int, datasets: Sequence[Dataset]) -> dict[tuple[str, str], int]:
    """Return the numbers of datasets by name and digest; those that are not there yet are made."""
    table = schema.datasets

    def found() -> dict[tuple[str, str], int]:
        rows: list[Any] = []
        for part in parts(sorted({item.name for item in datasets})):
            rows += connection.execute(
                sa.select(table.c.name, table.c.digest, table.c.id).where(
                    table.c.experiment == experiment, table.c.name.in_(part)
                )
            ).all()
        return {(name, digest): number for name, digest, number in rows}

    known = found()
    missing = [item for item in datasets if (item.name, item.digest) not in known]
    if not missing:
        return known
    rows = [
        {
            "experiment": experiment,
            "name": item.name,
            "digest": item.digest,
            "source_type": item.source_type,
            "source": item.source,
            "schema": item.schema,
            "profile": item.profile,
        }
        for item in missing
    ]
    insert_missing(connection, table, rows)
    return found()


def of_runs(connection: sa.Connection, runs: Sequence[int]) -> dict[int, list[DatasetInput]]:
    """Return the datasets that runs used, by the runs' inner numbers, in the order in which they were logged."""
    uses: list[tuple[int, int, int]] = []
    cursor = connection.connection.cursor()
    for part in parts(runs):
        cursor.execute(f"SELECT id, run, dataset FROM inputs WHERE run IN ({', '.join(map(str, part))}) ORDER BY id")
        uses += cursor.fetchall()
    cursor.close()
    if not uses:
        return {}
    datasets = {row.id: _dataset(row) for row in _rows(connection, schema.datasets, "id", {use[2] for use in uses})}
    tags: dict[int, list[InputTag]] = {}
    for row in _rows(connection, schema.input_tags, "input", {use[0] for use in uses}):
        tags.setdefault(row.input, []).append(InputTag(row.key, row.value))
    found: dict[int, list[DatasetInput]] = {}
    for number, run, dataset in uses:
        found.setdefault(run, []).append(DatasetInput(datasets[dataset], tags.get(number, [])))
    return found


def _rows(connection: sa.Connection, table: sa.Table, column: str, numbers: set[int]) -> list[Any]:
    found: list[Any] = []
    for part in parts(sorted(numbers)):
        statement = sa.select(table).where(table.c[column].in_(part)).order_by(*table.primary_key)
        found += connection.execute(statement).all()
    return found


def _dataset(row: Any) -> Dataset:
    fields = row._mapping
    return Dataset(row.name, row.digest, row.source_type, row.source, fields["schema"], fields["profile"])
