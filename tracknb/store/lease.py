"""Which process keeps a run alive, and whether it still does.

A run belongs to a process of a boot of a host. On the same host a dead process is
certain: its number is free, or taken by a process with another start time. Runs of
other hosts are left alone.
"""

from __future__ import annotations

import functools
import os
import socket
from dataclasses import dataclass
from pathlib import Path


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
    return Lease(host=socket.gethostname(), boot=_boot_id(), pid=pid, process_start=_process_start(pid))


def is_over(lease: Lease) -> bool:
    """Tell whether the process of a lease is certainly gone."""
    if lease.host != socket.gethostname():
        return False
    if lease.boot != _boot_id():
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
def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _process_start(pid: int) -> str:
    try:
        # The name in field 2 may hold spaces and brackets; the start time is the
        # 20th field after it, in clock ticks since boot. A zombie counts as gone.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "gone" if fields[0] in ("Z", "X") else fields[19]
