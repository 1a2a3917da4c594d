"""Which process keeps a run alive, and whether it still does.

A run belongs to a process of a boot of a host. On the same host a dead process is
certain: its number is free, or taken by a process with another start time; a laptop that
slept is the same boot, so its runs live on. Of a process on another host only its
heartbeat is known: after ten minutes without one the run counts as lost, until that
process says that it is there after all.
"""

from __future__ import annotations

import functools
import os
import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from tracknb import names
from tracknb.entities import END_REASON_TAG, RunStatus
from tracknb.store import engine, schema

HEARTBEAT_SECONDS: Final = 30.0
LOST_AFTER_MS: Final = 10 * 60 * 1000
_GONE: Final = "the process that ran it is gone"


@dataclass(frozen=True, slots=True)
class Lease:
    """The process that holds a run."""

    host: str
    boot: str
    pid: int
    process_start: str


def mine() -> Lease:
    """Return the lease of this process."""
    pid = os.getpid()
    return Lease(host=socket.gethostname(), boot=_place(), pid=pid, process_start=_process_start(pid))


def is_over(lease: Lease, heartbeat: int | None = None) -> bool:
    """Tell whether the process of a lease is certainly gone, or silent for too long on another host."""
    boot, _, namespace = lease.boot.partition("/")
    own_boot, _, own_namespace = _place().partition("/")
    elsewhere = lease.host != socket.gethostname() or (boot == own_boot and namespace != own_namespace)
    if elsewhere:
        return heartbeat is not None and names.now_ms() - heartbeat > LOST_AFTER_MS
    if boot != own_boot:
        return True
    try:
        os.kill(lease.pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        # It exists and belongs to somebody else.
        return False
    return _process_start(lease.pid) != lease.process_start


@functools.cache
def _place() -> str:
    """Return this boot of this host, and which process numbers it shows: containers have their own."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
    try:
        return f"{boot}/{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return boot


def _process_start(pid: int) -> str:
    try:
        # The name in field 2 may hold spaces and brackets; the start time is the
        # 20th field after it, in clock ticks since boot. A zombie counts as gone.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "gone" if fields[0] in ("Z", "X") else fields[19]


class Leases:
    """The runs that this process holds in one store, and those that nobody holds any more."""

    def __init__(self, database: engine.Engine) -> None:
        self._engine = database
        self._begin()

    def _begin(self) -> None:
        self._held: set[int] = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def after_fork(self) -> None:
        """Forget what the parent holds: a worker's life is not its runs' life."""
        self._begin()

    def columns(self) -> dict[str, str | int]:
        """Return this process's lease as columns of ``runs``."""
        own = mine()
        return {
            "lease_host": own.host,
            "lease_boot": own.boot,
            "lease_pid": own.pid,
            "lease_process_start": own.process_start,
        }

    def hold(self, number: int) -> None:
        """Say from now on, now and then, that a run is alive."""
        with self._lock:
            self._held.add(number)
            if self._thread is None:
                self._stop = threading.Event()
                self._thread = threading.Thread(
                    target=_beat_until, args=(self._stop, self._beat), name="tracknb-heartbeat", daemon=True
                )
                self._thread.start()

    def release(self, number: int) -> None:
        """Say no more that a run is alive."""
        with self._lock:
            self._held.discard(number)
            if not self._held and self._thread is not None:
                self._stop.set()
                self._thread = None

    def release_all(self) -> None:
        """Say no more that any run is alive."""
        for number in list(self._held):
            self.release(number)

    def _beat(self) -> None:
        with self._lock:
            held = sorted(self._held)
        if held:
            self._engine.write(lambda connection: _say_alive(connection, held))

    def settle(self, patience: float | None = None) -> None:
        """End the runs that nobody holds any more as KILLED; writes only if there are any."""
        lost = self._engine.read(self._lost)
        if lost:
            self._engine.write(lambda connection: _end(connection, lost), patience=patience)

    def _lost(self, connection: sa.Connection) -> list[int]:
        table = schema.runs
        rows = connection.execute(
            sa.select(
                table.c.id,
                table.c.heartbeat,
                table.c.lease_host,
                table.c.lease_boot,
                table.c.lease_pid,
                table.c.lease_process_start,
            ).where(table.c.status == RunStatus.RUNNING.value, table.c.lease_pid.is_not(None))
        ).all()
        own = mine()
        return [number for number, heartbeat, *held in rows if Lease(*held) != own and is_over(Lease(*held), heartbeat)]


def _beat_until(stop: threading.Event, beat: Callable[[], None]) -> None:
    while not stop.wait(HEARTBEAT_SECONDS):
        try:
            beat()
        except Exception:
            continue


def _say_alive(connection: sa.Connection, held: Iterable[int]) -> None:
    table = schema.runs
    now = names.now_ms()
    for number in held:
        connection.execute(sa.update(table).where(table.c.id == number).values(heartbeat=now))
        # While this machine slept, another one may have taken the run for lost.
        revived = connection.execute(
            sa.update(table)
            .where(table.c.id == number, table.c.status == RunStatus.KILLED.value)
            .where(
                table.c.id.in_(
                    sa.select(schema.tags.c.run).where(
                        schema.tags.c.key == END_REASON_TAG, schema.tags.c.value == _GONE
                    )
                )
            )
            .values(status=RunStatus.RUNNING.value, end_time=None)
        )
        if revived.rowcount:
            connection.execute(
                sa.delete(schema.tags).where(schema.tags.c.run == number, schema.tags.c.key == END_REASON_TAG)
            )


def _end(connection: sa.Connection, lost: Iterable[int]) -> None:
    table = schema.runs
    for number in lost:
        ended = connection.execute(
            sa.update(table)
            .where(table.c.id == number, table.c.status == RunStatus.RUNNING.value)
            .values(status=RunStatus.KILLED.value, end_time=sa.func.coalesce(table.c.heartbeat, table.c.start_time))
        )
        if ended.rowcount:
            engine.upsert(connection, schema.tags, [{"run": number, "key": END_REASON_TAG, "value": _GONE}], "value")
