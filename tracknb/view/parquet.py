"""The beginning of a Parquet file, read by a process of its own: this file is its script.

A few bytes of a stranger's Parquet file can unpack to gigabytes, what the file says of its
sizes need not be true, and pyarrow is a million lines of C++. So the sizes that it states are
looked at before anything is unpacked, and whatever happens then happens to a process that may
take so much memory and so much time, and no more.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

_UNPACKED_BYTES: Final = 64_000_000
_MEMORY_BYTES: Final = 768_000_000
_SECONDS: Final = 10
# More letters of a cell than any preview shows.
_LETTERS: Final = 1_000


class NoPreview(Exception):
    """The file shows nothing; the message says why."""


def parquet_head(data: bytes, *, rows: int, columns: int) -> tuple[list[str], list[list[str]], int]:
    """Return the names of a table's columns, its first rows as texts, and how many rows it has.

    Raises
    ------
    NoPreview
        It is no Parquet file, or one that costs more than a preview may.
    """
    command = [sys.executable, "-P", str(Path(__file__)), str(rows), str(columns)]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=_SECONDS, check=False)
        found = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        raise NoPreview("This Parquet file takes too long to unpack for a preview.") from None
    except OSError as problem:
        # An application that embeds Python names itself as the interpreter, or none.
        raise NoPreview(f"No process could be started to read this Parquet file: {problem.strerror}.") from None
    except ValueError:
        raise NoPreview("This Parquet file cannot be read, or needs too much memory for a preview.") from None
    if "problem" in found:
        raise NoPreview(found["problem"])
    return found["head"], found["rows"], found["total"]


def text_of(value: Any) -> str:
    """Return what a cell of a table says."""
    if value is None:
        return ""
    return json.dumps(value, default=str) if isinstance(value, dict | list) else str(value)


def _read(data: bytes, rows: int, columns: int) -> dict[str, Any]:
    import pyarrow  # type: ignore[import-not-found,import-untyped,unused-ignore]
    import pyarrow.parquet  # type: ignore[import-not-found,import-untyped,unused-ignore]

    # mimalloc, which pyarrow prefers, takes a gigabyte at once.
    pyarrow.set_memory_pool(pyarrow.system_memory_pool())
    pyarrow.set_cpu_count(1)
    file = pyarrow.parquet.ParquetFile(pyarrow.BufferReader(data))
    head = [str(name) for name in file.schema_arrow.names]
    stated = _stated_bytes(file.metadata, set(head[:columns]))
    if stated > _UNPACKED_BYTES:
        return {"problem": f"This file unpacks to {stated:,} bytes at least; previews end at {_UNPACKED_BYTES:,}."}
    batches = file.iter_batches(batch_size=rows, columns=head[:columns], use_threads=False)
    batch = next(iter(batches), None)
    found = [] if batch is None else [list(row.values()) for row in batch.to_pylist()]
    cells = [[text_of(value)[:_LETTERS] for value in row] for row in found]
    return {"head": head, "rows": cells, "total": file.metadata.num_rows}


def _stated_bytes(metadata: Any, shown: set[str]) -> int:
    """Return what the shown columns of the first rows unpack to, as the file says."""
    if metadata.num_row_groups == 0:
        return 0
    group = metadata.row_group(0)
    chunks = [group.column(number) for number in range(group.num_columns)]
    return sum(chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema.split(".")[0] in shown)


def _limit() -> None:
    """Let this process take so much and no more, where the system has limits."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _main() -> None:
    _limit()
    try:
        found = _read(sys.stdin.buffer.read(), *map(int, sys.argv[1:]))
    except MemoryError:
        found = {"problem": "This Parquet file needs too much memory for a preview."}
    except Exception as problem:
        # What is wrong with a file of strangers is pyarrow's to tell, in many kinds of errors.
        found = {"problem": f"This Parquet file cannot be read: {type(problem).__name__}."}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    _main()
