"""The Jupyter Server extension: what JupyterLab's panel looks at while every kernel is busy, or none runs."""

from __future__ import annotations

from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "tracknb.jupyter"}]


def _load_jupyter_server_extension(server: Any) -> None:
    """Hang our addresses into a Jupyter server that starts."""
    # Only here is Jupyter Server surely installed.
    from tracknb.jupyter.handlers import load

    load(server)
