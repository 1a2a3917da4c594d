"""Processes that die: at any operation, by any signal, or in their own ways; and clocks that go back."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import time

import pytest

from .conftest import Children, contents, integrity, query, reported, wait_for

# One process that has imported everything and opened nothing forks for each trial, so a
# trial costs milliseconds. ``doomed`` is killed, ``heir`` opens what it left.
TRIALS = """
import random, sqlite3
import sqlalchemy, sqlalchemy.dialects.sqlite, tracknb.store.tracking

def forked(work, path, kill_after=None):
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        code = 1
        try:
            tracknb.set_tracking_uri(path)
            work(lambda *what: os.write(writing, json.dumps(what).encode() + b"\\n"))
            code = 0
        except BaseException as error:
            os.write(writing, json.dumps(["error", type(error).__name__, str(error)]).encode() + b"\\n")
        finally:
            os._exit(code)
    os.close(writing)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(pid, signal.SIGKILL)
    with open(reading) as file:
        lines = [json.loads(line) for line in file]
    _, status = os.waitpid(pid, 0)
    return lines, os.WIFSIGNALED(status)

def heir(say):
    close_stores()
    tracknb.set_experiment("mine")
    for run in tracknb.search_runs(output_format="list"):
        say("run", run.info.run_id, run.info.status, run.info.start_time, run.info.end_time,
            run.data.params, run.data.tags.get("stage"), points(run.info.run_id),
            max([p.timestamp for p in TrackingClient().get_metric_history(run.info.run_id, "loss")], default=0),
            [[f.path, f.file_size] for f in tracknb.list_artifacts(run.info.run_id)])
    run_id = tracknb.start_run(run_name="heir").info.run_id
    tracknb.log_metric("loss", 1.0)
    tracknb.end_run()
    close_stores()
    say("heir", points(run_id), len([e for e in tracknb.search_experiments() if e.name == "mine"]))
    close_stores()
    connection = sqlite3.connect(tracknb.get_tracking_uri())
    say("integrity", connection.execute("PRAGMA integrity_check").fetchone()[0],
        connection.execute("SELECT count(*) FROM experiments").fetchone()[0])
    connection.close()
    beside = [n for n in os.listdir(os.path.dirname(tracknb.get_tracking_uri())) if "artifacts" not in n]
    say("beside", sorted(beside))

def fresh(number):
    folder = os.path.join(os.path.dirname(store), f"trial-{number}")
    os.mkdir(folder)
    return os.path.join(folder, "runs.db")
"""

TRACKS = """
def tracks(say):
    run_id = tracknb.start_run(run_name="doomed").info.run_id
    say("run", run_id)
    for step in range(60):
        tracknb.log_metric("loss", step / 2, step=step)
        say("point", step)
        if step % 10 == 0:
            tracknb.log_param(f"p{step}", step)
            say("param", f"p{step}", str(step))
        if step % 10 == 5:
            tracknb.set_tag("stage", step)
            say("tag", str(step))
        if step % 20 == 15:
            tracknb.log_text("text" * 1_000, f"{step}.txt")
            say("artifact", f"{step}.txt")
        if step % 20 == 19:
            tracknb.flush()
    tracknb.end_run()
    say("end")
    close_stores()
"""


def test_a_process_that_is_killed_at_any_operation_while_it_makes_the_store_leaves_it_usable(faulty):
    """Killed before each single operation on the disk: the next process makes or finishes the store."""
    script = (
        TRIALS
        + """
def makes(say):
    tracknb.set_experiment("mine")
    say("made")

trials = []
for number in range(400):
    path = fresh(number)
    fault(f"any 9999 * {number} 1")
    said, killed = forked(makes, path)
    fault()
    found, _ = forked(heir, path)
    trials.append([number, said, killed, found])
    if not killed:
        break
