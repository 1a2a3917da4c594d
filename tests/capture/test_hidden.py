"""What a notebook run from top to bottom would not show, as a recorder in a real shell finds it."""

from __future__ import annotations

import json
import os
import sys
import time

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from tracknb.capture import opened
from tracknb.capture.document import Document, Saved, Told, digest
from tracknb.capture.executions import Execution, slice_of
from tracknb.capture.hidden import hidden_state
from tracknb.capture.recorder import Recorder


class Notebook:
    """Cells that are run by id, in a real shell that a recorder watches."""

    def __init__(self):
        self.shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
        self.recorder = Recorder(self.shell.user_ns, self.shell.user_ns_hidden)

    def run(self, cell_id, source):
        number = len(self.recorder.executions) + 1
        self.recorder.begin(
            source, self.shell.transform_cell(source), cell_id=cell_id, execution_count=number, start_time=number
        )
        assert self.shell.run_cell(source).success
        self.recorder.end("FINISHED", number)

    def hidden(self, **cells):
        """What is hidden of the last cell's run where the notebook stands so."""
        executions = self.recorder.executions
        needed, unmade = slice_of(executions, executions[-1])
        document = Document({key: digest(text) for key, text in cells.items()}, len(executions), has_order=True)
        return hidden_state(
            executions,
            needed,
            unmade,
            document=document if cells else None,
            changed=self.recorder.changed_files([*(item.execution for item in needed), executions[-1]]),
        )

    def reasons(self, **cells):
        return [(item.grade, item.reason) for item in self.hidden(**cells)]


@pytest.fixture
def notebook():
    return Notebook()


TRAIN = "loss = lr * 2"


def test_a_cell_that_was_edited_and_not_run_since(notebook):
    notebook.run("a", "lr = 0.1")
    notebook.run("b", TRAIN)

    assert notebook.hidden(a="lr = 0.1  \n", b=TRAIN) == []
    [found] = notebook.hidden(a="lr = 0.2", b=TRAIN)
    assert (found.grade, found.reason) == ("stale name", "lr came from an older version of the cell [1]")
    assert found.remedy == "Run the cell [1] again, then this one."


def test_a_text_that_was_brought_back_is_no_older_version(notebook):
    notebook.run("a", "lr = 0.1")
    notebook.run("a", "speed = 3")
    notebook.run("b", TRAIN)

    assert notebook.hidden(a="lr = 0.1", b=TRAIN) == []
    [found] = notebook.hidden(a="speed = 3", b=TRAIN)
    assert found.reason == "lr came from an older version of the cell [2]"
    assert found.remedy.startswith("Put its code back")
    assert notebook.reasons() == [(found.grade, found.reason)]


def test_a_cell_that_is_gone(notebook):
    notebook.run("a", "lr = 0.1")
    notebook.run("b", TRAIN)

    assert notebook.reasons(b=TRAIN) == [
        ("stale name", "lr came from the cell [1], which is no longer in the notebook")
    ]


def test_what_ran_after_the_notebook_was_looked_at_is_as_it_ran(notebook):
    notebook.run("a", "lr = 0.1")
    notebook.run("b", TRAIN)
    executions = notebook.recorder.executions
    needed, unmade = slice_of(executions, executions[-1])

    before = Document({"b": digest(TRAIN)}, seen=0, has_order=True)
    assert hidden_state(executions, needed, unmade, document=before) == []


def test_cells_in_another_order_where_it_makes_a_difference(notebook):
    notebook.run("a", "base = 2")
    notebook.run("b", "lr = base / 10")
    notebook.run("c", TRAIN)

    assert notebook.hidden(a="base = 2", b="lr = base / 10", c=TRAIN) == []
    [found] = notebook.hidden(b="lr = base / 10", a="base = 2", c=TRAIN)
    assert (found.grade, found.reason) == (
        "out of order",
        "the cell [1] ran before the cell [2], which stands above it",
    )
    below = notebook.reasons(c=TRAIN, a="base = 2", b="lr = base / 10")
    assert below == [("out of order", "the cell [2] ran before this cell, which stands above it")]


def test_an_order_of_another_moment_says_nothing(notebook):
    notebook.run("a", "lr = 0.1")
    notebook.run("b", TRAIN)
    executions = notebook.recorder.executions
    needed, unmade = slice_of(executions, executions[-1])
    cells = {"b": digest(TRAIN), "a": digest("lr = 0.1")}

    assert hidden_state(executions, needed, unmade, document=Document(cells, 2, has_order=False)) == []
    assert hidden_state(executions, needed, unmade, document=Document(cells, 2, has_order=True)) != []


