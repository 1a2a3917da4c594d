"""Who runs this, on which Python and platform. No environment variable is recorded."""

from __future__ import annotations

import functools
import getpass
import platform
import sys


@functools.cache
def user_name() -> str:
    """Return the login name, or ``unknown`` where the system knows none."""
    try:
        # A login may be no text: what is not becomes question marks.
        return getpass.getuser().encode("utf-8", "replace").decode()
    except (OSError, KeyError, ImportError):
        # Containers run under numbers that no user database lists.
        return "unknown"


def python_version() -> str:
    """Return the version of Python, such as ``3.12.4``."""
    return ".".join(str(part) for part in sys.version_info[:3])


@functools.cache
def platform_name() -> str:
    """Return the system and its processor, such as ``Linux x86_64``."""
    return f"{platform.system()} {platform.machine()}".strip()
