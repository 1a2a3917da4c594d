"""The Jupyter server extension: what it answers, what it refuses, and that nothing new costs nothing."""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import sqlite3
import threading
import time
import urllib.error
import urllib.request

import pytest

import tracknb
from tests.jupyter.conftest import TOKEN, serving
from tracknb.capture.environment import user_name
from tracknb.client import close_stores
from tracknb.entities import CELL_ID_TAG, SOURCE_NAME_TAG, star_tag
from tracknb.errors import StoreDamaged


def make_runs(store, count=3, *, notebook=None, cell="cell-1", experiment="taxi"):
    """Runs with a metric that gets better, the newest last; returns their ids."""
    client = tracknb.MlflowClient(f"sqlite:///{store}")
    place = client.get_experiment_by_name(experiment)
    experiment_id = place.experiment_id if place else client.create_experiment(experiment)
    tags = {CELL_ID_TAG: cell} | ({SOURCE_NAME_TAG: str(notebook)} if notebook else {})
    ids = []
    for number in range(count):
        run = client.create_run(experiment_id, run_name=f"run-{number}", start_time=1_000 + number, tags=tags)
        client.log_metric(run.info.run_id, "rmse", 5.0 - number)
        client.set_terminated(run.info.run_id)
        ids.append(run.info.run_id)
    close_stores()
    return ids


@pytest.fixture
def folder(server, tmp_path_factory):
    """A folder of the test's own under the server's."""
    place = server.root / tmp_path_factory.mktemp("own").name
    place.mkdir()
    yield place
    shutil.rmtree(place)


def key_of(server, store):
    return store.relative_to(server.root).as_posix()


def test_runs_are_listed_the_newest_included(server, folder):
    make_runs(folder / "tracknb.db")
    told = server.get("runs", store=key_of(server, folder / "tracknb.db")).json
    assert told["whole"] is True
    rows = sorted(told["rows"].values(), key=lambda row: -row["start"])
    assert [(row["name"], row["metric"], row["value"], row["status"]) for row in rows] == [
        ("run-2", "rmse", 3.0, "FINISHED"),
        ("run-1", "rmse", 4.0, "FINISHED"),
        ("run-0", "rmse", 5.0, "FINISHED"),
    ]


def test_a_page_is_told_only_what_it_lacks(server, folder):
    store = folder / "tracknb.db"
    first = make_runs(store)
    told = server.get("runs", store=key_of(server, store)).json
    again = server.get("runs", store=key_of(server, store), since=told["revision"]).json
    assert again == {"revision": told["revision"]}
    (new,) = make_runs(store, 1)
    tracknb.MlflowClient(f"sqlite:///{store}").set_tag(first[0], star_tag(user_name()), "true")
    tracknb.MlflowClient(f"sqlite:///{store}").delete_run(first[1])
    close_stores()
    later = server.get("runs", store=key_of(server, store), since=told["revision"]).json
    assert later["whole"] is False
    assert set(later["rows"]) == {new, first[0]}
    assert later["rows"][first[0]]["starred"] is True
    assert later["gone"] == [first[1]]


def test_a_page_whose_revision_is_forgotten_gets_all(server, folder):
    make_runs(folder / "tracknb.db")
    told = server.get("runs", store=key_of(server, folder / "tracknb.db"), since="another server's").json
    assert told["whole"] is True
    assert len(told["rows"]) == 3


def test_filters(server, folder):
    store = folder / "tracknb.db"
    make_runs(store, 2, notebook=folder / "a.ipynb")
    make_runs(store, 1, notebook=folder / 'b\'s "best".ipynb', experiment="bikes")
    key = key_of(server, store)

    def names(**parameters):
        rows = server.get("runs", store=key, **parameters).json["rows"].values()
        return sorted((row["experiment"], row["name"]) for row in rows)

    assert len(names()) == 3
    assert names(experiment="bikes") == [("bikes", "run-0")]
    assert names(query="metrics.rmse < 5 or params.x = 'a'") == [("taxi", "run-1")]
    assert names(document=key_of(server, folder / "a.ipynb")) == [("taxi", "run-0"), ("taxi", "run-1")]
    assert names(document=key_of(server, folder / 'b\'s "best".ipynb')) == [("bikes", "run-0")]
    assert names(document=key_of(server, folder / "a.ipynb"), query="metrics.rmse < 5 or params.x = 'a'") == [
        ("taxi", "run-1")
    ]
    assert names(starred="true") == []


