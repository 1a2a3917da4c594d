"""What a run keeps of its surroundings: the packages it imported, and what of its code is in no commit.

Runs of ``%%track_run`` keep them as files, ``environment/pylock.toml``, ``git/diff.patch`` and
``git/untracked/``. Runs that code opens by ``start_run()`` keep them packed in tags: MLflow lists no
files that a script did not log, and neither do we. Whatever fails here warns once and leaves the run
as it is.
"""

from __future__ import annotations

import base64
import binascii
import sys
import threading
import warnings
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from tracknb import config
from tracknb.capture import environment, git, lockfile
from tracknb.capture.packages import Distribution, Imported
from tracknb.client import TrackingClient, open_artifacts
from tracknb.entities import (
    ACCELERATOR_TAG,
    ENVIRONMENT_TAG,
    GIT_CHANGES_TAG,
    GIT_DIFF_TAG,
    GIT_UNTRACKED_TAG,
    LOCK_TAG,
    PACKAGES_TAG,
    Run,
)
from tracknb.errors import TracknbError
from tracknb.files import LocalArtifacts
from tracknb.validation import MAX_TAG_VALUE

# How long an ending run waits for git, and for a bucket; the process for a bucket when it ends.
_GIT_SECONDS: Final = 2.0
_UPLOAD_SECONDS: Final = 2.0
_EXIT_SECONDS: Final = 10.0
# A lock file of a thousand packages is a tenth of it.
_LOCK_BYTES: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Begun:
    """What was asked when a run was opened."""

    folder: str
    asked: git.Asked | None
    as_files: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """What a run keeps: tags, and texts of files by path."""

    tags: dict[str, str]
    files: dict[str, str]


@dataclass(slots=True)
class _Environment:
    """The lock file of what is imported, made again only where that has changed."""

    imported: Imported = field(default_factory=Imported)
    distributions: tuple[Distribution, ...] | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    packed: str | None = None

    def bring_up_to_date(self) -> None:
        """Make the lock file again if anything else is imported."""
        distributions = self.imported.distributions()
        variables = environment.variables([*environment.VARIABLES, *config.allowed_variables()])
        if distributions is self.distributions and variables == self.variables:
            return
        accelerator = environment.accelerator({item.name: item.version for item in distributions})
        facts = {
            "python": environment.python_version(),
            "implementation": sys.implementation.name,
            "platform": environment.platform_name(),
            "accelerator": accelerator,
        }
        self.text = lockfile.written(distributions, facts=facts, variables=variables)
        self.tags = {PACKAGES_TAG: str(len(distributions)), ENVIRONMENT_TAG: lockfile.digest(self.text)}
        if accelerator:
            self.tags[ACCELERATOR_TAG] = accelerator
        self.packed = packed(self.text)
        self.distributions, self.variables = distributions, variables


@dataclass(slots=True)
class _Local:
    """Which imported files lie in which work tree without being tracked, while no module comes along."""

    key: object = None
    files: dict[str, str] = field(default_factory=dict)


_environment = _Environment()
_local = _Local()
_uploads: list[threading.Thread] = []
_warmed: list[threading.Thread] = []
_told: set[str] = set()


def begin(folder: str, *, as_files: bool) -> Begun | None:
    """Begin to look around for a run, in threads.

    Parameters
    ----------
    folder
        Where the notebook or script lies.
    as_files
        Whether the run keeps files; tags otherwise.
    """
    try:
        if not _warmed:
            _warmed.append(threading.Thread(target=_warm, name="tracknb-packages", daemon=True))
            _warmed[0].start()
        return Begun(folder, git.ask_changes(folder), as_files)
    except Exception as problem:
        _warn(problem)
        return None


def end(begun: Begun, artifact_uri: str) -> dict[str, str]:
    """Keep what was found in the files of a run, and return the tags that tell of it. Never raises."""
    try:
        kept = _found(begun)
    except Exception as problem:
        _warn(problem)
        return {}
    try:
        if kept.files:
            keep_files({name: text.encode() for name, text in kept.files.items()}, artifact_uri, _warn)
    except Exception as problem:
        # The tags still tell what there was.
        _warn(problem)
    return kept.tags


def finish() -> None:
    """Wait, not for long, for files that are on their way to a bucket."""
    for thread in _uploads:
        thread.join(_EXIT_SECONDS)


def reset_after_fork() -> None:
    """Forget what threads of the parent do, and locks that they may hold."""
    global _environment
    _environment = _Environment()
    _uploads.clear()
    _warmed.clear()
    git.reset_after_fork()


# -- reading ---------------------------------------------------------------------------


