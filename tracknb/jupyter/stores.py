"""Which stores and files a Jupyter server shows: those under its own folder, and those that its configuration names.

What a page names is resolved, links included, and then compared, each time it is used.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import posixpath
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tracknb import config
from tracknb.client import TrackingClient, let_go, open_artifacts
from tracknb.config import StoreLocation, is_url
from tracknb.entities import CELL_ID_TAG, SOURCE_NAME_TAG
from tracknb.errors import AuthError, InvalidValue, NotFound, StoreTooNew, TracknbError
from tracknb.files import LocalArtifacts
from tracknb.jupyter.threads import started
from tracknb.remote_files import RemoteArtifacts
from tracknb.search import tag_is, tag_is_any

_DEFAULT_NAME: Final = "tracknb.db"
_ENDINGS: Final = (".db", ".sqlite", ".sqlite3")
_DEPTH: Final = 4
_MOST_ENTRIES: Final = 5_000
_MOST_STORES: Final = 30
_PASSED_OVER: Final = ("node_modules", "__pycache__", "site-packages")
# How long a walk through the folders holds.
_WALK_SECONDS: Final = 10.0
# How long stores are asked whether they know a notebook: whoever opens the panel waits for it.
_ASK_SECONDS: Final = 2.0
_LONGEST_PATH: Final = 4_096
# How long the names that a notebook had hold while its file stays as it is, and how much of it is looked at.
_NAMES_SECONDS: Final = 20.0
_MOST_NOTEBOOKS: Final = 200
_MOST_CELLS: Final = 500
_MOST_FORMER_NAMES: Final = 10
_MOST_NOTEBOOK_BYTES: Final = 50_000_000
# A commit within so short a time of the last may leave a file's size and time as they are.
_RACY_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class ServedStore:
    """A store that pages may look into, and what they call it."""

    key: str
    location: StoreLocation
    is_named: bool

    def state(self) -> str | None:
        """Return what changes whenever the store does, at the cost of a look at its files; None where nothing tells."""
        path = self.location.path
        if path is None:
            return None
        parts, newest = [], 0
        for file in (path, path.with_name(f"{path.name}-wal")):
            try:
                status = os.stat(file)
            except OSError:
                parts.append("-")
                continue
            newest = max(newest, status.st_mtime_ns)
            parts.append(f"{status.st_ino}.{status.st_size}.{status.st_mtime_ns}")
        return None if time.time_ns() - newest < _RACY_NS else "/".join(parts)


class ServedClient(TrackingClient):
    """A client that reads files of runs only where the server may."""

    def __init__(self, store: ServedStore, stores: Stores) -> None:
        super().__init__(store.location.uri)
        self._served = store
        self._stores = stores

    def artifacts(self, run_id: str) -> LocalArtifacts | RemoteArtifacts:
        """Return the files of a run.

        Raises
        ------
        AuthError
            They lie where this server may not read.
        """
        # Asked for once: what is compared is what is opened.
        place = self.get_run(run_id).info.artifact_uri
        self._stores.require_readable(place, self._served)
        return open_artifacts(place)


class Stores:
    """The stores of one Jupyter server.

    Parameters
    ----------
    root
        The folder that the server shows.
    named
        Stores beyond it, by file or address.
    artifacts
        Folders and addresses beyond it that hold files of runs.
    """

    def __init__(self, root: str, named: Sequence[str] = (), artifacts: Sequence[str] = ()) -> None:
        self.root = Path(os.path.realpath(root))
        # As the server writes it into the kernels that it starts, and so as runs name it.
        self.shown_root = os.path.abspath(root)
        self._named = {location.shown: location for location in map(config.locate, named)}
        self._artifacts = [config.artifact_place(item) for item in artifacts]
        self._lock = threading.Lock()
        self._walked: tuple[float, list[ServedStore]] = (float("-inf"), [])
        # Stores that have not yet said when a notebook used them last.
        self._asked: dict[str, Future[int | None]] = {}
        # Which file a store was when it was read last.
        self._files: dict[str, tuple[int, int]] = {}
        self._names: dict[tuple[str, str, int], tuple[float, tuple[str, ...]]] = {}

    def get(self, key: str) -> ServedStore:
        """Return a store by what the page calls it.

        Raises
        ------
        AuthError
            It lies outside of the server's folder, and nobody named it.
        NotFound
            There is no store.
        """
        if key in self._named:
            location = self._named[key]
            return (
                ServedStore(key, location, is_named=True)
                if location.path is None
                else _checked(key, location.path, is_named=True)
            )
        if not key or "\x00" in key:
            raise InvalidValue("The question names no store.")
        path = Path(os.path.realpath(self.root / key))
        if not path.is_relative_to(self.root):
            raise AuthError(
                f"'{key}' lies outside of the folder that this Jupyter server shows. Nothing was read. "
                "Its configuration may name it: c.Tracknb.stores = ['/folder/runs.db']"
            )
        return _checked(path.relative_to(self.root).as_posix(), path)

    def client(self, store: ServedStore) -> TrackingClient:
        """Return what reads a store: the file that is there now, if somebody replaced it."""
        if store.location.path is not None:
            with contextlib.suppress(OSError):
                status = os.stat(store.location.path)
                file = status.st_dev, status.st_ino
                with self._lock:
                    before = self._files.get(store.location.uri, file)
                    self._files[store.location.uri] = file
                if before != file:
                    let_go(store.location.uri)
        return ServedClient(store, self)

    def around(self, document: str) -> tuple[list[ServedStore], ServedStore | None, bool]:
        """Return the stores there are, the one that a notebook most likely uses, and whether that is a guess."""
        found = list(self._found())
        # The first run of a notebook makes its store: that is seen at once, whenever the last walk was.
        with contextlib.suppress(TracknbError):
            beside = self.get(posixpath.join(posixpath.dirname(document.strip("/")), _DEFAULT_NAME))
            if beside not in found:
                found.append(beside)
        likely = self._used(document, found)
        return found, likely or self._nearest(document, found), likely is None

    def source_name(self, document: str) -> str:
        """Return how runs name a notebook, given by its path below the server's folder."""
        return os.path.join(self.shown_root, document.strip("/"))

    def source_names(self, document: str, store: ServedStore) -> tuple[str, ...]:
        """Return how the runs of a store name a notebook: by its path, and by paths that it had before.

        A path counts as a former one if runs there come from cells that the notebook has, and no file
        is there any more. A kernel goes on with the path that its notebook had when it was started.
        """
        path = self.root / document.strip("/")
        try:
            key = (document, store.key, os.stat(path).st_mtime_ns)
        except (OSError, ValueError):
            return (self.source_name(document),)
        when, names = self._names.get(key, (float("-inf"), ()))
        if time.monotonic() - when > _NAMES_SECONDS:
            names = (self.source_name(document), *self._former_names(document, path, store))
            with self._lock:
                if len(self._names) >= _MOST_NOTEBOOKS:
                    self._names.clear()
                self._names[key] = (time.monotonic(), names)
        return names

    def _former_names(self, document: str, path: Path, store: ServedStore) -> list[str]:
        cells = _cell_ids(path) if Path(os.path.realpath(path)).is_relative_to(self.root) else []
        if not cells:
            return []
        client = self.client(store)
        ids = [item.experiment_id for item in client.search_experiments(max_results=None)]
        # Their letters are plain ones, see `_cell_ids`.
        in_cells = f"tags.`{CELL_ID_TAG}` IN ({', '.join(map(repr, cells))})"
        found: set[str] = set()
        # Each name once: the next search leaves out those that are known.
        for _ in range(_MOST_FORMER_NAMES):
            left_out = [f"not ({tag_is(SOURCE_NAME_TAG, name)})" for name in (self.source_name(document), *found)]
            runs = client.search_runs(ids, " and ".join([in_cells, *left_out]), max_results=1)
            name = runs[0].data.tags.get(SOURCE_NAME_TAG, "") if runs else ""
            if not name or name in found:
                break
            found.add(name)
        return sorted(name for name in found if name.endswith(".ipynb") and not os.path.exists(name))

    def document(self, source_name: str) -> str | None:
        """Return the path below the server's folder for how runs name a notebook; None if it lies elsewhere."""
        # What no file can be called is looked for nowhere: a long one would take seconds.
        if not isinstance(source_name, str) or len(source_name) > _LONGEST_PATH or "\x00" in source_name:
            return None
        if not source_name.endswith(".ipynb") or not os.path.isabs(source_name):
            return None
        path = Path(os.path.realpath(source_name))
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else None

    def require_readable(self, place: str, store: ServedStore) -> None:
        """Raise `AuthError` if the files at a place are not for this server's pages."""
        named = [item for item in self._artifacts if is_url(item) == is_url(place)]
        if is_url(place):
            if any(place == item or place.startswith(f"{item}/") for item in named) and ".." not in place:
                return
        else:
            folders = [self.root, *map(Path, named)]
            if store.is_named and store.location.path is not None:
                folders.append(store.location.path.parent)
            real = Path(os.path.realpath(place.partition("\x00")[0][:_LONGEST_PATH]))
            if any(real.is_relative_to(os.path.realpath(folder)) for folder in folders):
                return
        raise AuthError(
            f"The files of this run lie at {config.without_password(place)}, where this Jupyter server does not read. "
            "In a notebook tracknb.show() lists them; or its configuration names the place: c.Tracknb.artifacts = [...]"
        )

    # -- which there are ---------------------------------------------------------------

    def _found(self) -> list[ServedStore]:
        with self._lock:
            when, found = self._walked
            if time.monotonic() - when > _WALK_SECONDS:
                named = [ServedStore(key, item, is_named=True) for key, item in self._named.items()]
                found = named + list(self._walk())
                self._walked = (time.monotonic(), found)
            return found

    def _walk(self) -> Iterator[ServedStore]:
        """Give the stores under the root, the nearest first, as far as a walk of bounded length finds them."""
        level, seen, given = [self.root], 0, 0
        for _ in range(_DEPTH):
            below: list[Path] = []
            for folder in level:
                try:
                    entries = sorted(os.scandir(folder), key=lambda item: item.name)
                except OSError:
                    continue
                for entry in entries:
                    seen += 1
                    if seen > _MOST_ENTRIES or given == _MOST_STORES:
                        return
                    if entry.name.startswith(".") or entry.name in _PASSED_OVER or entry.is_symlink():
                        continue
                    if entry.is_dir():
                        below.append(Path(entry.path))
                    elif entry.name.endswith(_ENDINGS):
                        try:
                            path = Path(entry.path)
                            store = _checked(path.relative_to(self.root).as_posix(), path)
                        except TracknbError:
                            continue
                        given += 1
                        yield store
            level = below

    def _folder(self, document: str) -> Path:
        """Return the folder of a notebook, with links resolved; the server's own where there is no notebook."""
        path = Path(os.path.realpath(self.root / document.strip("/")))
        return path.parent if document and path.is_relative_to(self.root) else self.root

    def _used(self, document: str, found: Sequence[ServedStore]) -> ServedStore | None:
        """Return the store that a notebook's runs go to, as far as anything says it."""
        by_place = {str(store.location.path or store.key): store for store in found}
        folder = self._folder(document)
        for place in (_of_environment(folder), str(folder / _DEFAULT_NAME)):
            if place in by_place:
                return by_place[place]
        if not document:
            return None
        uses = self._last_uses(found, document)
        used = [(when, store.key, store) for store in found if (when := uses.get(store.key)) is not None]
        return max(used)[2] if used else None

    def _nearest(self, document: str, found: Sequence[ServedStore]) -> ServedStore | None:
        by_path = {store.location.path: store for store in found}
        above = (
            by_path[path] for folder in self._folder(document).parents if (path := folder / _DEFAULT_NAME) in by_path
        )
        return next(above, found[0] if found else None)

    def _last_uses(self, found: Sequence[ServedStore], document: str) -> dict[str, int | None]:
        """Return when a notebook used each store last; one that does not say so soon is left out."""
        with self._lock:
            # One that still owes an answer is not asked again.
            self._asked = {key: future for key, future in self._asked.items() if not future.done()}
            asked = {
                store.key: started(functools.partial(self._last_use, store, document))
                for store in found
                if store.key not in self._asked
            }
            self._asked |= asked
        wait(asked.values(), timeout=_ASK_SECONDS)
        return {key: future.result() for key, future in asked.items() if future.done() and not future.exception()}

    def _last_use(self, store: ServedStore, document: str) -> int | None:
        client = self.client(store)
        try:
            names = self.source_names(document, store)
            ids = [item.experiment_id for item in client.search_experiments(max_results=None)]
            runs = client.search_runs(ids, tag_is_any(SOURCE_NAME_TAG, names), max_results=1)
        except TracknbError:
            # Locked, damaged, or a server that is away: not this one, then.
            return None
        return runs[0].info.start_time if runs else None


