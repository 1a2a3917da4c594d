"""What a tracked cell displays is kept as files of its run, and shown as ever."""

from __future__ import annotations

import base64
import json
import time

import tracknb
from tests.notebook.test_kernel import execute, folder  # noqa: F401 -- a fixture
from tracknb.view.base import MIME

LOAD = "%load_ext tracknb\nimport tracknb\nfrom IPython.display import HTML, SVG, clear_output, display, update_display"
DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PNG = base64.b64decode(DOT)


def kept(*, of="last"):
    """Return the outputs of a run, by name."""
    run = tracknb.show(of).run.info.run_id
    client = tracknb.MlflowClient()
    paths = [item.path for item in client.list_artifacts(run, "outputs")]
    return {path.removeprefix("outputs/"): client.artifacts(run).head(path, 10_000_000)[0] for path in paths}


def shown(notebook, place=-1):
    """Return the outputs of a cell that are not ours."""
    return [item for item in notebook.cells[place].outputs if MIME not in item.get("data", {})]


def test_figures_tables_and_the_result_are_files_and_are_shown_as_ever(folder):  # noqa: F811
    cells = (
        "import matplotlib.pyplot as plt, pandas as pd\n"
        "_ = plt.plot([1, 2])\n"
        "plt.show()\n"
        "display(pd.DataFrame({'fare': [4.5]}))\n"
        "print('words of the loop')\n"
        "tracknb.log_metric('loss', 1)\n"
        "0.93"
    )
    tracked = execute(folder, LOAD, "%matplotlib inline", f"%%track_run\n{cells}")
    found = kept()
    plain = execute(folder, LOAD, "%matplotlib inline", cells)

    assert list(found) == ["1.png", "2.html", "3.txt"]
    assert found["1.png"].startswith(b"\x89PNG")
    assert b"<td>4.5</td>" in found["2.html"]
    assert found["3.txt"] == b"0.93"
    # A bare logging call makes a run too, but only `%%track_run` keeps files that nobody logged.
    assert kept() == {}
    assert [sorted(item.get("data", {})) for item in shown(tracked)] == [
        sorted(item.get("data", {})) for item in shown(plain)
    ]


def test_pictures_charts_and_texts_have_their_own_endings(folder):  # noqa: F811
    bundles = [
        {"image/svg+xml": "<svg/>", "text/plain": "<SVG>"},
        {"application/vnd.plotly.v1+json": {"data": [{"y": [1]}]}, "text/html": "<div>a large library</div>"},
        {"application/vnd.vegalite.v5+json": {"mark": "bar"}, "image/png": DOT, "text/plain": "chart"},
        {"text/markdown": "**bold**", "text/plain": "bold"},
        {"application/json": {"a": 1}, "text/plain": "<JSON object>"},
        {"text/plain": "<Thing at 0x7f00aa>"},
        {"application/vnd.jupyter.widget-view+json": {"model_id": "x"}, "text/plain": "HBox()"},
        {"application/javascript": "alert(1)"},
    ]
    execute(folder, LOAD, f"%%track_run --no-display\nfor bundle in {bundles!r}:\n    display(bundle, raw=True)")

    found = kept()
    assert list(found) == ["1.svg", "2.plotly.json", "3.png", "3.vegalite.json", "4.md", "5.json"]
    assert json.loads(found["2.plotly.json"]) == {"data": [{"y": [1]}]}
    assert found["3.png"] == PNG


def test_what_stays_under_the_cell_is_what_is_kept(folder):  # noqa: F811
    """The last form of an update, nothing that was cleared, and nothing of ours."""
    execute(
        folder,
        LOAD,
        "%%track_run\n"
        "display('first', display_id='a')\n"
        "display('gone')\n"
        "clear_output()\n"
        "display(HTML('<b>1</b>'), display_id='a')\n"
        "display('stays')\n"
        "tracknb.log_metric('loss', 1)\n"
        "display(tracknb.runs_table())\n"
        "update_display(HTML('<b>2</b>'), display_id='a')\n"
        "update_display('nobody', display_id='never shown')\n",
        "%%track_run\nfor step in range(3):\n    clear_output(wait=True)\n    display(f'step {step}')",
    )

    assert kept() == {"1.txt": b"'step 2'"}
    first = tracknb.search_runs(search_all_experiments=True, output_format="list")[1].info.run_id
    assert kept(of=first) == {"1.html": b"<b>2</b>", "2.txt": b"'stays'"}


def test_an_async_cell_and_one_that_fails_keep_what_they_showed(folder):  # noqa: F811
    execute(
        folder,
        LOAD,
        "%%track_run --name waits\nimport asyncio\nawait asyncio.sleep(0)\ndisplay('waited')",
        "%%track_run --name fails\ndisplay('before')\n1 / 0\ndisplay('after')",
        allow_errors=True,
    )

    assert kept(of="waits") == {"1.txt": b"'waited'"}
    assert kept(of="fails") == {"1.txt": b"'before'"}


def test_an_output_belongs_to_the_run_that_was_open(folder):  # noqa: F811
    execute(
        folder,
        LOAD,
        "%%track_run\n"
        "for name in ('one', 'two'):\n"
        "    with tracknb.start_run(run_name=name):\n"
        "        display(name)\n"
        "        name == 'one' and display('x' * 6_000_000)\n"
        "display('both')",
    )

    assert kept(of="one") == {"1.txt": b"'one'"}
    assert kept(of="two") == {"1.txt": b"'two'", "2.txt": b"'both'"}
    tags = [tracknb.show(name).run.data.tags.get("tracknb.outputs.left_out") for name in ("one", "two")]
    assert tags == ["1 larger than 5 MB", None]


