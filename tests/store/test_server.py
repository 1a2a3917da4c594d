"""Stores on real PostgreSQL and MariaDB servers that stop, cut connections, and start anew."""

from __future__ import annotations

import random
import subprocess
import sys
import textwrap
import threading
import time
import traceback
import warnings

import pytest
import sqlalchemy as sa

import tracknb
from tests.servers import PASSWORD
from tracknb import errors
from tracknb.client import close_stores

CHILD = """
import sys, tracknb
tracknb.set_tracking_uri(sys.argv[1])
"""


def child(script, *arguments):
    """Start a process that tracks at the address given first."""
    command = [sys.executable, "-c", CHILD + textwrap.dedent(script), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def steps_of(run_id, key="loss"):
    return [point.step for point in tracknb.get_metric_history(run_id, key)]


def in_background(work):
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_a_restart_in_mid_run_loses_and_doubles_nothing(server, server_store):
    """Points wait in the spool; a param waits for the server."""
    with tracknb.start_run() as run, warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        for step in range(50):
            tracknb.log_metric("loss", step / 2, step=step)
        tracknb.flush()
        server.stop(kill=True)
        for step in range(50, 200):
            tracknb.log_metric("loss", step / 2, step=step)
        back = in_background(lambda: (time.sleep(1.0), server.start()))
        tracknb.log_param("alpha", 0.1)
        back.join()
        for step in range(200, 250):
            tracknb.log_metric("loss", step / 2, step=step)

    assert steps_of(run.info.run_id) == list(range(250))
    found = tracknb.get_run(run.info.run_id)
    assert found.data.params == {"alpha": "0.1"}
    assert found.info.status == "FINISHED"


def test_connections_that_are_cut_are_made_again(server, server_store):
    """As a proxy, or MySQL itself, does over night."""
    with tracknb.start_run() as run:
        for step in range(20):
            server.cut_connections()
            tracknb.log_metric("loss", float(step), step=step)
            tracknb.log_param(f"p{step}", step)
            assert tracknb.get_run(run.info.run_id).data.metrics == {"loss": float(step)}

    assert steps_of(run.info.run_id) == list(range(20))
    assert len(tracknb.get_run(run.info.run_id).data.params) == 20


def test_connections_that_are_cut_at_any_moment_double_nothing(server, server_store):
    """A commit whose answer was lost may have happened; a second one must not add to it."""
    chance = random.Random(7)
    over = threading.Event()

    def cut():
        # Also with time to connect again in between, however busy the machine is.
        while not over.wait(chance.uniform(0.02, 0.4)):
            server.cut_connections()

    cutting = in_background(cut)
    try:
        with tracknb.start_run() as run, warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            end = time.monotonic() + 3.0
            step = 0
            while time.monotonic() < end:
                for _ in range(20):
                    tracknb.log_metric("loss", float(step), step=step)
                    step += 1
                tracknb.set_tag("step", step)
                tracknb.flush()
    finally:
        over.set()
        cutting.join()

    assert step > 40
    assert steps_of(run.info.run_id) == list(range(step))
    assert tracknb.get_run(run.info.run_id).data.tags["step"] == str(step)


def test_a_server_that_stays_away_is_named_after_a_bounded_time(server, server_store, monkeypatch):
    monkeypatch.setenv("TRACKNB_BUSY_SECONDS", "1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        with tracknb.start_run() as run:
            tracknb.log_metric("loss", 1.0)
            tracknb.flush()
            server.stop(kill=True)
            try:
                tracknb.log_metric("loss", 2.0, step=1)
                for call in (lambda: tracknb.log_param("a", 1), lambda: tracknb.get_run(run.info.run_id)):
                    began = time.monotonic()
                    with pytest.raises(errors.StoreUnreachable) as raised:
                        call()
                    assert time.monotonic() - began < 20
                    assert f"127.0.0.1:{server.port}" in str(raised.value)
                    assert "repeated" in str(raised.value)
                    assert isinstance(raised.value, ConnectionError)
            finally:
                server.start()

    assert steps_of(run.info.run_id) == [0, 1]


def test_points_of_a_process_that_died_while_the_server_was_away_come_in_later(server, server_store):
    script = """
    run = tracknb.start_run()
    tracknb.log_metric("loss", 0.0)
    tracknb.flush()
    print(run.info.run_id, flush=True)
    sys.stdin.readline()
    for step in range(1, 500):
        tracknb.log_metric("loss", step / 2, step=step)
    import os, signal
    os.kill(os.getpid(), signal.SIGKILL)
    """
    command = [sys.executable, "-W", "ignore", "-c", CHILD + textwrap.dedent(script), server_store]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    run_id = process.stdout.readline().strip()
    server.stop(kill=True)
    process.communicate("\n")
    server.start()

    run = tracknb.get_run(run_id)
    assert run.info.status == "KILLED"
    assert steps_of(run_id) == list(range(500))


def test_the_password_is_shown_nowhere(server, server_store, monkeypatch):
    monkeypatch.setenv("TRACKNB_BUSY_SECONDS", "0.5")
    client = tracknb.MlflowClient()
    told = [tracknb.get_tracking_uri(), client.tracking_uri, repr(client), repr(vars(client._store))]
    with tracknb.start_run() as run:
        tracknb.log_metric("loss", 1.0)
    told += [repr(tracknb.get_run(run.info.run_id)), tracknb.search_runs().to_string()]
    wrong = server_store.replace(PASSWORD, f"{PASSWORD}-wrong")
    for uri in (wrong, server_store.replace(f":{server.port}/", ":1/"), f"{server_store}-none"):
        with pytest.raises(errors.TracknbError) as raised:
            tracknb.MlflowClient(uri).search_experiments()
        told.append(str(raised.value))
        # What a notebook shows, and what a log of a whole traceback would hold of our own.
        told += raised.value._render_traceback_()
        told.append("".join(traceback.format_exception_only(raised.value)))

    assert [text for text in told if PASSWORD in text] == []


def test_a_wrong_password_and_a_missing_database_say_so(server, server_store):
    with pytest.raises(errors.AuthError, match="refuses this user or password"):
        tracknb.MlflowClient(server_store.replace(PASSWORD, "wrong")).search_experiments()
    with pytest.raises(errors.StoreUnreachable, match="no such database"):
        tracknb.MlflowClient(f"{server_store}none").search_experiments()


def test_the_address_without_password_leads_back_to_the_store(server_store):
    """What get_tracking_uri shows can be set again in the same process."""
    shown = tracknb.get_tracking_uri()
    experiment = tracknb.create_experiment("taxi")
    tracknb.set_tracking_uri(shown)

    assert "***" in shown
    assert tracknb.get_experiment_by_name("taxi").experiment_id == experiment


def test_processes_that_make_a_store_at_once_make_one(server_store):
    script = """
    experiment = tracknb.set_experiment("taxi")
    with tracknb.start_run():
        tracknb.log_metric("loss", 1.0)
    print(experiment.experiment_id)
    """
    started = [child(script, server_store) for _ in range(8)]
    ended = [(*process.communicate(timeout=120), process.returncode) for process in started]

    assert {(output, code) for output, _, code in ended} == {("1\n", 0)}, [problems for _, problems, _ in ended]
    assert len(tracknb.search_runs(["1"], output_format="list")) == 8


def test_writers_at_once_lose_nothing(server_store):
    tracknb.set_experiment("taxi")
    script = """
    tracknb.set_experiment("taxi")
    with tracknb.start_run(run_name=sys.argv[2]):
        for step in range(500):
            tracknb.log_metric("loss", step / 2, step=step)
            if step % 50 == 0:
                tracknb.log_param(f"p{step}", step)
    """
    started = [child(script, server_store, f"r{number}") for number in range(4)]
    for process in started:
        _, problems = process.communicate(timeout=120)
        assert process.returncode == 0, problems

    runs = tracknb.search_runs(experiment_names=["taxi"], output_format="list")
    assert sorted(run.info.run_name for run in runs) == ["r0", "r1", "r2", "r3"]
    for run in runs:
        assert steps_of(run.info.run_id) == list(range(500))
        assert len(run.data.params) == 10


def test_a_database_of_another_program_is_left_alone(server, server_store):
    name = server_store.rpartition("/")[2]
    address = server.admin().url.set(database=name)
    database = sa.create_engine(address, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with database.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE runs (mine integer)")
        with pytest.raises(errors.StoreDamaged, match="another program"):
            tracknb.search_experiments()
        tables = sa.inspect(connection).get_table_names()

    assert tables == ["runs"]


def test_a_newer_store_is_refused(server, server_store):
    tracknb.set_experiment("taxi")
    name = server_store.rpartition("/")[2]
    address = server.admin().url.set(database=name)
    database = sa.create_engine(address, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with database.connect() as connection:
        connection.exec_driver_sql("UPDATE store_version SET version = 99")
    close_stores()

    with pytest.raises(errors.StoreTooNew, match=r"schema 99.*pip install -U tracknb"):
        tracknb.search_experiments()


@pytest.mark.parametrize(("scheme", "extra"), [("postgresql", "postgres"), ("mysql+pymysql", "mysql")])
def test_without_the_driver_the_message_names_the_command(scheme, extra):
    script = """
    import importlib.machinery

    hidden = ("psycopg", "psycopg2", "pymysql")
    original = importlib.machinery.PathFinder.find_spec
    importlib.machinery.PathFinder.find_spec = classmethod(
        lambda cls, name, path=None, target=None: None if name in hidden else original(name, path, target)
    )
    try:
        tracknb.search_experiments()
    except tracknb.TracknbError as error:
        print(type(error).__name__, error)
    """
    process = child(script, f"{scheme}://ada:{PASSWORD}@127.0.0.1:1/none")
    output, problems = process.communicate(timeout=60)

    assert output.startswith("MissingExtra"), problems
    assert f"pip install 'tracknb[{extra}]'" in output
    assert PASSWORD not in output
