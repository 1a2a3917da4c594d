"""Which folders lie on a network, by the system's list of mounts."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tracknb.store.mounts import is_in_memory, network_kind

TABLE = """
/dev/sda1 / ext4 rw 0 0
proc /proc proc rw 0 0
server:/home /home nfs4 rw,vers=4.2 0 0
/dev/sdb1 /home/ada/local xfs rw 0 0
//server/share /mnt/team\\040data cifs rw 0 0
sshfs#ada@host:/ /mnt/ssh fuse.sshfs rw 0 0
tmpfs /tmp tmpfs rw 0 0
broken line
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/", None),
        ("/var/lib", None),
        ("/home", "nfs4"),
        ("/home/bob/work", "nfs4"),
        ("/homes", None),
        ("/home/ada/local/runs", None),
        ("/mnt/team data/x", "cifs"),
        ("/mnt/ssh", "fuse.sshfs"),
        ("/tmp/x", None),
    ],
)
def test_a_folder_has_the_kind_of_its_innermost_mount(tmp_path, folder, kind):
    table = tmp_path / "mounts"
    table.write_text(TABLE)
    assert network_kind(folder, table) == kind


def test_a_folder_in_memory_is_known(tmp_path):
    table = tmp_path / "mounts"
    table.write_text(TABLE)
    assert is_in_memory("/tmp/x", table)
    assert not is_in_memory("/var", table)


def test_without_a_list_nothing_is_known(tmp_path):
    assert network_kind(tmp_path, tmp_path / "none") is None


SCRIPT = """
import sqlite3, sys, warnings, pathlib, tracknb
from tracknb.store import mounts
for reader in (mounts.network_kind, mounts.is_in_memory):
    reader.__defaults__ = (pathlib.Path(sys.argv[2]),)
tracknb.set_tracking_uri(sys.argv[1])
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    with tracknb.start_run() as run:
        for step in range(200):
            tracknb.log_metric("loss", 1.0, step=step)
    tracknb.search_runs(output_format="list")
print(len(tracknb.get_metric_history(run.info.run_id, "loss")))
print(sqlite3.connect(sys.argv[1]).execute("PRAGMA journal_mode").fetchone()[0])
print([str(warning.message) for warning in told])
"""


@pytest.mark.parametrize(
    ("kind", "journal", "words"),
    [("nfs4", "delete", ("network folder (nfs4)", "postgresql")), ("tmpfs", "wal", ("in memory", "disk"))],
)
def test_a_store_in_a_doubtful_place_warns_once_with_the_remedy(tmp_path, kind, journal, words):
    """The mount table is the test's own; everything else is real. Without WAL a network folder does."""
    table = tmp_path / "mounts"
    table.write_text(f"/dev/sda1 / ext4 rw 0 0\nplace {tmp_path} {kind} rw 0 0\n")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "runs.db"), str(table)],
        capture_output=True,
        text=True,
        check=True,
    )
    points, used, told = done.stdout.splitlines()

    assert (points, used) == ("200", journal)
    assert told.count(str(tmp_path / "runs.db")) == 1
    assert all(told.count(word) == 1 for word in words)
