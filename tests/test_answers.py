"""What a page may ask of the kernel, and what it is told."""

from __future__ import annotations

import gc
import json
import os
import sqlite3

import pytest

import tracknb
from tracknb.answers import answer, pages_of
from tracknb.capture.environment import user_name
from tracknb.entities import pin_tag, star_tag
from tracknb.errors import ArtifactPathError, InvalidValue, NotFound, RunDeleted, TracknbError
from tracknb.looking import page
from tracknb.looking.finding import find


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


def test_links_are_followed_inside_the_run_and_not_out_of_it(run_id, tmp_path):
    """Nor do they hide the other files, or come up again and again where they go in a circle."""
    folder = tracknb.get_run(run_id).info.artifact_uri
    os.symlink("/etc", f"{folder}/outside")
    os.symlink(tmp_path / "nowhere", f"{folder}/dangling")
    os.symlink(".", f"{folder}/circle")
    os.symlink("notes.txt", f"{folder}/same.txt")

    listed = [item["path"] for item in asked("files", id=run_id, path="").content["entries"]]
    assert listed == ["circle", "data", "notes.txt", "same.txt"]
    files = asked("run", id=run_id).content["run"]["files"]
    assert [item["path"] for item in files["entries"] if "/" not in item["path"]] == listed
    assert (files["cut"], files["problem"]) == (False, "")
    with pytest.raises(ArtifactPathError, match=r"'outside' leads out of the run's folder\. Nothing was read\."):
        asked("files", id=run_id, path="outside")
    assert asked("file", id=run_id, path="same.txt").content["text"] == "hello"


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


@pytest.mark.parametrize(
    "key",
    ["mlflow.user", "mlflow.runName", "mlflow.parentRunId", "tracknb.source.cell", "tracknb.alert.nan.rmse"],
)
@pytest.mark.parametrize("question", ["change_run", "change_experiment"])
def test_a_page_does_not_write_what_the_tracker_keeps(run_id, question, key):
    """A notebook from elsewhere names the tag that a click sets; it must not be able to name these."""
    run = tracknb.get_run(run_id)
    place = run_id if question == "change_run" else run.info.experiment_id
    for change in ({"set": {"mine": "x", key: "y"}}, {"delete": [key]}):
        with pytest.raises(InvalidValue, match=rf"The tag '{key}' is kept by the tracker.* Nothing was changed"):
            asked(question, id=place, **change)

    assert tracknb.get_run(run_id).data.tags == run.data.tags


def test_a_page_sets_the_marks_of_its_user_and_of_nobody_else(run_id):
    own = {star_tag(user_name()): "true", pin_tag(user_name()): "true", "tracknb.archived": "true"}
    assert own.items() <= asked("change_run", id=run_id, set=own).content["tags"].items()
    assert own.keys().isdisjoint(asked("change_run", id=run_id, delete=list(own)).content["tags"])

    with pytest.raises(InvalidValue, match=r"'tracknb\.star\.somebody' is a mark of another user"):
        asked("change_run", id=run_id, set={"tracknb.star.somebody": "true"})


def test_too_many_runs_are_refused_before_they_are_looked_up(run_id):
    with pytest.raises(InvalidValue, match="100,000 runs are too many to stand side by side"):
        asked("compare", ids=["nobody"] * 100_000)


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


def test_runs_that_were_read_are_not_gone_through_for_garbage_at_once(store):
    """It held up the page's questions about a large table by half as long as reading had taken."""
    experiment = tracknb.set_experiment("many").experiment_id
    client = tracknb.MlflowClient()
    for number in range(400):
        client.create_run(experiment, run_name=f"run-{number}")
    find(client, experiment=["many"])
    collections = []
    gc.collect()
    gc.callbacks.append(lambda phase, info: collections.append(info["generation"]))
    try:
        found = find(client, experiment=["many"])
    finally:
        gc.callbacks.pop()

    assert (len(found.runs), collections) == (400, [])
    assert (gc.isenabled(), gc.get_freeze_count()) == (True, 0)


def test_reading_leaves_alone_what_a_program_has_frozen(store):
    """A server freezes what it forks with; thawing that would copy its memory into each child."""
    tracknb.set_experiment("few")
    gc.freeze()
    frozen = gc.get_freeze_count()
    try:
        tracknb.runs_table()

        assert gc.get_freeze_count() > frozen / 2
    finally:
        gc.unfreeze()
