"""What a driver's or the system's error means to a user: the store's error contract.

Each message says what failed, where (a file, or a server's address without password),
what is kept and what to do next. SQL text, parameters and drivers' classes stay in the
chained cause.
"""

from __future__ import annotations

import enum
import errno
import os
from pathlib import Path
from typing import Final

from sqlalchemy import exc

from tracknb import errors, names
from tracknb.errors import KEPT

_NO_LOCKS: Final = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)

# SQLSTATE classes of PostgreSQL. The first group is a clash that the same work survives.
_PG_AGAIN: Final = ("40001", "40P01", "55P03", "23505")
_PG_LOST: Final = ("08", "57P01", "57P02", "57P03")
# MySQL's and MariaDB's error numbers: deadlock, lock wait, row of another transaction.
_MY_AGAIN: Final = (1213, 1205, 1062, 1020)
_MY_LOST: Final = (1053, 1079, 1080, 1152, 1153, 1158, 1159, 1160, 1161, 1184, 1927, 2002, 2003, 2006, 2013, 2055)
_MY_REFUSED: Final = (1044, 1045, 1142, 1143, 1227, 1698)


class Kind(enum.Enum):
    """What can be done about an error of a server."""

    AGAIN = "the same work may succeed now"
    LOST = "the connection is gone"
    FINAL = "nothing"


def kind_of(error: exc.DBAPIError) -> Kind:
    """Return what can be done about an error of PostgreSQL or MySQL."""
    state, number = _codes(error)
    if state in _PG_AGAIN or number in _MY_AGAIN:
        return Kind.AGAIN
    # 53300: no connection is free at this moment.
    if error.connection_invalidated or state.startswith(_PG_LOST) or state == "53300" or number in _MY_LOST:
        return Kind.LOST
    if isinstance(error, exc.OperationalError) and not state and number == 0:
        # A connection that could not be made has no code of the server's.
        return Kind.FINAL if _is_login(error) or _is_refusal(error) else Kind.LOST
    return Kind.FINAL


def of_server(error: exc.DBAPIError, shown: str, waited: float) -> errors.TracknbError:
    """Return the error of ours for one of PostgreSQL or MySQL."""
    state, number = _codes(error)
    if state.startswith("28") or number in _MY_REFUSED or state == "42501" or _is_login(error):
        return errors.AuthError(
            f"{shown} refuses this user or password. {KEPT} Check the address and the user's rights."
        )
    if state == "3D000" or number == 1049 or ("does not exist" in str(error.orig) and not state):
        return errors.StoreUnreachable(f"There is no such database: {shown}. Create it first, then try again.")
    if (state.startswith("53") and state != "53300") or number in (1021, 1114, 3675):
        return errors.StoreFull(f"No room is left on the server of {shown}. {KEPT} Make room and go on.")
    if state == "25006" or number in (1290, 1792, 1836):
        return errors.StoreReadOnly(f"{shown} accepts no writing now. {KEPT}")
    if state == "57014" or number in (1969, 3024):
        return errors.StoreLocked(f"{shown} did not finish this call in time. {KEPT} Try again.")
    if kind_of(error) is Kind.AGAIN:
        return errors.StoreLocked(
            f"{shown} is being written by others; waited {waited:.0f} s. {KEPT} It can be repeated."
        )
    if kind_of(error) is Kind.LOST:
        return errors.StoreUnreachable(
            f"{shown} does not answer; tried for {waited:.0f} s. {KEPT} It can be repeated when the server is back."
        )
    return errors.StoreError(f"{shown} could not do this: {first_line(error.orig)}. {KEPT}")


def _codes(error: exc.DBAPIError) -> tuple[str, int]:
    """Return PostgreSQL's SQLSTATE and MySQL's number of an error, as far as it has them."""
    original = error.orig
    state = getattr(original, "sqlstate", None) or getattr(original, "pgcode", None) or ""
    arguments = getattr(original, "args", ())
    number = arguments[0] if arguments and isinstance(arguments[0], int) else 0
    return state, number


def _is_login(error: exc.DBAPIError) -> bool:
    text = str(error.orig)
    return "password authentication failed" in text or "no password supplied" in text or "role " in text


def _is_refusal(error: exc.DBAPIError) -> bool:
    """Tell whether PostgreSQL answered, and will answer the same in a minute."""
    text = str(error.orig)
    lasting = ("does not exist", "pg_hba.conf", "not permitted", "permission denied", "certificate")
    return "FATAL:" in text and any(words in text for words in lasting)


