"""Database servers, and an S3 service, of the tests' own, which they may restart and kill.

Each is started from the machine's programs in a folder of its own on a free port of
loopback, as the database's own user where the tests run as root.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa

PASSWORD = "s3cret-of-the-tests"


class MissingServer(Exception):
    """The machine lacks the programs of a database server."""


def _program(name: str, *folders: str) -> str:
    found = shutil.which(name) or next((path for folder in folders for path in map(str, Path("/").glob(folder))), None)
    if found is None:
        raise MissingServer(f"'{name}' is not installed; .ci/run installs it (Debian: postgresql, mariadb-server)")
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A running database server; ``url`` makes a fresh database on it."""

    stop_signal = signal.SIGTERM

    user = ""
    scheme = ""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = _free_port()
        self.process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            shutil.chown(folder, self.user)
            for parent in folder.parents:
                with contextlib.suppress(PermissionError):
                    parent.chmod(parent.stat().st_mode | 0o011)
        self.initialise()
        self.start()

    def call(self, *command: str, **options: object) -> None:
        """Run a program as the server's user, and wait for it."""
        subprocess.run(command, check=True, capture_output=True, **self.identity(), **options)  # type: ignore[call-overload]

    def identity(self) -> dict[str, object]:
        """Return who runs the server's programs."""
        if os.geteuid() != 0:
            return {}
        entry = pwd.getpwnam(self.user)
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": [], "cwd": self.folder}

    def initialise(self) -> None:
        raise NotImplementedError

    def command(self) -> list[str]:
        raise NotImplementedError

    def admin(self) -> sa.Engine:
        raise NotImplementedError

    def start(self) -> None:
        """Start the server and wait until it answers."""
        deadline = time.monotonic() + 60
        while True:
            if self.process is None or self.process.poll() is not None:
                # What a killed server's own children still hold keeps the next one from starting for a moment.
                with open(self.folder / "log.txt", "ab") as log:
                    self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, **self.identity())  # type: ignore[call-overload]
            try:
                with self.admin().connect():
                    return
            except sa.exc.DBAPIError:
                if time.monotonic() > deadline:
                    raise RuntimeError((self.folder / "log.txt").read_text(errors="replace")[-3000:]) from None
                time.sleep(0.1)

    def stop(self, *, kill: bool = False) -> None:
        """Stop the server: in order, or by SIGKILL."""
        assert self.process is not None
        if kill:
            self.process.kill()
        else:
            self.process.send_signal(self.stop_signal)
        self.process.wait(60)

    def execute(self, *statements: str) -> list[tuple[object, ...]]:
        """Run statements as the server's master; return the last one's rows."""
        rows: list[tuple[object, ...]] = []
        with self.admin().connect() as connection:
            for statement in statements:
                result = connection.exec_driver_sql(statement)
                rows = [tuple(row) for row in result] if result.returns_rows else []
        return rows

    def url(self) -> str:
        """Make a fresh database and return its tracking URI."""
        name = f"t{uuid.uuid4().hex[:12]}"
        self.execute(f"CREATE DATABASE {name}")
        return f"{self.scheme}://ada:{PASSWORD}@127.0.0.1:{self.port}/{name}"

    def cut_connections(self) -> None:
        """Cut every connection but our own, as an administrator would."""
        raise NotImplementedError


class PostgreSQL(Server):
    """A PostgreSQL server."""

    user = "postgres"
    # SIGTERM would wait for every client to go.
    stop_signal = signal.SIGINT
    scheme = "postgresql"

    def initialise(self) -> None:
        data = self.folder / "data"
        password = self.folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        initdb = _program("initdb", "usr/lib/postgresql/*/bin/initdb")
        self.call(
            initdb,
            "-D",
            str(data),
            "-U",
            "ada",
            "-A",
            "scram-sha-256",
            f"--pwfile={password}",
            "-E",
            "UTF8",
            "--no-sync",
        )

    def command(self) -> list[str]:
        program = _program("postgres", "usr/lib/postgresql/*/bin/postgres")
        options = [
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            f"unix_socket_directories={self.folder}",
            "-c",
            "fsync=off",
        ]
        return [program, "-D", str(self.folder / "data"), "-p", str(self.port), *options]

    def admin(self) -> sa.Engine:
        address = f"postgresql+psycopg://ada:{PASSWORD}@127.0.0.1:{self.port}/postgres"
        return sa.create_engine(address, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)

    def cut_connections(self) -> None:
        self.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tracknb'")


