"""Files of runs in object stores, by a real S3 service, and what happens when it fails."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pty
import random
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

import tracknb
from tracknb import errors
from tracknb.files import FileInfo


@pytest.fixture
def bucket(s3, monkeypatch):
    """A fresh bucket that new experiments keep their files in."""
    name = s3.bucket()
    monkeypatch.setenv("TRACKNB_ARTIFACT_ROOT", f"s3://{name}/team/models/")
    return name


@pytest.fixture
def run_id(bucket, store):
    """An ended run with its files in the bucket."""
    with tracknb.start_run() as run:
        pass
    return run.info.run_id


@pytest.fixture
def client():
    return tracknb.MlflowClient()


def folder_of(run_id):
    return f"team/models/0/{run_id}/artifacts"


def tree(folder):
    """Return all files below a folder with their content."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()
    }


@contextlib.contextmanager
def standing_still(service):
    """A time in which the service takes connections and says nothing."""
    service.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        service.process.send_signal(signal.SIGCONT)


# -- there and back --------------------------------------------------------------------------


def test_nested_folders_come_back_as_they_were(run_id, client, tmp_path):
    source = tmp_path / "model"
    (source / "weights" / "deep").mkdir(parents=True)
    (source / "a b%41+ü#.txt").write_text("odd name")
    (source / "empty").write_bytes(b"")
    (source / "weights" / "deep" / "w.bin").write_bytes(bytes(range(256)))

    client.log_artifact(run_id, source)
    client.log_artifacts(run_id, source, "again/here")
    client.log_text(run_id, "hello", "notes/a.txt")
    client.log_dict(run_id, {"lr": 0.1}, "conf.json")

    downloaded = client.download_artifacts(run_id, "")
    expected = tree(source)
    assert tree(downloaded) == {
        **{f"model/{name}": data for name, data in expected.items()},
        **{f"again/here/{name}": data for name, data in expected.items()},
        "notes/a.txt": b"hello",
        "conf.json": b'{\n  "lr": 0.1\n}',
    }


def test_a_figure_goes_to_the_bucket(s3, bucket, store):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    figure = pyplot.figure()
    with tracknb.start_run() as run:
        tracknb.log_figure(figure, "plots/loss.png")
    pyplot.close(figure)

    assert s3.keys(bucket) == [f"{folder_of(run.info.run_id)}/plots/loss.png"]
    assert Path(tracknb.download_artifacts(artifact_path="plots/loss.png")).read_bytes()[1:4] == b"PNG"


def test_files_are_listed_folder_by_folder_with_their_sizes(run_id, client):
    client.log_text(run_id, "12345", "b/c/d.txt")
    client.log_text(run_id, "1", "b.txt")

    assert client.list_artifacts(run_id) == [FileInfo("b", True, None), FileInfo("b.txt", False, 1)]
    assert client.list_artifacts(run_id, "b/c/") == [FileInfo("b/c/d.txt", False, 5)]
    assert client.list_artifacts(run_id, "b.txt") == []
    assert client.list_artifacts(run_id, "nowhere") == []


def test_folder_markers_are_folders_and_no_files(run_id, client, s3, bucket):
    """S3's console makes an empty object for a folder, its name ending with a slash."""
    for key in ("", "data/", "data/inner/", "data/x.txt"):
        s3.client().put_object(Bucket=bucket, Key=f"{folder_of(run_id)}/{key}", Body=b"x" if key.endswith("t") else b"")

    assert client.list_artifacts(run_id) == [FileInfo("data", True, None)]
    assert client.list_artifacts(run_id, "data") == [
        FileInfo("data/inner", True, None),
        FileInfo("data/x.txt", False, 1),
    ]
    assert tree(client.download_artifacts(run_id, "data")) == {"x.txt": b"x"}


def test_addresses_are_those_of_the_bucket(run_id, client, bucket):
    run = client.get_run(run_id)

    assert client.get_experiment("0").artifact_location == f"s3://{bucket}/team/models/0"
    assert run.info.artifact_uri == f"s3://{bucket}/{folder_of(run_id)}"
    assert client.artifacts(run_id).uri("a/b.txt") == f"s3://{bucket}/{folder_of(run_id)}/a/b.txt"


