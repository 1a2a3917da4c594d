"""What a logged point costs: a call's latency and points per second until committed.

Run by hand: ``python -m tests.benchmarks.logging_calls``. Peers are measured in the same
run, in turns, on the same disk; trust the ratios, not the absolutes. Prints medians of
the rounds.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import statistics
import struct
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import tracknb

Rows = dict[str, dict[str, list[float]]]


def per_call(call: Callable[[int], object], count: int) -> tuple[list[int], int]:
    """Return each call's nanoseconds, and their sum measured around the loop."""
    clock = time.perf_counter_ns
    spent = []
    begin = clock()
    for number in range(count):
        start = clock()
        call(number)
        spent.append(clock() - start)
    return spent, clock() - begin


def with_tracknb(folder: Path, count: int) -> tuple[list[int], float]:
    """Log through the fluent call; the total runs until every point is committed."""
    tracknb.set_tracking_uri(f"sqlite:///{folder}/ours.db")
    with tracknb.start_run():
        tracknb.log_metric("warm", 0.0)
        tracknb.flush()
        begin = time.perf_counter()
        spent, _ = per_call(lambda number: tracknb.log_metric("loss", 0.5, step=number), count)
        tracknb.flush()
        return spent, time.perf_counter() - begin


def with_file_append(folder: Path, count: int) -> tuple[list[int], float]:
    """Append one 44-byte record to a file with a write each: the least that survives a kill."""
    record = struct.Struct("<IqqdQxxxxxxxx")
    fd = os.open(folder / "points.bin", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    spent, total = per_call(lambda number: os.write(fd, record.pack(1, number, 0, 0.5, number)), count)
    os.close(fd)
    return spent, total / 1e9


def with_raw_commits(folder: Path, count: int) -> tuple[list[int], float]:
    """Commit one row per point to a plain SQLite database in WAL mode."""
    connection = sqlite3.connect(folder / "raw.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE points (run INT, step INT, timestamp INT, value REAL)")
    insert = "INSERT INTO points VALUES (1, ?, 0, 0.5)"
    spent, total = per_call(lambda number: connection.execute(insert, (number,)), count)
    connection.close()
    return spent, total / 1e9


def with_raw_executemany(folder: Path, count: int) -> tuple[list[int], float]:
    """Insert all points in one transaction: the most that plain SQLite can do."""
    connection = sqlite3.connect(folder / "many.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE points (run INT, step INT, timestamp INT, value REAL)")
    begin = time.perf_counter()
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany("INSERT INTO points VALUES (1, ?, 0, 0.5)", ((number,) for number in range(count)))
    connection.execute("COMMIT")
    total = time.perf_counter() - begin
    connection.close()
    return [], total


def main() -> None:
    """Measure every peer in turns and print a table of ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=50_000)
    parser.add_argument("--commits", type=int, default=2_000, help="points for the peer that commits each")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    peers = {
        "tracknb.log_metric": (with_tracknb, options.points),
        "plain file append": (with_file_append, options.points),
        "raw sqlite3, commit per point": (with_raw_commits, options.commits),
        "raw sqlite3, one executemany": (with_raw_executemany, options.points),
    }
    rows: Rows = {name: {"p50": [], "p99": [], "rate": []} for name in peers}
    for _ in range(options.rounds):
        for name, (measure, count) in peers.items():
            with tempfile.TemporaryDirectory() as folder:
                spent, seconds = measure(Path(folder), count)
                rows[name]["rate"].append(count / seconds)
                if spent:
                    quantiles = statistics.quantiles(spent, n=100)
                    rows[name]["p50"].append(quantiles[49] / 1000)
                    rows[name]["p99"].append(quantiles[98] / 1000)
    ours = {figure: statistics.median(values) for figure, values in rows["tracknb.log_metric"].items()}
    print(f"{'':32}{'p50 µs':>10}{'p99 µs':>10}{'points/s':>12}{'ours/its p50':>14}{'ours/its rate':>15}")
    for name, figures in rows.items():
        median = {figure: statistics.median(values) for figure, values in figures.items() if values}
        p50, p99 = median.get("p50"), median.get("p99")
        print(
            f"{name:32}"
            + (f"{p50:>10.1f}{p99:>10.1f}" if p50 is not None and p99 is not None else f"{'':20}")
            + f"{median['rate']:>12,.0f}"
            + (f"{ours['p50'] / p50:>14.2f}" if p50 else f"{'':14}")
            + f"{ours['rate'] / median['rate']:>15.2f}"
        )


if __name__ == "__main__":
    main()
