"""The widget that draws the live panel where our JupyterLab extension is not.

Imported only where a widget is shown: anywidget and ipywidgets cost half a second.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

_SCRIPT: Final = Path(__file__).parent / "static" / "widget.js"


def make_widget(payload: dict[str, Any]) -> Any:
    """Return a widget that draws the payload of a panel and hears the points that it is sent.

    Raises
    ------
    ImportError
        anywidget is not installed.
    """
    import anywidget
    import traitlets

    class TrackView(anywidget.AnyWidget):
        """A view of runs."""

        _esm = _SCRIPT
        view: Any = traitlets.Dict().tag(sync=True)

    return TrackView(view=payload)
