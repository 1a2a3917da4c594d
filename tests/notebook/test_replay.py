"""A run again in a new kernel: the same numbers, or which are others."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

import nbformat
import psutil
import pytest
from jupyter_client.manager import start_new_kernel

import tracknb
from tracknb.entities import ATTEMPT_TAG, PARENT_TAG, PYTHON_TAG, REPLAY_TAG
from tracknb.looking.finding import named_run
from tracknb.view.replay import Departure, Difference

CELLS = [
    "import random\nimport numpy as np",
    "%load_ext tracknb",
    "settings = {'depth': 2}",
    "print('not needed')",
    "random.seed(4)\nnp.random.seed(4)",
    "settings['depth'] += 1",
    """%%track_run --experiment taxi --name forest
import tracknb
tracknb.log_param("depth", settings["depth"])
for step in range(3):
    tracknb.log_metric("rmse", random.random() + np.random.rand() * settings["depth"], step=step)""",
]


def made(store, folder, cells=CELLS, *, allow_errors=False):
    """The newest run of a notebook, executed by a kernel of its own."""
    path = folder / "train.ipynb"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, path)
    command = [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute", "--inplace", str(path)]
    command += ["--allow-errors"] if allow_errors else []
    environment = {**os.environ, "TRACKNB_TRACKING_URI": f"sqlite:///{store}", "JPY_SESSION_NAME": str(path)}
    subprocess.run(command, check=True, capture_output=True, env=environment)
    tracknb.set_experiment("taxi")
    return tracknb.search_runs(output_format="list")[0]


def test_a_replay_gives_the_same_numbers_and_is_a_child(store, tmp_path):
    run = made(store, tmp_path)
    verdict = tracknb.replay("forest")
    assert verdict.verdict == "identical", verdict.text()
    assert verdict.text().startswith("forest: identical (5 cells in a new kernel, 1 metric compared)")
    assert verdict.replayed.data.metrics == run.data.metrics
    # It has its run's name, and takes the place of neither the run nor its next attempt.
    for text in ("forest", "last"):
        assert named_run(tracknb.MlflowClient(), text).info.run_id == run.info.run_id
    assert run.data.tags[ATTEMPT_TAG] == "1"
    assert ATTEMPT_TAG not in verdict.replayed.data.tags
    assert verdict.replayed.data.tags[REPLAY_TAG] == verdict.replayed.data.tags[PARENT_TAG] == run.info.run_id
    assert "REPLAY" not in os.environ.get("TRACKNB_REPLAY_OF", "")


def test_what_is_another_number_is_named(store, tmp_path):
    """The data changed since: a file that a cell reads."""
    (tmp_path / "scale.txt").write_text("2")
    reads = "scale = float(open('scale.txt').read())"
    cells = ["%load_ext tracknb", reads, CELLS[-1].replace("random.random() + np.random.rand() *", "scale +")]
    made(store, tmp_path, [*cells[:2], "settings = {'depth': 1}", cells[2]])
    assert tracknb.replay("forest").verdict == "identical"
    (tmp_path / "scale.txt").write_text("3")
    verdict = tracknb.replay("forest")
    assert verdict.verdict == "different"
    assert [(item.key, item.then, item.now) for item in verdict.differences] == [("rmse", "3.0", "4.0")]
    assert "metric rmse" in verdict.text()


def altered(store, folder, old, new):
    """Open a copy of a store in which the code of a cell is another one."""
    tracknb.client.close_stores()
    copy = folder / "copy.db"
    shutil.copy(store, copy)
    with contextlib.closing(sqlite3.connect(copy)) as connection, connection:
        changed = connection.execute("UPDATE sources SET text = ? WHERE text = ?", (new, old)).rowcount
    assert changed == 1
    tracknb.set_tracking_uri(f"sqlite:///{copy}")


def test_the_first_cell_that_departs_is_named(store, tmp_path):
    """Sets of text go another way in each process, and an address is another one: neither departs."""
    cells = [
        "%load_ext tracknb",
        "import random\nrandom.seed(4)",
        "words = {'taxi', 'fare', 'zone', 'mile'}\nclass Trip:\n    pass\ntrip = Trip()",
        "rows = [1, 2, 3]",
        "print(rows)",
        "rows.append(len(words) + random.random())",
        "def loss():\n    return sum(rows) * len(vars(trip) | {'a': 1})",
        "%%track_run --experiment taxi --name forest\nimport tracknb\ntracknb.log_metric('loss', loss())",
    ]
    made(store, tmp_path, cells)
    again = tracknb.replay("forest")
    assert (again.verdict, again.departure) == ("identical", None)
    altered(store, tmp_path, "rows = [1, 2, 3]", "rows = [1, 2, 4]")
    verdict = tracknb.replay("forest")
    assert verdict.verdict == "different"
    assert verdict.departure == Departure(4, "rows = [1, 2, 4]", ("rows",))
    said = "The first cell whose result is known to depart is [4]: `rows` is another value."
    assert verdict.text().endswith(f"\n\n{said}\n    rows = [1, 2, 4]")
    assert f"<p>{said}</p>" in verdict.html()
    payload = verdict.payload()
    assert payload["departure"] == {"count": 4, "source": "rows = [1, 2, 4]", "names": ["rows"], "unknown": []}
    assert (payload["verdict"], payload["differences"][0]["key"]) == ("different", "loss")


def test_a_function_of_which_only_a_number_was_altered_departs(store, tmp_path):
    cells = ["%load_ext tracknb", "def loss(x):\n    return x * 2", "start = 3"]
    made(
        store,
        tmp_path,
        [
            *cells,
            "%%track_run --experiment taxi --name forest\nimport tracknb\ntracknb.log_metric('loss', loss(start))",
        ],
    )
    altered(store, tmp_path, cells[1], cells[1].replace("2", "3"))
    assert tracknb.replay("forest").departure == Departure(2, cells[1].replace("2", "3"), ("loss",))


def test_a_run_is_held_against_what_its_own_cell_makes(store, tmp_path):
    """Training that goes on from the attempt before: that attempt's cell is needed, and tracked as well."""
    train = "%%track_run --experiment taxi --name forest\nimport tracknb\nweights[0] += 1\n"
    train += "tracknb.log_metric('weight', weights[0])"
    made(store, tmp_path, ["%load_ext tracknb", "weights = [0]", train, train, train])
    verdict = tracknb.replay("last")
    assert (verdict.run.data.metrics, verdict.verdict) == ({"weight": 3.0}, "identical"), verdict.text()
    assert verdict.replayed.data.metrics == {"weight": 3.0}


