"""New environments from a lock, by the real pip: what cannot be had is named, and nothing stays behind."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import psutil
import pytest

from tracknb.capture.lockfile import Requirements
from tracknb.errors import TracknbError
from tracknb.installing import environment

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


def wanted(*pinned, python=HERE, local=None, others=()):
    return Requirements(python=python, pinned=pinned, others=others, local=local or {}, unpinned=())


@pytest.fixture
def pip_only(tmp_path, monkeypatch):
    """A machine without uv, and a folder for what is temporary."""
    monkeypatch.setenv("PATH", os.defpath)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def opened(requirements, told):
    with environment(requirements, say=told.append):
        pytest.fail("an environment was made")


def test_a_package_that_is_nowhere_is_named(pip_only):
    told = []
    with pytest.raises(TracknbError) as raised:
        opened(wanted("six==99.7"), told)

    assert str(raised.value) == (
        "six==99.7 cannot be installed, so nothing ran: No matching distribution found for six==99.7\n"
        "Replay without --locked to run with the packages that are installed here."
    )
    assert told == ["Making an environment of 1 recorded package with pip …"]
    assert list(pip_only.iterdir()) == []


@pytest.mark.skipif(shutil.which("uv") is None, reason="uv is not installed")
def test_uv_is_understood_as_well(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(
        TracknbError, match=r"^six==99\.7 cannot be installed, so nothing ran: Because there is no version"
    ):
        opened(wanted("six==99.7"), [])
    monkeypatch.setenv("UV_INDEX_URL", "http://127.0.0.1:1/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with pytest.raises(TracknbError, match=r"^Nothing answers from where .*Connection refused"):
        opened(wanted("six==1.16.0"), [])
    with pytest.raises(TracknbError, match=r"cannot be installed, so nothing ran: .*3\.5"):
        opened(wanted(python="3.5.1"), [])

    assert list(tmp_path.iterdir()) == []


def test_without_a_network_it_is_said(pip_only, monkeypatch):
    """Nobody listens there."""
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
    with pytest.raises(
        TracknbError, match=r"^Nothing answers from where .*Connection refused.* Try again with a network"
    ):
        opened(wanted("six==1.16.0"), [])

    assert list(pip_only.iterdir()) == []


def test_another_python_is_refused_where_nothing_can_fetch_it(pip_only):
    with pytest.raises(
        TracknbError, match=r"made with Python 3\.99\.1, and this is .* Install uv, which fetches Python 3\.99"
    ):
        opened(wanted(python="3.99.1"), [])


def test_a_folder_that_is_gone_is_named(pip_only):
    gone = wanted(local={"taxi": "/srv/gone (old)/taxi"}, others=("-e file:///srv/gone%20(old)/taxi",))
    with pytest.raises(TracknbError, match=r"^taxi \(/srv/gone \(old\)/taxi\) was installed from a folder"):
        opened(gone, [])


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
def test_an_interrupt_ends_the_installer_and_leaves_nothing(tmp_path):
    """An index that takes the call and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as index:
        address = f"http://127.0.0.1:{index.getsockname()[1]}/simple"
        code = (
            "from tests.test_installing import wanted\nfrom tracknb.installing import environment\n"
            "with environment(wanted('six==1.16.0'), say=lambda text: print(text, flush=True)): pass"
        )
        own = {"PIP_INDEX_URL": address, "PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": "", "PATH": os.defpath}
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            env={**os.environ, **own, "TMPDIR": str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        index.settimeout(60)
        called, _ = index.accept()
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        _, problem = process.communicate(timeout=30)
        called.close()

    assert "KeyboardInterrupt" in problem
    assert list(tmp_path.iterdir()) == []
    assert children != []
    deadline = time.monotonic() + 10
    while any(child.is_running() for child in children) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(child.is_running() for child in children)
