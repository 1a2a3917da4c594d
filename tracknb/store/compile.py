"""From a filter's tree to SQL over the tables of ``schema.py``.

Every value travels as a bound parameter. Each comparison becomes an ``IN`` over one of
the (key, value) indexes, so a filter reads what matches and not the table.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from tracknb.entities import DATASET_CONTEXT_TAG
from tracknb.search import And, Comparison, Node, Not, Or, Order, Value
from tracknb.store import functions, schema

_RUN_COLUMNS: dict[str, sa.ColumnElement[Any]] = {
    "status": schema.runs.c.status,
    "start_time": schema.runs.c.start_time,
    "end_time": schema.runs.c.end_time,
    "run_id": schema.runs.c.run_id,
    "run_name": schema.runs.c.name,
    "user_id": schema.runs.c.user_id,
    "artifact_uri": schema.runs.c.artifact_uri,
}
_EXPERIMENT_COLUMNS: dict[str, sa.ColumnElement[Any]] = {
    "name": schema.experiments.c.name,
    "experiment_id": schema.experiments.c.id,
    "creation_time": schema.experiments.c.creation_time,
    "last_update_time": schema.experiments.c.last_update_time,
}
_AGGREGATES = ("min", "max", "count")
_SOURCE_NAME_TAG = "mlflow.source.name"


def run_condition(node: Node, folder: str | None = None) -> sa.ColumnElement[bool]:
    """Return what a run must fulfil, over ``schema.runs``; ``folder`` is what ``./`` stands for."""
    return _condition(node, functools.partial(_run_comparison, folder=folder))


def experiment_condition(node: Node) -> sa.ColumnElement[bool]:
    """Return what an experiment must fulfil, over ``schema.experiments``."""
    return _condition(node, _experiment_comparison)


def ordered_runs(statement: sa.Select[Any], orders: Sequence[Order]) -> sa.Select[Any]:
    """Return a selection of runs in order: as asked, then the newest first, then by id.

    Runs that lack a value come last in both directions, NaN just before them.
    """
    columns: list[sa.ColumnElement[Any]] = []
    for order in orders:
        if order.place == "attributes" and order.key != "source_name":
            value = _RUN_COLUMNS[order.key]
            rank = sa.case((value.is_(None), 1), else_=0)
        else:
            table, having = _rows_of(order.place, order.key, fresh=True)
            # A join reads the sorted values once; a subquery in ORDER BY would run for every row.
            statement = statement.outerjoin(table, sa.and_(table.c.run == schema.runs.c.id, having))
            value = table.c.value
            rank = sa.case((table.c.run.is_(None), 2), (value.is_(None), 1), else_=0)
        columns += [rank, value.desc() if order.descending else value.asc()]
    return statement.order_by(*columns, schema.runs.c.start_time.desc(), schema.runs.c.run_id)


def experiment_order(orders: Sequence[Order]) -> list[sa.ColumnElement[Any]]:
    """Return the order of experiments: as asked, then the newest first."""
    columns: list[sa.ColumnElement[Any]] = []
    for order in orders:
        value = _EXPERIMENT_COLUMNS[order.key] if order.place == "attributes" else _experiment_tag(order.key)
        columns += [sa.case((value.is_(None), 1), else_=0), value.desc() if order.descending else value.asc()]
    if not orders:
        return [schema.experiments.c.creation_time.desc(), schema.experiments.c.id.asc()]
    return [*columns, schema.experiments.c.id.desc()]


def _condition(node: Node, compare: Any) -> sa.ColumnElement[bool]:
    match node:
        case And(items):
            return sa.and_(*(_condition(item, compare) for item in items))
        case Or(items):
            return sa.or_(*(_condition(item, compare) for item in items))
        case Not(item):
            # A comparison with what is missing is unknown, not false: NOT must match it.
            return sa.not_(sa.func.coalesce(_condition(item, compare), sa.false()))
    condition: sa.ColumnElement[bool] = compare(node)
    return condition


def _run_comparison(node: Comparison, folder: str | None) -> sa.ColumnElement[bool]:
    if node.key == "artifact_uri" and node.place == "attributes" and folder is not None:
        kept = schema.runs.c.artifact_uri
        absolute = sa.literal(folder) + sa.func.substr(kept, 2)
        return _compared(sa.case((kept.like("./%"), absolute), else_=kept), node.operator, node.value)
    if node.place == "attributes" and node.key != "source_name":
        return _compared(_RUN_COLUMNS[node.key], node.operator, node.value)
    if node.place == "datasets":
        return _compared_dataset(node)
    table, having = _rows_of(node.place, node.key)
    if node.operator in ("IS NULL", "IS NOT NULL"):
        found = schema.runs.c.id.in_(sa.select(table.c.run).where(having))
        return sa.not_(found) if node.operator == "IS NULL" else found
    column: sa.ColumnElement[Any] = table.c.value
    if node.place == "metrics":
        condition = _compared_metric(column, node.operator, node.value)
        base, _, aggregate = node.key.rpartition(".")
        if base and aggregate in _AGGREGATES:
            literal = schema.runs.c.id.in_(sa.select(table.c.run).where(having, condition))
            return sa.or_(literal, _compared_aggregate(base, aggregate, node))
    elif node.place == "params" and _is_number(node.value):
        condition = _compared(functions.as_number(column), node.operator, node.value)
    elif node.operator == "=":
        condition = functions.equals(column, node.value)
    else:
        condition = _compared(column, node.operator, node.value)
    return schema.runs.c.id.in_(sa.select(table.c.run).where(having, condition))


def _compared_aggregate(base: str, aggregate: str, node: Comparison) -> sa.ColumnElement[bool]:
    """Compare the lowest, the highest or the number of a metric's values, where no metric has the whole name."""
    table = schema.latest_metrics
    known = sa.exists().where(schema.metric_keys.c.name == node.key)
    number = sa.select(schema.metric_keys.c.id).where(schema.metric_keys.c.name == base).scalar_subquery()
    # Where there is only NaN, there is no lowest and no highest value.
    there = table.c[aggregate].is_not(None)
    rows = sa.select(table.c.run).where(
        table.c["key"] == number, there, _compared(table.c[aggregate], node.operator, node.value)
    )
    return sa.and_(sa.not_(known), schema.runs.c.id.in_(rows))