def test_cells_that_know_nothing_of_each_other_have_no_order(notebook):
    notebook.run("a", "lr = 0.1")
    notebook.run("b", "depth = 3")
    notebook.run("c", "loss = lr * depth")

    assert notebook.hidden(b="depth = 3", a="lr = 0.1", c="loss = lr * depth") == []


def test_what_is_only_assumed_to_change_orders_no_cells(notebook):
    """Nobody can look into a generator; two cells that read it are needed both, and may have any order."""
    notebook.run("g", "import time\nwatch = (number for number in range(9))")
    notebook.run("a", "lr = 0.1; kind = type(watch)")
    notebook.run("b", "depth = 3; name = watch.__name__")
    notebook.run("c", "loss = lr * depth; str(kind) + name")
    cells = {item.cell_id: item.source for item in notebook.recorder.executions}

    assert notebook.hidden(**{key: cells[key] for key in "gbac"}) == []


def test_a_cell_that_ran_twice_and_went_on_from_what_it_had_left(notebook):
    fit = "weights.append(1)\nloss = sum(weights)"
    notebook.run("a", "weights = []")
    notebook.run("b", fit)
    assert notebook.hidden(a="weights = []", b=fit) == []

    notebook.run("b", fit)
    assert notebook.reasons(a="weights = []", b=fit) == [("out of order", "weights came from 2 runs of this cell")]
    notebook.run("a", "weights = []")
    notebook.run("b", fit)
    assert notebook.hidden(a="weights = []", b=fit) == []


def test_a_cell_that_draws_unseeded_numbers_twice_is_unseeded_and_not_out_of_order(notebook):
    draw = "import random\nloss = random.random()"
    notebook.run("a", draw)
    notebook.run("a", draw)
    assert notebook.reasons(a=draw) == [("unseeded", "random numbers of random were drawn without a seed")]

    seeded = "import random\nrandom.seed(1)"
    notebook.run("b", seeded)
    notebook.run("a", draw)
    notebook.run("a", draw)
    [(grade, _)] = notebook.reasons(b=seeded, a=draw)
    assert grade == "out of order"


def test_another_text_of_a_cell_is_an_older_version_and_no_second_run(notebook):
    fit = "weights.append(1)\nloss = sum(weights)"
    notebook.run("a", "weights = []")
    notebook.run("b", "weights.append(5)")
    notebook.run("b", fit)

    assert [grade for grade, _ in notebook.reasons(a="weights = []", b=fit)] == ["stale name"]


def test_what_is_only_assumed_to_change_makes_no_second_run_count(notebook):
    train = "loss = 1; name = watch.__name__"
    notebook.run("a", "watch = (number for number in range(9))")
    notebook.run("b", train)
    notebook.run("b", train)

    assert notebook.hidden(a="watch = (number for number in range(9))", b=train) == []


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "rates.csv"
    path.write_text("1\n2\n")
    return path


def later(path):
    """Give a file another time, as if it had been written a minute later."""
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 60_000_000_000))


def test_a_file_that_has_changed_since_it_was_read(notebook, data):
    notebook.run("a", f"rows = open({str(data)!r}).read()")
    notebook.run("b", "loss = len(rows)")
    assert notebook.hidden() == []

    later(data)
    assert notebook.hidden() == [], "it still holds the same"
    data.write_text("1\n3\n")
    later(data)
    [found] = notebook.hidden()
    assert (found.grade, found.reason) == ("changed file", "the file rates.csv has changed since the cell [1] read it")
    assert found.remedy == "Run the cell [1] again, then this one."
    # Another cell that reads it as it is now makes the older one no better.
    notebook.run("c", f"len(open({str(data)!r}).read())")
    notebook.run("b", "loss = len(rows)")
    assert [item.reason for item in notebook.hidden()] == [found.reason]


def test_what_the_notebook_itself_writes_is_no_change(notebook, data):
    notebook.run("a", f"rows = open({str(data)!r}).read()")
    notebook.run("b", f"loss = len(rows)\nwith open({str(data)!r}, 'a') as file:\n    file.write('3')")

    assert notebook.hidden() == []


def test_a_file_that_was_changed_before_it_was_read_is_as_it_was_read(notebook, data):
    notebook.run("w", f"file = open({str(data)!r}, 'w'); file.write('1'); file.close()")
    data.write_text("1\n2\n3\n")
    notebook.run("a", f"rows = open({str(data)!r}).read()")
    notebook.run("b", "loss = len(rows)")

    assert notebook.hidden() == []


