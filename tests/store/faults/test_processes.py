"""Many processes at one store: they begin it together, write it together, and wait for each other within bounds."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pytest

from .conftest import assert_contract, integrity, is_ours, query, reported

# What no call may take while eight others write.
LONGEST_WAIT = 20.0

BARRIER = """
import sqlalchemy, sqlalchemy.dialects.sqlite, tracknb.store.tracking

def at_once(count, work):
    # All imported, nothing opened: the children meet at the first byte of the store.
    waiting, go = os.pipe()
    pids = []
    for number in range(count):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                os.close(go)
                os.read(waiting, 1)
                work(number)
                close_stores()
                code = 0
            except BaseException as error:
                print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            finally:
                os._exit(code)
        pids.append(pid)
    os.close(waiting)
    time.sleep(0.1)
    os.close(go)
    return sum(os.waitpid(pid, 0)[1] != 0 for pid in pids)
"""


def test_sixteen_processes_that_begin_a_store_at_once_make_one_store_and_one_experiment(children):
    script = (
        BARRIER
        + """
def work(number):
    tracknb.set_experiment("same")
    with tracknb.start_run(run_name=f"r{number}"):
        tracknb.log_param("number", number)
        for step in range(50):
            tracknb.log_metric("loss", step / 2, step=step)

failed = []
for round_number in range(6):
    path = os.path.join(os.path.dirname(store), f"round-{round_number}.db")
    tracknb.set_tracking_uri(path)
    failed.append(at_once(16, work))
report(failed=failed)
"""
    )
    child = children.start(script)
    output, problems = child.communicate(timeout=100)
    stores = sorted(children.folder.glob("round-*.db"))

    assert problems == ""
    assert reported(output)["failed"] == [0] * 6
    assert len(stores) == 6
    for path in stores:
        assert query(path, "SELECT count(*) FROM experiments WHERE name = 'same'") == [(1,)]
        assert query(path, "SELECT count(*), count(DISTINCT name) FROM runs WHERE status = 'FINISHED'") == [(16, 16)]
        assert query(path, "SELECT count(*) FROM metrics") == [(800,)]
        assert query(path, "SELECT count(*) FROM params WHERE key = 'number'") == [(16,)]
        assert integrity(path) == [("ok",)]
    assert list(children.folder.glob("*spool*")) == []


WRITER = """
begin_at, seconds = float(arguments[0]), float(arguments[1])
longest, done = {}, {"points": 0, "params": 0, "tags": 0}

def timed(kind, call, *args, **named):
    begun = time.monotonic()
    call(*args, **named)
    longest[kind] = max(longest.get(kind, 0.0), time.monotonic() - begun)

time.sleep(max(0, begin_at - time.time()))
timed("experiment", tracknb.set_experiment, "shared")
timed("run", tracknb.start_run)
run_id = tracknb.active_run().info.run_id
end_time = time.monotonic() + seconds
while time.monotonic() < end_time:
    for _ in range(20):
        timed("point", tracknb.log_metric, "loss", done["points"] / 2, step=done["points"])
        done["points"] += 1
    timed("param", tracknb.log_param, f"p{done['params']}", done["params"])
    done["params"] += 1
    timed("tag", tracknb.set_tag, "stage", done["tags"])
    done["tags"] += 1
    if done["tags"] % 20 == 0:
        timed("flush", tracknb.flush)
timed("end", tracknb.end_run)
report(run_id=run_id, longest=longest, done=done)
"""
READER = """
begin_at, seconds = float(arguments[0]), float(arguments[1])
time.sleep(max(0, begin_at - time.time()))
end_time = time.monotonic() + seconds
longest, polls, seen = 0.0, 0, 0
while time.monotonic() < end_time:
    begun = time.monotonic()
    ids = [experiment.experiment_id for experiment in tracknb.search_experiments()]
    runs = tracknb.search_runs(ids, output_format="list") if ids else []
    for run in runs[:2]:
        steps = [step for step, _ in points(run.info.run_id)]
        assert steps == list(range(len(steps))), steps
        seen = max(seen, len(steps))
    longest = max(longest, time.monotonic() - begun)
    polls += 1
    time.sleep(0.02)