def test_one_of_many_runs_of_a_cell_is_held_against_the_one_in_its_place(store, tmp_path):
    seeds = "import tracknb\ntracknb.set_experiment('taxi')\nfor seed in range(3):\n"
    seeds += "    with tracknb.start_run(run_name='forest'):\n        tracknb.log_metric('loss', seed)"
    made(store, tmp_path, ["%load_ext tracknb", seeds])
    for run in tracknb.search_runs(output_format="list"):
        verdict = tracknb.replay(run.info.run_id)
        assert verdict.verdict == "identical", verdict.text()


def test_a_key_that_was_masked_is_no_param_of_the_replay(store, tmp_path):
    tracked = "%%track_run --experiment taxi --name forest --params auto\napi_key, lr = 'melon-tart-99', 0.1"
    run = made(store, tmp_path, ["%load_ext tracknb", tracked])
    assert run.data.params == {"lr": "0.1"}
    assert tracknb.replay("forest").verdict == "identical"


def test_where_only_the_own_cell_departs_it_is_said(store, tmp_path):
    (tmp_path / "scale.txt").write_text("2")
    own = "%%track_run --experiment taxi --name forest\nimport tracknb\n"
    own += "tracknb.log_metric('loss', start * float(open('scale.txt').read()))"
    made(store, tmp_path, ["%load_ext tracknb", "start = 3", own])
    (tmp_path / "scale.txt").write_text("4")
    verdict = tracknb.replay("forest")
    assert verdict.departure == Departure(3, own)
    assert "The run's own cell, [3], departs: the cells before it gave the same as then." in verdict.text()


