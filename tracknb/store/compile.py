"""From a filter's tree to SQL over the tables of ``schema.py``.

Every value travels as a bound parameter. Each comparison becomes an ``IN`` over one of
the (key, value) indexes, so a filter reads what matches and not the table.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import sqlalchemy as sa

from tracknb.entities import DATASET_CONTEXT_TAG
from tracknb.search import And, Comparison, Node, Not, Or, Order, Place, Value
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
_FEW = 8
_AGGREGATES = ("min", "max", "count")
_Compare: TypeAlias = Callable[[Comparison], sa.ColumnElement[bool]]
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
            value = table.c.value
            base, aggregate = _aggregate(order.place, order.key)
            if aggregate:
                having = table.c["key"] == sa.func.coalesce(_metric_key(order.key), _metric_key(base))
                # NULL is NaN to one column and nothing to the other.
                value = sa.case((_metric_key(order.key).is_(None), sa.cast(table.c[aggregate], sa.Double)), else_=value)
            # A join reads the sorted values once; a subquery in ORDER BY would run for every row.
            statement = statement.outerjoin(table, sa.and_(table.c.run == schema.runs.c.id, having))
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


def _condition(node: Node, compare: _Compare) -> sa.ColumnElement[bool]:
    match node:
        case And():
            return functions.all_of(*(_condition(item, compare) for item in _deepest_first(_flat(node))))
        case Or():
            items = _deepest_first(_listed(_flat(node)))
            return functions.any_of(*(_condition(item, compare) for item in items))
        case Not(Not(item)):
            return _condition(item, compare)
        case Not(And(items)):
            return _condition(Or(tuple(map(Not, items))), compare)
        case Not(Or(items)):
            return _condition(And(tuple(map(Not, items))), compare)
        case Not(item):
            # A comparison with what is missing is unknown, not false: NOT must match it.
            return sa.not_(sa.func.coalesce(_condition(item, compare), sa.false()))
    return compare(node)


def _flat(node: And | Or) -> list[Node]:
    """Return what a node joins, each once; what joins in the same way is opened."""
    items: dict[Node, None] = {}
    for item in node.items:
        items |= dict.fromkeys(_flat(item) if isinstance(item, type(node)) else [item])
    return list(items)


def _listed(items: Sequence[Node]) -> list[Node]:
    """Return alternatives, where many equalities of one key have become one list."""
    equal: dict[tuple[Place, str], list[Comparison]] = {}
    for item in items:
        if isinstance(item, Comparison) and item.operator == "=":
            equal.setdefault((item.place, item.key), []).append(item)
    # A few are looked up each by its own index entry.
    long = {key: found for key, found in equal.items() if len(found) > _FEW}
    lists = [Comparison(*key, "IN", tuple(item.value for item in found)) for key, found in long.items()]  # type: ignore[misc]
    gone = {item for found in long.values() for item in found}
    return [*(item for item in items if item not in gone), *lists]


def _deepest_first(items: Sequence[Node]) -> list[Node]:
    """Return items in the order that keeps least open while SQL is read."""
    return sorted(items, key=_depth, reverse=True)


def _depth(node: Node) -> int:
    match node:
        case And(items) | Or(items):
            return 1 + max(map(_depth, items))
        case Not(item):
            return _depth(item)
    return 0


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
    if node.operator == "IS NULL":
        return sa.not_(_run_comparison(replace(node, operator="IS NOT NULL"), folder))
    column: sa.ColumnElement[Any] = table.c.value
    if node.operator == "IS NOT NULL":
        condition: sa.ColumnElement[bool] = sa.true()
    elif node.place == "metrics":
        condition = _compared_metric(column, node.operator, node.value)
    elif node.place == "params":
        condition = _compared_param(column, node.operator, node.value)
    elif node.operator == "=":
        condition = functions.equals(column, node.value)
    else:
        condition = _compared(column, node.operator, node.value)
    found = schema.runs.c.id.in_(sa.select(table.c.run).where(having, condition))
    base, aggregate = _aggregate(node.place, node.key)
    return sa.or_(found, _compared_aggregate(base, aggregate, node)) if aggregate else found


def _aggregate(place: str, key: str) -> tuple[str, str]:
    """Return the metric and the aggregate that a key may mean; no aggregate where it cannot."""
    base, _, aggregate = key.rpartition(".")
    return (base, aggregate) if place == "metrics" and base and aggregate in _AGGREGATES else (key, "")


def _compared_aggregate(base: str, aggregate: str, node: Comparison) -> sa.ColumnElement[bool]:
    """Compare the lowest, the highest or the number of a metric's values, where no metric has the whole name."""
    column = schema.latest_metrics.c[aggregate]
    # Where there is only NaN, there is no lowest and no highest value.
    there = column.is_not(None)
    condition = there if node.operator == "IS NOT NULL" else _compared_number(column, node.operator, node.value)
    rows = sa.select(schema.latest_metrics.c.run).where(
        schema.latest_metrics.c["key"] == _metric_key(base), there, condition
    )
    return sa.and_(_metric_key(node.key).is_(None), schema.runs.c.id.in_(rows))


