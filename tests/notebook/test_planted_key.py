"""A key that is planted wherever a notebook can have one is in no byte of the store and of no export."""

from __future__ import annotations

import json
import os
import time

import pandas as pd
import pytest
from jupyter_client.manager import start_new_kernel

import tracknb
from tracknb import verbs

# By its shape, and by nothing but the name that it goes by.
SHAPED = "sk-" + "planted4fR8kLm2Xq7Tz9Wb3Nc6Vd"
NAMED = "tx99-Planted-by-name"
OF_ENVIRONMENT = "ev42-Planted-by-environment"
PLANTED = ("planted4fR8kLm2", NAMED, OF_ENVIRONMENT)

pytestmark = pytest.mark.filterwarnings("ignore:.*looks like a key")


def places_of(folder):
    """Return which files below a folder hold a planted key."""
    return [
        (os.path.relpath(path, folder), key)
        for path in folder.rglob("*")
        if path.is_file()
        for key in PLANTED
        if key.encode() in path.read_bytes()
    ]


LINE = (
    f"%%track_run --experiment taxi --name 'first {SHAPED}' --param api_key={NAMED} "
    f"--param url=https://a:{NAMED}@h/x --tag 'from={SHAPED}' --note 'Use {SHAPED}'"
)
CELL = f"""{LINE}
import os, pandas as pd, tracknb
API_KEY = "{NAMED}"
session = dict(password="{NAMED}", url="postgresql://ada:{NAMED}@host/taxi")
tracknb.log_param("key_in_text", "the key is {SHAPED}")
tracknb.log_params({{"token": "{NAMED}", "settings": {{"api_key": "{NAMED}"}}}})
tracknb.set_tag("hf_token", "{NAMED}")
tracknb.set_tag("said", os.environ["TAXI_API_KEY"])
tracknb.set_experiment_tag("secret", "{NAMED}")
rides = pd.DataFrame({{"fare": [1.0]}})
tracknb.log_input(tracknb.data.from_pandas(rides, source="https://host/rides.csv?token={NAMED}", name="r {SHAPED}"))
client = tracknb.MlflowClient()
run_id = tracknb.active_run().info.run_id
client.log_batch(run_id, params=[tracknb.entities.Param("client_secret", "{NAMED}")])
client.update_run(run_id, name="second {SHAPED}")
for step in range(200):
    tracknb.log_metric("loss", step, step=step)
raise ValueError("refused: " + API_KEY + " and " + os.environ["TAXI_API_KEY"])
"""


@pytest.fixture
def planted(shell, monkeypatch):
    """A shell in which such a cell ran."""
    monkeypatch.setenv("TAXI_API_KEY", OF_ENVIRONMENT)
    outcome = shell.run_cell(CELL, store_history=True)
    assert isinstance(outcome.error_in_exec, ValueError)
    return shell


def test_it_is_nowhere_in_the_store(planted, store_path):
    # With the WAL, and what is beside it, before it is all one file.
    assert places_of(store_path.parent) == []
    tracknb.client.close_stores()

    assert places_of(store_path.parent) == []
    [run] = tracknb.search_runs(experiment_names=["taxi"], output_format="list")
    assert run.data.params == {
        "api_key": "***",
        "url": "https://a:***@h/x",
        "key_in_text": "the key is ***",
        "token": "***",
        "settings": "{'api_key': '***'}",
        "client_secret": "***",
    }
    assert run.data.tags["tracknb.error"] == "ValueError: refused: *** and ***"
    assert run.info.run_name == "second ***"
    assert 'API_KEY = "***"' in run.data.tags["tracknb.source.cell"]


def test_it_is_in_no_export(planted, tmp_path, capsys):
    exports = tmp_path / "exports"
    exports.mkdir()
    [run] = tracknb.search_runs(experiment_names=["taxi"], output_format="list")
    views = [tracknb.runs_table(experiment="taxi"), tracknb.show(run.info.run_id), tracknb.dashboard()]
    for number, view in enumerate(views):
        view.save(exports / f"{number}.html")
        (exports / f"{number}.txt").write_text(view.text())
    for verb in (["runs", "taxi"], ["show", run.info.run_id], ["df", "--all-experiments"]):
        (exports / f"{verb[0]}.json").write_text(json.dumps(verbs.run_verb(verb).payload()))
    tracknb.search_runs(experiment_names=["taxi"]).to_csv(exports / "runs.csv")

    assert places_of(exports) == []
    assert (exports / "runs.csv").read_text().count("***") > 5


def test_it_is_in_no_panel(planted, capsys):
    """Under its cell a run is shown from memory; what Python says of the user's own error is the user's."""
    planted.run_cell(
        f"%%track_run --experiment taxi --param api_key={NAMED} --tag 'from={SHAPED}'\n"
        f"tracknb.log_param('token', '{NAMED}')\ntracknb.set_tag('said', '{SHAPED}')"
    )

    shown = capsys.readouterr().out.rpartition("FINISHED")[2]
    assert "***" in shown
    assert not [key for key in PLANTED if key in shown]


def test_runs_that_are_imported_are_masked_too(store, store_path):
    with tracknb.start_run() as run:
        tracknb.log_metric("a", 1)
    found = tracknb.get_run(run.info.run_id)
    client = tracknb.MlflowClient()
    data = tracknb.entities.RunData({}, {"api_key": NAMED}, {"said": SHAPED})
    info = tracknb.entities.RunInfo(
        **{name: getattr(found.info, name) for name in type(found.info).__slots__} | {"run_id": "f" * 32}
    )
    client.import_run(tracknb.Run(info, data), list, state="1")

    imported = tracknb.get_run("f" * 32)
    assert imported.data.params == {"api_key": "***"}
    assert imported.data.tags["said"] == "***"
    assert places_of(store_path.parent) == []


def test_a_kernel_that_is_killed_leaves_it_nowhere(store, tmp_path, monkeypatch):
    """Points that were not committed lie in a spool."""
    monkeypatch.setenv("TAXI_API_KEY", OF_ENVIRONMENT)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    work = tmp_path / "work"
    work.mkdir()
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(work))
    try:
        client.execute_interactive("%load_ext tracknb")
        client.execute(CELL.replace("raise ValueError(", "os._exit(9) or str("))
        deadline = time.monotonic() + 30
        while manager.is_alive() and time.monotonic() < deadline:
            time.sleep(0.1)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)

    assert any(name.name.startswith("tracknb.db-") for name in work.iterdir())
    assert places_of(work) == []


def test_a_table_of_data_stays_as_it_is(store):
    """Files are the user's own business."""
    with tracknb.start_run() as run:
        tracknb.log_text(SHAPED, "note.txt")
        tracknb.log_table(pd.DataFrame({"token": ["the"]}), "words.json")

    path = tracknb.download_artifacts(run_id=run.info.run_id, artifact_path="note.txt")
    with open(path) as file:
        assert file.read() == SHAPED


def test_it_is_said_at_the_line_of_the_cell(shell):
    with pytest.warns(RuntimeWarning) as caught:
        shell.run_cell(f"import tracknb\nwith tracknb.start_run():\n    tracknb.log_param('said', 'so {SHAPED}')")

    ours = [item for item in caught if item.category is RuntimeWarning]
    at = [(str(item.message).partition(" holds")[0], item.lineno) for item in ours]
    assert at == [("The source of a cell", 2), ("The param 'said'", 3)]
