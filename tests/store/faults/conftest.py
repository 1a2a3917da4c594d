"""Children that meet real faults: the disk shim, scripts with it, and what their errors must look like."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tracknb import errors

HERE = Path(__file__).parent

# What every child begins with. ``tried`` makes a call and says how it ended; ``report``
# hands values to the test.
PRELUDE = """
import json, os, signal, sys, threading, time, warnings
import tracknb
from tracknb.client import TrackingClient, close_stores
store = sys.argv[1]
arguments = sys.argv[2:]
tracknb.set_tracking_uri(store)

def tried(call, *args, **named):
    begun = time.monotonic()
    try:
        call(*args, **named)
    except BaseException as error:
        return {
            "kind": type(error).__name__,
            "bases": [base.__name__ for base in type(error).__mro__],
            "text": str(error),
            "caused": error.__cause__ is not None,
            "seconds": time.monotonic() - begun,
        }
    return None

def report(**values):
    print("REPORT " + json.dumps(values), flush=True)

def fault(*rules):
    # One step, so that no operation sees half a rule.
    path = os.environ["FAULT_CONTROL"]
    with open(path + ".new", "w") as file:
        file.write("\\n".join(rules))
    os.replace(path + ".new", path)

def points(run_id, key="loss"):
    return [[p.step, p.value] for p in TrackingClient().get_metric_history(run_id, key)]

def begin(name="disk"):
    tracknb.set_experiment(name)
    run_id = tracknb.start_run(run_name="r").info.run_id
    tracknb.log_params({"before": 1})
    log(0, 20)
    return run_id

def log(first, last):
    for step in range(first, last):
        tracknb.log_metric("loss", step / 2, step=step)

def end(run_id):
    # What a later opener finds.
    tracknb.end_run()
    close_stores()
    run = TrackingClient().get_run(run_id)
    report(
        steps=[step for step, value in points(run_id) if value == step / 2],
        params=run.data.params,
        status=run.info.status,
        tags={key: value for key, value in run.data.tags.items() if not key.startswith(("mlflow.", "tracknb."))},
    )
"""


@pytest.fixture(scope="session")
def shim(tmp_path_factory):
    """The disk that fails on demand, as a library to preload."""
    compiler = shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("The shim needs Linux and a C compiler.")
    library = tmp_path_factory.mktemp("shim") / "shim.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(HERE / "shim.c"), "-ldl", "-lpthread"]
    subprocess.run(command, check=True)
    return library


class Children:
    """Starts Python processes that track into one store."""

    def __init__(self, folder: Path, shim: Path | None = None) -> None:
        self.folder = folder
        self.path = folder / "runs.db"
        self.shim = shim
        # Beside the folder: what steers the fault must not meet it.
        self.control = folder.with_name(f"{folder.name}-control")
        self.log = folder.with_name(f"{folder.name}-log")
        self.clock = folder.with_name(f"{folder.name}-clock")
        self.started: list[subprocess.Popen[str]] = []

    def environment(self, *, record: bool = False, clock: bool = False) -> dict[str, str]:
        """Return the environment of a child, with the shim in it if there is one."""
        ours = ("TRACKNB_TRACKING_URI", "MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME")
        variables = {name: value for name, value in os.environ.items() if name not in ours}
        # One source of work less, and no sub-process in the middle of a recording.
        variables["GIT_CEILING_DIRECTORIES"] = str(self.folder.parent)
        if self.shim is not None:
            variables |= {
                "LD_PRELOAD": str(self.shim),
                "FAULT_FOLDER": str(self.folder),
                "FAULT_CONTROL": str(self.control),
            }
            if record:
                variables["FAULT_LOG"] = str(self.log)
            if clock:
                variables["FAULT_CLOCK"] = str(self.clock)
        return variables

    def start(self, script, *arguments, store=None, environment=None, record=False, clock=False, wrap=(), **options):
        """Start a child that runs PRELUDE and the script; ``wrap`` is a command in front of it."""
        command = [
            *wrap,
            sys.executable,
            "-c",
            PRELUDE + textwrap.dedent(script),
            str(store or self.path),
            *map(str, arguments),
        ]
        child = subprocess.Popen(
            command,
            env={**self.environment(record=record, clock=clock), **(environment or {})},
            # Not a git work tree: asking git would only cost time.
            cwd=options.pop("cwd", self.folder.parent),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )
        self.started.append(child)
        return child

    def run(self, script, *arguments, timeout=60, **options):
        """Run a child to its end and return what it reported; it must end well."""
        child = self.start(script, *arguments, **options)
        output, problems = child.communicate(timeout=timeout)
        assert child.returncode == 0, problems
        return reported(output)


def reported(output):
    """Return all that a child reported, as one dictionary."""
    values = {}
    for line in output.splitlines():
        if line.startswith("REPORT "):
            values |= json.loads(line.removeprefix("REPORT "))
    return values


@pytest.fixture
def children(tmp_path):
    """Children without the shim."""
    yield from _children(tmp_path, None)


@pytest.fixture
def faulty(tmp_path, shim):
    """Children on a disk that fails when told to."""
    yield from _children(tmp_path, shim)


def _children(tmp_path, shim):
    folder = tmp_path / "store"
    folder.mkdir()
    group = Children(folder, shim)
    yield group
    for child in group.started:
        if child.poll() is None:
            child.kill()
        child.communicate()


def query(path, sql):
    """Return rows of a store, read with plain SQLite."""
    connection = sqlite3.connect(path)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def contents(folder):
    """Return every file below a folder with its bytes; SQLite's shared memory is no content."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file() and not path.name.endswith("-shm")
    }


