"""What every store that we import from answers, whatever it is made of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from tracknb.entities import Experiment, Run

# Step, time in milliseconds, value, and 0.
Point = tuple[int, int, float, int]


@dataclass(frozen=True, slots=True)
class ArtifactPlace:
    """Where files of a run were written, and the folder below the run's own where they belong.

    ``usual`` is where they lie in the source if nobody said otherwise.
    """

    uri: str
    below: str = ""
    usual: Path | None = None


@dataclass(frozen=True, slots=True)
class SourceRun:
    """A run as its store tells it.

    ``lengths`` says of each metric how long its history is, in any unit that grows with it.
    """

    run: Run
    lengths: Mapping[str, int]
    deleted_time: int | None = None
    artifacts: Sequence[ArtifactPlace] = field(default=())

    def state(self) -> str:
        """Return a digest of all that is told; it changes when the run grows or changes there."""
        info, data = self.run.info, self.run.data
        return digest(
            info.run_name,
            info.status,
            info.end_time,
            info.lifecycle_stage,
            sorted(data.params.items()),
            sorted(data.tags.items()),
            sorted(self.lengths.items()),
            [item.to_dictionary() for item in self.run.inputs.dataset_inputs],
        )


class Source(Protocol):
    """A store to import from; it is only read."""

    shown: str
    # Where files are looked for whose own address leads nowhere on this machine.
    folders: Sequence[Path]

    def experiments(self) -> list[Experiment | Unreadable]:
        """Return every experiment, deleted ones too."""

    def run_ids(self, experiment_id: str) -> list[str]:
        """Return the runs of an experiment, the oldest first where that is known."""

    def run(self, experiment_id: str, run_id: str) -> SourceRun:
        """Return a run without its points; raises ``SourceDamaged`` where it cannot be read."""

    def history(self, experiment_id: str, run_id: str) -> Iterator[tuple[str, Sequence[Point]]]:
        """Give the points of a run, portions of one metric after the other."""

    def left_out(self) -> dict[str, int]:
        """Return what else is there that tracknb does not take, counted."""

    def close(self) -> None:
        """Let go of the store."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An experiment that cannot be read, and why."""

    name: str
    why: str


def digest(*told: Any) -> str:
    """Return a short text that is another one when anything that is told changes."""
    return hashlib.sha256(json.dumps(told, ensure_ascii=True).encode()).hexdigest()[:32]


def sorted_points(points: list[Point]) -> list[Point]:
    """Return points by step, then time, those of one moment as they were: so they take the least room."""
    points.sort(key=_moment)
    return points


def _moment(point: Point) -> tuple[int, int]:
    return point[:2]
