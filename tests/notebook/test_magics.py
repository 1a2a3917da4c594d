"""``%%track_run`` in a real IPython shell: the cell stays the user's own, and its run is kept."""

from __future__ import annotations

import subprocess
import sys
import warnings

import pytest

import tracknb
from tracknb.errors import InvalidValue, TracknbError


def runs_of(experiment="nyc-taxi"):
    return tracknb.search_runs(experiment_names=[experiment], output_format="list")


def run_cell(shell, source):
    return shell.run_cell(source, store_history=True)


def test_a_tracked_cell_is_one_finished_run_and_its_names_live_on(shell):
    outcome = run_cell(
        shell,
        "%%track_run --experiment nyc-taxi --name first --tag stage=candidate --param lr=0.1 "
        "--eval-set v1 --note 'a note'\n"
        "import tracknb\n"
        "for epoch in range(3):\n"
        "    tracknb.log_metric('loss', 1 / (1 + epoch), step=epoch)\n"
        "answer = 42",
    )

    assert outcome.success
    assert shell.user_ns["answer"] == 42
    [run] = runs_of()
    assert (run.info.run_name, run.info.status) == ("first", "FINISHED")
    assert run.data.params == {"lr": "0.1"}
    assert run.data.tags["stage"] == "candidate"
    assert run.data.tags["mlflow.backstage.evaluation_set"] == "v1"
    assert run.data.tags["mlflow.note.content"] == "a note"
    assert run.data.tags["mlflow.source.type"] == "NOTEBOOK"
    assert "loss" in run.data.tags["tracknb.source.cell"]
    assert len(tracknb.get_metric_history(run.info.run_id, "loss")) == 3


def test_a_traceback_shows_the_first_line_as_it_was_typed(shell, capsys):
    shell.run_cell("%%track_run --name ridge\nrate = [1,\n  2][5]", store_history=True)
    shown = capsys.readouterr().out
    assert "# %%track_run --name ridge" in shown
    assert "_tracknb_open" not in shown


def test_a_cell_that_raises_leaves_a_failed_run_with_its_source_and_traceback(shell):
    """A crash is a result too: the run is kept, and with it the code that crashed."""
    outcome = run_cell(shell, "%%track_run --experiment nyc-taxi\nfare = 12\nfare / 0")

    assert isinstance(outcome.error_in_exec, ZeroDivisionError)
    [run] = runs_of()
    assert run.info.status == "FAILED"
    assert run.info.end_time is not None
    assert run.data.tags["tracknb.error"] == "ZeroDivisionError: division by zero"
    assert "line 3" in run.data.tags["tracknb.traceback"]
    assert run.data.tags["tracknb.source.cell"].endswith("fare = 12\nfare / 0")
    run_cell(shell, "%%track_run --experiment nyc-taxi\npass")
    assert sorted(run.info.status for run in runs_of()) == ["FAILED", "FINISHED"]


def test_an_interrupt_kills_the_run(shell):
    run_cell(shell, "%%track_run --experiment nyc-taxi\nraise KeyboardInterrupt")
    assert [run.info.status for run in runs_of()] == ["KILLED"]


def test_a_syntax_error_opens_no_run(shell):
    run_cell(shell, "%%track_run --experiment nyc-taxi\nfor for for")
    assert tracknb.get_experiment_by_name("nyc-taxi") is None


def test_the_last_expression_is_the_cells_result(shell):
    assert run_cell(shell, "%%track_run --experiment nyc-taxi\n1 + 1").result == 2


def test_top_level_await_works(shell):
    outcome = run_cell(
        shell,
        "%%track_run --experiment nyc-taxi\n"
        "import asyncio, tracknb\n"
        "await asyncio.sleep(0)\n"
        "tracknb.log_metric('a', 1)",
    )
    assert outcome.success
    assert runs_of()[0].data.metrics == {"a": 1.0}