def test_nothing_is_kept_where_nobody_wants_it(folder, monkeypatch):  # noqa: F811
    execute(folder, LOAD, "%%track_run --no-outputs\ndisplay('x')", "%%track_run\n%%capture\ndisplay('hidden')")
    runs = tracknb.search_runs(search_all_experiments=True, output_format="list")
    assert [kept(of=run.info.run_id) for run in runs] == [{}, {}]

    monkeypatch.setenv("TRACKNB_OUTPUTS", "0")
    execute(folder, LOAD, "%%track_run\ndisplay('x')")
    assert kept() == {}


def test_what_is_too_large_is_left_out_and_said_once(folder):  # noqa: F811
    large = "%%track_run --no-display\ndisplay('small')\ndisplay('x' * 6_000_000)"
    notebook = execute(folder, LOAD, large, large)

    assert kept() == {"1.txt": b"'small'"}
    told = "1 larger than 5 MB"
    assert tracknb.show("last").run.data.tags["tracknb.outputs.left_out"] == told
    warned = [item["text"] for place in (1, 2) for item in shown(notebook, place) if item.get("name") == "stderr"]
    assert len(warned) == 1
    assert f"Not all that this cell displayed is kept with its run: {told}." in warned[0]


def test_keys_in_texts_are_masked(folder, store_path):  # noqa: F811
    key = "sk-abcdefghijklmnopqrstuvwx"
    execute(
        folder, LOAD, f"%%track_run\nkey = {key[:12]!r} + {key[12:]!r}\ndisplay(HTML(f'<b>api_key={{key}}</b>'))\nkey"
    )

    assert sorted(kept()) == ["1.html", "2.txt"]
    assert not any(key.encode() in content for content in kept().values())


def test_a_run_that_goes_on_keeps_its_first_outputs(folder):  # noqa: F811
    execute(folder, LOAD, "%%track_run\ndisplay('first')", "%%track_run --resume last\ndisplay('second')")
    assert kept() == {"1.txt": b"'first'", "2.txt": b"'second'"}


def test_a_folder_that_refuses_the_files_leaves_the_cell_alone(folder):  # noqa: F811
    """A file stands where the folder would be."""
    notebook = execute(
        folder,
        LOAD,
        "%%track_run\ntracknb.log_text('mine', 'outputs')\ndisplay('shown')\nanswer = 42\nanswer",
        "answer",
    )

    assert [item["data"]["text/plain"] for item in shown(notebook, 1) if "data" in item] == ["'shown'", "42"]
    assert shown(notebook)[0]["data"]["text/plain"] == "42"
    assert "".join(item["text"] for item in shown(notebook, 1) if item.get("name") == "stderr").count("tracknb") >= 1


def test_unloading_the_extension_in_the_cell_leaves_ipythons_own_methods(shell):
    before = dict(vars(shell.display_pub)), dict(vars(shell.displayhook))
    shell.run_cell("%%track_run\n1")
    after = dict(vars(shell.display_pub)), dict(vars(shell.displayhook))

    assert [{"publish", "clear_output", "write_format_data"} & names.keys() for names in after] == [set(), set()]
    assert [names.keys() for names in after] == [names.keys() for names in before]
    assert kept() == {"1.txt": b"1"}


def test_what_another_extension_put_over_ipythons_methods_stays(shell):
    """Also where it did so while the cell ran, over what listens: that hears nothing any more."""
    publish, heard = shell.display_pub.publish, []

    def theirs(*arguments, **options):
        heard.append(arguments)
        publish(*arguments, **options)

    shell.display_pub.publish = theirs
    shell.run_cell("%%track_run\npub = get_ipython().display_pub\npub.publish({'text/plain': '1'})")
    assert (shell.display_pub.publish, len(heard)) == (theirs, 1)

    shell.run_cell("%%track_run\ninner = pub.publish\npub.publish = mine = lambda *a, **o: inner(*a, **o)")
    assert shell.display_pub.publish is shell.user_ns["mine"]
    shell.run_cell("%%track_run\npub.publish({'text/plain': '2'})")
    assert kept() == {"1.txt": b"2"}
    assert len(heard) == 2


def test_outputs_and_changes_reach_over_a_bucket(shell, s3, monkeypatch):
    monkeypatch.setenv("TRACKNB_ARTIFACT_ROOT", f"s3://{s3.bucket()}/outputs")
    cell = "%%track_run --experiment far --param lr={}\n'shown'"
    for lr in (1, 2):
        shell.run_cell(cell.format(lr), cell_id="c", store_history=True)

    assert kept() == {"1.txt": b"'shown'"}
    assert "  param lr 1 → 2" in tracknb.show("last").text().split("\n")


def test_a_bucket_that_is_away_costs_the_cell_its_outputs_and_not_its_time(shell, s3, monkeypatch):
    monkeypatch.setenv("TRACKNB_ARTIFACT_ROOT", f"s3://{s3.bucket()}/away")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    start = time.monotonic()

    outcome = shell.run_cell("%%track_run --experiment far --no-display\n'shown'", cell_id="c", store_history=True)

    assert outcome.result == "shown"
    assert time.monotonic() - start < 10
    assert tracknb.show("last").run.info.status == "FINISHED"