def of_sqlite(error: Exception, path: Path, waited: float) -> errors.TracknbError:
    """Return the error of ours for one of SQLite or of the file system."""
    if isinstance(error, OSError):
        return errors.of_system(error, path)
    text = str(error)
    if "locked" in text or "busy" in text:
        # SQLite takes a folder without locks for a busy file.
        if not _has_locks(path):
            return _no_locks(path)
        return errors.StoreLocked(
            f"{path} is being written by {holder_of(path)}; waited {waited:.0f} s. "
            "Nothing was lost; this call was not stored. Try again."
        )
    code = getattr(error, "sqlite_errorname", "") or ""
    if code == "SQLITE_FULL" or "disk is full" in text:
        return errors.StoreFull.at(path)
    if code.startswith("SQLITE_READONLY") or code == "SQLITE_PERM" or "readonly" in text:
        # On a full disk the store was opened for reading only.
        is_full = os.access(path, os.W_OK) and _is_full(path)
        return errors.StoreFull.at(path) if is_full else errors.StoreReadOnly.at(path)
    if code.startswith("SQLITE_CANTOPEN"):
        return _cannot_open(path)
    if code in ("SQLITE_CORRUPT", "SQLITE_NOTADB") or code.startswith("SQLITE_CORRUPT"):
        return errors.StoreDamaged(
            f"{path} is damaged ({text}). Nothing more is written to it. "
            f"Restore a copy, or save what can be read: sqlite3 {path.name} .recover | sqlite3 rescued.db"
        )
    if code.startswith("SQLITE_IOERR_LOCK") or code == "SQLITE_PROTOCOL" or "locking protocol" in text:
        return _no_locks(path)
    if code.startswith("SQLITE_IOERR"):
        # SQLite calls a full disk an I/O error where it fails in a file of its own.
        return (
            errors.StoreFull.at(path)
            if _is_full(path)
            else errors.StoreError(
                f"The disk failed while {path} was used ({text}). {KEPT} Look at the disk, then try again."
            )
        )
    return errors.StoreError(f"The store {path} could not do this: {first_line(error)}. {KEPT}")


def _no_locks(path: Path) -> errors.StoreError:
    return errors.StoreError(
        f"The folder {path.parent} does not support the locks that SQLite needs; it seems to be a network folder. "
        f"{KEPT} Keep the store on a local disk, or use a PostgreSQL server for many machines."
    )


def is_full(error: Exception, path: Path) -> bool:
    """Tell whether an error of SQLite means that no room is left."""
    return isinstance(of_sqlite(error, path, 0), errors.StoreFull)


def _has_locks(path: Path) -> bool:
    """Tell whether a file beside the store can be locked."""
    try:
        import fcntl
    except ImportError:  # Windows, where locks are part of every file system.
        return True
    probe = path.with_name(f"{path.name}-locks-{names.new_id()}")
    try:
        fd = os.open(probe, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError:
        return True
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in _NO_LOCKS
    finally:
        os.close(fd)
        probe.unlink(missing_ok=True)
    return True


def _cannot_open(path: Path) -> errors.TracknbError:
    """Say why SQLite cannot open a file; its own message does not tell."""
    if not os.path.isdir(path.parent):
        return errors.StoreMoved(f"The folder {path.parent} is gone, and with it the store {path.name}. {KEPT}")
    try:
        os.close(os.open(path.parent, os.O_RDONLY))
    except OSError as error:
        return errors.of_system(error, path)
    return errors.StoreFull.at(path) if _is_full(path) else errors.StoreReadOnly.at(path)


def _is_full(path: Path) -> bool:
    try:
        place = os.statvfs(path.parent)
    except (OSError, AttributeError):
        return False
    return place.f_bavail * place.f_frsize < 64 * 1024


def first_line(error: object) -> str:
    """Return the beginning of a driver's message, without what may hold values."""
    lines = str(error).strip().splitlines()
    return lines[0][:200].rstrip(".") if lines else type(error).__name__


def holder_of(path: Path) -> str:
    """Return who holds a store's lock, as words for a message; Linux tells, others do not."""
    pids = _pids_with_locks((path, path.with_name(f"{path.name}-shm")))
    known = [f"process {pid}{_command_of(pid)}" for pid in pids if pid != os.getpid()]
    if known:
        return " and ".join(known[:3])
    return "another thread of this process" if pids else "another process"


def _pids_with_locks(paths: tuple[Path, ...]) -> list[int]:
    wanted = set()
    for path in paths:
        try:
            status = os.stat(path)
        except OSError:
            continue
        wanted.add(f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}")
    try:
        lines = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return []
    pids = []
    for line in lines:
        fields = line.split()
        # "1: POSIX  ADVISORY  WRITE 4711 fe:01:123 120 120"; waiting ones begin with "->".
        if len(fields) >= 6 and fields[3] == "WRITE" and fields[5] in wanted and fields[4].isdecimal():
            pids.append(int(fields[4]))
    return sorted(set(pids))


def _command_of(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return ""
    # Programme and script are enough, and further words may hold secrets.
    shown = " ".join(os.path.basename(word) for word in words[:2] if word)
    return f" ({shown})" if shown else ""
