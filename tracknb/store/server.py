"""A store on a PostgreSQL, MySQL or MariaDB server.

Connections survive a restart of the server: work that met a cut connection or a clash is
done again within a bounded time. Nothing waits without a bound, and the password stands
in no message.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from tracknb import config, errors
from tracknb.store import engine, faults, schema, upgrades

T = TypeVar("T")
_CONNECT_SECONDS: Final = 10
_STATEMENT_SECONDS: Final = 60
# A proxy or MySQL itself cuts connections that were idle over night.
_RECYCLE_SECONDS: Final = 1800
_UNIQUE_TRIES: Final = 5

_READ: Final = {
    "postgresql": ("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",),
    "mysql": ("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",),
}
# Writers must see what others committed while they waited for a row.
_WRITE: Final = {
    "postgresql": ("BEGIN",),
    "mysql": ("SET TRANSACTION ISOLATION LEVEL READ COMMITTED", "START TRANSACTION"),
}
_EXTRAS: Final = {
    "postgresql": ("psycopg", "postgres"),
    "mysql": ("pymysql", "mysql"),
}


class ServerEngine(engine.Engine):
    """Connections to one database of a server."""

    def __init__(self, location: config.StoreLocation) -> None:
        self._location = location
        self._dialect = location.backend
        self._engine: sa.Engine | None = None
        self._pid = 0
        self._opening = threading.Lock()

    def write(self, work: Callable[[sa.Connection], T], *, repeatable: bool = True, patience: float | None = None) -> T:
        """Do work in one transaction; again after a clash, or when the connection was cut."""
        seconds = config.busy_seconds() if patience is None else patience
        return self._done(work, _WRITE[self._dialect], seconds, repeatable=repeatable)

    def read(self, work: Callable[[sa.Connection], T]) -> T:
        """Do work that sees one state of the store throughout."""
        return self._done(work, _READ[self._dialect], config.busy_seconds(), repeatable=True)

    def compact(self) -> bool:
        """Do nothing: servers use free room again by themselves."""
        return True

    def exists(self) -> bool:
        """Tell whether the database may hold a store: the server knows, and is asked when needed."""
        return True

    def hold_still(self) -> bool:
        """Do nothing: a forked child shares no state with its parent's connections."""
        return False

    def go_on(self) -> None:
        """Do nothing, as ``hold_still``."""

    def after_fork(self) -> None:
        """Start with a free lock in a forked child, which opens connections of its own."""
        self._opening = threading.Lock()

    def close(self) -> None:
        """Close every connection of this process; the next use opens new ones."""
        if self._engine is not None and self._pid == os.getpid():
            self._engine.dispose()
        self._engine = None

    def _done(self, work: Callable[[sa.Connection], T], begin: Sequence[str], seconds: float, *, repeatable: bool) -> T:
        started = time.monotonic()
        tries = 0
        while True:
            tries += 1
            committing = False
            try:
                with self._opened().connect() as connection:
                    try:
                        for statement in begin:
                            connection.exec_driver_sql(statement)
                        result = work(connection)
                        committing = True
                        connection.exec_driver_sql("COMMIT")
                    except BaseException:
                        _roll_back(connection)
                        raise
                    return result
            except Exception as raised:
                error = self._of_driver(raised)
                if error is None:
                    raise
                kind = faults.kind_of(error)
                waited = time.monotonic() - started
                if committing and kind is faults.Kind.LOST and not repeatable:
                    raise errors.StoreUnreachable(
                        f"The connection to {self._location.shown} was cut while this call was stored; "
                        "nobody knows whether it was. Look before you repeat it."
                    ) from error
                clash = kind is faults.Kind.AGAIN and (tries < _UNIQUE_TRIES or not _is_unique(error))
                if (clash or kind is faults.Kind.LOST) and waited < seconds:
                    time.sleep(min(0.05 * tries, 1.0) * (0.5 + random.SystemRandom().random()))
                    continue
                raise faults.of_server(error, self._location.shown, waited) from error

    def _of_driver(self, error: Exception) -> sa.exc.DBAPIError | None:
        """Return SQLAlchemy's error for one of the driver's; None for any other.

        What a cursor of the driver's own raises does not pass SQLAlchemy.
        """
        if isinstance(error, sa.exc.DBAPIError):
            return error
        pool = self._engine
        if pool is None or not isinstance(error, pool.dialect.loaded_dbapi.Error):
            return None
        return sa.exc.OperationalError("", None, error)

    def _opened(self) -> sa.Engine:
        pool = self._engine
        if pool is not None and self._pid == os.getpid():
            return pool
        # One thread opens: what a second one opened meanwhile would stay open, and nobody's.
        with self._opening:
            pool = self._engine
            if pool is None or self._pid != os.getpid():
                if pool is not None:
                    # The parent's connections are not ours to close.
                    pool.dispose(close=False)
                pool = self._pool()
                self._prepare_store(pool)
                self._engine, self._pid = pool, os.getpid()
            return pool

    def _pool(self) -> sa.Engine:
        url = sa.make_url(self._location.uri)
        usual, extra = _EXTRAS[self._dialect]
        driver = url.drivername.partition("+")[2] or usual
        if importlib.util.find_spec(driver) is None:
            if driver != usual:
                raise errors.MissingExtra(
                    f"{self._location.shown} names the driver '{driver}', which is not installed. "
                    f"Leave '+{driver}' out of the address to use '{usual}', or pip install {driver}."
                )
            raise errors.MissingExtra(
                f"{self._location.shown} needs the package '{driver}'. Install it with: pip install 'tracknb[{extra}]'"
            )
        try:
            return self._pool_of(url.set(drivername=f"{self._dialect}+{driver}"), driver)
        except sa.exc.ArgumentError as error:
            raise errors.InvalidValue(f"The address {self._location.shown} cannot be used: {error}.") from None

    def _pool_of(self, url: sa.URL, driver: str) -> sa.Engine:
        pool = sa.create_engine(
            url,
            connect_args=_connect_arguments(self._dialect, driver),
            # We say BEGIN ourselves, as for SQLite: reads and writes begin differently.
            isolation_level="AUTOCOMMIT",
            pool_pre_ping=True,
            # A thread that needs a connection gets one; the server says how many there may be.
            max_overflow=-1,
            pool_recycle=_RECYCLE_SECONDS,
            hide_parameters=True,
        )
        if self._dialect == "mysql":
            sa.event.listen(pool, "connect", _prepare_mysql)
        return pool

    def _prepare_store(self, pool: sa.Engine) -> None:
        """Make the tables on the first request, bring older ones up to date, refuse newer and foreign ones."""
        with pool.connect() as connection:
            version = self._version(connection)
            if version == schema.SCHEMA_VERSION:
                return
            for statement in _WRITE[self._dialect]:
                connection.exec_driver_sql(statement)
            self._lock_schema(connection)
            try:
                # Another process may have been at it while we waited.
                version = self._version(connection)
                if version is None:
                    self._create(connection)
                elif version > schema.SCHEMA_VERSION:
                    raise errors.StoreTooNew.at(self._location.shown, version, schema.SCHEMA_VERSION)
                elif version < schema.SCHEMA_VERSION:
                    upgrades.upgrade(connection, version)
                    connection.execute(sa.update(schema.store_version).values(version=schema.SCHEMA_VERSION))
                connection.exec_driver_sql("COMMIT")
            finally:
                # A connection that was cut has let go of it already.
                if self._dialect == "mysql" and not connection.invalidated:
                    connection.exec_driver_sql("DO RELEASE_LOCK(CONCAT('tracknb ', DATABASE()))")

    def _version(self, connection: sa.Connection) -> int | None:
        """Return the schema's number; None where there is no store yet."""
        tables = set(sa.inspect(connection).get_table_names())
        if schema.store_version.name in tables:
            number = connection.execute(sa.select(schema.store_version.c.version)).scalar()
            if number is not None:
                return int(number)
            # MySQL commits each table by itself: the making of this store was interrupted.
            return None
        taken = sorted(tables & set(schema.metadata.tables))
        if taken:
            raise errors.StoreDamaged(
                f"The database {self._location.shown} holds tables of another program ({', '.join(taken[:3])} ...). "
                "Nothing was written to it. Make an empty database for tracknb."
            )
        return None

    def _create(self, connection: sa.Connection) -> None:
        if self._dialect == "mysql":
            _drop_what_is_half_made(connection)
            collation = _exact_collation(connection)
            for table in [*schema.metadata.tables.values(), schema.store_version]:
                # The server decides which name the byte-by-byte collation has.
                table.dialect_options["mysql"]["charset"] = "utf8mb4"
                table.dialect_options["mysql"]["collate"] = collation
        # First, and still empty: from here on the tables are known as ours.
        schema.server_metadata.create_all(connection, checkfirst=False)
        engine.create_tables(connection, self._location.artifact_root)
        connection.execute(sa.insert(schema.store_version).values(version=schema.SCHEMA_VERSION))

    def _lock_schema(self, connection: sa.Connection) -> None:
        if self._dialect == "mysql":
            taken = connection.exec_driver_sql("SELECT GET_LOCK(CONCAT('tracknb ', DATABASE()), 60)").scalar()
            if taken != 1:
                raise errors.StoreLocked(
                    f"The tables of {self._location.shown} are being made by another process; waited 60 s. "
                    "Nothing was written. Try again."
                )
        else:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({schema.APPLICATION_ID})")