def test_a_second_magic_on_the_next_line_works(shell, capsys):
    outcome = run_cell(shell, "%%track_run --experiment nyc-taxi\n%%time\nx = 5")

    assert outcome.success
    assert shell.user_ns["x"] == 5
    assert "Wall time" in capsys.readouterr().out
    assert [run.info.status for run in runs_of()] == ["FINISHED"]


def test_running_a_cell_again_is_a_new_attempt_that_says_what_changed(shell):
    cell = "%%track_run --experiment nyc-taxi\nimport tracknb\ntracknb.log_param('lr', {lr})\n"
    for lr in (0.1, 0.1, 0.2):
        shell.run_cell(cell.format(lr=lr), store_history=True, cell_id="cell-1")

    newest, *_ = runs = runs_of()
    assert [run.data.tags["tracknb.attempt"] for run in runs] == ["3", "2", "1"]
    assert len({run.data.tags["tracknb.source.group"] for run in runs}) == 1
    assert newest.data.params == {"lr": "0.2"}


def test_cells_that_only_begin_alike_are_no_attempts_of_each_other(shell):
    for number in range(2):
        run_cell(shell, f"%%track_run --experiment nyc-taxi\nx = {number}")

    assert [run.data.tags["tracknb.attempt"] for run in runs_of()] == ["1", "1"]


def test_resume_last_continues_the_cells_newest_run(shell):
    cell = "%%track_run --experiment nyc-taxi {more}\nimport tracknb\ntracknb.log_metric('a', {step}, step={step})"
    shell.run_cell(cell.format(more="", step=0), store_history=True, cell_id="c")
    shell.run_cell(cell.format(more="--resume last", step=1), store_history=True, cell_id="c")

    [run] = runs_of()
    assert [point.step for point in tracknb.get_metric_history(run.info.run_id, "a")] == [0, 1]
    assert run.info.status == "FINISHED"


def test_a_bare_log_call_makes_a_run_that_ends_with_its_cell(shell):
    run_cell(shell, "import tracknb\ntracknb.set_experiment('nyc-taxi')\ntracknb.log_metric('a', 1)")

    [run] = runs_of()
    assert run.info.status == "FINISHED"
    assert tracknb.active_run() is None


def test_a_run_that_start_run_left_open_lives_on_into_the_next_cell(shell):
    run_cell(shell, "import tracknb\ntracknb.set_experiment('nyc-taxi')\ntracknb.start_run()")
    run_cell(shell, "tracknb.log_metric('a', 1)")
    run_cell(shell, "tracknb.end_run()")

    [run] = runs_of()
    assert run.info.status == "FINISHED"
    assert run.data.metrics == {"a": 1.0}


def test_a_loop_of_runs_in_a_tracked_cell_makes_just_these_runs(shell, capsys):
    run_cell(
        shell,
        "%%track_run --experiment nyc-taxi --tag sweep=yes\n"
        "import tracknb\n"
        "for number in range(20):\n"
        "    with tracknb.start_run(run_name=f'r{number}'):\n"
        "        tracknb.log_metric('a', number)",
    )

    runs = runs_of()
    assert {run.info.run_name for run in runs} == {f"r{number}" for number in range(20)}
    assert {run.data.tags["sweep"] for run in runs} == {"yes"}
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert capsys.readouterr().out.count("20 runs") == 1


def test_nested_cells_do_not_end_the_outer_run(shell):
    run_cell(
        shell,
        "%%track_run --experiment nyc-taxi\n"
        "import tracknb\n"
        "get_ipython().run_cell('inner = 1')\n"
        "tracknb.log_metric('after', 1)",
    )
    [run] = runs_of()
    assert run.data.metrics == {"after": 1.0}


def test_an_empty_cell_inside_a_cell_does_not_end_the_outer_run(shell):
    """IPython says that an empty cell ended, but never that it began."""
    run_cell(
        shell,
        "%%track_run --experiment nyc-taxi\nimport tracknb\nget_ipython().run_cell('')\ntracknb.log_metric('after', 1)",
    )
    [run] = runs_of()
    assert run.data.metrics == {"after": 1.0}


