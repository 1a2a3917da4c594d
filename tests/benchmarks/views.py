"""What looking costs: real JupyterLab in headless Chromium, with two other tables in the same one.

A table's time is told in parts: the kernel's work until the output arrives (reading the store, for
a peer turning its DataFrame into the output), then to the picture with all rows, and both together.
Charts are timed from starting the cell, without asking the store. CPU is the renderer's own (its
tasks), less that of a cell that shows one word.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import CDPSession
from playwright.sync_api import Error as BrowserError

from tests.benchmarks.contestants import Failed
from tests.benchmarks.stores import fill_ours
from tests.benchmarks.table import Row
from tests.browser.lab import Lab, LabPage, NoChromium, chromium, jupyter
from tests.browser.views import first_cell
from tracknb import MlflowClient
from tracknb.entities import Metric

# The Python of an environment with itables, ipydatagrid and ipykernel.
GRIDS: Final = "TRACKNB_BENCH_GRIDS"
_ROOT: Final = Path(__file__).parents[2]
_OURS: Final = ".tracknb-view"
SIZES: Final = {"100": 100, "10k": 10_000, "100k": 100_000}
# Run a cell by number, and tell some moments after its start: when its output arrived, when the first
# frame showed what was waited for, and when all rows were there.
_RUN: Final = """async ([number, selector, rows, tab]) => {
  const notebook = jupyterapp.shell.currentWidget.content;
  notebook.activeCellIndex = number;
  const { outputs } = notebook.widgets[number].model;
  const cell = notebook.widgets[number].node;
  const begin = performance.now();
  const seen = {};
  outputs.changed.connect(() => { if (outputs.length) seen.arrived ??= performance.now() - begin; });
  jupyterapp.commands.execute('notebook:run-cell');
  const frame = () => new Promise(done => requestAnimationFrame(done));
  const isThere = () => {
    const found = cell.querySelector(selector);
    if (!found || seen.arrived === undefined) return false;
    if (tab && !found.dataset.asked) {
      const button = [...found.querySelectorAll('button')].find(item => item.textContent.startsWith(tab));
      if (!button) return false;
      found.dataset.asked = 'yes'; button.click();
    }
    if (tab) return !!found.querySelector('canvas')?.width;
    return found.getBoundingClientRect().height > 8;
  };
  const isWhole = () => !rows || Number(cell.querySelector('[aria-rowcount]')?.getAttribute('aria-rowcount')) > rows;
  const shown = async () => { await frame(); await frame(); return performance.now() - begin; };
  while (!isThere()) { await frame(); if (performance.now() - begin > 60000) throw new Error('nothing was drawn'); }
  seen.first = seen.whole = await shown();
  if (!isWhole()) {
    // Not looked at in every frame: frames of ours would count as the table's.
    await new Promise((done, fail) => {
      new MutationObserver(() => isWhole() && done())
        .observe(cell, {subtree: true, attributeFilter: ['aria-rowcount']});
      setTimeout(() => fail(new Error('not all rows came')), 60000);
    });
    seen.whole = await shown();
  }
  return seen;
}"""
_ACT: Final = """async ([number, act]) => {
  const view = jupyterapp.shell.currentWidget.content.widgets[number].node.querySelector('.tracknb-view');
  const told = () => view.querySelector('.tnb-num[role=status]')?.textContent;
  const frame = () => new Promise(done => requestAnimationFrame(done));
  await frame();
  const before = told();
  const begin = performance.now();
  if (act === 'sort') { [...view.querySelectorAll('[role=columnheader] button')].at(-1).click(); }
  if (act === 'chip') { view.querySelector('.tnb-chips button').click(); }
  if (act === 'filter') {
    const input = view.querySelector('input[aria-label="Filter runs by text"]');
    input.value = 'run-12'; input.dispatchEvent(new Event('input', {bubbles: true}));
  }
  await frame();
  while (act !== 'sort' && told() === before) { await frame(); if (performance.now() - begin > 5000) return null; }
  await frame();
  return performance.now() - begin;
}"""
_SCROLL: Final = """async ([number, frames]) => {
  const grid = jupyterapp.shell.currentWidget.content.widgets[number].node.querySelector('[role=grid]');
  let most = 0;
  for (let i = 0; i < frames; i++) {
    grid.scrollTop += 280;
    if (i % 20 === 19) grid.scrollLeft = i % 40 === 19 ? 1500 : 0;
    await new Promise(done => requestAnimationFrame(done));
    most = Math.max(most, grid.querySelectorAll('*').length);
  }
  return most;
}"""
# When each value of the metric `clock` was on the screen, and how many frames there were.
_WATCH: Final = """([number]) => {
  const node = jupyterapp.shell.currentWidget.content.widgets[number].node;
  const seen = window.seen = {times: {}, frames: 0, draws: 0, begin: performance.now(), stop: false};
  const count = () => { seen.frames += 1; if (!seen.stop) requestAnimationFrame(count); };
  requestAnimationFrame(count);
  let last;
  const look = () => { for (const label of node.querySelectorAll('.tnb-legend span')) {
    if (label.querySelector('em')?.textContent !== 'clock') continue;
    const text = label.querySelector('b').textContent;
    if (text === last) continue;
    last = text;
    requestAnimationFrame(() => { seen.draws += 1; seen.times[text] ??= Date.now(); });
  } };
  new MutationObserver(look).observe(node, {subtree: true, childList: true, characterData: true});
}"""
_SEEN: Final = "() => { seen.stop = true; return {...seen, seconds: (performance.now() - seen.begin) / 1000}; }"


@dataclass(frozen=True, slots=True)
class Shown:
    """Milliseconds after a cell's start, and the renderer's CPU until half a second after the picture."""

    arrived: float
    first: float
    whole: float
    cpu: float


@dataclass
class Stage:
    """A JupyterLab with a browser, and a folder for stores."""

    lab: Lab
    page: LabPage
    devtools: CDPSession
    folder: Path
    word: float = 0.0
    answers: dict[str, list[float]] = field(default_factory=dict)

    def open(self, name: str, cells: list[str], *, kernel: str = "python3") -> None:
        """Open a notebook and run its first cell; the others are run when they are measured."""
        self.page.open(self.lab.write(name, [*cells, "'word'"], kernel=kernel))
        self.page.wait_for_kernel()
        self.start(0)
        self.page.wait_until_done(0, 300)
        self.word = min(self.shown(len(cells), ".jp-OutputArea-output").cpu for _ in range(3))

    def start(self, number: int) -> None:
        """Start a cell without looking at what it shows."""
        self.page.page.evaluate("n => { jupyterapp.shell.currentWidget.content.activeCellIndex = n; }", number)
        self.page.command("notebook:run-cell")

    def shown(self, number: int, selector: str = _OURS, rows: int = 0, tab: str | None = None) -> Shown:
        """Run a cell until its picture is there with all its rows."""
        begin = self.cpu()
        seen: dict[str, float] = self.page.page.evaluate(_RUN, [number, selector, rows, tab])
        # What is put off until after the picture counts too.
        self.page.page.wait_for_timeout(600)
        return Shown(seen["arrived"], seen["first"], seen["whole"], self.cpu() - begin)

    def painted(self, number: int, selector: str = _OURS, rows: int = 0, tab: str | None = None) -> Shown:
        """The same, its CPU without what JupyterLab needs for any cell."""
        shown = self.shown(number, selector, rows, tab)
        return replace(shown, cpu=max(0.0, shown.cpu - self.word))

    def cpu(self) -> float:
        """Milliseconds of CPU that the renderer's tasks have used."""
        found = self.devtools.send("Performance.getMetrics")["metrics"]
        return 1000 * next(float(item["value"]) for item in found if item["name"] == "TaskDuration")

    def keep(self, key: str, value: float | None) -> None:
        """Keep a round's figure; None where what was waited for did not come."""
        if value is None:
            return
        self.answers.setdefault(key, []).append(value)
        print(f"{key}: {value:.1f}", file=sys.stderr, flush=True)

    def row(self, key: str, *, its: str = "", note: str = "") -> Row:
        """Return a figure's row, beside a peer's figure."""
        return Row(key, self.answers.get(key, ()), self.answers.get(its, ()), note)


