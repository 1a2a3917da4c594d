"""Keeps what a tracked cell displays as files of its run, without changing what is shown.

IPython's publisher and display hook are listened to while the cell runs: first they do what they
always do. Inside ``%%capture`` others stand in their place, so what nobody sees is not kept.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tracknb import active
from tracknb.capture.displays import FOLDER, Displays
from tracknb.client import open_artifacts
from tracknb.entities import OUTPUTS_TAG
from tracknb.errors import TracknbError
from tracknb.files import LocalArtifacts
from tracknb.provenance import keep_files

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_told: set[str] = set()


class Outputs:
    """Listens to the displays of one execution of a cell; `keep` ends it."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._displays = Displays()
        self._is_over = False
        self._undo = [
            self._listen(shell.display_pub, "publish", self._published),
            self._listen(shell.display_pub, "clear_output", self._cleared),
            self._listen(shell.displayhook, "write_format_data", self._resulted),
        ]

    def stop(self) -> None:
        """Hear of nothing any more."""
        self._is_over = True
        for undo in self._undo:
            undo()

    def keep(self) -> None:
        """Stop listening, and keep what was displayed in the files of the cell's runs."""
        self.stop()
        runs = {opened.run.info.run_id: opened for opened in active.cell_opened()}
        counts = {
            run_id: _count(runs[run_id].run.info.artifact_uri) for run_id in self._displays.owners() & runs.keys()
        }
        files, left_out = self._displays.files(counts)
        for run_id in files.keys() & runs.keys():
            try:
                keep_files(files[run_id], runs[run_id].run.info.artifact_uri, _warn)
            except Exception as problem:
                # A folder that refuses them is one run's; the other runs have their own.
                _warn(problem)
        for run_id in left_out.keys() & runs.keys():
            runs[run_id].client.set_tags(run_id, {OUTPUTS_TAG: left_out[run_id]})
            _say(f"Not all that this cell displayed is kept with its run: {left_out[run_id]}.")

    def _listen(self, owner: Any, name: str, hears: Callable[..., None]) -> Callable[[], None]:
        """Let a function hear of each call of an object's method, after it was done; return what ends that."""
        original, own = getattr(owner, name), owner.__dict__.get(name)

        def heard(*arguments: Any, **options: Any) -> Any:
            answer = original(*arguments, **options)
            try:
                if not self._is_over:
                    hears(*arguments, **options)
            except Exception as problem:
                _warn(problem)
            return answer

        def undo() -> None:
            # Other extensions do the same: what one put there in the cell stays, and calls ours, which is deaf by now.
            if owner.__dict__.get(name) is not heard:
                return
            # An instance's own attribute hides the method of its class.
            del owner.__dict__[name]
            if own is not None:
                owner.__dict__[name] = own

        owner.__dict__[name] = heard
        return undo

    def _published(self, data: Any, *rest: Any, transient: Any = None, update: bool = False, **others: Any) -> None:
        display_id = (transient or {}).get("display_id")
        self._add(data, display_id=display_id, update=update)

    def _resulted(self, format_dict: Any, *rest: Any, **others: Any) -> None:
        self._add(format_dict)

    def _add(self, data: Any, *, display_id: str | None = None, update: bool = False) -> None:
        opened = active.shown_in()
        if opened is not None and isinstance(data, dict):
            self._displays.add(data, owner=opened.run.info.run_id, display_id=display_id, update=update)

    def _cleared(self, wait: bool = False) -> None:
        self._displays.clear(wait=bool(wait))


def _count(artifact_uri: str) -> int:
    """Return the highest number among a run's outputs: one that goes on has some, and people may log such files."""
    place = open_artifacts(artifact_uri)
    # A bucket would have to be waited for.
    listed = place.list(FOLDER) if isinstance(place, LocalArtifacts) else []
    numbers = [item.path.removeprefix(f"{FOLDER}/").partition(".")[0] for item in listed]
    return max((int(number) for number in numbers if number.isascii() and number.isdecimal()), default=0)


def _warn(problem: Exception) -> None:
    told = str(problem) if isinstance(problem, TracknbError) else f"{type(problem).__name__}: {problem}"
    _say(f"What this cell displayed is not kept with its run: {told}")


def _say(text: str) -> None:
    """Warn, once per kernel."""
    if not _told:
        _told.add("warned")
        warnings.warn(text, RuntimeWarning, stacklevel=3)
