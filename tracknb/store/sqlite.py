"""One SQLite store file: making it, opening it, and what it may never do to a file.

Before the first write the file's ``application_id`` and version are checked, so that
not one byte goes into somebody else's database or a newer tracknb's. A new store gets
its whole schema in one transaction: there is never half a store.
"""

from __future__ import annotations

import ctypes
import os
import random
import sqlite3
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from tracknb import config, errors
from tracknb.store import engine, faults, functions, mounts, schema, upgrades

T = TypeVar("T")
# SQLite's own waiting sleeps up to 100 ms between two looks, which starves one of many
# busy writers; we look more often ourselves, at random times.
_POLL_SECONDS: Final = 0.005
_SECOND_LOOK_SECONDS: Final = 0.2
_SMALLEST_PAGE: Final = 512
# The file without its WAL. Promising that nobody writes keeps SQLite from making files beside a stranger's.
_ALONE: Final = "mode=ro&immutable=1"
_DISGUISED: Final = (
    "SELECT count(*) FROM sqlite_master WHERE type = 'view' AND lower(name) IN "
    f"({', '.join('?' * len(schema.metadata.tables))})"
)


class SqliteEngine(engine.Engine):
    """Connections to one store file.

    Connections belong to the process that made them: after a fork the child drops them
    without closing (closing would release the parent's locks) and opens its own.
    """

    def __init__(self, path: Path, artifact_root: str) -> None:
        self.path = path
        self.artifact_root = artifact_root
        self._engine: sa.Engine | None = None
        self._pid = 0
        self._identity: tuple[int, int] | None = None
        # Opened so that nothing can be written; every use then looks whether that still holds.
        self._only_reads = False
        # Threads of one process take turns here, where waiting is fair and costs nothing.
        self._turn = threading.RLock()
        self._opening = threading.Lock()

    def write(self, work: Callable[[sa.Connection], T], *, repeatable: bool = True, patience: float | None = None) -> T:
        """Do work in one ``BEGIN IMMEDIATE`` transaction.

        A deferred transaction that reads and then writes fails at once when another
        process wrote in between, whatever the timeout; an immediate one waits its turn.
        """
        seconds = config.busy_seconds() if patience is None else patience
        is_inner = self.is_writing_here()
        try:
            self._wait_for_turn(seconds)
            with self._translated(), self._opened().connect() as connection:
                return self._in_transaction(connection, work, seconds)
        finally:
            # An interrupt may come when the turn is ours and nothing else knows of it yet.
            if not is_inner and self.is_writing_here():
                self._turn.release()

    def read(self, work: Callable[[sa.Connection], T]) -> T:
        """Do work that sees one state of the store throughout."""
        with self._translated(), self._opened().connect() as connection:
            self._begin(connection, "BEGIN", config.busy_seconds())
            try:
                return work(connection)
            finally:
                _roll_back(connection)

    def compact(self) -> bool:
        """Write the file anew without its free pages; False while others keep it busy."""
        if self.is_writing_here():
            return False
        try:
            self._wait_for_turn(config.busy_seconds())
            with self._translated(), self._opened().connect() as connection:
                _patiently(lambda: connection.exec_driver_sql("VACUUM"), config.busy_seconds())
                # The new pages are in the WAL; the file shrinks when they have left it.
                busy = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0]
                return not busy
        except errors.StoreLocked:
            return False
        finally:
            if self.is_writing_here():
                self._turn.release()

    def exists(self) -> bool:
        """Tell whether the file is there."""
        with self._translated():
            return self.path.exists()

    def close(self) -> None:
        """Close every connection of this process; the next use opens new ones."""
        if self._engine is not None:
            if self._pid == os.getpid():
                self._engine.dispose()
            else:
                _abandon(self._engine)
        self._engine = None
        self._only_reads = False

    def is_writing_here(self) -> bool:
        """Tell whether this very thread is in the middle of a write that lets no other in."""
        return bool(self._turn._is_owned())  # type: ignore[attr-defined]

    def hold_still(self) -> bool:
        """Wait for the write that is going on, and let no other begin.

        SQLite notes in memory which locks the process holds. A child that was forked in the
        middle of a write would take its parent's lock for its own other connection's, for ever.
        """
        return self._turn.acquire(timeout=config.busy_seconds())

    def go_on(self) -> None:
        """Let this process write again."""
        self._turn.release()

    def after_fork(self) -> None:
        """Start with free locks in a forked child: who held them is not there."""
        self._turn = threading.RLock()
        self._opening = threading.Lock()

    def _wait_for_turn(self, seconds: float) -> None:
        if self.is_writing_here():
            raise errors.NestedCall.within(str(self.path), "Nothing was lost; this call was not stored. Log it")
        if not self._turn.acquire(timeout=seconds):
            raise errors.StoreLocked(
                f"{self.path} is being written by another thread of this process; waited {seconds:.0f} s. "
                "Nothing was lost; this call was not stored. Try again."
            )

    def _in_transaction(self, connection: sa.Connection, work: Callable[[sa.Connection], T], seconds: float) -> T:
        self._begin(connection, "BEGIN IMMEDIATE", seconds)
        try:
            result = work(connection)
            self._commit(connection)
        except BaseException:
            _roll_back(connection)
            raise
        return result

    def _begin(self, connection: sa.Connection, statement: str, seconds: float) -> None:
        def begin() -> None:
            try:
                connection.exec_driver_sql(statement)
                if statement == "BEGIN":
                    # A deferred transaction begins with its first look.
                    connection.exec_driver_sql("SELECT 1 FROM sqlite_master LIMIT 1")
            except sa.exc.OperationalError:
                _roll_back(connection)
                raise

        _patiently(begin, seconds)

    def _commit(self, connection: sa.Connection) -> None:
        # Without WAL a reader keeps the writer from its last step for a moment.
        _patiently(lambda: connection.exec_driver_sql("COMMIT"), config.busy_seconds())

    def _opened(self) -> sa.Engine:
        if self._only_reads:
            self.close()
        if self._engine is None or self._pid != os.getpid():
            with self._opening:
                if self._engine is not None and self._pid != os.getpid():
                    _abandon(self._engine)
                    self._engine = None
                if self._engine is None:
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
        writable = not self.path.exists() or (os.access(self.path, os.W_OK) and os.access(self.path.parent, os.W_OK))
        if writable:
            try:
                pool = self._pool("")
            except sa.exc.OperationalError as error:
                # SQLite cannot even read where it finds no room for its helper files.
                full = isinstance(error.orig, Exception) and faults.is_full(error.orig, self.path)
                if not full or self._has_wal() or not self.path.exists():
                    raise
                writable = False
        if not writable:
            # Without its helper files, which it could not make here, SQLite reads a store in
            # WAL mode only on the promise that nobody writes.
            pool = self._pool("?mode=ro" + ("" if self._has_wal() else "&immutable=1"))
        self._only_reads = not writable
        self._identity = _identity(self.path)
        return pool

    def _pool(self, options: str) -> sa.Engine:
        """Return connections to the file, which has the present schema."""
        address = f"file:{quote(str(self.path))}{options}"
        pool = sa.create_engine(
            "sqlite://",
            creator=lambda: sqlite3.connect(
                address, uri=True, timeout=0, check_same_thread=False, isolation_level=None, cached_statements=512
            ),
            poolclass=_Pool,
            # We say BEGIN ourselves; the driver, left alone, would begin deferred transactions.
            isolation_level="AUTOCOMMIT",
        )
        sa.event.listen(pool, "connect", _prepare_connection)
        try:
            self._make_current(pool)
        except BaseException:
            pool.dispose()
            raise
        return pool

    def _has_wal(self) -> bool:
        try:
            return os.stat(f"{self.path}-wal").st_size > 0
        except OSError:
            return False

    def _make_current(self, pool: sa.Engine) -> None:
        """Give a new file its schema, and an older store the present one."""

        def make() -> None:
            with pool.connect() as connection:
                version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
                if version == 0:
                    self._create(connection)
                elif version > schema.SCHEMA_VERSION:
                    raise errors.StoreTooNew.at(self.path, version, schema.SCHEMA_VERSION)
                elif version < schema.SCHEMA_VERSION:
                    self._in_transaction(connection, self._upgrade, config.busy_seconds())

        # Another process may make the store at this moment, and the switch to WAL does not wait.
        _patiently(make, config.busy_seconds())

    def _create(self, connection: sa.Connection) -> None:
        kind = mounts.network_kind(self.path.parent)
        if kind is not None:
            # WAL needs memory that all its processes share: one machine.
            warnings.warn(
                f"The store {self.path} lies on a network folder ({kind}), where SQLite's locks are not safe. "
                "Use a local disk, or postgresql:// for many machines.",
                RuntimeWarning,
                stacklevel=2,
            )
        elif mounts.is_in_memory(self.path.parent):
            warnings.warn(
                f"The store {self.path} lies in memory (tmpfs) and is gone when this machine stops. "
                "Keep it on a disk if you want to see its runs again.",
                RuntimeWarning,
                stacklevel=2,
            )
        connection.exec_driver_sql(f"PRAGMA journal_mode={'DELETE' if kind is not None else 'WAL'}")
        self._in_transaction(connection, self._make_tables, config.busy_seconds())

    def _make_tables(self, connection: sa.Connection) -> None:
        # Another process may have made the schema while we waited for the lock.
        if connection.exec_driver_sql("PRAGMA user_version").scalar_one() == 0:
            engine.create_tables(connection, self.artifact_root)
            connection.exec_driver_sql(f"PRAGMA application_id={schema.APPLICATION_ID}")
            connection.exec_driver_sql(f"PRAGMA user_version={schema.SCHEMA_VERSION}")

    def _upgrade(self, connection: sa.Connection) -> None:
        """Bring an older store to the present schema, after a copy was made."""
        version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        if version < schema.SCHEMA_VERSION:
            self._copy(version)
            upgrades.upgrade(connection, version)
            connection.exec_driver_sql(f"PRAGMA user_version={schema.SCHEMA_VERSION}")

    def _copy(self, version: int) -> None:
        """Keep the store as it was, beside it; the lock is held, so nobody writes meanwhile."""
        target = self.path.with_name(f"{self.path.name}.schema-{version}.bak")
        partial = target.with_name(f"{target.name}.partial")
        partial.unlink(missing_ok=True)
        # A connection of its own: SQLite copies pages while the first one holds the lock.
        source = sqlite3.connect(f"file:{quote(str(self.path))}?mode=ro", uri=True)
        copy = sqlite3.connect(partial)
        try:
            try:
                source.backup(copy)
            finally:
                copy.close()
                source.close()
            os.replace(partial, target)
        finally:
            partial.unlink(missing_ok=True)

    def _refuse_foreign(self) -> None:
        """Raise if the file is not ours, without writing to it."""
        try:
            size = self.path.stat().st_size
        except FileNotFoundError:
            return
        if size == 0:
            return
        if size < _SMALLEST_PAGE:
            # SQLite would take this for an empty database, and write over it.
            raise self._no_database()
        try:
            application_id, version, tables = self._seen()
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorname", "") == "SQLITE_NOTADB":
                raise self._no_database() from error
            raise
        if application_id != schema.APPLICATION_ID and (application_id or version or tables):
            # It may have been looked at while another process was making it.
            time.sleep(_SECOND_LOOK_SECONDS)
            application_id, version, tables = self._seen()
        # No mark and no table is a store whose making was interrupted, or an empty file.
        if application_id != schema.APPLICATION_ID and (application_id or version or tables):
            raise errors.StoreDamaged(
                f"{self.path} is the SQLite database of another program. Nothing was written to it. "
                "Name another file for the store."
            )
        if version > schema.SCHEMA_VERSION:
            raise errors.StoreTooNew.at(self.path, version, schema.SCHEMA_VERSION)

    def _seen(self, patience: float | None = None) -> tuple[int, int, int]:
        """Return the file's mark, version and whether it has tables, without touching it."""
        try:
            seen = self._look(_ALONE)
            application_id, _, tables = seen
            # Tables and mark of a store are written together: with only one of them it is a stranger's.
            if not self._has_wal() or application_id not in (0, schema.APPLICATION_ID) or tables:
                return seen
        except sqlite3.DatabaseError:
            if not self._has_wal():
                raise
        # The newest pages, the mark among them, may still be in the WAL, and the file alone
        # may be half of what they are being copied to.
        return self._look("mode=ro", patience)

    def _look(self, options: str, patience: float | None = None) -> tuple[int, int, int]:
        # Through SQLite and never by hand: closing a descriptor of our own would drop the
        # locks that another connection of this process holds.
        seconds = config.busy_seconds() if patience is None else patience
        connection = sqlite3.connect(f"file:{quote(str(self.path))}?{options}", uri=True, timeout=seconds)
        try:
            connection.execute("PRAGMA trusted_schema=OFF")
            # All from one state of the file.
            connection.execute("BEGIN")
            application_id, version = (
                connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
            )
            # A view in a table's place may be endless: whoever made it, it was not tracknb.
            if application_id and not connection.execute(_DISGUISED, list(schema.metadata.tables)).fetchone()[0]:
                return application_id, version, 0
            return 0, version, connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        finally:
            connection.close()

    def _no_database(self) -> errors.StoreDamaged:
        return errors.StoreDamaged(
            f"{self.path} is not a SQLite database, so it cannot be a tracknb store. "
            "Nothing was written to it. Name another file, or move this one away."
        )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except errors.TracknbError:
            raise
        except sa.exc.DBAPIError as error:
            original = error.orig if isinstance(error.orig, Exception) else error
            raise self._after(original) from error
        except (sqlite3.Error, OSError) as error:
            raise self._after(error) from error
        except UnicodeError as error:
            raise errors.InvalidValue(f"{error.args[1]!r:.80} holds a character that is no text.") from error

    def _after(self, error: Exception) -> errors.TracknbError:
        return faults.of_sqlite(error, self.path, config.busy_seconds())