report(trials=trials)
"""
    )
    trials = faulty.run(script)["trials"]

    assert len(trials) > 30, "making a store takes more operations than this"
    assert [trial[2] for trial in trials] == [True] * (len(trials) - 1) + [False]
    broken = {
        number: found
        for number, _, _, found in trials
        if found != [["heir", [[0, 1.0]], 1], ["integrity", "ok", 2], ["beside", ["runs.db"]]]
    }
    assert broken == {}


def damage_of(trial):
    """Return what a killed process lost, and what is there that it did not log."""
    said, killed, found, moment = trial["said"], trial["killed"], trial["found"], trial["moment"]
    errors = [line for line in found if line[0] == "error"]
    if errors:
        return errors
    problems = []
    runs = [line for line in found if line[0] == "run"]
    acknowledged = {kind: [rest for k, *rest in said if k == kind] for kind in ("run", "point", "param", "tag")}
    if not runs:
        return ["the run is gone"] if acknowledged["run"] else []
    [[_, _, status, start, end, params, stage, points, last_time, files]] = runs
    if points != [[step, step / 2] for step in range(len(points))]:
        problems.append(f"points {points}")
    if len(points) < len(acknowledged["point"]):
        problems.append(f"{len(acknowledged['point'])} points were acknowledged, {len(points)} are there")
    lost = {key: value for key, value in acknowledged["param"] if params.get(key) != value}
    if lost:
        problems.append(f"lost params {lost}")
    if acknowledged["tag"] and int(stage or -1) < int(acknowledged["tag"][-1][0]):
        problems.append(f"tag {stage}")
    if any(size != 4_000 for _, size in files):
        problems.append(f"half an artifact: {files}")
    if len(files) < len([k for k, *_ in said if k == "artifact"]):
        problems.append(f"lost artifacts: {files}")
    if ["end"] in said:
        if status != "FINISHED":
            problems.append(f"ended, and is {status}")
    elif killed and status not in ("KILLED", "FINISHED"):
        problems.append(f"killed, and is {status}")
    if not max(start, last_time) <= end <= moment:
        problems.append(f"ends at {end}, its last point was at {last_time}, it died before {moment}")
    if ["integrity", "ok", 2] not in found:
        problems.append("not sound")
    return problems


def test_a_process_that_is_killed_at_any_operation_while_it_tracks_loses_nothing(faulty):
    script = (
        TRIALS
        + TRACKS
        + """
def tracks_there(say):
    tracknb.set_experiment("mine")
    tracks(say)

chance = random.Random(11)
trials = []
for number in range(45):
    path = fresh(number)
    fault(f"any 9999 * {chance.randrange(40, 500)} 1")
    said, killed = forked(tracks_there, path)
    fault()
    moment = time.time_ns() // 1_000_000
    found, _ = forked(heir, path)
    trials.append(dict(number=number, said=said, killed=killed, found=found, moment=moment))
report(trials=trials)
"""
    )
    trials = faulty.run(script)["trials"]

    assert sum(trial["killed"] for trial in trials) > 30
    assert {trial["number"]: damage_of(trial) for trial in trials if damage_of(trial)} == {}


def test_a_process_that_is_killed_at_any_moment_while_it_tracks_loses_nothing(children):
    """Without the shim: by the clock, so also in the middle of an operation, or of none."""
    script = (
        TRIALS
        + TRACKS
        + """
chance = random.Random(12)

def tracks_there(say):
    tracknb.set_experiment("mine")
    say("ready")
    tracks(say)

trials = []
for number in range(40):
    path = fresh(number)
    said, killed = forked(tracks_there, path, kill_after=chance.uniform(0.005, 0.15))
    moment = time.time_ns() // 1_000_000
    found, _ = forked(heir, path)
    trials.append(dict(number=number, said=said, killed=killed, found=found, moment=moment))
