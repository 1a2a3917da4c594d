"""What is said after a page was saved."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from tracknb.view.base import View, safe

_PAGE: Final = "one page that works in any browser, without tracknb and offline"


class Saved(View):
    """Where a page or another file was saved, and what it weighs."""

    def __init__(
        self, path: Path, what: str = "one page that works in any browser, without tracknb and offline"
    ) -> None:
        super().__init__()
        self.path = path
        self._what = what
        self._bytes = path.stat().st_size

    def __fspath__(self) -> str:
        """The page's path, for whoever opens or copies it."""
        return os.fspath(self.path)

    def text(self, *, times: bool = False) -> str:
        """Return the sentence."""
        size = f"{self._bytes / 1e6:.1f} MB" if self._bytes >= 1e6 else f"{max(1, round(self._bytes / 1e3))} KB"
        return f"Saved {self.path.name} ({size}): {self._what}."

    def html(self) -> str:
        """Return the sentence."""
        return f"<p>{safe(self.text())}</p>"

    def payload(self) -> dict[str, Any]:
        """Return where it is."""
        return {"kind": "saved", "path": str(self.path), "bytes": self._bytes}

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {"text/plain": self.text()}
