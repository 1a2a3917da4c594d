"""System metrics: what a run notes of the machine while it is open."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
import time

import pytest

import tracknb
from tracknb.errors import InvalidValue

MLFLOWS_NAMES = {
    "system/cpu_utilization_percentage",
    "system/system_memory_usage_megabytes",
    "system/system_memory_usage_percentage",
    "system/disk_usage_percentage",
    "system/disk_usage_megabytes",
    "system/disk_available_megabytes",
    "system/network_receive_megabytes",
    "system/network_transmit_megabytes",
}


@pytest.fixture(autouse=True)
def quick(store, monkeypatch):
    """Samples ten times a second, and settings that no other test sees."""
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.1")
    yield
    for choose in (
        tracknb.set_system_metrics_sampling_interval,
        tracknb.set_system_metrics_samples_before_logging,
        tracknb.set_system_metrics_node_id,
    ):
        choose(None)
    tracknb.config.choose_system_metrics(enabled=None)


def metrics_of(run):
    return tracknb.get_run(run.info.run_id).data.metrics


def watched(seconds, **options):
    with tracknb.start_run(**options) as run:
        time.sleep(seconds)
    return run


def test_a_run_logs_what_the_machine_does_under_mlflows_names():
    run = watched(0.55, log_system_metrics=True)
    cpu = tracknb.get_metric_history(run.info.run_id, "system/cpu_utilization_percentage")

    assert metrics_of(run).keys() >= MLFLOWS_NAMES
    assert [point.step for point in cpu] == list(range(len(cpu)))
    assert len(cpu) >= 3
    assert all(0 <= point.value <= 100 for point in cpu)
    assert metrics_of(run)["system/system_memory_usage_megabytes"] > 10
    assert "tracknb-system" not in [thread.name for thread in threading.enumerate()]


def test_a_run_that_does_not_ask_logs_none():
    assert metrics_of(watched(0.2)) == {}


def test_a_short_run_has_a_sample_too(monkeypatch):
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "10")
    begun = time.monotonic()
    run = watched(0.1, log_system_metrics=True)
    assert metrics_of(run).keys() >= MLFLOWS_NAMES
    assert time.monotonic() - begun < 8


def test_it_is_switched_on_and_off_for_all_runs(monkeypatch):
    tracknb.enable_system_metrics_logging()
    assert metrics_of(watched(0.2))
    assert metrics_of(watched(0.2, log_system_metrics=False)) == {}
    monkeypatch.setenv("MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING", "true")
    tracknb.disable_system_metrics_logging()
    assert metrics_of(watched(0.2)) == {}
    tracknb.config.choose_system_metrics(enabled=None)
    assert metrics_of(watched(0.2))


def test_a_resumed_run_counts_on():
    run = watched(0.25, log_system_metrics=True)
    with tracknb.start_run(run.info.run_id, log_system_metrics=True):
        time.sleep(0.25)
    steps = [point.step for point in tracknb.get_metric_history(run.info.run_id, "system/disk_usage_percentage")]
    assert steps == list(range(len(steps)))
    assert len(steps) >= 3


def test_several_samples_become_one_and_a_node_has_its_own_names():
    tracknb.set_system_metrics_samples_before_logging(100)
    tracknb.set_system_metrics_node_id("worker-1")
    run = watched(0.3, log_system_metrics=True)
    [point] = tracknb.get_metric_history(run.info.run_id, "system/worker-1/system_memory_usage_percentage")
    assert point.step == 0


@pytest.mark.parametrize("interval", [0, -1, float("inf"), "1"])
def test_a_bad_interval_is_refused(interval):
    with pytest.raises(InvalidValue, match="above 0"):
        tracknb.set_system_metrics_sampling_interval(interval)
    with pytest.raises(InvalidValue, match="from 1 on"):
        tracknb.set_system_metrics_samples_before_logging(0)


def test_tables_leave_them_out_and_a_trend_takes_another_first():
    with tracknb.start_run(log_system_metrics=True):
        tracknb.log_metric("rmse", 4.2)
        time.sleep(0.15)
    assert "system/" not in tracknb.runs_table().text()
    assert [item["key"] for item in tracknb.runs_table().payload()["data"]["metrics"]] == ["rmse"]
    assert tracknb.trend().metric == "rmse"


def test_a_tracked_cell_takes_the_option(shell):
    shell.run_cell("%%track_run --system-metrics\nimport time\ntime.sleep(0.15)")
    [run] = tracknb.search_runs(output_format="list")
    assert run.data.metrics.keys() >= MLFLOWS_NAMES


def test_without_psutil_there_is_one_warning_and_the_run_goes_on(store):
    code = """
    import sys, warnings
    sys.modules["psutil"] = None
    import tracknb
    tracknb.set_tracking_uri(sys.argv[1])
    tracknb.enable_system_metrics_logging()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for _ in range(2):
            with tracknb.start_run() as run:
                tracknb.log_metric("loss", 1.0)
    print([str(item.message) for item in told])
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), store], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.count("tracknb[system]") == 1
    assert [run.data.metrics for run in tracknb.search_runs(output_format="list")] == [{"loss": 1.0}] * 2