def _roll_back(connection: sa.Connection) -> None:
    # We said BEGIN ourselves; not every driver undoes what it did not begin.
    if not connection.invalidated:
        with contextlib.suppress(Exception):
            connection.exec_driver_sql("ROLLBACK")


def _connect_arguments(dialect: str, driver: str) -> dict[str, Any]:
    if dialect == "mysql":
        if driver != "pymysql":
            return {"charset": "utf8mb4"}
        return {
            "charset": "utf8mb4",
            "connect_timeout": _CONNECT_SECONDS,
            "read_timeout": _STATEMENT_SECONDS + _CONNECT_SECONDS,
            "write_timeout": _STATEMENT_SECONDS + _CONNECT_SECONDS,
        }
    return {
        "connect_timeout": _CONNECT_SECONDS,
        "application_name": "tracknb",
        "options": f"-c statement_timeout={_STATEMENT_SECONDS}s -c idle_in_transaction_session_timeout=300s",
        # A host that vanished is noticed within half a minute, not within TCP's hours.
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
    }


def _prepare_mysql(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    # Strict: what does not fit is refused, not cut. ANSI_QUOTES: one spelling of names for
    # all databases. The last: the first experiment has number 0.
    cursor.execute("SET SESSION sql_mode = 'STRICT_ALL_TABLES,ANSI_QUOTES,NO_AUTO_VALUE_ON_ZERO'")
    cursor.execute("SET SESSION innodb_lock_wait_timeout = 20")
    cursor.close()


def _exact_collation(connection: sa.Connection) -> str:
    """Return the collation that tells all texts apart: A from a, and trailing blanks."""
    is_mariadb = getattr(connection.dialect, "is_mariadb", False)
    return "utf8mb4_nopad_bin" if is_mariadb else "utf8mb4_0900_bin"


def _drop_what_is_half_made(connection: sa.Connection) -> None:
    """Clear what an interrupted making left; it holds nothing but the first experiment."""
    tables = set(sa.inspect(connection).get_table_names())
    if schema.store_version.name in tables:
        for view in ("metric_points", "latest_metric_values"):
            connection.exec_driver_sql(f"DROP VIEW IF EXISTS {view}")
        schema.metadata.drop_all(connection)
        schema.server_metadata.drop_all(connection)


def _is_unique(error: sa.exc.DBAPIError) -> bool:
    return isinstance(error, sa.exc.IntegrityError)
