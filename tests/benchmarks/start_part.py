"""What a fresh process pays: ``%load_ext``, and the way to the first metric that is kept."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.contestants import Answers, Failed, environment, lines_of, python_of
from tests.benchmarks.table import Row

_LOAD = """
import json, sys, threading, time
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config
shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
main, every = time.thread_time(), time.process_time()
shell.run_line_magic("load_ext", "tracknb")
main = time.thread_time() - main
for thread in threading.enumerate():
    if thread is not threading.main_thread():
        thread.join(10)
print(json.dumps({"main": 1000 * main, "all": 1000 * (time.process_time() - every)}))
"""
_IMPORT = """
import json, time
main, every = time.thread_time(), time.process_time()
import mlflow
main = time.thread_time() - main
print(json.dumps({"main": 1000 * main, "all": 1000 * (time.process_time() - every)}))
"""
# Both are given the same lines, as people write them; "kept" is said when the call has returned.
_FIRST = """
import {library} as tracker
tracker.set_tracking_uri("sqlite:///{path}")
with tracker.start_run():
    tracker.log_metric("loss", 0.5)
    print("kept", flush=True)
"""
LIBRARIES = {"ours": "tracknb", "mlflow": "mlflow"}


def start(folder: Path, rounds: int, *, quick: bool) -> list[Row]:
    """Measure fresh processes in turns."""
    answers = Answers()
    for number in range(rounds):
        for name, library in LIBRARIES.items():
            if name in answers.absent:
                continue
            new = folder / f"{name}-{number}.db"
            tasks: dict[str, Callable[[], dict[str, float]]] = {
                "load": lambda name=name: _load(name, folder),
                "new": lambda name=name, library=library, new=new: _first(name, library, new),
                "old": lambda name=name, library=library, new=new: _first(name, library, new),
            }
            try:
                for task, measure in tasks.items():
                    label = name if task == "load" else f"{name} {task}"
                    answers.given.setdefault(label, []).append(measure())
            except Failed as failure:
                for label in (name, f"{name} new", f"{name} old"):
                    answers.absent[label] = str(failure)
    return [
        answers.row("start.load", "main", its="mlflow"),
        answers.row("start.load.all", "all", its="mlflow"),
        answers.row("start.new", "wall", ours="ours new", its="mlflow new"),
        answers.row("start.old", "wall", ours="ours old", its="mlflow old"),
    ]


def _load(name: str, folder: Path) -> dict[str, float]:
    code = _LOAD if name == "ours" else _IMPORT
    found: dict[str, float] = json.loads(lines_of(name, folder, code)[-1])
    return found


def _first(name: str, library: str, path: Path) -> dict[str, float]:
    begin = time.perf_counter()
    code = _FIRST.format(library=library, path=path)
    with subprocess.Popen(
        [python_of(name), "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=path.parent,
        env=environment(path.parent),
        text=True,
    ) as process:
        assert process.stdout is not None
        is_kept = "kept\n" in process.stdout
        wall = time.perf_counter() - begin
        _, told = process.communicate(timeout=120)
    if not is_kept or process.returncode:
        raise Failed(f"failed: {(told.splitlines() or ['no output'])[-1][:120]}")
    return {"wall": 1000 * wall}
