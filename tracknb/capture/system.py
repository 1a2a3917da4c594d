"""How busy this machine is: CPU, memory, disk, network and NVIDIA GPUs, as MLflow names and measures them."""

from __future__ import annotations

import contextlib
import os
from typing import Any

_MEGABYTE = 1e6


class Sampler:
    """Takes samples; network counts from the making of this object.

    Raises
    ------
    ImportError
        psutil is not installed.
    """

    def __init__(self) -> None:
        import psutil  # type: ignore[import-untyped,unused-ignore]

        self._psutil = psutil
        self._network = psutil.net_io_counters()
        # CPU load is told since the call before; the first one has nothing to tell of.
        psutil.cpu_percent()
        self._gpus = _gpus()

    def sample(self) -> dict[str, float]:
        """Return what is measured, by name."""
        psutil = self._psutil
        memory, disk, network = psutil.virtual_memory(), psutil.disk_usage(os.sep), psutil.net_io_counters()
        found = {
            "cpu_utilization_percentage": psutil.cpu_percent(),
            "system_memory_usage_megabytes": memory.used / _MEGABYTE,
            "system_memory_usage_percentage": memory.percent,
            "disk_usage_percentage": disk.percent,
            "disk_usage_megabytes": disk.used / _MEGABYTE,
            "disk_available_megabytes": disk.free / _MEGABYTE,
        }
        if network is not None and self._network is not None:
            found["network_receive_megabytes"] = (network.bytes_recv - self._network.bytes_recv) / _MEGABYTE
            found["network_transmit_megabytes"] = (network.bytes_sent - self._network.bytes_sent) / _MEGABYTE
        for number, gpu in enumerate(self._gpus):
            found |= _gpu_sample(number, gpu)
        return found


def _gpus() -> list[Any]:
    """Return NVIDIA's handles; none without its library or without such a GPU."""
    try:
        import pynvml  # type: ignore[import-not-found,import-untyped,unused-ignore]

        pynvml.nvmlInit()
        return [pynvml.nvmlDeviceGetHandleByIndex(number) for number in range(pynvml.nvmlDeviceGetCount())]
    except Exception:
        # Its own errors have no common class of Python's.
        return []


def _gpu_sample(number: int, gpu: Any) -> dict[str, float]:
    import pynvml

    found: dict[str, float] = {}
    # What one kind of GPU cannot tell must not hide the rest.
    with contextlib.suppress(pynvml.NVMLError):
        memory = pynvml.nvmlDeviceGetMemoryInfo(gpu)
        found[f"gpu_{number}_memory_usage_percentage"] = memory.used / memory.total * 100
        found[f"gpu_{number}_memory_usage_megabytes"] = memory.used / _MEGABYTE
    with contextlib.suppress(pynvml.NVMLError):
        found[f"gpu_{number}_utilization_percentage"] = pynvml.nvmlDeviceGetUtilizationRates(gpu).gpu
    with contextlib.suppress(pynvml.NVMLError):
        power = pynvml.nvmlDeviceGetPowerUsage(gpu)
        found[f"gpu_{number}_power_usage_watts"] = power / 1000
        found[f"gpu_{number}_power_usage_percentage"] = power / pynvml.nvmlDeviceGetEnforcedPowerLimit(gpu) * 100
    return found
