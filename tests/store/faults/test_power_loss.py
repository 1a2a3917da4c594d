"""The power fails at any moment: a recorded disk is cut off and opened again.

A child tracks on a recording disk and says what was acknowledged, in the same recording.
The replayer then builds what a cut leaves, hundreds of times, and another child opens it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from random import Random

import pytest

from .conftest import PRELUDE, Children
from .replay import DIRSYNC, MAPPED, SYNC, UNLINK, power_cuts, read_log

CUTS = 240
# What promise 3 leaves open: how long ago a point may have been logged that a cut takes.
LOST_SECONDS = 5.0

WORKLOAD = """
options = json.loads(arguments[0])
runs, steps, paced = json.loads(arguments[1])
fd = os.open(os.path.join(os.path.dirname(store), "acknowledged"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)

def acknowledge(*what):
    os.write(fd, json.dumps(what).encode() + b"\\n")

tracknb.set_experiment("power")
acknowledge("experiment", "power")
for number in range(runs):
    run_id = tracknb.start_run(run_name=f"r{number}", **options).info.run_id
    acknowledge("run", run_id, f"r{number}")
    for step in range(steps):
        tracknb.log_metric("loss", number * 1000 + step / 2, step=step)
        if step % 5 == 0:
            acknowledge("point", run_id, step)
        if step % 40 == 0:
            tracknb.log_param(f"p{step}", "v" * (step % 300))
            acknowledge("param", run_id, f"p{step}", "v" * (step % 300))
        if step % 40 == 20:
            tracknb.set_tag("stage", str(step))
            acknowledge("tag", run_id, "stage", str(step))
    if number < runs - 1:
        tracknb.end_run("FAILED" if number % 2 else "FINISHED")
        acknowledge("end", run_id, "FAILED" if number % 2 else "FINISHED", steps)
for step in range(steps, steps + paced):
    tracknb.log_metric("loss", number * 1000 + step / 2, step=step)
    acknowledge("point", run_id, step)
    time.sleep(0.002)
tracknb.end_run()
acknowledge("end", run_id, "FINISHED", steps + paced)
"""

READER = """
import sqlite3

def state(path):
    tracknb.set_tracking_uri(path)
    client = TrackingClient()
    found = {}
    for experiment in client.search_experiments():
        for run in client.search_runs([experiment.experiment_id]):
            found[run.info.run_id] = {
                "experiment": experiment.name,
                "name": run.info.run_name,
                "status": run.info.status,
                "params": run.data.params,
                "tags": run.data.tags,
                "points": points(run.info.run_id),
                "last": run.data.metrics.get("loss"),
            }
    return {"experiments": [e.name for e in client.search_experiments()], "runs": found}

for line in sys.stdin:
    path = line.strip()
    answer = {}
    try:
        answer = state(path)
        close_stores()
        answer["again"] = state(path) == {key: answer[key] for key in ("experiments", "runs")}
        close_stores()
        connection = sqlite3.connect(path)
        answer["integrity"] = [row[0] for row in connection.execute("PRAGMA integrity_check")]
        answer["integrity"] += [str(row) for row in connection.execute("PRAGMA foreign_key_check")]
        connection.close()
    except BaseException as error:
        answer["error"] = f"{type(error).__name__}: {error}"
        close_stores()
    print(json.dumps(answer), flush=True)
"""


class Readers:
    """Processes that open stores and say what is in them; two, for two cores."""

    def __init__(self, environment, folder):
        command = [sys.executable, "-c", PRELUDE + READER, str(folder / "none.db")]
        self.processes = [
            subprocess.Popen(
                command, env=environment, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            for _ in range(2)
        ]

    def read(self, paths):
        """Return what each of at most two stores holds."""
        busy = list(zip(self.processes, paths, strict=False))
        for process, path in busy:
            process.stdin.write(f"{path}\n")
            process.stdin.flush()
        return [json.loads(process.stdout.readline()) for process, _ in busy]

    def close(self):
        for process in self.processes:
            process.stdin.close()
            process.wait()
            process.stdout.close()


@pytest.fixture
def readers(tmp_path):
    both = Readers(Children(tmp_path).environment(), tmp_path)
    yield both
    both.close()


def record(faulty, options=None, size=(4, 800, 500)):
    """Run the workload on the recording disk and return what happened there."""
    faulty.run(WORKLOAD, json.dumps(options or {}), json.dumps(size), record=True)
    return read_log(faulty.log)


def cut_and_read(operations, readers, tmp_path, count, *, near=SYNC, seed=20_240):
    """Yield for each cut: when it was, what was acknowledged, and what a reader finds."""
    tmp_path.mkdir(exist_ok=True)
    batch = []
    cuts = enumerate(power_cuts(operations, count, Random(seed), near=near))
    for number, (moment, files, acknowledged) in cuts:
        folder = tmp_path / f"cut-{number}"
        folder.mkdir()
        for path, content in files.items():
            (folder / path.rpartition("/")[2]).write_bytes(content)
        batch.append((moment, acknowledged, folder / "runs.db"))
        if len(batch) == 2 or number == count - 1:
            found = readers.read([path for *_, path in batch])
            for (moment, acknowledged, path), answer in zip(batch, found, strict=True):
                yield moment, acknowledged, answer
                for file in path.parent.iterdir():
                    file.unlink()
            batch = []


def lost_in(acknowledged, found):
    """Return what was acknowledged, other than single points, and is not there."""
    lost = []
    newest_tags = {
        (run, key): value for _, (kind, run, *rest) in acknowledged if kind == "tag" for key, value in [rest]
    }
    for _, (kind, *what) in acknowledged:
        if kind == "experiment":
            there = what[0] in found["experiments"]
        else:
            run = found["runs"].get(what[0])
            there = run is not None
            if kind == "run":
                there = there and run["name"] == what[1] and run["experiment"] == "power"
            elif kind == "param":
                there = there and run["params"].get(what[1]) == what[2]
            elif kind == "tag":
                # A later tag may be in although the cut came before its acknowledgement.
                there = there and int(run["tags"].get("stage", -1)) >= int(newest_tags[what[0], "stage"])
            elif kind == "end":
                there = there and run["status"] == what[1] and len(run["points"]) == what[2]
        if not there:
            lost.append([kind, *what])
    return lost


def damage_in(acknowledged, found):
    """Return what no power cut may do: an unsound file, points that were never logged, gaps, doubles."""
    if "error" in found:
        return [found["error"]]
    problems = []
    if found["integrity"] != ["ok"]:
        problems.append(f"integrity: {found['integrity'][:3]}")
    if not found["again"]:
        problems.append("the second opening found something else than the first")
    for run in found["runs"].values():
        number = int(run["name"].removeprefix("r"))
        expected = [[step, number * 1000 + step / 2] for step in range(len(run["points"]))]
        if run["points"] != expected:
            wrong = next(index for index, pair in enumerate(run["points"]) if pair != expected[index])
            problems.append(f"{run['name']}: point {wrong} is {run['points'][wrong]}")
        elif expected and run["last"] != expected[-1][1]:
            problems.append(f"{run['name']}: the last value is {run['last']}, its history ends with {expected[-1]}")
        if run["status"] == "RUNNING":
            problems.append(f"{run['name']} still shows as running")
    return problems


def oldest_loss(moment, acknowledged, found):
    """Return how many seconds before the cut the oldest missing point was acknowledged."""
    ages = [
        (moment - when) / 1e6
        for when, (kind, *what) in acknowledged
        if kind == "point" and len(found["runs"].get(what[0], {"points": []})["points"]) <= what[1]
    ]
    return max(ages, default=0.0)


def test_a_power_cut_never_damages_the_store(faulty, readers, tmp_path):
    """Nor does it take a param, tag or ended run that was acknowledged, or an old point."""
    operations = record(faulty)
    damage, lost, oldest = [], [], 0.0
    for moment, acknowledged, found in cut_and_read(operations, readers, tmp_path, CUTS):
        damage += damage_in(acknowledged, found)
        if "error" not in found:
            lost += lost_in(acknowledged, found)
            oldest = max(oldest, oldest_loss(moment, acknowledged, found))

    assert len(operations) > 2_000, "the recording is too short to mean something"
    assert damage == []
    assert lost == []
    assert oldest < LOST_SECONDS


def test_with_durable_a_power_cut_takes_nothing_that_was_acknowledged(faulty, readers, tmp_path):
    operations = record(faulty, {"durable": True}, (3, 300, 60))
    damage, lost, oldest = [], [], 0.0
    for moment, acknowledged, found in cut_and_read(operations, readers, tmp_path, CUTS // 2):
        damage += damage_in(acknowledged, found)
        if "error" not in found:
            lost += lost_in(acknowledged, found)
            oldest = max(oldest, oldest_loss(moment, acknowledged, found))

    assert damage == []
    assert lost == []
    assert oldest == 0.0


def test_a_power_cut_while_the_spool_starts_over_leaves_no_gap(faulty, readers, tmp_path):
    """The points of a spool go from the file only when the database has them on the disk."""
    script = """
    fd = os.open(os.path.join(os.path.dirname(store), "acknowledged"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    tracknb.set_experiment("power")
    run_id = tracknb.start_run(run_name="r0").info.run_id
    for step in range(130_000):
        tracknb.log_metric("loss", step / 2, step=step)
        if step % 20_000 == 0:
            os.write(fd, json.dumps(["point", run_id, step]).encode() + b"\\n")
    tracknb.end_run()
    os.write(fd, json.dumps(["end", run_id, "FINISHED", 130_000]).encode() + b"\\n")
    """
    faulty.run(script, record=True)
    operations = read_log(faulty.log)
    damage, lost = [], []
    for _, acknowledged, found in cut_and_read(operations, readers, tmp_path, 12, near=UNLINK):
        damage += damage_in(acknowledged, found)
        lost += lost_in(acknowledged, found) if "error" not in found else []

    assert damage == []
    assert lost == []


def test_a_power_cut_while_the_store_is_first_made_leaves_a_whole_store_or_none(faulty, readers, tmp_path):
    faulty.run("tracknb.set_experiment('power')", record=True)
    operations = read_log(faulty.log)
    damage = [
        problem
        for _, acknowledged, found in cut_and_read(operations, readers, tmp_path, 80, near=DIRSYNC)
        for problem in damage_in(acknowledged, found)
    ]

    assert damage == []
    assert all(operation.kind != MAPPED for operation in operations)
