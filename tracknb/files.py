"""The files of a run: put, list and read them under the run's own folder.

A path is resolved and then compared with the resolved root, at the moment of use. A
file is written beside its place and renamed into it, so what is listed is whole.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import stat
from collections.abc import Callable, Collection
from pathlib import Path, PurePosixPath

from tracknb import errors, names
from tracknb.entities import FileInfo
from tracknb.errors import ArtifactPathError, NotFound

# How the name of what is not whole yet begins.
PARTIAL = ".tracknb-partial-"
_UNREAD = "Nothing was read."
# Linux's limit; others have smaller ones.
_LONGEST_PATH = 4_096


class LocalArtifacts:
    """The artifact folder of one run.

    Parameters
    ----------
    root
        The folder; it need not be there.
    store_files
        Files that are never read: closing a SQLite file by hand drops the locks that this
        process holds on it, and with them what keeps other writers out.
    """

    def __init__(self, root: str | Path, store_files: Collection[str | Path] = ()) -> None:
        self.root = Path(root)
        self._store_files = tuple(store_files)

    def uri(self, artifact_path: str | None = None) -> str:
        """Return where a path of this run is kept."""
        return str(self.root) if not artifact_path else str(self._resolved(artifact_path))

    def put_file(self, local_path: str | os.PathLike[str], artifact_path: str | None = None) -> None:
        """Copy a regular file into the folder ``artifact_path`` of this run."""
        source = Path(local_path)
        require_loggable(source, self._store_files)
        target = self._resolved(str(PurePosixPath(artifact_path or "") / source.name))
        write_beside(target, lambda partial: shutil.copyfile(source, partial))

    def put_folder(self, local_dir: str | os.PathLike[str], artifact_path: str | None = None) -> None:
        """Copy the content of a folder, with its subfolders, into ``artifact_path``."""
        for path, below in files_to_log(local_dir, self._store_files):
            self.put_file(path, str(PurePosixPath(artifact_path or "") / below))

    def put_bytes(self, data: bytes, artifact_file: str) -> None:
        """Write a file of this run in whole."""
        write_beside(self._resolved(artifact_file), lambda partial: Path(partial).write_bytes(data))

    def list(self, path: str | None = None) -> list[FileInfo]:
        """Return what lies directly in a folder of this run, by name; nothing if it is absent."""
        # The root may be a link; what lies in it is found by its real path.
        root = self._resolved("", _UNREAD)
        folder = self._resolved(path, _UNREAD) if path else root
        # Unlike Path.is_dir this takes a name that is too long for one that is not there.
        if not os.path.isdir(folder):
            return []
        try:
            entries = sorted(folder.iterdir())
        except OSError as error:
            raise errors.of_system(error, folder) from error
        found = (_info(entry, root) for entry in entries if not entry.name.startswith(PARTIAL))
        return [item for item in found if item is not None]

    def local_path(self, artifact_path: str, dst_path: str | os.PathLike[str] | None = None) -> Path:
        """Return where a logged file or folder lies on this machine; with ``dst_path``, a copy there."""
        path = self._resolved(artifact_path, _UNREAD)
        if not path.exists():
            raise no_such_artifact(artifact_path)
        if dst_path is None:
            return path
        is_root = path == Path(os.path.realpath(self.root))
        # By its own name, without the folders above it, as MLflow does.
        target = Path(os.path.abspath(dst_path), "" if is_root else path.name)
        if path.is_dir():
            make_folder(target)
        for source in (
            [path] if path.is_file() else [Path(top, name) for top, _, files in os.walk(path) for name in files]
        ):
            if source.is_file() and not source.name.startswith(PARTIAL):
                copied = functools.partial(shutil.copyfile, source)
                write_beside(target / source.relative_to(path) if path.is_dir() else target, copied)
        return target

    def head(self, artifact_path: str, limit: int) -> tuple[bytes, int]:
        """Return the first ``limit`` bytes of a file, and how many it has."""
        path = self._resolved(artifact_path, _UNREAD)
        try:
            status = os.stat(path)
            if not stat.S_ISREG(status.st_mode) or _is_store(status, self._store_files):
                raise ArtifactPathError(f"'{artifact_path}' is no file that can be shown.")
            with open(path, "rb", opener=_open_at_once) as file:
                return file.read(limit), status.st_size
        except FileNotFoundError as error:
            raise no_such_artifact(artifact_path) from error
        except OSError as error:
            raise ArtifactPathError(f"'{artifact_path}' cannot be read: {error.strerror or error}.") from error

    def size_bytes(self) -> int:
        """Return what the files of this run take."""
        total = 0
        for folder, _, files in os.walk(self.root):
            for name in files:
                # A file may go while we look.
                with contextlib.suppress(OSError):
                    total += os.lstat(os.path.join(folder, name)).st_size
        return total

    def remove(self, run_id: str) -> None:
        """Remove the run's own folder; one that is not called after the run is left alone."""
        own = self.root.parent
        if own.name != run_id or self.root.is_symlink() or own.is_symlink() or not self.root.is_dir():
            return
        try:
            shutil.rmtree(own)
        except OSError as error:
            raise errors.of_system(error, error.filename or own) from error

    def _resolved(self, artifact_path: str, outcome: str = "Nothing was logged.") -> Path:
        if "\x00" in artifact_path:
            raise ArtifactPathError(f"The artifact path {artifact_path!r} holds a NUL character. {outcome}")
        if len(artifact_path) + len(str(self.root)) > 2 * _LONGEST_PATH:
            # Looking up each folder of a long one would take minutes.
            raise ArtifactPathError(f"The artifact path '{artifact_path:.80}…' is too long. {outcome}")
        try:
            root = Path(os.path.realpath(self.root))
            path = Path(os.path.realpath(root / artifact_path))
        except ValueError as error:
            # Half of a surrogate pair, or a folder with a NUL.
            place = f"{self.root}/{artifact_path}"
            raise ArtifactPathError(f"No file can be called {place!r:.200}. {outcome}") from error
        if not _lies_in(path, root):
            raise ArtifactPathError(
                f"The artifact path '{artifact_path}' leads out of the run's folder. {outcome} "
                "Use a relative path without '..'."
            )
        return path