@contextmanager
def _stage(folder: Path) -> Iterator[Stage]:
    environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
    python = os.environ.get(GRIDS)
    if python:
        spec = folder / "lab" / "data" / "kernels" / "grids"
        spec.mkdir(parents=True)
        argv = [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        (spec / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "grids", "language": "python"}))
        # Their front ends stand in their environment.
        paths = [os.environ.get("JUPYTER_PATH", ""), str(Path(python).parents[1] / "share" / "jupyter")]
        environment["JUPYTER_PATH"] = os.pathsep.join(filter(None, paths))
    try:
        with chromium() as browser, jupyter(folder / "lab", environment=environment) as lab:
            page = LabPage(browser.new_page(viewport={"width": 1400, "height": 1000}), lab)
            page.page.set_default_timeout(120_000)
            devtools = page.page.context.new_cdp_session(page.page)
            devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
            yield Stage(lab, page, devtools, folder)
    except NoChromium as problem:
        raise Failed(str(problem)) from None


def table(folder: Path, rounds: int, *, quick: bool) -> list[Row]:
    """Measure the run table at three sizes: to the picture, scrolling, sorting, filtering."""
    sizes = {label: size for label, size in SIZES.items() if size <= (10_000 if quick else 100_000)}
    grids = os.environ.get(GRIDS)
    with _stage(folder) as stage:
        for label, size in sizes.items():
            path = folder / f"{label}.db"
            MlflowClient(f"sqlite:///{path}").create_experiment("bench")
            fill_ours(path, "1", size, params=20, metrics=20)
            # A first table imports what the others have: that is no part of a table's price.
            first = f"{first_cell(f'sqlite:///{path}')}\n_ = tracknb.runs_table()._repr_mimebundle_()"
            for number in range(rounds):
                stage.open(f"{label}-{number}.ipynb", [first, f"%track runs --limit {size}"])
                try:
                    shown = stage.painted(1, rows=size)
                except BrowserError:
                    # Not all rows came.
                    break
                stage.keep(f"table.{label}.kernel", shown.arrived)
                stage.keep(f"table.{label}.first", shown.first - shown.arrived)
                stage.keep(f"table.{label}.wall", shown.whole - shown.arrived)
                stage.keep(f"table.{label}.total", shown.whole)
                stage.keep(f"table.{label}.cpu", shown.cpu)
                if label == "100":
                    continue
                begin = stage.cpu()
                nodes = stage.page.page.evaluate(_SCROLL, [1, 120])
                stage.keep(f"scroll.{label}", (stage.cpu() - begin) / 120)
                stage.keep(f"nodes.{label}", nodes)
                for act in ("sort", "filter"):
                    stage.keep(f"{act}.{label}", stage.page.page.evaluate(_ACT, [1, act]))
            for peer in PEERS if grids and size <= 10_000 else ():
                _peer(stage, peer, label, size, rounds)
        stage.keep("foreign", len(stage.page.foreign))
        missing = "" if grids else f"peer not installed: pip install itables ipydatagrid in a venv, {GRIDS}=its python"
        rows = []
        for label in SIZES:
            rows += [stage.row(f"table.{label}.{what}") for what in ("first", "wall", "kernel", "total", "cpu")]
            if label != "100":
                rows += [stage.row(f"{what}.{label}") for what in ("scroll", "nodes", "sort", "filter")]
        for peer in PEERS:
            for label in ("100", "10k"):
                for what in ("wall", "total"):
                    ours, its = (stage.answers.get(f"{of}.{label}.{what}", ()) for of in ("table", peer))
                    rows.append(Row(f"{peer}.{label}.{what}", ours, its, missing))
        return [*rows, stage.row("foreign")]


