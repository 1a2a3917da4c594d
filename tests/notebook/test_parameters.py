"""``%%track_run --params``, and the parameters that papermill injects: params without a call."""

from __future__ import annotations

import subprocess
import sys
import warnings

import nbformat
import pytest

import tracknb
from tracknb.errors import ParamChanged

OWN = "tracknb.params.from_code"
LEFT_OUT = "tracknb.params.left_out"


def newest(experiment="taxi"):
    return tracknb.search_runs(experiment_names=[experiment], output_format="list")[0]


def track(shell, body, options="--params auto", **more):
    outcome = shell.run_cell(f"%%track_run --experiment taxi {options}\n{body}", store_history=True, **more)
    outcome.raise_error()
    return newest()


def test_auto_logs_what_the_cell_assigns_literally(shell):
    run = track(
        shell,
        "import tracknb\nlr, depth = 0.1, -3\nmodel: str = 'forest'  # or ridge\nlayers = [64, 32]\nwarm = None\n"
        "for epoch in range(3):\n    best = 1\nn = 1\nn += 1\nrate = lr * 2",
    )

    assert run.data.params == {"lr": "0.1", "depth": "-3", "model": "forest", "layers": "[64, 32]", "warm": "None"}
    assert run.data.tags[OWN] == "lr, depth, model, layers, warm"
    assert LEFT_OUT not in run.data.tags


def test_they_are_there_while_the_cell_runs(shell):
    track(shell, "import tracknb\nlr = 0.1\nseen = tracknb.get_run(tracknb.active_run().info.run_id).data.params")

    assert shell.user_ns["seen"] == {"lr": "0.1"}


def test_without_the_option_nothing_is_logged(shell):
    assert track(shell, "lr = 0.1", options="").data.params == {}


@pytest.mark.parametrize("before", ["%%time\n", "\n\n%%time\n", "%%capture held\n"])
def test_a_cell_below_another_magic_is_read_too(shell, before):
    assert track(shell, f"{before}lr = 0.1\nfiles = !ls\n%matplotlib --list").data.params == {"lr": "0.1"}


def test_a_cell_under_another_magic_is_read_too(shell):
    shell.run_cell("%%capture held\n%%track_run --experiment taxi --params auto\nlr = 0.1").raise_error()

    assert newest().data.params == {"lr": "0.1"}


def test_a_shell_script_has_no_params(shell):
    assert track(shell, "%%bash\nlr=0.1").data.params == {}


def test_top_level_await_hinders_nothing(shell):
    assert track(shell, "import asyncio\nlr = 0.1\nawait asyncio.sleep(0)").data.params == {"lr": "0.1"}


@pytest.mark.parametrize("names", ["'lr depth'", "lr,depth", "'lr, depth'"])
def test_names_are_looked_up_in_the_cell_before_it_in_the_kernel_and_at_its_end(shell, names):
    shell.run_cell("depth = 4; lr = 'old'")
    run = track(shell, "lr = 0.1\nother = 5", options=f"--params {names}")

    assert run.data.params == {"lr": "0.1", "depth": "4"}


def test_a_name_that_the_cell_computes_has_its_value_at_the_end_not_that_of_the_last_time(shell):
    shell.run_cell("import tracknb; rate = 'old'")
    run = track(
        shell,
        "during = dict(tracknb.get_run(tracknb.active_run().info.run_id).data.params)\nrate = 0.1 * 3\nlr = 1",
        options="--params 'rate lr'",
    )

    assert shell.user_ns["during"] == {"lr": "1"}
    assert run.data.params == {"lr": "1", "rate": "0.30000000000000004"}
    assert run.data.tags[OWN] == "lr, rate"


def test_names_and_auto_go_together(shell):
    shell.run_cell("depth = 4")

    assert track(shell, "lr = 0.1", options="--params 'auto depth'").data.params == {"lr": "0.1", "depth": "4"}


