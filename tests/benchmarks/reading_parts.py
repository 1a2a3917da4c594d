"""What reading costs: pages and tables of runs, histories, a chart."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks import stores
from tests.benchmarks.contestants import Answers, Request, Team, in_turns, team
from tests.benchmarks.table import Row

PAGE = 50
EXPERIMENT = "bench"


def search(folder: Path, rounds: int, *, quick: bool) -> list[Row]:
    """Measure the building of runs, pages of 50 and whole tables, at several sizes."""
    sizes = {"1k": 1_000, "10k": 10_000} | ({} if quick else {"100k": 100_000})
    with team(folder, "ours", "mlflow") as builders:
        built = _build(builders, rounds, quick=quick)
        ids = {name: _experiments(builders, name, sizes) for name in ("ours", "mlflow")}
    rows = [built.row("build", "run", its="mlflow")]
    for label, size in sizes.items():
        if "ours" not in builders.absent:
            stores.fill_ours(folder / f"ours-{label}.db", ids["ours"][label], size)
        if "mlflow" not in builders.absent and label != "100k":
            stores.fill_mlflow(folder / f"mlflow-{label}.db", ids["mlflow"][label], size)
    pages = {label: _pages(folder, rounds, label, ids, builders.absent) for label in sizes}
    for kind, ours, its in (("page", "ours", "mlflow"), ("sorted", "ours sorted", "mlflow sorted")):
        rows += [pages[label].row(f"{kind}.{label}", "wall", ours=ours, its=its) for label in ("1k", "10k")]
        rows.append(_growth(pages, kind, ours))
    rows.append(_tables(folder, rounds, ids, builders.absent))
    return rows


def _build(builders: Team, rounds: int, *, quick: bool) -> Answers:
    shape = {"params": 10, "keys": 5}
    for name in ("ours", "mlflow"):
        builders.prepare(name, "open_store", path=str(builders.folder / f"{name}-api.db"), experiment=EXPERIMENT)
    counts = (50, 10) if quick else (300, 50)
    answers = in_turns(
        builders,
        rounds,
        {
            "ours": Request("ours", "build_runs", {**shape, "count": counts[0]}),
            "mlflow": Request("mlflow", "build_runs", {**shape, "count": counts[1]}),
        },
    )
    for given in answers.given.values():
        for answer in given:
            answer["run"] = 1000 * answer["wall"] / answer["calls"]
    return answers


def _experiments(builders: Team, name: str, sizes: dict[str, int]) -> dict[str, str]:
    """Return the id of the experiment in each of a contestant's stores, which this makes."""
    return {
        label: builders.prepare(
            name, "open_store", path=str(builders.folder / f"{name}-{label}.db"), experiment=EXPERIMENT
        )
        for label in sizes
    }


def _pages(folder: Path, rounds: int, label: str, ids: dict[str, dict[str, str]], absent: dict[str, str]) -> Answers:
    names = ("ours",) if label == "100k" else ("ours", "mlflow")
    with team(folder, *names) as readers:
        readers.absent |= absent
        _open(readers, label)
        requests = {}
        for name in names:
            page = {"experiment_id": ids[name][label], "max_results": PAGE}
            repeats = 21 if name == "ours" else 7 if label == "1k" else 3
            requests[name] = Request(name, "page", {**page, "order_by": [], "repeats": repeats})
            # Sorting 10,000 runs by a metric takes MLflow some 10 seconds.
            repeats = min(repeats, 7) if name == "ours" or label == "1k" else 1
            sorting = {"order_by": ["metrics.metric_00 ASC"], "repeats": repeats}
            requests[f"{name} sorted"] = Request(name, "page", page | sorting)
        return in_turns(readers, rounds if label == "1k" else min(rounds, 3), requests)


def _tables(folder: Path, rounds: int, ids: dict[str, dict[str, str]], absent: dict[str, str]) -> Row:
    with team(folder, "ours", "mlflow") as readers:
        readers.absent |= absent
        _open(readers, "1k")
        answers = in_turns(
            readers,
            rounds,
            {
                "ours": Request("ours", "table", {"experiment_id": ids["ours"]["1k"], "repeats": 7}),
                "mlflow": Request("mlflow", "table", {"experiment_id": ids["mlflow"]["1k"], "repeats": 3}),
            },
        )
    return answers.row("table", "wall", its="mlflow")