def test_an_error_in_a_query_points_into_what_was_written(server, folder):
    make_runs(folder / "tracknb.db")
    reply = server.get("runs", store=key_of(server, folder / "tracknb.db"), document="x.ipynb", query="metrics.rmse <")
    assert reply.status == 400
    assert "metrics.rmse <" in reply.json["message"]
    assert "mlflow.source.name" not in reply.json["message"]


def test_cells_of_a_notebook(server, folder):
    store = folder / "tracknb.db"
    make_runs(store, 3, notebook=folder / "a.ipynb", cell="one")
    make_runs(store, 1, notebook=folder / "a.ipynb", cell="two")
    make_runs(store, 1, notebook=folder / "b.ipynb", cell="one")
    told = server.get("cells", store=key_of(server, store), document=key_of(server, folder / "a.ipynb")).json
    assert {cell: (row["runs"], row["best"], row["last"]) for cell, row in told["rows"].items()} == {
        "one": (3, 3.0, 3.0),
        "two": (1, 5.0, 5.0),
    }


def write_notebook(path, *cells):
    code = [{"cell_type": "code", "id": cell, "source": "1"} for cell in cells]
    path.write_text(json.dumps({"cells": code, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}))


def test_a_renamed_notebook_keeps_its_runs(server, folder):
    """A kernel that goes on after the renaming still logs under the old path."""
    store, old, new = folder / "tracknb.db", folder / 'Ada\'s "a".ipynb', folder / "new.ipynb"
    write_notebook(old, "one", "two")
    make_runs(store, 2, notebook=old, cell="one")
    make_runs(store, 1, notebook=old, cell="deleted-since")
    old.rename(new)
    make_runs(store, 1, notebook=new, cell="two")
    document = key_of(server, new)

    runs = server.get("runs", store=key_of(server, store), document=document).json["rows"]
    cells = server.get("cells", store=key_of(server, store), document=document).json["rows"]

    assert len(runs) == 4
    assert {row["document"] for row in runs.values()} == {document}
    assert {cell: row["runs"] for cell, row in cells.items()} == {"one": 2, "two": 1, "deleted-since": 1}


def test_a_copied_notebook_does_not_take_the_runs_of_the_first(server, folder):
    store, first, copy = folder / "tracknb.db", folder / "first.ipynb", folder / "copy.ipynb"
    write_notebook(first, "one")
    make_runs(store, 2, notebook=first, cell="one")
    shutil.copy(first, copy)

    assert server.get("runs", store=key_of(server, store), document=key_of(server, copy)).json["rows"] == {}


@pytest.mark.parametrize("text", ["", "[]", '{"cells": 3}', '{"cells": [{"cell_type": "code", "id": "x\') or 1"}]}'])
def test_a_notebook_that_is_none_has_its_own_runs(server, folder, text):
    store, notebook = folder / "tracknb.db", folder / "odd.ipynb"
    notebook.write_text(text)
    make_runs(store, 1, notebook=notebook)

    told = server.get("runs", store=key_of(server, store), document=key_of(server, notebook))

    assert (told.status, len(told.json["rows"])) == (200, 1)


def test_which_store_a_notebook_uses(server, folder):
    (folder / "deep").mkdir()
    make_runs(folder / "tracknb.db", 1)
    make_runs(folder / "other.db", 1, notebook=folder / "deep" / "a.ipynb")

    def likely(name):
        return server.get("stores", document=key_of(server, folder / name)).json["likely"]

    assert likely("x.ipynb") == key_of(server, folder / "tracknb.db")
    assert likely("deep/a.ipynb") == key_of(server, folder / "other.db")
    assert likely("deep/b.ipynb") == key_of(server, folder / "tracknb.db")


def test_pages_are_told_how_runs_name_the_folder(server):
    """JupyterLab says `~/...` of a folder below the home; runs name their notebooks by the whole path."""
    assert server.get("stores").json["root"] == str(server.root)


def test_the_first_store_of_a_notebook_is_seen_at_once(server, folder):
    document = key_of(server, folder / "new.ipynb")
    server.get("stores", document=document)
    make_runs(folder / "tracknb.db", 1)
    told = server.get("stores", document=document).json
    assert told["likely"] == key_of(server, folder / "tracknb.db")
    assert told["likely"] in told["stores"]


