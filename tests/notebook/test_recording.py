"""A run knows its cells: what a real shell, and a real kernel, leave in the store."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time

import nbformat
import pytest
from jupyter_client.manager import start_new_kernel

import tracknb
from tracknb.capture import git


@pytest.fixture(autouse=True)
def no_work_tree(tmp_path, monkeypatch):
    """Grades tell of changes that are not committed, and those of this repository are not the tests'."""
    monkeypatch.chdir(tmp_path)


def run_cells(shell, *cells):
    for cell in cells:
        shell.run_cell(cell, store_history=True)


def rows(store, query):
    connection = sqlite3.connect(store)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


TRACKED = "%%track_run --name ridge\nimport tracknb\ntracknb.log_metric('loss', rate * 2)"


def test_the_cells_that_a_run_depends_on_are_in_the_store(shell, store):
    run_cells(shell, "rate = 1", "unused = 5", "rate = 2", TRACKED, "rate = 3")
    (run,) = tracknb.search_runs(search_all_experiments=True, output_format="list")
    cells = tracknb.MlflowClient().get_cells(run.info.run_id)
    assert [(cell.source, cell.role, cell.names) for cell in cells] == [
        ("rate = 2", "needed", ("rate",)),
        (TRACKED, "tracked", ()),
    ]
    everything = tracknb.MlflowClient().get_cells(run.info.run_id, with_before=True)
    assert [cell.source for cell in everything] == ["rate = 1", "unused = 5", "rate = 2", TRACKED]
    assert all(cell.start_time <= cell.end_time for cell in everything)
    tracknb.client.close_stores()
    assert rows(store, "SELECT role, source FROM run_cells ORDER BY number")[2] == ("needed", "rate = 2")


def test_a_name_that_begins_as_names_of_inputs_do_is_one_like_others(shell):
    run_cells(shell, "_items = [1]", "_items.append(2)", TRACKED.replace("rate", "len(_items)"))
    (run,) = tracknb.search_runs(search_all_experiments=True, output_format="list")
    cells = tracknb.MlflowClient().get_cells(run.info.run_id)
    assert [cell.source for cell in cells][:2] == ["_items = [1]", "_items.append(2)"]


LYING = """import weakref
class Client:
    def __call__(self): return 1
    def __getattr__(self, name): raise RuntimeError("no connection")
client, trip = Client(), type("Trip", (), {})()
proxy = weakref.proxy(trip)
del trip
rates = [1]"""


def test_objects_that_cannot_be_asked_hide_no_cell(shell, recwarn):
    """A proxy of what is gone, and a client that is not connected, raise at the first question."""
    cells = [LYING, "rates.append(2); proxy", "rates.append(3); client = client", "rates.append(4)"]
    run_cells(shell, *cells, TRACKED.replace("rate", "sum(rates)"))
    (run,) = tracknb.search_runs(search_all_experiments=True, output_format="list")
    assert run.data.metrics == {"loss": 20.0}
    found = tracknb.MlflowClient().get_cells(run.info.run_id)
    assert [cell.source for cell in found][:-1] == cells
    # Only the client's cell could not be looked at.
    assert len([item for item in recwarn if "could not track" in str(item.message)]) == 1


def test_a_tracked_cell_that_cannot_be_looked_at_knows_its_cells(shell, recwarn):
    run_cells(shell, LYING, TRACKED.replace("rate", "sum(rates)") + "\nclient = client")
    (run,) = tracknb.search_runs(search_all_experiments=True, output_format="list")
    assert [cell.source for cell in tracknb.MlflowClient().get_cells(run.info.run_id)][:-1] == [LYING]


def test_a_second_run_adds_its_own_and_no_source_twice(shell, store):
    run_cells(shell, "rate = 1", TRACKED, TRACKED, "rate = 1", TRACKED)
    tracknb.client.close_stores()
    assert rows(store, "SELECT count(*) FROM sources") == [(2,)]
    assert rows(store, "SELECT count(*) FROM executions") == [(5,)]
    assert rows(store, "SELECT role, count(*) FROM run_executions GROUP BY role ORDER BY role") == [
        ("needed", 3),
        ("tracked", 3),
    ]


