"""What runs keep of their surroundings: tracked cells as files, scripts in tags."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import warnings

import pytest

import tracknb
from tests.capture.installed import install
from tests.capture.test_facts import ask, work
from tracknb import provenance
from tracknb.capture import lockfile
from tracknb.jupyter.stores import Stores

__all__ = ["work"]


def files_of(run):
    found = []
    for item in tracknb.MlflowClient().list_artifacts(run.info.run_id):
        inside = tracknb.MlflowClient().list_artifacts(run.info.run_id, item.path) if item.is_dir else [item]
        found += [each.path for each in inside]
    return found


def read(run, path):
    return tracknb.artifacts.load_text(f"runs:/{run.info.run_id}/{path}")


def last_run():
    return tracknb.search_runs(search_all_experiments=True, output_format="list", max_results=1)[0]


def script(store, folder, source, site=None, **variables):
    """Run a script in a folder, as a user would."""
    env = os.environ | {"TRACKNB_TRACKING_URI": f"sqlite:///{store}"} | variables
    if site is not None:
        env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH", "")]))
    done = subprocess.run([sys.executable, "-c", source], cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_a_tracked_cell_keeps_its_packages_its_changes_and_what_git_does_not_have(shell, work, monkeypatch):
    (work / "a.py").write_text("a = 2\n")
    (work / "features.py").write_text("token = 'abc123def'\n")
    monkeypatch.chdir(work)
    monkeypatch.syspath_prepend(work)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("TAXI_SECRET", "hunter22")

    shell.run_cell("%%track_run --experiment nyc-taxi\nimport a, features")
    sys.modules.pop("a"), sys.modules.pop("features")

    run = last_run()
    assert files_of(run) == ["environment/pylock.toml", "git/diff.patch", "git/untracked"]
    told = tomllib.loads(read(run, "environment/pylock.toml"))
    packages = {item["name"]: item for item in told["packages"]}
    assert packages["sqlalchemy"]["version"] == __import__("sqlalchemy").__version__
    assert told["tool"]["tracknb"]["variables"]["OMP_NUM_THREADS"] == "3"
    assert "hunter22" not in read(run, "environment/pylock.toml")
    assert read(run, "git/diff.patch").endswith("-a = 1\n+a = 2\n")
    assert read(run, "git/untracked/features.py") == "token = '***'\n"
    tags = run.data.tags
    assert tags["mlflow.source.git.commit"] == ask(work, "rev-parse", "HEAD")
    assert tags["tracknb.source.git.changes"].startswith("1 file, +1 -1, patch ")
    assert tags["tracknb.source.git.untracked"] == "features.py"
    assert tags["tracknb.env.packages"] == str(len(packages))
    assert "tracknb.env.lock" not in tags


def test_what_a_saved_notebook_is_compared_by_tells_nothing_of_this_machine(shell, work, monkeypatch):
    (work / "a.py").write_text("a = 2\n")
    monkeypatch.chdir(work)
    cell = "%%track_run --experiment nyc-taxi\nimport tracknb; tracknb.log_text('x', 'notes/x.txt')"
    shell.run_cell(cell)

    page = tracknb.show(last_run().info.run_id)
    assert "notes/x.txt" in page.text()
    assert "pylock" not in page.text()
    assert "git/" not in page.text()
    assert "environment/pylock.toml" in page.text(times=True)


def test_an_edit_between_two_runs_of_a_cell_is_in_the_second(shell, work, monkeypatch):
    monkeypatch.chdir(work)
    shell.run_cell("%%track_run --experiment nyc-taxi\nimport time; time.sleep(1.1)")
    (work / "a.py").write_text("a = 2\n")
    shell.run_cell("%%track_run --experiment nyc-taxi\nimport time; time.sleep(1.1)")

    second, first = tracknb.search_runs(experiment_names=["nyc-taxi"], output_format="list")
    assert (files_of(first), files_of(second)) == (
        ["environment/pylock.toml"],
        ["environment/pylock.toml", "git/diff.patch"],
    )


def test_a_run_of_a_script_has_no_files_it_did_not_log_and_keeps_the_same(store, work):
    """MLflow lists no files for such a run, and code that was written for it may count on that."""
    (work / "a.py").write_text("a = 2\n")
    (work / "features.py").write_text("")
    script(store, work, "import tracknb\nwith tracknb.start_run(): import a, features")

    run = last_run()
    assert files_of(run) == []
    lock = provenance.lock_of(tracknb.MlflowClient(), run)
    assert lock is not None
    assert str(len(lock.versions)) == run.data.tags["tracknb.env.packages"]
    assert "sqlalchemy" in lock.versions
    assert provenance.unpacked(run.data.tags["tracknb.source.git.diff"]).endswith("-a = 1\n+a = 2\n")
    assert run.data.tags["tracknb.source.git.untracked"] == "features.py"


def test_a_script_that_leaves_its_run_open_keeps_its_packages_too(store, tmp_path):
    site = tmp_path / "site"
    install(site, "taxi-lib", "1.0", {"taxilib.py": ""})
    script(store, tmp_path, "import tracknb\ntracknb.log_param('a', 1)\nimport taxilib", site)

    lock = provenance.lock_of(tracknb.MlflowClient(), last_run())
    assert lock is not None
    assert lock.versions["taxi-lib"] == "1.0"


def test_a_comparison_names_the_package_that_changed_and_no_other(store, tmp_path):
    for version in ("1.0", "2.0"):
        site = tmp_path / version
        install(site, "taxi-lib", version, {"taxilib.py": ""}, requires=["taxi-same"])
        install(site, "taxi-same", "7", {"taxisame.py": ""})
        source = f"import tracknb, taxilib\ntracknb.start_run(run_name='with {version}')"
        script(store, tmp_path, source, site, OMP_NUM_THREADS=version[0])

    shown = tracknb.compare("with 1.0", "with 2.0")

    packages = [row for row in shown.rows() if row.section == "packages"]
    assert [(row.key, row.cells, row.differs) for row in packages] == [("taxi-lib", ("1.0", "2.0"), True)]
    assert [row.cells for row in shown.rows() if row.key == "OMP_NUM_THREADS"] == [("1", "2")]
    assert "taxi-lib" in shown.text()
    assert "taxi-lib" in shown.html()
    [fact] = [fact for fact in shown.payload()["facts"] if fact["section"] == "packages"]
    assert (fact["key"], fact["dict"]) == ("taxi-lib", ["1.0", "2.0"])


def test_a_comparison_says_in_a_line_what_only_some_runs_imported(store, tmp_path):
    site = tmp_path / "site"
    for name in ("lib", "more"):
        install(site, f"taxi-{name}", "1", {f"taxi{name}.py": ""})
    script(store, tmp_path, "import tracknb, taxilib\ntracknb.start_run(run_name='less')", site)
    script(store, tmp_path, "import tracknb, taxilib, taximore\ntracknb.start_run(run_name='more')", site)

    shown = tracknb.compare("less", "more")
    assert [(row.key, row.cells) for row in shown.rows() if row.section == "packages"] == [
        ("only in some", (None, "taxi-more"))
    ]


def test_the_run_page_counts_packages_and_changes_and_shows_nothing_packed(store, work):
    (work / "a.py").write_text("a = 2\n")
    script(store, work, "import tracknb\nwith tracknb.start_run(): pass")

    page = tracknb.show(last_run().info.run_id)
    tags = last_run().data.tags
    assert f", {tags['tracknb.env.packages']} packages" in page.text(times=True)
    assert f"with changes that are not committed ({tags['tracknb.source.git.changes']})" in page.text(times=True)
    for packed in (tags["tracknb.env.lock"], tags["tracknb.source.git.diff"]):
        assert packed not in str(page.payload())


def test_where_files_cannot_be_kept_the_cell_is_told_once_and_goes_on(shell, store, tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("")
    tracknb.create_experiment("blocked", artifact_location=str(blocked / "below"))
    monkeypatch.setattr(provenance, "_told", set())
    cell = "%%track_run --experiment blocked\nanswer = 42"
    with pytest.warns(RuntimeWarning, match="environment or changes are not kept"):
        assert shell.run_cell(cell).success

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert shell.run_cell(cell).success

    assert shell.user_ns["answer"] == 42
    assert [run.info.status for run in tracknb.search_runs(experiment_names=["blocked"], output_format="list")] == [
        "FINISHED",
        "FINISHED",
    ]
    assert int(last_run().data.tags["tracknb.env.packages"]) > 5


def test_only_variables_that_the_user_names_are_kept_besides_the_harmless_ones(store, tmp_path):
    script(
        store,
        tmp_path,
        "import tracknb\ntracknb.start_run()",
        TRACKNB_ENV_ALLOW="TAXI_CITY, TAXI_API_KEY",
        TAXI_CITY="nyc",
        TAXI_API_KEY="hunter22",
        TAXI_OTHER="x",
        PYTHONHASHSEED="0",
    )
    lock = provenance.lock_of(tracknb.MlflowClient(), last_run())
    assert lock is not None
    own = {key: value for key, value in lock.variables.items() if key.startswith(("TAXI", "PYTHON"))}
    assert own == {"PYTHONHASHSEED": "0", "TAXI_API_KEY": "***", "TAXI_CITY": "nyc"}


@pytest.mark.parametrize("odd", ["", "no base85 \x00", provenance.packed("no lock file") or ""])
def test_a_tag_that_somebody_else_wrote_is_no_environment(store, odd):
    with tracknb.start_run() as run:
        pass
    tracknb.MlflowClient().set_tag(run.info.run_id, "tracknb.env.lock", odd.replace("\x00", "\x01"))
    assert provenance.lock_of(tracknb.MlflowClient(), last_run()) is None


def test_a_tag_that_unpacks_to_gigabytes_is_not_unpacked():
    bomb = provenance.packed("x" * 20_000_000)
    if bomb is None:
        bomb = provenance.packed("x" * 3_000_000)
    assert bomb is not None
    with pytest.raises(ValueError, match="too large"):
        provenance.unpacked(bomb)


def test_workers_of_a_script_leave_its_environment_to_it(store, tmp_path):
    script(
        store,
        tmp_path,
        "import tracknb, multiprocessing\n"
        "def work(n):\n    tracknb.log_metric('m', n)\n    tracknb.end_run()\n"
        "with tracknb.start_run():\n"
        "    fork = multiprocessing.get_context('fork')\n"
        "    workers = [fork.Process(target=work, args=(n,)) for n in range(2)]\n"
        "    [worker.start() for worker in workers]\n    [worker.join(20) for worker in workers]\n",
    )
    run = last_run()
    assert run.info.status == "FINISHED"
    assert lockfile.read(provenance.unpacked(run.data.tags["tracknb.env.lock"])).versions


def test_an_interrupt_while_git_is_waited_for_loses_no_end_of_a_run(store, work, tmp_path):
    slow = tmp_path / "bin"
    slow.mkdir()
    (slow / "git").write_text("#!/bin/sh\nexec /bin/sleep 20\n")
    (slow / "git").chmod(0o755)
    script(
        store,
        work,
        "import os, signal, tracknb\n"
        "os.environ['PATH'] = os.environ['SLOW_GIT']\n"
        "run = tracknb.start_run()\n"
        "signal.signal(signal.SIGALRM, signal.default_int_handler)\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.7)\n"
        "try:\n    tracknb.end_run()\nexcept KeyboardInterrupt:\n    pass\n"
        "else:\n    raise SystemExit('it was not interrupted')\n"
        "status = tracknb.get_run(run.info.run_id).info.status\n"
        "assert status == 'FINISHED', status\n",
        SLOW_GIT=str(slow),
    )


def test_a_server_reads_no_environment_outside_of_its_folders(shell, store, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    tracknb.create_experiment("elsewhere", artifact_location=str(elsewhere))
    shell.run_cell("%%track_run --experiment elsewhere\npass")
    run = last_run()
    assert provenance.lock_of(tracknb.MlflowClient(), run) is not None

    stores = Stores(str(store.parent))
    client = stores.client(stores.around("")[0][0])

    assert provenance.lock_of(client, client.get_run(run.info.run_id)) is None