def test_a_name_that_never_exists_is_told_once_and_in_words(shell):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(2):
            track(shell, "depth = 4", options="--params dpeth")

    assert [str(item.message) for item in caught] == [
        "--params names 'dpeth', and no variable was called so when the cell ended. Did you mean 'depth'?"
    ]


def test_a_cell_that_fails_keeps_what_it_had_and_says_nothing_of_names(shell):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shell.run_cell("%%track_run --experiment taxi --params 'rate late'\nrate = 2 * 3\n1 / 0\nlate = 2 - 1")

    assert newest().data.params == {"rate": "6"}
    assert newest().info.status == "FAILED"


@pytest.mark.parametrize("word", ["lr=0.1", "l-r", "''"])
def test_what_is_no_name_runs_nothing(shell, capsys, word):
    shell.run_cell(f"%%track_run --params {word}\nran = True")

    assert "is no name of a variable; --params takes 'auto' or names." in capsys.readouterr().out
    assert "ran" not in shell.user_ns


@pytest.mark.parametrize(
    "call",
    [
        "tracknb.log_param('lr', 0.5)",
        "tracknb.log_params({'lr': 0.5, 'new': 1})",
        "tracknb.MlflowClient().log_param(run_id, 'lr', 0.5)",
        "tracknb.MlflowClient().log_batch(run_id, params=[tracknb.entities.Param('lr', '0.5')])",
    ],
)
def test_what_a_call_logs_wins_without_an_error(shell, call):
    run = track(shell, f"import tracknb\nrun_id = tracknb.active_run().info.run_id\nlr, depth = 0.1, 3\n{call}")

    assert run.data.params["lr"] == "0.5"
    assert run.data.params["depth"] == "3"
    assert "lr" not in run.data.tags[OWN].split(", ")
    # From then on it is a param like any other.
    with pytest.raises(ParamChanged):
        tracknb.MlflowClient().log_param(run.info.run_id, "lr", 0.9)


def test_what_a_call_logs_wins_over_a_name_that_is_looked_up_at_the_end(shell):
    run = track(shell, "import tracknb\ntracknb.log_param('rate', 7)\nrate = 2 * 3", options="--params rate")

    assert run.data.params == {"rate": "7"}


def test_the_option_param_wins(shell):
    run = track(shell, "lr = 0.1", options="--params auto --param lr=0.7")

    assert run.data.params == {"lr": "0.7"}
    assert OWN not in run.data.tags


def test_every_run_of_a_loop_has_them_and_what_it_logs_itself(shell):
    track(
        shell,
        "import tracknb\nepochs = 3\nfor lr in (0.1, 0.2):\n    with tracknb.start_run():\n"
        "        tracknb.log_param('lr', lr)\nlast = epochs * 2",
        options="--params 'auto last'",
    )

    runs = tracknb.search_runs(experiment_names=["taxi"], output_format="list")
    assert [run.data.params for run in runs] == [
        {"epochs": "3", "lr": "0.2", "last": "6"},
        {"epochs": "3", "lr": "0.1", "last": "6"},
    ]


def test_a_resumed_run_gets_new_values_of_what_no_call_logged(shell):
    track(shell, "import tracknb\nlr, depth = 0.1, 3\ntracknb.log_param('depth', 4)", cell_id="c")
    run = track(shell, "lr, depth, more = 0.2, 5, 6", options="--params auto --resume last", cell_id="c")

    assert run.data.params == {"lr": "0.2", "depth": "4", "more": "6"}


def test_the_panel_shows_them_and_what_changed(shell, capsys):
    track(shell, "lr = 0.1", cell_id="c")
    track(shell, "lr = 0.2", cell_id="c")

    assert "lr=0.2" in capsys.readouterr().out


def test_a_name_template_is_filled_in(shell):
    assert track(shell, "lr = 0.1\nrate = 1 + 1", "--params 'auto rate' --name '{lr} {rate}'").info.run_name == "0.1 2"