def _open(readers: Team, label: str) -> None:
    for name in readers.workers:
        if name not in readers.absent:
            path = readers.folder / f"{name}-{label}.db"
            readers.prepare(name, "open_store", path=str(path), experiment=EXPERIMENT)


def _growth(pages: dict[str, Answers], kind: str, ours: str) -> Row:
    """Return the row that compares our page at 100,000 runs with the one at 1,000."""
    if "100k" not in pages:
        return Row(f"{kind}.grow", note="left out by --quick")
    both = Answers(
        given={"large": pages["100k"].given.get(ours, []), "small": pages["1k"].given.get(ours, [])},
        absent={
            label: pages[size].absent[ours]
            for label, size in (("large", "100k"), ("small", "1k"))
            if ours in pages[size].absent
        },
    )
    return both.row(f"{kind}.grow", "wall", ours="large", its="small")


def history(folder: Path, rounds: int, *, quick: bool) -> list[Row]:
    """Measure a long history, many short ones, and the chart of the long one.

    Our points are logged through the API, because a chart may rest on what committing them
    left behind. MLflow reads a twentieth of the points: its cost per point is compared.
    """
    long, many, its_long = (100_000, 20, 5_000) if quick else (1_000_000, 100, 50_000)
    with team(folder, "ours", "mlflow", "raw") as readers:
        path = folder / "ours.db"
        readers.ask("ours", "open_store", path=str(path), experiment=EXPERIMENT)
        run_id = readers.ask("ours", "fill_one", count=long)
        run_ids = [readers.ask("ours", "fill_one", count=1_000) for _ in range(many)]
        its_path = folder / "mlflow.db"
        its_experiment = readers.prepare("mlflow", "open_store", path=str(its_path), experiment=EXPERIMENT)
        its_run_ids: list[str] = []
        its_many: list[str] = []
        if its_experiment is not None:
            its_run_ids = stores.fill_mlflow_history(its_path, its_experiment, 1, its_long)
            its_many = stores.fill_mlflow_history(its_path, its_experiment, many, 1_000)
        one = {"run_id": run_id, "key": "loss"}
        answers = in_turns(
            readers,
            rounds,
            {
                "ours": Request("ours", "history", {"run_ids": [run_id], "key": "loss", "repeats": 1}),
                "raw": Request("raw", "history", {"path": str(path), **one, "repeats": 1}),
                "mlflow": Request("mlflow", "history", {"run_ids": its_run_ids, "key": "loss", "repeats": 1}),
                "our many": Request("ours", "history", {"run_ids": run_ids, "key": "loss", "repeats": 3}),
                "its many": Request("mlflow", "history", {"run_ids": its_many, "key": "loss", "repeats": 1}),
                "chart": Request("ours", "chart", {**one, "repeats": 21}),
                "rows": Request("raw", "rows", {"path": str(path), **one, "repeats": 1}),
            },
        )
    _check_sizes(answers, {"ours": long, "raw": long, "mlflow": its_long, "our many": 1_000 * many})
    for label, points in (("ours", long), ("mlflow", its_long)):
        for answer in answers.given.get(label, ()):
            answer["point"] = 1000 * answer["cpu"] / points
    return [
        answers.row("history.raw", "cpu", its="raw"),
        answers.row("history.mlflow", "point", its="mlflow"),
        answers.row("history.many", "wall", ours="our many", its="its many"),
        answers.row("chart", "wall", ours="chart", its="rows"),
    ]


def _check_sizes(answers: Answers, sizes: dict[str, int]) -> None:
    """Take out answers that did not hold every point."""
    for label, size in sizes.items():
        found = {answer["size"] for answer in answers.given.get(label, ())}
        if found - {size}:
            answers.absent[label] = f"failed: {found} points where {size} were logged"
            answers.given.pop(label)
