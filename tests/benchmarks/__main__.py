"""Measure tracknb beside its peers in one run, in turns, and print a table of ratios."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.benchmarks import cells_part, logging_parts, reading_parts, safety_parts, start_part, views
from tests.benchmarks.contestants import Failed
from tests.benchmarks.table import GOALS, PARTS, Row, markdown

Part = Callable[..., list[Row]]
MEASURES: Final[dict[str, Part]] = {
    "calls": logging_parts.calls,
    "durable": logging_parts.durable,
    "paced": logging_parts.paced,
    "bytes": logging_parts.bytes_per_point,
    "start": start_part.start,
    "cells": cells_part.cells,
    "search": reading_parts.search,
    "history": reading_parts.history,
    "kill": safety_parts.kill,
    "writers": safety_parts.writers,
    "race": safety_parts.race,
    "view-table": views.table,
    "view-charts": views.charts,
    "view-live": views.live,
    "view-sizes": views.sizes,
}


def main() -> int:
    """Run the parts that were asked for; the exit code is 1 if a figure is below its must."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"one of: {', '.join(PARTS)}; all if left out")
    parser.add_argument("--quick", action="store_true", help="smaller sizes, to see that everything works")
    parser.add_argument("--rounds", type=int, default=0, help="how often each contestant has its turn (5; quick: 2)")
    parser.add_argument("--folder", type=Path, help="where the stores are made; the system's temporary folder")
    options = parser.parse_args()
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"no part is called {', '.join(sorted(unknown))}; there are: {', '.join(PARTS)}")
    rounds = options.rounds or (2 if options.quick else 5)
    rows: list[Row] = []
    for part in options.parts or PARTS:
        begin = time.perf_counter()
        with tempfile.TemporaryDirectory(dir=options.folder, prefix=f"bench-{part}-") as folder:
            try:
                rows += MEASURES[part](Path(folder), rounds, quick=options.quick)
            except Failed as failure:
                rows += [Row(key, note=f"ours {failure}") for key, goal in GOALS.items() if goal.part == part]
        print(f"{part}: {time.perf_counter() - begin:.0f} s", file=sys.stderr)
    print(markdown(rows, quick=options.quick))
    return 1 if any(row.verdict == "NO" for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
