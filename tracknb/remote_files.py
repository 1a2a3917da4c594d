"""The files of a run where fsspec leads: ``s3://``, ``gs://``, ``abfs://`` and the like.

An object is there whole or not at all, and files are streamed, so memory stays small.
Whatever a service does, a call ends: with the file in its place, or with an error of ours,
after ``TRACKNB_BUSY_SECONDS`` where nobody answers and five times that where an answer
breaks off. Credentials come from the cloud's own places and go nowhere.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import functools
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Final, TypeVar

from tracknb import config, errors, names
from tracknb.capture import secrets
from tracknb.entities import FileInfo
from tracknb.errors import ArtifactPathError, AuthError, InvalidValue, MissingExtra, NotFound, StoreUnreachable
from tracknb.files import (
    PARTIAL,
    files_to_log,
    make_folder,
    no_such_artifact,
    require_loggable,
    write_beside,
)

T = TypeVar("T")
_EXTRAS: Final = {
    "s3": "s3",
    "s3a": "s3",
    "gs": "gs",
    "gcs": "gs",
    "abfs": "azure",
    "abfss": "azure",
    "az": "azure",
}
_MIB: Final = 1 << 20
# What is not larger goes in one request; what is, in parts of this size. S3 takes 10,000 of them.
_PART_BYTES: Final = 8 * _MIB
_MOST_PARTS: Final = 9_000
_PROGRESS_BYTES: Final = 64 * _MIB
_MOST_SYSTEMS: Final = 16
# Each library has exceptions of its own; all of them are told by the names of their kinds.
_REFUSALS: Final = {
    "PermissionError",
    "NoCredentialsError",
    "PartialCredentialsError",
    "CredentialRetrievalError",
    "ProfileNotFound",
    "SSOError",
    "DefaultCredentialsError",
    "RefreshError",
    "ClientAuthenticationError",
    "AuthenticationException",
}
_CUTS: Final = {
    "ConnectionError",
    "TimeoutError",
    "Timeout",
    "HTTPClientError",
    "ClientConnectionError",
    "ClientPayloadError",
    "IncompleteReadError",
    "ResponseParserError",
    "ServiceRequestError",
    "ServiceResponseError",
    "TransportError",
    "SSHException",
    "EOFError",
    "gaierror",
}
_UNREAD: Final = "Nothing was read."
_BUSY: Final = (errno.EBUSY, getattr(errno, "EREMOTEIO", errno.EIO))
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


class RemoteArtifacts:
    """The files of one run at a URL.

    Parameters
    ----------
    root
        The URL of the run's folder.
    store_files
        Files that are never read, as for ``LocalArtifacts``.
    """

    def __init__(self, root: str, store_files: Collection[str | Path] = ()) -> None:
        self.root = config.artifact_place(root)
        self._store_files = tuple(store_files)
        self._scheme = self.root.split("://", 1)[0]

    def uri(self, artifact_path: str | None = None) -> str:
        """Return where a path of this run is kept."""
        below = _checked(artifact_path or "")
        return f"{self.root}/{below}" if below else self.root

    def put_file(self, local_path: str | os.PathLike[str], artifact_path: str | None = None) -> None:
        """Send a regular file into the folder ``artifact_path`` of this run."""
        source = Path(local_path)
        require_loggable(source, self._store_files)
        target = _checked(str(PurePosixPath(artifact_path or "") / source.name))

        def send(system: Any, top: str) -> None:
            with _local(source), open(source, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                if size <= _PART_BYTES:
                    data = _read(file, size + 1)
                else:
                    return self._send_parts(system, f"{top}/{target}", file, size)
            return self._send_whole(system, f"{top}/{target}", data)

        self._done(send, _not_logged(target))

    def put_folder(self, local_dir: str | os.PathLike[str], artifact_path: str | None = None) -> None:
        """Send the content of a folder, with its subfolders, into ``artifact_path``."""
        for path, below in files_to_log(local_dir, self._store_files):
            self.put_file(path, str(PurePosixPath(artifact_path or "") / below))

    def put_bytes(self, data: bytes, artifact_file: str) -> None:
        """Write a file of this run in whole."""
        target = _checked(artifact_file)
        if not target:
            raise ArtifactPathError("An artifact needs a name. Nothing was logged.")
        self._done(lambda system, top: self._send_whole(system, f"{top}/{target}", data), _not_logged(target))

    def list(self, path: str | None = None) -> list[FileInfo]:
        """Return what lies directly in a folder of this run, by name; nothing if it is absent."""
        folder = _checked(path or "", _UNREAD)

        def look(system: Any, top: str) -> list[FileInfo]:
            place = f"{top}/{folder}" if folder else top
            try:
                entries = system.ls(place, detail=True, refresh=True) if _is_s3(self._scheme) else system.ls(place)
            except (FileNotFoundError, NotADirectoryError) as error:
                if _is_missing_bucket(error):
                    raise
                return []
            found = {}
            for entry in entries:
                name = str(entry["name"]).rstrip("/")
                last = name.rpartition("/")[2]
                # The folder's own marker or, for a file, the file; names that nobody could read by.
                if name.strip("/") == place.strip("/") or last in ("", ".", "..") or last.startswith(PARTIAL):
                    continue
                is_dir = entry["type"] == "directory" or str(entry["name"]).endswith("/")
                info = FileInfo(f"{folder}/{last}" if folder else last, is_dir, None if is_dir else entry["size"])
                found[info.path, is_dir] = info
            return [found[key] for key in sorted(found)]

        return self._done(look, _UNREAD)

    def local_path(self, artifact_path: str, dst_path: str | os.PathLike[str] | None = None) -> Path:
        """Return a copy of a logged file or folder on this machine.

        Without ``dst_path`` it lies in a folder for temporary files and goes with this process.
        """
        below = _checked(artifact_path, _UNREAD)
        files = self._done(lambda system, top: _files_at(system, f"{top}/{below}" if below else top), _UNREAD)
        if not files:
            raise no_such_artifact(artifact_path)
        target = Path(_temporary() if dst_path is None else os.path.abspath(dst_path))
        make_folder(target)
        self._require_room(target, sum(size for _, size in files))
        # By its own name, without the folders above it, as MLflow does.
        copy = target / below.rpartition("/")[2]
        for name, _ in files:
            # What others put into the bucket may have any name.
            inside = _checked(name, _UNREAD)
            place = Path(os.path.realpath(copy / inside))
            if not place.is_relative_to(os.path.realpath(target)):
                raise ArtifactPathError(f"The artifact '{name}' leads out of {target}. It was not read.")
            write_beside(place, functools.partial(self._fetch, "/".join(filter(None, (below, inside)))))
        return copy

    def head(self, artifact_path: str, limit: int) -> tuple[bytes, int]:
        """Return the first ``limit`` bytes of a file, and how many it has; no more is sent."""
        below = _checked(artifact_path, _UNREAD)

        def look(system: Any, top: str) -> tuple[bytes, int]:
            sizes = dict(_files_at(system, f"{top}/{below}")) if below else {}
            if "" not in sizes:
                raise no_such_artifact(artifact_path)
            size = sizes[""]
            wanted = min(limit, size)
            return (system.cat_file(f"{top}/{below}", start=0, end=wanted) if wanted else b""), size

        return self._done(look, _UNREAD)

    def size_bytes(self) -> int:
        """Return what the files of this run take."""
        return sum(size for _, size in self._done(_files_at, _UNREAD))

    def remove(self, run_id: str) -> None:
        """Remove the run's own folder; one that is not called after the run is left alone."""
        own, _, _ = self.root.rpartition("/")
        if own.rpartition("/")[2] != run_id:
            return

        def remove(system: Any, top: str) -> None:
            own, _, _ = top.rpartition("/")
            with contextlib.suppress(FileNotFoundError):
                found = [name for name in system.find(own) if name.lstrip("/").startswith(f"{own.lstrip('/')}/")]
                plain = [name for name in found if not _is_pattern(name)]
                if plain:
                    system.rm(plain)
                for name in set(found).difference(plain):
                    system.rm_file(name)
                if _is_s3(self._scheme):
                    # Markers that were made for folders are objects too, and hide behind their names.
                    for name, info in system.find(own, withdirs=True, detail=True).items():
                        if info["type"] == "directory":
                            system.rm_file(f"{name.rstrip('/')}/")
            if not _is_object_store(self._scheme) and not _is_pattern(own):
                # The empty folders.
                with contextlib.suppress(OSError):
                    system.rm(own, recursive=True)

        self._done(remove, "The run stays known as deleted; call gc() again.")

    def _send_whole(self, system: Any, key: str, data: bytes) -> None:
        if _is_object_store(self._scheme):
            system.pipe_file(key, data)
        else:
            self._send_beside(system, key, lambda partial: system.pipe_file(partial, data))

    def _send_parts(self, system: Any, key: str, file: BinaryIO, size: int) -> None:
        if _is_object_store(self._scheme):
            self._stream(system, key, file, size)
        else:
            self._send_beside(system, key, lambda partial: self._stream(system, partial, file, size))

    def _send_beside(self, system: Any, key: str, send: Callable[[str], None]) -> None:
        folder, _, _ = key.rpartition("/")
        system.makedirs(folder, exist_ok=True)
        partial = f"{folder}/{PARTIAL}{names.new_id()}"
        try:
            send(partial)
            if not system.exists(key):
                system.mv(partial, key)
                return
            # Not every kind replaces a file by moving another to its name; the old one goes last.
            aside = f"{partial}-old"
            system.mv(key, aside)
            try:
                system.mv(partial, key)
            except BaseException:
                system.mv(aside, key)
                raise
            system.rm_file(aside)
        except BaseException:
            with contextlib.suppress(Exception):
                system.rm_file(partial)
            raise

    def _stream(self, system: Any, key: str, file: BinaryIO, size: int) -> None:
        part = max(_PART_BYTES, -(-size // _MOST_PARTS // _MIB) * _MIB)
        sent = 0
        into = system.open(key, "wb", block_size=part)
        try:
            with _progress(key, size) as progress:
                while chunk := _read(file, part):
                    into.write(chunk)
                    sent += len(chunk)
                    progress(sent)
                into.close()
        except BaseException:
            # Closing would finish the object with what has been sent so far.
            with contextlib.suppress(Exception):
                into.discard()
            with contextlib.suppress(Exception):
                into.inner.closed = True
            raise
        if system.info(key)["size"] != sent:
            raise OSError(_BUSY[0], "the object is not whole")

    def _fetch(self, relative: str, partial: Path) -> None:
        def fetch(system: Any, top: str) -> None:
            source = system.open(f"{top}/{relative}", "rb", block_size=_PART_BYTES, cache_type="none")
            try:
                with _local(partial), open(partial, "wb") as file:
                    while chunk := source.read(_PART_BYTES):
                        _write(file, chunk)
                    if getattr(source, "size", None) not in (None, file.tell()):
                        raise OSError(_BUSY[0], "the answer broke off")
            finally:
                source.close()

        self._done(fetch, f"'{relative}' was not read, and nothing was changed.")

    def _require_room(self, folder: Path, needed: int) -> None:
        if shutil.disk_usage(folder).free < needed:
            raise errors.StoreFull(
                f"No room is left for {needed:,} bytes in {folder}. Nothing was read. Make room, or give dst_path=."
            )

    def _done(self, work: Callable[[Any, str], T], kept: str) -> T:
        """Do work on the file system, again while it is away, and return its result.

        Work is given the file system and the run's folder on it; doing it twice is the same as once.
        """
        patience = config.busy_seconds()
        begun = time.monotonic()
        wait = 0.2
        while True:
            try:
                system = _Bounded(_system(self._scheme, self.root), max(5 * patience, 5))
                return work(system, system._strip_protocol(self.root).rstrip("/"))
            except errors.TracknbError:
                raise
            except Exception as error:
                spent = time.monotonic() - begun
                translated = self._translated(error, kept, spent)
                if not isinstance(translated, StoreUnreachable) or spent >= patience:
                    raise translated from error
            time.sleep(min(wait, patience - spent))
            wait = min(2 * wait, 5)

    def _translated(self, error: Exception, kept: str, seconds: float) -> errors.TracknbError:
        kinds = {kind.__name__ for kind in type(error).__mro__}
        bucket = "/".join(self.root.split("/")[:3])
        # The code says more than the message, and never holds a key.
        code = _code(error)
        said = f" ({code})" if code else ""
        text = secrets.mask(" ".join(str(error).split()), "an error")[:200]
        if isinstance(error, OSError) and error.errno in _FULL:
            return errors.of_system(error, error.filename or tempfile.gettempdir())
        if kinds & _REFUSALS or code in ("401", "403"):
            _forget_systems()
            text = f": {text.rstrip('.')}"
            return AuthError(
                f"{bucket} refuses access{said or text}. {kept} "
                f"Check the credentials in {_whence(self._scheme)}, and what they may do there."
            )
        if isinstance(error, FileNotFoundError):
            return NotFound(
                f"There is no {bucket}{said}, or what was asked for is not there. {kept} Make it, or name another."
            )
        is_busy = isinstance(error, OSError) and error.errno in _BUSY
        if kinds & _CUTS or is_busy or code in ("429", "500", "502", "503", "504"):
            where = config.s3_endpoint() if _is_s3(self._scheme) else None
            return StoreUnreachable(
                f"{bucket}{f' at {where}' if where else ''} does not answer{said}; tried for {seconds:.0f} s. {kept} "
                "Try again when it does."
            )
        if isinstance(error, ImportError):
            return _missing_package(self._scheme, error)
        if isinstance(error, NotImplementedError):
            return errors.StoreReadOnly(
                f"{self._scheme}:// addresses cannot do this. {kept} Use a folder, s3:// or the like."
            )
        return errors.StoreError(f"{bucket} could not be used: {type(error).__name__}: {text}. {kept}")


# -- names ---------------------------------------------------------------------------------


def _checked(artifact_path: str, kept: str = "Nothing was logged.") -> str:
    """Return a path below the run's folder in plain form; ``kept`` is what a refusal says of the call."""
    problem = None
    if "\x00" in artifact_path:
        problem = f"The artifact path {artifact_path!r} holds a NUL character."
    elif artifact_path.startswith("/") or ".." in artifact_path.replace("\\", "/").split("/"):
        problem = f"The artifact path '{artifact_path}' leads out of the run's folder."
    elif "?versionId=" in artifact_path:
        # S3's own way to name an older version of an object.
        problem = f"The artifact path '{artifact_path}' means another object to S3."
    elif not _is_text(artifact_path):
        problem = f"The artifact path {artifact_path!r} is no text."
    if problem is not None:
        raise ArtifactPathError(f"{problem} {kept} Use a relative path without '..'.")
    return "/".join(part for part in artifact_path.split("/") if part not in ("", "."))


def _is_pattern(name: str) -> bool:
    """Tell whether fsspec would take a name for a pattern, which may match the files of other runs."""
    return any(sign in name for sign in "*?[")


def _not_logged(target: str) -> str:
    return f"'{target}' was not logged; what was stored stays stored."


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _files_at(system: Any, place: str) -> list[tuple[str, int]]:
    """Return the files below a folder, by their names in it, or the one file of this name, called ""."""
    try:
        found = system.find(place, detail=True)
    except (FileNotFoundError, NotADirectoryError) as error:
        if _is_missing_bucket(error):
            raise
        return []
    files = []
    for name, info in found.items():
        below = str(name).strip("/")[len(place.strip("/")) :]
        # Folder markers are objects without content whose names end with a slash.
        if info["type"] == "directory" or str(name).endswith("/") or below.rpartition("/")[2].startswith(PARTIAL):
            continue
        # Some services list whatever begins alike: a.txt.bak is not below a.txt.
        if not below or below.startswith("/"):
            files.append((below[1:], int(info["size"] or 0)))
    return sorted(files)


# -- the services --------------------------------------------------------------------------

_systems: dict[tuple[object, ...], Any] = {}


def _system(scheme: str, root: str) -> Any:
    """Return fsspec's file system for a URL, as the environment is now."""
    # A session belongs to its process, and not every kind may be used by several threads.
    host = root.split("/")[2]
    key = (scheme, host, os.getpid(), threading.get_ident(), config.cloud_digest(), config.busy_seconds())
    system = _systems.get(key)
    if system is None:
        if len(_systems) >= _MOST_SYSTEMS:
            _systems.clear()
        system = _systems[key] = _new_system(scheme, root)
    return system


def _forget_systems() -> None:
    # The next try reads the credentials anew.
    _systems.clear()


def _new_system(scheme: str, root: str) -> Any:
    try:
        import fsspec
        from fsspec.core import url_to_fs

        fsspec.get_filesystem_class(scheme)
    except ValueError as error:
        raise InvalidValue(
            f"No files can be kept at '{scheme}://...'. Use a folder, s3://, gs://, abfs:// or what else fsspec knows."
        ) from error
    except ImportError as error:
        raise _missing_package(scheme, error) from error
    options: dict[str, Any] = {"skip_instance_cache": True, "use_listings_cache": False}
    if _is_s3(scheme):
        seconds = config.busy_seconds()
        options |= {
            # One try each, as the tries are made here.
            "config_kwargs": {
                "connect_timeout": min(max(seconds, 1), 10),
                "read_timeout": min(max(seconds, 1), 30),
                "retries": {"max_attempts": 0},
            },
        }
        endpoint = config.s3_endpoint()
        if endpoint:
            options["endpoint_url"] = endpoint
    system, _ = url_to_fs(root, **options)
    if _is_s3(scheme):
        system.retries = 1
    return system


def _missing_package(scheme: str, error: ImportError) -> MissingExtra:
    extra = _EXTRAS.get(scheme)
    if extra is None and error.name != "fsspec":
        return MissingExtra(f"Files at {scheme}:// need a package that is not installed: {error}.")
    command = f'pip install "tracknb[{extra}]"' if extra else "pip install fsspec"
    return MissingExtra(f"Files at {scheme}:// need a package that is not installed. Install it with: {command}")


class _Bounded:
    """A file system, or a file on it, whose calls end: waiting for one takes so many seconds at most.

    The libraries bound single reads, but not what they send: a service that stands still in the
    middle of an upload would hold them for ever.
    """

    def __init__(self, inner: Any, seconds: float) -> None:
        self.inner = inner
        self._seconds = seconds

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        return functools.partial(self._call, found) if callable(found) else found

    def _call(self, function: Callable[..., Any], *values: Any, **options: Any) -> Any:
        outcome: list[Any] = []
        failed: list[BaseException] = []
        ended = threading.Event()

        def run() -> None:
            try:
                outcome.append(function(*values, **options))
            except BaseException as error:
                failed.append(error)
            finally:
                ended.set()

        # Left alone when it takes too long: nothing can stop it, and it keeps no process from ending.
        threading.Thread(target=run, name="tracknb-files", daemon=True).start()
        if not ended.wait(self._seconds):
            _forget_systems()
            raise TimeoutError(f"no end after {self._seconds:.0f} s")
        if failed:
            raise failed[0]
        result = outcome[0]
        return _Bounded(result, self._seconds) if hasattr(result, "write") else result


def _is_s3(scheme: str) -> bool:
    return _EXTRAS.get(scheme) == "s3"


def _is_object_store(scheme: str) -> bool:
    """Tell whether a file appears only when it is whole."""
    return scheme in _EXTRAS


def _whence(scheme: str) -> str:
    return {
        "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, ~/.aws/credentials or the machine's role",
        "gs": "GOOGLE_APPLICATION_CREDENTIALS or the machine's account",
        "azure": "AZURE_STORAGE_CONNECTION_STRING or AZURE_STORAGE_ACCOUNT_NAME and the machine's identity",
    }.get(_EXTRAS.get(scheme, ""), "the environment")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _code(error: Exception) -> str | None:
    """Return what the service called the error, such as AccessDenied."""
    for cause in _causes(error):
        response = getattr(cause, "response", None)
        if isinstance(response, dict):
            found = response.get("Error", {}).get("Code")
        else:
            found = getattr(cause, "status_code", None) or getattr(cause, "code", None)
        if isinstance(found, (str, int)):
            return str(found)
    return None


def _is_missing_bucket(error: Exception) -> bool:
    return _code(error) in ("NoSuchBucket", "ContainerNotFound")


# -- this machine --------------------------------------------------------------------------


@contextlib.contextmanager
def _local(source: Path) -> Iterator[None]:
    """Tell what is wrong with a file of this machine from what is wrong with the service."""
    try:
        yield
    except OSError as error:
        if error.filename is not None and os.fspath(error.filename) == os.fspath(source):
            raise errors.of_system(error, source) from error
        raise


def _write(file: BinaryIO, data: bytes) -> None:
    try:
        file.write(data)
        # Here, where a full disk can be told from a service's fault.
        file.flush()
    except OSError as error:
        raise errors.of_system(error, file.name) from error


def _read(file: BinaryIO, size: int) -> bytes:
    try:
        return file.read(size)
    except OSError as error:
        raise errors.of_system(error, file.name) from error


@contextlib.contextmanager
def _progress(name: str, size: int) -> Iterator[Callable[[int], None]]:
    """Give what shows on a terminal how much of a large file has been sent."""
    if size < _PROGRESS_BYTES or not sys.stderr.isatty():
        yield lambda sent: None
        return
    last = name.rpartition("/")[2]

    def show(sent: int) -> None:
        sys.stderr.write(f"\r{last}: {sent / _MIB:,.0f} of {size / _MIB:,.0f} MiB")
        sys.stderr.flush()

    try:
        yield show
    finally:
        sys.stderr.write("\n")


_temporary_folders: dict[int, str] = {}


def _temporary() -> str:
    """Return a new folder that goes with this process."""
    own = _temporary_folders.get(os.getpid())
    if own is None or not os.path.isdir(own):
        own = _temporary_folders[os.getpid()] = tempfile.mkdtemp(prefix="tracknb-")
        atexit.register(_remove_temporary, os.getpid(), own)
    return tempfile.mkdtemp(dir=own)


def _remove_temporary(pid: int, folder: str) -> None:
    # A forked child inherits what is to be done at the end, but not the folder.
    if pid == os.getpid():
        shutil.rmtree(folder, ignore_errors=True)
