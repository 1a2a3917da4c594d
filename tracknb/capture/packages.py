"""Which installed distributions the imported modules come from, and what these need in turn.

A kernel imports while its cells run, so this is asked at a run's end. What is installed is read
once for each folder of ``sys.path`` and again when that folder changes; while no module comes
along, an answer costs a few system calls. A distribution is told in the version that was installed
when its module was first seen, whatever is installed over it later.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final
from urllib.parse import unquote, urlsplit

_NORMAL: Final = re.compile(r"[-_.]+")
_REQUIREMENT: Final = re.compile(r"([A-Za-z0-9][\w.\-]*)\s*(?:\[([^\]]*)\])?[^;]*(?:;(.*))?")
_EXTRA: Final = re.compile(r"""\bextra\s*==\s*["']([^"']+)""")
# What stands between the scheme and the host is a user name, a password or a token; what follows `?` may be one.
_CREDENTIALS: Final = re.compile(r"(?<=://)[^/@]*@|\?[^#]*")
_METADATA: Final = {".dist-info": "METADATA", ".egg-info": "PKG-INFO"}


@dataclass(frozen=True, slots=True)
class Source:
    """Where a distribution was installed from, if not from an index: the record of PEP 610."""

    kind: str
    url: str
    editable: bool = False
    vcs: str = ""
    commit: str = ""
    revision: str = ""
    subdirectory: str = ""
    hashes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Distribution:
    """An installed distribution: its normalized name, its version and what its metadata asks for."""

    name: str
    version: str
    source: Source | None = None
    requires: tuple[str, ...] = ()


@dataclass(slots=True)
class _Site:
    """A folder of ``sys.path`` as it was read: metadata folders by module, by distribution, and editable ones."""

    changed_ns: int
    by_module: dict[str, list[str]]
    by_name: dict[str, str]
    editable: dict[str, str]


class Imported:
    """The distributions that the modules of this process come from."""

    def __init__(self) -> None:
        # A signal handler may end a run in the middle of this.
        self._lock = threading.RLock()
        self._sites: dict[str, _Site] = {}
        self._read: dict[str, Distribution] = {}
        # By name, as it was when it was first seen.
        self._seen: dict[str, Distribution] = {}
        self._modules: set[str] = set()
        self._key: object = None
        self._answer: tuple[Distribution, ...] = ()

    def distributions(self) -> tuple[Distribution, ...]:
        """Return the distributions that were imported and all they need, sorted by name."""
        with self._lock:
            key = (len(sys.modules), next(reversed(sys.modules), None))
            if key != self._key:
                self._look()
                before = len(self._seen)
                self._see(sys.modules.copy())
                if len(self._seen) != before:
                    self._answer = tuple(sorted(self._closure(), key=lambda item: item.name))
                # Last: what failed is tried again with the next call.
                self._key = key
            return self._answer

    def _look(self) -> None:
        """Read the folders of ``sys.path`` that are new or have changed."""
        sites: dict[str, _Site] = {}
        for entry in sys.path:
            folder = os.path.abspath(entry)
            try:
                changed_ns = os.stat(folder).st_mtime_ns
                held = self._sites.get(folder)
                sites[folder] = (
                    held if held is not None and held.changed_ns == changed_ns else _site(folder, changed_ns)
                )
            except OSError:
                continue
        self._sites = sites

    def _see(self, modules: Mapping[str, Any]) -> None:
        """Note the distributions that modules come from which were not there before."""
        records: dict[str, set[bytes]] = {}
        for name, module in modules.items():
            if name in self._modules:
                continue
            self._modules.add(name)
            place = _place(module) if isinstance(module, ModuleType) else None
            folder = None if place is None else self._metadata_of(name.partition(".")[0], place, records)
            if folder is not None:
                found = self._at(folder)
                self._seen.setdefault(found.name, found)

    def _metadata_of(self, top: str, place: str, records: dict[str, set[bytes]]) -> str | None:
        """Return the metadata folder of the distribution that a file belongs to."""
        for path, site in self._sites.items():
            candidates = site.by_module.get(top)
            if not candidates or not place.startswith(path + os.sep):
                continue
            if len(candidates) == 1:
                return candidates[0]
            # Several distributions share a package: the file tells them apart.
            below = place[len(path) + 1 :].replace(os.sep, "/").encode()
            for item in candidates:
                if item not in records:
                    records[item] = _record(item)
                if below in records[item]:
                    return item
            return None
        for site in self._sites.values():
            for source, folder in site.editable.items():
                if place.startswith(source + os.sep):
                    return folder
        return None

    def _closure(self) -> list[Distribution]:
        """Return the distributions that were seen, and of what is installed all that they need."""
        waiting = [(item, frozenset[str]()) for item in self._seen.values()]
        done: dict[str, frozenset[str]] = {}
        found: dict[str, Distribution] = {}
        while waiting:
            item, extras = waiting.pop()
            known = done.get(item.name)
            if known is not None and extras <= known:
                continue
            done[item.name] = (known or frozenset()) | extras
            found[item.name] = item
            for name, wanted in _needed(item.requires, extras):
                folder = next((site.by_name[name] for site in self._sites.values() if name in site.by_name), None)
                if folder is not None:
                    waiting.append((self._seen.get(name) or self._at(folder), wanted))
        return list(found.values())

    def _at(self, folder: str) -> Distribution:
        if folder not in self._read:
            self._read[folder] = _distribution(folder)
        return self._read[folder]


def _site(folder: str, changed_ns: int) -> _Site:
    site = _Site(changed_ns, {}, {}, {})
    with os.scandir(folder) as entries:
        names = sorted(item.name for item in entries if os.path.splitext(item.name)[1] in _METADATA)
    for entry in names:
        metadata = os.path.join(folder, entry)
        site.by_name.setdefault(_normal(os.path.splitext(entry)[0].rsplit("-", 1)[0]), metadata)
        for top in _tops(metadata):
            site.by_module.setdefault(top, []).append(metadata)
        source = _source(metadata)
        if source is not None and source.kind == "directory" and source.editable:
            site.editable[os.path.realpath(_local_path(source.url))] = metadata
    return site


def _tops(metadata: str) -> set[str]:
    """Return the names of the modules that a distribution installs."""
    named = _bytes(os.path.join(metadata, "top_level.txt")).split()
    if not named:
        # The lines of RECORD begin with a path; a comma ends it.
        lines = _bytes(os.path.join(metadata, "RECORD")).splitlines()
        firsts = {line.partition(b"/")[0].partition(b",")[0] for line in lines}
        named = [item.partition(b".")[0] for item in firsts if not item.endswith((b"-info", b".pth"))]
    return {item.decode(errors="replace").partition("/")[0] for item in named} - {"", "__pycache__"}


def _record(metadata: str) -> set[bytes]:
    return {line.partition(b",")[0] for line in _bytes(os.path.join(metadata, "RECORD")).splitlines()}


def _distribution(metadata: str) -> Distribution:
    stem, ending = os.path.splitext(os.path.basename(metadata))
    path = metadata if os.path.isfile(metadata) else os.path.join(metadata, _METADATA[ending])
    head = _bytes(path).replace(b"\r\n", b"\n").partition(b"\n\n")[0].decode(errors="replace")
    fields = [line.partition(": ")[::2] for line in head.splitlines()]
    told = dict(reversed(fields))
    name, _, version = stem.rpartition("-")
    return Distribution(
        _normal(told.get("Name", name)),
        told.get("Version", version).strip(),
        _source(metadata),
        tuple(value for key, value in fields if key == "Requires-Dist"),
    )


def _needed(requires: Iterable[str], extras: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield the names and extras that requirements ask for; what markers leave out is not installed, mostly."""
    for line in requires:
        found = _REQUIREMENT.match(line)
        if found is None:
            continue
        name, wanted, marker = found.groups()
        extra = _EXTRA.search(marker or "")
        if extra is None or _normal(extra[1]) in extras:
            yield _normal(name), frozenset(_normal(item.strip()) for item in (wanted or "").split(",") if item.strip())


def _source(metadata: str) -> Source | None:
    raw = _bytes(os.path.join(metadata, "direct_url.json"))
    if not raw:
        return None
    try:
        told = json.loads(raw)
        url = _CREDENTIALS.sub("", told["url"])
        below = str(told.get("subdirectory", ""))
        if "vcs_info" in told:
            vcs = told["vcs_info"]
            return Source(
                "vcs",
                url,
                vcs=str(vcs["vcs"]),
                commit=str(vcs["commit_id"]),
                revision=str(vcs.get("requested_revision", "")),
                subdirectory=below,
            )
        if "dir_info" in told:
            return Source("directory", url, editable=told["dir_info"].get("editable") is True, subdirectory=below)
        hashes = told.get("archive_info", {}).get("hashes", {})
        return Source(
            "archive", url, subdirectory=below, hashes=tuple(sorted((str(k), str(v)) for k, v in hashes.items()))
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        # Somebody else's file: what cannot be read says nothing.
        return None


def _place(module: ModuleType) -> str | None:
    """Return the file of a module, or the folder of a package without one."""
    # Not by getattr: a lazy module may begin to import.
    names = vars(module)
    place = names.get("__file__")
    if not isinstance(place, str):
        try:
            place = next(iter(names.get("__path__") or ()), None)
        except Exception:
            return None
    return os.path.abspath(place) if isinstance(place, str) else None


def _local_path(url: str) -> str:
    return unquote(urlsplit(url).path)


def _normal(name: str) -> str:
    return _NORMAL.sub("-", name).lower()


def _bytes(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""