@pytest.mark.parametrize(("body", "status"), [("pass", "FINISHED"), ("1 / 0", "FAILED")])
def test_a_silent_cell_ends_its_run(shell, body, status):
    shell.run_cell(f"%%track_run --experiment nyc-taxi\n{body}", silent=True)
    assert [run.info.status for run in runs_of()] == [status]


@pytest.mark.parametrize(("code", "status"), [("0", "FINISHED"), ("", "FINISHED"), ("3", "FAILED")])
def test_leaving_with_zero_is_no_failure(shell, code, status):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run_cell(shell, f"%%track_run --experiment nyc-taxi\nraise SystemExit({code})")
    assert [run.info.status for run in runs_of()] == [status]


def test_a_magic_above_the_tracked_cell_works(shell, capsys):
    run_cell(shell, "%%time\n%%track_run --experiment nyc-taxi\nx = 5")

    assert shell.user_ns["x"] == 5
    assert "Wall time" in capsys.readouterr().out
    assert [run.info.status for run in runs_of()] == ["FINISHED"]


def test_hostile_names_stay_text(shell, capsys):
    name = "<img src=x onerror=alert(1)>'\"; drop table runs; --"
    shell.user_ns["name"] = name
    run_cell(
        shell,
        "import tracknb\ntracknb.set_experiment(name)\n"
        "with tracknb.start_run(run_name=name, tags={'t': name}):\n"
        "    tracknb.log_param('p', name)",
    )

    [run] = runs_of(name)
    assert (run.info.run_name, run.data.params["p"], run.data.tags["t"]) == (name, name, name)
    assert "<img src=x" not in shell.run_line_magic("track", "runs --all-experiments").html()


def test_loading_the_extension_imports_nothing_slow():
    script = (
        "import sys\n"
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "InteractiveShell().run_line_magic('load_ext', 'tracknb')\n"
        "slow = {'sqlalchemy', 'pandas', 'numpy', 'altair', 'anywidget', 'ipywidgets', 'click'}\n"
        "print(sorted(slow & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_store_for_one_cell(shell, tmp_path):
    run_cell(shell, f"%%track_run --experiment nyc-taxi --store {tmp_path}/other.db\npass")

    assert tracknb.get_experiment_by_name("nyc-taxi") is None
    assert tracknb.MlflowClient(f"{tmp_path}/other.db").get_experiment_by_name("nyc-taxi") is not None


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("--experimnt x", "Did you mean '--experiment'?"),
        ("--name a stray", "Got unexpected extra argument (stray). The cell was not run."),
        ("--tag novalue", "'novalue' is no key=value"),
        ("--name 'open", "No closing quotation"),
        ("--resume 00000000000000000000000000000000", "No run has the id"),
    ],
)
def test_a_wrong_option_is_one_clear_message_and_the_cell_does_not_run(shell, line, part):
    outcome = run_cell(shell, f"%%track_run {line}\nran = True")

    assert part in str(outcome.error_in_exec)
    assert "ran" not in shell.user_ns
    assert len(str(outcome.error_in_exec).splitlines()) == 1


def test_asking_for_help_runs_nothing(shell, capsys):
    run_cell(shell, "%%track_run --help\nran = True")

    assert "--eval-set" in capsys.readouterr().out
    assert "ran" not in shell.user_ns


