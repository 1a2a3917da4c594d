"""The command line: what it prints, where, and with which exit code."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

import tracknb
from tracknb import demo
from tracknb.cli import main
from tracknb.client import close_stores


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A store with one run, whose metric is NaN."""
    monkeypatch.delenv("TRACKNB_TRACKING_URI", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    client = tracknb.TrackingClient("tracknb.db")
    run = client.create_run(client.create_experiment("nyc-taxi"), run_name="linear")
    client.log_metric(run.info.run_id, "rmse", float("nan"))
    client.log_metric(run.info.run_id, "mae", 2.5)
    client.set_terminated(run.info.run_id)
    yield tmp_path / "tracknb.db"
    close_stores()


def test_a_verb_prints_its_table(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs"]) == 0

    printed = capsys.readouterr()
    assert "linear" in printed.out
    assert printed.err == ""


def test_json_is_strict_even_with_nan(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "--json"]) == 0

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    payload = json.loads(capsys.readouterr().out, parse_constant=refuse)
    values = {metric["key"]: metric["values"] for metric in payload["data"]["metrics"]}
    assert values == {"mae": [2.5], "rmse": ["NaN"]}


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        (["runs", "nyc-taxy"], 1, "tracknb: No experiment is called 'nyc-taxy'. Did you mean 'nyc-taxi'?\n"),
        (["rnus"], 2, "tracknb: No verb is called 'rnus'. Did you mean 'runs'?\nSee: tracknb --help\n"),
        (
            ["runs", "--jsn"],
            2,
            "tracknb: No option is called '--jsn'. Did you mean '--json'?\nSee: tracknb runs --help\n",
        ),
    ],
)
def test_a_mistake_goes_to_standard_error_with_its_code(
    store: Path, capsys: pytest.CaptureFixture[str], argv: list[str], code: int, message: str
) -> None:
    assert main(argv) == code

    printed = capsys.readouterr()
    assert printed.err == message
    assert printed.out == ""


def test_df_prints_csv_in_which_nothing_is_a_formula(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    client = tracknb.TrackingClient("tracknb.db")
    run = client.create_run("1", run_name="=1+1", tags={"note": 'two\nlines, "said"', "SUM": "x"})
    client.log_params(run.info.run_id, {"shift": "-0.5", "cmd": "-cmd|' /C calc'!A0"})
    client.set_terminated(run.info.run_id)

    assert main(["df", "run_name LIKE '=%' or metrics.mae < 3", "--order", "run_name", "--experiment", "nyc-taxi"]) == 0

    written = capsys.readouterr().out
    rows = list(csv.DictReader(io.StringIO(written)))
    assert [row["tags.mlflow.runName"] for row in rows] == ["'=1+1", "linear"]
    assert (rows[0]["params.shift"], rows[0]["params.cmd"]) == ("-0.5", "'-cmd|' /C calc'!A0")
    assert (rows[0]["tags.note"], rows[0]["tags.SUM"]) == ('two\nlines, "said"', "x")
    assert rows[1]["metrics.mae"] == "2.5"


def test_df_as_json_is_strict(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["df", "--json"]) == 0

    payload = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    [run] = payload["runs"]
    assert (run["run_name"], run["metrics"]) == ("linear", {"mae": 2.5, "rmse": "NaN"})


def test_looking_in_an_empty_folder_makes_no_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("TRACKNB_TRACKING_URI", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)

    assert main(["runs"]) == 1
    assert "There is no store at" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0

    assert capsys.readouterr().out == f"tracknb {tracknb.__version__}\n"


def test_a_reader_that_closes_early_causes_no_complaint(store: Path) -> None:
    command = [sys.executable, "-m", "tracknb.cli", "runs"]
    writer = subprocess.Popen(command, cwd=store.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert writer.stdout is not None
    assert writer.stderr is not None
    writer.stdout.close()

    assert writer.stderr.read() == b""
    writer.wait(timeout=60)


def test_demo_does_not_write_over_a_notebook(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It may hold the user's own changes."""
    own = tmp_path / demo.NOTEBOOK
    own.write_text("mine")

    assert main(["demo", "--out", str(tmp_path), "--no-browser"]) == 1
    assert "is already there and stays as it is" in capsys.readouterr().err
    assert own.read_text() == "mine"


def test_demo_notebook_is_the_one_in_the_documentation_without_outputs(tmp_path: Path) -> None:
    written = json.loads(demo.write(tmp_path).read_text())
    source = json.loads(demo.source().read_text())

    assert [cell["source"] for cell in written["cells"]] == [cell["source"] for cell in source["cells"]]
    assert all(not cell["outputs"] for cell in written["cells"] if cell["cell_type"] == "code")


@pytest.mark.timeout(300)
def test_demo_runs_the_notebook_and_prints_its_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "first"

    assert main(["demo", "--out", str(out), "--no-browser"]) == 0

    printed = capsys.readouterr().out
    for name in ("distance", "rush-hours", "rush-hours-faster"):
        assert name in printed
    assert "jupyterlab" in printed
    left = {path.name for path in out.iterdir()} - {"tracknb.db-wal", "tracknb.db-shm"}
    assert left <= {demo.NOTEBOOK, "tracknb.db", "tracknb-artifacts"}
    source = tracknb.TrackingClient(out / "tracknb.db").search_runs(["1"])[0].data.tags["mlflow.source.name"]
    assert source.endswith(demo.NOTEBOOK)
    close_stores()