report(trials=trials)
"""
    )
    trials = children.run(script)["trials"]

    assert len({len(trial["said"]) for trial in trials if trial["killed"]}) > 2, "all were killed at one place"
    assert {trial["number"]: damage_of(trial) for trial in trials if damage_of(trial)} == {}


# -- the ways a script ends -----------------------------------------------------------------------

ENDINGS = {
    "it comes to its end": ("pass", None, "FINISHED"),
    "sys.exit()": ("sys.exit()", None, "FINISHED"),
    "sys.exit(0)": ("sys.exit(0)", None, "FINISHED"),
    "sys.exit(3)": ("sys.exit(3)", None, "FAILED"),
    "sys.exit with a text": ("sys.exit('no data')", None, "FAILED"),
    "an exception": ("1 / 0", None, "FAILED"),
    "KeyboardInterrupt": ("raise KeyboardInterrupt", None, "KILLED"),
    "os._exit": ("os._exit(0)", None, "KILLED"),
    "a crash of the interpreter": ("os.abort()", None, "KILLED"),
    "SIGINT": ("time.sleep(30)", signal.SIGINT, "KILLED"),
    "SIGTERM": ("time.sleep(30)", signal.SIGTERM, "KILLED"),
    "SIGHUP": ("time.sleep(30)", signal.SIGHUP, "KILLED"),
    "SIGKILL": ("time.sleep(30)", signal.SIGKILL, "KILLED"),
}
READ_RUNS = """
report(runs=[
    [r.info.run_name, r.info.status, r.info.start_time, r.info.end_time, points(r.info.run_id)[-1:]]
    for r in tracknb.search_runs(output_format="list", order_by=["attributes.start_time ASC"])
])
"""


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """How each ending left its store: read by one process, so that it costs one start."""
    top = tmp_path_factory.mktemp("endings")
    started = {}
    for number, (ending, opened) in enumerate(itertools.product(ENDINGS, ("bare", "with"))):
        folder = top / str(number)
        folder.mkdir()
        run = 'with tracknb.start_run(run_name="r"):' if opened == "with" else 'if tracknb.start_run(run_name="r"):'
        script = f"{run}\n    log(0, 50)\n    report(ready=True)\n    {ENDINGS[ending][0]}"
        started[ending, opened] = group = Children(folder)
        group.start(script, cwd=folder)
    moments = {}
    for (ending, opened), group in started.items():
        [child] = group.started
        child.stdout.readline()
        signal_number = ENDINGS[ending][1]
        if signal_number is not None:
            # As soon as it sleeps.
            time.sleep(0.05)
            child.send_signal(signal_number)
        child.communicate(timeout=30)
        moments[ending, opened] = time.time_ns() // 1_000_000
    script = """
    for path in arguments:
        tracknb.set_tracking_uri(path)
        report(**{path: [
            [r.info.run_name, r.info.status, r.info.start_time, r.info.end_time, points(r.info.run_id)]
            for r in tracknb.search_runs(output_format="list")
        ]})
    """
    found = Children(top).run(script, *(group.path for group in started.values()))
    return {case: (found[str(group.path)], moments[case], group.folder) for case, group in started.items()}


@pytest.mark.parametrize("opened", ["bare", "with"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_run_ends_as_its_process_did(ended, ending, opened):
    [[name, status, start, end, logged]], moment, folder = ended[ending, opened]

    assert (name, status) == ("r", ENDINGS[ending][2])
    assert logged == [[step, step / 2] for step in range(50)]
    assert start <= end <= moment
    assert [path for path in contents(folder) if "spool" in path] == []


def test_a_run_that_ends_by_an_exception_or_a_code_keeps_the_reason(children):
    for last in ("raise ValueError('wrong data')", "sys.exit('no data')"):
        child = children.start(f"tracknb.start_run()\n{last}")
        _, problems = child.communicate(timeout=30)
        assert child.returncode == 1
        # The user's own words, unchanged and once.
        assert problems.strip().splitlines()[-1].endswith(("wrong data", "no data"))
        assert "tracknb" not in problems
    found = children.run(
        "report(tags=[r.data.tags.get('tracknb.error') for r in tracknb.search_runs(output_format='list')])"
    )

    told = sorted(str(tag) for tag in found["tags"])
    assert "no data" in told[0] or "no data" in told[1]
    assert any("ValueError: wrong data" in tag for tag in told)


def test_a_process_that_sleeps_is_not_taken_for_dead(children):
    """A laptop that was shut, a debugger, Ctrl-Z: the run goes on where it was."""
    child = children.start(
        "tracknb.start_run(run_name='r')\nlog(0, 50)\nreport(ready=True)\nsys.stdin.readline()\nlog(50, 100)",
        stdin=subprocess.PIPE,
    )
    child.stdout.readline()
    child.send_signal(signal.SIGSTOP)
    time.sleep(1)
    asleep = children.run(READ_RUNS)["runs"]
    child.send_signal(signal.SIGCONT)
    child.communicate("\n", timeout=30)
    awake = children.run(READ_RUNS)["runs"]

    assert asleep[0][1] == "RUNNING"
    assert [awake[0][1], awake[0][4]] == ["FINISHED", [[99, 49.5]]]


def test_a_dead_process_that_nobody_has_waited_for_is_dead(children):
    """A zombie still has its number; a kernel's parent may take its time."""
    child = children.start("tracknb.start_run(run_name='r')\nlog(0, 50)\nreport(ready=True)\ntime.sleep(60)")
    child.stdout.readline()
    os.kill(child.pid, signal.SIGKILL)
    wait_for(lambda: os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None)
    runs = children.run(READ_RUNS)["runs"]

    assert [runs[0][1], runs[0][4]] == ["KILLED", [[49, 24.5]]]