def test_a_failing_cell_and_one_that_failed_before(shell):
    run_cells(shell, "rate = 7\nraise ValueError", TRACKED + "\nraise RuntimeError")
    (run,) = tracknb.search_runs(search_all_experiments=True, output_format="list")
    cells = tracknb.MlflowClient().get_cells(run.info.run_id)
    assert [(cell.status, cell.role) for cell in cells] == [("FAILED", "needed"), ("FAILED", "tracked")]


def test_a_key_in_an_earlier_cell_does_not_reach_the_store(shell, store):
    run_cells(shell, "api_key = 'sk-abcdefghijklmnopqrstuvwx'\nrate = len(api_key)", TRACKED)
    tracknb.client.close_stores()
    content = b"".join(path.read_bytes() for path in store.parent.rglob("*") if path.is_file())
    assert b"abcdefghijklmnopqrstuvwx" not in content
    assert b"rate = len(api_key)" in content


def test_cells_of_before_the_extension_was_loaded_count_too(store, tmp_path):
    """A real kernel, run by nbclient as CI systems do."""
    load = "import math\n%load_ext tracknb\nimport os.path"
    cells = ["rate = 4", load, TRACKED.replace("rate * 2", "math.floor(rate * 2)")]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = tmp_path / "early.ipynb"
    nbformat.write(notebook, path)
    command = [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute", "--inplace", str(path)]
    environment = {"TRACKNB_TRACKING_URI": f"sqlite:///{store}"}
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, **environment})
    (run,) = tracknb.search_runs(search_all_experiments=True, output_format="list")
    found = tracknb.MlflowClient().get_cells(run.info.run_id)
    assert [(cell.source, cell.names) for cell in found] == [
        ("rate = 4", ("rate",)),
        # What stands above the line that loads the extension was done unseen.
        (load, ("math",)),
        (cells[2], ()),
    ]


def test_cells_of_a_client_that_keeps_no_history_count_too(store, monkeypatch):
    """As nbval runs them: nothing but the message knows the cell that loads the extension."""
    monkeypatch.setenv("TRACKNB_TRACKING_URI", f"sqlite:///{store}")
    manager, client = start_new_kernel()
    load = "import math\n%load_ext tracknb"
    try:
        for cell in (load, "rate = math.floor(1.5)", TRACKED):
            client.execute_interactive(cell, store_history=False, output_hook=lambda _: None, timeout=60)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    (run,) = tracknb.search_runs(search_all_experiments=True, output_format="list")
    found = tracknb.MlflowClient().get_cells(run.info.run_id)
    assert [(cell.source, cell.names) for cell in found][:1] == [(load, ("math",))]
    assert len(found) == 3


def test_code_is_shown_and_saved(shell, tmp_path):
    run_cells(shell, "def scale(x):\n    return x * rate", "rate = 3", "%time start = scale(1)")
    run_cells(shell, TRACKED.replace("rate * 2", "start"))
    code = tracknb.code()
    assert " for rate\nrate = 3" in code.text()
    notebook = json.loads(code.save(tmp_path / "code.ipynb").read_text())
    nbformat.validate(nbformat.from_dict(notebook))
    assert len(notebook["cells"]) == 4
    script = code.save(tmp_path / "code.py").read_text()
    assert "\n# %time start = scale(1)\n" in script
    compile(script.replace("# %%track_run", "#"), "code.py", "exec")
    with pytest.raises(tracknb.TracknbError, match="ends otherwise"):
        code.save(tmp_path / "code.txt")


def test_runs_that_are_removed_for_good_take_their_cells_along(shell, store):
    run_cells(shell, "rate = 1", TRACKED)
    (run,) = tracknb.search_runs(search_all_experiments=True, output_format="list")
    client = tracknb.MlflowClient()
    client.delete_run(run.info.run_id)
    client.gc()
    tracknb.client.close_stores()
    for table in ("run_executions", "executions", "sources"):
        assert rows(store, f"SELECT count(*) FROM {table}") == [(0,)], table


def test_what_cannot_be_watched_leaves_the_cell_alone(shell):
    class Thorny:
        def __reduce_ex__(self, protocol):
            raise SystemError("do not look at me")

        def __eq__(self, other):
            raise SystemError("nor compare me")

        __hash__ = None  # type: ignore[assignment]

    shell.user_ns["thorny"] = Thorny()
    run_cells(shell, "other = thorny", "rate = 1 if thorny is other else 2", TRACKED)
    (run,) = tracknb.search_runs(search_all_experiments=True, output_format="list")
    assert run.data.metrics == {"loss": 2.0}
    assert "rate = 1 if" in tracknb.code().text()


