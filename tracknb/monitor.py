"""System metrics of a run: a thread that samples this machine while the run is open."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Mapping
from typing import Final

from tracknb import config
from tracknb.capture.system import Sampler
from tracknb.client import TrackingClient, as_point
from tracknb.entities import SYSTEM_METRICS

# A run that ends sooner after its last sample gets no other one.
_LEAST_SECONDS: Final = 0.05
# How long an ending run waits for a sample that is just being taken.
_STOP_SECONDS: Final = 2.0

_told: set[str] = set()


class Monitor:
    """Logs samples to a run until it is stopped; the steps count up from the last one there is.

    Parameters
    ----------
    client, run_id
        Where to log.
    """

    def __init__(self, client: TrackingClient, run_id: str) -> None:
        self._client = client
        self._run_id = run_id
        self._interval = config.system_metrics_interval()
        self._samples = config.system_metrics_samples()
        node = config.system_metrics_node()
        self._prefix = f"{SYSTEM_METRICS}{node}/" if node else SYSTEM_METRICS
        self._stopped = threading.Event()
        self._sampler = Sampler()
        self._thread = threading.Thread(target=self._work, name="tracknb-system", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Log what was sampled since the last time, and end."""
        self._stopped.set()
        if self._thread is not threading.current_thread():
            self._thread.join(_STOP_SECONDS)

    def _work(self) -> None:
        try:
            step = self._next_step()
            is_last = False
            while not is_last:
                held: list[Mapping[str, float]] = []
                while len(held) < self._samples and not is_last:
                    since = time.monotonic()
                    is_last = self._stopped.wait(self._interval)
                    if time.monotonic() - since >= _LEAST_SECONDS:
                        held.append(self._sampler.sample())
                if held:
                    self._log(held, step)
                    step += 1
        except Exception as error:
            _warn(f"System metrics of the run {self._run_id} end here: {type(error).__name__}: {error}")

    def _next_step(self) -> int:
        found = self._client.metric_summaries(self._run_id)
        return max((item.last_step + 1 for key, item in found.items() if key.startswith(self._prefix)), default=0)

    def _log(self, held: list[Mapping[str, float]], step: int) -> None:
        # Traffic is a sum already: its mean would say nothing.
        means = {
            key: value if key.startswith("network_") else sum(sample.get(key, value) for sample in held) / len(held)
            for key, value in held[-1].items()
        }
        points = [as_point(f"{self._prefix}{key}", round(value, 3), step) for key, value in means.items()]
        self._client.log_points(self._run_id, points)


def start(client: TrackingClient, run_id: str) -> Monitor | None:
    """Return what watches this machine for a run; None, and a warning once, where it cannot be watched."""
    try:
        monitor = Monitor(client, run_id)
        monitor.start()
    except ImportError:
        _warn('System metrics need psutil. Install: pip install "tracknb[system]". The run goes on without them.')
        return None
    except Exception as error:
        # psutil's own errors among them: watching must not keep a run from starting.
        _warn(f"There are no system metrics here: {type(error).__name__}: {error}")
        return None
    return monitor


def _warn(text: str) -> None:
    if text not in _told:
        _told.add(text)
        warnings.warn(text, RuntimeWarning, stacklevel=3)
