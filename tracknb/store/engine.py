"""How a store's database is opened, read and written, whatever kind it is.

A piece of work is a function of a connection. ``write`` runs it in one transaction that
is there whole or not at all, and may run it again after a clash or a cut connection; so
work has no effect outside its transaction. Errors come out as tracknb's own.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite

from tracknb import names
from tracknb.config import StoreLocation
from tracknb.store import schema

T = TypeVar("T")
_DEFAULT_EXPERIMENT = (0, "Default")


class Engine(ABC):
    """Connections to one store, opened when first used, by each process for itself."""

    @abstractmethod
    def write(self, work: Callable[[sa.Connection], T], *, repeatable: bool = True, patience: float | None = None) -> T:
        """Do work in one writing transaction and return its result.

        With ``repeatable=False`` the work is not done a second time when nobody knows
        whether the first one was stored. ``patience`` is for how many seconds to wait for
        other writers; as long as the configuration says if left out.
        """

    @abstractmethod
    def read(self, work: Callable[[sa.Connection], T]) -> T:
        """Do work that sees one state of the store throughout, and return its result."""

    @abstractmethod
    def compact(self) -> bool:
        """Give free room back to the disk; False where it cannot be done now, which harms nothing."""

    @abstractmethod
    def exists(self) -> bool:
        """Tell whether a store is there, without making one."""

    def is_writing_here(self) -> bool:
        """Tell whether this very thread is in the middle of a write that lets no other in."""
        return False

    @abstractmethod
    def hold_still(self) -> bool:
        """Begin no write until ``go_on``, because this process is about to fork; tells whether to call it."""

    @abstractmethod
    def go_on(self) -> None:
        """Let this process write again."""

    @abstractmethod
    def after_fork(self) -> None:
        """Start afresh in a forked child."""

    @abstractmethod
    def close(self) -> None:
        """Close every connection of this process; the next use opens new ones."""


def open_engine(location: StoreLocation) -> Engine:
    """Return what opens the database of a location; nothing is opened yet."""
    if location.path is not None:
        from tracknb.store.sqlite import SqliteEngine

        return SqliteEngine(location.path, location.artifact_root)
    from tracknb.store.server import ServerEngine

    return ServerEngine(location)


def create_tables(connection: sa.Connection, artifact_root: str) -> None:
    """Make every table, view and the experiment that each store begins with."""
    schema.metadata.create_all(connection, checkfirst=False)
    for view in schema.VIEWS:
        connection.exec_driver_sql(view)
    number, name = _DEFAULT_EXPERIMENT
    now = names.now_ms()
    connection.execute(
        sa.insert(schema.experiments).values(
            id=number,
            name=name,
            artifact_location=f"{artifact_root}/{number}",
            lifecycle_stage="active",
            creation_time=now,
            last_update_time=now,
        )
    )


def insert_missing(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows; one whose key is there already is left as it is."""
    if not rows:
        return
    match connection.dialect.name:
        case "sqlite":
            connection.execute(sqlite.insert(table).on_conflict_do_nothing(), rows)
        case "postgresql":
            connection.execute(postgresql.insert(table).on_conflict_do_nothing(), rows)
        case _:
            # Not INSERT IGNORE, which also cuts what is too long.
            key = next(iter(table.primary_key))
            connection.execute(mysql.insert(table).on_duplicate_key_update({key.name: key}), rows)


def upsert(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]], *columns: str) -> None:
    """Insert rows; of one whose key is there already the named columns are overwritten."""
    if rows:
        names_there = tuple(rows[0])
        sql = _upsert_text(connection.dialect.name, table, names_there, columns)
        run_many(connection, sql, [tuple(row[name] for name in names_there) for row in rows])


@functools.cache
def _upsert_text(dialect: str, table: sa.Table, names_there: Sequence[str], columns: Sequence[str]) -> str:
    inserted = f"INSERT INTO {table.name} ({_quoted(names_there)}) VALUES ({', '.join('?' * len(names_there))})"
    if dialect == "mysql":
        return f"{inserted} ON DUPLICATE KEY UPDATE " + ", ".join(f'"{name}" = VALUES("{name}")' for name in columns)
    key = _quoted([column.name for column in table.primary_key])
    return f"{inserted} ON CONFLICT ({key}) DO UPDATE SET " + ", ".join(
        f'"{name}" = excluded."{name}"' for name in columns
    )


def _quoted(column_names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in column_names)


def run_sql(connection: sa.Connection, sql: str, values: Sequence[Any] = ()) -> Any:
    """Give SQL, written with ``?`` and double-quoted names, to the driver; returns its cursor.

    What a training loop's commits are made of: SQLAlchemy's part of a small statement costs
    more than SQLite's. Its servers answer from farther away, and their lost connections are
    SQLAlchemy's to notice.
    """
    dialect = connection.dialect.name
    if dialect == "sqlite":
        return connection.connection.cursor().execute(sql, values)
    return connection.exec_driver_sql(sql.replace("?", "%s"), _stored(values, dialect))


def run_many(connection: sa.Connection, sql: str, rows: Sequence[Sequence[Any]]) -> None:
    """Give SQL to the driver once a row; as ``run_sql``."""
    dialect = connection.dialect.name
    if dialect == "sqlite":
        connection.connection.cursor().executemany(sql, rows)
    elif rows:
        connection.exec_driver_sql(sql.replace("?", "%s"), [_stored(row, dialect) for row in rows])


def _stored(values: Sequence[Any], dialect: str) -> tuple[Any, ...]:
    # SQLite turns NaN into NULL by itself.
    return tuple(schema.to_stored(value, dialect) if type(value) is float else value for value in values)
