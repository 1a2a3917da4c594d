"""Who takes part: workers in environments of their own, asked in turns."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.table import Row

_SCRIPTS: Final = Path(__file__).parent / "peers"
# Peer: the variable that names its Python, its script if it has one, and what to install there.
PEERS: Final = {
    "ipyflow": ("TRACKNB_BENCH_IPYFLOW", "", "ipyflow"),
    "mlflow": ("TRACKNB_BENCH_MLFLOW", "mlflow_peer.py", "mlflow"),
    "trackio": ("TRACKNB_BENCH_TRACKIO", "trackio_peer.py", "trackio"),
}
_OWN_SCRIPTS: Final = {"ours": "ours.py", "raw": "raw.py"}


class Failed(Exception):
    """A contestant could not do what it was asked."""


def python_of(name: str) -> str:
    """Return the Python that has a contestant's library.

    Raises
    ------
    Failed
        The peer is not installed; the message says how to.
    """
    if name in _OWN_SCRIPTS:
        # Another checkout or release of ours can take the place of this one.
        other = os.environ.get("TRACKNB_BENCH_OURS") if name == "ours" else None
        return other or sys.executable
    variable, _, package = PEERS[name]
    python = os.environ.get(variable, "")
    if not python or not Path(python).exists():
        raise Failed(f"peer not installed: pip install {package} in a venv, {variable}=its python")
    # Not resolved: a virtual environment's Python is a link, and is known by its place.
    return str(Path(python).absolute())


def environment(folder: Path) -> dict[str, str]:
    """Return an environment in which nobody's settings and nobody's network play a part."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TRACKNB_", "MLFLOW_", "TRACKIO_", "HF_", "PYTHON"))
    }
    return kept | {
        "DO_NOT_TRACK": "true",
        "GIT_PYTHON_REFRESH": "quiet",
        "HF_HUB_OFFLINE": "1",
        "IPYTHONDIR": str(folder / "ipython"),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "TRACKIO_DIR": str(folder / "trackio"),
    }


def lines_of(name: str, folder: Path, code: str, *arguments: str, timeout: int = 300) -> list[str]:
    """Return what a program prints in a process of a contestant's own.

    Raises
    ------
    Failed
        The peer is not installed, or the program failed.
    """
    done = subprocess.run(
        [python_of(name), "-c", code, *arguments],
        capture_output=True,
        cwd=folder,
        env=environment(folder),
        text=True,
        check=False,
        timeout=timeout,
    )
    if done.returncode or not done.stdout:
        raise Failed(f"failed: {(done.stderr.splitlines() or ['no output'])[-1][:120]}")
    return done.stdout.splitlines()


class Worker:
    """One contestant's process; ``folder`` is its working directory."""

    def __init__(self, name: str, folder: Path) -> None:
        script = _OWN_SCRIPTS.get(name) or PEERS[name][1]
        self.name = name
        self._log = (folder / f"{name}.log").open("a+")
        self.process = subprocess.Popen(
            [python_of(name), str(_SCRIPTS / script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=folder,
            env=environment(folder),
            text=True,
        )

    def send(self, do: str, **arguments: Any) -> None:
        """Ask for something without waiting for the answer."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise Failed(f"failed: {self._last_words()}") from None

    def receive(self) -> Any:
        """Return the answer to the request before."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise Failed(f"failed: {self._last_words()}")
        answer = json.loads(line)
        if "error" in answer:
            raise Failed(f"failed: {answer['error'][:120]}")
        return answer["ok"]

    def ask(self, do: str, **arguments: Any) -> Any:
        """Return the answer to a request."""
        self.send(do, **arguments)
        return self.receive()

    def close(self) -> None:
        """Let the process end as it would by itself."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.close()
            self.process.wait(60)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            self.kill()
        self.process.stdout.close()
        self._log.close()

    def kill(self) -> None:
        """End the process with SIGKILL."""
        self.process.kill()
        self.process.wait()

    def _last_words(self) -> str:
        self.process.wait(10)
        self._log.seek(0)
        lines = self._log.read().splitlines()
        return lines[-1][:120] if lines else f"the process ended with code {self.process.returncode}"


@dataclass(frozen=True, slots=True)
class Request:
    """Something to ask one contestant for."""

    of: str
    do: str
    arguments: dict[str, Any]


@dataclass(slots=True)
class Team:
    """The contestants of a part: processes, and reasons for those that are missing."""

    folder: Path
    workers: dict[str, Worker] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

    def ask(self, name: str, do: str, **arguments: Any) -> Any:
        """Return a contestant's answer; one that fails takes no further part.

        Raises
        ------
        Failed
            The contestant is missing, or could not.
        """
        if name in self.absent:
            raise Failed(self.absent[name])
        try:
            return self.workers[name].ask(do, **arguments)
        except Failed as failure:
            if self.workers[name].process.poll() is not None:
                self.absent[name] = str(failure)
            raise

    def prepare(self, name: str, do: str, **arguments: Any) -> Any:
        """Return a contestant's answer; without it the contestant takes no further part."""
        try:
            return self.ask(name, do, **arguments)
        except Failed as failure:
            self.absent[name] = str(failure)
            return None


@contextmanager
def team(folder: Path, *names: str) -> Iterator[Team]:
    """Give the processes of contestants, which end with the block."""
    with ExitStack() as stack:
        found = Team(folder)
        for name in names:
            try:
                worker = Worker(name, folder)
            except Failed as failure:
                found.absent[name] = str(failure)
                continue
            stack.callback(worker.close)
            found.workers[name] = worker
        yield found


@dataclass(slots=True)
class Answers:
    """What was answered in the rounds, by label, and why some were not."""

    given: dict[str, list[Any]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

    def row(self, key: str, figure: str, *, its: str, ours: str = "ours", scale: float = 1.0) -> Row:
        """Return a figure of ours beside the same figure of a peer, each times ``scale``."""
        values, reasons = [], []
        for label in (ours, its):
            values.append([scale * value for value in self._values(label, figure)])
            if label in self.absent:
                reasons.append(self.absent[label] if label == its else f"ours {self.absent[label]}")
        return Row(key, *values, note="; ".join(reasons))

    def _values(self, label: str, figure: str) -> list[float]:
        found: list[float] = []
        for answer in self.given.get(label, ()):
            value = answer[figure]
            found += value if isinstance(value, list) else [value]
        return found


def in_turns(team: Team, rounds: int, requests: Mapping[str, Request]) -> Answers:
    """Ask for everything in each round, in alternating order."""
    answers = Answers()
    for number in range(rounds):
        for label in list(requests) if number % 2 == 0 else reversed(list(requests)):
            request = requests[label]
            if label in answers.absent:
                continue
            try:
                answer = team.ask(request.of, request.do, **request.arguments)
            except Failed as failure:
                answers.absent[label] = str(failure)
                continue
            answers.given.setdefault(label, []).append(answer)
    return answers