report(longest={"poll": longest}, polls=polls, seen=seen)
"""


def test_eight_writers_and_a_reader_lose_nothing_and_nobody_starves(children, record_property):
    start, seconds = time.time() + 6, 5.0
    writers = [children.start(WRITER, start, seconds) for _ in range(8)]
    reader = children.start(READER, start, seconds + 1)
    ends = [child.communicate(timeout=100) for child in (*writers, reader)]
    found = [reported(output) for output, _ in ends]

    assert [problems for _, problems in ends] == [""] * 9
    for one in found[:-1]:
        [number] = query(children.path, f"SELECT id, status FROM runs WHERE run_id = '{one['run_id']}'")
        assert number[1] == "FINISHED"
        counted = query(children.path, f"SELECT count(*), count(DISTINCT step) FROM metrics WHERE run = {number[0]}")
        assert counted == [(one["done"]["points"], one["done"]["points"])]
        assert query(children.path, f"SELECT count(*) FROM params WHERE run = {number[0]}") == [
            (one["done"]["params"],)
        ]
    assert integrity(children.path) == [("ok",)]
    longest = {
        kind: round(max(one["longest"].get(kind, 0) for one in found), 3) for one in found for kind in one["longest"]
    }
    shares = [one["done"]["params"] for one in found[:-1]]
    record_property("longest_wait_seconds", json.dumps(longest))
    print(f"longest waits in seconds: {longest}; params each: {shares}; the reader's polls: {found[-1]['polls']}")
    assert max(longest.values()) < LONGEST_WAIT
    # Nobody gets a tenth of what the others get.
    assert min(shares) * 10 >= max(shares)
    # A reader waits for nobody; on a busy machine a poll takes its time all the same.
    assert found[-1]["polls"] >= 5
    assert found[-1]["seen"] > 0


# -- a lock that somebody else keeps --------------------------------------------------------------

HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=20)
if sys.argv[2] == "everything":
    connection.execute("PRAGMA locking_mode=EXCLUSIVE")
connection.execute("BEGIN IMMEDIATE")
connection.execute("CREATE TABLE IF NOT EXISTS of_the_holder (x)")
print("held", flush=True)
sys.stdin.readline()
connection.execute("ROLLBACK")
"""
# A script that a person would recognise in a message.
HOLDER_NAME = "long_training.py"