class MariaDB(Server):
    """A MariaDB server."""

    user = "mysql"
    scheme = "mysql+pymysql"

    def initialise(self) -> None:
        options = [f"--datadir={self.folder / 'data'}", "--auth-root-authentication-method=normal", "--skip-test-db"]
        self.call(_program("mariadb-install-db", "usr/bin/mysql_install_db"), "--no-defaults", *options)

    def command(self) -> list[str]:
        program = _program("mariadbd", "usr/sbin/mariadbd", "usr/sbin/mysqld")
        files = [
            f"--datadir={self.folder / 'data'}",
            f"--socket={self.folder / 's'}",
            f"--pid-file={self.folder / 'pid'}",
        ]
        small = ["--innodb-buffer-pool-size=64M", "--innodb-flush-log-at-trx-commit=2", "--skip-log-bin"]
        return [program, "--no-defaults", *files, f"--port={self.port}", "--bind-address=127.0.0.1", *small]

    def admin(self) -> sa.Engine:
        address = f"mysql+pymysql://root@127.0.0.1:{self.port}/mysql"
        return sa.create_engine(address, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)

    def start(self) -> None:
        super().start()
        self.execute(
            f"CREATE USER IF NOT EXISTS 'ada'@'%%' IDENTIFIED BY '{PASSWORD}'", "GRANT ALL ON *.* TO 'ada'@'%%'"
        )

    def cut_connections(self) -> None:
        for (number,) in self.execute("SELECT id FROM information_schema.processlist WHERE user = 'ada'"):
            with contextlib.suppress(sa.exc.DBAPIError):
                self.execute(f"KILL {number}")


class S3:
    """An S3 service; ``environment`` is what leads a process to it, with credentials that it knows."""

    def __init__(self, folder: Path) -> None:
        beside = Path(sys.executable).with_name("moto_server")
        if importlib.util.find_spec("flask") is None or not beside.exists():
            raise MissingServer("moto and flask are not installed; the extra [dev] has them")
        self.folder = folder
        self.port = _free_port()
        self.command = [str(beside), "-H", "127.0.0.1", "-p", str(self.port)]
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.environment = {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "AKIATESTTESTTESTTEST",
            "AWS_SECRET_ACCESS_KEY": "s3cret/of+the+tests/0123456789abcdefghij",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": str(folder / "none"),
            "AWS_SHARED_CREDENTIALS_FILE": str(folder / "none"),
        }
        self.start()

    def start(self) -> None:
        """Start the service, empty, and wait until it answers."""
        with open(self.folder / "log.txt", "ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                break
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError((self.folder / "log.txt").read_text(errors="replace")[-3000:])
            time.sleep(0.1)
        people = self.client("iam")
        people.create_user(UserName="ada")
        everything = '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}'
        people.put_user_policy(UserName="ada", PolicyName="files", PolicyDocument=everything)
        made = people.create_access_key(UserName="ada")["AccessKey"]
        self.environment |= {
            "AWS_ACCESS_KEY_ID": made["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"],
        }

    def stop(self) -> None:
        """Stop the service, and with it all that it holds."""
        self.process.kill()
        self.process.wait(60)

    def client(self, service: str = "s3") -> Any:
        """Return AWS's own client."""
        import boto3

        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
        )

    def bucket(self) -> str:
        """Make a fresh bucket and return its name."""
        name = f"b{uuid.uuid4().hex[:12]}"
        self.client().create_bucket(Bucket=name)
        return name

    def keys(self, bucket: str) -> list[str]:
        """Return the names of all objects."""
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    @contextlib.contextmanager
    def checking_credentials(self) -> Iterator[None]:
        """A time in which only known credentials are let in."""
        self._let_in_unchecked(b"0")
        try:
            yield
        finally:
            self._let_in_unchecked(b"inf")

    def _let_in_unchecked(self, requests: bytes) -> None:
        request = urllib.request.Request(
            f"{self.endpoint}/moto-api/reset-auth", requests, {"Content-Type": "text/plain"}
        )
        urllib.request.urlopen(request, timeout=10).close()


KINDS: dict[str, type[Server]] = {"postgresql": PostgreSQL, "mysql": MariaDB}
