"""Stores on every kind of database, by real servers of the tests' own."""

from __future__ import annotations

import os

import pytest

from tests.conftest import tracking_at
from tests.servers import KINDS, MissingServer


def _running(kind, tmp_path_factory):
    try:
        return KINDS[kind](tmp_path_factory.mktemp(kind))
    except MissingServer as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory):
    """A PostgreSQL server that tests may restart."""
    server = _running("postgresql", tmp_path_factory)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def mysql(tmp_path_factory):
    """A MariaDB server that tests may restart."""
    server = _running("mysql", tmp_path_factory)
    yield server
    server.stop()


@pytest.fixture(params=["postgresql", "mysql"])
def server(request):
    """Each kind of server."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def server_store(server, monkeypatch, tmp_path):
    """A fresh store on each kind of server; gives its address."""
    monkeypatch.setenv("TRACKNB_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("TRACKNB_ARTIFACT_ROOT", str(tmp_path / "artifacts"))
    uri = server.url()
    with tracking_at(uri, monkeypatch):
        yield uri


@pytest.fixture(params=["sqlite", "postgresql", "mysql"])
def any_store(request, monkeypatch, tmp_path):
    """A fresh store on each kind of database; gives its address."""
    if request.param == "sqlite":
        uri = f"sqlite:///{tmp_path / 'runs.db'}"
    else:
        uri = request.getfixturevalue(request.param).url()
        monkeypatch.setenv("TRACKNB_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("TRACKNB_ARTIFACT_ROOT", str(tmp_path / "artifacts"))
    with tracking_at(uri, monkeypatch):
        yield uri
