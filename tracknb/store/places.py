"""Where runs' files lie: as the tables say it, and as it is on this machine now.

Files in the default folder beside a SQLite store are kept as ``./runs-artifacts/...``, so
that store and files can be moved or mounted elsewhere together. What readers get is always
absolute. Absolute places, as older stores and users give them, hold while they are there;
one that is gone is looked for under the same name beside the store.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tracknb.config import StoreLocation, is_url

# What is longer is no folder, and looking for each of its parts would take minutes.
_LONGEST_PATH: Final = 4_096


class Places:
    """The places of one store's files.

    Parameters
    ----------
    location
        The store; ``./`` stands for the folder of its file.
    """

    def __init__(self, location: StoreLocation) -> None:
        # A store on a server has no folder that its files could move with.
        self.folder = None if location.path is None else str(location.path.parent)
        self._default = None if location.path is None else f"{location.path.stem}-artifacts"

    def of_experiment(self, kept: str) -> str:
        """Return the place of an experiment's files for what the table says."""
        if self.folder is None or self._default is None or is_url(kept):
            return kept
        if not kept.startswith("./"):
            return self._found(kept, self.folder, self._default)
        top, slash, below = kept[2:].partition("/")
        if top != self._default and not os.path.isdir(os.path.join(self.folder, top)):
            # Store and folder may have been given a new name together.
            renamed = os.path.join(self.folder, self._default)
            if os.path.isdir(renamed):
                return f"{renamed}{slash}{below}"
        return os.path.join(self.folder, kept[2:])

    def of_runs(self) -> Callable[[str], str]:
        """Return what gives the place of a run's files, looking at each experiment's folder once."""
        known: dict[str, str] = {}

        def resolved(kept: str) -> str:
            if self.folder is None or kept.count("/") < 2:
                return kept
            # An experiment's folder, the run's id and "artifacts".
            experiment, run_id, last = kept.rsplit("/", 2)
            if experiment not in known:
                known[experiment] = self.of_experiment(experiment)
            return f"{known[experiment]}/{run_id}/{last}"

        return resolved

    def kept(self, experiment: str) -> str:
        """Return what the table says of a new run's experiment folder: a folder that moved moves on."""
        place = self.of_experiment(experiment)
        if experiment.startswith("./") or place == experiment or self.folder is None:
            return experiment
        beside = Path(place).relative_to(self.folder)
        # A folder that is only away for now, on a disk that is not mounted, keeps its place.
        return f"./{beside.as_posix()}" if beside.parts[0] == self._default else experiment

    def _found(self, kept: str, folder: str, default: str) -> str:
        if len(kept) > _LONGEST_PATH or os.path.exists(kept):
            return kept
        path = Path(kept)
        # The longest common end first: it is the surest.
        for names in (path.parts[start:] for start in range(1, len(path.parts))):
            beside = Path(folder, *names)
            # One name alone, such as "data", may be anybody's while its own folder may still be made.
            is_sure = len(names) > 1 or names[0] == default
            if os.path.isdir(beside) and (is_sure or (not names[0].isdigit() and not path.parent.exists())):
                return str(beside)
        # No run of the experiment has a file yet, so its own folder is nowhere.
        root = path.parent
        if not os.path.exists(root) and root.name == default:
            return os.path.join(folder, root.name, path.name)
        return kept