class _Pool(sa.Pool):
    """Connections that wait to be used again: as many as were ever in use at once.

    SQLAlchemy's own pools wait for conditions, whose locks an interrupt can leave held for
    ever; a list's methods are one step each.
    """

    def __init__(self, creator: Any, **options: Any) -> None:
        super().__init__(creator, **options)
        self._idle: list[ConnectionPoolEntry] = []

    def _do_get(self) -> ConnectionPoolEntry:
        try:
            return self._idle.pop()
        except IndexError:
            return self._create_connection()

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        self._idle.append(record)

    def recreate(self) -> _Pool:
        """Return an empty pool like this one."""
        return self.__class__(self._creator, recycle=self._recycle, echo=self.echo, _dispatch=self.dispatch)

    def dispose(self) -> None:
        """Close what waits; what is in use closes when it comes back to nobody."""
        while self._idle:
            self._idle.pop().close()


def stored_version(path: Path) -> int | None:
    """Return the schema number of a store's file; None for what is no store.

    Nothing is written or made, and nobody is waited for.
    """
    store = SqliteEngine(path, "")
    try:
        if path.stat().st_size < _SMALLEST_PAGE:
            return None
        try:
            application_id, version, _ = store._seen(patience=0.0)
        except sqlite3.OperationalError:
            # Somebody has locked it.
            application_id, version, _ = store._look(_ALONE)
    except (OSError, sqlite3.Error):
        return None
    return version if application_id == schema.APPLICATION_ID else None


