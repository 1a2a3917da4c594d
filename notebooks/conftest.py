"""How nbval runs these notebooks: in a store of their own, comparing what their text says."""

from __future__ import annotations

import os
import shutil
import tempfile

import pytest

_folder = tempfile.mkdtemp(prefix="tracknb-notebooks-")


def pytest_configure(config: pytest.Config) -> None:
    """Keep the runs out of this folder, and out of the stores of whoever runs the tests."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_RUN_ID"):
        os.environ.pop(name, None)
    os.environ["TRACKNB_TRACKING_URI"] = f"sqlite:///{_folder}/runs.db"


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave nothing behind."""
    shutil.rmtree(_folder, ignore_errors=True)


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Compare only texts: the other forms of a view hold run ids and times."""
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += ("text/html", "application/vnd.tracknb.view+json")