def test_what_nobody_could_compare_is_said(store, tmp_path):
    (tmp_path / "scale.txt").write_text("2")
    own = "%%track_run --experiment taxi --name forest\nimport tracknb\ntracknb.log_metric('loss', next(rows))"
    made(store, tmp_path, ["%load_ext tracknb", "rows = (float(line) for line in open('scale.txt'))", own])
    (tmp_path / "scale.txt").write_text("4")
    verdict = tracknb.replay("forest")
    assert verdict.departure == Departure(3, own, (), ("rows",))
    assert "No cell before the run's own, [3], is known to depart; `rows` could not be compared." in verdict.text()


def test_random_numbers_without_a_seed_depart_where_they_are_drawn(store, tmp_path):
    own = "%%track_run --experiment taxi --name forest\nimport tracknb\ntracknb.log_metric('loss', draw)"
    made(store, tmp_path, ["%load_ext tracknb\nimport random", "draw = random.random()", own])
    verdict = tracknb.replay("forest")
    assert verdict.departure == Departure(2, "draw = random.random()", ("draw",))
    said = "Hidden state of the run: random numbers of random were drawn without a seed. "
    said += "Call random.seed(0) first, in this cell or one above."
    assert verdict.text().endswith(f"\n{said}")


def test_under_another_python_no_cell_is_named(store, tmp_path):
    """Each compiles functions in another way, so every one of them would depart."""
    made(store, tmp_path)
    altered(store, tmp_path, "settings = {'depth': 2}", "settings = {'depth': 3}")
    run = tracknb.search_runs(output_format="list")[0]
    now = run.data.tags[PYTHON_TAG]
    tracknb.MlflowClient().set_tag(run.info.run_id, PYTHON_TAG, "3.10.2")
    verdict = tracknb.replay(run.info.run_id)
    assert (verdict.verdict, verdict.departure) == ("different", None)
    assert verdict.notes == (f"Python {now} (then 3.10.2): which cell departs cannot be told.",)


def test_packages_that_are_others_now_are_told(store, tmp_path):
    (tmp_path / "scale.txt").write_text("2")
    own = "%%track_run --experiment taxi --name forest\nimport tracknb\ntracknb.log_metric('loss', scale[0])"
    run = made(store, tmp_path, ["%load_ext tracknb", "import numpy\nscale = numpy.loadtxt('scale.txt', ndmin=1)", own])
    (lock,) = store.parent.rglob("pylock.toml")
    version = importlib.metadata.version("numpy")
    lock.write_text(lock.read_text().replace(f'version = "{version}"', 'version = "1.0.1"'))
    assert tracknb.replay("forest").notes == ()
    (tmp_path / "scale.txt").write_text("3")
    verdict = tracknb.replay(run)
    assert verdict.departure.names == ("scale",)
    assert verdict.notes == (f"Packages that differ: numpy {version} (then 1.0.1). --locked installs those of then.",)