def test_loading_twice_is_once_and_unloading_leaves_nothing(shell):
    before = len(shell.events.callbacks["pre_run_cell"])
    shell.run_line_magic("load_ext", "tracknb")
    shell.run_line_magic("reload_ext", "tracknb")
    assert len(shell.events.callbacks["pre_run_cell"]) == before
    run_cell(shell, "%%track_run --experiment nyc-taxi\npass")
    assert len(runs_of()) == 1

    shell.run_line_magic("unload_ext", "tracknb")
    held = [callback for callbacks in shell.events.callbacks.values() for callback in callbacks]
    assert not [callback for callback in held if "tracknb" in getattr(callback, "__module__", "")]
    assert "track" not in shell.magics_manager.magics["line"]
    assert "track_run" not in shell.magics_manager.magics["cell"]
    run_cell(shell, "%%track_run --experiment nyc-taxi\npass")
    assert len(runs_of()) == 1
    shell.run_line_magic("load_ext", "tracknb")


def test_the_source_names_its_commit(shell, tmp_path, monkeypatch):
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    for arguments in (["init", "-q", "-b", "main"], ["commit", "-q", "--allow-empty", "-m", "x"]):
        subprocess.run([*git, *arguments], check=True)
    subprocess.run(["git", "remote", "add", "origin", "https://adam:secret@example.org/taxi.git"], check=True)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    monkeypatch.setenv("JPY_SESSION_NAME", str(work / "taxi.ipynb"))
    run_cell(shell, "%%track_run --experiment nyc-taxi\npass")

    [run] = runs_of()
    assert run.data.tags["mlflow.source.name"].endswith("taxi.ipynb")
    assert run.data.tags["mlflow.source.git.commit"] == commit
    assert run.data.tags["mlflow.source.git.branch"] == "main"
    assert run.data.tags["mlflow.source.git.repoURL"] == "https://example.org/taxi.git"
    assert run.data.tags["tracknb.source.git.dirty"] == "false"


def test_a_key_in_the_cell_reaches_no_store(shell, store_path):
    run_cell(shell, "%%track_run --experiment nyc-taxi\nAPI_KEY = 'sk-abcdefghijklmnopqrstuv'\n1 / 0")
    # A traceback quotes the line that failed.
    run_cell(shell, "import tracknb\nwith tracknb.start_run():\n    dict(token='sk-abcdefghijklmnopqrstuv')['missing']")
    tracknb.client.close_stores()

    assert b"abcdefghijklmnop" not in store_path.read_bytes()


def test_track_shows_the_runs_and_says_what_it_does_not_know(shell, monkeypatch):
    run_cell(shell, "%%track_run --experiment nyc-taxi --name one\npass")
    table = shell.run_line_magic("track", "runs nyc-taxi")

    assert "one" in table.text()
    assert [run.info.run_name for run in shell.run_line_magic("track", "").runs.runs] == ["one"]
    with pytest.raises(InvalidValue, match="Did you mean 'runs'"):
        shell.run_line_magic("track", "rums")


@pytest.fixture
def taxi(shell):
    """A shell with three runs of two experiments."""
    for name, rmse, lr in [("linear", 6.5, "0.5"), ("ridge", 4.5, "0.01"), ("forest", 3.5, "auto")]:
        run_cell(
            shell,
            f"%%track_run --experiment nyc-taxi --name {name} --tag 'kind=a {name}' --param lr={lr} --no-display\n"
            f"import tracknb\ntracknb.log_metric('rmse', {rmse})",
        ).raise_error()
    run_cell(shell, "%%track_run --experiment other --name far --no-display\npass").raise_error()
    run_cell(shell, "tracknb.set_experiment('nyc-taxi')").raise_error()
    return shell


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("", ["forest", "ridge", "linear"]),
        ("metrics.rmse < 5", ["forest", "ridge"]),
        ('"metrics.rmse < 5"', ["forest", "ridge"]),
        ("metrics.rmse > -1 and params.lr < 0.1", ["ridge"]),
        ("tags.kind = 'a ridge'", ["ridge"]),
        ("tags.kind IN ('a ridge', \"a linear\") --order 'metrics.rmse DESC'", ["linear", "ridge"]),
        ("params.lr='auto'", ["forest"]),
        ("--order metrics.rmse --limit 2", ["forest", "ridge"]),
        ("--order 'metrics.rmse DESC' --order run_name --limit 1", ["linear"]),
        ("other", ["far"]),
        ("--experiment other", ["far"]),
        ("--all-experiments", ["far", "forest", "ridge", "linear"]),
        ("--tag 'kind=a forest' metrics.rmse < 5", ["forest"]),
        ("metrics.rmse < 5 --owner nobody", []),
    ],
)
def test_track_df_puts_the_runs_into_a_variable(taxi, line, names):
    run_cell(taxi, f"df = %track df {line}").raise_error()

    frame = taxi.user_ns["df"]
    assert list(frame.columns[:6]) == ["run_id", "experiment_id", "status", "artifact_uri", "start_time", "end_time"]
    assert frame["tags.mlflow.runName"].tolist() == names if names else frame.empty