def _metric_key(name: str) -> sa.ScalarSelect[Any]:
    return sa.select(schema.metric_keys.c.id).where(schema.metric_keys.c.name == name).scalar_subquery()


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
        return table, table.c["key"] == _metric_key(key)
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
    numbers = [_id_number(item) for item in _several(value)]
    return _compared(column, operator, tuple(numbers) if isinstance(value, tuple) else numbers[0])


def _id_number(text: float | str | None) -> int:
    # None is greater in any database; the driver would not take a number that is.
    digits = text.lstrip("0") if isinstance(text, str) and text.isascii() and text.isdecimal() else "x"
    return int(digits or "0") if len(digits) <= 10 and digits != "x" else -1


def _experiment_tag(key: str) -> sa.ScalarSelect[Any]:
    table = schema.experiment_tags
    return (
        sa.select(table.c.value)
        .where(table.c.experiment == schema.experiments.c.id, table.c.key == key)
        .scalar_subquery()
    )


def _compared(column: sa.ColumnElement[Any], operator: str, value: Value) -> sa.ColumnElement[bool]:
    match operator:
        case "IS NULL":
            return column.is_(None)
        case "IS NOT NULL":
            return column.is_not(None)
        case "LIKE":
            return functions.like(column, str(value))
        case "ILIKE":
            return functions.ilike(column, str(value))
        case _ if any(isinstance(item, float) for item in _several(value)):
            return _compared_number(column, operator, value)
        case "IN":
            return functions.among(column, _several(value))
        case "NOT IN":
            return sa.not_(functions.among(column, _several(value)))
    return column.op(operator, is_comparison=True)(value)


def _compared_number(column: sa.ColumnElement[Any], operator: str, value: Value) -> sa.ColumnElement[bool]:
    """Compare a column whose NULL is nothing at all; NaN is equal to no number and different from each."""
    # Of its own type, lest a database round 0.5 to compare it with a whole number.
    column = sa.type_coerce(column, schema.MetricValue())
    numbers = [item for item in _several(value) if item == item]
    if operator in ("=", "IN"):
        return functions.among(column, numbers)
    if operator in ("!=", "NOT IN"):
        return sa.and_(column.is_not(None), sa.not_(functions.among(column, numbers)))
    return column.op(operator, is_comparison=True)(numbers[0]) if numbers else sa.false()


def _compared_param(column: sa.ColumnElement[Any], operator: str, value: Value) -> sa.ColumnElement[bool]:
    """Compare as text with texts and as number with numbers; a list may hold both."""
    numbers = tuple(item for item in _several(value) if isinstance(item, float))
    texts = tuple(item for item in _several(value) if isinstance(item, str))
    if not numbers:
        return functions.equals(column, value) if operator == "=" else _compared(column, operator, value)
    as_number = functions.as_number(column)
    if not texts:
        return _compared_number(as_number, operator, value)
    either = sa.or_(
        functions.among(column, texts), sa.func.coalesce(_compared_number(as_number, "IN", numbers), sa.false())
    )
    return either if operator == "IN" else sa.not_(either)


def _compared_metric(column: sa.ColumnElement[Any], operator: str, value: Value) -> sa.ColumnElement[bool]:
    """Compare with NULL standing for NaN, which is equal to nothing and different from everything."""
    values = _several(value)
    numbers = [item for item in values if item == item]
    asks_for_nan = len(numbers) < len(values)
    if operator in ("=", "IN"):
        # Asking for NaN by name finds it, though NaN does not equal itself.
        found = functions.among(column, numbers)
        return sa.or_(found, column.is_(None)) if asks_for_nan else found
    if operator in ("!=", "NOT IN"):
        others = sa.not_(functions.among(column, numbers))
        return sa.and_(others, column.is_not(None)) if asks_for_nan else sa.or_(others, column.is_(None))
    return _compared_number(column, operator, value)


def _several(value: Value) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)
