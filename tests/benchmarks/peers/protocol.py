"""What every contestant's script shares: the JSON lines, the clock loops, the training step.

Only the standard library is imported: this file runs in environments that are not ours.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

Answer = dict[str, object]
_COUNT = struct.Struct("<Q")


def serve(commands: Mapping[str, Callable[..., object]]) -> None:
    """Answer requests from stdin until it closes.

    A request is ``{"do": NAME, ...arguments}``; the answer is ``{"ok": RESULT}`` or
    ``{"error": TEXT}``.
    """
    # Libraries print; what they print must not land between our lines.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer: Answer = {"ok": commands[request.pop("do")](**request)}
        except Exception as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")


def latencies(call: Callable[[int], object], count: int) -> Answer:
    """Return the percentiles of a call's duration, in microseconds."""
    clock = time.perf_counter_ns
    spent = []
    for number in range(count):
        start = clock()
        call(number)
        spent.append(clock() - start)
    spent.sort()
    return {"p50": spent[count // 2] / 1000, "p99": spent[count * 99 // 100] / 1000, "longest": spent[-1] / 1000}


def bulk(call: Callable[[int], object], count: int, settle: Callable[[], object]) -> Answer:
    """Return what ``count`` calls cost until ``settle`` says that they are durable."""
    cpu, wall = time.process_time(), time.perf_counter()
    for number in range(count):
        call(number)
    settle()
    return {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall, "calls": count}


def timed(read: Callable[[], object], repeats: int) -> Answer:
    """Return the median milliseconds of a read, by the wall's clock and in CPU time."""
    walls, cpus = [], []
    for _ in range(repeats):
        cpu, wall = time.process_time(), time.perf_counter()
        result = read()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
        size = len(result) if hasattr(result, "__len__") else 0
        del result
    return {"wall": 1000 * sorted(walls)[repeats // 2], "cpu": 1000 * sorted(cpus)[repeats // 2], "size": size}


# -- a training step ------------------------------------------------------------------


def train(size: int) -> float:
    """Do a step's work: fit a line to ``size`` points, holding the GIL as Python code does."""
    slope = offset = 0.0
    for number in range(size):
        x = number * 0.001
        error = slope * x + offset - (3.0 * x + 1.0)
        slope -= 0.01 * error * x
        offset -= 0.01 * error
    return error * error


def calibrate(milliseconds: float) -> int:
    """Return the size at which ``train`` takes this long here."""
    size = 1000
    best = min(_seconds(train, size) for _ in range(20))
    return max(1, round(size * milliseconds / 1000 / best))


def _seconds(call: Callable[[int], object], argument: int) -> float:
    start = time.perf_counter()
    call(argument)
    return time.perf_counter() - start


BLOCK = 25


def paced(
    log: Callable[[int, float], object], settle: Callable[[], object], *, size: int, steps: int, pairs: int
) -> dict[str, list[float]]:
    """Return what logging adds to a training step, in microseconds, once per pair.

    A training step varies by more than logging costs, so two whole loops cannot be compared.
    Blocks of 25 steps with and without logging take turns, each step has its own clock, and
    what is added is the sum of its parts: the calls; what a step takes more than one without
    logging (by the median: caches that a call left cold); and, in CPU time, all that other
    threads did until ``settle`` has made the points durable. By the wall's clock the third
    part is the mean of what steps waited more, say for the interpreter; a user's loop does
    not wait for what comes after it.
    """
    found: dict[str, list[float]] = {"cpu": [], "wall": []}
    for pair in range(pairs):
        called = _Clock()
        trained = {True: _Clock(), False: _Clock()}
        process, thread = time.process_time(), time.thread_time()
        for first in range(0, 2 * steps, BLOCK):
            logged = first // BLOCK % 2 == 1
            clock = trained[logged]
            for step in range(BLOCK):
                clock.start()
                loss = train(size)
                clock.stop()
                if logged:
                    called.start()
                    log(pair * steps + first // 2 + step, loss)
                    called.stop()
        elsewhere = -(time.thread_time() - thread)
        settling = time.thread_time()
        settle()
        settling = time.thread_time() - settling
        elsewhere += time.process_time() - process - settling
        slower = {name: trained[True].median(name) - trained[False].median(name) for name in ("cpu", "wall")}
        waited = trained[True].waited() - trained[False].waited() - (slower["wall"] - slower["cpu"])
        found["cpu"].append(1e6 * (called.mean("cpu") + slower["cpu"] + (elsewhere + settling) / steps))
        found["wall"].append(1e6 * (called.mean("wall") + slower["wall"] + waited))
    return found


class _Clock:
    """CPU time of this thread and the wall's, of something that is done often."""

    def __init__(self) -> None:
        self._spent: dict[str, list[float]] = {"cpu": [], "wall": []}
        self._begun = (0.0, 0.0)

    def start(self) -> None:
        self._begun = (time.thread_time(), time.perf_counter())

    def stop(self) -> None:
        cpu, wall = self._begun
        self._spent["wall"].append(time.perf_counter() - wall)
        self._spent["cpu"].append(time.thread_time() - cpu)

    def mean(self, name: str) -> float:
        return sum(self._spent[name]) / len(self._spent[name])

    def median(self, name: str) -> float:
        spent = sorted(self._spent[name])
        return spent[len(spent) // 2]

    def waited(self) -> float:
        """Return how long one of them did not run, on average."""
        return self.mean("wall") - self.mean("cpu")


# -- acknowledged points of a process that will be killed ---------------------------------


@contextmanager
def acknowledgements(path: str) -> Iterator[Callable[[int], None]]:
    """Give a function that writes how many calls have returned where a parent can read it."""
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), _COUNT.size) as shared:
        yield lambda count: _COUNT.pack_into(shared, 0, count)


def acknowledged(path: Path) -> int:
    """Return how many calls had returned when their process was killed."""
    return int(_COUNT.unpack(path.read_bytes())[0])


def log_until_killed(log: Callable[[int], object], ack_path: str, pause_ms: float) -> None:
    """Log and acknowledge for ever, a call every ``pause_ms`` or in a tight loop."""
    with acknowledgements(ack_path) as acknowledge:
        step = 0
        while True:
            log(step)
            step += 1
            acknowledge(step)
            if pause_ms:
                time.sleep(pause_ms / 1000)


# -- many processes at once ---------------------------------------------------------------


def wait_until(moment: float) -> None:
    """Return at a moment of the monotonic clock, which all processes of a machine share."""
    while time.monotonic() < moment - 0.005:
        time.sleep(0.001)
    while time.monotonic() < moment:
        pass


def write_at(moment: float, log: Callable[[int], object], end: Callable[[], object], points: int) -> Answer:
    """Log ``points`` points from a moment on; errors are counted and do not stop the loop."""
    wait_until(moment)
    errors: list[str] = []
    for step in range(points):
        try:
            log(step)
        except Exception as error:
            errors.append(f"{type(error).__name__}: {error}")
    try:
        end()
    except Exception as error:
        errors.append(f"{type(error).__name__}: {error}")
    return {"errors": len(errors), "first": errors[0] if errors else "", "ended": time.monotonic()}


def step_metrics(keys: int, value: float) -> dict[str, float]:
    """Return the metrics of one step."""
    return {f"metric_{number:02}": value + number for number in range(keys)}


def batches(items: Sequence[object], size: int) -> Iterator[Sequence[object]]:
    """Yield consecutive parts of a sequence."""
    return (items[first : first + size] for first in range(0, len(items), size))