def _compared_dataset(node: Comparison) -> sa.ColumnElement[bool]:
    inputs, datasets, tags = schema.inputs, schema.datasets, schema.input_tags
    rows = sa.select(inputs.c.run)
    if node.key == "context":
        of_input = (tags.c.input == inputs.c.id) & (tags.c.key == DATASET_CONTEXT_TAG)
        rows = rows.join(tags, of_input).where(_compared(tags.c.value, node.operator, node.value))
    else:
        rows = rows.join(datasets, datasets.c.id == inputs.c.dataset)
        rows = rows.where(_compared(datasets.c[node.key], node.operator, node.value))
    return schema.runs.c.id.in_(rows)


def _rows_of(place: str, key: str, *, fresh: bool = False) -> tuple[sa.FromClause, sa.ColumnElement[bool]]:
    """Return the table of a place and which of its rows have a key; ``fresh`` gives it a name of its own."""
    known = {"metrics": schema.latest_metrics, "params": schema.params}.get(place, schema.tags)
    table: sa.FromClause = known.alias() if fresh else known
    if place == "metrics":
        number = sa.select(schema.metric_keys.c.id).where(schema.metric_keys.c.name == key).scalar_subquery()
        return table, table.c["key"] == number
    return table, table.c["key"] == (_SOURCE_NAME_TAG if place == "attributes" else key)


def _experiment_comparison(node: Comparison) -> sa.ColumnElement[bool]:
    if node.place == "attributes":
        column = _EXPERIMENT_COLUMNS[node.key]
        if node.key == "experiment_id":
            return _compared_id(column, node.operator, node.value)
        return _compared(column, node.operator, node.value)
    table = schema.experiment_tags
    rows = sa.select(table.c.experiment).where(table.c.key == node.key)
    if node.operator == "IS NULL":
        return schema.experiments.c.id.not_in(rows)
    if node.operator != "IS NOT NULL":
        rows = rows.where(_compared(table.c.value, node.operator, node.value))
    return schema.experiments.c.id.in_(rows)


def _compared_id(column: sa.ColumnElement[Any], operator: str, value: Value) -> sa.ColumnElement[bool]:
    """Compare an id that is a text outside and a number inside: '01' is experiment 1."""
    if operator in ("LIKE", "ILIKE"):
        return _compared(sa.cast(column, sa.Text), operator, value)
    numbers = [int(item) if isinstance(item, str) and item.isdecimal() else -1 for item in _several(value)]
    return _compared(column, operator, tuple(numbers) if isinstance(value, tuple) else numbers[0])


def _experiment_tag(key: str) -> sa.ScalarSelect[Any]:
    table = schema.experiment_tags
    return (
        sa.select(table.c.value)
        .where(table.c.experiment == schema.experiments.c.id, table.c.key == key)
        .scalar_subquery()
    )


def _compared(column: sa.ColumnElement[Any], operator: str, value: Value) -> sa.ColumnElement[bool]:
    match operator:
        case "IN":
            return column.in_(_several(value))
        case "NOT IN":
            return column.not_in(_several(value))
        case "IS NULL":
            return column.is_(None)
        case "IS NOT NULL":
            return column.is_not(None)
        case "LIKE":
            return functions.like(column, str(value))
        case "ILIKE":
            return functions.ilike(column, str(value))
    return column.op(operator, is_comparison=True)(value)


def _compared_metric(column: sa.ColumnElement[Any], operator: str, value: Value) -> sa.ColumnElement[bool]:
    """Compare with NULL standing for NaN, which is equal to nothing and different from everything."""
    values = _several(value)
    numbers = [item for item in values if item == item]
    if operator in ("=", "IN"):
        # Asking for NaN by name finds it, though NaN does not equal itself.
        found = column.in_(numbers)
        return sa.or_(found, column.is_(None)) if len(numbers) < len(values) else found
    if operator in ("!=", "NOT IN"):
        if len(numbers) < len(values):
            return sa.and_(column.not_in(numbers), column.is_not(None))
        return sa.or_(column.not_in(numbers), column.is_(None))
    return _compared(column, operator, value)


def _several(value: Value) -> tuple[float | str | None, ...]:
    return value if isinstance(value, tuple) else (value,)


def _is_number(value: Value) -> bool:
    first = value[0] if isinstance(value, tuple) else value
    return isinstance(first, float)
