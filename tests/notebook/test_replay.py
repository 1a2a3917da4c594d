"""A run again in a new kernel: the same numbers, or which are others."""

from __future__ import annotations

import os
import subprocess
import sys

import nbformat
import pytest

import tracknb
from tracknb.entities import PARENT_TAG, REPLAY_TAG

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


def made(store, folder, cells=CELLS):
    """The newest run of a notebook, executed by a kernel of its own."""
    path = folder / "train.ipynb"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, path)
    command = [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute", "--inplace", str(path)]
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
