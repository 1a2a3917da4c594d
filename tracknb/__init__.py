"""Experiment tracking whose dashboards live in the notebook.

``%load_ext tracknb``, then ``%%track_run --experiment NAME`` above a cell; or
``import tracknb as mlflow`` and MLflow's own tracking calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracknb.client import TrackingClient
from tracknb.entities import (
    Experiment,
    LifecycleStage,
    Metric,
    Run,
    RunData,
    RunInfo,
    RunStatus,
    ViewType,
)
from tracknb.errors import TracknbError
from tracknb.fluent import (
    ActiveRun,
    active_run,
    create_experiment,
    delete_tag,
    download_artifacts,
    end_run,
    flush,
    get_artifact_uri,
    get_experiment,
    get_experiment_by_name,
    get_metric_history,
    get_run,
    get_tracking_uri,
    last_active_run,
    list_artifacts,
    log_artifact,
    log_artifacts,
    log_dict,
    log_figure,
    log_metric,
    log_metrics,
    log_param,
    log_params,
    log_text,
    search_experiments,
    search_runs,
    set_evaluation_set,
    set_experiment,
    set_tag,
    set_tags,
    set_tracking_uri,
    start_run,
    track,
)

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from tracknb.verbs import chart, runs_table, trend

__version__ = "0.1.0"

MlflowClient = TrackingClient

__all__ = [
    "ActiveRun",
    "Experiment",
    "LifecycleStage",
    "Metric",
    "MlflowClient",
    "Run",
    "RunData",
    "RunInfo",
    "RunStatus",
    "TrackingClient",
    "TracknbError",
    "ViewType",
    "active_run",
    "chart",
    "create_experiment",
    "delete_tag",
    "download_artifacts",
    "end_run",
    "flush",
    "get_artifact_uri",
    "get_experiment",
    "get_experiment_by_name",
    "get_metric_history",
    "get_run",
    "get_tracking_uri",
    "last_active_run",
    "list_artifacts",
    "log_artifact",
    "log_artifacts",
    "log_dict",
    "log_figure",
    "log_metric",
    "log_metrics",
    "log_param",
    "log_params",
    "log_text",
    "runs_table",
    "search_experiments",
    "search_runs",
    "set_evaluation_set",
    "set_experiment",
    "set_tag",
    "set_tags",
    "set_tracking_uri",
    "start_run",
    "track",
    "trend",
]

_LAZY = ("chart", "runs_table", "trend")


def __getattr__(name: str) -> Any:
    # The views come with click and, when drawn, pandas: nobody who only logs pays for them.
    if name in _LAZY:
        from tracknb import verbs

        return getattr(verbs, name)
    raise AttributeError(f"module 'tracknb' has no attribute '{name}'")


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Give a shell ``%%track_run`` and ``%track``; called by ``%load_ext tracknb``."""
    from tracknb.notebook.session import load

    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take everything back; called by ``%unload_ext tracknb``."""
    from tracknb.notebook.session import unload

    unload(shell)