_FRAME: Final = """import numpy as np, pandas as pd
rng = np.random.default_rng(0)
df = pd.DataFrame({{f"metric_{{i}}": rng.random({size}) for i in range(20)}})
for i in range(20):
    df[f"param_{{i}}"] = rng.integers(0, 97, {size}).astype(str)
"""
# What shows a frame, and what on the page says that it is there.
PEERS: Final = {
    "itables": (
        "import itables; itables.init_notebook_mode(all_interactive=False, connected=False)",
        "itables.show(df, maxBytes=0, maxColumns=0)",
        "table tbody tr:nth-child(5), table.dataTable tbody tr:nth-child(5)",
    ),
    "ipydatagrid": ("from ipydatagrid import DataGrid\ngrid = DataGrid(df)", "grid", "canvas"),
}


def _peer(stage: Stage, peer: str, label: str, size: int, rounds: int) -> None:
    prepare, show, selector = PEERS[peer]
    for number in range(rounds):
        stage.open(f"{peer}-{label}-{number}.ipynb", [_FRAME.format(size=size) + prepare, show], kernel="grids")
        shown = stage.painted(1, selector)
        stage.keep(f"{peer}.{label}.wall", shown.first - shown.arrived)
        stage.keep(f"{peer}.{label}.total", shown.first)


def charts(folder: Path, rounds: int, *, quick: bool) -> list[Row]:
    """Measure curves of one run, of 50 runs, and of five with very many points."""
    shapes = {"1x1k": (1, 1_000), "50x1k": (50, 1_000), "5x100k": (5, 10_000 if quick else 100_000)}
    with _stage(folder) as stage:
        for label, (runs, points) in shapes.items():
            client = MlflowClient(f"sqlite:///{folder}/{label}.db")
            experiment = client.create_experiment("bench")
            ids = []
            for number in range(runs):
                run = client.create_run(experiment, run_name=f"run-{number}", start_time=1_760_000_000_000 + number)
                ids.append(run.info.run_id)
                curve = [
                    Metric("loss", number + 1 / (1 + step), 1_760_000_000_000 + step, step) for step in range(points)
                ]
                client.log_batch(ids[-1], metrics=curve)
                client.set_terminated(ids[-1])
            made = f"tracknb.compare(*{ids!r})" if runs > 1 else "get_ipython().run_line_magic('track', 'show last')"
            for number in range(rounds):
                first = f"{first_cell(f'sqlite:///{folder}/{label}.db')}\nview = {made}"
                stage.open(f"{label}-{number}.ipynb", [first, "view"])
                shown = stage.painted(1, tab="Curves")
                stage.keep(f"chart.{label}.wall", shown.first)
                stage.keep(f"chart.{label}.cpu", shown.cpu)
        return [stage.row(f"chart.{label}.{what}") for label in shapes for what in ("wall", "cpu")]


