"""A real kernel: what it sends while a cell runs, and what a saved notebook holds."""

from __future__ import annotations

import os
import subprocess
import time
from importlib.metadata import version

import nbformat
import pytest
from jupyter_client.manager import start_new_kernel
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

import tracknb
from tracknb.view.base import MIME

WIDGET = "application/vnd.jupyter.widget-view+json"
LOAD = "%load_ext tracknb\nimport time, tracknb"
TRAIN = """%%track_run --experiment nyc-taxi --name curve
for epoch in tracknb.track(range(8), label="epoch"):
    tracknb.log_metrics({"train_loss": 1 / (1 + epoch), "val_loss": 1.1 / (1 + epoch)}, step=epoch)
    time.sleep(0.25)
"""


@pytest.fixture
def folder(store, tmp_path, monkeypatch):
    """An empty folder that kernels work in, with the store's default name."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    work = tmp_path / "work"
    work.mkdir()
    tracknb.set_tracking_uri(str(work / "tracknb.db"))
    return work


def execute(folder, *cells, allow_errors=False):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    NotebookClient(
        notebook, timeout=90, kernel_name="python3", allow_errors=allow_errors, resources={"metadata": {"path": folder}}
    ).execute()
    return notebook


def test_a_saved_notebook_holds_the_static_form_and_no_widget(folder):
    notebook = execute(folder, LOAD, TRAIN, "%track runs", "%track trend")

    [panel] = notebook.cells[1].outputs
    assert set(panel.data) == {MIME, "text/html", "text/plain"}
    assert panel.data[MIME]["runs"][0]["status"] == "FINISHED"
    assert [series["count"] for series in panel.data[MIME]["runs"][0]["series"]] == [8, 8]
    assert panel.data["text/plain"].startswith("✓ FINISHED  curve  in nyc-taxi")
    assert "<img" in panel.data["text/html"]
    assert "curve" in notebook.cells[2].outputs[0].data["text/plain"]
    assert set(notebook.cells[3].outputs[0].data) == {MIME, "text/html", "text/plain"}


def test_nothing_but_store_and_artifacts_is_written(folder):
    execute(folder, LOAD, TRAIN + "tracknb.log_text('x', 'x.txt')")

    assert {name.removesuffix("-wal").removesuffix("-shm") for name in os.listdir(folder)} == {
        "tracknb.db",
        "tracknb-artifacts",
    }


def test_the_cells_own_error_reaches_the_front_end(folder):
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        execute(folder, LOAD, "%%track_run --experiment nyc-taxi\n1 / 0")
    [run] = tracknb.search_runs(experiment_names=["nyc-taxi"], output_format="list")
    assert run.info.status == "FAILED"


def test_a_loop_of_runs_is_one_panel(folder):
    notebook = execute(
        folder,
        LOAD,
        "%%track_run --experiment nyc-taxi\nfor n in range(20):\n"
        "    with tracknb.start_run(run_name=f'r{n}'):\n        tracknb.log_metric('a', n)",
    )
    [panel] = notebook.cells[1].outputs
    assert len(panel.data[MIME]["runs"]) == 20


def test_no_display_shows_nothing(folder):
    notebook = execute(folder, LOAD, "%%track_run --experiment nyc-taxi --no-display\ntracknb.log_metric('a', 1)")
    assert notebook.cells[1].outputs == []


def test_a_tracked_cell_of_a_kernel_keeps_what_it_imported_and_what_no_commit_has(folder):
    for command in (
        ["init", "-q"],
        ["add", "lib.py"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"],
    ):
        (folder / "lib.py").write_text("a = 1\n")
        subprocess.run(["git", *command], cwd=folder, check=True)
    (folder / "lib.py").write_text("a = 2\n")
    (folder / "features.py").write_text("b = 1\n")

    notebook = execute(folder, LOAD, "%%track_run --experiment nyc-taxi\nimport lib, features, matplotlib")

    [run] = tracknb.search_runs(experiment_names=["nyc-taxi"], output_format="list")
    root = f"runs:/{run.info.run_id}"
    lock = tracknb.artifacts.load_text(f"{root}/environment/pylock.toml")
    assert f'name = "matplotlib"\nversion = "{version("matplotlib")}"' in lock
    assert 'name = "ipykernel"' in lock
    # Installed, and imported by nobody.
    assert 'name = "scikit-learn"' not in lock
    assert tracknb.artifacts.load_text(f"{root}/git/diff.patch").endswith("-a = 1\n+a = 2\n")
    assert tracknb.artifacts.load_text(f"{root}/git/untracked/features.py") == "b = 1\n"
    assert [output.output_type for output in notebook.cells[1].outputs] == ["display_data"]


def test_a_kernel_that_dies_leaves_no_run_running(folder):
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(folder))
    client.execute_interactive(LOAD)
    client.execute("%%track_run --experiment nyc-taxi\ntracknb.log_metric('a', 1)\nimport os; os._exit(1)")
    while manager.is_alive():
        time.sleep(0.1)
    client.stop_channels()
    manager.shutdown_kernel(now=True)

    [run] = tracknb.search_runs(experiment_names=["nyc-taxi"], output_format="list")
    assert run.info.status == "KILLED"
    assert run.data.metrics == {"a": 1.0}
    assert run.info.end_time is not None


def test_points_reach_the_front_end_while_the_cell_runs(folder):
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(folder))
    try:
        client.execute_interactive(LOAD)
        seen = []

        def heard(message):
            seen.append((message["msg_type"], message["content"], message["parent_header"].get("msg_id")))

        client.execute_interactive(TRAIN, output_hook=heard, timeout=60)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)

    kinds = [kind for kind, _, _ in seen]
    pushed = [
        content["data"]["content"]
        for kind, content, _ in seen
        if kind == "comm_msg" and content["data"].get("method") == "custom"
    ]
    assert kinds.index("display_data") < kinds.index("comm_open")
    # A thread publishes the panel; every message still names the cell that runs.
    assert len({parent for _, _, parent in seen}) == 1
    # Eight epochs last two seconds, and what is new goes out five times a second.
    assert len(pushed) >= 3
    assert all(content["type"] == "points" for content in pushed)
    shown = [content for kind, content, _ in seen if kind in ("display_data", "update_display_data")]
    assert len({content["transient"]["display_id"] for content in shown}) == 1
    assert WIDGET in shown[1]["data"]
    assert WIDGET not in shown[-1]["data"]
    assert MIME in shown[-1]["data"]


def test_a_cell_that_clears_its_output_keeps_its_panel(folder):
    notebook = execute(
        folder,
        LOAD,
        "from IPython.display import clear_output\n%load_ext tracknb",
        "%%track_run --experiment nyc-taxi --name clears\n"
        "for epoch in range(4):\n"
        "    tracknb.log_metric('loss', epoch, step=epoch)\n"
        "    time.sleep(0.3)\n"
        "    clear_output(wait=True)\n"
        "    print('epoch', epoch)",
    )

    panels = [output for output in notebook.cells[2].outputs if output.output_type == "display_data"]
    assert len(panels) == 1
    assert set(panels[0].data) == {MIME, "text/html", "text/plain"}
    assert panels[0].data[MIME]["runs"][0]["status"] == "FINISHED"


def test_a_captured_cell_holds_no_widget(folder):
    notebook = execute(
        folder,
        LOAD,
        "%%capture held\n%%track_run --experiment nyc-taxi\ntracknb.log_metric('a', 1)\ntime.sleep(0.5)",
        "print([sorted(output.data) for output in held.outputs])",
    )

    assert WIDGET not in str(notebook.cells[1:])


# ipykernel cancels a cell that awaits, and does so when its loop next wakes: hence short waits.
@pytest.mark.parametrize("wait", ["time.sleep(60)", "import asyncio\nwhile True:\n    await asyncio.sleep(0.1)"])
def test_an_interrupt_kills_the_run_at_once(folder, wait):
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(folder))
    try:
        client.execute_interactive(LOAD)
        client.execute(f"%%track_run --experiment nyc-taxi\n{wait}")
        deadline = time.monotonic() + 30
        while tracknb.get_experiment_by_name("nyc-taxi") is None and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(0.5)
        manager.interrupt_kernel()
        reply = client.get_shell_msg(timeout=30)
        while reply["msg_type"] != "execute_reply":
            reply = client.get_shell_msg(timeout=30)
        # What follows an interrupted cell starts clean.
        client.execute_interactive("x = 1", timeout=30)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)

    [run] = tracknb.search_runs(experiment_names=["nyc-taxi"], output_format="list")
    assert run.info.status == "KILLED"