def lock_of(client: TrackingClient, run: Run) -> lockfile.Lock | None:
    """Return the environment of a run; None where it keeps none that can be read."""
    text = lock_text_of(client, run)
    try:
        return None if text is None else lockfile.read(text)
    except ValueError:
        return None


def lock_text_of(client: TrackingClient, run: Run) -> str | None:
    """Return the lock file of a run; None where it keeps none, or it cannot be fetched."""
    told = run.data.tags.get(LOCK_TAG)
    try:
        if told is not None:
            return unpacked(told)
        if ENVIRONMENT_TAG not in run.data.tags:
            return None
        data, _ = client.artifacts(run.info.run_id).head(lockfile.NAME, _LOCK_BYTES)
        return data.decode()
    except (ValueError, TracknbError, OSError):
        return None


def packed(text: str) -> str | None:
    """Return a text as a tag holds it; None if it does not fit."""
    made = base64.b85encode(zlib.compress(text.encode(), 9)).decode()
    return made if len(made) <= MAX_TAG_VALUE else None


def unpacked(value: str) -> str:
    """Return a text that a tag holds.

    Raises
    ------
    ValueError
        The tag holds something else, or more than a lock file ever is.
    """
    try:
        unpack = zlib.decompressobj()
        text = unpack.decompress(base64.b85decode(value), _LOCK_BYTES)
        if unpack.unconsumed_tail:
            raise ValueError("a packed tag is too large")
        return text.decode()
    except (zlib.error, binascii.Error) as error:
        raise ValueError(f"not a packed tag: {error}") from error


# -- parts -----------------------------------------------------------------------------


def _warm() -> None:
    try:
        _environment.imported.distributions()
    except Exception as problem:
        _warn(problem)


def _found(begun: Begun) -> Kept:
    _environment.bring_up_to_date()
    tags, files = dict(_environment.tags), {}
    if begun.as_files:
        files[lockfile.NAME] = _environment.text
    elif _environment.packed is not None:
        tags[LOCK_TAG] = _environment.packed
    changes = begun.asked.changes(_GIT_SECONDS) if begun.asked is not None else None
    if changes is not None:
        tags[GIT_CHANGES_TAG] = _in_words(changes)
        if begun.as_files:
            files[git.DIFF_NAME] = changes.patch
        elif (held := packed(changes.patch)) is not None:
            tags[GIT_DIFF_TAG] = held
    untracked = _untracked(begun.folder) if begun.asked is not None else {}
    if untracked:
        tags[GIT_UNTRACKED_TAG] = "\n".join(untracked)[:MAX_TAG_VALUE]
        if begun.as_files:
            texts = git.texts(untracked)
            files |= {f"{git.UNTRACKED_FOLDER}/{name}": text for name, text in texts.items()}
    return Kept(tags, files)


def _untracked(folder: str) -> dict[str, str]:
    key = (folder, len(sys.modules), next(reversed(sys.modules), None))
    if key != _local.key:
        _local.files = git.untracked(folder, git.imported_files())
        _local.key = key
    return _local.files


def _in_words(changes: git.Changes) -> str:
    """Return such as ``2 files, +14 -3, patch 3fa9c1d2``, and what of it is not kept."""
    files = f"{changes.files} {'file' if changes.files == 1 else 'files'}"
    left_out = f"; left out: {', '.join(changes.left_out)}" if changes.left_out else ""
    # Two patches of one size are told apart.
    patch = lockfile.digest(changes.patch)[:8]
    return f"{files}, +{changes.added} -{changes.removed}, patch {patch}{left_out}"[:MAX_TAG_VALUE]


def keep_files(files: Mapping[str, bytes], artifact_uri: str, warn: Callable[[Exception], None]) -> None:
    """Write files of a run that nobody logged, by path.

    A bucket gets them from a thread, which is not waited for long and which tells ``warn`` what went wrong.
    """
    place = open_artifacts(artifact_uri)
    if isinstance(place, LocalArtifacts):
        for name, content in files.items():
            place.put_bytes(content, name)
        return

    def upload() -> None:
        try:
            for name, content in files.items():
                place.put_bytes(content, name)
        except Exception as problem:
            warn(problem)

    # A bucket that is away is asked for a minute; the next cell need not wait that long.
    thread = threading.Thread(target=upload, name="tracknb-upload", daemon=True)
    _uploads[:] = [item for item in _uploads if item.is_alive()] + [thread]
    thread.start()
    thread.join(_UPLOAD_SECONDS)


def _warn(problem: Exception) -> None:
    told = str(problem) if isinstance(problem, TracknbError) else f"{type(problem).__name__}: {problem}"
    if "warned" not in _told:
        _told.add("warned")
        warnings.warn(f"A run's environment or changes are not kept: {told}", RuntimeWarning, stacklevel=3)
