"""Experiment tracking whose dashboards live in the notebook.

``%load_ext tracknb``, then ``%%track_run --experiment NAME`` above a cell; or
``import tracknb as mlflow`` and MLflow's own tracking calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracknb import data, entities
from tracknb.active import ActiveRun
from tracknb.capture.secrets import add_secret_pattern, set_secret_masking
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
    active_run,
    create_experiment,
    delete_experiment,
    delete_experiment_tag,
    delete_run,
    delete_tag,
    disable_system_metrics_logging,
    download_artifacts,
    enable_system_metrics_logging,
    end_run,
    flush,
    get_artifact_uri,
    get_child_runs,
    get_experiment,
    get_experiment_by_name,
    get_metric_history,
    get_parent_run,
    get_run,
    get_tracking_uri,
    is_tracking_uri_set,
    last_active_run,
    list_artifacts,
    load_table,
    log_artifact,
    log_artifacts,
    log_dict,
    log_figure,
    log_image,
    log_input,
    log_inputs,
    log_metric,
    log_metrics,
    log_param,
    log_parameter,
    log_params,
    log_stream,
    log_table,
    log_text,
    restore_experiment,
    restore_run,
    search_experiments,
    search_runs,
    set_alerts,
    set_evaluation_set,
    set_experiment,
    set_experiment_metric,
    set_experiment_tag,
    set_experiment_tags,
    set_system_metrics_node_id,
    set_system_metrics_samples_before_logging,
    set_system_metrics_sampling_interval,
    set_tag,
    set_tags,
    set_tracking_uri,
    start_run,
    track,
)

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from tracknb import artifacts, exceptions, tracking
    from tracknb.transfer import import_mlflow
    from tracknb.verbs import chart, code, compare, dashboard, replay, runs_table, save_html, show, trend

__version__ = "0.1.0"

MlflowClient = TrackingClient
MlflowException = TracknbError
# A call that returned is kept; what MLflow logs asynchronously is only committed here.
flush_async_logging = flush_artifact_async_logging = flush

__all__ = [
    "ActiveRun",
    "Experiment",
    "LifecycleStage",
    "Metric",
    "MlflowClient",
    "MlflowException",
    "Run",
    "RunData",
    "RunInfo",
    "RunStatus",
    "TrackingClient",
    "TracknbError",
    "ViewType",
    "active_run",
    "add_secret_pattern",
    "artifacts",
    "chart",
    "code",
    "compare",
    "create_experiment",
    "dashboard",
    "data",
    "delete_experiment",
    "delete_experiment_tag",
    "delete_run",
    "delete_tag",
    "disable_system_metrics_logging",
    "download_artifacts",
    "enable_system_metrics_logging",
    "end_run",
    "entities",
    "exceptions",
    "flush",
    "flush_artifact_async_logging",
    "flush_async_logging",
    "get_artifact_uri",
    "get_child_runs",
    "get_experiment",
    "get_experiment_by_name",
    "get_metric_history",
    "get_parent_run",
    "get_run",
    "get_tracking_uri",
    "import_mlflow",
    "is_tracking_uri_set",
    "last_active_run",
    "list_artifacts",
    "load_table",
    "log_artifact",
    "log_artifacts",
    "log_dict",
    "log_figure",
    "log_image",
    "log_input",
    "log_inputs",
    "log_metric",
    "log_metrics",
    "log_param",
    "log_parameter",
    "log_params",
    "log_stream",
    "log_table",
    "log_text",
    "replay",
    "restore_experiment",
    "restore_run",
    "runs_table",
    "save_html",
    "search_experiments",
    "search_runs",
    "set_alerts",
    "set_evaluation_set",
    "set_experiment",
    "set_experiment_metric",
    "set_experiment_tag",
    "set_experiment_tags",
    "set_secret_masking",
    "set_system_metrics_node_id",
    "set_system_metrics_samples_before_logging",
    "set_system_metrics_sampling_interval",
    "set_tag",
    "set_tags",
    "set_tracking_uri",
    "show",
    "start_run",
    "track",
    "tracking",
    "trend",
]

_LAZY = {
    "chart": "verbs",
    "code": "verbs",
    "compare": "verbs",
    "dashboard": "verbs",
    "import_mlflow": "transfer",
    "replay": "verbs",
    "runs_table": "verbs",
    "save_html": "verbs",
    "show": "verbs",
    "trend": "verbs",
}
_LAZY_MODULES = ("artifacts", "exceptions", "tracking")


if not TYPE_CHECKING:  # a type checker would take every misspelt name for one that is found here

    def __getattr__(name: str) -> Any:
        # The views come with click and, when drawn, pandas: nobody who only logs pays for them.
        import importlib

        if name in _LAZY_MODULES:
            return importlib.import_module(f"tracknb.{name}")
        if name in _LAZY:
            return getattr(importlib.import_module(f"tracknb.{_LAZY[name]}"), name)
        raise AttributeError(f"module 'tracknb' has no attribute '{name}'{_hint(name)}")


def _hint(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, __all__, n=1)
    return f". Did you mean '{near[0]}'?" if near else ""


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Give a shell ``%%track_run`` and ``%track``; called by ``%load_ext tracknb``."""
    from tracknb.notebook.session import load

    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take everything back; called by ``%unload_ext tracknb``."""
    from tracknb.notebook.session import unload

    unload(shell)
