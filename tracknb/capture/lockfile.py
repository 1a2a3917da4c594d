"""The file that keeps the environment of a run: ``pylock.toml`` (PEP 751), written and read.

It tells what was installed and imported, not what an index has: a distribution from an index is
its name and version, for no hash of a wheel is known once it is unpacked. Installers want hashes,
so they take ``name==version`` from here and not the file as it is. Versions of source trees stand
in tracknb's own table, because PEP 751 bars them from the other.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from tracknb.capture.packages import Distribution, Source

NAME: Final = "environment/pylock.toml"


@dataclass(frozen=True, slots=True)
class Lock:
    """An environment as a lock file tells it: versions by distribution, and what else was noted."""

    versions: Mapping[str, str]
    variables: Mapping[str, str]


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
