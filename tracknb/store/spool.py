"""The journal of metric points between a logging call and the database.

A call puts one record into a file and returns: from then on the point survives the
death of the process. A thread commits what has gathered about once a second. Whoever
opens the store next takes in the spools that dead processes left; each point carries
its place in its spool, so taking one in twice doubles nothing.

The file is mapped into memory, its room reserved beforehand, because a system call a
point would cost as much as all the rest. Where a file cannot be mapped safely (on a
network folder, without ``posix_fallocate``) or every point has to reach the disk, it is
written in the ordinary way.

While the store cannot be written the points stay in the file, which is then read again:
memory holds 10,000 of them at most.

A signal handler or a finalizer may come in wherever something is called or made, raise,
or log by itself. So a point takes its number and its place in the queue in one step, then
its place in the file, and only then is written: a call within another one finds
everything as between two calls. Whatever could leave the queue in doubt falls back to
reading the file.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import operator
import os
import re
import struct
import threading
import time
import warnings
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Final

from tracknb import errors, names
from tracknb.store import mounts

try:
    import fcntl
except ImportError:  # Windows: nobody takes over spools of other processes there.
    fcntl = None  # type: ignore[assignment]

# At most this, and the commit itself, is what a power cut can take: "the last second".
COMMIT_SECONDS: Final = 0.8
RETRY_SECONDS: Final = 2.0
QUEUE_LIMIT: Final = 10_000
ROTATE_BYTES: Final = 4 << 20
_FIRST_ROOM: Final = 64 << 10
_PAGE: Final = 4 << 10
# What a file system answers that reserves no room.
_NO_RESERVING: Final = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENODEV, errno.ENOSYS)
_CHUNK_BYTES: Final = 1 << 20
_PAUSE_SECONDS: Final = 0.005

_POINT: Final = struct.Struct("<cxxxIqqdQ")
_SERIES: Final = struct.Struct("<cxxxII")
# What an epoch begins with: a number that all its checksums start from. A power cut can leave
# old and new parts of a file side by side; they do not pass for one.
_EPOCH: Final = struct.Struct("<cxxxI")
_CHECK: Final = struct.Struct("<I")
_POINT_BYTES: Final = _POINT.size + _CHECK.size
_RECORD: Final = struct.Struct(f"{_POINT_BYTES}s")


# A point on its way: (step, timestamp in ms, value, number), so that the order of tuples is
# the order of "which is the latest". The number is its place in its spool, from 1. A plain
# tuple, because making anything else costs as much as the rest of the call.
Point = tuple[int, int, float, int]


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive points of a spool, by run and key: what one transaction takes in.

    ``last`` is the greatest number among them.
    """

    spool_id: str
    last: int
    series: Sequence[tuple[str, str, Sequence[Point]]]


Commit = Callable[[Batch], Collection[str]]


class Series:
    """One metric of one run, as a spool knows it: where a training loop's calls end up."""

    __slots__ = ("_epoch", "_index", "_is_dirty", "_pending", "_spool", "key", "run_id")

    def __init__(self, spool: Spool, run_id: str, key: str) -> None:
        self.run_id = run_id
        self.key = key
        self._spool = spool
        self._pending: list[Point] = []
        self._is_dirty = False
        self._index = 0
        self._epoch = -1

    def append(
        self,
        step: int,
        timestamp: int,
        value: float,
        # Bound once: this is the call that everything else is measured by.
        _pack: Callable[..., bytes] = _POINT.pack,
        _check: Callable[..., bytes] = _CHECK.pack,
        _crc32: Callable[[bytes, int], int] = zlib.crc32,
        _put: Callable[..., None] = _RECORD.pack_into,
    ) -> Point:
        """Keep a point; it is safe from the death of the process on return.

        Raises
        ------
        struct.error
            The step or the time does not fit into 64 bits; nothing was kept.
        StoreError
            The spool's file cannot be written; nothing was kept.
        """
        spool = self._spool
        with spool._lock:
            if self._epoch != spool._epoch:
                spool._announce(self)
            while True:
                number = spool._number + 1
                record = _pack(b"P", self._index, step, timestamp, value, number)
                record += _check(_crc32(record, spool._salt))
                point = (step, timestamp, value, number)
                if spool._number < number:
                    break
            spool._number = number
            if not spool._spilled:
                self._pending.append(point)
                if not self._is_dirty:
                    self._is_dirty = True
                    spool._dirty.append(self)
            begin = spool._at
            end = begin + _POINT_BYTES
            if end <= spool._room:
                spool._at = end
                _put(spool._map, begin, record)
            else:
                spool._write_queued(record, [(self, point)])
            if spool.durable:
                spool._sync()
        if not spool._awake:
            spool._wake()
        elif number >= spool._full_at:
            spool._relieve()
        return point