def test_track_df_has_the_rows_of_the_table_and_of_search_runs(taxi):
    run_cell(taxi, "df = %track df metrics.rmse < 5").raise_error()
    run_cell(taxi, "table = %track runs metrics.rmse < 5").raise_error()

    assert len(taxi.user_ns["df"]) == len(taxi.user_ns["table"].runs) == 2
    expected = tracknb.search_runs(experiment_names=["nyc-taxi"], filter_string="metrics.rmse < 5")
    assert taxi.user_ns["df"].equals(expected)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("metrics.rmse < four", "    metrics.rmse < four\n                   ~~~~"),
        ("tags.kind = 'open", "No closing quotation"),
        ("--ordr x", "Did you mean '--order'?"),
        ("--limit -1", "-1 is not in the range"),
        ("nyc-taxy", "Did you mean 'nyc-taxi'?"),
    ],
)
def test_track_df_says_what_it_cannot_read(taxi, line, message):
    outcome = run_cell(taxi, f"df = %track df {line}")

    assert isinstance(outcome.error_in_exec, TracknbError)
    assert message in str(outcome.error_in_exec)


def test_a_failure_of_tracking_warns_once_and_leaves_the_cell_alone(shell, store_path):
    run_cell(shell, "import tracknb; tracknb.set_experiment('nyc-taxi')")
    cell = (
        "run = tracknb.start_run()\ntracknb.log_metric('a', 1)\n"
        f"import os; os.rename({str(store_path)!r}, {str(store_path)!r} + '.away')\n1 / 0"
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(2):
            outcome = run_cell(shell, cell)
            assert isinstance(outcome.error_in_exec, ZeroDivisionError)
            store_path.with_name("runs.db.away").rename(store_path)
    assert len([item for item in caught if "could not track" in str(item.message)]) == 1


def test_alerts_of_a_cell_stand_in_its_panel(shell, capsys):
    shell.run_cell("import tracknb")
    shell.run_cell(
        "%%track_run --plateau 2 --overtime 3h\n"
        "for step, loss in enumerate([1.0, 2.0, 3.0, float('nan')]):\n"
        "    tracknb.log_metric('loss', loss, step=step)"
    )

    shown = capsys.readouterr().out
    assert "alert: loss is NaN at step 3\nalert: loss has not got better for 3 steps\n" in shown


def test_a_length_of_time_that_cannot_be_read_runs_nothing(shell, capsys):
    shell.run_cell("%%track_run --overtime soon\nran = True")

    assert "like '30d', '12h' or '1d12h30m', not 'soon'" in capsys.readouterr().out
    assert "ran" not in shell.user_ns


def test_a_run_knows_the_number_in_the_brackets_of_its_cell(shell):
    shell.run_cell("1", store_history=True)
    shell.run_cell("2", store_history=True)
    outcome = shell.run_cell("%%track_run --experiment taxi\n3", store_history=True)

    [run] = tracknb.search_runs(experiment_names=["taxi"], output_format="list")
    assert run.data.tags["tracknb.source.execution_count"] == str(outcome.execution_count) == "3"
