"""An import against MLflow itself: every run, param, tag, point and file is what MLflow's client says."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

import tracknb
from tests.transfer.conftest import Written, expected, old_store, snapshot, tell
from tracknb.cli import main
from tracknb.errors import InvalidValue, NotFound, SourceDamaged
from tracknb.verbs import run_verb


def test_all_that_mlflow_kept_is_the_same_here(store: Path, new: Written) -> None:
    summary = tracknb.import_mlflow(new.path)

    assert tell() == expected(new)
    assert (summary.runs, summary.skipped, summary.missing_artifacts) == (6, (), ())
    runs = [run for experiment in expected(new).values() for run in experiment["runs"].values()]
    assert summary.points == sum(len(points) for run in runs for points in run["points"].values())
    assert summary.artifacts == sum(len(run["files"]) for run in runs) == 4


def test_a_store_of_an_older_mlflow_from_another_machine_is_the_same_here(store: Path, old: Written) -> None:
    summary = tracknb.import_mlflow(old.path)

    assert tell() == expected(old)
    assert (summary.runs, summary.skipped, summary.missing_artifacts) == (6, (), ())


def test_the_source_is_not_touched(store: Path, old: Written) -> None:
    before = snapshot(old.folder)

    tracknb.import_mlflow(old.path)

    assert snapshot(old.folder) == before


def test_importing_again_changes_nothing(store: Path, old: Written) -> None:
    tracknb.import_mlflow(old.path)
    before = tell()

    summary = tracknb.import_mlflow(old.path)

    assert tell() == before
    assert (summary.new_experiments, summary.runs, summary.updated_runs, summary.unchanged_runs) == (0, 0, 0, 6)
    assert (summary.points, summary.artifacts) == (0, 0)


def test_what_grew_since_is_brought_up_to_date(store: Path, new: Written) -> None:
    tracknb.import_mlflow(new.path)

    grown = new.grown()
    summary = tracknb.import_mlflow(grown.path)

    said, wanted = tell(), expected(grown)
    for experiment in wanted.values():
        experiment.pop("last_update_time", None)
    for experiment in said.values():
        experiment.pop("last_update_time", None)
    assert said == wanted
    # Two equal points come twice from files; MLflow's databases keep one of them.
    late = 3 if new.kind == "files" else 2
    assert (summary.runs, summary.updated_runs, summary.points, summary.artifacts) == (1, 2, late + 2, 1)


@pytest.mark.parametrize("kind", ["files", "database"])
def test_infinities_nan_and_equal_points_come_back(store: Path, tmp_path: Path, kind: str) -> None:
    written = old_store(kind, tmp_path)
    tracknb.import_mlflow(written.path)

    [run] = tracknb.search_runs(filter_string="tags.empty = ''", search_all_experiments=True, output_format="list")
    client = tracknb.MlflowClient()
    loss = [repr(point.value) for point in client.get_metric_history(run.info.run_id, "train/loss")]
    assert loss[1:4] == ["nan", "inf", "-inf"]
    # Two equal points: MLflow's databases keep one of them, its files both.
    assert len(client.get_metric_history(run.info.run_id, "twice")) == (2 if kind == "files" else 1)


def test_a_run_of_ones_own_with_the_same_id_stays_as_it_is(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = old_store("files", tmp_path)
    run_id = next(iter(written.told["old"]["runs"]))
    monkeypatch.setattr("tracknb.names.new_run_id", lambda: run_id)
    with tracknb.start_run(run_name="mine"):
        tracknb.log_metric("acc", 1.0)
        tracknb.log_text("mine", "mine.txt")
    before = tracknb.get_run(run_id)

    summary = tracknb.import_mlflow(written.path)

    assert tracknb.get_run(run_id) == before
    assert [file.path for file in tracknb.MlflowClient().list_artifacts(run_id)] == ["mine.txt"]
    assert summary.runs == 5
    assert summary.skipped == (
        (f"run inside ({run_id})", "A run of this id is here that was not imported. It was left as it is."),
    )


def test_another_store_with_the_same_run_id_overwrites_nothing(store: Path, tmp_path: Path) -> None:
    written = old_store("files", tmp_path)
    tracknb.import_mlflow(written.path)
    before = tell()
    [depth] = written.path.glob("*/*/params/model/depth")
    depth.write_text("4")

    summary = tracknb.import_mlflow(written.path)

    assert tell() == before
    [(_, why)] = summary.skipped
    assert why == "A run of this id is here whose param 'model/depth' is '3', not '4'. It was left as it is."


def test_an_experiment_of_the_same_name_takes_the_runs_and_keeps_its_tags(store: Path, tmp_path: Path) -> None:
    written = old_store("database", tmp_path)
    mine = tracknb.create_experiment("nyc: taxi #1", tags={"team": "mine"})
    tracknb.set_experiment(experiment_id=mine)
    with tracknb.start_run(run_name="mine"):
        pass

    summary = tracknb.import_mlflow(written.path)

    found = tracknb.get_experiment(mine)
    assert found.tags == {"team": "mine", "mlflow.note.content": "# Taxi\n\nwords"}
    assert {run.info.run_name for run in tracknb.search_runs([mine], output_format="list")} >= {"mine"}
    assert len(tracknb.search_runs([mine], output_format="list")) == 4
    assert (summary.experiments, summary.new_experiments) == (4, 2)


def test_what_was_edited_here_stays_while_the_source_stays(store: Path, old: Written) -> None:
    tracknb.import_mlflow(old.path)
    [run] = tracknb.search_runs(
        filter_string="tags.stage = 'candidate'", search_all_experiments=True, output_format="list"
    )
    tracknb.MlflowClient().set_tag(run.info.run_id, "stage", "best")

    tracknb.import_mlflow(old.path)

    assert tracknb.get_run(run.info.run_id).data.tags["stage"] == "best"


def test_an_import_that_is_killed_leaves_whole_runs_and_the_next_completes_it(store: Path, old: Written) -> None:
    """Killed at every point where a file is put or a run is done, again and again until nothing is left to do."""
    script = (
        "import os, sys, tracknb\n"
        "from tracknb.files import LocalArtifacts\n"
        "left = [int(sys.argv[3])]\n"
        "def die(*_):\n"
        "    left[0] -= 1\n"
        "    if left[0] < 0: os.kill(os.getpid(), 9)\n"
        "real = LocalArtifacts.put_file\n"
        "def put(*args): die(); real(*args); die()\n"
        "LocalArtifacts.put_file = put\n"
        "tracknb.import_mlflow(sys.argv[1], tracking_uri=sys.argv[2], progress=die)\n"
    )
    deaths = 0
    for steps in range(20):
        done = subprocess.run([sys.executable, "-c", script, str(old.path), str(store), str(steps)], check=False)
        if done.returncode == 0:
            break
        deaths += 1
        for name, experiment in tell().items():
            for run_id, run in experiment["runs"].items():
                assert run | {"files": {}} == expected(old)[name]["runs"][run_id] | {"files": {}}

    assert deaths > 5
    assert tell() == expected(old)


def test_a_prefix_of_a_run_is_never_seen(store: Path, tmp_path: Path) -> None:
    """A run whose last metric cannot be read comes not at all, and the others do."""
    written = old_store("files", tmp_path)
    [path] = written.path.glob("*/*/metrics/twice")
    path.write_text("1600000003000 0.25 5\n1600000003000 what 5\n")

    summary = tracknb.import_mlflow(written.path)

    run_id = path.parts[-3]
    with pytest.raises(NotFound):
        tracknb.get_run(run_id)
    assert summary.runs == 5
    [(what, why)] = summary.skipped
    assert run_id in what
    assert why == f"{path} holds no point in line 2: '1600000003000 what 5'."

    path.write_text("1600000003000 0.25 5\n1600000003000 0.25 5\n")
    tracknb.import_mlflow(written.path)
    assert tell() == expected(written)


def test_a_point_that_is_just_being_written_comes_with_the_next_import(store: Path, tmp_path: Path) -> None:
    written = old_store("files", tmp_path)
    [path] = written.path.glob("*/*/metrics/twice")
    path.write_text("1600000003000 0.25 5\n16000")

    tracknb.import_mlflow(written.path)
    client = tracknb.MlflowClient()
    assert len(client.get_metric_history(path.parts[-3], "twice")) == 1

    path.write_text("1600000003000 0.25 5\n1600000003000 0.25 5\n")
    tracknb.import_mlflow(written.path)
    assert tell() == expected(written)


def test_metric_files_of_every_version_are_read(store: Path, tmp_path: Path) -> None:
    """The oldest had no steps; those of a dataset end with its name and digest."""
    written = old_store("files", tmp_path)
    [path] = written.path.glob("*/*/metrics/twice")
    path.write_text("1600000003000 0.25\n1600000003001 inf 7 taxi 1a2b\n\n1600000003002 -0.0 8\n")

    tracknb.import_mlflow(written.path)

    points = tracknb.get_metric_history(path.parts[-3], "twice")
    assert [(point.timestamp, repr(point.value), point.step) for point in points] == [
        (1600000003000, "0.25", 0),
        (1600000003001, "inf", 7),
        (1600000003002, "0.0", 8),
    ]


def test_folders_that_are_links_are_not_read(store: Path, tmp_path: Path) -> None:
    written = old_store("files", tmp_path)
    [run] = (path.parent for path in written.path.glob("0/*/meta.yaml"))
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "key").write_text("secret")
    shutil.rmtree(run / "params")
    (run / "params").symlink_to(tmp_path / "secrets")
    (run / "tags" / "key").symlink_to(tmp_path / "secrets" / "key")

    tracknb.import_mlflow(written.path)

    assert tell() == expected(written)


def test_an_experiment_that_is_deleted_here_stays_so_and_is_named(store: Path, tmp_path: Path) -> None:
    written = old_store("files", tmp_path)
    mine = tracknb.create_experiment("nyc: taxi #1")
    tracknb.delete_experiment(mine)

    summary = tracknb.import_mlflow(written.path)

    assert tracknb.get_experiment(mine).lifecycle_stage == "deleted"
    assert summary.skipped == (
        (
            "experiment nyc: taxi #1",
            f"It is deleted here and stays so; its runs came. Use restore_experiment('{mine}').",
        ),
    )


@pytest.mark.parametrize("text", ["run_name: 'open\n", "no colon here\n", "\udcff"])
def test_a_run_whose_meta_yaml_cannot_be_read_is_named(store: Path, tmp_path: Path, text: str) -> None:
    written = old_store("files", tmp_path)
    path = next(written.path.glob("0/*/meta.yaml"))
    path.write_bytes(text.encode("utf-8", "surrogateescape"))

    summary = tracknb.import_mlflow(written.path)

    assert summary.runs == 5
    [(what, why)] = summary.skipped
    assert path.parent.name in what
    assert why.startswith(f"{path} cannot be read: ")


def test_files_that_are_nowhere_are_told_and_the_rest_comes(store: Path, old: Written) -> None:
    for folder in [*old.folder.glob("mlruns/*/*/artifacts"), *old.folder.glob("mlruns/.trash/*/*/artifacts")]:
        shutil.rmtree(folder.parents[1] if old.kind == "database" else folder, ignore_errors=True)
    if old.kind == "database":
        shutil.rmtree(old.folder / "mlruns")

    summary = tracknb.import_mlflow(old.path)

    assert (summary.runs, summary.artifacts, summary.skipped) == (6, 0, ())
    if old.kind == "database":
        assert len(summary.missing_artifacts) == 6
        assert all(place.startswith("/home/ada/database/mlruns/") for _, place in summary.missing_artifacts)


def test_files_of_object_stores_are_told(store: Path, tmp_path: Path) -> None:
    written = old_store("database", tmp_path)
    with sqlite3.connect(written.path) as connection:
        connection.execute("UPDATE runs SET artifact_uri = 's3://bucket/1/' || run_uuid || '/artifacts'")
    connection.close()

    summary = tracknb.import_mlflow(written.path)

    assert summary.artifacts == 0
    assert {place.partition("/1/")[0] for _, place in summary.missing_artifacts} == {"s3://bucket"}


@pytest.mark.parametrize(
    ("address", "folder"),
    [
        ("mlflow-artifacts:/{experiment}/{run}/artifacts", "mlartifacts"),
        ("file:///home/bob/other%20place/mlruns/{experiment}/{run}/artifacts", "mlruns"),
        ("file:///C:/Users/bob/mlruns/{experiment}/{run}/artifacts", "mlruns"),
        ("./mlruns/{experiment}/{run}/artifacts", "mlruns"),
        ("mlruns/{experiment}/{run}/artifacts", "mlruns"),
        ("/mnt/shared/runs/{run}/artifacts", "mlruns/{experiment}"),
    ],
)
def test_files_are_found_beside_the_database_whatever_their_address(
    store: Path, tmp_path: Path, address: str, folder: str
) -> None:
    written = old_store("database", tmp_path)
    connection = sqlite3.connect(written.path)
    for run, experiment in connection.execute("SELECT run_uuid, experiment_id FROM runs").fetchall():
        place = address.format(run=run, experiment=experiment)
        connection.execute("UPDATE runs SET artifact_uri = ? WHERE run_uuid = ?", (place, run))
        if folder == "mlruns/{experiment}" and (own := written.folder / "mlruns" / str(experiment) / run).is_dir():
            own.rename(written.folder / run)
    connection.commit()
    connection.close()
    if folder == "mlartifacts":
        (written.folder / "mlruns").rename(written.folder / folder)

    tracknb.import_mlflow(written.path)

    assert tell() == expected(written)


def test_a_hostile_address_fetches_no_file_of_yours(store: Path, tmp_path: Path) -> None:
    written = old_store("database", tmp_path)
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "key").write_text("secret")
    inside = next(written.folder.glob("mlruns/*/*/artifacts"))
    (inside / "link").symlink_to(secrets / "key")
    (inside / "folder").symlink_to(secrets)
    with sqlite3.connect(written.path) as connection:
        connection.execute("UPDATE runs SET artifact_uri = ? WHERE name = 'still going'", (str(secrets),))
    connection.close()

    summary = tracknb.import_mlflow(written.path)

    assert not [path for path in store.parent.rglob("*") if path.is_file() and path.read_bytes() == b"secret"]
    assert len(summary.missing_artifacts) == 3


@pytest.mark.parametrize("run_id", ["../../../outside", "a/b", "", "x" * 65])
def test_an_id_that_is_a_path_is_refused(store: Path, tmp_path: Path, run_id: str) -> None:
    written = old_store("database", tmp_path)
    with sqlite3.connect(written.path) as connection:
        connection.execute("UPDATE runs SET run_uuid = ? WHERE name = 'still going'", (run_id,))
    connection.close()

    summary = tracknb.import_mlflow(written.path)

    assert summary.runs == 5
    assert "is no run id" in summary.skipped[0][1]


def test_a_link_leaves_files_where_they_are_and_nothing_removes_them(store: Path, tmp_path: Path) -> None:
    written = old_store("files", tmp_path)
    before = snapshot(written.folder)

    summary = tracknb.import_mlflow(written.path, artifacts="link")

    assert tell() == expected(written)
    assert summary.artifacts == 0
    client = tracknb.MlflowClient()
    for run in client.search_runs(["0", "1", "2", "3"]):
        client.delete_run(run.info.run_id)
    client.gc()
    assert snapshot(written.folder) == before


def test_copying_after_linking_and_after_skipping_gives_runs_files_of_their_own(store: Path, tmp_path: Path) -> None:
    written = old_store("files", tmp_path)
    before = snapshot(written.folder)

    for artifacts in ("skip", "link", "copy"):
        tracknb.import_mlflow(written.path, artifacts=artifacts)

    assert tell() == expected(written)
    assert snapshot(written.folder) == before
    assert not [path for path in store.parent.rglob("*") if path.is_symlink()]


# -- databases in odd states -------------------------------------------------------------


def _with_wal(path: Path) -> sqlite3.Connection:
    """Put a database into WAL mode and rename a run, which stays in the WAL while the connection lives."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA wal_autocheckpoint=0")
    connection.execute("UPDATE runs SET name = 'from the wal' WHERE name = 'still going'")
    connection.commit()
    return connection


