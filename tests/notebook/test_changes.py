"""What changed under a tracked cell: one planted change at a time, each named and nothing else."""

from __future__ import annotations

import json
import os
import shutil

import pandas as pd

import tracknb
from tests.capture.installed import install
from tests.notebook.test_kernel import execute, folder  # noqa: F401 -- a fixture
from tracknb.capture.readfiles import Digests
from tracknb.verbs import run_verb
from tracknb.view.base import MIME

LOAD = "%load_ext tracknb\nimport json, sys, tracknb\nsys.path.insert(0, 'site')"
NOTEBOOK = {
    "load": LOAD,
    "scale": "# how large\nscale = 2\nunused = 1",
    "data": "import fakelib\nrows = [float(line) for line in open('points.csv')]",
    "rate": "rate = 0.1",
    "held out": "held_out = 'march'",
    "tracked": """%%track_run --name ridge
tracknb.log_param("rate", rate)
tracknb.set_evaluation_set(held_out)
tracknb.log_metric("loss", sum(rows) * scale * rate)""",
}


def plant(folder, *, version="1.0", points=(1.0, 2.0)):  # noqa: F811
    shutil.rmtree(folder / "site", ignore_errors=True)
    install(folder / "site", "fakelib", version, {"fakelib/__init__.py": f"__version__ = {version!r}\n"})
    (folder / "points.csv").write_text("".join(f"{point}\n" for point in points))


def run(folder, **cells):  # noqa: F811
    """Execute the notebook in a new kernel; returns its panel's text and what the page is told."""
    [panel] = execute(folder, *(NOTEBOOK | cells).values()).cells[-1].outputs
    assert "tracknb could not" not in panel.data["text/plain"]
    return panel.data["text/plain"], panel.data[MIME]["runs"][0].get("since")


def told(text):
    """Return the lines under the headline of what changed."""
    lines = text.split("\n")
    start = next(place for place, line in enumerate(lines) if line.startswith(("Changed since", "Nothing changed")))
    end = next((place for place in range(start, len(lines)) if not lines[place]), len(lines))
    return lines[start:end]


def test_one_planted_change_is_named_and_nothing_else(folder):  # noqa: F811
    plant(folder)
    first, since = run(folder)
    assert since is None
    assert "since" not in first

    again, since = run(folder)
    assert told(again) == ["Nothing changed since attempt 1; the metrics did not"]
    assert since == {"title": "Nothing changed since attempt 1; the metrics did not", "changes": []}

    code, since = run(folder, scale="# how large\nscale = 3\nunused = 1")
    assert told(code) == [
        "Changed since attempt 2",
        "  code of the cell [2]: +1 -1",
        "    -scale = 2",
        "    +scale = 3",
        "  metric loss 0.6 → 0.9 (+0.3, +50 %, worse)",
    ]
    assert [change["kind"] for change in since["changes"]] == ["code", "metric"]
    assert since["changes"][0]["diff"] == ["-scale = 2", "+scale = 3"]

    # Back again, and a param: the line that says it is no other news.
    run(folder)
    param, _ = run(folder, rate="rate = 0.2")
    assert told(param) == [
        "Changed since attempt 4",
        "  param rate 0.1 → 0.2",
        "  metric loss 0.6 → 1.2 (+0.6, +100 %, worse)",
    ]

    run(folder)
    plant(folder, version="2.0")
    package, _ = run(folder)
    assert told(package) == ["Changed since attempt 6", "  package fakelib 1.0 → 2.0"]

    plant(folder, version="2.0", points=(1.0, 1.0))
    data, _ = run(folder)
    assert told(data) == [
        "Changed since attempt 7",
        "  data points.csv: other contents",
        "  metric loss 0.6 → 0.4 (-0.2, -33.3 %, better)",
    ]

    held_out, _ = run(folder, **{"held out": "held_out = 'april'"})
    assert told(held_out) == ["Changed since attempt 8", "  evaluation set march → april"]

    # The same words on the run's page, between any two runs, and of a first attempt nothing.
    assert "  evaluation set march → april" in tracknb.show("last").text().split("\n")
    runs = tracknb.search_runs(search_all_experiments=True, output_format="list", order_by=["start_time"])
    assert "since" not in tracknb.show(runs[0].info.run_id).text()


