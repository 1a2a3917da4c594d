"""What most tests need: a store of their own, and a real IPython shell."""

from __future__ import annotations

import contextlib

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import tracknb
from tracknb import active, client


@pytest.fixture
def store_path(tmp_path):
    """Where the test's store will be; nothing is there yet."""
    folder = tmp_path / "store"
    folder.mkdir()
    return folder / "runs.db"


@contextlib.contextmanager
def tracking_at(uri, monkeypatch):
    """A process that has tracked nothing yet, and tracks at an address."""
    for variable in ("TRACKNB_TRACKING_URI", "MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(active, "state", active.State())
    tracknb.set_tracking_uri(uri)
    yield
    while tracknb.active_run() is not None:
        tracknb.end_run()
    client.close_stores()
    tracknb.set_tracking_uri(None)


@pytest.fixture
def store(store_path, monkeypatch):
    """A store of the test's own."""
    with tracking_at(f"sqlite:///{store_path}", monkeypatch):
        yield store_path


@pytest.fixture
def shell(store, tmp_path, monkeypatch):
    """A real IPython shell with tracknb loaded and a store of its own."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
    shell.run_line_magic("load_ext", "tracknb")
    yield shell
    shell.run_line_magic("unload_ext", "tracknb")
