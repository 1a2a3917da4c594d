"""An import into every kind of database."""

from __future__ import annotations

import threading

import pytest

import tracknb
from tests.transfer.conftest import expected, old_store, tell


@pytest.mark.parametrize("kind", ["files", "database"])
def test_every_kind_of_store_takes_all_that_mlflow_kept(any_store, tmp_path, kind):
    written = old_store(kind, tmp_path / "mlflow")

    tracknb.import_mlflow(written.path)
    again = tracknb.import_mlflow(written.path)

    assert tell() == expected(written)
    assert (again.unchanged_runs, again.points) == (6, 0)


def test_a_run_that_grew_is_brought_up_to_date(any_store, tmp_path):
    written = old_store("files", tmp_path / "mlflow")
    [path] = written.path.glob("*/*/metrics/train/loss")
    whole = path.read_text()
    # Without some lines in the middle, so that what is missing lies between what is there.
    lines = whole.splitlines(keepends=True)
    path.write_text("".join(lines[:2] + lines[5:]))
    tracknb.import_mlflow(written.path)

    path.write_text(whole)
    summary = tracknb.import_mlflow(written.path)

    assert tell() == expected(written)
    assert (summary.updated_runs, summary.points) == (1, 3)


def test_a_long_history_with_every_kind_of_value_is_the_same(any_store, tmp_path):
    written = old_store("files", tmp_path / "mlflow")
    [run] = (path.parent for path in written.path.glob("0/*/meta.yaml"))
    values = ["nan", "inf", "-inf", "0.1", "1e-300"]
    lines = [(1_795_000_000_000 + place, values[place % 5], place // 2) for place in range(5_000)]
    (run / "metrics").mkdir(exist_ok=True)
    (run / "metrics" / "long").write_text("".join(f"{time} {value} {step}\n" for time, value, step in lines))

    tracknb.import_mlflow(written.path)

    points = tracknb.get_metric_history(run.name, "long")
    assert [(point.timestamp, repr(point.value), point.step) for point in points] == lines


def test_two_imports_at_once_are_one(any_store, tmp_path):
    written = old_store("database", tmp_path / "mlflow")
    problems = []

    def work():
        try:
            tracknb.import_mlflow(written.path)
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert problems == []
    assert tell() == expected(written)