@pytest.fixture
def locked(children, tmp_path):
    """A store whose write lock a foreign process keeps, and that process."""
    children.run("begin(); tracknb.end_run()")
    script = tmp_path / HOLDER_NAME
    script.write_text(HOLDER)

    def hold(what="writing"):
        holder = subprocess.Popen(
            [sys.executable, str(script), str(children.path), what],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        children.started.append(holder)
        assert holder.stdout.readline() == "held\n"
        return holder

    return hold


PATIENCE = {"TRACKNB_BUSY_SECONDS": "2"}


def test_a_lock_that_is_kept_ends_in_a_bounded_wait_that_names_the_holder(children, locked):
    holder = locked()
    script = """
    tries = [tried(tracknb.set_tag, "a", n, run_id=tracknb.search_runs(output_format="list",
             experiment_names=["disk"])[0].info.run_id) for n in range(2)]
    report(tries=tries)
    sys.stdin.readline()
    run = tracknb.search_runs(output_format="list", experiment_names=["disk"])[0].info.run_id
    report(later=tried(tracknb.set_tag, "a", "later", run_id=run), tag=tracknb.get_run(run).data.tags["a"])
    """
    child = children.start(script, environment=PATIENCE, stdin=subprocess.PIPE)
    # A hard-wired minute would hold up the whole suite.
    signal.alarm(30)
    try:
        tries = reported(child.stdout.readline())["tries"]
    finally:
        signal.alarm(0)
    holder.communicate("\n")
    found = reported(child.communicate("\n", timeout=30)[0])

    for problem in tries:
        assert_contract(problem, "StoreLocked", children.path, holder.pid, HOLDER_NAME, "2 s")
        assert 1.5 < problem["seconds"] < 8
    assert found == {"later": None, "tag": "later"}


def test_a_lock_that_is_let_go_in_time_costs_nothing_but_time(children, locked):
    holder = locked()
    child = children.start("report(ready=True); report(problem=tried(tracknb.set_experiment, 'waited'))")
    child.stdout.readline()
    time.sleep(1.5)
    holder.communicate("\n")
    found = reported(child.communicate(timeout=30)[0])

    assert found["problem"] is None
    assert query(children.path, "SELECT count(*) FROM experiments WHERE name = 'waited'") == [(1,)]


def test_a_holder_that_is_killed_lets_the_waiting_go_on(children, locked):
    holder = locked()
    child = children.start("report(ready=True); report(problem=tried(tracknb.set_experiment, 'waited'))")
    child.stdout.readline()
    time.sleep(1.5)
    holder.kill()
    found = reported(child.communicate(timeout=30)[0])

    assert found["problem"] is None
    assert integrity(children.path) == [("ok",)]


def test_a_kept_lock_holds_up_no_point_and_loses_none(children, locked):
    """Training goes on: points wait in the spool, with one warning, and come in afterwards."""
    script = """
    run_id = begin("locked")
    tracknb.flush()
    report(ready=True)
    sys.stdin.readline()
    longest = 0.0
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for step in range(20, 600):
            begun = time.monotonic()
            tracknb.log_metric("loss", step / 2, step=step)
            longest = max(longest, time.monotonic() - begun)
            time.sleep(0.005)
    report(longest=longest, told=[str(warning.message) for warning in told])
    sys.stdin.readline()
    end(run_id)
    """
    child = children.start(script, environment=PATIENCE, stdin=subprocess.PIPE)
    child.stdout.readline()
    holder = locked()
    child.stdin.write("\n")
    child.stdin.flush()
    held = reported(child.stdout.readline())
    holder.communicate("\n")
    found = reported(child.communicate("\n", timeout=30)[0])

    assert held["longest"] < 0.5
    assert len(held["told"]) <= 1
    assert found["steps"] == list(range(600))


def test_a_reader_waits_for_no_writer(children, locked):
    """Also while a dead process's points lie beside the store, which only a writer could take in."""
    child = children.start("report(run_id=begin('dead')); os.kill(os.getpid(), signal.SIGKILL)")
    run_id = reported(child.communicate(timeout=30)[0])["run_id"]
    holder = locked()
    script = """
    reading = {
        "experiments": tried(tracknb.search_experiments),
        "runs": tried(tracknb.search_runs, output_format="list", experiment_names=["disk"]),
        "run": tried(tracknb.get_run, arguments[0]),
        "points": tried(points, arguments[0]),
    }
    begun = time.monotonic()
    tracknb.search_experiments(), tracknb.search_runs(output_format="list", experiment_names=["disk"])
    report(reading=reading, seconds=time.monotonic() - begun)
    """
    child = children.start(script, run_id, environment=PATIENCE)
    try:
        found = reported(child.communicate(timeout=20)[0])
    finally:
        holder.communicate("\n")

    assert found["reading"] == dict.fromkeys(("experiments", "runs", "run", "points"))
    assert found["seconds"] < 1.5


def test_a_store_that_is_held_exclusively_is_called_locked_by_readers_too(children, locked):
    holder = locked("everything")
    child = children.start("report(problem=tried(tracknb.search_experiments))", environment=PATIENCE)
    try:
        found = reported(child.communicate(timeout=30)[0])
    finally:
        holder.communicate("\n")

    assert found["problem"] is None or is_ours(found["problem"])
    if found["problem"] is not None:
        assert_contract(found["problem"], "StoreLocked", children.path)
        assert found["problem"]["seconds"] < 8


def test_a_reader_that_never_ends_stops_no_writer(children):
    """An open cursor in some tool keeps the log from shrinking, and nothing else."""
    children.run("begin(); tracknb.end_run()")
    script = """
    import sqlite3
    connection = sqlite3.connect(store, isolation_level=None)
    connection.execute("BEGIN")
    connection.execute("SELECT count(*) FROM runs").fetchone()
    report(ready=True)
    sys.stdin.readline()
    """
    reader = children.start(script, stdin=subprocess.PIPE)
    reader.stdout.readline()
    found = children.run(
        """
        run_id = begin("beside a reader")
        begun = time.monotonic()
        for number in range(100):
            tracknb.log_param(f"p{number}", number)
        log(20, 3_000)
        tracknb.flush()
        report(seconds=time.monotonic() - begun)
        end(run_id)
        """
    )
    reader.communicate("\n", timeout=20)

    assert found["steps"] == list(range(3_000))
    assert len(found["params"]) == 101
    assert found["seconds"] < 10
