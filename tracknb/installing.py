"""A new virtual environment with the packages that a lock file names, for as long as it is needed.

``uv`` makes it where it is installed, and fetches the Python that was recorded; else ``venv`` and
``pip`` do, with the Python that runs. What was recorded is installed as it stands, without asking
what it depends on; after it what a kernel needs, held to the same versions. tracknb itself is a copy
of the one that runs: it must read the same store, and may come from no index.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from tracknb.capture.lockfile import Requirements
from tracknb.errors import MissingExtra, TracknbError

_OWN: Final = Path(__file__).resolve().parent
_SECONDS_BETWEEN_WORDS: Final = 2.0
_STOP_SECONDS: Final = 5.0
_LINES_KEPT: Final = 400
# Variables that would bring other packages in, or send these elsewhere.
_ELSEWHERE: Final = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")
_FOR_INSTALLERS: Final = ("PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "UV_PROJECT_ENVIRONMENT", "UV_TARGET")
_BEGUN: Final = re.compile(r"(?:Collecting|Processing|Obtaining) (\S+)")
_NO_NETWORK: Final = re.compile(
    r"NewConnectionError|ConnectTimeoutError|ReadTimeoutError|name resolution|Name or service not known|"
    r"Network is unreachable|Connection refused|getaddrinfo failed|nodename nor servname|dns error|tcp connect error|"
    r"timed out|ProxyError|Could not connect",
    re.IGNORECASE,
)
_AT_FAULT: Final = re.compile(
    r"(?:distribution found for|satisfies the requirement|Failed to build|Failed building wheel for|Because|"
    r"there is no version of|Failed to download(?: and build)?|metadata for) "
    r"`?(?!there )([A-Za-z0-9][\w.\-]*(?:==[\w.!+\-]*\w)?)"
)
# pip's lines, and uv's, where the reason stands below.
_ERROR: Final = re.compile(r"^\s*(?:ERROR:|error:|×)\s*(.+)", re.MULTILINE)
_CAUSE: Final = re.compile(r"^\s*(?:cause:|╰─▶|Caused by:)\s*(.+)", re.MULTILINE)
_INSTEAD: Final = "Replay without --locked to run with the packages that are installed here."


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment: its Python, the variables of a process in it, and what is to be said of it."""

    python: Path
    variables: Mapping[str, str]
    description: str
    notes: tuple[str, ...]


@contextlib.contextmanager
def environment(wanted: Requirements, *, say: Callable[[str], None]) -> Iterator[Environment]:
    """Make an environment, and take it away again at the end, also when it is interrupted.

    Parameters
    ----------
    wanted
        What the lock file names.
    say
        Is told how far it is.

    Raises
    ------
    MissingExtra
        Neither uv nor pip is installed.
    TracknbError
        The Python that was recorded is not here, a folder is gone, the index cannot be
        reached or something cannot be installed; the message names it.
    """
    for name, path in wanted.local.items():
        if not os.path.exists(path):
            raise TracknbError(f"{name} ({path}) was installed from a folder that is no longer there. {_INSTEAD}")
    uv = shutil.which("uv")
    if uv is None and importlib.util.find_spec("pip") is None:
        raise MissingExtra("A new environment needs uv or pip. Install: pip install uv")
    _check_python(wanted.python, uv)
    with tempfile.TemporaryDirectory(prefix="tracknb-replay-", ignore_cleanup_errors=True) as folder:
        yield _made(wanted, Path(folder), uv, say)


def outside(environment: Mapping[str, str]) -> dict[str, str]:
    """Return environment variables without those that lead into another Python's packages."""
    return {name: value for name, value in environment.items() if name not in _ELSEWHERE}


# -- the steps -------------------------------------------------------------------------


def _made(wanted: Requirements, folder: Path, uv: str | None, say: Callable[[str], None]) -> Environment:
    lines = [*wanted.pinned, *wanted.others, *wanted.unpinned]
    packages = f"{len(lines)} recorded package{'' if len(lines) == 1 else 's'}"
    say(f"Making an environment of {packages} with {'uv' if uv is not None else 'pip'} …")
    began = time.monotonic()
    place = folder / "environment"
    version = _minor(wanted.python) if uv is not None and _minor(wanted.python) != _here() else ""
    if uv is not None:
        _run([uv, "venv", "--quiet", "--no-project", "--python", version or sys.executable, str(place)], folder)
    else:
        _run([sys.executable, "-m", "venv", "--without-pip", str(place)], folder)
    python = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    listed, held = folder / "recorded.txt", folder / "held.txt"
    listed.write_text("\n".join(lines) + "\n", encoding="utf-8")
    held.write_text("\n".join(wanted.pinned) + "\n", encoding="utf-8")
    progress = _Progress(say, len(lines))
    _run([*_installer(uv, python), "--no-deps", "-r", str(listed)], folder, heard=progress.hear)
    _run([*_installer(uv, python), "-c", str(held), "ipykernel", *_own_needs()], folder)
    _give_tracknb(python, folder)
    say(f"Installed in {time.monotonic() - began:.0f} s.")
    told = _answer(python, "import platform; print(platform.python_version())", folder)
    description = f"a new environment of {packages}, Python {told}"
    variables = {**outside(os.environ), "VIRTUAL_ENV": str(place)}
    variables["PATH"] = os.pathsep.join([str(python.parent), variables.get("PATH", os.defpath)])
    return Environment(python, variables, description, tuple(_notes(wanted, told)))


