"""What must not get lost: points of killed processes, of many writers, a race to be first."""

from __future__ import annotations

import random
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.benchmarks.contestants import Failed, Worker, python_of, team
from tests.benchmarks.peers import protocol
from tests.benchmarks.table import Row

EXPERIMENT = "bench"
RACERS = 16


def kill(folder: Path, rounds: int, *, quick: bool) -> list[Row]:
    """Count acknowledged points that a SIGKILL took, over several kills each."""
    rows = []
    for key, pause_ms in (("kill.paced", 1.0), ("kill.tight", 0.0)):
        lost: dict[str, list[float]] = {"ours": [], "trackio": []}
        reasons: dict[str, str] = {}
        for _ in range(rounds * (1 if quick else 2)):
            for name in lost:
                if name in reasons:
                    continue
                try:
                    lost[name].append(_lost_to_kill(folder, name, pause_ms))
                except Failed as failure:
                    reasons[name] = str(failure)
        told = reasons.get("trackio") or f"trackio: {min(lost['trackio']):.0f} to {max(lost['trackio']):.0f}"
        rows.append(Row(key, lost["ours"], note=reasons.get("ours", told)))
    return rows


def _lost_to_kill(folder: Path, name: str, pause_ms: float) -> float:
    acks = folder / "acknowledged"
    acks.write_bytes(bytes(8))
    store = {"path": str(folder / "killed.db"), "experiment": EXPERIMENT}
    victim = Worker(name, folder)
    try:
        if name == "ours":
            victim.ask("open_store", **store)
        run_id = victim.ask("begin_run")
        victim.send("log_forever", ack_path=str(acks), pause_ms=pause_ms)
        while protocol.acknowledged(acks) == 0:
            if victim.process.poll() is not None:
                victim.receive()
            time.sleep(0.001)
        time.sleep(random.uniform(0.3, 1.0))
    finally:
        victim.kill()
        victim.close()
    count = protocol.acknowledged(acks)
    with team(folder, name) as readers:
        if name == "ours":
            readers.ask(name, "open_store", **store)
        return float(count - readers.ask(name, "kept", run_id=run_id, below=count))


def writers(folder: Path, rounds: int, *, quick: bool) -> list[Row]:
    """Let 4 and 8 processes write one store at once."""
    rows = []
    for count in (4, 8):
        found: dict[str, list[dict[str, float]]] = {}
        reasons: dict[str, str] = {}
        points = {"ours": 2_000 if quick else 20_000, "mlflow": 20 if quick else 100}
        for number in range(min(rounds, 3)):
            for name in points:
                if name in reasons:
                    continue
                try:
                    path = folder / f"{name}-{count}-{number}.db"
                    found.setdefault(name, []).append(_write_together(folder, name, path, count, points[name]))
                except Failed as failure:
                    reasons[name] = str(failure)
        rows += _writers_rows(count, found, reasons)
    return rows


def _writers_rows(count: int, found: dict[str, list[dict[str, float]]], reasons: dict[str, str]) -> list[Row]:
    def values(name: str, figure: str) -> list[float]:
        return [answer[figure] for answer in found.get(name, ())]

    rows = []
    for figure in ("errors", "lost"):
        its = reasons.get("mlflow") or f"MLflow: {max(values('mlflow', figure), default=0):.0f}"
        rows.append(Row(f"writers{count}.{figure}", values("ours", figure), note=reasons.get("ours", its)))
    note = "; ".join(reasons.values())
    rows.append(Row(f"writers{count}.rate", values("ours", "rate"), values("mlflow", "rate"), note))
    return rows


def _write_together(folder: Path, name: str, path: Path, count: int, points: int) -> dict[str, float]:
    python_of(name)
    with ExitStack() as stack:
        crew = _crew(stack, folder, name, count)
        # One opens the store for all: a race to be first is another figure.
        for worker in crew:
            worker.ask("open_store", path=str(path), experiment=EXPERIMENT)
        begin = time.monotonic() + 0.3
        for worker in crew:
            worker.send("write", at=begin, points=points)
        answers = [worker.receive() for worker in crew]
        kept = sum(crew[0].ask("kept", run_id=answer["run_id"], below=points) for answer in answers)
    return {
        "errors": sum(answer["errors"] for answer in answers),
        "lost": count * points - kept,
        "rate": kept / (max(answer["ended"] for answer in answers) - begin),
    }


def race(folder: Path, rounds: int, *, quick: bool) -> list[Row]:
    """Let 16 processes open a store that does not exist, at the same moment."""
    failures: list[float] = []
    told: list[str] = []
    for number in range(min(rounds, 3)):
        with ExitStack() as stack:
            crew = _crew(stack, folder, "ours", RACERS)
            # What is imported before the start does not spread the racers out.
            for place, worker in enumerate(crew):
                worker.ask("open_store", path=str(folder / f"warm-{number}-{place}.db"), experiment=EXPERIMENT)
            at = time.monotonic() + 0.5
            for worker in crew:
                worker.send("race", at=at, path=str(folder / f"race-{number}.db"), experiment="first")
            ended = [_outcome(worker) for worker in crew]
        wrong = [outcome for outcome in ended if isinstance(outcome, str)]
        experiments = {outcome["experiment_id"] for outcome in ended if not isinstance(outcome, str)}
        failures.append(len(wrong) + max(0, len(experiments) - 1))
        told += wrong[:1]
    return [Row("race", failures, note=told[0] if told else "")]


def _crew(stack: ExitStack, folder: Path, name: str, count: int) -> list[Worker]:
    crew = []
    for _ in range(count):
        worker = Worker(name, folder)
        stack.callback(worker.close)
        crew.append(worker)
    return crew


def _outcome(worker: Worker) -> Any:
    try:
        return worker.receive()
    except Failed as failure:
        return str(failure)
