"""The file that keeps the environment of a run: ``pylock.toml`` (PEP 751), written and read.

It tells what was installed and imported, not what an index has: a distribution from an index is
its name and version, for no hash of a wheel is known once it is unpacked. Installers want hashes,
so they take ``name==version`` from here and not the file as it is. Versions of source trees stand
in tracknb's own table, because PEP 751 bars them from the other.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from tracknb.capture.packages import Distribution, Source

NAME: Final = "environment/pylock.toml"
# What goes on a line for an installer must not become an option or a second line.
_NAME: Final = re.compile(r"[A-Za-z0-9][\w.\-]*")
_VERSION: Final = re.compile(r"[A-Za-z0-9][\w.!+\-]*")
_PYTHON: Final = re.compile(r"(\d+(\.\d+)*\w*)?")
_PLACE: Final = re.compile(r"(-e )?(git\+|hg\+|svn\+|bzr\+)?(https?|ssh|file|git)://[^\s;]*")


@dataclass(frozen=True, slots=True)
class Lock:
    """An environment as a lock file tells it: versions by distribution, and what else was noted."""

    versions: Mapping[str, str]
    variables: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Requirements:
    """What installers are told of a lock file.

    Parameters
    ----------
    python
        The version of Python, such as ``3.12.4``; empty if the file tells none.
    pinned
        ``name==version``, of an index.
    others
        From somewhere else: an address, a commit, a folder of this machine (``-e file:///...``).
    local
        Paths of those of ``others`` that lie on this machine, by name: their code may have changed.
    unpinned
        Names without a version.
    """

    python: str
    pinned: tuple[str, ...]
    others: tuple[str, ...]
    local: Mapping[str, str]
    unpinned: tuple[str, ...]


def written(distributions: Iterable[Distribution], *, facts: Mapping[str, str], variables: Mapping[str, str]) -> str:
    """Return the text of a lock file.

    Parameters
    ----------
    distributions
        Sorted by name.
    facts
        What is told of the machine, such as ``{"python": "3.12.4"}``; empty values are left out.
    variables
        Environment variables that may be kept.
    """
    lines = [
        'lock-version = "1.0"',
        f'requires-python = "=={sys.version_info.major}.{sys.version_info.minor}.*"',
        'created-by = "tracknb"',
    ]
    packages = [line for item in distributions for line in _package(item)]
    lines += packages or ["packages = []"]
    lines += ["", "[tool.tracknb]", *_pairs(facts)]
    if variables:
        lines += ["", "[tool.tracknb.variables]", *_pairs(variables)]
    return "\n".join(lines) + "\n"


def digest(text: str) -> str:
    """Return what two equal lock files share."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read(text: str) -> Lock:
    """Return what a lock file tells; any tool may have written it.

    Raises
    ------
    ValueError
        It is no TOML, or no lock file.
    """
    try:
        told = tomllib.loads(text)
        versions = {str(item["name"]): _version(item) for item in told["packages"]}
        variables = told.get("tool", {}).get("tracknb", {}).get("variables", {})
        return Lock(versions, {str(key): str(value) for key, value in variables.items()})
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a lock file: {error}") from error


def requirements(text: str) -> Requirements:
    """Return what installers are told of a lock file, without tracknb itself.

    Raises
    ------
    ValueError
        It is no lock file, or names something that no installer may be told.

    Examples
    --------
    >>> requirements('packages = [{name = "numpy", version = "2.3.1"}]').pinned
    ('numpy==2.3.1',)
    """
    try:
        told = tomllib.loads(text)
        packages = [item for item in told["packages"] if _told_name(item) != "tracknb"]
        python = str(told.get("tool", {}).get("tracknb", {}).get("python") or "")
        python = python or str(told.get("requires-python", "")).lstrip("=~>").removesuffix(".*")
        others = {_told_name(item): place for item in packages if (place := _place_of(item))}
        versions = {_told_name(item): str(item.get("version") or "") for item in packages}
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a lock file: {error}") from error
    if not _PYTHON.fullmatch(python):
        raise ValueError(f"'{python}' is no version of Python")
    for name, version in versions.items():
        if not _NAME.fullmatch(name) or (version and not _VERSION.fullmatch(version)):
            raise ValueError(f"'{name}' in version '{version}' is no package")
        if name in others and not _PLACE.fullmatch(others[name]):
            raise ValueError(f"'{others[name]}' is no place to install {name} from")
    from_index = {name: version for name, version in versions.items() if name not in others}
    return Requirements(
        python,
        tuple(f"{name}=={version}" for name, version in from_index.items() if version),
        tuple(line if line.startswith("-e ") else f"{name} @ {line}" for name, line in others.items()),
        {name: _path_in(line) for name, line in others.items() if "file://" in line},
        tuple(name for name, version in from_index.items() if not version),
    )


def _told_name(package: Mapping[str, Any]) -> str:
    return str(package["name"])


def _place_of(package: Mapping[str, Any]) -> str:
    """Return where a package is to be had if not from an index, as requirements write it."""
    own = package.get("tool", {}).get("tracknb", {})
    if "vcs" in package:
        vcs = package["vcs"]
        below = f"#subdirectory={vcs['subdirectory']}" if vcs.get("subdirectory") else ""
        return f"{vcs['type']}+{_with_home(vcs['url'])}@{vcs['commit-id']}{below}"
    if "directory" in package:
        directory = package["directory"]
        place = Path(directory["path"]).expanduser().absolute().as_uri()
        below = f"#subdirectory={directory['subdirectory']}" if directory.get("subdirectory") else ""
        return f"{'-e ' if directory.get('editable') else ''}{place}{below}"
    if "archive" in package:
        archive = package["archive"]
        wanted = [f"{kind}={value}" for kind, value in archive.get("hashes", {}).items()][:1]
        wanted += [f"subdirectory={archive['subdirectory']}"] if archive.get("subdirectory") else []
        return _with_home(archive["url"]) + (f"#{'&'.join(wanted)}" if wanted else "")
    return _with_home(str(own.get("url") or ""))


def _with_home(url: str) -> str:
    """Return an address as installers take it; a path stands in it as `_home_free` left it."""
    place = url.removeprefix("file://")
    return url if place == url else Path(place).expanduser().absolute().as_uri()


def _path_in(line: str) -> str:
    return unquote(urlsplit(line.removeprefix("-e ")).path)


def _version(package: Mapping[str, Any]) -> str:
    """Return a package's version, and where it came from if not from an index."""
    version = str(package.get("version") or package.get("tool", {}).get("tracknb", {}).get("version", ""))
    if "vcs" in package:
        return f"{version} ({package['vcs'].get('commit-id', '')[:12]})"
    if "directory" in package:
        return f"{version} ({'editable' if package['directory'].get('editable') else 'local'})"
    return version


def _package(item: Distribution) -> Iterator[str]:
    source = item.source
    # An archive without a hash cannot stand as one.
    is_named = source is None or (source.kind == "archive" and not source.hashes)
    is_tree = source is not None and source.kind in ("vcs", "directory")
    yield from ("", "[[packages]]", f"name = {_text(item.name)}")
    if not is_tree:
        yield f"version = {_text(item.version)}"
    if source is not None and not is_named:
        yield from _source(source)
    if is_tree or (source is not None and is_named):
        yield "[packages.tool.tracknb]"
        yield from _pairs({"version": item.version} if is_tree else {"url": _home_free(source.url) if source else ""})


def _source(source: Source) -> Iterator[str]:
    place = _home_free(source.url)
    if source.kind == "vcs":
        yield "[packages.vcs]"
        yield from _pairs({"type": source.vcs, "url": place})
        yield from _pairs({"requested-revision": source.revision, "commit-id": source.commit})
    elif source.kind == "directory":
        yield "[packages.directory]"
        yield f"path = {_text(place.removeprefix('file://'))}"
        if source.editable:
            yield "editable = true"
    else:
        yield "[packages.archive]"
        yield from _pairs({"url": place, "subdirectory": source.subdirectory})
        yield "[packages.archive.hashes]"
        yield from _pairs(dict(source.hashes))
    if source.kind != "archive":
        yield from _pairs({"subdirectory": source.subdirectory})


def _home_free(url: str) -> str:
    """Return an address or local path that does not tell how the user's folder is called."""
    parts = urlsplit(url)
    if parts.scheme != "file":
        return url
    path, home = unquote(parts.path), os.path.expanduser("~")
    if len(home) > 1 and (path == home or path.startswith(home + os.sep)):
        path = "~" + path[len(home) :]
    return f"file://{path}"


def _pairs(values: Mapping[str, str]) -> Iterator[str]:
    for key, value in values.items():
        if value:
            yield f"{key if key.replace('-', '').isalnum() and key.isascii() else _text(key)} = {_text(value)}"


def _text(value: str) -> str:
    """Return a text as TOML writes it."""
    escaped = (
        f"\\u{ord(letter):04x}" if ord(letter) < 0x20 or ord(letter) == 0x7F else letter
        for letter in value.encode("utf-8", "replace").decode().replace("\\", "\\\\").replace('"', '\\"')
    )
    return f'"{"".join(escaped)}"'
