"""The state of the work tree that a notebook lies in.

git is only asked, never made to run what lies in the folder: no hooks, no file system monitor, no
filters, no programmes that draw differences, no submodules, no fetching of what a partial clone
lacks. It gets a time limit, and its absence or failure means that nothing is known.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tracknb.capture import secrets

# Where a run keeps the patch, and the imported files that git does not have.
DIFF_NAME: Final = "git/diff.patch"
UNTRACKED_FOLDER: Final = "git/untracked"
_SECONDS: Final = 2.0
_CACHE_SECONDS: Final = 5.0
# Changes are asked for anew more often: somebody edits a module and runs the cell again.
_FRESH_SECONDS: Final = 1.0
# What stands between the scheme and the host is a user name, a password or a token.
_CREDENTIALS: Final = re.compile(r"(?<=://)[^/@]*@")
# Variables of git's that lead it elsewhere or name programmes stay out; those of tests and wrappers stay.
_KEPT: Final = ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "GIT_CEILING_DIRECTORIES")
_FILTER: Final = re.compile(r"filter\..*\.(?:clean|smudge|process)", re.DOTALL)
_REMOTE: Final = "remote.origin.url"
_DIFF_BYTES: Final = 1_000_000
_FILE_BYTES: Final = 200_000
_UNTRACKED_FILES: Final = 200
_UNTRACKED_BYTES: Final = 1_000_000

_cache: dict[str, tuple[float, GitFacts | None]] = {}


@dataclass(frozen=True, slots=True)
class GitFacts:
    """A work tree: what is checked out, where it comes from, whether it has changes."""

    commit: str
    branch: str | None
    remote: str | None
    dirty: bool | None


@dataclass(frozen=True, slots=True)
class Changes:
    """What a work tree holds beyond its commit: a patch, what it leaves out, and lines by file."""

    patch: str
    left_out: tuple[str, ...]
    files: int
    added: int
    removed: int


class Asked:
    """A work tree that is asked for its changes in a thread, while the cell runs."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._began = self._ended = time.monotonic()
        self._changes: Changes | None = None
        self._thread = threading.Thread(target=self._work, name="tracknb-git", daemon=True)
        self._thread.start()

    def is_fresh(self) -> bool:
        """Tell whether this still holds for a run that begins now; a large tree is not asked all the time."""
        if self._thread.is_alive():
            return time.monotonic() - self._began < _FRESH_SECONDS
        return time.monotonic() - self._began < max(_FRESH_SECONDS, 10 * (self._ended - self._began))

    def changes(self, seconds: float) -> Changes | None:
        """Return what was found; None if there are no changes, or none within that time."""
        self._thread.join(seconds)
        return self._changes

    def _work(self) -> None:
        self._changes = changes(self._folder)
        self._ended = time.monotonic()


_asked: dict[str, Asked] = {}


def facts(folder: str | os.PathLike[str]) -> GitFacts | None:
    """Return what git knows of a folder; None outside a work tree. Never raises."""
    key = os.path.abspath(folder)
    held = _cache.get(key)
    if held is None or time.monotonic() - held[0] > _CACHE_SECONDS:
        held = _cache[key] = (time.monotonic(), _ask(key))
    return held[1]


def ask_changes(folder: str | os.PathLike[str]) -> Asked | None:
    """Begin to look for the changes in a folder, or join who has just begun to."""
    key = os.path.abspath(folder)
    held = _asked.get(key)
    if held is None or not held.is_fresh():
        if not _may_be_work_tree(key):
            return None
        held = _asked[key] = Asked(key)
    return held


def reset_after_fork() -> None:
    """Forget whom only threads of the parent would answer."""
    _asked.clear()


def _ask(folder: str) -> GitFacts | None:
    if not _may_be_work_tree(folder):
        return None
    commit = _text(_git(folder, "rev-parse", "HEAD"))
    if not commit:
        return None
    branch = _text(_git(folder, "symbolic-ref", "--short", "-q", "HEAD"))
    settings = _settings(folder)
    remote = (settings or {}).get(_REMOTE)
    status = ("status", "--porcelain", "--untracked-files=no", "--ignore-submodules=dirty")
    changed = None if settings is None else _git(folder, *status, settings=settings)
    return GitFacts(
        commit=commit,
        branch=branch or None,
        remote=_CREDENTIALS.sub("", remote) if remote else None,
        dirty=None if changed is None else bool(changed.strip()),
    )


def _may_be_work_tree(folder: str) -> bool:
    # Most notebooks lie in no work tree: seeing that costs no process.
    return any((parent / ".git").exists() for parent in (Path(folder), *Path(folder).parents))


# -- what is not committed -------------------------------------------------------------


def changes(folder: str) -> Changes | None:
    """Return the changes of a work tree to its commit, keys masked; None where there are none or nobody knows."""
    settings = _settings(folder)
    top = _top(folder)
    if settings is None or top is None:
        return None
    # --no-relative and the prefixes: the user's own settings would make another patch of it.
    options = (
        "--no-color --no-ext-diff --no-textconv --no-renames --no-relative --ignore-submodules=dirty --submodule=short "
        "--src-prefix=a/ --dst-prefix=b/"
    )
    raw = _git(top, "diff", *options.split(), "HEAD", "--", settings=settings, limit=_DIFF_BYTES)
    if not raw:
        return None
    return _patch_of(raw)


