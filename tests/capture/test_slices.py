"""Which cells a number needs: held against what happens when each cell is left out."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from tests.capture.slices import NOTEBOOKS
from tracknb.capture.executions import slice_of
from tracknb.capture.recorder import Recorder

# What all of them look at is made once.
pytestmark = pytest.mark.xdist_group("slices")


def ran(tasks):
    """What the last cell of each list of cells shows, each run in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.capture.slices"],
        input=json.dumps(tasks),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def found(cells):
    """The places of the cells that the last one depends on, as the recorder sees it in a real shell."""
    shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
    shell.showtraceback = lambda *given, **named: None
    recorder = Recorder(shell.user_ns, shell.user_ns_hidden)
    for number, cell in enumerate(cells):
        recorder.begin(cell, shell.transform_cell(cell), cell_id=str(number), execution_count=number + 1, start_time=0)
        success = shell.run_cell(cell, store_history=True).success
        recorder.end("FINISHED" if success else "FAILED", 0)
    needed, _ = slice_of(recorder.executions, recorder.executions[-1])
    return [item.execution.number - 1 for item in needed]


@pytest.fixture(scope="module")
def slices(tmp_path_factory):
    """Each notebook's slice, its replay, and the cells without which the number is another one."""
    results = {}
    before = dict(os.environ), list(sys.path), os.getcwd()
    for name, cells in NOTEBOOKS.items():
        folder = tmp_path_factory.mktemp("slice")
        os.chdir(folder)
        sys.path.insert(0, "")
        try:
            chosen = found(cells)
        finally:
            os.environ.clear()
            os.environ.update(before[0])
            sys.path[:] = before[1]
            os.chdir(before[2])
            for module in ("helper",):
                sys.modules.pop(module, None)
        last = len(cells) - 1
        without = [[cell for place, cell in enumerate(cells) if place != left] for left in range(last)]
        whole, replayed, *others = ran([cells, [cells[place] for place in (*chosen, last)], *without])
        assert whole != "error", name
        needed = [place for place in range(last) if others[place] != whole]
        results[name] = (chosen, needed, whole, replayed)
    return results


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_nothing_that_is_needed_is_missing_and_the_replay_gives_the_same(slices, name):
    chosen, needed, whole, replayed = slices[name]
    assert set(needed) <= set(chosen)
    assert replayed == whole


def test_little_is_taken_that_is_not_needed(slices):
    taken = sum(len(chosen) for chosen, *_ in slices.values())
    right = sum(len(set(chosen) & set(needed)) for chosen, needed, *_ in slices.values())
    surplus = {name: sorted(set(chosen) - set(needed)) for name, (chosen, needed, *_) in slices.items()}
    assert right / taken >= 0.9, {name: extra for name, extra in surplus.items() if extra}
