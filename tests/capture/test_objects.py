"""What a look at an object sees, and what it leaves alone."""

from __future__ import annotations

import threading
import time

import numpy as np
import pandas as pd
import pytest

from tracknb.capture.objects import Budget, look


def changed(value, change):
    before = look(value, Budget(5.0))
    assert look(value, Budget(5.0)).digest == before.digest
    change(value)
    return look(value, Budget(5.0)).digest != before.digest


class Plain:
    def __init__(self):
        self.items = [1]


@pytest.mark.parametrize(
    ("make", "change"),
    [
        (lambda: [1, [2]], lambda value: value[1].append(3)),
        (lambda: {"a": {1}}, lambda value: value["a"].add(2)),
        (lambda: np.zeros((3, 3)), lambda value: value[1].fill(2)),
        (lambda: np.zeros((4, 4))[::2, ::2], lambda value: value.__setitem__((0, 1), 1)),
        (lambda: pd.DataFrame({"a": [1.0, 2.0]}), lambda frame: frame.__setitem__("b", 1)),
        (lambda: pd.DataFrame({"a": [1.0, 2.0]}), lambda frame: frame.loc.__setitem__((0, "a"), 9.0)),
        (lambda: pd.Series([1, 2], name="x"), lambda series: setattr(series, "name", "y")),
        (lambda: pd.DataFrame({"a": ["x"]}), lambda frame: frame.rename(columns={"a": "b"}, inplace=True)),
        (Plain, lambda value: value.items.append(2)),
        (lambda: np.random.default_rng(0), lambda rng: rng.random()),
    ],
)
def test_a_change_is_seen(make, change):
    assert changed(make(), change)


@pytest.mark.parametrize(
    "read",
    [
        lambda frame: frame.describe(),
        lambda frame: frame["a"],
        lambda frame: frame.groupby("b").sum(),
        lambda frame: frame.iloc[0],
        lambda frame: frame.index.get_loc(0),
        lambda frame: frame.sort_values("a"),
    ],
)
def test_reading_a_frame_is_no_change(read):
    frame = pd.DataFrame({"a": [3.0, 1.0], "b": ["x", "y"]})
    frame["c"] = 1
    assert not changed(frame, read)


def test_parts_are_shared_by_views_and_containers_and_not_by_copies():
    grid = np.zeros((4, 4))
    frame = pd.DataFrame({"a": [1, 2]})

    def parts(value):
        return look(value, Budget(5.0)).parts

    assert parts(grid) & parts(grid[1])
    assert parts(grid) & parts({"grid": [grid]})
    assert not parts(grid) & parts(grid.copy())
    assert not parts(frame) & parts(frame.copy())
    assert not parts(np.ones(3)) & parts(np.ones(3))
    # Made and gone a thousand times: an id that is used again is nobody's part.
    assert not any(parts([number]) & parts(grid) for number in range(1_000))


def test_what_cannot_be_known_is_said_so():
    assert look(threading.Lock(), Budget(5.0)) is None
    assert look((n for n in range(3)), Budget(5.0)) is None


def test_a_look_ends_with_its_time():
    begin = time.perf_counter()
    assert look([[number] for number in range(3_000_000)], Budget(0.05)) is None
    assert look(np.zeros(200_000_000, dtype=np.int8), Budget(0.001)) is None
    # The lists above take most of it to be made.
    assert time.perf_counter() - begin < 20


def test_objects_that_pack_themselves_are_left_alone():
    packed = []

    class Frame:
        def __reduce__(self):
            packed.append(1)
            return (Frame, ())

    Frame.__module__ = "polars.dataframe"
    assert look([Frame()], Budget(5.0)) is None
    assert packed == []
