"""What watching cells costs: fresh shells that run the same cells with and without an extension."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from tests.benchmarks.contestants import Answers, Failed, lines_of
from tests.benchmarks.table import Row

_EXTENSIONS: Final = {"ours": "tracknb", "ipyflow": "ipyflow"}
# Each process is its own measure: the same cells before and after the extension is loaded.
_SCRIPT: Final = '''
import json, statistics, sys, time
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config
extension, count, many = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
SETUP = """import math
x, rows, names = 2, [], ["a"] * 100
table = {i: [i] * 10 for i in range(1000)}
def f(a):
    return math.sqrt(a) + x"""
LOOP = "total = 0\\nfor i in range(3_000_000):\\n    total += i * x"
CALLS = "total = 0.0\\nfor i in range(1_000_000):\\n    total += f(i)"

def cell(code):
    # CPU, so that what else runs on the machine is not counted.
    begin = time.thread_time()
    assert shell.run_cell(code, store_history=True).success, code
    return 1000 * (time.thread_time() - begin)

def small(count):
    # Each reads a number and a list that it changes, and binds one of fifty names.
    cells = [f"rate_{k} = x * {k}\\nrows.append(rate_{k})\\ndel rows[:-20]" for k in range(50)]
    return statistics.median(cell(cells[k % 50]) for k in range(count))

def measured():
    cell(SETUP)
    small(5)
    loop, calls = (min(cell(code) for _ in range(5)) for code in (LOOP, CALLS))
    return {"small": small(count), "loop": loop, "calls": calls}

bare = measured()
shell.run_line_magic("load_ext", extension)
time.sleep(1)
watched = measured()
answer = {"small": watched["small"] - bare["small"]}
answer |= {name: 100 * (watched[name] / bare[name] - 1) for name in ("loop", "calls")}
if many:
    small(many)
    answer["late"] = small(count) - bare["small"]
print(json.dumps(answer))
'''


def cells(folder: Path, rounds: int, *, quick: bool) -> list[Row]:
    """Measure fresh processes in turns."""
    answers = Answers()
    for number in range(rounds):
        for name in _EXTENSIONS:
            if name in answers.absent:
                continue
            try:
                # How a peer grows is its own affair, and takes minutes.
                many = 0 if name != "ours" else 500 if quick else 5_000
                given = _shell(name, folder, count=50 if quick else 200, many=many)
                answers.given.setdefault(name, []).append(given)
            except Failed as failure:
                answers.absent[name] = f"in round {number + 1}: {failure}"
    return [
        answers.row("cell.small", "small", its="ipyflow"),
        Row("cell.late", [given["late"] for given in answers.given.get("ours", [])]),
        answers.row("cell.loop", "loop", its="ipyflow"),
        answers.row("cell.calls", "calls", its="ipyflow"),
    ]


def _shell(name: str, folder: Path, *, count: int, many: int) -> dict[str, float]:
    printed = lines_of(name, folder, _SCRIPT, _EXTENSIONS[name], str(count), str(many), timeout=600)
    found: dict[str, float] = json.loads(printed[-1])
    return found
