"""What logging costs: calls, points until durable, a paced loop, bytes on disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.benchmarks.contestants import Failed, Request, Team, in_turns, team
from tests.benchmarks.peers import protocol
from tests.benchmarks.table import Row

KEYS_A_STEP = 20


@contextmanager
def _loggers(folder: Path) -> Iterator[Team]:
    with team(folder, "ours", "raw", "mlflow", "trackio") as found:
        found.ask("ours", "open_store", path=str(folder / "ours.db"), experiment="bench")
        found.prepare("mlflow", "open_store", path=str(folder / "mlflow.db"), experiment="bench")
        yield found


def _metrics_table(path: Path) -> str:
    """Return the statement that makes a table like the one our points are kept in."""
    connection = sqlite3.connect(path)
    row = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'metrics' AND type = 'table'").fetchone()
    connection.close()
    return str(row[0])


def calls(folder: Path, rounds: int, *, quick: bool) -> list[Row]:
    """Measure single calls: a point, and 20 metrics at once."""
    many, some, few = (5_000, 500, 50) if quick else (20_000, 2_000, 200)
    with _loggers(folder) as loggers:
        table = _metrics_table(folder / "ours.db")
        raw = {"folder": str(folder)}
        answers = in_turns(
            loggers,
            rounds,
            {
                "ours": Request("ours", "calls", {"count": many}),
                "append": Request("raw", "append", {**raw, "count": many, "records": 1}),
                "commit": Request("raw", "commit_each", {**raw, "count": some, "table": table}),
                "mlflow": Request("mlflow", "calls", {"count": few}),
                "trackio": Request("trackio", "calls", {"count": many}),
                "our steps": Request("ours", "steps", {"count": some, "keys": KEYS_A_STEP}),
                "append steps": Request("raw", "append", {**raw, "count": some, "records": KEYS_A_STEP}),
                "mlflow steps": Request("mlflow", "steps", {"count": few, "keys": KEYS_A_STEP}),
                "trackio steps": Request("trackio", "steps", {"count": some, "keys": KEYS_A_STEP}),
            },
        )
    return [
        answers.row("call.mlflow", "p50", its="mlflow"),
        answers.row("call.append", "p50", its="append"),
        answers.row("call.commit", "p99", its="commit"),
        answers.row("call.trackio", "p50", its="trackio"),
        answers.row("call.append99", "p99", its="append"),
        answers.row("step.mlflow", "p50", ours="our steps", its="mlflow steps"),
        answers.row("step.append", "p50", ours="our steps", its="append steps"),
        answers.row("step.trackio", "p50", ours="our steps", its="trackio steps"),
    ]


def durable(folder: Path, rounds: int, *, quick: bool) -> list[Row]:
    """Measure what points cost until they are committed."""
    many, some, few = (20_000, 20_000, 50) if quick else (200_000, 50_000, 500)
    with _loggers(folder) as loggers:
        raw = {"folder": str(folder), "count": many, "table": _metrics_table(folder / "ours.db")}
        answers = in_turns(
            loggers,
            rounds,
            {
                "ours": Request("ours", "until_durable", {"count": many}),
                "raw": Request("raw", "executemany", raw),
                "mlflow": Request("mlflow", "until_durable", {"count": few}),
                "trackio": Request("trackio", "until_durable", {"count": some}),
            },
        )
    for given in answers.given.values():
        for answer in given:
            answer["point"] = 1e6 * answer["cpu"] / answer["calls"]
            answer["rate"] = answer["calls"] / answer["wall"]
    return [
        answers.row("cpu.raw", "point", its="raw"),
        answers.row("rate.mlflow", "rate", its="mlflow"),
        answers.row("rate.trackio", "rate", its="trackio"),
        answers.row("cpu.trackio", "point", its="trackio"),
    ]


def paced(folder: Path, rounds: int, *, quick: bool) -> list[Row]:
    """Measure what logging adds to a loop whose steps work for a millisecond."""
    size = protocol.calibrate(1.0)
    steps, few, pairs = (200, 50, 4) if quick else (500, 100, 6)
    requests = {}
    for keys, mark in ((1, ""), (KEYS_A_STEP, " 20")):
        own = {"size": size, "steps": steps, "pairs": pairs, "keys": keys}
        for name in ("ours", "trackio"):
            requests[name + mark] = Request(name, "paced_loop", own)
        requests["mlflow" + mark] = Request("mlflow", "paced_loop", {**own, "steps": few})
    with _loggers(folder) as loggers:
        answers = in_turns(loggers, rounds, requests)
    return [
        answers.row("paced.mlflow", "cpu", its="mlflow"),
        answers.row("paced.trackio", "cpu", its="trackio"),
        answers.row("paced.wall.mlflow", "wall", its="mlflow"),
        answers.row("paced.wall.trackio", "wall", its="trackio"),
        answers.row("paced20.mlflow", "cpu", ours="ours 20", its="mlflow 20"),
        answers.row("paced20.trackio", "cpu", ours="ours 20", its="trackio 20"),
    ]


def bytes_per_point(folder: Path, rounds: int, *, quick: bool) -> list[Row]:
    """Measure how a store file grows by a run of 20 metrics, logged as training loops do.

    Once is enough: bytes do not depend on how busy the machine is.
    """
    counts = {"ours": 1_000 if quick else 5_000, "mlflow": 200 if quick else 1_000}
    sizes, reasons = {}, []
    with _loggers(folder) as loggers:
        for name, count in counts.items():
            path = folder / f"{name}.db"
            try:
                loggers.ask(name, "fill", count=1, keys=KEYS_A_STEP)
                before = _settled_bytes(path)
                loggers.ask(name, "fill", count=count, keys=KEYS_A_STEP)
                sizes[name] = [(_settled_bytes(path) - before) / (count * KEYS_A_STEP)]
            except Failed as failure:
                reasons.append(str(failure))
    return [Row("bytes", sizes.get("ours", ()), sizes.get("mlflow", ()), "; ".join(reasons))]


def _settled_bytes(path: Path) -> int:
    """Return the size of a database file that holds everything committed."""
    connection = sqlite3.connect(path)
    with suppress(sqlite3.OperationalError):
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    pages: int = connection.execute("PRAGMA page_count").fetchone()[0]
    size: int = connection.execute("PRAGMA page_size").fetchone()[0]
    connection.close()
    return pages * size
