"""What a page may ask of the kernel, and what it is told."""

from __future__ import annotations

import json
import os
import sqlite3

import pytest

import tracknb
from tracknb.answers import answer, pages_of
from tracknb.errors import ArtifactPathError, InvalidValue, NotFound, RunDeleted, TracknbError
from tracknb.looking import page


@pytest.fixture
def run_id(store):
    """A run with metrics, tags and a tree of files."""
    tracknb.set_experiment("nyc-taxi")
    with tracknb.start_run(run_name="forest", tags={"team": "a"}, description="first") as run:
        for step, value in enumerate((3.0, 1.0, 2.0)):
            tracknb.log_metric("rmse", value, step=step)
        tracknb.log_text("x,y\n1,2\n", "data/raw/january/rides.csv")
        tracknb.log_text("hello", "notes.txt")
        with tracknb.start_run(run_name="fold-1", nested=True):
            pass
    return run.info.run_id


def asked(question, **arguments):
    found = answer({"ask": question, **arguments})
    json.dumps(found.content, allow_nan=False)
    return found


def test_run_tells_the_whole_page(run_id):
    run = asked("run", id=run_id).content["run"]

    assert (run["name"], run["description"], run["tags"]) == ("forest", "first", [["team", "a"]])
    assert [child["name"] for child in run["children"]] == ["fold-1"]
    assert [item["path"] for item in run["files"]["entries"]] == [
        "data",
        "data/raw",
        "data/raw/january",
        "data/raw/january/rides.csv",
        "notes.txt",
    ]
    child = asked("run", id=run["children"][0]["id"]).content["run"]
    assert child["parent"]["name"] == "forest"


def test_files_tells_what_lies_in_a_folder(run_id):
    assert asked("files", id=run_id, path="data/raw").content == {
        "entries": [{"path": "data/raw/january", "dir": True, "size": None}],
        "cut": False,
    }


def test_file_tells_the_beginning_of_a_file_or_all_its_bytes(run_id, monkeypatch):
    content = asked("file", id=run_id, path="data/raw/january/rides.csv").content
    assert (content["kind"], content["size"]) == ("table", 8)
    assert (content["head"], content["rows"]) == (["x", "y"], [["1", "2"]])

    whole = asked("file", id=run_id, path="notes.txt", whole=True)
    assert (whole.content["size"], whole.buffers) == (5, (b"hello",))

    monkeypatch.setattr(page, "PREVIEW_BYTES", 2)
    assert asked("file", id=run_id, path="notes.txt").content["text"] == "he"
    monkeypatch.setattr(page, "DOWNLOAD_BYTES", 2)
    with pytest.raises(InvalidValue, match=r"5 bytes; a page takes 2 .*download_artifacts"):
        asked("file", id=run_id, path="notes.txt", whole=True)


@pytest.mark.parametrize("path", ["../../../runs.db", "/etc/passwd", "link", "none.txt", "data", "pipe", "a\x00b"])
def test_file_reads_the_files_of_the_run_and_nothing_else(run_id, store, path):
    folder = tracknb.get_run(run_id).info.artifact_uri
    os.symlink("/etc/passwd", f"{folder}/link")
    os.mkfifo(f"{folder}/pipe")
    for whole in (False, True):
        with pytest.raises((ArtifactPathError, NotFound)):
            asked("file", id=run_id, path=path, whole=whole)


def test_change_run_sets_tags_and_deletes_them(run_id, store):
    told = asked("change_run", id=run_id, set={"mlflow.note.content": "second", "stage": "x"}, delete=["team", "none"])

    assert told.content["tags"]["mlflow.note.content"] == "second"
    assert "team" not in told.content["tags"]
    with sqlite3.connect(store) as connection:
        tags = dict(connection.execute("SELECT key, value FROM tags"))
    assert (tags["mlflow.note.content"], tags["stage"]) == ("second", "x")
    assert "team" not in tags


def test_change_run_gives_another_name(run_id):
    assert asked("change_run", id=run_id, name="oak").content["name"] == "oak"
    assert tracknb.get_run(run_id).info.run_name == "oak"


@pytest.mark.parametrize(
    "change",
    [
        {"set": {"stage": 3}},
        {"set": ["stage"]},
        {"delete": "team"},
        {"name": 3},
        {"set": {"": "x"}},
        {"set": {"stage": "x" * 9_000}},
    ],
)
def test_change_run_refuses_what_does_not_fit_and_changes_nothing(run_id, change):
    before = tracknb.get_run(run_id).data.tags
    with pytest.raises(TracknbError):
        asked("change_run", id=run_id, **change)
    assert tracknb.get_run(run_id).data.tags == before


def test_a_deleted_run_is_shown_and_not_changed(run_id):
    tracknb.delete_run(run_id)
    assert asked("run", id=run_id).content["run"]["lifecycle"] == "deleted"
    with pytest.raises(RunDeleted):
        asked("change_run", id=run_id, set={"a": "b"})


def test_what_is_not_there_is_said(run_id):
    for question in ({"ask": "run", "id": "0" * 32}, {"ask": "file", "id": "0" * 32, "path": "x"}):
        with pytest.raises(NotFound):
            answer(question)
    for question in ({"ask": "run"}, {"ask": "files", "id": run_id}, {"ask": "nonsense"}, {}):
        with pytest.raises(InvalidValue):
            answer(question)


def test_pages_that_are_saved_do_not_tell_whose_folder_it_is(run_id, monkeypatch):
    location = tracknb.get_run(run_id).info.artifact_uri
    monkeypatch.setenv("HOME", os.path.dirname(location))
    [page] = pages_of(tracknb.MlflowClient(), [run_id]).values()

    assert page["run"]["files"]["location"] == "~/artifacts"
    assert asked("run", id=run_id).content["run"]["files"]["location"] == location
