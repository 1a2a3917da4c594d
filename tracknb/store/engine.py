"""How a store's database is opened, read and written, whatever kind it is.

A piece of work is a function of a connection. ``write`` runs it in one transaction that
is there whole or not at all, and may run it again after a clash or a cut connection; so
work has no effect outside its transaction. Errors come out as tracknb's own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
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


def create_tables(connection: sa.Connection, artifact_root: object) -> None:
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
    if not rows:
        return
    if connection.dialect.name == "mysql":
        of_mysql = mysql.insert(table)
        connection.execute(of_mysql.on_duplicate_key_update({name: of_mysql.inserted[name] for name in columns}), rows)
        return
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert(table)
    key = [column.name for column in table.primary_key]
    connection.execute(
        statement.on_conflict_do_update(index_elements=key, set_={name: statement.excluded[name] for name in columns}),
        rows,
    )


def in_driver_style(connection: sa.Connection, sql: str) -> str:
    """Return SQL that was written with ``?`` and double-quoted names as the driver wants it."""
    return sql if connection.dialect.name == "sqlite" else sql.replace("?", "%s")
