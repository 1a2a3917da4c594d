"""The state of the work tree that a notebook lies in.

git is only asked, never made to run what lies in the folder: no hooks, no file system
monitor. It gets a time limit, and its absence or failure means that nothing is known.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_SECONDS: Final = 2.0
_CACHE_SECONDS: Final = 5.0
# What stands between the scheme and the host is a user name, a password or a token.
_CREDENTIALS: Final = re.compile(r"(?<=://)[^/@]*@")

_cache: dict[str, tuple[float, GitFacts | None]] = {}


@dataclass(frozen=True, slots=True)
class GitFacts:
    """A work tree: what is checked out, where it comes from, whether it has changes."""

    commit: str
    branch: str | None
    remote: str | None
    dirty: bool | None


def facts(folder: str | os.PathLike[str]) -> GitFacts | None:
    """Return what git knows of a folder; None outside a work tree. Never raises."""
    key = os.path.abspath(folder)
    held = _cache.get(key)
    if held is None or time.monotonic() - held[0] > _CACHE_SECONDS:
        held = _cache[key] = (time.monotonic(), _ask(key))
    return held[1]


def _ask(folder: str) -> GitFacts | None:
    # Most notebooks lie in no work tree: seeing that costs no process.
    if not any((parent / ".git").exists() for parent in (Path(folder), *Path(folder).parents)):
        return None
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit:
        return None
    branch = _git(folder, "symbolic-ref", "--short", "-q", "HEAD")
    remote = _git(folder, "config", "--get", "remote.origin.url")
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return GitFacts(
        commit=commit,
        branch=branch or None,
        remote=_CREDENTIALS.sub("", remote) if remote else None,
        dirty=None if changes is None else bool(changes),
    )


def _git(folder: str, *arguments: str) -> str | None:
    command = ["git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "--no-optional-locks"]
    try:
        done = subprocess.run(
            [*command, *arguments],
            cwd=folder,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace").strip() if done.returncode in (0, 1) else None
