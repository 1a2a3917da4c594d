"""What most tests need: a store of their own, and a real IPython shell."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import tracknb
from tests.servers import S3, MissingServer
from tracknb import active, client
from tracknb.capture import secrets

# What the tests of these folders start is dear, so each of them is one worker's. Those in the browser wait
# more than they work, and are the longest: two workers have them.
_TOGETHER = ("browser", "differential", "transfer")
_SECOND = ("test_accessibility.py", "test_hostile.py", "test_notebook7.py", "test_wheel.py")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Keep folders together where tests run in several processes; before xdist looks for groups."""
    root = Path(__file__).parent
    for item in items:
        folder = item.path.relative_to(root).parts[0] if item.path.is_relative_to(root) else ""
        if folder in _TOGETHER:
            group = f"{folder} 2" if item.path.name in _SECOND else folder
            item.add_marker(pytest.mark.xdist_group(group))


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
    monkeypatch.setattr(secrets, "_choice", secrets._Choice())
    secrets.is_secret_name.cache_clear()
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


@pytest.fixture(scope="session")
def s3_service(tmp_path_factory):
    """An S3 service on loopback, which a test may stop for a while."""
    try:
        service = S3(tmp_path_factory.mktemp("s3"))
    except MissingServer as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    yield service
    service.stop()


@pytest.fixture
def s3(s3_service, monkeypatch):
    """The S3 service, with credentials for it in the environment, and little patience."""
    for name, value in s3_service.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TRACKNB_BUSY_SECONDS", "1")
    return s3_service