def _check_python(wanted: str, uv: str | None) -> None:
    """Refuse another Python than the recorded one: packages of those versions may not exist for it."""
    if uv is None and wanted and _minor(wanted) != _here():
        raise TracknbError(
            f"The run was made with Python {wanted}, and this is {_here()}, for which the recorded packages need not "
            f"exist. Install uv, which fetches Python {_minor(wanted)} (pip install uv), or replay from a "
            f"Python {_minor(wanted)}."
        )


def _installer(uv: str | None, python: Path) -> list[str]:
    if uv is not None:
        return [uv, "pip", "install", "--python", str(python)]
    # Compiling all modules would take longer than importing a few; an index that is away is soon given up.
    options = ["--no-compile", "--no-input", "--progress-bar", "off", "--retries", "1", "--disable-pip-version-check"]
    return [sys.executable, "-m", "pip", "--python", str(python), "install", *options]


def _own_needs() -> list[str]:
    """Return what tracknb needs, without its extras."""
    try:
        needs = metadata.requires("tracknb") or []
    except metadata.PackageNotFoundError:
        # It runs from a folder that was never installed; what the run imported is all there is.
        needs = []
    return [need for need in needs if "extra ==" not in need]


def _give_tracknb(python: Path, folder: Path) -> None:
    """Copy the package that runs, and what is told of its distribution."""
    place = Path(_answer(python, "import sysconfig; print(sysconfig.get_path('purelib'))", folder))
    shutil.copytree(_OWN, place / "tracknb", ignore=shutil.ignore_patterns("__pycache__", "labextension"))
    with contextlib.suppress(metadata.PackageNotFoundError):
        own = metadata.distribution("tracknb")
        told = {name: own.read_text(name) for name in ("METADATA", "RECORD", "direct_url.json")}
        info = place / f"tracknb-{own.version}.dist-info"
        info.mkdir()
        for name, text in told.items():
            if text is not None:
                (info / name).write_text(text, encoding="utf-8")


def _notes(wanted: Requirements, told: str) -> Iterator[str]:
    if wanted.python and wanted.python.count(".") == 2 and wanted.python != told:
        yield f"Python was {wanted.python}."
    if wanted.local:
        places = ", ".join(f"{name} ({path})" for name, path in wanted.local.items())
        yield f"Installed from this machine, as it is now: {places}."
    if wanted.unpinned:
        yield f"Recorded without a version, so the newest: {', '.join(wanted.unpinned)}."
    if os.environ.get("PYTHONPATH"):
        yield "PYTHONPATH was left out."


# -- processes -------------------------------------------------------------------------


class _Progress:
    """Tells now and then which package an installer has come to."""

    def __init__(self, say: Callable[[str], None], total: int) -> None:
        self._say, self._total = say, total
        self._count = 0
        self._said = time.monotonic()

    def hear(self, line: str) -> None:
        found = _BEGUN.match(line)
        if found is None:
            return
        self._count += 1
        if time.monotonic() - self._said >= _SECONDS_BETWEEN_WORDS:
            self._said = time.monotonic()
            self._say(f"{self._count} of {self._total}: {found[1]}")


def _run(command: Sequence[str], folder: Path, *, heard: Callable[[str], None] | None = None) -> None:
    """Run a step to its end; what goes wrong in it is ours to say."""
    kept: deque[str] = deque(maxlen=_LINES_KEPT)
    variables = {name: value for name, value in outside(os.environ).items() if name not in _FOR_INSTALLERS}
    # What an installer leaves when it is ended goes with the rest.
    variables |= dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            # Its own group, so that what it starts in turn can be ended with it.
            start_new_session=os.name != "nt",
        )
    except OSError as problem:
        raise TracknbError(f"{command[0]} cannot be started: {problem.strerror}. {_INSTEAD}") from problem
    try:
        assert process.stdout is not None
        for line in process.stdout:
            kept.append(line.rstrip())
            if heard is not None:
                heard(line)
        code = process.wait()
    except BaseException:
        _stop(process)
        raise
    if code != 0:
        raise TracknbError(_problem("\n".join(kept)))


def _stop(process: subprocess.Popen[str]) -> None:
    """End a process and all that it started."""
    for end in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.name == "nt":
                process.terminate()
            else:
                os.killpg(process.pid, end)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
            return


def _answer(python: Path, code: str, folder: Path) -> str:
    lines: list[str] = []
    _run([str(python), "-c", code], folder, heard=lines.append)
    return "".join(lines).strip()


def _problem(output: str) -> str:
    """Return what an installer's words mean: which package, and what next."""
    silent = _NO_NETWORK.findall(output)
    if silent:
        return (
            "Nothing answers from where the recorded packages are to be had, so they cannot be installed; nothing ran "
            f"({silent[-1]}). Try again with a network. {_INSTEAD}"
        )
    errors, causes = _ERROR.findall(output), _CAUSE.findall(output)
    told = (causes[:1] or errors[-1:] or output.strip().splitlines()[-1:] or ["it gave no reason"])[0][:500]
    at_fault = _AT_FAULT.findall(output)
    what = at_fault[-1] if at_fault else "The recorded environment"
    return f"{what} cannot be installed, so nothing ran: {told}\n{_INSTEAD}"


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _here() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"