def _patch_of(raw: bytes) -> Changes:
    """Return a diff without what is binary or too long, with a head that says so."""
    is_cut = len(raw) > _DIFF_BYTES
    text = raw[:_DIFF_BYTES].decode(errors="replace")
    parts = re.split(r"(?m)^(?=diff --git )", text)[1:]
    kept: list[str] = []
    left_out: list[str] = []
    added = removed = 0
    for place, part in enumerate(parts):
        head, _, body = part.partition("\n@@")
        name = head.splitlines()[0].removeprefix("diff --git ")
        if is_cut and place == len(parts) - 1:
            left_out.append(f"{name}, and what follows: the patch ends at {_DIFF_BYTES:,} bytes")
        elif re.search(r"(?m)^(?:Binary files |GIT binary patch)", head):
            left_out.append(f"{name}: binary")
        elif len(part) > _FILE_BYTES:
            left_out.append(f"{name}: {len(part):,} characters")
        else:
            kept.append(part)
        added += len(re.findall(r"(?m)^\+", body))
        removed += len(re.findall(r"(?m)^-", body))
    patch = "".join(kept)
    masked = secrets.mask(patch)
    notes = [f"Left out: {item}" for item in left_out]
    if masked != patch:
        notes.append(f"What looks like a key is {secrets.MASK}; lines with it do not apply.")
    # git passes over what stands before the first file.
    return Changes("".join(f"# {note}\n" for note in notes) + masked, tuple(left_out), len(parts), added, removed)


def untracked(folder: str, files: Iterable[str]) -> dict[str, str]:
    """Return which files of a work tree git does not have: full paths by path in the tree.

    Parameters
    ----------
    folder
        A folder in the work tree.
    files
        Full paths of files that may lie in it.
    """
    top = _top(folder) if _may_be_work_tree(folder) else None
    if top is None:
        return {}
    below = {os.path.relpath(path, top).replace(os.sep, "/"): path for path in files if path.startswith(top + os.sep)}
    wanted = sorted(below)[:_UNTRACKED_FILES]
    tracked = _git(top, "--literal-pathspecs", "ls-files", "-z", "--", *wanted) if wanted else None
    if tracked is None:
        return {}
    return {name: below[name] for name in wanted if os.fsencode(name) not in tracked.split(b"\0")}


def texts(files: Mapping[str, str]) -> dict[str, str]:
    """Return the texts of files by their name, keys masked; what is too long or no text is left out."""
    found: dict[str, str] = {}
    room = _UNTRACKED_BYTES
    for name, path in files.items():
        text = _source_text(path, min(room, _FILE_BYTES))
        if text is not None:
            found[name] = text
            room -= len(text)
    return found


def imported_files() -> list[str]:
    """Return the source files of modules that nobody installed: they lie outside of Python's own folders."""
    prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix}
    own = tuple(os.path.join(path, "") for path in {*prefixes, *map(os.path.realpath, prefixes)})
    found = []
    for module in sys.modules.copy().values():
        place = getattr(module, "__dict__", {}).get("__file__")
        # First by the text: a path costs a system call for each of its folders.
        if isinstance(place, str) and place.endswith(".py") and not _is_installed(place, own):
            place = os.path.realpath(place)
            if not _is_installed(place, own):
                found.append(place)
    return found


def _is_installed(place: str, own: tuple[str, ...]) -> bool:
    return place.startswith(own) or f"{os.sep}site-packages{os.sep}" in place


def _source_text(path: str, limit: int) -> str | None:
    try:
        with open(path, "rb") as file:
            raw = file.read(limit + 1)
        return secrets.mask(raw.decode()) if len(raw) <= limit else None
    except (OSError, UnicodeDecodeError):
        return None


def _top(folder: str) -> str | None:
    """Return the root of a work tree; None where a setting names another folder as its files."""
    told = _text(_git(folder, "rev-parse", "--show-toplevel"))
    if not told or not (Path(told) / ".git").exists():
        return None
    top = os.path.realpath(told)
    return top if os.path.join(os.path.realpath(folder), "").startswith(os.path.join(top, "")) else None


# -- asking ----------------------------------------------------------------------------


def _settings(folder: str) -> dict[str, str] | None:
    """Return the settings that name the remote or a filter; None where git does not tell them all."""
    raw = _git(folder, "config", "-z", "--get-regexp", r"^(remote\.origin\.url|filter\..*)$")
    if raw is None:
        return None
    # The last value holds; a key without one has no line.
    items = (item.partition("\n") for item in raw.decode(errors="surrogateescape").split("\0") if item)
    return {key: value for key, _, value in items}


def _git(
    folder: str, *arguments: str, settings: Mapping[str, str] | None = None, limit: int | None = None
) -> bytes | None:
    """Return what git answers; None where it fails. Of an answer that is longer than a limit, the beginning."""
    command = ["git", "--no-pager", "--no-optional-locks", *arguments]
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=_environment(settings or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except (OSError, ValueError):
        return None
    timer = threading.Timer(_SECONDS, process.kill)
    timer.daemon = True
    with process:
        timer.start()
        try:
            assert process.stdout is not None
            raw = process.stdout.read() if limit is None else process.stdout.read(limit + 1)
            if limit is not None and len(raw) > limit:
                process.kill()
                return raw
            return raw if process.wait() in (0, 1) else None
        finally:
            process.kill()
            timer.cancel()


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for git, in which no setting of a repository names a programme."""
    overrides = [
        ("core.fsmonitor", "false"),
        ("core.hooksPath", os.devnull),
        ("core.sshCommand", "false"),
        ("diff.external", ""),
        *((key, "") for key in settings if _FILTER.fullmatch(key)),
        *((re.sub(r"\.\w+$", ".required", key), "false") for key in settings if _FILTER.fullmatch(key)),
    ]
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_") or key in _KEPT}
    kept |= {"GIT_CONFIG_COUNT": str(len(overrides)), "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    # A partial clone fetches what it lacks, by a programme that its settings name: no protocol is allowed.
    kept |= {"GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none"}
    for number, (key, value) in enumerate(overrides):
        kept |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return kept


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else raw.decode(errors="replace").strip()
