"""Files beside a store stay with it when its folder moves."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import tracknb
from tests.conftest import tracking_at
from tracknb import client as client_module
from tracknb import errors


@pytest.fixture
def logged(store, store_path):
    """A run with a file, in a closed store; gives its id and the store's folder."""
    with tracknb.start_run() as run:
        tracknb.log_text("hello", "notes/a.txt")
    client_module.close_stores()
    return run.info.run_id, store_path.parent


def rewrite(path, sql, *values):
    connection = sqlite3.connect(path)
    connection.execute(sql, values)
    connection.commit()
    connection.close()


def make_absolute(path):
    """Turn a store into what earlier versions wrote: absolute places."""
    rewrite(path, "UPDATE runs SET artifact_uri = ? || substr(artifact_uri, 2)", str(path.parent))
    rewrite(path, "UPDATE experiments SET artifact_location = ? || substr(artifact_location, 2)", str(path.parent))


def read(path, run_id):
    return Path(tracknb.MlflowClient(path).download_artifacts(run_id, "notes/a.txt")).read_text()


def test_what_users_see_is_absolute(logged):
    run_id, folder = logged
    client = tracknb.MlflowClient(folder / "runs.db")

    assert client.get_experiment("0").artifact_location == f"{folder}/runs-artifacts/0"
    assert client.get_run(run_id).info.artifact_uri == f"{folder}/runs-artifacts/0/{run_id}/artifacts"
    [found] = client.search_runs(["0"], f"artifact_uri LIKE '{folder}/%'")
    assert found.info.artifact_uri == client.get_run(run_id).info.artifact_uri
    assert client.search_runs(["0"], f"artifact_uri = '{found.info.artifact_uri}'") == [found]
    assert client.search_runs(["0"], "artifact_uri LIKE './%'") == []


@pytest.mark.parametrize("earlier", [False, True], ids=["new", "absolute"])
def test_a_folder_that_moved_reads_and_goes_on(logged, tmp_path, earlier):
    run_id, folder = logged
    if earlier:
        make_absolute(folder / "runs.db")
    moved = shutil.move(folder, tmp_path / "elsewhere" / "deep")
    store = Path(moved, "runs.db")
    client = tracknb.MlflowClient(store)

    assert read(store, run_id) == "hello"
    assert client.get_experiment("0").artifact_location == f"{moved}/runs-artifacts/0"
    new = client.create_run("0")
    client.log_text(new.info.run_id, "more", "b.txt")
    assert new.info.artifact_uri == f"{moved}/runs-artifacts/0/{new.info.run_id}/artifacts"
    assert Path(new.info.artifact_uri, "b.txt").read_text() == "more"
    other = client.create_run(client.create_experiment("later"))
    client.log_text(other.info.run_id, "more", "b.txt")
    assert not folder.exists()

    # And once more.
    client_module.close_stores()
    again = shutil.move(moved, tmp_path / "third")
    assert Path(tracknb.MlflowClient(again / "runs.db").download_artifacts(new.info.run_id, "b.txt")).exists()


def test_an_older_store_without_files_yet_logs_beside_itself(store, store_path, tmp_path):
    run_id = tracknb.MlflowClient().create_run("0").info.run_id
    client_module.close_stores()
    make_absolute(store_path)
    moved = shutil.move(store_path.parent, tmp_path / "moved")
    client = tracknb.MlflowClient(moved / "runs.db")
    client.log_text(run_id, "x", "x.txt")

    assert (moved / "runs-artifacts" / "0" / run_id / "artifacts" / "x.txt").exists()
    assert not store_path.parent.exists()


def test_an_older_stores_files_are_read_where_they_are_while_they_are_there(logged, tmp_path):
    """A store that was copied without its files."""
    run_id, folder = logged
    make_absolute(folder / "runs.db")
    (tmp_path / "copy").mkdir()
    shutil.copy(folder / "runs.db", tmp_path / "copy" / "runs.db")

    assert read(tmp_path / "copy" / "runs.db", run_id) == "hello"


@pytest.mark.parametrize("with_files", [False, True])
def test_a_store_may_get_another_name(logged, with_files):
    run_id, folder = logged
    (folder / "runs.db").rename(folder / "taxi.db")
    if with_files:
        (folder / "runs-artifacts").rename(folder / "taxi-artifacts")

    assert read(folder / "taxi.db", run_id) == "hello"