def test_a_cell_that_no_longer_fails_and_what_is_logged_besides(store, tmp_path):
    """Then a file was missing; how busy the machine is, is no result."""
    own = "%%track_run --experiment taxi --name forest --system-metrics\nimport tracknb\n"
    own += "tracknb.log_metric('loss', start)\nif start > 1:\n    tracknb.log_metric('more', 2)\ntime.sleep(0.1)"
    cells = ["%load_ext tracknb", "import time\nstart = 1", "start = float(open('scale.txt').read())", own]
    run = made(store, tmp_path, cells, allow_errors=True)
    assert any(key.startswith("system/") for key in run.data.metrics)
    assert tracknb.replay(run).verdict == "identical"
    (tmp_path / "scale.txt").write_text("3")
    verdict = tracknb.replay(run)
    assert verdict.differences == (
        Difference("metric", "loss", "1.0", "3.0"),
        Difference("metric", "more", None, "2.0"),
    )
    assert verdict.departure == Departure(3, cells[2], ("its end (finished)", "start"))


def test_a_cell_that_fails_now_is_named(store, tmp_path):
    (tmp_path / "scale.txt").write_text("2")
    reads = "scale = float(open('scale.txt').read())"
    made(
        store,
        tmp_path,
        [
            "%load_ext tracknb",
            reads,
            "settings = {'depth': 1}",
            CELLS[-1].replace("random.random() + np.random.rand()", "scale"),
        ],
    )
    (tmp_path / "scale.txt").unlink()
    with pytest.raises(tracknb.TracknbError, match=r"The cell \[2\] failed, and did not when .*: FileNotFound"):
        tracknb.replay("forest")


def test_a_run_of_a_script_cannot_be_replayed(store):
    with tracknb.start_run(run_name="script"):
        tracknb.log_metric("rmse", 1.0)
    with pytest.raises(tracknb.TracknbError, match="was not recorded"):
        tracknb.replay("script")