def test_what_is_in_the_wal_of_a_living_writer_comes_too(store: Path, tmp_path: Path) -> None:
    written = old_store("database", tmp_path)
    writer = _with_wal(written.path)
    before = {name: content for name, content in snapshot(written.folder).items() if not name.endswith("-shm")}

    tracknb.import_mlflow(written.path)

    after = {name: content for name, content in snapshot(written.folder).items() if not name.endswith("-shm")}
    writer.close()
    assert after == before
    assert [run.info.run_name for run in tracknb.search_runs(["0"], output_format="list")] == ["from the wal"]


def test_a_copy_with_a_wal_is_read_and_not_changed(store: Path, tmp_path: Path) -> None:
    written = old_store("database", tmp_path / "there")
    writer = _with_wal(written.path)
    folder = tmp_path / "copy"
    folder.mkdir()
    for ending in ("", "-wal"):
        shutil.copy(f"{written.path}{ending}", folder / f"mlflow.db{ending}")
    writer.close()
    before = snapshot(folder)

    tracknb.import_mlflow(folder / "mlflow.db")

    assert snapshot(folder) == before
    assert [run.info.run_name for run in tracknb.search_runs(["0"], output_format="list")] == ["from the wal"]


def test_a_database_in_wal_mode_without_a_wal_gets_no_files_beside_it(store: Path, tmp_path: Path) -> None:
    written = old_store("database", tmp_path)
    _with_wal(written.path).close()
    assert not Path(f"{written.path}-wal").exists()
    before = snapshot(written.folder)

    tracknb.import_mlflow(written.path)

    assert snapshot(written.folder) == before
    assert [run.info.run_name for run in tracknb.search_runs(["0"], output_format="list")] == ["from the wal"]


