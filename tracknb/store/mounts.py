"""On what kind of file system a folder lies: some do not keep SQLite's promises."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_NETWORK: Final = frozenset(
    """
    afpfs afs beegfs ceph cifs coda davfs fuse.gcsfuse fuse.glusterfs fuse.rclone fuse.s3fs fuse.sshfs
    glusterfs gpfs lustre ncpfs nfs nfs4 smb2 smb3 smbfs
    """.split()  # noqa: SIM905 -- a list would be a page long
)
_MEMORY: Final = frozenset(("ramfs", "tmpfs"))
# Where room that was reserved is there when it is written: others copy on writing, or do not say.
_RESERVING: Final = frozenset(("ext2", "ext3", "ext4", "overlay", "ramfs", "tmpfs", "xfs"))
_TABLE: Final = Path("/proc/mounts")


def network_kind(folder: Path, table: Path = _TABLE) -> str | None:
    """Return the kind of network file system that a folder lies on; None if on a local one.

    Parameters
    ----------
    folder
        Any folder; it need not be there.
    table
        The system's list of what is mounted; where there is none, nothing is known.
    """
    kind = _kind(folder, table)
    return kind if kind in _NETWORK else None


def is_in_memory(folder: Path, table: Path = _TABLE) -> bool:
    """Tell whether what lies in a folder is gone when the machine stops."""
    return _kind(folder, table) in _MEMORY


def keeps_reserved_room(folder: Path, table: Path = _TABLE) -> bool:
    """Tell whether room that ``posix_fallocate`` reserved in a folder can be relied on."""
    return _kind(folder, table) in _RESERVING


def _kind(folder: Path, table: Path) -> str:
    try:
        lines = table.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    wanted = f"{os.path.realpath(folder)}/"
    best = ("", "")
    for line in lines:
        fields = line.split()
        if len(fields) < 3:
            continue
        # Blanks in names are written as octal escapes.
        place = fields[1].replace("\\040", " ").rstrip("/") + "/"
        # The longest mount point that holds the folder; of equal ones the last is on top.
        if wanted.startswith(place) and len(place) >= len(best[0]):
            best = (place, fields[2])
    return best[1]