def test_hidden_state_is_told(shell):
    """The cell that gave ``rate`` was changed and run again, and gives another name now."""
    for source in ("rate = 1", "speed = 2"):
        shell.run_cell(source, store_history=True, cell_id="first")
    run_cells(shell, TRACKED)
    (run,) = tracknb.search_runs(search_all_experiments=True, output_format="list")
    told = run.data.tags["tracknb.hidden_state"]
    assert told.startswith("rate came from an older version of the cell")
    assert run.data.tags["tracknb.grade"] == "stale name"
    text = tracknb.show(run.info.run_id).text()
    assert "grade         stale name" in text
    assert f"hidden state  {told}" in text
    page = tracknb.show(run.info.run_id).payload()["run"]
    assert [(cell["names"], cell["source"]) for cell in page["cells"]] == [(["rate"], "rate = 1")]
    assert (page["grade"], page["doubts"]) == ("stale name", [told])


def test_random_numbers_without_a_seed_are_told(shell):
    draw = "%%track_run\nimport tracknb, random\ntracknb.log_metric('a', random.random())"
    run_cells(shell, "import random", draw, "random.seed(3)", draw)
    unseeded, seeded = (
        (run.data.tags.get("tracknb.hidden_state"), run.data.tags["tracknb.grade"])
        for run in tracknb.search_runs(
            search_all_experiments=True, output_format="list", order_by=["attributes.start_time ASC"]
        )
    )
    assert unseeded == (
        "random numbers of random were drawn without a seed. Call random.seed(0) first, in this cell or one above.",
        "unseeded",
    )
    assert seeded == (None, "clean")


def test_a_cell_that_was_edited_and_saved_but_not_run_is_told(shell, tmp_path, monkeypatch):
    """What R127 asks for, where only the saved notebook tells: define, edit, save, train."""
    path = tmp_path / "taxi.ipynb"
    monkeypatch.setenv("JPY_SESSION_NAME", str(path))

    def save(rate):
        cells = [nbformat.v4.new_code_cell(text, id=cell_id) for cell_id, text in (("rate", rate), ("train", TRACKED))]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), path)

    save("rate = 0")
    shell.run_cell("rate = 1", store_history=True, cell_id="rate")
    shell.run_cell(TRACKED, store_history=True, cell_id="train")
    time.sleep(0.01)
    save("rate = 2")
    shell.run_cell(TRACKED, store_history=True, cell_id="train")
    shell.run_cell("rate = 2", store_history=True, cell_id="rate")
    shell.run_cell(TRACKED, store_history=True, cell_id="train")

    runs = tracknb.search_runs(search_all_experiments=True, output_format="list", order_by=["start_time ASC"])
    assert [run.data.tags["tracknb.grade"] for run in runs] == ["clean", "stale name", "clean"]
    (count,) = (cell.execution_count for cell in tracknb.MlflowClient().get_cells(runs[1].info.run_id)[:1])
    assert runs[1].data.tags["tracknb.hidden_state"] == (
        f"rate came from an older version of the cell [{count}]. Run the cell [{count}] again, then this one."
    )


def test_grades_are_a_column_and_a_filter(shell):
    run_cells(shell, "import random, tracknb", "%%track_run --name known\n1")
    run_cells(shell, "%%track_run --name chance\ntracknb.log_metric('a', random.random())")
    table = tracknb.runs_table()
    query = "tags.`tracknb.grade` = 'clean'"
    found = tracknb.search_runs(search_all_experiments=True, filter_string=query, output_format="list")

    assert [run.info.run_name for run in found] == ["known"]
    assert [line.split()[:4] for line in table.text().splitlines()[2:5] if "known" not in line] == [
        ["status", "run", "grade", "a"],
        ["✓", "FINISHED", "chance", "unseeded"],
    ]
    assert "clean" not in table.text(), "what depends on the work tree is not in what notebooks are compared by"
    assert "<td>clean</td>" in table.html().replace(' style="text-align:left"', "")
    grades = table.payload()["data"]["grades"]
    assert [grades["dict"][code][0] for (code,) in grades["codes"]] == ["unseeded", "clean"]
    content, _ = table.chunk(0, 2)
    assert [row[0][0] for row in content["grades"]] == ["unseeded", "clean"]