class Spool:
    """The spool of one process for one store.

    Parameters
    ----------
    base
        What the names of spools begin with; they are ``BASE-spool-ID``.
    shown
        The store as messages name it.
    commit
        Puts a batch into the store in one transaction, skipping what it already has; returns
        the runs that are not there.
    is_writing_here
        Tells whether this thread is in the middle of a write to the store.
    durable
        Whether every point is on the disk, not only in the system's cache, on return.
    """

    def __init__(
        self,
        base: Path,
        shown: str,
        commit: Commit,
        *,
        is_writing_here: Callable[[], bool] = lambda: False,
        durable: bool = False,
    ) -> None:
        self._base = base
        self._shown = shown
        self._commit = commit
        self._is_writing_here = is_writing_here
        self.durable = durable
        self._epoch = 0
        self._begin()

    def _begin(self) -> None:
        # Re-entrant: a signal handler or a finalizer may log in the middle of a logging call.
        self._lock = threading.RLock()
        self._draining = threading.RLock()
        self._known: dict[tuple[str, str], Series] = {}
        self._dirty: list[Series] = []
        self._groups: list[list[tuple[Series, Point]]] = []
        self._batch: Batch | None = None
        self._fd = -1
        self._path: Path | None = None
        self._id = ""
        self._number = 0
        self._full_at = QUEUE_LIMIT
        self._committed = 0
        self._announced = 0
        # Where the next record goes, and up to where the file is mapped; -1 if it is not to be.
        self._at = 0
        self._salt = 0
        self._room = -1
        self._map: mmap.mmap | None = None
        # A new epoch: every series says its name again before its next point.
        self._epoch += 1
        self._event = threading.Event()
        self._awake = False
        self._thread: threading.Thread | None = None
        self._failing = False
        self._spilled = False
        self._gone: set[str] = set()

    def after_fork(self) -> None:
        """Start afresh in a forked child: points, file and lock stay the parent's."""
        if self._fd >= 0:
            self._unmap()
            os.close(self._fd)
        self._empty_queue()
        known = self._known
        self._begin()
        # The handles stay valid: a worker goes on logging by those it inherited.
        self._known = known

    def set_durable(self, durable: bool) -> None:
        """Say whether every point from now on is on the disk on return, and those before it too."""
        with self._lock:
            if durable and not self.durable and self._fd >= 0:
                self._unmap()
                _sync_folder(self._base.parent)
                self._sync()
            self.durable = durable

    def series(self, run_id: str, key: str) -> Series:
        """Return the handle by which points of a metric are appended."""
        known = self._known.get((run_id, key))
        if known is None:
            known = self._known.setdefault((run_id, key), Series(self, run_id, key))
        return known

    def append(self, run_id: str, points: Sequence[tuple[str, float, int, int]]) -> None:
        """Keep points of (key, value, step, timestamp in ms), all of them or none.

        The order of calls is the order of points. All points of one call reach the file
        in one write.
        """
        if not points:
            return
        if len(points) == 1:
            [(key, value, step, timestamp)] = points
            self.series(run_id, key).append(step, timestamp, value)
            return
        handles = [self.series(run_id, key) for key, _, _, _ in points]
        with self._lock:
            while True:
                first = number = self._number
                records = []
                kept = []
                for series, (_, value, step, timestamp) in zip(handles, points, strict=True):
                    if series._epoch != self._epoch:
                        self._announce(series)
                    number += 1
                    record = _POINT.pack(b"P", series._index, step, timestamp, value, number)
                    records.append(_framed(record, self._salt))
                    kept.append((series, (step, timestamp, value, number)))
                written = b"".join(records)
                if self._number == first:
                    break
            self._number = number
            if not self._spilled:
                # One step, so that an interrupt leaves the call's points in or out, all of them.
                self._groups.append(kept)
            self._write_queued(written, kept)
            if self.durable:
                self._sync()
        if not self._awake:
            self._wake()
        elif number >= self._full_at:
            self._relieve()

    # -- the file; each of these is called with the lock held -----------------------------

    def _announce(self, series: Series) -> None:
        """Write which run and key an index stands for, once an epoch."""
        if self._fd < 0:
            self._open()
        if self._at == 0:
            salt = int.from_bytes(os.urandom(4), "little")
            self._write(_framed(_EPOCH.pack(b"E", salt), 0), salt)
        body = f"{series.run_id}\n{series.key}".encode()
        index, self._announced = self._announced, self._announced + 1
        self._write(_framed(_SERIES.pack(b"S", index, len(body)) + body, self._salt))
        series._index, series._epoch = index, self._epoch
        self._known.setdefault((series.run_id, series.key), series)

    def _write_queued(self, record: bytes, kept: list[tuple[Series, Point]]) -> None:
        """Write points that are in the queue; if that fails they are taken out of it."""
        try:
            self._write(record)
        except errors.TracknbError:
            if kept in self._groups:
                self._groups.remove(kept)
            for series, point in kept:
                with contextlib.suppress(ValueError):
                    series._pending.remove(point)
            raise

    def _write(self, data: bytes, salt: int | None = None) -> None:
        """Put a record at the end; nothing of it counts if this raises, for the next one goes over it.

        A new salt holds for the records behind this one, which begin with their names.
        """
        size = len(data)
        put = struct.Struct(f"{size}s").pack_into
        try:
            while 0 <= self._room < self._at + size:
                self._grow(self._at + size)
            begin = self._at
            self._at = begin + size
            if salt is not None:
                self._salt = salt
                self._epoch += 1
            try:
                if self._map is not None:
                    put(self._map, begin, data)
                elif _write_at(self._fd, data, begin) != size:
                    # A disk that takes a part has no room for the rest.
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError:
                self._at = begin
                raise
        except OSError as error:
            raise self._broken(error) from error

    def _grow(self, end: int) -> None:
        """Reserve and map more room, at least up to ``end``."""
        least = -(-end // _PAGE) * _PAGE
        wanted = max(2 * self._room, _FIRST_ROOM, least)
        try:
            try:
                os.posix_fallocate(self._fd, 0, wanted)
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                    raise
                wanted = least
                os.posix_fallocate(self._fd, 0, wanted)
            bigger = mmap.mmap(self._fd, wanted)
        except OSError as error:
            if error.errno not in _NO_RESERVING:
                raise
            self._unmap()
        else:
            # What it replaces closes itself when nothing writes to it any more.
            self._map, self._room = bigger, wanted

    def _unmap(self) -> None:
        """Go on without the map; what it holds is in the file."""
        self._map, self._room = None, -1

    def _broken(self, error: OSError) -> errors.TracknbError:
        """Return the error for a record that could not be kept."""
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return errors.StoreFull(
                f"The point could not be kept beside {self._shown}: the disk is full. "
                "What was logged before is kept; make room and log on."
            )
        return errors.of_system(error, self._path or self._base)

    def _open(self) -> None:
        folder = self._base.parent
        try:
            self._create_in(folder)
        except OSError as error:
            raise errors.of_system(error, folder) from error

    def _create_in(self, folder: Path) -> None:
        spool_id = names.new_run_id()
        path = folder / f"{self._base.name}-spool-{spool_id}"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        fd = os.open(path, flags, 0o600)
        if fcntl is not None:
            # Where locks do not work nobody takes a spool over; it is still this process's own.
            with contextlib.suppress(OSError):
                fcntl.flock(fd, fcntl.LOCK_EX)
            if os.fstat(fd).st_nlink == 0:
                # Somebody who looked for abandoned spools was quicker, and removed it: another one.
                os.close(fd)
                self._create_in(folder)
                return
        if self.durable:
            _sync_folder(folder)
        is_mappable = hasattr(os, "posix_fallocate") and mounts.keeps_reserved_room(folder)
        if self._fd >= 0:
            # A call within this one has opened a file in the meantime.
            path.unlink()
            os.close(fd)
            return
        self._fd, self._path, self._id = fd, path, spool_id
        self._number = self._committed = self._announced = self._at = 0
        self._full_at = QUEUE_LIMIT
        self._room = 0 if is_mappable and not self.durable else -1
        self._epoch += 1

    def _sync(self) -> None:
        try:
            getattr(os, "fdatasync", os.fsync)(self._fd)
        except OSError as error:
            raise errors.of_system(error, self._path or self._base) from error

    # -- from the file into the store ---------------------------------------------------

    def _wake(self) -> None:
        self._awake = True
        self._event.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="tracknb-spool", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while True:
            self._event.wait()
            self._event.clear()
            time.sleep(RETRY_SECONDS if self._failing else COMMIT_SECONDS)
            # First asleep, then looking: a point that comes in between wakes us again.
            self._awake = False
            self._drain_quietly()
            if self._failing and not self._awake:
                self._awake = True
                self._event.set()

    def _relieve(self) -> None:
        """Let the caller commit when the thread does not keep up, so that memory is bounded."""
        if _is_mine(self._draining) or _is_mine(self._lock) or self._is_writing_here():
            # In the middle of a commit or of a call of this very thread.
            return
        if not self._failing:
            self._drain_quietly()
        with self._lock:
            if self._failing and self._number >= self._full_at:
                self._spill()

    def _spill(self) -> None:
        """Forget what the file holds anyway; it is read again when the store is back."""
        self._spilled = True
        self._empty_queue()
        self._batch = None
        self._full_at = self._number + QUEUE_LIMIT

    def _drain_quietly(self) -> None:
        """Commit what is queued; on failure keep it and say so once."""
        try:
            self.drain()
        except Exception as error:
            if self._is_foreign(error):
                raise
            self.say_waiting(error)

    def _is_foreign(self, error: Exception) -> bool:
        """Tell whether a signal handler of the program raised an error in the middle of a commit."""
        is_ours = isinstance(error, errors.TracknbError) and not isinstance(error, errors.NestedCall)
        return not is_ours and threading.current_thread() is threading.main_thread()

    def say_waiting(self, error: Exception) -> None:
        """Tell once that points wait in the file."""
        if not self._failing:
            self._failing = True
            warnings.warn(
                f"tracknb keeps metrics in {self._path} until the store can be written again: {error}",
                RuntimeWarning,
                stacklevel=3,
            )

    def drain(self) -> None:
        """Commit every point that was appended before this call; raises what stops it."""
        if _is_mine(self._draining):
            raise self._interrupted()
        if not _is_mine(self._lock):
            with self._draining:
                self._commit_queue()
                self._rotate()
            return
        # Who commits just now may wait for the lock that the interrupted call holds.
        pause = threading.Condition(self._lock)
        while not self._draining.acquire(blocking=False):
            pause.wait(_PAUSE_SECONDS)
        try:
            if self._spilled:
                raise self._interrupted()
            # The interrupted call may have put its point into its series and not yet said so.
            for series in list(self._known.values()):
                if series._pending and not series._is_dirty:
                    series._is_dirty = True
                    self._dirty.append(series)
            self._commit_queue()
        finally:
            self._draining.release()

    def _interrupted(self) -> errors.NestedCall:
        return errors.NestedCall.within(self._shown, "What was logged is kept, and is committed")

    def _commit_queue(self) -> None:
        upto = self._number
        while self._committed < upto:
            if self._spilled:
                self._drain_file()
                continue
            # A batch leaves memory after its commit, so a failure loses none.
            batch = self._batch or self._cut()
            if batch is None:
                continue
            if batch.series:
                self._tell_gone(self._commit(batch))
            with self._lock:
                if self._batch is batch:
                    self._committed, self._batch = batch.last, None
        self._failing = False

    def _cut(self) -> Batch | None:
        with self._lock:
            if self._spilled:
                return None
            try:
                self._full_at = self._number + QUEUE_LIMIT
                last = self._number
                self._batch = Batch(self._id, last, self._queued(last))
            except BaseException:
                # Interrupted with some of the points neither here nor there: the file has all.
                self._spill()
                raise
            return self._batch

    def _queued(self, last: int) -> list[tuple[str, str, Sequence[Point]]]:
        """Empty the queue up to a number; each metric's points come in the order of their numbers."""
        dirty, self._dirty = self._dirty, []
        groups, self._groups = self._groups, []
        taken: dict[Series, list[Point]] = {}
        for series in dirty:
            series._is_dirty = False
            taken[series], series._pending = series._pending, []
        for group in groups:
            for series, point in group:
                taken.setdefault(series, []).append(point)
        for series, points in taken.items():
            if groups:
                # Calls with one point and calls with several took turns.
                points.sort(key=_number_of)
            if points and points[-1][3] > last:
                # Logged within this very call, by a finalizer say: the next batch takes them.
                self._groups.append([(series, point) for point in points if point[3] > last])
                points[:] = [point for point in points if point[3] <= last]
        return [(series.run_id, series.key, points) for series, points in taken.items() if points]

    def _empty_queue(self) -> None:
        for series in (*self._known.values(), *self._dirty):
            series._pending, series._is_dirty = [], False
        self._dirty, self._groups = [], []

    def _drain_file(self) -> None:
        """Commit from the file what memory no longer holds."""
        assert self._path is not None
        with open(self._path, "rb", buffering=0) as file:
            reader = Reader(file, self._id, after=self._committed)
            self._take(reader)
            with self._lock:
                # What was appended while we read; from now on points are queued again.
                self._take(reader)
                self._spilled = False
                self._committed = self._number
                self._full_at = self._number + QUEUE_LIMIT

    def _take(self, reader: Reader) -> None:
        for batch in reader.batches(self._at):
            self._tell_gone(self._commit(batch))
            self._committed = batch.last

    def _tell_gone(self, run_ids: Collection[str]) -> None:
        """Tell once of a run that was removed from the store while it was logged to."""
        for run_id in set(run_ids) - self._gone:
            self._gone.add(run_id)
            warnings.warn(
                f"The run {run_id} is no longer in {self._shown}: what is logged to it is dropped.",
                RuntimeWarning,
                stacklevel=4,
            )

    def _rotate(self) -> None:
        if self._at < ROTATE_BYTES:
            return
        with self._lock:
            if self._committed == self._number and self._fd >= 0:
                # Names first: a point must never stand in the file without its metric's name.
                # What is left of older records is in the store, and known by its numbers.
                self._epoch += 1
                self._at = self._announced = 0
                if self._room > 4 * ROTATE_BYTES:
                    self._unmap()
                    os.ftruncate(self._fd, 0)
                    self._room = 0

    def close(self) -> None:
        """Commit everything and remove the file; a later append opens a new one."""
        self.drain()
        if _is_mine(self._lock):
            # Within a logging call, which goes on writing to the file.
            return
        with self._lock:
            if self._fd < 0 or self._path is None or self._committed != self._number:
                return
            self._path.unlink(missing_ok=True)
            self._unmap()
            os.close(self._fd)
            self._fd, self._path = -1, None
            # The next file has its own numbers, and its own series.
            self._known = {}
            self._epoch += 1


class Reader:
    """Reads the points of a spool's file, up to the first record that is not whole.

    Parameters
    ----------
    file
        Open for reading, without a buffer: its content may change.
    spool_id
        The spool's name.
    after
        Points up to this number are passed over.
    """

    def __init__(self, file: FileIO, spool_id: str, *, after: int = 0) -> None:
        self._file = file
        self._spool_id = spool_id
        self._after = after
        self._offset = 0
        self._salt = 0
        self._names: dict[int, tuple[str, str]] = {}

    def batches(self, upto: int | None = None) -> Iterator[Batch]:
        """Yield what is there now, up to a place in the file; called again, what was added since."""
        while True:
            room = _CHUNK_BYTES if upto is None else min(_CHUNK_BYTES, upto - self._offset)
            if room <= 0:
                return
            self._file.seek(self._offset)
            batch, used = self._batch_of(self._file.read(room))
            if used == 0:
                return
            self._offset += used
            if batch is not None:
                self._after = batch.last
                yield batch

    def _batch_of(self, data: bytes) -> tuple[Batch | None, int]:
        points: dict[tuple[str, str], list[Point]] = {}
        last, used = self._after, 0
        for kind, place, end in self._records(data):
            used = end
            if kind == b"E":
                self._names = {}
            elif kind == b"S":
                index, size = _SERIES.unpack_from(data, place)[1:]
                first = place + _SERIES.size
                run_id, _, key = data[first : first + size].decode().partition("\n")
                self._names[index] = (run_id, key)
            else:
                _, index, step, timestamp, value, number = _POINT.unpack_from(data, place)
                if number > self._after and index in self._names:
                    points.setdefault(self._names[index], []).append((step, timestamp, value, number))
                    # A call within another one has the greater number and stands first.
                    last = max(last, number)
        if not points:
            return None, used
        return Batch(self._spool_id, last, [(run_id, key, found) for (run_id, key), found in points.items()]), used

    def _records(self, data: bytes) -> Iterator[tuple[bytes, int, int]]:
        """Yield kind, place and end of the whole records that data begins with."""
        place = 0
        while place < len(data):
            kind = data[place : place + 1]
            if kind == b"P":
                size = _POINT.size
            elif kind == b"E":
                size = _EPOCH.size
            elif kind == b"S" and place + _SERIES.size <= len(data):
                size = _SERIES.size + _SERIES.unpack_from(data, place)[2]
            else:
                return
            end = place + size
            if end + _CHECK.size > len(data):
                return
            salt = 0 if kind == b"E" else self._salt
            if zlib.crc32(data[place:end], salt) != _CHECK.unpack_from(data, end)[0]:
                return
            if kind == b"E":
                self._salt = _EPOCH.unpack_from(data, place)[1]
            place, begun = end + _CHECK.size, place
            yield kind, begun, place


def _framed(record: bytes, salt: int) -> bytes:
    return record + _CHECK.pack(zlib.crc32(record, salt))


def _is_mine(lock: threading.RLock) -> bool:
    """Tell whether this very thread holds a lock: then this call came in the middle of another one."""
    return bool(lock._is_owned())  # type: ignore[attr-defined]


def _write_at(fd: int, data: bytes, place: int) -> int:
    if hasattr(os, "pwrite"):
        return os.pwrite(fd, data, place)
    os.lseek(fd, place, os.SEEK_SET)
    return os.write(fd, data)


_number_of: Final = operator.itemgetter(3)


_left_alone: set[Path] = set()


def take_in_abandoned(base: Path, commit: Commit) -> int:
    """Commit the spools that dead processes left; returns their number.

    A spool of runs that this store does not have stays where it is: it may belong to a store
    that was renamed.
    """
    if fcntl is None:
        return 0
    prefix = f"{base.name}-spool-"
    # Nothing but what a spool is called: a sync folder's copies and people's own files stay theirs.
    own = re.compile(re.escape(prefix) + "[0-9a-f]{32}")
    taken = 0
    for path in sorted(base.parent.glob(f"{_glob_literal(prefix)}*")):
        if not own.fullmatch(path.name) or path in _left_alone:
            continue
        # A spool that its process still holds is locked; one without a lock is orphaned.
        try:
            file = open(path, "r+b", buffering=0)  # noqa: SIM115 -- closed below, the lock with it
        except OSError:
            continue
        with file:
            try:
                fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            gone: set[str] = set()
            for batch in Reader(file, path.name.removeprefix(prefix)).batches():
                gone.update(commit(batch))
            if gone:
                _left_alone.add(path)
                warnings.warn(
                    f"{path} holds points of runs that are not in {base}: it is left where it is. "
                    "If the store was renamed, give this file the same new name; else remove it.",
                    RuntimeWarning,
                    stacklevel=3,
                )
                continue
            path.unlink(missing_ok=True)
            taken += 1
    return taken


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _glob_literal(text: str) -> str:
    return "".join(f"[{character}]" if character in "*?[" else character for character in text)