def test_two_working_directories_agree(logged, tmp_path):
    run_id, folder = logged
    (tmp_path / "one").mkdir()
    script = """
        import sys, tracknb
        client = tracknb.MlflowClient(sys.argv[1])
        run = client.create_run(client.get_experiment_by_name("Default").experiment_id)
        client.log_text(run.info.run_id, "x", "x.txt")
        print(client.get_run(sys.argv[2]).info.artifact_uri, client.download_artifacts(sys.argv[2], "notes/a.txt"))
    """
    printed = set()
    for place, store in ((tmp_path / "one", "../store/runs.db"), (folder, "runs.db"), (Path("/"), folder / "runs.db")):
        command = [sys.executable, "-c", textwrap.dedent(script), str(store), run_id]
        child = subprocess.run(command, cwd=place, check=True, capture_output=True, text=True, timeout=60)
        printed.add(child.stdout)

    root = f"{folder}/runs-artifacts/0/{run_id}/artifacts"
    assert printed == {f"{root} {root}/notes/a.txt\n"}
    assert len(list((folder / "runs-artifacts" / "0").iterdir())) == 4


def test_a_place_that_was_given_stays_where_it_is(store, store_path, tmp_path, monkeypatch):
    """Unless it lies in what moved."""
    monkeypatch.chdir(tmp_path)
    client = tracknb.MlflowClient()
    runs = []
    for place in ("outside/files", f"file://{store_path.parent}/inside"):
        run = client.create_run(client.create_experiment(place, artifact_location=place))
        client.log_text(run.info.run_id, "hello", "notes/a.txt")
        runs.append(run.info.run_id)
    client_module.close_stores()
    moved = shutil.move(store_path.parent, tmp_path / "moved")
    monkeypatch.chdir("/")

    assert [read(moved / "runs.db", run_id) for run_id in runs] == ["hello", "hello"]
    places = [tracknb.MlflowClient(moved / "runs.db").get_run(run_id).info.artifact_uri for run_id in runs]
    assert places == [
        f"{tmp_path}/outside/files/{runs[0]}/artifacts",
        f"{moved}/inside/{runs[1]}/artifacts",
    ]


def test_gc_takes_the_files_of_a_moved_store(logged, tmp_path):
    run_id, folder = logged
    moved = shutil.move(folder, tmp_path / "moved")
    client = tracknb.MlflowClient(moved / "runs.db")
    client.delete_run(run_id)

    assert client.gc(dry_run=True)["artifact_bytes"].tolist() == [5]
    client.gc()
    assert list((moved / "runs-artifacts").rglob("*.txt")) == []


def test_a_folder_that_cannot_be_written_is_named(logged):
    """A file where the folder should be: root may write anything else."""
    _, folder = logged
    client = tracknb.MlflowClient(folder / "runs.db")
    run = client.create_run("0")
    (folder / "runs-artifacts" / "0" / run.info.run_id).write_text("in the way")

    with pytest.raises(errors.StoreError, match="runs-artifacts"):
        client.log_text(run.info.run_id, "x", "x.txt")


def test_a_copy_of_local_files_goes_where_it_is_wanted(logged, tmp_path):
    run_id, folder = logged
    client = tracknb.MlflowClient(folder / "runs.db")

    assert client.download_artifacts(run_id, "notes", tmp_path / "out") == str(tmp_path / "out" / "notes")
    assert (tmp_path / "out" / "notes" / "a.txt").read_text() == "hello"
    assert client.download_artifacts(run_id, "notes/a.txt", tmp_path / "two") == str(tmp_path / "two" / "a.txt")
    client.download_artifacts(run_id, "", tmp_path / "all")
    assert (tmp_path / "all" / "notes" / "a.txt").read_text() == "hello"


def test_a_database_server_with_files_in_a_bucket(postgresql, s3, monkeypatch, tmp_path):
    bucket = s3.bucket()
    monkeypatch.setenv("TRACKNB_ARTIFACT_ROOT", f"s3://{bucket}/team")
    monkeypatch.setenv("TRACKNB_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("TRACKNB_BUSY_SECONDS", "10")
    with tracking_at(postgresql.url(), monkeypatch):
        with tracknb.start_run() as run:
            tracknb.log_text("hello", "notes/a.txt")
        client = tracknb.MlflowClient()

        assert client.get_run(run.info.run_id).info.artifact_uri == f"s3://{bucket}/team/0/{run.info.run_id}/artifacts"
        assert s3.keys(bucket) == [f"team/0/{run.info.run_id}/artifacts/notes/a.txt"]
        assert Path(client.download_artifacts(run.info.run_id, "notes/a.txt")).read_text() == "hello"