def test_a_table_of_runs_without_hidden_state_has_no_such_column(shell):
    run_cells(shell, "%%track_run --name known\n1")
    assert "grade" not in tracknb.runs_table().text()


def test_the_worst_that_cells_of_one_run_found_stays(shell):
    run_cells(shell, "import random, tracknb", "tracknb.start_run(); tracknb.log_metric('a', random.random())")
    for source in ("rate = 1", "speed = 2"):
        shell.run_cell(source, store_history=True, cell_id="first")
    run_cells(shell, "tracknb.log_metric('b', rate)", "tracknb.log_metric('b', 2)", "tracknb.end_run()")
    (run,) = tracknb.search_runs(search_all_experiments=True, output_format="list")

    assert run.data.tags["tracknb.grade"] == "stale name"
    first, second = run.data.tags["tracknb.hidden_state"].splitlines()
    assert first.startswith("random numbers of random were drawn without a seed.")
    assert second.startswith("rate came from an older version of the cell")


def test_a_file_that_changed_is_told_then_and_later(shell, tmp_path):
    path = tmp_path / "rates.csv"
    path.write_text("3")
    run_cells(shell, "rate = float(open('rates.csv').read())", TRACKED)
    assert "has changed" not in tracknb.code().text()

    path.write_text("44")
    assert tracknb.code().text().startswith(f"# {path} has changed since the run read it\n\n# [")
    assert f"<p>{path} has changed since the run read it</p>" in tracknb.code().html()
    run_cells(shell, TRACKED)
    newest, oldest = tracknb.search_runs(search_all_experiments=True, output_format="list")
    assert [newest.data.tags["tracknb.grade"], oldest.data.tags["tracknb.grade"]] == ["changed file", "clean"]
    assert "the file rates.csv has changed since the cell [" in newest.data.tags["tracknb.hidden_state"]


def test_the_final_panel_tells_hidden_state(shell, capsys):
    run_cells(shell, "import random, tracknb", "%%track_run\ntracknb.log_metric('a', random.random())")

    assert "hidden state: random numbers of random were drawn without a seed. Call" in capsys.readouterr().out


def test_a_run_of_no_cell_has_no_grade(store):
    with tracknb.start_run() as run:
        pass

    assert "tracknb.grade" not in tracknb.get_run(run.info.run_id).data.tags


def test_changes_that_are_not_committed_are_a_grade(shell, tmp_path, monkeypatch):
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    (work / "model.py").write_text("depth = 3")
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    for command in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "first"]):
        subprocess.run(["git", *command], check=True)
    run_cells(shell, "%%track_run --name committed\n1")
    (work / "model.py").write_text("depth = 4")
    git._asked.clear()
    run_cells(shell, "%%track_run --name told-at-its-end\n1")
    git._cache.clear()
    run_cells(shell, "%%track_run --name changed\n1")
    runs = tracknb.search_runs(search_all_experiments=True, output_format="list", order_by=["start_time ASC"])

    assert [run.data.tags["tracknb.grade"] for run in runs] == ["clean", "dirty git", "dirty git"]
    (doubt,) = tracknb.show(runs[2].info.run_id).payload()["run"]["doubts"]
    assert doubt.startswith("Changes were not committed (1 file, +1 -1")
    assert doubt.endswith("). Commit them before the next run.")


def test_a_file_with_a_space_in_its_name_is_one_name(shell, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_cells(
        shell, "open('my data.txt', 'w').write('4');", TRACKED.replace("rate * 2", "float(open('my data.txt').read())")
    )
    (written, _) = tracknb.code().cells
    assert f"file:{tmp_path / 'my data.txt'}" in written.names


@pytest.mark.parametrize(("use", "told"), [("numpy.ones(2).sum()", False), ("numpy.random.rand()", True)])
def test_importing_numpy_draws_no_random_numbers(store, tmp_path, use, told):
    """A kernel of its own: here numpy is loaded already."""
    cells = ["%load_ext tracknb", f"import numpy\nrate = {use}", TRACKED]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = tmp_path / "draws.ipynb"
    nbformat.write(notebook, path)
    command = [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute", "--inplace", str(path)]
    environment = {**os.environ, "TRACKNB_TRACKING_URI": f"sqlite:///{store}"}
    subprocess.run(command, check=True, capture_output=True, env=environment)
    (run,) = tracknb.search_runs(search_all_experiments=True, output_format="list")
    assert ("tracknb.hidden_state" in run.data.tags) is told
