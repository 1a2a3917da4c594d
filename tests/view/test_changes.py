"""What changed between two runs, in words: what is named, what is not, and how little room it takes."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from tests.view.test_views import HOSTILE, Tags, live_run, make_run
from tracknb.capture.lockfile import Lock
from tracknb.entities import CellExecution, Dataset, DatasetInput, InputTag, RunInputs
from tracknb.view.changes import Facts, changes_between
from tracknb.view.direction import Goals
from tracknb.view.panel import Panel

OWN = "%%track_run --name ridge --param lr={lr}\nfit(lr)"


def cell(source, role="needed", *, names=("x",), cell_id="", count=1):
    return CellExecution(count, source, cell_id, count, 0, None, "FINISHED", role, names)


def facts(*, cells=(), lock=None, inputs=(), **data):
    run = make_run(1, "ridge", **data)
    return Facts(replace(run, inputs=RunInputs(list(inputs))), list(cells), lock)


def used(name, digest, context="training"):
    return DatasetInput(Dataset(name, digest, "code", "{}"), [InputTag("mlflow.data.context", context)])


def told(old, new, goals=None):
    return changes_between(old, new, goals=goals or Goals(), since="attempt 1").lines()[1:]


def words(old, new):
    return [line.strip() for line in told(old, new) if line.startswith("  ") and not line.startswith("    ")]


def test_params_tags_sets_and_data():
    old = facts(
        params={"lr": "0.1", "depth": "3", "same": "1"},
        tags={"owner": "ada", "tracknb.attempt": "1", "mlflow.user": "ada", "tracknb.evaluation_set": "march"},
        inputs=[used("rides", "d1"), used("march", "e1", "evaluation"), used("old", "d3")],
    )
    new = facts(
        params={"lr": "0.2", "same": "1", "seed": "7"},
        tags={"owner": "bob", "tracknb.attempt": "2", "mlflow.user": "eve", "tracknb.evaluation_set": "april"},
        inputs=[used("rides", "d2"), used("april", "e2", "evaluation"), used("new", "d4")],
    )

    assert words(old, new) == [
        "param depth 3 → (none)",
        "param lr 0.1 → 0.2",
        "param seed (none) → 7",
        "tag owner ada → bob",
        "evaluation set march → april",
        "data new (training): new",
        "data old (training): gone",
        "data rides (training): other contents",
    ]


def test_an_evaluation_set_with_other_contents_is_named_once():
    sides = [
        facts(
            tags={"tracknb.evaluation_set": "march", "tracknb.evaluation_set.digest": digest},
            inputs=[used("march", digest, "evaluation")],
        )
        for digest in "ab"
    ]
    assert words(*sides) == ["evaluation set march: other contents"]


def test_an_empty_value_is_told_from_none():
    assert words(facts(params={}, tags={"note": "a"}), facts(params={"prefix": ""}, tags={"note": ""})) == [
        "param prefix (none) → ''",
        "tag note a → ''",
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"a.csv": "1"}, {"a.csv": "1"}, []),
        ({"a.csv": "1"}, {"a.csv": "2"}, ["data a.csv: other contents"]),
        ({"helpers.py": "1"}, {"helpers.py": "2"}, ["code of helpers.py: other contents"]),
        # Read once and kept in memory, or imported once: no change.
        ({"a.csv": "1", "helpers.py": "1"}, {}, []),
        ({}, {"a.csv": "1", "helpers.py": "1"}, []),
        ({"a.csv": "1"}, {"b.csv": "1"}, ["data a.csv: gone", "data b.csv: new"]),
    ],
)
def test_files_that_cells_read(old, new, expected):
    sides = [facts(tags={"tracknb.data.files": json.dumps(held)}) for held in (old, new)]
    assert words(*sides) == expected


def test_a_tag_that_somebody_else_wrote_is_no_list_of_files():
    sides = [facts(tags={"tracknb.data.files": text}) for text in ("[" * 8_000, "[1]")]
    assert words(*sides) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("a = 1\nb = 2\nc = 3", "a = 1\nb = 5\nc = 3", ["code of the cell [1]: +1 -1", "-b = 2", "+b = 5"]),
        ("a = 1", "a = 1  # one", ["code of the cell [1]: comments or layout"]),
        ("a =", "a = =", ["code of the cell [1]: +1 -1", "-a =", "+a = ="]),
        ("%time a = 1", "%time a = 2", ["code of the cell [1]: +1 -1", "-%time a = 1", "+%time a = 2"]),
        # Told as the param that they are.
        ("lr = 0.1", "lr = 0.2", []),
        ("log_param('lr', 0.1)", "log_param('lr', 0.2)", []),
        # 0.1 became another number here as well, and that is told nowhere.
        ("lr = 0.1\nb = 0.1", "lr = 0.2\nb = 0.3", ["code of the cell [1]: +2 -2"]),
        ("lr = '0.1'\nb = 1", "lr = '0.2'\nb = 2", ["code of the cell [1]: +2 -2"]),
    ],
)
def test_lines_of_a_needed_cell(old, new, expected):
    sides = [
        facts(cells=[cell(source), cell(OWN.format(lr=lr), "tracked")], params={"lr": lr})
        for source, lr in ((old, "0.1"), (new, "0.2"))
    ]
    found = [line.strip() for line in told(*sides) if not line.startswith("  param")]
    assert found[: len(expected)] == expected
    assert bool(found) == bool(expected)


def test_cells_find_their_partners_and_what_has_none_is_new_or_gone():
    own = cell("score(model)", "tracked", cell_id="own", count=9)
    old = [
        cell("rows = read()", names=("rows",), count=1),
        cell("model = Ridge(\n  1)", names=("model",), count=2),
        cell("gone = 1", names=("gone",), count=3),
        cell("by_id = 1", cell_id="c", count=4),
        own,
    ]
    new = [
        cell("by_id = 2\nand_more = 3", cell_id="c", count=1),
        cell("rows = read()", names=("rows",), count=2),
        cell("come = 1", names=("come",), count=3),
        cell("model = Lasso()", names=("model",), count=4),
        # Twice, and once by itself: it needed what it had made.
        cell("rows = read()", names=("rows",), count=5),
        cell("score(model, old)", cell_id="own", count=6),
        replace(own, source="score(model)\nlog()"),
    ]

    assert words(facts(cells=old), facts(cells=new)) == [
        "code of the cell [1]: +2 -1",
        "code: the cell [3] is new",
        "code of the cell [4]: +1 -2",
        "code of the tracked cell: +1 -0",
        "code: the cell [3] of attempt 1 is gone",
    ]


def test_where_no_cells_are_known_nothing_is_said_of_code():
    assert words(facts(cells=[cell("a = 1", "tracked")]), facts()) == []


def test_packages_python_and_variables():
    old = facts(
        lock=Lock({"numpy": "1", "lib": "1.0", "left": "1"}, {"OMP_NUM_THREADS": "1"}),
        tags={"tracknb.env.python": "3.11.4", "tracknb.env.platform": "Linux 1", "tracknb.env.digest": "a"},
    )
    new = facts(
        lock=Lock({"numpy": "1", "lib": "2.0", "come": "1"}, {}),
        tags={"tracknb.env.python": "3.12.0", "tracknb.env.platform": "Linux 2", "tracknb.env.digest": "b"},
    )
    assert words(old, new) == [
        "package lib 1.0 → 2.0",
        "Python 3.11.4 → 3.12.0",
        "environment OMP_NUM_THREADS 1 → (none)",
    ]
    assert words(old, replace(new, lock=None)) == ["Python 3.11.4 → 3.12.0"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"loss": 0.31}, {"loss": 0.27}, "metric loss 0.31 → 0.27 (-0.04, -12.9 %, better)"),
        ({"accuracy": 0.5}, {"accuracy": 0.4}, "metric accuracy 0.5 → 0.4 (-0.1, -20 %, worse)"),
        ({"anything": 0.0}, {"anything": 2.0}, "metric anything 0 → 2 (+2)"),
        ({"loss": 1.0}, {"loss": math.nan}, "metric loss 1 → NaN"),
        ({"loss": math.nan}, {"loss": math.nan}, None),
        ({"system/cpu": 1.0}, {"system/cpu": 2.0}, None),
        ({"loss": 1.0}, {"rmse": 1.0}, None),
    ],
)
def test_how_far_metrics_moved(old, new, expected):
    assert words(facts(metrics=old), facts(metrics=new)) == ([] if expected is None else [expected])


@pytest.mark.parametrize(
    ("old", "new", "headline"),
    [
        ({}, {}, "Nothing changed since attempt 1"),
        ({"loss": 1.0}, {"loss": 1.0}, "Nothing changed since attempt 1; the metrics did not"),
        ({"loss": 1.0}, {"loss": 2.0}, "Nothing changed since attempt 1; the metrics moved"),
    ],
)
def test_where_nothing_changed_that_is_said(old, new, headline):
    sides = facts(metrics=old), facts(metrics=new)
    assert changes_between(*sides, goals=Goals(), since="attempt 1").headline() == headline


def test_long_values_show_where_they_differ():
    old, new = ("x" * 3000 + letter + "y" * 3000 for letter in "ab")
    [line] = words(facts(params={"p": old}), facts(params={"p": new}))
    assert line == f"param p …{'x' * 10}a{'y' * 47}… → …{'x' * 10}b{'y' * 47}…"


def heavy(value, letter):
    """A run that differs in everything, a thousand times."""
    cells = [cell(f"{letter} = {value}\n" * 200, names=(str(i),), count=i) for i in range(30)]
    return facts(
        params={f"{HOSTILE}{i}": value * 200 for i in range(1000)},
        tags={f"tag {i}": value for i in range(1000)},
        metrics={f"metric {i}": float(len(value)) for i in range(1000)},
        lock=Lock({f"lib{i}": value for i in range(1000)}, {}),
        cells=[*cells, cell(f"last = {value}", "tracked")],
    )


def test_it_stays_small_escaped_and_says_what_it_leaves_out():
    changes = changes_between(heavy("1", "a"), heavy("22", HOSTILE[:4]), goals=Goals(), since=HOSTILE)
    text, html = "\n".join(changes.lines()), changes.html()

    assert "and 988 more params" in text
    assert "and 988 more packages" in text
    assert "and 988 more metrics" in text
    assert text.replace("\n", "").isprintable()
    assert Tags(html).names <= {"p", "ul", "li", "details", "summary", "pre"}
    assert len(html) < 20_000
    assert len(json.dumps(changes.payload())) < 20_000


def test_the_panel_says_it_in_all_three_layers_instead_of_the_params_alone():
    run = live_run()
    run.changed = [("lr", "0.1", "0.2")]
    old, new = (facts(params={"lr": lr}, cells=[cell(code, "tracked")]) for lr, code in (("0.1", "a"), ("0.2", "b")))
    changes = changes_between(old, new, goals=Goals(), since="attempt 1")

    panel = Panel.of([run], now_ms=0, changes={run.run_id: changes})

    assert "\n".join(["", *changes.lines(), ""]) in panel.text()
    assert "changed: lr" not in panel.text()
    assert changes.html() in panel.html()
    assert panel.payload()["runs"][0]["since"] == {
        "title": "Changed since attempt 1",
        "changes": [
            {"kind": "param", "text": "param lr 0.1 → 0.2", "diff": []},
            {"kind": "code", "text": "code of the tracked cell: +1 -1", "diff": ["-a", "+b"]},
        ],
    }
    assert "changed: lr 0.1 → 0.2" in Panel.of([run], now_ms=0).text()