# A training loop that holds the GIL between its five steps a second; `said` is when each was logged.
_LIVE: Final = """%%track_run --experiment live
import time
said = {{}}
keys = [f"series_{{i:02}}" for i in range({series} - 1)]
for step in range({points}):
    tracknb.log_metrics({{"clock": step, **{{key: step % 97 / (1 + i) for i, key in enumerate(keys)}}}}, step=step)
for step in range({points}, {points} + {count}):
    end = time.time() + 0.2
    while time.time() < end:
        pass
    said[step] = 1000 * time.time()
    tracknb.log_metrics({{"clock": step, **{{key: step % 97 / (1 + i) for i, key in enumerate(keys)}}}}, step=step)
"""


def live(folder: Path, rounds: int, *, quick: bool) -> list[Row]:
    """Measure a panel that grows beside a loop that holds the GIL, and a table's chip meanwhile."""
    shapes = {"5": (5, 0), "50": (50, 400 if quick else 4_000)}
    path = folder / "chips.db"
    MlflowClient(f"sqlite:///{path}").create_experiment("bench")
    fill_ours(path, "1", 200)
    with _stage(folder) as stage:
        page = stage.page
        for label, (series, points) in shapes.items():
            for number in range(1 if quick else min(rounds, 3)):
                count = 40 if quick else 75
                cell = _LIVE.format(series=series, points=points, count=count)
                told = "import json; json.dump(said, open('said.json', 'w'))"
                stage.open(f"live-{label}-{number}.ipynb", [first_cell(f"sqlite:///{path}"), "%track runs", cell, told])
                stage.shown(1)
                stage.start(2)
                page.output(2).locator(".tnb-legend em", has_text="clock").wait_for(timeout=120_000)
                page.page.evaluate(_WATCH, [2])
                page.page.wait_for_timeout(3_000)
                for _ in range(4):
                    stage.keep("controls", page.page.evaluate(_ACT, [1, "chip"]))
                    page.page.wait_for_timeout(400)
                page.wait_until_done(2, 180)
                seen: dict[str, Any] = page.page.evaluate(_SEEN)
                stage.start(3)
                page.wait_until_done(3)
                said = {
                    int(step): when for step, when in json.loads((stage.lab.folder / "said.json").read_text()).items()
                }
                shown = {int(float(text.replace(",", ""))): when for text, when in seen["times"].items()}
                late = [shown[step] - said[step] for step in shown if step in said]
                if not late:
                    raise Failed("failed: no point was seen on the screen")
                stage.keep(f"live.{label}.late", statistics.median(late))
                stage.keep(f"live.{label}.fps", seen["frames"] / seen["seconds"])
                stage.keep(f"live.{label}.paints", seen["draws"] / seen["seconds"])
        return [
            *(stage.row(f"live.{label}.{what}") for label in shapes for what in ("late", "fps", "paints")),
            stage.row("controls"),
        ]


def sizes(folder: Path, rounds: int, *, quick: bool) -> list[Row]:
    """Measure what outputs add to a saved notebook, and the front end's files."""
    from tests.browser import stores
    from tracknb import verbs

    outputs = [
        len(json.dumps(output.get("data", {})))
        for path in sorted((_ROOT / "notebooks").glob("*.ipynb"))
        for cell in json.loads(path.read_text())["cells"]
        for output in cell.get("outputs", [])
        if any("tracknb" in kind for kind in output.get("data", {}))
    ]
    worst = 0
    for name in ("hostile", "long names", "10,000 runs"):
        address = stores.make(name, folder)
        for argv in (["runs"], ["trend"], ["show", "last"], ["experiments"]):
            view = verbs.run_verb([*argv, "--store", address])
            worst = max(worst, len(json.dumps(view._repr_mimebundle_())) if view is not None else 0)
    front = _ROOT / "tracknb"
    extension = sum(path.stat().st_size for path in (front / "labextension" / "static").glob("*.js"))
    return [
        Row("size.typical", [statistics.median(outputs) / 1000]),
        Row("size.worst", [worst / 1000]),
        Row("size.widget", [(front / "notebook" / "static" / "widget.js").stat().st_size / 1024]),
        Row("size.extension", [extension / 1024]),
    ]


if __name__ == "__main__":
    sys.exit("python -m tests.benchmarks view-table view-charts view-live view-sizes")
