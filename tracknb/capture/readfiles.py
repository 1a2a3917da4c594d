"""What the files hold that a cell read: a digest each, so that two runs can tell whether they read the same data.

Only contents count, not names or times. A large file is told by its size and by parts all over
it, so that a cell that reads gigabytes does not pay for them twice. Code of packages is no
data, and neither is what a program keeps for itself in folders for temporary files.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from tracknb.capture.opened import as_text, fitting

# What is not larger is read whole; of what is, so many parts of this size.
_WHOLE_BYTES: Final = 16 << 20
_PART_BYTES: Final = 1 << 20
_PARTS: Final = 16
_MOST_FILES: Final = 200
_LETTERS: Final = 16
_METADATA: Final = (".dist-info", ".egg-info")
_COMPILED: Final = (".py", ".pyc", ".pyo", ".so", ".pyd")

# Calls that take a file's name first. Libraries in other languages open it themselves, which Python is not told of:
# Arrow's Parquet, Polars, HDF5.
_READING: Final = re.compile(r"(read|scan|load|open)_\w+|load|ParquetFile|ParquetDataset")
_WRITING: Final = re.compile(r"(to|write|sink|save|dump)_\w+|save|dump")


def named_files(code: str, namespace: Mapping[str, Any]) -> dict[str, str]:
    """Return the files that are there and whose names a cell gives to calls that read (``r``) or write (``w``) them.

    A name is a text that stands in the call, or a variable that holds one.

    Examples
    --------
    >>> open("rides.parquet", "w").close()
    >>> place = "rides.parquet"
    >>> named_files("frame = pd.read_parquet(place)\\nframe.to_csv('gone.csv')", {"place": place})
    {'rides.parquet': 'r'}
    """
    if not (_READING.search(code) or _WRITING.search(code)):
        return {}
    try:
        calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    found: dict[str, str] = {}
    for call in calls:
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        how = "r" if _READING.fullmatch(name) else "w" if _WRITING.fullmatch(name) else ""
        path = _path_of(call.args[0], namespace) if how and call.args else None
        if path is not None and os.path.isfile(path):
            found[path] = "".join(sorted({*found.get(path, ""), how}))
    return found


def _path_of(node: ast.expr, namespace: Mapping[str, Any]) -> str | None:
    value = namespace.get(node.id) if isinstance(node, ast.Name) else getattr(node, "value", None)
    try:
        return os.fsdecode(value) if isinstance(value, str | os.PathLike) and "\x00" not in str(value) else None
    except (TypeError, ValueError):
        return None


class Digests:
    """The digests of files, each taken again only where the file is another.

    Parameters
    ----------
    is_closed
        Says of a path that it must not be opened: SQLite's locks go with any closing of its file.
    """

    def __init__(self, is_closed: Callable[[str], bool]) -> None:
        self._is_closed = is_closed
        self._known: dict[str, tuple[object, str]] = {}
        self._sites: dict[str, tuple[int, bool]] = {}

    def of(self, paths: Iterable[str], seconds: float) -> dict[str, str]:
        """Return the digests of the files among some absolute paths that are data or the user's own code.

        What cannot be read is left out, and what is not reached in time: of that nothing is known.
        """
        until = time.monotonic() + seconds
        found: dict[str, str] = {}
        for path in sorted(paths):
            if len(found) >= _MOST_FILES or time.monotonic() > until:
                break
            if self._is_of_package(path) or _is_temporary(path) or self._is_closed(path):
                continue
            try:
                found[path] = self._digest(path)
            except (OSError, ValueError):
                continue
        return found

    def _digest(self, path: str) -> str:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("a folder, pipe or device")
        key = (status.st_ino, status.st_size, status.st_mtime_ns)
        known = self._known.get(path)
        if known is not None and known[0] == key:
            return known[1]
        digest = _digest_of(path, status.st_size)
        if len(self._known) >= 10 * _MOST_FILES:
            self._known.clear()
        self._known[path] = (key, digest)
        return digest

    def _is_of_package(self, path: str) -> bool:
        """Say whether a file belongs to something installed: its version tells of that."""
        folders = path.split(os.sep)
        if any(folder.endswith(_METADATA) for folder in folders):
            return True
        if not path.endswith(_COMPILED):
            return False
        return any(
            path.startswith(os.path.join(entry, "")) and self._is_site(entry)
            for entry in map(os.path.abspath, sys.path)
        )

    def _is_site(self, folder: str) -> bool:
        """Say whether packages are installed in a folder."""
        try:
            changed_ns = os.stat(folder).st_mtime_ns
            known = self._sites.get(folder)
            if known is None or known[0] != changed_ns:
                known = (changed_ns, any(name.endswith(_METADATA) for name in os.listdir(folder)))
                self._sites[folder] = known
            return known[1]
        except OSError:
            return False


def _is_temporary(path: str) -> bool:
    """Say whether a file lies among temporary ones, and the work does not."""
    top = os.path.join(os.path.abspath(tempfile.gettempdir()), "")
    try:
        return path.startswith(top) and not os.getcwd().startswith(top)
    except OSError:
        return path.startswith(top)


def _digest_of(path: str, size_bytes: int) -> str:
    digest = hashlib.sha256(str(size_bytes).encode())
    # A regular file as `stat` says; were it a pipe by now, opening it must not wait.
    with open(path, "rb", opener=_open_at_once) as file:
        if size_bytes <= _WHOLE_BYTES:
            digest.update(file.read(_WHOLE_BYTES + 1))
        else:
            for part in range(_PARTS):
                file.seek(part * (size_bytes - _PART_BYTES) // (_PARTS - 1))
                digest.update(file.read(_PART_BYTES))
    return digest.hexdigest()[:_LETTERS]


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))


# -- what a run keeps ------------------------------------------------------------------


def written(contents: Mapping[str, str], earlier: str = "", *, letters: int) -> str:
    """Return digests by path as a run keeps them, beside what it keeps already; empty if there are none.

    As many as there is room for.

    Examples
    --------
    >>> written({"rides.csv": "9f2c"}, '{"zones.csv": "01ab"}', letters=100)
    '{"rides.csv": "9f2c", "zones.csv": "01ab"}'
    """
    held = fitting(dict(sorted({**read(earlier), **contents}.items())), letters)
    return as_text(held) if held else ""


def read(text: str) -> dict[str, str]:
    """Return the digests by path that `written` wrote; nothing of another form."""
    try:
        held = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return {str(path): str(digest) for path, digest in held.items()} if isinstance(held, dict) else {}
