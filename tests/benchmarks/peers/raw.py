"""The least that could be done: a file append, and the ``sqlite3`` module by itself."""

from __future__ import annotations

import os
import sqlite3
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from protocol import Answer, bulk, latencies, serve, timed

# As long as the record that tracknb's spool appends for a point.
RECORD = struct.Struct("<IqqdQxxxxxxxx")
NOW_MS = 1_700_000_000_000


def append(folder: str, count: int, records: int) -> Answer:
    """Time the append of ``records`` records to a file, with one write for all."""
    fd = os.open(Path(folder) / "points.bin", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    pack = RECORD.pack

    def one(number: int) -> None:
        os.write(fd, pack(1, number, NOW_MS, 0.5, number))

    def several(number: int) -> None:
        os.write(fd, b"".join([pack(key, number, NOW_MS, 0.5, number) for key in range(records)]))

    try:
        return latencies(one if records == 1 else several, count)
    finally:
        os.close(fd)


def commit_each(folder: str, count: int, table: str) -> Answer:
    """Time one durable transaction per point."""
    connection = _with_table(Path(folder) / "commits.db", table)
    insert = _insert(connection)
    width = insert.count("?")
    try:
        return latencies(lambda number: connection.execute(insert, _row(number, width)), count)
    finally:
        connection.close()


def executemany(folder: str, count: int, table: str) -> Answer:
    """Insert points in one transaction: the most that plain SQLite can do."""
    connection = _with_table(Path(folder) / "many.db", table)
    insert = _insert(connection)
    width = insert.count("?")
    rows: Iterator[tuple[object, ...]] = (_row(number, width) for number in range(count))
    connection.execute("BEGIN IMMEDIATE")
    answer = bulk(lambda _: connection.executemany(insert, rows), 1, lambda: connection.execute("COMMIT"))
    connection.close()
    return {**answer, "calls": count}


def _with_table(path: Path, table: str) -> sqlite3.Connection:
    for left in path.parent.glob(f"{path.name}*"):
        left.unlink()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(table)
    return connection


def _insert(connection: sqlite3.Connection) -> str:
    names = [row[1] for row in connection.execute("PRAGMA table_info(metrics)")]
    return f"INSERT INTO metrics VALUES ({', '.join('?' * len(names))})"


def _row(number: int, width: int) -> tuple[object, ...]:
    # run, key, step, point, elapsed, value: and nothing for columns that came later.
    return (1, 1, number, number, NOW_MS, 0.5, *(None,) * (width - 6))


def history(path: str, run_id: str, key: str, repeats: int) -> Answer:
    """Time ``fetchall`` and a DataFrame made of its rows."""
    connection = sqlite3.connect(path)
    statement = """
        SELECT m.step, r.start_time + m.elapsed, m.value FROM metrics AS m JOIN runs AS r ON r.id = m.run
        WHERE r.run_id = ? AND m.key = (SELECT id FROM metric_keys WHERE name = ?)
        ORDER BY m.step
    """

    def read() -> pd.DataFrame:
        frame = pd.DataFrame(
            connection.execute(statement, (run_id, key)).fetchall(), columns=["step", "timestamp", "value"]
        )
        return frame.assign(run_id=run_id, key=key)

    pd.DataFrame([(1, 2)])
    try:
        return timed(read, repeats)
    finally:
        connection.close()


def rows(path: str, run_id: str, key: str, repeats: int) -> Answer:
    """Time the reading of a curve's steps and values, as a chart without a summary must."""
    connection = sqlite3.connect(path)
    statement = """
        SELECT m.step, m.value FROM metrics AS m JOIN runs AS r ON r.id = m.run
        WHERE r.run_id = ? AND m.key = (SELECT id FROM metric_keys WHERE name = ?)
        ORDER BY m.step
    """
    try:
        return timed(lambda: connection.execute(statement, (run_id, key)).fetchall(), repeats)
    finally:
        connection.close()


def pause(seconds: float) -> None:
    """Do nothing, so that background work of others comes to rest."""
    time.sleep(seconds)


if __name__ == "__main__":
    serve({command.__name__: command for command in (append, commit_each, executemany, history, rows, pause)})