def test_a_cell_that_goes_to_another_folder_takes_no_file_for_another(notebook, data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "rates.csv").write_text("other")
    notebook.run("a", "import os\nrows = open('rates.csv').read()\nos.chdir('below')")
    notebook.run("b", "loss = len(rows)")

    assert notebook.hidden() == []


def test_a_file_that_is_gone_and_a_module_that_is_loaded_again(notebook, data, tmp_path, monkeypatch):
    module = tmp_path / "rates_of_mine.py"
    module.write_text("rate = 1")
    monkeypatch.syspath_prepend(str(tmp_path))
    notebook.run("a", f"import rates_of_mine\nrows = open({str(data)!r}).read()")
    notebook.run("b", "loss = len(rows) * rates_of_mine.rate")
    data.unlink()
    assert notebook.hidden() == []

    module.write_text("rate = 22")
    [found] = notebook.hidden()
    assert found.reason == "the file rates_of_mine.py has changed since the cell [1] read it"
    assert found.remedy == "Restart the kernel and run the notebook from top to bottom."
    notebook.shell.run_line_magic("load_ext", "autoreload")
    assert notebook.hidden() == []


# -- what pages say --------------------------------------------------------------------


def execution(number, cell_id):
    return Execution(number, "1", cell_id, number, number * 1_000)


@pytest.fixture
def drawing(tmp_path, monkeypatch):
    """A package, and a module of the user's, that draw random numbers while they are imported, as rich does."""
    for folder, name in ((tmp_path / ".venv", "packaged"), (tmp_path, "written")):
        package = folder / f"{name}_that_draws"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(
            "from . import before\nimport random\nX = random.random()\nfrom . import after"
        )
        for part in ("before", "after"):
            (package / f"{part}.py").write_text("")
        monkeypatch.syspath_prepend(str(folder))
    yield
    for name in [name for name in sys.modules if "_that_draws" in name]:
        del sys.modules[name]


def test_what_a_package_draws_while_it_is_imported_is_no_chance(notebook, drawing):
    notebook.run("a", "import packaged_that_draws")
    notebook.run("b", "print(packaged_that_draws)")
    assert notebook.reasons() == []
    notebook.run("c", "import random\nnumber = random.random()")
    notebook.run("d", "number")
    assert notebook.reasons() == [("unseeded", "random numbers of random were drawn without a seed")]


def test_the_number_after_an_import_that_draws_depends_on_it(notebook, drawing):
    notebook.run("s", "import random\nrandom.seed(1)")
    notebook.run("i", "import packaged_that_draws")
    notebook.run("e", "number = random.random()")
    executions = notebook.recorder.executions
    needed, unmade = slice_of(executions, executions[-1])
    assert [item.execution.cell_id for item in needed] == ["s", "i"]
    assert "state:random" not in unmade


@pytest.mark.parametrize(
    "source",
    [
        "import written_that_draws",
        "import packaged_that_draws, random\nrandom.random()",
        "import random\nrandom.random()\nimport packaged_that_draws",
        "import importlib, random\nimportlib.import_module('packaged_that_draws')\nrandom.random()\n"
        "importlib.import_module('json.tool')",
    ],
)
def test_what_the_user_draws_beside_an_import_is_chance(notebook, drawing, source):
    notebook.run("a", source + "\nhere = 1")
    notebook.run("b", "here")
    assert notebook.reasons() == [("unseeded", "random numbers of random were drawn without a seed")]


def test_a_page_counts_for_a_cell_that_begins_after_it_told_or_that_it_sent_itself():
    told = Told()
    told.hear("page", {"cells": [["a", 1], ["b", 2]]}, seen=1)
    told.begin("message-2")
    assert told.document(execution(2, "b")) == Document({"a": 1, "b": 2}, 1, has_order=True)

    told.hear("page", {"cells": [["b", 2]], "before": "message-3"}, seen=2)
    assert told.document(execution(2, "b")).cells == {"a": 1, "b": 2}, "edited while the cell runs"
    told.hear("page", {"cells": [["a", 9], ["b", 2]], "before": "message-2"}, seen=2)
    assert told.document(execution(2, "b")).cells == {"a": 9, "b": 2}, "on its way when the cell began"
    told.hear("page", {"cells": [["b", 2]], "before": "message-3"}, seen=2)
    told.begin("message-3")
    assert told.document(execution(3, "b")).cells == {"b": 2}
    assert told.document(execution(3, "z")) is None, "the cell of another notebook"

    told.forget("page")
    told.begin("message-4")
    assert told.document(execution(4, "b")) is None