def _abandon(inherited: sa.Engine) -> None:
    """Leave the parent's connections alone for ever: even closing one here could harm its store.

    Python closes what nobody refers to, at the latest when it ends; hence one reference
    more than it knows of.
    """
    if isinstance(inherited.pool, _Pool):
        for record in inherited.pool._idle:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(record.dbapi_connection))
    inherited.dispose(close=False)


def _patiently(step: Callable[[], object], seconds: float) -> None:
    """Do a step again and again while another connection holds the lock it needs."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            step()
        except sa.exc.OperationalError as error:
            if "locked" not in str(error.orig) or time.monotonic() > deadline:
                raise
            time.sleep(_POLL_SECONDS * (0.5 + random.SystemRandom().random()))
        else:
            return


def _roll_back(connection: sa.Connection) -> None:
    # After an interrupt SQLAlchemy has thrown the connection away, and with it what was
    # begun; after some errors SQLite has rolled back by itself.
    if connection.invalidated:
        return
    if getattr(connection.connection.dbapi_connection, "in_transaction", False):
        connection.exec_driver_sql("ROLLBACK")


def _prepare_connection(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    # A store may come from a stranger: its views and triggers get no dangerous functions.
    cursor.execute("PRAGMA trusted_schema=OFF")
    cursor.execute("PRAGMA cell_size_check=ON")
    cursor.execute("PRAGMA foreign_keys=ON")
    # What was acknowledged survives the loss of power, not only of the process.
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()
    connection.create_function("tracknb_number", 1, functions.read_number, deterministic=True)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
