"""Which notebook this kernel belongs to, as far as anybody says."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

UNKNOWN = "notebook"


def notebook_path(names: Mapping[str, Any]) -> str:
    """Return the path of the notebook; ``notebook`` where no front end tells.

    Jupyter Server names it in the kernel's environment, VS Code in the user's namespace.
    ``names`` is that namespace.
    """
    told = os.environ.get("JPY_SESSION_NAME") or names.get("__vsc_ipynb_file__")
    # Consoles and some front ends put an id there instead of a path.
    return told if isinstance(told, str) and told.endswith(".ipynb") else UNKNOWN