def test_a_read_only_source_is_imported(store: Path, old: Written) -> None:
    for path in [*old.folder.rglob("*"), old.folder]:
        path.chmod(0o555 if path.is_dir() else 0o444)

    tracknb.import_mlflow(old.path)

    assert tell() == expected(old)


def test_a_damaged_database_is_named_and_leaves_nothing(store: Path, tmp_path: Path) -> None:
    written = old_store("database", tmp_path)
    content = bytearray(written.path.read_bytes())
    content[100:4096] = os.urandom(3996)
    written.path.write_bytes(content)

    with pytest.raises(SourceDamaged, match=r"mlflow\.db is no sound SQLite database"):
        tracknb.import_mlflow(written.path)

    assert tell() == {"Default": {"lifecycle_stage": "active", "tags": {}, "runs": {}}}


def test_a_damaged_page_costs_only_what_lies_on_it(store: Path, tmp_path: Path) -> None:
    """A run is skipped or whole; never is a part of one here, whichever page is bad."""
    content = old_store("database", tmp_path).path.read_bytes()
    wanted = expected(old_store("database", tmp_path))
    damaged = 0
    for page in range(1, len(content) // 4096):
        path = tmp_path / f"{page}.db"
        path.write_bytes(content[: page * 4096] + b"\xff" * 4096 + content[(page + 1) * 4096 :])
        target = tmp_path / f"target-{page}.db"
        try:
            summary = tracknb.import_mlflow(path, tracking_uri=target, artifacts="skip")
        except SourceDamaged:
            damaged += 1
            continue
        damaged += bool(summary.skipped)
        for name, experiment in tell(str(target)).items():
            for run_id, run in experiment["runs"].items():
                assert run["points"] == wanted[name]["runs"][run_id]["points"]

    assert damaged > 3


def test_a_column_of_a_later_mlflow_does_no_harm_and_a_missing_one_is_named(store: Path, tmp_path: Path) -> None:
    written = old_store("database", tmp_path)
    connection = sqlite3.connect(written.path)
    connection.execute("ALTER TABLE runs ADD COLUMN colour TEXT")
    connection.execute("ALTER TABLE metrics RENAME COLUMN run_uuid TO run_number")
    connection.commit()
    connection.close()

    with pytest.raises(InvalidValue) as caught:
        tracknb.import_mlflow(written.path)

    assert str(caught.value) == (
        f"{written.path} is a database of an MLflow that this version of tracknb does not know: the table 'metrics' "
        "has no column 'run_uuid'. Nothing was imported. Upgrade tracknb."
    )


def test_columns_of_younger_mlflow_may_be_missing(store: Path, tmp_path: Path) -> None:
    """MLflow 1.0 had no names of runs, no times of experiments and no time of deletion."""
    written = old_store("database", tmp_path)
    connection = sqlite3.connect(written.path)
    for table, columns in {
        "runs": ("name", "deleted_time"),
        "experiments": ("creation_time", "last_update_time"),
    }.items():
        for column in columns:
            connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    connection.execute("DROP TABLE experiment_tags")
    connection.commit()
    connection.close()

    tracknb.import_mlflow(written.path)

    assert {run_id for item in tell().values() for run_id in item["runs"]} == {
        run_id for item in written.told.values() for run_id in item["runs"]
    }
    assert [run.info.run_name for run in tracknb.search_runs(["0"], output_format="list")] == ["still going"]


def test_the_step_of_a_numpy_integer_is_the_number_it_was(store: Path, tmp_path: Path) -> None:
    """MLflow's SQLite keeps ``step=np.int64(7)`` as eight bytes."""
    written = old_store("database", tmp_path)
    connection = sqlite3.connect(written.path)
    connection.execute("UPDATE metrics SET step = ? WHERE key = 'twice'", ((7).to_bytes(8, "little"),))
    connection.commit()
    connection.close()

    tracknb.import_mlflow(written.path)

    [run] = tracknb.search_runs(filter_string="tags.empty = ''", search_all_experiments=True, output_format="list")
    assert [point.step for point in tracknb.get_metric_history(run.info.run_id, "twice")] == [7]


# -- what is no store --------------------------------------------------------------------


def test_what_is_no_store_of_mlflow_is_refused(store: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.db").write_text("no database " * 100)
    sqlite3.connect(tmp_path / "other.db").execute("CREATE TABLE t (x)").connection.close()
    tracknb.create_experiment("mine")
    messages = {}
    for name in ("empty", "text.db", "other.db", "absent", store):
        with pytest.raises((InvalidValue, NotFound, SourceDamaged)) as caught:
            tracknb.import_mlflow(tmp_path / name)
        messages[str(name)] = str(caught.value).replace(str(tmp_path), "~")
    with pytest.raises(InvalidValue) as caught:
        tracknb.import_mlflow("http://ada:secret@host:5000")

    assert messages == {
        "empty": "~/empty is no mlruns folder of MLflow: no folder in it has a meta.yaml. Nothing was imported.",
        "text.db": "~/text.db is no sound SQLite database (file is not a database). "
        "It was not changed, and nothing was imported from it.",
        "other.db": "~/other.db is no database of MLflow: it lacks the tables experiments, runs and metrics. "
        "Nothing was imported.",
        "absent": "There is nothing at ~/absent. Nothing was imported. "
        "Name an mlruns folder, sqlite:///mlflow.db or the path of such a database.",
        str(store): "~/store/runs.db is a store of tracknb itself, not of MLflow. "
        "Open it with set_tracking_uri('~/store/runs.db').",
    }
    assert "secret" not in str(caught.value)


def test_the_artifacts_of_a_database_lead_to_the_database(store: Path, tmp_path: Path) -> None:
    written = old_store("database", tmp_path)

    with pytest.raises(InvalidValue) as caught:
        tracknb.import_mlflow(written.folder / "mlruns")

    assert f"its runs are in the database {written.path}; import that" in str(caught.value)


# -- how it is told ------------------------------------------------------------------------


def test_the_command_prints_the_summary_and_makes_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written = old_store("database", tmp_path)
    monkeypatch.chdir(tmp_path)

    assert main(["import", "mlflow", "sqlite:///database/mlflow.db", "--store", "runs.db"]) == 0

    printed = capsys.readouterr()
    assert printed.out == (
        f"Imported {written.path}\n    into sqlite:///{tmp_path / 'runs.db'}\n\n"
        "experiments  3 new, 1 there already\nruns         6 new\npoints       21 new\nfiles        3 new (0.0 MB)\n"
    )
    assert printed.err == "6 of 6 runs\n"
    assert main(["import", "mlruns", "no such folder"]) == 1
    assert "There is nothing at" in capsys.readouterr().err
    tracknb.client.close_stores()


def test_the_magic_gives_the_same_summary(store: Path, old: Written) -> None:
    view = run_verb(["import", "mlflow", str(old.path)])

    assert view is not None
    assert "6 new" in view.text()
    assert tell() == expected(old)


def test_hostile_names_are_text_in_the_summary(store: Path, tmp_path: Path) -> None:
    written = old_store("files", tmp_path)
    [path] = written.path.glob("*/*/metrics/twice")
    path.write_text("<script>alert(1)</script>\n")

    html = tracknb.import_mlflow(written.path)._repr_html_()

    assert "<script>" not in html
    # Long lines are cut: how much of it is left depends on the folder's name.
    assert "&lt;script&gt;" in html


def test_a_million_points_come_in_whole(store: Path, tmp_path: Path) -> None:
    written = old_store("database", tmp_path)
    connection = sqlite3.connect(written.path)
    [(run_id,)] = connection.execute("SELECT run_uuid FROM runs WHERE name = 'still going'")
    rows = (("loss", 1 / (1 + step), 1_795_000_000_000 + step, step, 0, run_id) for step in range(1_000_000))
    connection.executemany(
        "INSERT INTO metrics (key, value, timestamp, step, is_nan, run_uuid) VALUES (?, ?, ?, ?, ?, ?)", rows
    )
    connection.commit()
    connection.close()

    tracknb.import_mlflow(written.path)

    frame = tracknb.MlflowClient().get_metric_history_df(run_id, "loss")
    assert frame["step"].tolist() == list(range(1_000_000))
    assert frame["value"].tolist() == [1 / (1 + step) for step in range(1_000_000)]
    assert len(tracknb.MlflowClient().metric_series(run_id, "loss", 1_000)) <= 1_100


def test_a_folder_of_files_that_is_a_link_is_not_followed(store: Path, tmp_path: Path) -> None:
    written = old_store("files", tmp_path)
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "id_rsa").write_text("key")
    [run] = [path for path in written.path.glob("*/*") if (path / "metrics" / "twice").is_file()]
    shutil.rmtree(run / "artifacts")
    (run / "artifacts").symlink_to(secret)

    summary = tracknb.import_mlflow(written.path)

    assert [item.path for item in tracknb.list_artifacts(run.name)] == []
    assert any(run.name in name for name, _ in summary.missing_artifacts)


def test_one_odd_row_leaves_the_other_runs_in(store: Path, tmp_path: Path) -> None:
    written = old_store("database", tmp_path)
    connection = sqlite3.connect(written.path)
    [(odd,)] = connection.execute("SELECT run_uuid FROM metrics WHERE key = 'twice' LIMIT 1")
    [(late,)] = connection.execute("SELECT run_uuid FROM runs WHERE name = 'gone'")
    connection.execute("UPDATE metrics SET value = 'abc' WHERE key = 'twice'")
    connection.execute("UPDATE runs SET end_time = 9e99 WHERE run_uuid = ?", (late,))
    connection.commit()
    connection.close()

    summary = tracknb.import_mlflow(written.path)

    assert {name.rpartition("(")[2].rstrip(")") for name, _ in summary.skipped} == {odd, late}
    assert tracknb.search_runs(filter_string="run_name = 'still going'", experiment_names=["Default"]).shape[0] == 1