def test_an_experiment_may_have_a_bucket_of_its_own(store, s3, client):
    own = s3.bucket()
    experiment = client.create_experiment("taxi", artifact_location=f"s3://{own}/taxi")
    run = client.create_run(experiment)
    client.log_text(run.info.run_id, "x", "x.txt")

    assert s3.keys(own) == [f"taxi/{run.info.run_id}/artifacts/x.txt"]


def test_a_download_goes_where_it_is_wanted(run_id, client, tmp_path):
    client.log_text(run_id, "hello", "notes/a.txt")

    path = client.download_artifacts(run_id, "notes/a.txt", tmp_path / "new" / "folder")

    assert path == str(tmp_path / "new" / "folder" / "a.txt")
    assert tree(tmp_path / "new") == {"folder/a.txt": b"hello"}


def test_the_beginning_of_a_file_is_read_without_the_rest(run_id, client):
    client.log_text(run_id, "0123456789", "a/digits.txt")
    files = client.artifacts(run_id)

    assert files.head("a/digits.txt", 4) == (b"0123", 10)
    assert files.head("a/digits.txt", 100) == (b"0123456789", 10)
    for path in ("a", "", "a/digits", "none"):
        with pytest.raises(errors.NotFound):
            files.head(path, 4)


def test_what_is_not_there_is_said(run_id, client):
    client.log_text(run_id, "x", "a.txt.bak")
    with pytest.raises(errors.NotFound, match=r"no artifact 'a\.txt'\."):
        client.download_artifacts(run_id, "a.txt")


def test_a_later_file_takes_the_place_of_an_earlier_one(run_id, client):
    client.log_text(run_id, "first", "a.txt")
    client.log_text(run_id, "second", "a.txt")

    assert Path(client.download_artifacts(run_id, "a.txt")).read_text() == "second"


def test_temporary_copies_go_with_the_process(run_id, store):
    script = """
        import sys, tracknb
        client = tracknb.MlflowClient(sys.argv[1])
        client.log_text(sys.argv[2], "x", "x.txt")
        print(client.download_artifacts(sys.argv[2], "x.txt"))
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(store), run_id]
    path = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.strip()

    assert path.endswith("x.txt")
    assert not Path(path).exists()


def test_memory_stays_small_however_large_the_file(run_id, store, tmp_path):
    (tmp_path / "big.bin").write_bytes(random.Random(1).randbytes(50 << 20))
    script = """
        import filecmp, os, resource, sys, tracknb
        client = tracknb.MlflowClient(sys.argv[1])
        run_id, path = sys.argv[2:]
        client.log_text(run_id, "warm", "warm.txt")
        client.download_artifacts(run_id, "warm.txt")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        client.log_artifact(run_id, path)
        up = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        copy = client.download_artifacts(run_id, "big.bin")
        down = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print((up - before) // 1024, (down - before) // 1024, filecmp.cmp(copy, path, shallow=False))
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(store), run_id, str(tmp_path / "big.bin")]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout.split()

    assert printed[2] == "True"
    # Parts of 8 MiB, in two or three places at once.
    assert max(int(printed[0]), int(printed[1])) < 45


def test_a_terminal_shows_how_far_a_large_file_is(run_id, store, tmp_path):
    with open(tmp_path / "big.bin", "wb") as file:
        file.truncate(70 << 20)
    script = "import sys, tracknb; tracknb.MlflowClient(sys.argv[1]).log_artifact(sys.argv[2], sys.argv[3])"
    command = [sys.executable, "-c", script, str(store), run_id, str(tmp_path / "big.bin")]
    ours, theirs = pty.openpty()
    child = subprocess.Popen(command, stderr=theirs, stdout=subprocess.PIPE)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):
        while part := os.read(ours, 4096):
            shown += part
    os.close(ours)

    assert child.communicate(timeout=60)[0] == b""
    assert child.returncode == 0
    assert b"\rbig.bin: 8 of 70 MiB" in shown
    assert b"\rbig.bin: 70 of 70 MiB" in shown


