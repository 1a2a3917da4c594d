"""Disks that are full, may not be written, or break: one line that says so, and the same process goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from textwrap import dedent

import pytest

from .conftest import Children, assert_contract, error_code, integrity, reported

FULL, BROKEN, READ_ONLY, NO_LOCKS = (error_code(name) for name in ("ENOSPC", "EIO", "EROFS", "ENOLCK"))
NOBODY = 65_534


@pytest.fixture(scope="session")
def own_mounts():
    """The command in front of a child that may mount, where that is permitted."""
    command = ("unshare", "--mount")
    probe = [*command, "mount", "-t", "tmpfs", "none", "/mnt"]
    if shutil.which("unshare") is None or subprocess.run(probe, capture_output=True).returncode != 0:
        pytest.skip("Mounting is not permitted here.")
    return command


# -- a full disk ------------------------------------------------------------------------------

TINY_DISK = """
import subprocess
folder = os.path.dirname(store)
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", folder], check=True)

def fill():
    # To the last byte, in small steps at the end.
    fd = os.open(os.path.join(folder, "ballast"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    size = 1 << 16
    while size:
        try:
            os.write(fd, bytes(size))
        except OSError:
            size //= 2
    os.close(fd)

def free():
    os.unlink(os.path.join(folder, "ballast"))

def until_refused(call, limit=50_000):
    for number in range(limit):
        problem = tried(call, number)
        if problem is not None:
            return number, problem
    return limit, None
"""


def test_a_disk_that_runs_full_loses_nothing_that_was_acknowledged(children, own_mounts):
    """The tmpfs is full for real; points, params and tags are each tried until they are refused."""
    script = """
    run_id = begin()
    tracknb.flush()
    fill()
    done, full_points = until_refused(lambda n: tracknb.log_metric("loss", (20 + n) / 2, step=20 + n))
    params, full_params = until_refused(lambda n: tracknb.log_param(f"p{n}", "v" * 200))
    tags, full_tags = until_refused(lambda n: tracknb.set_tag(f"t{n}", "v" * 200))
    full_artifact = tried(tracknb.log_text, "text" * 5_000, "note.txt")
    full_flush = tried(tracknb.flush)
    reading = tried(lambda: report(
        read=points(run_id), read_params=len(tracknb.get_run(run_id).data.params),
        read_runs=len(tracknb.search_runs(output_format="list")),
    ))
    listing = tried(lambda: report(listed=[file.path for file in tracknb.list_artifacts(run_id)]))
    free()
    more = tried(log, 20 + done, 60 + done)
    tracknb.log_param("after", 1)
    tracknb.log_text("text" * 5_000, "note.txt")
    end(run_id)
    report(
        done=done, param_count=params, tag_count=tags, full_points=full_points, full_params=full_params,
        full_tags=full_tags, full_artifact=full_artifact, full_flush=full_flush, reading=reading, listing=listing,
        more=more, text=len(open(tracknb.download_artifacts(run_id, "note.txt")).read()),
    )
    """
    found = children.run(TINY_DISK + dedent(script), wrap=own_mounts)

    assert_contract(found["full_points"], "StoreFull", children.folder)
    assert_contract(found["full_params"], "StoreFull", children.path)
    assert_contract(found["full_tags"], "StoreFull", children.path)
    assert_contract(found["full_artifact"], "StoreFull", children.folder)
    assert found["listing"] is None, "artifacts cannot be listed while the disk is full"
    assert found["listed"] == []
    assert found["reading"] is None, "what was stored cannot be read while the disk is full"
    assert found["read"][:20] == [[step, step / 2] for step in range(20)]
    assert found["read_params"] == 1 + found["param_count"]
    assert found["read_runs"] == 1
    assert found["more"] is None
    assert found["steps"] == list(range(60 + found["done"]))
    assert found["params"] == {"before": "1", "after": "1"} | {f"p{n}": "v" * 200 for n in range(found["param_count"])}
    assert len(found["tags"]) == found["tag_count"]
    assert found["text"] == 20_000
    assert found["status"] == "FINISHED"


def test_a_store_cannot_begin_on_a_full_disk_and_begins_once_there_is_room(children, own_mounts):
    script = """
    fill()
    first = tried(tracknb.set_experiment, "disk")
    second = tried(tracknb.start_run)
    left = sorted(os.listdir(folder))
    free()
    run_id = begin()
    end(run_id)
    report(first=first, second=second, left=left)
    """
    found = children.run(TINY_DISK + dedent(script), wrap=own_mounts)

    assert_contract(found["first"], "StoreFull", children.path)
    assert_contract(found["second"], "StoreFull", children.path)
    assert found["steps"] == list(range(20))
    assert found["params"] == {"before": "1"}


def test_a_store_on_a_full_disk_can_be_read_by_a_process_that_comes_later(children, own_mounts):
    script = """
    run_id = begin()
    tracknb.end_run()
    close_stores()
    fill()
    reading = tried(lambda: report(read=points(run_id), runs=len(tracknb.search_runs(output_format="list"))))
    writing = tried(tracknb.set_tag, "a", "b", run_id=run_id)
    free()
    tracknb.set_tag("a", "c", run_id=run_id)
    report(reading=reading, writing=writing, tag=tracknb.get_run(run_id).data.tags["a"])
    """
    found = children.run(TINY_DISK + dedent(script), wrap=own_mounts)

    assert found["reading"] is None, "a full disk keeps a store from being read"
    assert len(found["read"]) == 20
    assert found["runs"] == 1
    assert_contract(found["writing"], "StoreFull", children.path)
    assert found["tag"] == "c"


# Where the disk refuses, and which call tells of it. A point whose commit fails is safe in
# the spool, so the call returns; a later one tells nobody but the person who asks to flush.
PLACES = {
    "the spool's bytes": ("write", "spool", "log(20, 21)"),
    "the spool's room": ("write", "spool", "log(20, 21)"),
    "the spool's file": ("create", "spool", "log(20, 21)"),
    "the log of the database, by a param": ("write", "-wal", "tracknb.log_param('refused', 1)"),
    "the log of the database, by a tag": ("write", "-wal", "tracknb.set_tag('refused', 1)"),
    "the log of the database, by a flush": ("write", "-wal", "(log(20, 40), tracknb.flush())"),
    "an artifact": ("write", "artifacts", "tracknb.log_text('text', 'refused.txt')"),
    "an artifact's folder": ("mkdir", "artifacts", "tracknb.log_text('text', 'refused.txt')"),
}


BEFORE = {
    # With durable=True the file is written and not mapped.
    "the spool's bytes": "tracknb.start_run(run_id=run_id, durable=True)",
    "the spool's room": "TrackingClient().retire()",
    "the spool's file": "TrackingClient().retire()",
}


REFUSALS = [
    pytest.param(place, code, kind, id=f"{place}: {kind}")
    for place, (_, name, _) in PLACES.items()
    for code, kind in ((FULL, "StoreFull"), (BROKEN, "StoreError"), (READ_ONLY, "StoreReadOnly"))
    # SQLite does not tell a write to a file system that turned read-only from a broken disk.
    if (code, name) != (READ_ONLY, "-wal")
]


@pytest.mark.parametrize(("place", "code", "kind"), REFUSALS)
def test_a_call_that_the_disk_refuses_says_why_and_the_process_logs_on(faulty, place, code, kind):
    operation, name, call = PLACES[place]
    script = f"""
    run_id = begin()
    tracknb.flush()
    {BEFORE.get(place, "")}
    fault("{operation} {code} {name} 0 -1")
    first = tried(lambda: {call})
    second = tried(lambda: {call})
    fault()
    tracknb.log_param("after", 1)
    log(40, 60)
    tracknb.log_text("text", "after.txt")
    listed = [file.path for file in tracknb.list_artifacts()]
    end(run_id)
    report(first=first, second=second, listed=listed)
    """
    found = faulty.run(script)

    # A second call is refused as the first: nothing is half done in between.
    for problem in (found["first"], found["second"]):
        assert_contract(problem, kind, faulty.folder)
    # After a flush that failed the points are still kept; they come in with the next one.
    kept = list(range(20)) + (sorted([*range(20, 40), *range(20, 40)]) if "flush" in place else [])
    assert found["steps"] == kept + list(range(40, 60))
    assert found["params"] == {"before": "1", "after": "1"}
    assert found["tags"] == {}
    assert found["listed"] == ["after.txt"]
    assert found["status"] == "FINISHED"
    assert integrity(faulty.path) == [("ok",)]


def test_points_are_taken_and_kept_while_the_database_has_no_room(faulty):
    """They are safe in the spool; a warning says once that they wait there."""
    script = """
    run_id = begin()
    tracknb.flush()
    fault("write 28 -wal 0 -1", "write 28 runs.db$ 0 -1")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for step in range(20, 200):
            tracknb.log_metric("loss", step / 2, step=step)
            time.sleep(0.005)
    fault()
    log(200, 220)
    time.sleep(2.5)
    told = [str(warning.message) for warning in told]
    end(run_id)
    report(told=told)
    """
    found = faulty.run(script)

    assert len(found["told"]) == 1
    assert str(faulty.folder) in found["told"][0]
    assert found["steps"] == list(range(220))


def test_a_write_that_is_cut_short_keeps_what_came_before_and_after(faulty):
    """The disk takes half a record and is then full, as real disks do."""
    script = """
    run_id = begin()
    tracknb.start_run(run_id=run_id, durable=True)
    fault("write 0 spool 0 1", "write 28 spool 0 -1")
    problems = [tried(log, 20, 21), tried(log, 20, 21)]
    fault("write 0 spool 0 1")
    problems.append(tried(tracknb.log_metrics, {"loss": 10.0, "other": 1.0}, step=20))
    fault()
    log(21, 40)
    report(problems=problems, run_id=run_id)
    os.kill(os.getpid(), signal.SIGKILL)
    """
    child = faulty.start(script)
    output, _ = child.communicate(timeout=60)
    found = faulty.run(
        """
        [run] = tracknb.search_runs(output_format="list", experiment_names=["disk"])
        report(steps=[step for step, value in points(run.info.run_id)], other=points(run.info.run_id, "other"))
        """
    )

    problems = reported(output)["problems"]
    for problem in problems[:2]:
        assert_contract(problem, "StoreFull", faulty.folder)
    # The third may be refused, or written in a second part: all or none.
    taken = problems[2] is None
    assert found["steps"] == [*range(20), *([20] if taken else []), *range(21, 40)]
    assert found["other"] == ([[20, 1.0]] if taken else [])


# -- a disk that fails ------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["read", "sync"])
def test_a_disk_that_cannot_read_or_sync_is_named_and_used_again_when_it_can(faulty, operation):
    script = f"""
    run_id = begin()
    tracknb.end_run()
    close_stores()
    fault("{operation} {BROKEN} runs.db 0 -1")
    opening = tried(tracknb.get_run, run_id) if "{operation}" == "read" else None
    writing = tried(tracknb.set_tag, "refused", 1, run_id=run_id)
    fault()
    tracknb.start_run(run_id=run_id)
    log(20, 40)
    fault("{operation} {BROKEN} runs.db 0 -1")
    open_writing = tried(tracknb.log_param, "refused", 1)
    fault()
    log(40, 60)
    end(run_id)
    report(opening=opening, writing=writing, open_writing=open_writing)
    """
    found = faulty.run(script)

    problems = [found["writing"]] + ([found["opening"]] if operation == "read" else [found["open_writing"]])
    for problem in problems:
        assert_contract(problem, "StoreError", faulty.path)
    assert found["steps"] == list(range(60))
    assert found["tags"] == {}
    assert integrity(faulty.path) == [("ok",)]


@pytest.mark.parametrize("name", ["runs.db", "spool"])
def test_a_folder_without_locks_is_named_and_nothing_is_lost(faulty, name):
    """Network folders often lack locks; SQLite must not be used there without them."""
    script = f"""
    fault("lock {NO_LOCKS} {name} 0 -1")
    problem = tried(begin)
    fault()
    while tracknb.active_run():
        tracknb.end_run()
    run_id = begin()
    end(run_id)
    report(problem=problem)
    """
    # SQLite takes missing locks for a busy file, so this waits as long as that would.
    found = faulty.run(script, environment={"TRACKNB_BUSY_SECONDS": "1"}, timeout=100)

    if name == "runs.db":
        assert_contract(found["problem"], "StoreError", faulty.folder)
        assert "server" in found["problem"]["text"] or "PostgreSQL" in found["problem"]["text"]
    elif found["problem"] is not None:
        # Going on without the spool would be as good.
        assert_contract(found["problem"], "StoreError", faulty.folder)
    assert found["steps"] == list(range(20))


FEW_FILES = """
import resource
taken = []

def exhaust():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
    while True:
        try:
            taken.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            return

def release():
    while taken:
        os.close(taken.pop())
"""


@pytest.mark.parametrize("when", ["nothing is open", "the store is open", "everything is open"])
def test_a_process_without_free_file_descriptors_hears_so_and_logs_on_later(children, when):
    begun = {
        "nothing is open": "",
        "the store is open": "begin(); TrackingClient().retire()",
        "everything is open": "begin()",
    }[when]
    script = f"""
    with tracknb.start_run():
        pass
    close_stores()
    {begun}
    exhaust()
    if tracknb.active_run() is None:
        problem = tried(tracknb.set_experiment, "disk")
    else:
        problem = tried(log, 20, 21)
    release()
    if tracknb.active_run() is None:
        begin()
    else:
        log(21, 30)
    end(tracknb.active_run().info.run_id)
    report(problem=problem)
    """
    found = children.run(FEW_FILES + dedent(script))

    refused = found["problem"] is not None
    if refused:
        assert_contract(found["problem"], "StoreError", children.folder)
    assert refused or when == "everything is open"
    if when == "nothing is open":
        assert found["steps"] == list(range(20))
    else:
        assert found["steps"] == [*range(20), *([] if refused else [20]), *range(21, 30)]


# -- what may not be written --------------------------------------------------------------------


@pytest.fixture
def public():
    """A store's folder that an ordinary user owns, and children to use it."""
    # Not tmp_path: nobody but its user may enter that.
    top = Path(tempfile.mkdtemp(prefix="tracknb-public-"))
    top.chmod(0o755)
    group = Children(top / "store")
    group.folder.mkdir()
    if os.getuid() == 0:
        os.chown(top, NOBODY, NOBODY)
        os.chown(group.folder, NOBODY, NOBODY)
    yield group
    for child in group.started:
        if child.poll() is None:
            child.kill()
        child.communicate()
    for folder in (top, group.folder):
        folder.chmod(0o755)
    shutil.rmtree(top)


# Python itself may lie where an ordinary user cannot go, so all is imported before.
ORDINARY_USER = f"""
import tempfile
folder = os.path.dirname(store)
with tempfile.TemporaryDirectory() as scratch:
    tracknb.set_tracking_uri(os.path.join(scratch, "warm.db"))
    warm = begin()
    tracknb.log_text("text", "warm.txt")
    tracknb.get_run(warm), points(warm), tracknb.search_runs(output_format="list")
    tried(tracknb.log_param, "before", 2), tried(tracknb.get_experiment, "77")
    tracknb.end_run()
    close_stores()
tracknb.set_tracking_uri(store)
if os.getuid() == 0:
    os.setgroups([])
    os.setgid({NOBODY})
    os.setuid({NOBODY})
"""


def test_a_new_store_in_a_folder_that_may_not_be_written_is_refused_and_begins_later(public):
    script = """
    os.chmod(folder, 0o555)
    problems = [tried(tracknb.set_experiment, "disk"), tried(tracknb.start_run)]
    left = os.listdir(folder)
    os.chmod(folder, 0o755)
    end(begin())
    report(problems=problems, left=left)
    """
    found = public.run(ORDINARY_USER + dedent(script))

    for problem in found["problems"]:
        assert_contract(problem, "StoreReadOnly", public.path)
    assert found["left"] == []
    assert found["steps"] == list(range(20))


def test_a_new_store_under_a_folder_that_may_not_be_entered_is_refused(public):
    script = """
    os.chmod(folder, 0o000)
    problem = tried(tracknb.set_experiment, "disk")
    os.chmod(folder, 0o755)
    end(begin())
    report(problem=problem)
    """
    found = public.run(ORDINARY_USER + dedent(script))

    assert_contract(found["problem"], "StoreReadOnly", public.path)
    assert found["steps"] == list(range(20))


@pytest.mark.parametrize("what", ["the folder", "the file", "both"])
def test_a_store_that_may_not_be_written_can_be_read_and_says_no_to_writing(public, what):
    """Somebody else's results, on a share that one may only read."""
    script = """
    run_id = begin()
    tracknb.end_run()
    close_stores()
    if arguments[0] != "the file":
        os.chmod(folder, 0o555)
    if arguments[0] != "the folder":
        os.chmod(store, 0o444)
    before = open(store, "rb").read()
    reading = tried(lambda: report(
        read=points(run_id), runs=len(tracknb.search_runs(output_format="list", experiment_names=["disk"])),
        experiments=[e.name for e in tracknb.search_experiments()],
    ))
    writing = [tried(tracknb.set_tag, "a", 1, run_id=run_id), tried(tracknb.set_experiment, "new")]
    same = before == open(store, "rb").read()
    os.chmod(store, 0o644)
    os.chmod(folder, 0o755)
    again = tried(tracknb.start_run, run_id=run_id)
    if again is None:
        log(20, 40)
        end(run_id)
    report(reading=reading, writing=writing, same=same, again=again)
    """
    found = public.run(ORDINARY_USER + dedent(script), what)

    # A folder that may not be written can still hold a file that may.
    if what != "the folder":
        for problem in found["writing"]:
            assert_contract(problem, "StoreReadOnly", public.path)
        assert found["same"]
    else:
        for problem in found["writing"]:
            assert problem is None or problem["kind"] == "StoreReadOnly"
    assert found["reading"] is None, "a store that may be read is not"
    assert len(found["read"]) == 20
    assert found["runs"] == 1
    assert set(found["experiments"]) == {"Default", "disk"}
    assert found["again"] is None, "the same process cannot write once it may"
    assert found["steps"] == list(range(40))


def test_a_folder_that_becomes_read_only_under_an_open_run_stops_nothing_for_ever(public):
    script = """
    run_id = begin()
    TrackingClient().retire()
    os.chmod(folder, 0o555)
    point = tried(log, 20, 21)
    artifact = tried(tracknb.log_text, "text", "refused.txt")
    reading = tried(tracknb.get_run, run_id)
    os.chmod(folder, 0o755)
    log(21, 40)
    tracknb.log_text("text", "after.txt")
    listed = [file.path for file in tracknb.list_artifacts()]
    end(run_id)
    report(point=point, artifact=artifact, reading=reading, listed=listed)
    """
    found = public.run(ORDINARY_USER + dedent(script))

    assert found["point"] is None or found["point"]["kind"] == "StoreReadOnly"
    if found["point"] is not None:
        assert_contract(found["point"], "StoreReadOnly", public.folder)
    assert_contract(found["artifact"], "StoreReadOnly", public.folder)
    assert found["reading"] is None
    assert found["steps"] == [*range(20), *([20] if found["point"] is None else []), *range(21, 40)]
    assert found["listed"] == ["after.txt"]


def test_a_read_only_file_system_can_be_read_and_says_no_to_writing(children, own_mounts):
    script = """
    import subprocess
    folder = os.path.dirname(store)
    run_id = begin()
    tracknb.end_run()
    close_stores()
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
    reading = tried(lambda: report(read=points(run_id), runs=len(tracknb.search_runs(output_format="list"))))
    writing = [tried(tracknb.set_tag, "a", 1, run_id=run_id), tried(tracknb.start_run)]
    tracknb.set_tracking_uri(os.path.join(folder, "new.db"))
    writing.append(tried(tracknb.set_experiment, "new"))
    tracknb.set_tracking_uri(store)
    subprocess.run(["mount", "-o", "remount,rw,bind", folder], check=True)
    again = tried(tracknb.start_run, run_id=run_id)
    if again is None:
        log(20, 40)
        end(run_id)
    report(reading=reading, writing=writing, again=again)
    """
    found = children.run(script, wrap=own_mounts)

    assert found["reading"] is None, "a store on a read-only file system is not read"
    assert len(found["read"]) == 20
    for problem in found["writing"]:
        assert_contract(problem, "StoreReadOnly", children.folder)
    assert found["again"] is None, "the same process cannot write once it may"
    assert found["steps"] == list(range(40))


@pytest.mark.parametrize("home", [None, "/nonexistent/home", "/proc"])
def test_a_home_that_is_missing_or_may_not_be_written_changes_nothing(children, home):
    names = ["USER", "LOGNAME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"]
    unset = names if home else [*names, "HOME"]
    command = ["env", *[part for name in unset for part in ("-u", name)]]
    found = children.run("end(begin())", wrap=command, environment={"HOME": home} if home else None)

    assert found["steps"] == list(range(20))
    assert found["status"] == "FINISHED"


def test_files_of_a_bucket_that_find_no_room_here_leave_nothing_half_read(faulty, s3, monkeypatch):
    monkeypatch.setenv("TRACKNB_ARTIFACT_ROOT", f"s3://{s3.bucket()}/team")
    script = f"""
    run_id = begin()
    tracknb.log_text("text" * 5_000, "note.txt")
    target = os.path.join(os.path.dirname(store), "here")
    read = lambda: tracknb.download_artifacts(run_id, "note.txt", target)
    fault("write {FULL} here 0 -1")
    full = tried(read)
    fault("create {READ_ONLY} here 0 -1")
    refused = tried(read)
    left = os.listdir(target)
    fault()
    report(full=full, refused=refused, left=left, text=open(read()).read())
    end(run_id)
    """
    found = faulty.run(script)

    assert_contract(found["full"], "StoreFull", faulty.folder / "here")
    assert_contract(found["refused"], "StoreReadOnly", faulty.folder / "here")
    assert found["left"] == []
    assert found["text"] == "text" * 5_000