def test_a_killed_worker_leaves_its_points_and_its_parents_run(children):
    """As the workers of a data loader do when memory runs out."""
    script = """
    import multiprocessing

    def work(ready):
        log(20, 40)
        ready.set()
        time.sleep(60)

    fork = multiprocessing.get_context("fork")
    run_id = tracknb.start_run(run_name="r").info.run_id
    log(0, 20)
    ready = fork.Event()
    worker = fork.Process(target=work, args=(ready,))
    worker.start()
    ready.wait(20)
    worker.kill()
    worker.join()
    report(status=tracknb.get_run(run_id).info.status)
    log(40, 60)
    end(run_id)
    """
    found = children.run(script)
    runs = children.run(READ_RUNS + "report(last=points(tracknb.search_runs(output_format='list')[0].info.run_id))")

    assert found["status"] == "FINISHED"
    assert [step for step, _ in runs["last"]] == list(range(60))


def test_a_worker_that_exits_leaves_its_parents_run_open(children):
    script = """
    run_id = tracknb.start_run(run_name="r").info.run_id
    log(0, 20)
    for ending in ("os._exit(0)", "sys.exit(0)", "sys.exit(3)", "1 / 0", "os.abort()"):
        pid = os.fork()
        if pid == 0:
            sys.stderr = open(os.devnull, "w")
            exec(ending)
        os.waitpid(pid, 0)
        close_stores()
        report(**{ending: tracknb.get_run(run_id).info.status})
    log(20, 40)
    end(run_id)
    """
    found = children.run(script)

    assert {found[ending] for ending in ("os._exit(0)", "os.abort()")} == {"RUNNING"}
    assert found["steps"] == list(range(40))
    assert found["status"] == "FINISHED"