def test_a_forked_worker_logs_files_too(run_id, client, s3, bucket):
    """It inherits a session whose thread is not there."""
    client.log_text(run_id, "x", "parent.txt")
    worker = multiprocessing.get_context("fork").Process(target=client.log_text, args=(run_id, "x", "child.txt"))
    worker.start()
    worker.join(30)
    client.log_text(run_id, "x", "parent-again.txt")

    assert worker.exitcode == 0
    assert [info.path for info in client.list_artifacts(run_id)] == ["child.txt", "parent-again.txt", "parent.txt"]


# -- names and kinds -------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/etc/x", "a\x00b", "..\\x", "a?versionId=1", "\udc80", ""])
def test_a_path_that_leads_elsewhere_is_refused(run_id, client, s3, bucket, path):
    with pytest.raises(errors.ArtifactPathError):
        client.log_text(run_id, "x", path)

    assert s3.keys(bucket) == []


def test_pipes_and_devices_are_refused(run_id, client, s3, bucket, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "good.txt").write_text("x")

    with pytest.raises(errors.ArtifactPathError, match="a pipe, socket or device"):
        client.log_artifacts(run_id, tmp_path)
    with pytest.raises(errors.ArtifactPathError, match="a pipe, socket or device"):
        client.log_artifact(run_id, "/dev/zero")
    with pytest.raises(errors.ArtifactPathError, match="the store itself"):
        client.log_artifact(run_id, tmp_path / "store" / "runs.db")
    assert s3.keys(bucket) == []


def test_objects_with_hostile_names_stay_out_of_our_folders(run_id, client, s3, bucket, tmp_path):
    """Whoever may write the bucket must not write the disk of those who read it."""
    s3.client().put_object(Bucket=bucket, Key=f"{folder_of(run_id)}/../../evil.txt", Body=b"x")
    s3.client().put_object(Bucket=bucket, Key=f"{folder_of(run_id)}/good.txt", Body=b"x")

    with pytest.raises(errors.ArtifactPathError, match="leads out"):
        client.download_artifacts(run_id, "", tmp_path / "here" / "deep" / "down")
    assert list(tmp_path.rglob("evil.txt")) == []
    assert client.list_artifacts(run_id) == [FileInfo("good.txt", False, 1)]


# -- taking away -----------------------------------------------------------------------------


def test_gc_takes_out_a_run_and_nothing_else(store, s3, client, monkeypatch):
    """A star in a name is a star, not a pattern that fits the objects of others."""
    bucket = s3.bucket()
    experiment = client.create_experiment("stars", artifact_location=f"s3://{bucket}/p*q")
    gone, stays = (client.create_run(experiment).info.run_id for _ in range(2))
    for run_id in (gone, stays):
        client.log_text(run_id, "12345", "a/[b].txt")
        client.log_text(run_id, "123", "c.txt")
        client.set_terminated(run_id)
    other = f"pXq/{gone}/artifacts/c.txt"
    s3.client().put_object(Bucket=bucket, Key=other, Body=b"x")

    client.delete_run(gone)
    assert client.gc(dry_run=True)["artifact_bytes"].tolist() == [8]
    assert client.gc()["run_id"].tolist() == [gone]

    assert s3.keys(bucket) == [
        f"p*q/{stays}/artifacts/a/[b].txt",
        f"p*q/{stays}/artifacts/c.txt",
        other,
    ]


def test_gc_takes_folder_markers_too(run_id, client, s3, bucket):
    client.log_text(run_id, "x", "x.txt")
    s3.client().put_object(Bucket=bucket, Key=f"{folder_of(run_id)}/data/", Body=b"")
    client.delete_run(run_id)
    client.gc()

    assert s3.keys(bucket) == []


def test_gc_keeps_a_run_whose_files_it_cannot_reach(run_id, client, s3, bucket):
    client.log_text(run_id, "x", "x.txt")
    client.delete_run(run_id)
    with standing_still(s3), pytest.raises(errors.StoreUnreachable):
        client.gc()

    assert client.get_run(run_id).info.lifecycle_stage == "deleted"
    assert client.gc()["run_id"].tolist() == [run_id]
    assert s3.keys(bucket) == []


