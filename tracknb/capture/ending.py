"""How this process ends: by an exception, by a code, or well.

Python tells handlers at exit of an exception that nobody caught, but not of the code that
``sys.exit`` was given. So ``sys.exit`` is watched: it does what it always does, and the
code is remembered.
"""

from __future__ import annotations

import functools
import sys
import threading
from typing import NoReturn

_exit = sys.exit
_asked: SystemExit | None = None


def watch() -> None:
    """Remember from now on what ``sys.exit`` is called with; not in IPython, where it ends no process."""
    if sys.exit is _exit and not _is_interactive():
        sys.exit = _remembering_exit


def go_on() -> None:
    """Forget an exit that somebody caught: the programme runs on."""
    global _asked
    _asked = None


def reason() -> BaseException | None:
    """Return what ends this process before its time, or None where it ends well."""
    if _is_interactive():
        # There it is the error of some earlier cell.
        return None
    uncaught: BaseException | None = getattr(sys, "last_value", None)
    return uncaught or _asked


@functools.wraps(_exit)
def _remembering_exit(status: object = None, /) -> NoReturn:
    global _asked
    if threading.current_thread() is threading.main_thread():
        # The codes that mean success; a text is printed and means failure.
        _asked = None if status is None or status == 0 else SystemExit(status)
    _exit(status)  # type: ignore[arg-type]


def _is_interactive() -> bool:
    shell = sys.modules.get("IPython")
    return shell is not None and shell.get_ipython() is not None