def test_views_are_answered_as_by_a_kernel(server, folder):
    store = folder / "tracknb.db"
    ids = make_runs(store)
    key = key_of(server, store)
    assert server.ask(key, ask="run", id=ids[0]).json["run"]["name"] == "run-0"
    assert server.ask(key, ask="compare", ids=ids).json["data"]["n"] == 3
    assert server.ask(key, ask="experiments").json["data"]["name"] == ["taxi"]
    assert server.ask(key, ask="dashboard").json["experiment"] == "taxi"
    assert server.ask(key, ask="no such question").status == 400
    missing = server.ask(key, ask="run", id="0" * 32)
    assert missing.status == 404
    assert "0" * 32 in missing.json["message"]


def test_files_travel_as_data_and_never_as_pages(server, folder):
    store = folder / "tracknb.db"
    (run_id,) = make_runs(store, 1)
    client = tracknb.MlflowClient(f"sqlite:///{store}")
    client.log_text(run_id, "<script>alert(1)</script>", "page.html")
    close_stores()
    reply = server.ask(key_of(server, store), ask="file", id=run_id, path="page.html", whole=True)
    head, parts = reply.parts()
    assert parts == [b"<script>alert(1)</script>"]
    assert head["size"] == len(parts[0])
    assert reply.headers["Content-Type"] == "application/vnd.tracknb.answer"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in reply.headers["Content-Security-Policy"]


def test_stars_are_written(server, folder):
    store = folder / "tracknb.db"
    (run_id,) = make_runs(store, 1)
    star = star_tag(user_name())
    assert server.ask(key_of(server, store), ask="change_run", id=run_id, set={star: "true"}).status == 200
    assert tracknb.MlflowClient(f"sqlite:///{store}").get_run(run_id).data.tags[star] == "true"
    close_stores()
    refused = server.ask(key_of(server, store), ask="change_run", id=run_id, set={"mlflow.user": "eve"})
    assert refused.status == 400


# -- what is refused -----------------------------------------------------------------


def test_strangers_are_refused(server, folder):
    make_runs(folder / "tracknb.db", 1)
    key = key_of(server, folder / "tracknb.db")
    for name in ("stores", "runs", "cells"):
        assert server.get(name, store=key, headers={}).status == 403
    assert server.ask(key, headers={}, ask="experiments").status == 403


def test_writes_of_other_sites_are_refused(server, folder):
    """A browser sends its cookie with every request; only our pages know the second half."""
    (run_id,) = make_runs(folder / "tracknb.db", 1)
    key = key_of(server, folder / "tracknb.db")
    jar, opener = server.browser()
    question = json.dumps({"ask": "change_run", "id": run_id, "set": {"mood": "bad"}}).encode()

    def post(headers):
        request = urllib.request.Request(f"{server.url}/tracknb/ask?store={key}", data=question, headers=headers)
        try:
            with opener.open(request, timeout=60) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    (xsrf,) = [cookie.value for cookie in jar if cookie.name == "_xsrf"]
    assert post({"Content-Type": "text/plain"}) == 403
    assert post({"X-XSRFToken": xsrf, "Origin": "http://evil.example"}) in (403, 404)
    assert "mood" not in tracknb.MlflowClient(f"sqlite:///{folder / 'tracknb.db'}").get_run(run_id).data.tags
    close_stores()
    assert post({"X-XSRFToken": xsrf}) == 200


def test_reads_of_other_sites_are_refused(server, folder):
    make_runs(folder / "tracknb.db", 1)
    _, opener = server.browser()
    address = f"{server.url}/tracknb/runs?store={key_of(server, folder / 'tracknb.db')}"

    def get(headers):
        try:
            with opener.open(urllib.request.Request(address, headers=headers), timeout=60) as answer:
                return answer.status, answer.headers["Access-Control-Allow-Origin"]
        except urllib.error.HTTPError as error:
            return error.code, None

    assert get({}) == (200, None)
    assert get({"Origin": "http://evil.example"}) == (404, None)


@pytest.mark.parametrize("key", ["../outside.db", "link.db", "/etc/passwd", "a\x00b", "", ".", "..", "no-such.db"])
def test_stores_outside_of_the_folder_are_refused(server, key):
    outside = server.root.parent / "outside.db"
    if not outside.exists():
        make_runs(outside, 1)
    link = server.root / "link.db"
    link.unlink(missing_ok=True)
    link.symlink_to(outside)
    reply = server.get("runs", store=key)
    link.unlink()
    assert reply.status in (400, 401, 403, 404)
    assert "rows" not in reply.json
    reply = server.get("runs", store=str(outside))
    assert reply.status in (401, 403)
    assert "c.Tracknb.stores" in reply.json["message"]