# -- faults ----------------------------------------------------------------------------------


def test_a_missing_bucket_is_named(store, s3, client):
    run_id = client.create_run(client.create_experiment("x", "s3://there-is-none-such/x")).info.run_id

    for call in (lambda: client.log_text(run_id, "x", "x.txt"), lambda: client.list_artifacts(run_id)):
        with pytest.raises(errors.NotFound, match=r"no s3://there-is-none-such \(NoSuchBucket\)"):
            call()


@pytest.mark.parametrize("variable", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_wrong_credentials_are_said_and_never_shown(run_id, client, s3, monkeypatch, variable):
    client.log_text(run_id, "x", "x.txt")
    right, wrong = s3.environment[variable], "AKIAWRONGWRONGWRONGW"
    calls = [
        lambda: client.log_text(run_id, "x", "y.txt"),
        lambda: client.list_artifacts(run_id),
        lambda: client.download_artifacts(run_id, "x.txt"),
    ]
    with s3.checking_credentials():
        monkeypatch.setenv(variable, wrong)
        for call in calls:
            with pytest.raises(errors.AuthError, match=r"refuses access .*AWS_ACCESS_KEY_ID") as caught:
                call()
            assert wrong not in str(caught.value)
        # The kernel goes on with the right ones.
        monkeypatch.setenv(variable, right)
        client.log_text(run_id, "x", "y.txt")


def test_no_credentials_at_all_are_said(run_id, client, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    with pytest.raises(errors.AuthError, match=r"refuses access: Unable to locate credentials. .*AWS_ACCESS_KEY_ID"):
        client.log_text(run_id, "x", "x.txt")


def test_a_service_that_is_away_is_named_in_time(run_id, client, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}"
        # Bound, and nobody listens.
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        begun = time.monotonic()
        with pytest.raises(errors.StoreUnreachable, match=f"at {endpoint} does not answer"):
            client.log_text(run_id, "x", "x.txt")

    assert time.monotonic() - begun < 10


def test_a_service_that_stands_still_holds_nobody_for_ever(run_id, client, s3, bucket, tmp_path):
    """In the middle of an upload; what has come through is no object."""
    with open(tmp_path / "big.bin", "wb") as file:
        file.truncate(300 << 20)
    caught = []

    def upload():
        try:
            client.log_artifact(run_id, tmp_path / "big.bin")
        except errors.TracknbError as error:
            caught.append(error)

    thread = threading.Thread(target=upload)
    thread.start()
    while not s3.client().list_multipart_uploads(Bucket=bucket).get("Uploads"):
        time.sleep(0.01)
    with standing_still(s3):
        thread.join(30)
        assert not thread.is_alive()

    assert [type(error) for error in caught] == [errors.StoreUnreachable]
    assert s3.keys(bucket) == []
    client.log_text(run_id, "x", "x.txt")


def test_a_short_absence_goes_unnoticed(run_id, client, s3, monkeypatch):
    monkeypatch.setenv("TRACKNB_BUSY_SECONDS", "20")
    back = threading.Timer(1.5, s3.process.send_signal, [signal.SIGCONT])
    s3.process.send_signal(signal.SIGSTOP)
    back.start()

    client.log_text(run_id, "hello", "x.txt")

    assert Path(client.download_artifacts(run_id, "x.txt")).read_text() == "hello"


def test_a_source_that_cannot_be_read_is_not_the_services_fault(run_id, client, tmp_path):
    with pytest.raises(errors.NotFound, match="There is no file"):
        client.log_artifact(run_id, tmp_path / "nowhere.txt")


def test_a_download_that_cannot_be_written_says_where(run_id, client, tmp_path):
    client.log_text(run_id, "x", "x.txt")
    (tmp_path / "x.txt").mkdir()

    with pytest.raises(errors.StoreError, match=str(tmp_path)):
        client.download_artifacts(run_id, "x.txt", tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".tracknb")] == []


# -- secrets ---------------------------------------------------------------------------------


def test_no_credential_reaches_the_store(run_id, client, s3, store, tmp_path, capfd):
    client.log_text(run_id, "x", "x.txt")
    with tracknb.start_run():
        tracknb.log_metric("loss", 1.0)
    captured = capfd.readouterr()

    kept = b"".join(path.read_bytes() for path in store.parent.rglob("*") if path.is_file())
    assert run_id.encode() in kept
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        secret = s3.environment[name]
        assert secret.encode() not in kept
        assert secret not in captured.out + captured.err


@pytest.mark.parametrize(
    "address",
    [
        "s3://AKIA0123456789ABCDEF:hidden-word@bucket/x",
        "s3://hidden-word@bucket/x",
        "sftp://ada:hidden-word@host/x",
        "abfs://container/x?sig=hidden-word",
        "s3://bucket/x#hidden-word",
        "simplecache::s3://bucket/hidden-word",
    ],
)
def test_an_address_with_a_secret_is_refused_unseen(store, client, monkeypatch, address):
    with pytest.raises(errors.InvalidValue) as caught:
        client.create_experiment("x", artifact_location=address)
    assert "hidden-word" not in str(caught.value)

    with monkeypatch.context() as environment:
        environment.setenv("TRACKNB_ARTIFACT_ROOT", address)
        with pytest.raises(errors.InvalidValue) as caught:
            tracknb.MlflowClient(store.with_name("other.db")).search_experiments()
    assert "hidden-word" not in str(caught.value)
    assert not store.exists() or b"hidden-word" not in store.read_bytes()


# -- other kinds -----------------------------------------------------------------------------


def test_other_kinds_of_fsspec_serve_too(store, client):
    """Where a file is no object, it is written beside its place and moved to it."""
    experiment = client.create_experiment("memory", artifact_location="memory://shared/files")
    run_id = client.create_run(experiment).info.run_id
    client.log_text(run_id, "first", "a/b.txt")
    client.log_text(run_id, "second", "a/b.txt")

    assert client.list_artifacts(run_id) == [FileInfo("a", True, None)]
    assert client.list_artifacts(run_id, "a") == [FileInfo("a/b.txt", False, 6)]
    assert Path(client.download_artifacts(run_id, "a/b.txt")).read_text() == "second"
    client.set_terminated(run_id)
    client.delete_run(run_id)
    client.gc()
    import fsspec

    assert fsspec.filesystem("memory").find("/shared/files") == []


def test_a_kind_that_nobody_knows_is_refused(store, client):
    run_id = client.create_run(client.create_experiment("x", "nothing-such://host/x")).info.run_id
    with pytest.raises(errors.InvalidValue, match="No files can be kept at 'nothing-such://"):
        client.log_text(run_id, "x", "x.txt")


def test_a_missing_package_names_its_extra(store, client):
    try:
        import gcsfs  # noqa: F401
    except ImportError:
        run_id = client.create_run(client.create_experiment("x", "gs://bucket/x")).info.run_id
        with pytest.raises(errors.MissingExtra, match=r'pip install "tracknb\[gs\]"'):
            client.log_text(run_id, "x", "x.txt")
    else:
        pytest.skip("gcsfs is installed")


def test_a_missing_package_that_is_no_extra_is_named(store, client):
    try:
        import paramiko  # noqa: F401
    except ImportError:
        run_id = client.create_run(client.create_experiment("x", "sftp://host/x")).info.run_id
        with pytest.raises(errors.MissingExtra, match="paramiko"):
            client.log_text(run_id, "x", "x.txt")
    else:
        pytest.skip("paramiko is installed")


def test_a_local_folder_needs_no_fsspec(tmp_path):
    script = """
        import sys, tracknb
        with tracknb.start_run():
            tracknb.log_text("x", "x.txt")
        tracknb.download_artifacts(artifact_path="x.txt")
        print([name for name in ("fsspec", "aiohttp", "s3fs") if name in sys.modules])
    """
    environment = {**os.environ, "TRACKNB_TRACKING_URI": str(tmp_path / "runs.db")}
    command = [sys.executable, "-c", textwrap.dedent(script)]
    child = subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=60)

    assert child.stdout.strip() == "[]"
