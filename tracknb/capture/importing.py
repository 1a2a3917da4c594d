"""Whether random numbers were drawn by nothing but imports of packages: rich draws some, and scikit-learn imports rich.

No result depends on those. A look at each import of a module tells who drew what lies between
two of them; where that is not sure, the cell did.
"""

from __future__ import annotations

import random
from functools import lru_cache
from types import FrameType
from typing import Final

from tracknb.capture.opened import is_of_user

_BOOTSTRAP: Final = "<frozen importlib"


class Imports:
    """The imports of one cell, and what they did to the random numbers of ``random``.

    Examples
    --------
    >>> imports = Imports()
    >>> number = random.random()
    >>> imports.drew_alone()
    False
    """

    def __init__(self) -> None:
        self._state = random.getstate()
        # The frame of the outermost import that was going on, held so that no other takes its place.
        self._going_on: FrameType | None = None
        self._drew = False
        self._is_sure = True

    def heard(self, frame: FrameType | None) -> None:
        """Take in that a module is looked for, by code in a frame."""
        going_on = _outermost(frame, self._going_on)
        self._look(is_import=going_on is not None and going_on is self._going_on)
        self._going_on = going_on

    def drew_alone(self) -> bool:
        """Say whether numbers were drawn, and surely by packages while they were imported; ends the watch."""
        self._look(is_import=False)
        self._going_on = None
        return self._drew and self._is_sure

    def _look(self, *, is_import: bool) -> None:
        state = random.getstate()
        if state != self._state:
            self._state = state
            self._drew = True
            self._is_sure &= is_import


def _outermost(frame: FrameType | None, known: FrameType | None) -> FrameType | None:
    """Return the frame of the outermost import that a frame is part of; None if code of the user's is too.

    ``known`` is the one that was going on when it was looked last, which saves the way further out.
    """
    found = None
    is_user = is_found_user = False
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(_BOOTSTRAP):
            found, is_found_user = frame, is_user
            if frame is known:
                break
        elif not is_user:
            is_user = _is_of_user(name)
        frame = frame.f_back
    return None if is_found_user else found


@lru_cache(maxsize=4096)
def _is_of_user(name: str) -> bool:
    return not name.startswith("<") and is_of_user(name)