def test_other_databases_are_left_alone(server, folder):
    stranger = folder / "stranger.db"
    with sqlite3.connect(stranger) as connection:
        connection.execute("CREATE TABLE secrets (word)")
    before = stranger.read_bytes()
    assert server.get("runs", store=key_of(server, stranger)).status == 404
    assert key_of(server, stranger) not in server.get("stores").json["stores"]
    assert stranger.read_bytes() == before
    assert [item.name for item in folder.iterdir()] == ["stranger.db"]


def test_nothing_is_made_beside_a_strangers_database(server, folder):
    """One that was copied while a program had it open: a WAL, and no index of it."""
    (folder / "used").mkdir()
    used = sqlite3.connect(folder / "used" / "stranger.db", isolation_level=None)
    for statement in (
        "PRAGMA journal_mode=WAL",
        "CREATE TABLE t (x)",
        "PRAGMA wal_checkpoint",
        "INSERT INTO t VALUES (1)",
    ):
        used.execute(statement)
    for name in ("stranger.db", "stranger.db-wal"):
        shutil.copy(folder / "used" / name, folder / name)
    used.close()
    assert server.get("runs", store=key_of(server, folder / "stranger.db")).status == 404
    assert sorted(item.name for item in folder.glob("stranger*")) == ["stranger.db", "stranger.db-wal"]


def test_files_outside_of_the_folder_are_refused(server, folder):
    """A store that somebody sent may say that its files lie in /etc."""
    store = folder / "tracknb.db"
    (run_id,) = make_runs(store, 1)
    for place in ("/etc", "s3://somebodys-bucket/files", f"{folder}/../../../.."):
        with sqlite3.connect(store) as connection:
            connection.execute("UPDATE runs SET artifact_uri = ?", [place])
        key = key_of(server, store)
        refused = server.ask(key, ask="file", id=run_id, path="passwd")
        assert (refused.status, "c.Tracknb.artifacts" in refused.json["message"]) == (403, True), place
        assert server.ask(key, ask="files", id=run_id, path="").status == 403
        assert server.ask(key, ask="run", id=run_id).json["run"]["files"]["entries"] is None


@pytest.mark.parametrize(
    "path", ["\ud800", "a\x00b", "a" * 100_000, "a" * 1_000, "a/" * 200_000, "../" * 2_000 + "etc/passwd"]
)
def test_paths_that_no_file_has(server, folder, path):
    (run_id,) = make_runs(folder / "tracknb.db", 1)
    for ask in ("file", "files"):
        reply = server.ask(key_of(server, folder / "tracknb.db"), ask=ask, id=run_id, path=path)
        assert reply.status in (400, 404) or (ask, reply.json) == ("files", {"entries": [], "cut": False})


@pytest.mark.parametrize("name", ["x\x00y", "a/" * 200_000])
def test_a_place_that_no_folder_has(server, folder, name):
    store = folder / "tracknb.db"
    (run_id,) = make_runs(store, 1)
    with sqlite3.connect(store) as connection:
        connection.execute("UPDATE runs SET artifact_uri = ?", [f"{folder}/{name}"])
    key = key_of(server, store)
    started = time.monotonic()
    assert server.ask(key, ask="files", id=run_id, path="").status == 400
    assert server.ask(key, ask="run", id=run_id).json["run"]["files"]["entries"] is None
    assert time.monotonic() - started < 3


def test_a_store_with_an_endless_view_for_a_table(server, folder):
    store = folder / "tracknb.db"
    make_runs(store, 1)
    connection = sqlite3.connect(store, isolation_level=None)
    connection.execute("PRAGMA legacy_alter_table=ON")
    connection.execute("ALTER TABLE experiments RENAME TO others")
    connection.execute(
        "CREATE VIEW Experiments AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
        "SELECT others.* FROM others, n WHERE i < 0"
    )
    connection.close()
    assert server.get("runs", store=key_of(server, store)).status == 404
    with pytest.raises(StoreDamaged, match="another program"):
        tracknb.MlflowClient(f"sqlite:///{store}").search_experiments()


@pytest.mark.parametrize("body", [b"", b"[]", b"[" * 100_000, b'{"ask": ["run"]}', b'{"ask": "run", "id": {}}'])
def test_malformed_questions(server, folder, body):
    make_runs(folder / "tracknb.db", 1)
    address = f"{server.url}/tracknb/ask?store={key_of(server, folder / 'tracknb.db')}"
    request = urllib.request.Request(address, data=body, headers={"Authorization": f"token {TOKEN}"})
    assert server.send(request).status == 400