def _cell_ids(path: Path) -> list[str]:
    """Return the ids of a notebook's code cells, as it was saved; none where it cannot be read."""
    try:
        if path.stat().st_size > _MOST_NOTEBOOK_BYTES:
            return []
        cells = json.loads(path.read_bytes())["cells"]
        ids = [cell["id"] for cell in cells if cell.get("cell_type") == "code" and isinstance(cell.get("id"), str)]
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return []
    # Others are not nbformat's, and nothing that a filter could be written with.
    return [item for item in ids if item.isascii() and item.replace("-", "").replace("_", "").isalnum()][:_MOST_CELLS]


def _checked(key: str, path: Path, *, is_named: bool = False) -> ServedStore:
    """Return a store that is a file, if it can be looked into as it is: looking never writes."""
    # Here and not above: SQLAlchemy would make the server start later.
    from tracknb.store.schema import SCHEMA_VERSION
    from tracknb.store.sqlite import stored_version

    version = stored_version(path)
    if version is None:
        raise NotFound(f"There is no tracknb store at '{key}'.")
    if version > SCHEMA_VERSION:
        raise StoreTooNew.at(path, version, SCHEMA_VERSION)
    if version < SCHEMA_VERSION:
        raise InvalidValue(
            f"'{key}' was made by an older tracknb. Nothing was changed. Run a tracked cell on it once: "
            "that brings it up to date."
        )
    return ServedStore(key, config.locate(path), is_named)


def _of_environment(folder: Path) -> str:
    """Return which store the kernels of a folder's notebooks inherit from this server: its file, or its address."""
    given = config.environment_uri()
    if not given:
        return ""
    if "://" in given and not given.startswith("sqlite:"):
        return config.without_password(given)
    return os.path.realpath(folder / given.removeprefix("sqlite:///"))
