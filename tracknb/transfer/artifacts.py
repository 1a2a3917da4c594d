"""Files of imported runs: finding where they lie now, and putting them into the run's own folder.

MLflow notes absolute addresses, often of another machine. A store's own folder is looked
through for the end of such an address. A folder counts only if it is called as MLflow calls
a run's (``RUN_ID/artifacts``), and links that lead out of it are not followed: an address
in a stranger's database must not fetch files of yours.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import unquote, urlsplit

from tracknb.errors import ArtifactPathError, StoreError, of_system
from tracknb.files import LocalArtifacts
from tracknb.remote_files import RemoteArtifacts
from tracknb.transfer.source import ArtifactPlace

# The scheme of files that MLflow's server hands out; they lie in a folder of the server.
_LOCAL_SCHEMES: Final = ("file", "mlflow-artifacts")


@dataclass(slots=True)
class Copied:
    """What was put into a run's folder, and what could not be."""

    files: int = 0
    size_bytes: int = 0
    missing: list[str] | None = None

    def miss(self, what: str) -> None:
        """Remember that something is not there."""
        self.missing = [*(self.missing or []), what]


def find_folder(place: ArtifactPlace, run_id: str, folders: Sequence[Path]) -> Path | None:
    """Return the folder on this machine that an address means; None if there is none.

    It need not be there where the folder of its experiment is: then nothing was logged.
    """
    try:
        path, is_here = _local_path(place.uri)
    except ValueError:
        # No address at all.
        return None
    # A model's folder is called after the model, below 'models'.
    if path is None or path.name != "artifacts" or ".." in path.parts or len(path.parts) < 3:
        return None
    if path.parts[-2] != run_id and path.parts[-3] != "models":
        return None
    relative = [part for part in path.parts if part != path.anchor]
    # The longest end of the address first: the shortest is run and 'artifacts'.
    ends = [Path(*relative[first:]) for first in range(len(relative) - 1)]
    candidates = [path] if is_here else []
    candidates += [place.usual] if place.usual is not None else []
    candidates += [folder / end for end in ends for folder in folders]
    for candidate in candidates:
        if candidate.is_dir() and not candidate.is_symlink():
            return candidate
    if path.is_symlink() or (place.usual is not None and place.usual.is_symlink()):
        return None
    return path if _is_root_here(path, is_here, place.usual, folders) else None


def _is_root_here(path: Path, is_here: bool, usual: Path | None, folders: Sequence[Path]) -> bool:
    """Tell whether the folder of all experiments, of which a run's folder is missing, is on this machine."""
    root = path.parents[2] if len(path.parents) > 2 else Path()
    if is_here and root.is_dir():
        return True
    if usual is not None and usual.parts[-3:] == path.parts[-3:]:
        return usual.parent.is_dir()
    if not root.name:
        # A server's address does not say how its folder is called.
        return any(folder.is_dir() for folder in folders[1:])
    return any((folder / root.name).is_dir() for folder in folders)


def _local_path(uri: str) -> tuple[Path | None, bool]:
    """Return the path of an address, None if it is of another kind; and whether it names a place of this machine."""
    scheme, colon, _ = uri.partition(":")
    if not colon or len(scheme) < 2 or not scheme.replace("-", "").isalnum():
        path = Path(uri)
        return path, path.is_absolute()
    if scheme not in _LOCAL_SCHEMES:
        return None, False
    path = Path(unquote(urlsplit(uri).path))
    return path, scheme == "file"


def copy_folder(source: Path, target: LocalArtifacts | RemoteArtifacts, below: str, copied: Copied) -> None:
    """Copy what is in a folder and not, or older, in a run's own."""
    for path in _files(source, copied):
        name = (PurePosixPath(below) / path.relative_to(source).as_posix()).as_posix()
        try:
            status = path.stat()
            if _is_there(target, name, status):
                continue
            target.put_file(path, os.path.dirname(name))
            if isinstance(target, LocalArtifacts):
                # So that the next import sees whether it changed since.
                os.utime(target.uri(name), ns=(status.st_atime_ns, status.st_mtime_ns))
        except ArtifactPathError as error:
            copied.miss(str(error))
        except PermissionError as error:
            if isinstance(error, StoreError) and not os.access(path, os.R_OK):
                copied.miss(f"{path} may not be read")
            else:
                raise
        except OSError as error:
            if isinstance(error, StoreError):
                raise
            copied.miss(f"{path} could not be read: {error.strerror}")
        else:
            copied.files += 1
            copied.size_bytes += status.st_size


def _is_there(target: LocalArtifacts | RemoteArtifacts, name: str, status: os.stat_result) -> bool:
    """Tell whether a file was copied before and has not changed since; an object store has only sizes to tell by."""
    if isinstance(target, LocalArtifacts):
        there = Path(target.uri(name))
        return there.is_file() and there.stat().st_mtime_ns >= status.st_mtime_ns
    folder = os.path.dirname(name) or None
    return any(item.path == name and item.file_size == status.st_size for item in target.list(folder))


def _files(top: Path, copied: Copied) -> Iterator[Path]:
    root = os.path.realpath(top)
    for folder, folders, names in os.walk(top, onerror=lambda error: copied.miss(f"{error.filename} cannot be read")):
        folders.sort()
        for name in sorted([*names, *(link for link in folders if os.path.islink(os.path.join(folder, link)))]):
            path = Path(folder, name)
            if path.is_symlink() and not os.path.realpath(path).startswith(f"{root}{os.sep}"):
                copied.miss(f"{path} is a link that leads out of the run's folder")
            elif path.is_file():
                yield path


def link_folder(source: Path, target: Path) -> None:
    """Make a run's folder a link to another one, unless there is something already."""
    if target.is_symlink():
        if os.path.realpath(target) == os.path.realpath(source):
            return
        target.unlink()
    elif target.exists():
        return
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        os.symlink(os.path.abspath(source), target, target_is_directory=True)
    except OSError as error:
        raise of_system(error, target) from error


def unlink_folder(target: Path) -> None:
    """Let a run have a folder of its own where it had a link to another one."""
    if target.is_symlink():
        target.unlink()