def _info(entry: Path, root: Path) -> FileInfo | None:
    """Return what is said of a file or folder; None for one that just went, and for a link out of the root."""
    try:
        if entry.is_symlink() and not _lies_in(Path(os.path.realpath(entry)), root):
            return None
        status = entry.stat()
    except OSError:
        return None
    is_dir = stat.S_ISDIR(status.st_mode)
    return FileInfo(
        path=entry.relative_to(root).as_posix(), is_dir=is_dir, file_size=None if is_dir else status.st_size
    )


def _lies_in(path: Path, root: Path) -> bool:
    return path == root or str(path).startswith(f"{root}{os.sep}")


def _open_at_once(path: str, flags: int) -> int:
    # A pipe may have taken the file's place, and nobody may ever write into it; so may a link out of the folder.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0))


def files_to_log(local_dir: str | os.PathLike[str], store_files: Collection[str | Path]) -> list[tuple[Path, str]]:
    """Return the files of a folder, each with the folder below it that it lies in."""
    top = Path(local_dir)
    if not top.is_dir():
        raise NotFound(f"There is no folder {top}. Nothing was logged.")
    found = [Path(folder, name) for folder, _, files in os.walk(top) for name in files]
    # First, so that a file that is refused leaves nothing half done.
    for path in found:
        require_loggable(path, store_files)
    return [(path, path.parent.relative_to(top).as_posix()) for path in found]


def require_loggable(path: Path, store_files: Collection[str | Path]) -> None:
    """Refuse what is no regular file, and the files of a store."""
    try:
        status = os.stat(path)
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {path}. Nothing was logged.") from error
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder; use log_artifacts" if stat.S_ISDIR(status.st_mode) else "a pipe, socket or device"
        raise ArtifactPathError(f"{path} is {kind}. Nothing was logged.")
    if _is_store(status, store_files):
        raise ArtifactPathError(
            f"{path} is the store itself, which SQLite must read alone. Nothing was logged. "
            f'Log a copy: sqlite3 {path.name} ".backup copy.db"'
        )


def _is_store(status: os.stat_result, store_files: Collection[str | Path]) -> bool:
    for own in store_files:
        with contextlib.suppress(OSError):
            if os.path.samestat(status, os.stat(own)):
                return True
    return False


def write_beside(target: Path, write: Callable[[Path], object]) -> None:
    """Let a file be written beside its place, then rename it into it."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        replace_whole(target, write)
    except errors.TracknbError:
        raise
    except OSError as error:
        # The file that is copied may be at fault as well as our own folder.
        raise errors.of_system(error, error.filename or target) from error


def replace_whole(target: Path, write: Callable[[Path], object]) -> None:
    """Put what is written in a file's place, all of it or nothing; raises `OSError` as the system does."""
    # Beside its place, because a rename does not cross file systems.
    partial = target.with_name(f"{PARTIAL}{names.new_id()}")
    try:
        write(partial)
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def make_folder(path: Path) -> None:
    """Make a folder and those above it."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise errors.of_system(error, path) from error


def no_such_artifact(artifact_path: str) -> NotFound:
    """Return the error for a path that a run does not have."""
    return NotFound(f"This run has no artifact '{artifact_path}'. tracknb.list_artifacts() shows what there is.")
