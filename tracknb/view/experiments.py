"""The catalogue: the experiments of a store, one line each, and what a person wrote about them.

All of it stands in the experiment's tags: ``mlflow.note.content`` or ``description``,
``owner``, ``lifecycle``, and ``tags`` for words that stand alone. Every other tag of a
user's own is a key to filter by. A star is a tag too, so it is in the store and not in a browser.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tracknb.entities import NOTE_TAG, USER_TAG, Experiment, ExperimentUse, star_tag
from tracknb.view import format as fmt
from tracknb.view.base import VERSION, View, bounded_table, fitted, safe, sendable, shortened, shown_tags
from tracknb.view.state import separated

DESCRIPTION_TAG: Final = "description"
OWNER_TAG: Final = "owner"
LIFECYCLE_TAG: Final = "lifecycle"
WORDS_TAG: Final = "tags"
_EMPTY: Final = "No experiments yet. Track a cell with:\n\n    %%track_run --experiment my-experiment"
_NONE_LEFT: Final = "No experiment matches. Loosen the filter, or leave it out."
_HEAD: Final = ("experiment", "owner", "lifecycle", "description", "tags", "runs", "last run")
_RIGHT: Final = (False, False, False, False, False, True, False)
_LISTS: Final = {"all": "All", "owned": "Owned", "starred": "Starred"}
_NO_USE: Final = ExperimentUse(0, 0, 0)
_HTML_LIMIT: Final = 40_000


@dataclass(frozen=True, slots=True)
class About:
    """What an experiment's tags say of it; ``labels`` are its words and its other tags as ``key: value``."""

    description: str
    owner: str
    lifecycle: str
    labels: tuple[str, ...]


def about(tags: Mapping[str, str]) -> About:
    """Return what an experiment's tags say of it.

    Examples
    --------
    >>> about({"owner": "guest", "tags": "machine-learning, demo", "team": "x", "mlflow.note.content": "Taxis"})
    About(description='Taxis', owner='guest', lifecycle='', labels=('machine-learning', 'demo', 'team: x'))
    """
    words = [word.strip() for word in tags.get(WORDS_TAG, "").split(",")]
    known = (DESCRIPTION_TAG, OWNER_TAG, LIFECYCLE_TAG, WORDS_TAG)
    others = [f"{key}: {value}" for key, value in sorted(shown_tags(tags).items()) if key not in known]
    return About(
        description=tags.get(NOTE_TAG) or tags.get(DESCRIPTION_TAG, ""),
        owner=tags.get(OWNER_TAG) or tags.get(USER_TAG, ""),
        lifecycle=tags.get(LIFECYCLE_TAG, ""),
        labels=tuple(dict.fromkeys([*filter(None, words), *others])),
    )