def test_the_verb(store, tmp_path):
    made(store, tmp_path)
    command = [sys.executable, "-m", "tracknb.cli", "replay", "forest", "--store", str(store)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "forest: identical" in done.stdout
    altered(store, tmp_path, "settings = {'depth': 2}", "settings = {'depth': 3}")
    done = subprocess.run(
        [*command[:-1], "copy.db", "--json"], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    assert (told["verdict"], told["departure"]["names"]) == ("different", ["settings"])


def test_a_cell_that_takes_longer_than_the_timeout_is_said(store, tmp_path):
    own = "%%track_run --experiment taxi --name forest\nimport time, tracknb\ntime.sleep(pause)\n"
    made(store, tmp_path, ["%load_ext tracknb", "pause = 0", own + "tracknb.log_metric('loss', 1)"])
    altered(store, tmp_path, "pause = 0", "pause = 60")
    command = [sys.executable, "-m", "tracknb.cli", "replay", "forest", "--store", "copy.db", "--timeout", "3"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=40)
    assert (done.returncode, done.stdout) == (1, "")
    said = "The cell [3] took longer than 3 s, so the replay of forest was stopped. More time: --timeout SECONDS"
    assert done.stderr == f"tracknb: {said}\n"


def test_a_cell_at_which_the_kernel_dies_is_named(store, tmp_path):
    own = "%%track_run --experiment taxi --name forest\nimport tracknb\ntracknb.log_metric('loss', start)"
    made(store, tmp_path, ["%load_ext tracknb", "import os", "start = 3", own])
    altered(store, tmp_path, "start = 3", "import os; os._exit(9)")
    with pytest.raises(tracknb.TracknbError, match=r"The kernel died at the cell \[3\] when forest was replayed"):
        tracknb.replay("forest")


def long_one(store, folder):
    """A copy of a store with a run that takes longer than before; it leaves a file when it begins."""
    own = "%%track_run --experiment taxi --name forest\nimport time, tracknb\nopen('begun', 'w').close()\n"
    made(store, folder, ["%load_ext tracknb", "pause = 0", own + "time.sleep(pause)\ntracknb.log_metric('loss', 1)"])
    (folder / "begun").unlink()
    altered(store, folder, "pause = 0", "pause = 300")


def kernels_of(process_id, folder):
    """What a process has started, once its replay has come to the cell that takes long."""
    deadline = time.monotonic() + 60
    while not (folder / "begun").exists():
        assert time.monotonic() < deadline, "the replay did not come to its cell"
        time.sleep(0.1)
    return psutil.Process(process_id).children(recursive=True)


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
def test_ctrl_c_ends_a_replay_and_its_kernel(store, tmp_path):
    long_one(store, tmp_path)
    command = [sys.executable, "-m", "tracknb.cli", "replay", "forest", "--store", "copy.db"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    kernels = kernels_of(process.pid, tmp_path)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=30)

    assert (*said, process.returncode) == ("", "\ntracknb: stopped\n", 130)
    assert len(kernels) == 1
    assert psutil.wait_procs(kernels, timeout=10)[1] == []


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
def test_an_interrupt_in_a_notebook_ends_a_replay_and_its_kernel(store, tmp_path):
    long_one(store, tmp_path)
    address = f"sqlite:///{tmp_path / 'copy.db'}"
    manager, client = start_new_kernel(cwd=str(tmp_path), env={**os.environ, "TRACKNB_TRACKING_URI": address})
    try:
        client.execute("%load_ext tracknb\n%track replay forest")
        kernels = kernels_of(manager.provisioner.pid, tmp_path)
        manager.interrupt_kernel()

        assert client.get_shell_msg(timeout=30)["content"]["ename"] == "KeyboardInterrupt"
        assert len(kernels) == 1
        assert psutil.wait_procs(kernels, timeout=10)[1] == []
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_a_locked_replay_runs_with_the_packages_of_then(store, tmp_path):
    """The lock names an older six than the one that is installed, so another one shows that it was taken."""
    own = "%%track_run --experiment taxi --name forest\nimport tracknb\ntracknb.log_param('six', six.__version__)"
    run = made(store, tmp_path, ["%load_ext tracknb", "import six", own])
    (lock,) = store.parent.rglob("pylock.toml")
    python = "requires-python = '==3.11.*'" if sys.version_info[:2] == (3, 11) else ""
    lock.write_text(f"lock-version = '1.0'\n{python}\n[[packages]]\nname = 'six'\nversion = '1.15.0'\n")
    assert run.data.params["six"] != "1.15.0"
    command = [sys.executable, "-m", "tracknb.cli", "replay", "forest", "--store", str(store), "--locked"]
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    assert done.returncode == 1, done.stderr
    assert " in a new kernel and a new environment of 1 recorded package, Python 3." in done.stdout
    assert re.search(r"^param six +\S+ +1\.15\.0$", done.stdout, re.MULTILINE)
    said = done.stderr.splitlines()
    assert said[0].startswith("Making an environment of 1 recorded package with ")
    assert said[-1].startswith("Installed in ")
    assert list(temporary.glob("tracknb-*")) == []
    again = tracknb.search_runs(output_format="list")[0]
    assert again.data.tags[REPLAY_TAG] == run.info.run_id


def test_a_run_that_keeps_no_packages_cannot_be_replayed_with_them(store, tmp_path):
    run = made(store, tmp_path)
    (lock,) = store.parent.rglob("pylock.toml")
    lock.unlink()
    with pytest.raises(tracknb.TracknbError, match="forest keeps no record of its packages"):
        tracknb.replay(run, locked=True)


def test_a_run_that_failed_and_now_finishes_is_different(store, tmp_path):
    own = "%%track_run --experiment taxi --name forest\nimport tracknb\ntracknb.log_metric('loss', 1)\n"
    own += "open('scale.txt').close()"
    run = made(store, tmp_path, ["%load_ext tracknb", own], allow_errors=True)
    (tmp_path / "scale.txt").write_text("3")
    verdict = tracknb.replay(run)
    assert (verdict.verdict, verdict.exit_code) == ("different", 1)
    assert verdict.differences == (Difference("status", "", "FAILED", "FINISHED"),)
    assert verdict.departure == Departure(2, own)
    assert "status  FAILED  FINISHED" in verdict.text()
