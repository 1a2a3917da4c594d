"""How the numbers of a run and of its replay compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tracknb.entities import Run
from tracknb.view.base import VERSION, View, html_table, safe, sendable
from tracknb.view.format import columns, counted

_HEAD = ("what", "then", "now")


@dataclass(frozen=True, slots=True)
class Difference:
    """A metric or param that is another one in the replay; ``now`` is None where it is missing."""

    kind: Literal["metric", "param"]
    key: str
    then: str
    now: str | None
    is_close: bool = False


class ReplayVerdict(View):
    """What a replay came to; make one with ``tracknb.replay()``.

    ``verdict`` is ``"identical"``, ``"within tolerance"`` or ``"different"``; ``replayed`` is
    the new run, a child of ``run``.
    """

    def __init__(self, run: Run, replayed: Run, differences: Sequence[Difference], *, cells: int) -> None:
        super().__init__()
        self.run = run
        self.replayed = replayed
        self.differences = tuple(differences)
        self._cells = cells

    @property
    def verdict(self) -> Literal["identical", "within tolerance", "different"]:
        """How the last values of the metrics and the params compare."""
        if not self.differences:
            return "identical"
        return "within tolerance" if all(item.is_close for item in self.differences) else "different"

    def text(self, *, times: bool = False) -> str:
        """Return the verdict, and what differs."""
        compared = f"{counted(len(self.run.data.metrics), len(self.run.data.metrics), 'metric')} compared"
        ran = counted(self._cells, self._cells, "cell")
        line = f"{self.run.info.run_name}: {self.verdict} ({ran} in a new kernel, {compared})"
        return f"{line}\n\n{columns(_HEAD, self._rows(), right=[False] * 3)}" if self.differences else line

    def _rows(self) -> list[list[str]]:
        return [
            [f"{item.kind} {item.key}", item.then, "missing" if item.now is None else item.now]
            for item in self.differences
        ]

    def html(self) -> str:
        """Return the same as HTML, everything stored escaped."""
        head = f"<p>{safe(self.text().split(chr(10))[0])}</p>"
        return head + (html_table(_HEAD, self._rows(), right=[False] * 3) if self.differences else "")

    def payload(self) -> dict[str, Any]:
        """Return the text, which every front end shows."""
        return {"version": VERSION, "kind": "replay", "view": self.view_id, "text": sendable(self.text())}