def test_an_interrupt_in_the_middle_of_logging_leaves_everything_usable(children):
    """Ctrl-C falls into our own code, again and again; nothing is lost, doubled or left locked."""
    script = """
    armed = False

    def interrupt(*_):
        # Only inside the calls: the loop's own lines are not what is tested.
        global armed
        if armed:
            armed = False
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    ends, points_kept, params_kept, step = {}, [], [], 0
    run_id = tracknb.start_run(run_name="r").info.run_id
    report(ready=True)
    end_time = time.monotonic() + 2.0
    while time.monotonic() < end_time:
        step += 1
        how = None
        try:
            armed = True
            tracknb.log_metric("loss", step / 2, step=step)
            armed = False
            points_kept.append(step)
            if step % 20 == 0:
                armed = True
                tracknb.log_param(f"p{step}", step)
                armed = False
                params_kept.append(f"p{step}")
                armed = True
                tracknb.flush()
        except BaseException as error:
            how = type(error).__name__
        armed = False
        if how:
            ends[how] = ends.get(how, 0) + 1
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end(run_id)
    report(ends=ends, points_kept=points_kept, params_kept=params_kept)
    """
    child = children.start(script)
    child.stdout.readline()
    for _ in range(90):
        time.sleep(0.02)
        child.send_signal(signal.SIGINT)
    output, problems = child.communicate(timeout=60)
    found = reported(output)

    assert child.returncode == 0, problems
    # The interrupt reaches its user as what it is.
    assert set(found["ends"]) == {"KeyboardInterrupt"}
    assert found["ends"]["KeyboardInterrupt"] >= 10
    assert len(set(found["steps"])) == len(found["steps"])
    assert set(found["points_kept"]) <= set(found["steps"])
    assert set(found["params_kept"]) <= set(found["params"])
    assert found["status"] == "FINISHED"
    assert integrity(children.path) == [("ok",)]


# -- the clock ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("last", ["end", "kill"])
def test_a_clock_that_goes_back_puts_no_run_before_its_start_and_no_curve_out_of_order(faulty, last):
    """The clock is set right in the middle of a run: an hour back, then half an hour on."""
    script = f"""
    def clock(ms):
        path = os.environ["FAULT_CLOCK"]
        with open(path + ".new", "w") as file:
            file.write(str(ms))
        os.replace(path + ".new", path)

    run_id = tracknb.start_run(run_name="r").info.run_id
    log(0, 20)
    tracknb.flush()
    clock(-3_600_000)
    log(20, 40)
    tracknb.flush()
    clock(-1_800_000)
    log(40, 60)
    tracknb.flush()
    clock(-3_600_000)
    report(run_id=run_id)
    {"tracknb.end_run()" if last == "end" else "os.kill(os.getpid(), signal.SIGKILL)"}
    """
    child = faulty.start(script, clock=True)
    run_id = reported(child.communicate(timeout=60)[0])["run_id"]
    script = """
    run = tracknb.get_run(arguments[0])
    summary = TrackingClient().metric_summaries(arguments[0])["loss"]
    report(steps=[s for s, v in points(arguments[0])], start=run.info.start_time, end=run.info.end_time,
           status=run.info.status, last=run.data.metrics["loss"], last_step=summary.last_step)
    """
    found = faulty.run(script, run_id)

    assert found["steps"] == list(range(60))
    assert (found["last"], found["last_step"]) == (29.5, 59)
    assert found["status"] == ("FINISHED" if last == "end" else "KILLED")
    assert found["end"] >= found["start"]


def test_a_run_that_is_started_before_the_clock_went_back_is_not_settled_by_it(faulty):
    """An opener whose clock is behind does not take a living run for an old one."""
    child = faulty.start(
        "tracknb.start_run(run_name='r')\nlog(0, 20)\nreport(ready=True)\nsys.stdin.readline()", stdin=subprocess.PIPE
    )
    child.stdout.readline()
    statuses = []
    for shift in (-86_400_000, 86_400_000 * 30):
        faulty.clock.write_text(str(shift))
        statuses.append(faulty.run(READ_RUNS, clock=True)["runs"][0][1])
    child.communicate("\n", timeout=30)

    assert statuses == ["RUNNING", "RUNNING"]
    assert query(faulty.path, "SELECT status FROM runs") == [("FINISHED",)]
