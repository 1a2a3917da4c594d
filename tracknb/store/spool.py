"""The journal of metric points between a logging call and the database.

A call appends one record to a file with a single ``os.write`` and returns: from then
on the point survives the death of the process. A thread commits what has gathered
about every 100 ms. Whoever opens the store next takes in the spools that dead
processes left; each point carries its place in its spool, so taking one in twice
doubles nothing.
"""

from __future__ import annotations

import os
import struct
import threading
import warnings
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from tracknb import errors, names

try:
    import fcntl
except ImportError:  # Windows: nobody takes over spools of other processes there.
    fcntl = None  # type: ignore[assignment]

COMMIT_SECONDS: Final = 0.1
QUEUE_LIMIT: Final = 10_000
ROTATE_BYTES: Final = 4 << 20
_BATCH: Final = 5_000

_POINT: Final = struct.Struct("<cxxxIqqdQ")
_SERIES: Final = struct.Struct("<cxxxII")
_CHECK: Final = struct.Struct("<I")


class Point(NamedTuple):
    """One metric point on its way: ``number`` is its place in its spool, from 1."""

    run_id: str
    key: str
    step: int
    timestamp: int
    value: float
    number: int


class Spool:
    """The spool of one process for one store.

    Parameters
    ----------
    store_path
        The store's file; spools lie beside it as ``NAME-spool-ID``.
    commit
        Puts points into the store in one transaction, skipping what it already has:
        ``commit(spool_id, points)``.
    """

    def __init__(self, store_path: Path, commit: Callable[[str, Sequence[Point]], None]) -> None:
        self._store_path = store_path
        self._commit = commit
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._draining = threading.Lock()
        self._queue: deque[Point] = deque()
        self._series: dict[tuple[str, str], int] = {}
        self._fd: int | None = None
        self._path: Path | None = None
        self._id = ""
        self._number = 0
        self._bytes = 0
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._failing = False

    def after_fork(self) -> None:
        """Start afresh in a forked child: queue, file and lock stay the parent's."""
        if self._fd is not None:
            os.close(self._fd)
        self._begin()

    def append(self, run_id: str, points: Sequence[tuple[str, float, int, int]]) -> None:
        """Keep points of (key, value, step, timestamp in ms); they are safe on return.

        The order of calls is the order of points. Several points in one call reach the
        file in one write.
        """
        with self._lock:
            self._write(run_id, points)
        if len(self._queue) >= QUEUE_LIMIT and not self._failing:
            self._drain_quietly()
        if not self._wake.is_set():
            self._wake.set()
            if self._thread is None:
                self._start_thread()

    def _write(self, run_id: str, points: Sequence[tuple[str, float, int, int]]) -> None:
        if self._fd is None:
            self._open()
        number = self._number
        records: list[bytes] = []
        queued: list[Point] = []
        for key, value, step, timestamp in points:
            series = self._series.get((run_id, key))
            if series is None:
                series = self._series[run_id, key] = len(self._series)
                records.append(_series_record(series, run_id, key))
            number += 1
            record = _POINT.pack(b"P", series, step, timestamp, value, number)
            records.append(record + _CHECK.pack(zlib.crc32(record)))
            queued.append(Point(run_id, key, step, timestamp, value, number))
        data = records[0] if len(records) == 1 else b"".join(records)
        try:
            written = os.write(self._fd, data)  # type: ignore[arg-type]
        except OSError as error:
            written = -1
            problem: OSError | None = error
        else:
            problem = None
        if written != len(data):
            self._forget_partial(written)
            raise errors.StoreFull(
                f"The point could not be kept beside {self._store_path}: {problem or 'the disk is full'}. "
                "What was logged before is kept; make room and log on."
            ) from problem
        self._bytes += written
        self._number = number
        self._queue.extend(queued)

    def _forget_partial(self, written: int) -> None:
        # A torn record would hide all that follows it from a later reader.
        self._series.clear()
        if written > 0 and self._fd is not None:
            os.ftruncate(self._fd, self._bytes)

    def _open(self) -> None:
        self._id = names.new_run_id()
        self._path = self._store_path.with_name(f"{self._store_path.name}-spool-{self._id}")
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
        try:
            self._fd = os.open(self._path, flags, 0o600)
        except OSError as error:
            raise errors.StoreReadOnly(
                f"{self._store_path.parent} cannot be written ({error.strerror}), so metrics cannot be kept there. "
                "What was logged before is kept."
            ) from error
        if fcntl is not None:
            fcntl.flock(self._fd, fcntl.LOCK_EX)
        self._number = 0
        self._bytes = 0
        self._series = {}

    def _start_thread(self) -> None:
        self._thread = threading.Thread(target=self._work, name="tracknb-spool", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        pause = threading.Event()
        while True:
            self._wake.wait()
            pause.wait(COMMIT_SECONDS if not self._failing else 2.0)
            self._wake.clear()
            self._drain_quietly()
            if self._queue:
                self._wake.set()

    def _drain_quietly(self) -> None:
        """Commit what is queued; on failure keep it and say so once."""
        try:
            self.drain()
        except Exception as error:
            if not self._failing:
                self._failing = True
                warnings.warn(
                    f"tracknb keeps metrics in {self._path} until the store can be written again: {error}",
                    RuntimeWarning,
                    stacklevel=2,
                )

    def drain(self) -> None:
        """Commit every point that was appended before this call; raises what stops it."""
        with self._draining:
            while self._queue:
                # Points leave the queue after their commit, so a failure loses none.
                batch = [self._queue[index] for index in range(min(_BATCH, len(self._queue)))]
                self._commit(self._id, batch)
                for _ in batch:
                    self._queue.popleft()
            self._failing = False
            self._rotate()

    def _rotate(self) -> None:
        if self._bytes < ROTATE_BYTES:
            return
        with self._lock:
            if not self._queue and self._fd is not None:
                os.ftruncate(self._fd, 0)
                self._bytes = 0
                self._series.clear()

    def close(self) -> None:
        """Commit everything and remove the file; a later append opens a new one."""
        self.drain()
        with self._lock:
            if self._queue or self._fd is None or self._path is None:
                return
            self._path.unlink(missing_ok=True)
            os.close(self._fd)
            self._fd = self._path = None


def _series_record(series: int, run_id: str, key: str) -> bytes:
    body = f"{run_id}\n{key}".encode()
    record = _SERIES.pack(b"S", series, len(body)) + body
    return record + _CHECK.pack(zlib.crc32(record))


def read_points(data: bytes) -> Iterator[Point]:
    """Yield the points of a spool's bytes, up to the first torn record."""
    series: dict[int, tuple[str, str]] = {}
    place = 0
    while place < len(data):
        kind = data[place : place + 1]
        size = _POINT.size
        if kind == b"S" and place + _SERIES.size <= len(data):
            size = _SERIES.size + _SERIES.unpack_from(data, place)[2]
        end = place + size
        if kind not in (b"S", b"P") or end + _CHECK.size > len(data):
            return
        if zlib.crc32(data[place:end]) != _CHECK.unpack_from(data, end)[0]:
            return
        if kind == b"S":
            run_id, _, key = data[place + _SERIES.size : end].decode().partition("\n")
            series[_SERIES.unpack_from(data, place)[1]] = (run_id, key)
        else:
            _, number_of_series, step, timestamp, value, number = _POINT.unpack_from(data, place)
            run_id, key = series[number_of_series]
            yield Point(run_id, key, step, timestamp, value, number)
        place = end + _CHECK.size


def take_in_abandoned(store_path: Path, commit: Callable[[str, Sequence[Point]], None]) -> int:
    """Commit the spools that dead processes left beside a store; returns their number."""
    if fcntl is None:
        return 0
    prefix = f"{store_path.name}-spool-"
    taken = 0
    for path in sorted(store_path.parent.glob(f"{_glob_literal(prefix)}*")):
        # A spool that its process still holds is locked; one without a lock is orphaned.
        try:
            fd = os.open(path, os.O_RDWR | getattr(os, "O_CLOEXEC", 0))
        except OSError:
            continue
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            data = path.read_bytes()
            points = list(read_points(data))
            for first in range(0, len(points), _BATCH):
                commit(path.name.removeprefix(prefix), points[first : first + _BATCH])
            path.unlink(missing_ok=True)
            taken += 1
        except BlockingIOError:
            continue
        finally:
            os.close(fd)
    return taken


def _glob_literal(text: str) -> str:
    return "".join(f"[{character}]" if character in "*?[" else character for character in text)