def test_secrets_long_texts_and_large_tables_are_left_out_and_that_is_said(shell):
    run = track(
        shell,
        f"lr = 0.1\napi_key = 'abc'\nprompt = {'word ' * 200!r}\ntable = {list(range(60))}\n"
        "max_tokens = 512\nurl = 'postgresql://ada:hunter2@host/db'",
    )

    assert run.data.params == {"lr": "0.1", "max_tokens": "512", "url": "postgresql://ada:***@host/db"}
    assert run.data.tags[LEFT_OUT] == (
        "api_key: its name sounds like a secret; prompt: 1,000 characters; table: 60 items"
    )


def test_no_more_than_a_hundred_are_logged(shell):
    run = track(shell, "\n".join(f"p{n} = {n}" for n in range(105)))

    assert len(run.data.params) == 100
    assert run.data.tags[LEFT_OUT].startswith("p100: there are more than 100; p101:")


def test_a_name_that_is_asked_for_may_be_longer(shell):
    assert len(track(shell, f"prompt = {'w' * 900!r}", "--params prompt").data.params["prompt"]) == 900


def test_an_object_without_a_text_is_left_out(shell):
    shell.run_cell("class Odd:\n    def __str__(self): raise KeyError\nodd = Odd()")

    assert track(shell, "pass", options="--params odd").data.tags[LEFT_OUT] == "odd: it has no text (KeyError)"


# -- papermill -------------------------------------------------------------------------------

NOTEBOOK = (
    "%load_ext tracknb\nimport tracknb",
    "%%track_run --experiment taxi\ntracknb.log_metric('loss', lr)",
    "%%track_run --experiment taxi\ntracknb.log_param('lr', lr * 2)",
    "with tracknb.start_run(experiment_id=tracknb.get_experiment_by_name('taxi').experiment_id):\n    pass",
)


@pytest.mark.parametrize("is_on_top", [True, False])
def test_what_papermill_injects_is_logged_by_itself(store, tmp_path, monkeypatch, is_on_top):
    """The real papermill: with a cell that is tagged ``parameters``, and without one, where it writes on top."""
    pytest.importorskip("papermill")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    cells = [nbformat.v4.new_code_cell(source) for source in NOTEBOOK]
    if not is_on_top:
        cells.insert(1, nbformat.v4.new_code_cell("lr = 9", metadata={"tags": ["parameters"]}))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), tmp_path / "in.ipynb")
    given = ["-p", "lr", "0.1", "-p", "model", 'a "forest"', "-p", "api_key", "xyzzy", "-y", "{layers: [8, 4]}"]
    done = subprocess.run(
        [sys.executable, "-m", "papermill", "in.ipynb", "out.ipynb", *given],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.returncode == 0, done.stderr
    tracknb.set_tracking_uri(str(tmp_path / "tracknb.db"))
    plain, doubled, first = tracknb.search_runs(experiment_names=["taxi"], output_format="list")
    given = {"lr": "0.1", "model": 'a "forest"', "layers": "[8, 4]"}
    assert plain.data.params == first.data.params == given
    assert doubled.data.params == given | {"lr": "0.2"}
    assert first.data.tags[LEFT_OUT] == "api_key: its name sounds like a secret"
    [panel] = nbformat.read(tmp_path / "out.ipynb", 4).cells[-3].outputs
    assert "lr=0.1" in panel.data["text/plain"]
    assert b"xyzzy" not in (tmp_path / "tracknb.db").read_bytes()


def test_injected_params_have_the_value_of_now_and_yield_to_the_cells_own(shell):
    shell.run_cell("# Parameters\nlr = 0.1\ndepth = 3\n").raise_error()
    assert track(shell, "pass", options="").data.params == {"lr": "0.1", "depth": "3"}
    shell.run_cell("lr = 0.4")
    assert track(shell, "depth = 7").data.params == {"lr": "0.4", "depth": "7"}
    shell.run_line_magic("reload_ext", "tracknb")


def test_another_cell_of_plain_assignments_is_not_taken_for_papermills(shell):
    shell.run_cell("lr = 0.1\n").raise_error()

    assert track(shell, "pass", options="").data.params == {}