def test_any_two_runs_are_told_apart_by_the_cells_that_they_needed(shell, tmp_path, monkeypatch):
    """The run's own cell is the same, the line that changed stands in another one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "points.csv").write_text("1\n")
    tracked = "%%track_run --name {}\nimport tracknb\npoint = float(open('points.csv').read())"
    tracked += "\ntracknb.log_metric('loss', scale * point)"
    for name, scale in (("first", 1), ("second", 2)):
        shell.run_cell(f"scale = {scale}", store_history=True)
        shell.run_cell(tracked.format(name), store_history=True)
        (tmp_path / "points.csv").write_text("2\n")

    text = run_verb(["diff", "first", "second"]).text()

    assert (
        "Changed since first\n"
        "  data points.csv: other contents\n"
        "  code of the cell [3]: +1 -1\n"
        "  metric loss 1 → 4 (+3, +300 %, worse)\n"
    ) in text
    assert "\n-scale = 1\n+scale = 2\n" in text
    assert "Changed since" not in run_verb(["compare", "first", "second"]).text()
    [cells] = {tuple(run_verb(["compare", "first", "second"]).payload()["code"]["several"])}
    assert cells == (True, True)


def test_a_large_file_is_told_by_its_parts_and_package_files_are_no_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    install(tmp_path / "site", "fakelib", "1.0", {"fakelib/__init__.py": "", "fakelib/words.txt": "a"})
    large = tmp_path / "large.bin"
    with large.open("wb") as file:
        file.truncate(40_000_000)
    paths = [large, tmp_path / "site/fakelib/__init__.py", tmp_path / "site/fakelib-1.0.dist-info/METADATA", tmp_path]
    digests = Digests(lambda path: path.endswith("closed"))
    (tmp_path / "closed").write_text("x")

    first = digests.of([*map(str, paths), str(tmp_path / "closed"), "/nowhere"], 5)
    os.utime(large, (1, 1))
    touched = digests.of([str(large)], 5)
    with large.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"x")
    changed = digests.of([str(large)], 5)

    assert list(first) == [str(large)]
    assert touched == first
    assert changed != first
    assert digests.of([str(large)], -1) == {}


def test_a_file_that_the_cells_made_is_no_data_of_the_run(shell, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shell.run_cell("open('made.txt', 'w').write('3');")
    shell.run_cell("%%track_run\nvalue = open('made.txt').read()")

    assert "tracknb.data.files" not in tracknb.show("last").run.data.tags


def test_what_a_cell_is_needed_for_is_told_in_words(shell, tmp_path, monkeypatch):
    """Of a file not where it lies: pages are saved into notebooks."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TAXI", "")
    shell.run_cell("import os\nos.environ['TAXI'] = open('made.txt', 'w').write('3') * 'a'", store_history=True)
    shell.run_cell("%%track_run\nvalue = open('made.txt').read() + os.getenv('TAXI')", store_history=True)

    assert tracknb.show("last").payload()["run"]["cells"][0]["names"] == ["made.txt", "os", "os.environ"]
    assert tracknb.code().text().startswith("# [1] for made.txt, os, os.environ\n")


def test_a_run_over_several_cells_keeps_the_files_of_all(shell, tmp_path, monkeypatch):
    """Also where a file's name is no text, and where none of its cells needs another."""
    monkeypatch.chdir(tmp_path)
    for name in (b"points.csv", b"zones\xff.csv"):
        open(name, "w").close()
    shell.run_cell("import tracknb\ntracknb.start_run()\nopen('points.csv').read();")
    shell.run_cell(r"open(b'zones\xff.csv').read(); tracknb.log_metric('rows', 2); tracknb.end_run()")

    assert [*json.loads(tracknb.show("last").run.data.tags["tracknb.data.files"])] == ["points.csv", "zones?.csv"]


def test_parquet_which_arrow_opens_by_itself_is_data_too(shell, tmp_path, monkeypatch):
    """Python is told of no file that a library in C++ opens; the call names it."""
    monkeypatch.chdir(tmp_path)
    cells = [
        "import pandas as pd\nplace = 'rides.parquet'",
        "rides = pd.read_parquet(place)\nrides.to_parquet('made.parquet')",
        "%%track_run\nimport tracknb\ntracknb.log_metric('rows', len(rides) + len(pd.read_parquet('made.parquet')))",
    ]
    for rows in (1, 2):
        pd.DataFrame({"fare": [4.5] * rows}).to_parquet("rides.parquet")
        for number, source in enumerate(cells):
            shell.run_cell(source, store_history=True, cell_id=f"cell-{number}")

    lines = tracknb.show("last").text().split("\n")
    assert "  data rides.parquet: other contents" in lines
    assert "  metric rows 2 → 4 (+2, +100 %)" in lines
    assert not [line for line in lines if "made.parquet:" in line]
