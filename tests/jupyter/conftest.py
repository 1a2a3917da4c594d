"""A real Jupyter server with our extension, asked as a browser asks."""

from __future__ import annotations

import http.cookiejar
import json
import os
import socket
import struct
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.browser.lab import wait_until

TOKEN = "a-token-of-the-tests"


@dataclass(frozen=True)
class Reply:
    """What came back: status, headers, and the body as bytes."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    def parts(self):
        """The JSON and the binary parts of a packed answer."""
        size, count = struct.unpack_from("<II", self.body)
        sizes = struct.unpack_from(f"<{count}I", self.body, 8)
        at = 8 + 4 * count
        head = json.loads(self.body[at : at + size])
        at += size
        found = []
        for length in sizes:
            found.append(self.body[at : at + length])
            at += length
        return head, found


@dataclass(frozen=True)
class Server:
    """A running Jupyter server."""

    url: str
    root: Path

    def get(self, name, *, headers=None, **parameters):
        address = f"{self.url}/tracknb/{name}?{urllib.parse.urlencode(parameters)}"
        return self.send(urllib.request.Request(address, headers=_authorized(headers)))

    def ask(self, store, *, headers=None, **question):
        address = f"{self.url}/tracknb/ask?{urllib.parse.urlencode({'store': store})}"
        body = json.dumps(question).encode()
        return self.send(urllib.request.Request(address, data=body, headers=_authorized(headers)))

    def send(self, request):
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return Reply(answer.status, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            return Reply(error.code, dict(error.headers), error.read())

    def browser(self):
        """A cookie jar that logged in, and what opens addresses with it."""
        jar = http.cookiejar.CookieJar()
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
        opener.open(f"{self.url}/login?token={TOKEN}", timeout=60).read()
        return jar, opener


def _authorized(headers):
    return {"Authorization": f"token {TOKEN}"} if headers is None else headers


@contextmanager
def serving(home, *, root=None, environment=None):
    """Start a Jupyter server of its own on a folder."""
    root = root or home / "files"
    root.mkdir(exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    own = {name: value for name, value in os.environ.items() if not name.endswith("TRACKING_URI")}
    own |= {"JUPYTER_CONFIG_DIR": str(home / "config"), "JUPYTER_DATA_DIR": str(home / "data")} | (environment or {})
    command = [sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", f"--ServerApp.port={port}"]
    command += ["--ServerApp.ip=127.0.0.1", f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={root}"]
    command += ["--ServerApp.jpserver_extensions={'tracknb.jupyter': True}"]
    with (home / "server.log").open("w") as log:
        process = subprocess.Popen(command, env=own, stdout=log, stderr=subprocess.STDOUT)
    server = Server(f"http://127.0.0.1:{port}", root)
    try:
        wait_until(lambda: _is_up(server), 60, f"the server did not start: {home}/server.log")
        yield server
    finally:
        process.terminate()
        process.wait(timeout=20)


def _is_up(server):
    try:
        return server.send(urllib.request.Request(f"{server.url}/api", headers=_authorized(None))).status == 200
    except OSError:
        return False


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server whose folder the tests of one file share."""
    with serving(tmp_path_factory.mktemp("jupyter")) as running:
        yield running