@pytest.mark.parametrize(
    "word",
    [
        None,
        "cells",
        {"cells": "a"},
        {"cells": {"a": 1}},
        {"cells": [["a"]]},
        {"cells": [["a", "1"]]},
        {"cells": [["a", 1], None]},
        {"cells": [["", 1]]},
        {"cells": [["a" * 101, 1]]},
        {"cells": [["a", 1]] * 5_001},
    ],
)
def test_what_no_page_of_ours_says_is_passed_over(word):
    told = Told()
    told.hear("page", word, seen=1)
    told.begin("")

    assert told.document(execution(2, "a")) is None


def test_pages_without_end_are_not_all_remembered():
    told = Told()
    for page in range(1_000):
        told.hear(page, {"cells": [[str(page), 1]]}, seen=1)
    told.begin("")

    assert told.document(execution(2, "999")) is not None
    assert told.document(execution(2, "1")) is None


# -- what the saved file says ----------------------------------------------------------


def save(path, cells, *, at_ms, **changes):
    made = [{"cell_type": "code", "id": key, "source": [text], "outputs": [], **changes} for key, text in cells.items()]
    path.write_text(json.dumps({"cells": [{"cell_type": "markdown", "source": "#"}, *made], "nbformat": 4}))
    os.utime(path, ns=(0, at_ms * 1_000_000))


def test_a_file_knows_the_cells_that_ran_before_it_was_saved(tmp_path):
    path = tmp_path / "taxi.ipynb"
    ran = [execution(1, "a"), execution(2, "b"), execution(3, "c")]
    saved = Saved()
    cells = {"a": "1", "b": "2", "c": "3"}

    assert saved.document(str(path), ran) is None
    save(path, cells, at_ms=2_500)
    document = saved.document(str(path), ran)
    assert (document.seen, document.has_order, [*document.cells]) == (2, False, ["a", "b", "c"])
    assert document.cells["b"] == digest("2")
    save(path, cells, at_ms=3_500)
    assert (saved.document(str(path), ran).seen, saved.document(str(path), ran).has_order) == (3, True)


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_file_that_could_mislead_says_nothing(tmp_path):
    path = tmp_path / "taxi.ipynb"
    ran = [execution(1, "a"), execution(2, "b")]

    save(path, {"a": "1"}, at_ms=9_000)
    assert Saved().document(str(path), ran) is None, "the cell of the run is not in it"
    save(path, {"a": "1", "b": "2"}, at_ms=9_000, id=None)
    assert Saved().document(str(path), ran) is None, "older than ids of cells"
    save(path, {"a": "1", "b": "2" * 9_000_000}, at_ms=9_000)
    assert Saved().document(str(path), ran) is None, "too large to be read at the end of each cell"
    unlikely = json.dumps({"cells": [{"cell_type": "code", "id": key, "source": None} for key in "ab"]})
    for text in ("", "[]", '{"cells": 3}', "{" * 100_000, "\x00", unlikely):
        path.write_text(text)
        assert Saved().document(str(path), ran) is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_a_file_that_does_not_answer_keeps_the_cell_for_a_moment_only(tmp_path):
    path = tmp_path / "taxi.ipynb"
    os.mkfifo(path)
    saved, began = Saved(), time.monotonic()

    assert saved.document(str(path), [execution(1, "a")]) is None
    assert saved.document(str(path), [execution(1, "a")]) is None
    assert time.monotonic() - began < 1.5
    with open(path, "w"):
        saved._reading.join(5)


# -- what a run keeps of files ---------------------------------------------------------


def test_a_run_can_be_asked_later_which_files_have_changed(data, monkeypatch):
    first = opened.written({str(data): opened.stamp(str(data))})
    kept = opened.written({os.devnull: opened.Stamp(1, 1), "/no/such/file": opened.Stamp(1, 1)}, first)
    assert opened.changed(kept) == []

    data.write_text("other rates")
    assert opened.changed(kept) == [str(data)]
    monkeypatch.setattr("platform.node", lambda: "another-machine")
    assert opened.changed(kept) == []


def test_what_a_run_keeps_of_files_is_bounded_and_may_be_anything():
    """Folders of pictures are read too: the cell does not wait until each of them was tried."""
    began = time.monotonic()
    many = opened.written({f"/data/{number:05}.csv": opened.Stamp(1, 1) for number in range(20_000)})
    assert time.monotonic() - began < 2
    assert 3_500 < len(many) <= 4_000
    for text in (
        "",
        "[]",
        "{}",
        '{"host": 1, "files": 2}',
        many.replace("1", "x"),
        many.replace("{", "["),
        "[" * 8_000,
    ):
        assert opened.changed(text) == []
