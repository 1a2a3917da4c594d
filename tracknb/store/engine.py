"""One SQLite store file: making it, opening it, and turning its errors into ours.

Before the first write the file's ``application_id`` and version are checked, so that
not one byte goes into somebody else's database or a newer tracknb's. A new store gets
its whole schema in one transaction: there is never half a store.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from tracknb import errors, names
from tracknb.store import schema

BUSY_SECONDS: Final = 60.0
_DEFAULT_EXPERIMENT: Final = (0, "Default")


class SqliteEngine:
    """Connections to one store file, opened when first used.

    Connections belong to the process that made them: after a fork the child drops them
    without closing (closing would release the parent's locks) and opens its own.
    """

    def __init__(self, path: Path, artifact_root: Path) -> None:
        self.path = path
        self.artifact_root = artifact_root
        self._engine: sa.Engine | None = None
        self._pid = 0
        self._identity: tuple[int, int] | None = None

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """Give a connection inside one ``BEGIN IMMEDIATE`` transaction; commits at the end.

        A deferred transaction that reads and then writes fails at once when another
        process wrote in between, whatever the timeout; an immediate one waits its turn.
        """
        with self._translated(), self._opened().connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.exec_driver_sql("ROLLBACK")
                raise
            connection.exec_driver_sql("COMMIT")

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Give a connection that sees one state of the store throughout."""
        with self._translated(), self._opened().connect() as connection:
            connection.exec_driver_sql("BEGIN")
            try:
                yield connection
            finally:
                connection.exec_driver_sql("ROLLBACK")

    def close(self) -> None:
        """Close every connection of this process; the next use opens new ones."""
        if self._engine is not None and self._pid == os.getpid():
            self._engine.dispose()
        self._engine = None

    def _opened(self) -> sa.Engine:
        if self._engine is None or self._pid != os.getpid():
            if self._engine is not None:
                self._engine.dispose(close=False)
            self._engine = self._open()
            self._pid = os.getpid()
        elif self._identity != _identity(self.path):
            raise errors.StoreMoved(
                f"The store {self.path} was deleted or replaced while it was open; nothing more is written to it. "
                "Put the file back, or restart the kernel to begin with what is there now."
            )
        return self._engine

    def _open(self) -> sa.Engine:
        self._refuse_foreign()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        engine = sa.create_engine(
            sa.URL.create("sqlite", database=str(self.path)),
            connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
            poolclass=sa.QueuePool,
            # We say BEGIN ourselves; the driver, left alone, would begin deferred transactions.
            isolation_level="AUTOCOMMIT",
        )
        sa.event.listen(engine, "connect", _prepare_connection)
        with engine.connect() as connection:
            if connection.exec_driver_sql("PRAGMA user_version").scalar_one() == 0:
                self._create_schema(connection)
        self._identity = _identity(self.path)
        return engine

    def _refuse_foreign(self) -> None:
        """Raise if the file is not ours, without writing to it."""
        if not self.path.exists() or self.path.stat().st_size == 0:
            return
        # Opening the file by hand is safe only here, before this process has any lock
        # on it: closing a descriptor drops all locks that the process holds on a file.
        with open(self.path, "rb") as file:
            if file.read(16) != b"SQLite format 3\x00":
                raise errors.StoreDamaged(
                    f"{self.path} is not a SQLite database, so it cannot be a tracknb store. "
                    "Nothing was written to it. Name another file, or move this one away."
                )
        application_id, version, tables = self._look()
        # No mark and no table is a store whose making was interrupted, or an empty file.
        if application_id != schema.APPLICATION_ID and (application_id or version or tables):
            raise errors.StoreDamaged(
                f"{self.path} is the SQLite database of another program. Nothing was written to it. "
                "Name another file for the store."
            )
        if version > schema.SCHEMA_VERSION:
            raise errors.StoreTooNew(
                f"{self.path} was written by a newer tracknb (schema {version}; "
                f"this one knows {schema.SCHEMA_VERSION}). Nothing was written to it. "
                "Upgrade with: pip install -U tracknb"
            )

    def _look(self) -> tuple[int, int, int]:
        # Through SQLite, not the file's header: the newest pages may still be in the WAL.
        connection = sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS)
        try:
            connection.execute("PRAGMA trusted_schema=OFF")
            return (
                connection.execute("PRAGMA application_id").fetchone()[0],
                connection.execute("PRAGMA user_version").fetchone()[0],
                connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0],
            )
        finally:
            connection.close()

    def _create_schema(self, connection: sa.Connection) -> None:
        # WAL cannot be set inside a transaction. Network drives do not support it; SQLite
        # then keeps the rollback journal by itself.
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        try:
            # Another process may have made the schema while we waited for the lock.
            if connection.exec_driver_sql("PRAGMA user_version").scalar_one() == 0:
                schema.metadata.create_all(connection, checkfirst=False)
                for view in schema.VIEWS:
                    connection.exec_driver_sql(view)
                self._insert_default_experiment(connection)
                connection.exec_driver_sql(f"PRAGMA application_id={schema.APPLICATION_ID}")
                connection.exec_driver_sql(f"PRAGMA user_version={schema.SCHEMA_VERSION}")
        except BaseException:
            connection.exec_driver_sql("ROLLBACK")
            raise
        connection.exec_driver_sql("COMMIT")

    def _insert_default_experiment(self, connection: sa.Connection) -> None:
        number, name = _DEFAULT_EXPERIMENT
        now = names.now_ms()
        connection.execute(
            sa.insert(schema.experiments).values(
                id=number,
                name=name,
                artifact_location=str(self.artifact_root / str(number)),
                lifecycle_stage="active",
                creation_time=now,
                last_update_time=now,
            )
        )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.DBAPIError as error:
            raise self._ours(error.orig if isinstance(error.orig, Exception) else error) from error
        except (sqlite3.Error, OSError) as error:
            if isinstance(error, errors.TracknbError):
                raise
            raise self._ours(error) from error

    def _ours(self, error: Exception) -> errors.TracknbError:
        """Return the error of ours that says what a driver's error means to a user."""
        text = str(error)
        if isinstance(error, OSError):
            return self._ours_from_os(error)
        if "locked" in text or "busy" in text:
            return errors.StoreLocked(
                f"{self.path} is being written by another process; waited {BUSY_SECONDS:.0f} s. "
                "What was stored stays stored; this call was not. Try again."
            )
        if "full" in text:
            return errors.StoreFull(
                f"No room is left for {self.path}. What was stored stays stored; make room and go on."
            )
        if "readonly" in text or "unable to open" in text:
            return errors.StoreReadOnly(
                f"{self.path} cannot be written: check the permissions of the file and of its folder. "
                "What was stored stays stored; this call was not."
            )
        if "malformed" in text or "not a database" in text:
            return errors.StoreDamaged(
                f"{self.path} is damaged ({text}). Nothing more is written to it. "
                "Restore a copy, or try: sqlite3 FILE .recover"
            )
        return errors.StoreError(f"The store {self.path} could not do this: {text}.")

    def _ours_from_os(self, error: OSError) -> errors.TracknbError:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return errors.StoreFull(
                f"No room is left for {self.path}. What was stored stays stored; make room and go on."
            )
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            return errors.StoreReadOnly(
                f"{self.path} cannot be written: check the permissions of the file and of its folder."
            )
        return errors.StoreError(f"The store {self.path} could not be reached: {error.strerror or error}.")


def _prepare_connection(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    # A store may come from a stranger: its views and triggers get no dangerous functions.
    cursor.execute("PRAGMA trusted_schema=OFF")
    cursor.execute("PRAGMA cell_size_check=ON")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
