"""One list of filters and what they find, for both readers of the language: this one, and the browser's.

``labextension/src/ui/search.test.ts`` reads the same file. A case whose ``beyond`` is true
asks for what a saved output does not hold; there the browser says so, or asks the kernel.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import tracknb
from tracknb.client import close_stores
from tracknb.entities import Metric
from tracknb.errors import FilterError

CORPUS = json.loads((Path(__file__).parent / "data" / "search_corpus.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """A function from a filter to the names of the corpus' runs that it finds, the oldest first."""
    folder = tmp_path_factory.mktemp("corpus")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TRACKNB_STATE_DIR", str(folder / "state"))
        client = tracknb.MlflowClient(f"sqlite:///{folder / 'runs.db'}")
        experiment = client.create_experiment("corpus")
        for run in CORPUS["runs"]:
            run_id = client.create_run(experiment, run_name=run["name"], start_time=run["start"]).info.run_id
            points = [
                Metric(key, float(value), 1_000 + step, step)
                for key, history in run["metrics"].items()
                for step, value in enumerate(history)
            ]
            client.log_batch(run_id, metrics=points, params=run["params"], tags=run["tags"])
            if run["end"] is not None:
                client.set_terminated(run_id, run["status"], end_time=run["end"])
        yield lambda text: [
            run.info.run_name
            for run in client.search_runs([experiment], text, max_results=1_000, order_by=["start_time"])
        ]
        close_stores()


@pytest.mark.parametrize("case", CORPUS["cases"], ids=lambda case: ascii(case["query"])[:60])
def test_a_filter_finds_or_says_what_the_corpus_tells(found, case):
    if "error" in case:
        with pytest.raises(FilterError) as caught:
            found(case["query"])
        assert (str(caught.value), caught.value.start, caught.value.end) == (case["error"], case["start"], case["end"])
        return
    names = case.get("names")
    if names is None:
        names = [run["name"] for run in CORPUS["runs"] if run["name"] not in case["all_but"]]

    assert found(case["query"]) == names