@pytest.mark.parametrize("limit", ["0", "-1", "2001", "x", "9" * 5_000, "٣"])
def test_malformed_limits(server, folder, limit):
    make_runs(folder / "tracknb.db", 1)
    assert server.get("runs", store=key_of(server, folder / "tracknb.db"), limit=limit).status == 400


def test_a_store_that_was_replaced_is_read_as_it_is_now(server, folder):
    store = folder / "tracknb.db"
    make_runs(store, 3)
    assert len(server.get("runs", store=key_of(server, store)).json["rows"]) == 3
    for file in folder.glob("tracknb.db*"):
        file.unlink()
    assert server.get("runs", store=key_of(server, store)).status == 404
    (new,) = make_runs(store, 1)
    assert set(server.get("runs", store=key_of(server, store)).json["rows"]) == {new}
    star = star_tag(user_name())
    assert server.ask(key_of(server, store), ask="change_run", id=new, set={star: "true"}).status == 200


@pytest.mark.parametrize("name", ["/a\x00b.ipynb", "/" + "a/" * 100_000 + "x.ipynb"])
def test_names_that_no_notebook_has(server, folder, name):
    store = folder / "tracknb.db"
    make_runs(store, 3, notebook="x.ipynb")
    with sqlite3.connect(store) as connection:
        connection.execute("UPDATE tags SET value = ? WHERE key = ?", [name, SOURCE_NAME_TAG])
    started = time.monotonic()
    rows = server.get("runs", store=key_of(server, store)).json["rows"]
    assert [row["document"] for row in rows.values()] == [None] * 3
    assert time.monotonic() - started < 2


def test_a_store_that_does_not_answer_stops_no_other(tmp_path):
    root = tmp_path / "files"
    root.mkdir()
    make_runs(root / "good.db", 1)
    make_runs(root / "held.db", 1)
    with serving(tmp_path, environment={"TRACKNB_BUSY_SECONDS": "40"}) as server:
        holder = sqlite3.connect(root / "held.db", isolation_level=None)
        for statement in ("PRAGMA locking_mode=EXCLUSIVE", "BEGIN IMMEDIATE", "UPDATE runs SET name = 'held'"):
            holder.execute(statement)
        asked = [
            threading.Thread(target=silently, args=(server, "held.db", f"metrics.rmse < {number}"), daemon=True)
            for number in range(6)
        ]
        for thread in asked:
            thread.start()
        time.sleep(0.5)
        started = time.monotonic()
        assert len(server.get("runs", store="good.db").json["rows"]) == 1
        assert server.get("stores", document="x.ipynb").json["stores"] == ["good.db", "held.db"]
        assert time.monotonic() - started < 10
        assert all(thread.is_alive() for thread in asked)
    # And the server ended without waiting for it.
    holder.close()


def silently(server, store, query):
    with contextlib.suppress(OSError, http.client.HTTPException):
        server.get("runs", store=store, query=query)


def test_configuration_names_more(tmp_path):
    outside = tmp_path / "team" / "runs.db"
    outside.parent.mkdir()
    (run_id,) = make_runs(outside, 1)
    tracknb.MlflowClient(f"sqlite:///{outside}").log_text(run_id, "hello", "note.txt")
    close_stores()
    (tmp_path / "config").mkdir()
    named = ["redis://nowhere/1", str(outside)]
    (tmp_path / "config" / "jupyter_server_config.py").write_text(f"c.Tracknb.stores = {named}")
    with serving(tmp_path) as server:
        told = server.get("stores").json
        assert (told["stores"], told["likely"], told["star"]) == ([str(outside)], str(outside), star_tag(user_name()))
        assert len(server.get("runs", store=str(outside)).json["rows"]) == 1
        assert server.ask(str(outside), ask="file", id=run_id, path="note.txt").json["text"] == "hello"
    assert "redis" in (tmp_path / "server.log").read_text()


def test_the_environment_names_the_store_of_every_notebook(tmp_path):
    root = tmp_path / "files"
    (root / "a").mkdir(parents=True)
    make_runs(root / "a" / "mine.db", 1)
    make_runs(root / "a" / "tracknb.db", 1)
    with serving(tmp_path, environment={"TRACKNB_TRACKING_URI": "sqlite:///mine.db"}) as server:
        assert server.get("stores", document="a/x.ipynb").json["likely"] == "a/mine.db"