def wait_for(condition, seconds=20.0):
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


_PRECISE = {"StoreFull", "StoreReadOnly", "StoreLocked", "StoreMoved", "StoreDamaged", "StoreTooNew"}
# A driver's words, an address of its documentation, or a statement.
_FOREIGN_WORDS = re.compile(
    r"sqlalche\.me|\(sqlite3\.|OperationalError|DatabaseError|\[SQL|\bparameters:|Background on this"
    r"|INSERT INTO|SELECT .* FROM|UPDATE .* SET|PRAGMA ",
)


def assert_contract(problem, kind, *shown):
    """The error contract: our class, which is a builtin too, and a message a person can act on.

    ``StoreError`` stands for itself and for any class that says something else than the
    others do: a broken disk is not full, and not read-only.
    """
    assert problem is not None, f"nothing was raised; {kind} is promised"
    if kind == "StoreError":
        assert "StoreError" in problem["bases"], problem
        assert problem["kind"] not in _PRECISE, problem
    else:
        assert problem["kind"] == kind, problem
    builtin = {
        "StoreFull": "OSError",
        "StoreReadOnly": "PermissionError",
        "StoreLocked": "TimeoutError",
        "StoreMoved": "FileNotFoundError",
    }.get(kind, "TracknbError")
    assert {"TracknbError", "StoreError", builtin} <= set(problem["bases"])
    text = problem["text"]
    for part in shown:
        assert str(part) in text, f"{part} is not in: {text}"
    assert not _FOREIGN_WORDS.search(text), text
    assert len(text.splitlines()) <= 2, text
    # What is kept, or at least that nothing was touched.
    assert re.search(r"kept|stay|stored|lost|[Nn]othing|not written", text), f"does not say what is kept: {text}"


def error_code(name):
    """Return the number of an errno for a rule of the shim."""
    return getattr(errno, name)


def integrity(path):
    """Return SQLite's own verdict on a file."""
    return query(path, "PRAGMA integrity_check")


def is_ours(problem):
    """Tell whether what was raised is an error of tracknb's."""
    return problem is not None and hasattr(errors, problem["kind"])
