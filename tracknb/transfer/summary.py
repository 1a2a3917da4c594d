"""What an import did, in words and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tracknb.view import format as fmt
from tracknb.view.base import VERSION, View, bounded_table, safe

_SHOWN: Final = 20


@dataclass(slots=True)
class Counts:
    """What an import has done so far."""

    experiments: int = 0
    new_experiments: int = 0
    runs: int = 0
    updated_runs: int = 0
    unchanged_runs: int = 0
    points: int = 0
    artifacts: int = 0
    artifact_bytes: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)
    missing_artifacts: list[tuple[str, str]] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)


class ImportSummary(View):
    """What was imported, what was skipped and why.

    Attributes
    ----------
    source, store
        Where from and where to.
    experiments, new_experiments
        How many there are in the source, and how many of them are new in the store.
    runs, updated_runs, unchanged_runs
        How many runs came, had grown since they came, and were here already as they are.
    points, artifacts, artifact_bytes
        How many metric points and files were added, and the size of the files.
    skipped
        What did not come: the run or experiment, and the reason.
    missing_artifacts
        Files that were not found or not taken: the run, and the place.
    left_out
        What the source holds and tracknb does not keep, counted.
    """

    def __init__(self, source: str, store: str, counts: Counts) -> None:
        super().__init__()
        self.source = source
        self.store = store
        self.experiments = counts.experiments
        self.new_experiments = counts.new_experiments
        self.runs = counts.runs
        self.updated_runs = counts.updated_runs
        self.unchanged_runs = counts.unchanged_runs
        self.points = counts.points
        self.artifacts = counts.artifacts
        self.artifact_bytes = counts.artifact_bytes
        self.skipped = tuple(counts.skipped)
        self.missing_artifacts = tuple(counts.missing_artifacts)
        self.left_out = dict(counts.left_out)

    def _rows(self) -> list[tuple[str, str]]:
        size = f" ({self.artifact_bytes / 1e6:,.1f} MB)" if self.artifact_bytes else ""
        known = self.experiments - self.new_experiments
        runs = (self.runs, "new"), (self.updated_runs, "brought up to date"), (self.unchanged_runs, "unchanged")
        return [
            ("experiments", _said((self.new_experiments, "new"), (known, "there already"))),
            ("runs", _said(*runs)),
            ("points", f"{self.points:,} new"),
            ("files", f"{self.artifacts:,} new{size}"),
        ]

    def _lists(self) -> list[tuple[str, Sequence[tuple[str, str]]]]:
        left_out = [(what, f"{count:,}") for what, count in self.left_out.items()]
        return [
            ("Skipped", self.skipped),
            ("Files that were not found or not taken", self.missing_artifacts),
            ("Not imported, because tracknb keeps none", left_out),
        ]

    def text(self, *, times: bool = False) -> str:
        """Return the summary in aligned words."""
        lines = [f"Imported {self.source}", f"    into {self.store}", ""]
        lines += [f"{what:<13}{said}" for what, said in self._rows()]
        for title, items in self._lists():
            if items:
                lines += ["", f"{title}:"]
                lines += [f"  {fmt.one_line(what)}: {fmt.one_line(why)}" for what, why in items[:_SHOWN]]
                lines += [f"  and {len(items) - _SHOWN:,} more"] if len(items) > _SHOWN else []
        return "\n".join(lines)

    def html(self) -> str:
        """Return the summary as plain tables, everything escaped."""
        body = f"<p>Imported {safe(self.source)} into {safe(self.store)}</p>"
        body += bounded_table(("", ""), self._rows(), right=(False, False), total=len(self._rows()))
        for title, items in self._lists():
            if items:
                body += f"<p>{safe(title)}:</p>"
                body += bounded_table(("what", "why"), items, right=(False, False), total=len(items))
        return body

    def payload(self) -> dict[str, Any]:
        """Return the summary as data."""
        return {
            "version": VERSION,
            "kind": "import",
            "source": self.source,
            "store": self.store,
            "experiments": self.experiments,
            "newExperiments": self.new_experiments,
            "runs": self.runs,
            "updatedRuns": self.updated_runs,
            "unchangedRuns": self.unchanged_runs,
            "points": self.points,
            "artifacts": self.artifacts,
            "artifactBytes": self.artifact_bytes,
            "skipped": [{"what": what, "why": why} for what, why in self.skipped],
            "missingArtifacts": [{"run": what, "place": why} for what, why in self.missing_artifacts],
            "leftOut": self.left_out,
        }

    def _repr_html_(self) -> str:
        return self.html()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        # Like the list of experiments it has no interactive form.
        return {"text/plain": self.text(), "text/html": self.html()}


def _said(*counts: tuple[int, str]) -> str:
    """Return "3 new, 1 unchanged"; what is none is left out, but for the first."""
    return ", ".join(f"{count:,} {word}" for place, (count, word) in enumerate(counts) if count or not place)