class ExperimentList(View):
    """Experiments with what is said about them, how many runs each holds and when the newest run began."""

    def __init__(
        self, experiments: Sequence[Experiment], use: Mapping[str, ExperimentUse], *, user: str, now_ms: int
    ) -> None:
        super().__init__()
        self.experiments = tuple(experiments)
        self._use = dict(use)
        self._user = user
        self._now_ms = now_ms

    @classmethod
    def of(
        cls,
        experiments: Sequence[Experiment],
        *,
        use: Mapping[str, ExperimentUse],
        user: str,
        now_ms: int,
    ) -> ExperimentList:
        """Return the list, the experiment that was used last on top.

        Parameters
        ----------
        experiments
            What to list.
        use
            What the runs of each come to, by experiment id; absent without runs.
        user
            Who looks: whose stars are shown, and who owns.
        now_ms
            When this is drawn, in milliseconds since 1970.
        """
        ordered = sorted(experiments, key=lambda item: -use.get(item.experiment_id, _NO_USE).newest)
        return cls(ordered, use, user=user, now_ms=now_ms)

    def use_of(self, experiment: Experiment) -> ExperimentUse:
        """Return what the runs of an experiment come to."""
        return self._use.get(experiment.experiment_id, _NO_USE)

    def is_starred(self, experiment: Experiment) -> bool:
        """Say whether the user who looks has starred an experiment."""
        return experiment.tags.get(star_tag(self._user)) == "true"

    def is_owned(self, experiment: Experiment) -> bool:
        """Say whether an experiment is the user's who looks: by its owner, or by runs where nobody is named."""
        owner = about(experiment.tags).owner
        return owner == self._user if owner else self.use_of(experiment).of_user > 0

    def shown(self) -> list[Experiment]:
        """Return the experiments that the copied line left, or all."""
        parts = self.opened.parts if self.opened is not None else {}
        return [item for item in self.experiments if self._is_left(item, parts)]

    def _is_left(self, experiment: Experiment, parts: Mapping[str, str]) -> bool:
        facts, chosen = about(experiment.tags), parts.get("list", "all")
        words = parts.get("text", "").lower().split()
        read = f"{experiment.name}\n{facts.description}".lower()
        return (
            (chosen != "owned" or self.is_owned(experiment))
            and (chosen != "starred" or self.is_starred(experiment))
            and all(word in read for word in words)
            and _has_labels(facts.labels, separated(parts.get("tags", "")))
            and facts.owner in (separated(parts.get("owner", "")) or [facts.owner])
            and facts.lifecycle in (separated(parts.get("life", "")) or [facts.lifecycle])
        )

    def headline(self) -> str:
        """Return the list's name and how many are in it, such as "Owned (1)"."""
        chosen = self.opened.parts.get("list", "all") if self.opened is not None else "all"
        return f"{_LISTS.get(chosen, _LISTS['all'])} ({len(self.shown()):,})"

    def _rows(self, *, times: bool) -> list[list[str]]:
        rows = []
        for item in self.shown():
            facts, use = about(item.tags), self.use_of(item)
            name = f"★ {item.name}" if self.is_starred(item) else item.name
            last = fmt.moment(use.newest) if use.runs and times else ""
            rows.append(
                [name, facts.owner, facts.lifecycle, facts.description, ", ".join(facts.labels), str(use.runs), last]
            )
        return rows

    def text(self, *, times: bool = False) -> str:
        """Return aligned columns; ``times`` adds when the newest run began."""
        if not self.experiments:
            return _EMPTY
        rows = self._rows(times=times)
        return f"{self.headline()}\n\n{fmt.columns(_HEAD, rows, right=_RIGHT) if rows else _NONE_LEFT}"

    def html(self) -> str:
        """Return a plain table, everything stored escaped."""
        if not self.experiments:
            return f"<pre>{safe(_EMPTY)}</pre>"
        rows = self._rows(times=True)
        kept = [place for place in range(len(_HEAD)) if any(row[place] for row in rows)]
        table = bounded_table(
            [_HEAD[place] for place in kept],
            [[row[place] for place in kept] for row in rows],
            right=[_RIGHT[place] for place in kept],
            total=len(rows),
            limit=_HTML_LIMIT,
        )
        return f"<p><b>{safe(self.headline())}</b></p>{table if rows else f'<p>{safe(_NONE_LEFT)}</p>'}"

    def payload(self) -> dict[str, Any]:
        """Return the list as data; ``note`` says what was left out where it would weigh too much."""
        return fitted(self._payload_of, self.payload_limit, count=len(self.experiments))

    def _payload_of(self, count: int, letters: int | None, keys: int | None) -> dict[str, Any]:
        items = self.experiments[:count]
        left_out = len(self.experiments) - count
        notes = [
            f"{left_out:,} experiments that were not used for longest are left out of this output; "
            "tracknb.search_experiments() has them all."
            if left_out
            else "",
            f"Texts longer than {letters} letters are cut short in this output." if letters is not None else "",
        ]
        # Their folders differ in little but the end, and a thousand long paths would fill the output.
        places = [fmt.without_home(item.artifact_location) for item in items]
        base = _common_beginning(places)
        uses = [self.use_of(item) for item in items]
        return {
            "version": VERSION,
            "kind": "experiments",
            "view": self.view_id,
            "now": self._now_ms,
            "total": len(self.experiments),
            "star": star_tag(self._user),
            "user": sendable(self._user),
            "note": " ".join(filter(None, notes)),
            "locationBase": sendable(base),
            "data": {
                "id": [item.experiment_id for item in items],
                "name": [sendable(item.name) for item in items],
                "runs": [use.runs for use in uses],
                "mine": [int(use.of_user > 0) for use in uses],
                "lastRun": [use.newest if use.runs else None for use in uses],
                "created": [item.creation_time for item in items],
                "location": [sendable(place[len(base) :]) for place in places],
                "tags": [self._sent_tags(item.tags, letters) for item in items],
            },
        }

    def _sent_tags(self, tags: Mapping[str, str], letters: int | None) -> dict[str, str]:
        """Return the tags that the page reads: a user's own, the note, the owner, and the star of who looks."""
        wanted = (NOTE_TAG, USER_TAG, star_tag(self._user))
        kept = {key: value for key, value in tags.items() if key in wanted} | shown_tags(tags)
        return {sendable(key): shortened(value, letters) for key, value in kept.items()}


class ExperimentPage(View):
    """One experiment: what is said about it, its latest runs, its metrics' trends."""

    def __init__(self, experiments: ExperimentList, runs: View, stage: str) -> None:
        super().__init__()
        self._list = experiments
        self._runs = runs
        self._stage = stage

    def text(self, *, times: bool = False) -> str:
        """Return what is known of the experiment, then its runs."""
        [item] = self._list.experiments
        facts = about(item.tags)
        rows = [
            ["description", facts.description],
            ["owner", facts.owner],
            ["lifecycle", facts.lifecycle],
            ["tags", ", ".join(facts.labels)],
            ["lifecycle stage", self._stage],
            ["number of runs", str(self._list.use_of(item).runs)],
        ]
        known = [[key, value] for key, value in rows if value]
        return f"{fmt.columns([item.name, ''], known, right=[False, False])}\n\n{self._runs.text(times=times)}"

    def html(self) -> str:
        """Return the same as tables."""
        return f"{self._list.html()}{self._runs.html()}"

    def payload(self) -> dict[str, Any]:
        """Return the experiment's row, and the data of its runs that both other tabs share."""
        self._list.payload_limit = self.payload_limit // 3
        row = self._list.payload()
        self._runs.payload_limit = self.payload_limit - len(json.dumps(row))
        return {
            **row,
            "kind": "experiment",
            "view": self.view_id,
            "stage": self._stage,
            "runs": self._runs.payload(),
        }


def _has_labels(labels: Sequence[str], wanted: Sequence[str]) -> bool:
    """Say whether every wanted word is there, and one of the wanted values of each other key."""
    by_key: dict[str, bool] = {}
    for label in wanted:
        key, sign, _ = label.partition(": ")
        by_key[key + sign] = by_key.get(key + sign, False) or label in labels
    return all(by_key.values())


def _common_beginning(texts: Sequence[str]) -> str:
    first, last = min(texts, default=""), max(texts, default="")
    same = next((place for place, letter in enumerate(first) if last[place : place + 1] != letter), len(first))
    return first[:same]
