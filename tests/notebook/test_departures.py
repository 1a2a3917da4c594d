"""A replay that is the same departs nowhere: notebooks as people write them, whole and then only what is needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.capture.slices import NOTEBOOKS
from tracknb.entities import CellExecution
from tracknb.replaying import departure

PROGRAM = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config
from tracknb.capture.executions import slice_of
from tracknb.capture.recorder import Recorder

shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
recorder = Recorder(shell.user_ns, shell.user_ns_hidden)
answer, sys.stdout = sys.stdout, sys.stderr
for number, cell in enumerate(json.load(sys.stdin), 1):
    recorder.begin(cell, shell.transform_cell(cell), cell_id=str(number), execution_count=number, start_time=0)
    success = shell.run_cell(cell, store_history=True).success
    recorder.end("FINISHED" if success else "FAILED", 0)
roles = {item.execution.number: item.names for item in slice_of(recorder.executions, recorder.executions[-1])[0]}
print(json.dumps([[item.source, roles.get(item.number), item.digests] for item in recorder.executions]), file=answer)
"""


def recorded(cells, folder, seed):
    """The executions of cells in a process of its own, which hashes texts in a way of its own."""
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps(cells),
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
    )
    executions = json.loads(done.stdout)
    return [
        CellExecution(
            number=number,
            source=source,
            cell_id="",
            execution_count=number,
            start_time=0,
            end_time=0,
            status="FINISHED",
            role="tracked" if number == len(executions) else "before" if names is None else "needed",
            names=tuple(names or ()),
            digests=digests,
        )
        for number, (source, names, digests) in enumerate(executions, 1)
    ]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_what_is_the_same_departs_nowhere(name, tmp_path):
    cells = [cell for cell in recorded(NOTEBOOKS[name], tmp_path / "then", "1") if cell.role != "before"]
    again = recorded(["'loads tracknb'", *[cell.source for cell in cells]], tmp_path / "now", "2")

    departed = departure(cells, again)

    assert departed is not None
    assert (departed.execution_count, departed.names) == (len(NOTEBOOKS[name]), ())
