"""Files that are damaged, foreign, newer, moved, or known under two names: said by class, and left as they are."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import time
from random import Random

import pytest

from .conftest import Children, assert_contract, contents, integrity, query, reported

# What a notebook does with a store: reading, and every kind of writing.
ALL_CALLS = """
def all_calls():
    return [
        tried(tracknb.search_experiments),
        tried(tracknb.search_runs, output_format="list"),
        tried(tracknb.get_run, "0" * 32),
        tried(tracknb.get_metric_history, "0" * 32, "loss"),
        tried(tracknb.set_experiment, "mine"),
        tried(tracknb.create_experiment, "mine too"),
        tried(tracknb.start_run),
        tried(tracknb.log_param, "a", 1),
        tried(tracknb.log_metric, "a", 1),
        tried(tracknb.set_tag, "a", 1, run_id="0" * 32),
        tried(tracknb.log_text, "text", "a.txt"),
    ]
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A store with a run of 2,000 points, closed, and the id of the run."""
    folder = tmp_path_factory.mktemp("template")
    script = """
    tracknb.set_experiment("disk")
    with tracknb.start_run(run_name="r") as run:
        log(0, 2_000)
        tracknb.log_params({f"p{n}": "v" * 50 for n in range(200)})
    close_stores()
    report(run_id=run.info.run_id)
    """
    run_id = Children(folder).run(script)["run_id"]
    return folder / "runs.db", run_id


@pytest.fixture
def made(children, template):
    """Children with a copy of that store."""
    path, children.run_id = template
    shutil.copy(path, children.path)
    return children


def names_in(folder):
    """Return the names in a folder: also an empty file beside somebody's database is one too many."""
    return sorted(os.listdir(folder))


def overwritten(content, chance):
    pages = len(content) // 4096
    changed = bytearray(content)
    # The tables that every call needs come first; the others are hit by chance.
    for page in {*range(1, 8), *chance.sample(range(1, pages), pages // 3)}:
        changed[page * 4096 : (page + 1) * 4096] = chance.randbytes(4096)
    return bytes(changed)


DAMAGE = {
    "a third of the pages overwritten": overwritten,
    "the first page overwritten": lambda content, chance: chance.randbytes(4096) + content[4096:],
    "the first page zeroed": lambda content, chance: bytes(4096) + content[4096:],
    "the first page kept, all else zeroed": lambda content, chance: content[:4096] + bytes(len(content) - 4096),
    "all zeroed": lambda content, chance: bytes(len(content)),
    "cut to half a page": lambda content, chance: content[:2048],
    "cut to the header": lambda content, chance: content[:100],
    "cut in the middle": lambda content, chance: content[: len(content) // 2 + 100],
    "all but the first page overwritten": lambda content, chance: (
        content[:4096] + chance.randbytes(len(content) - 4096)
    ),
    "the schema overwritten": lambda content, chance: content[:108] + chance.randbytes(3988) + content[4096:],
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_store_is_called_damaged_and_stays_as_it_is(made, damage):
    """So that what can be saved can still be saved: no call, reading or writing, changes a byte."""
    made.path.write_bytes(DAMAGE[damage](made.path.read_bytes(), Random(1)))
    before = contents(made.folder)
    found = made.run(ALL_CALLS + "report(problems=all_calls(), again=all_calls())")

    # Some calls touch no damaged page and may answer; not one may say something else.
    told = [problem for problem in found["problems"] + found["again"] if problem is not None]
    assert told
    kinds = {problem["kind"] for problem in told} - {"NotFound", "NoActiveRun"}
    assert kinds == {"StoreDamaged"}, [problem for problem in told if problem["kind"] != "StoreDamaged"][:2]
    for problem in told:
        if problem["kind"] == "StoreDamaged":
            assert_contract(problem, "StoreDamaged", made.path)
    assert contents(made.folder) == before


def test_points_on_a_damaged_page_are_not_made_up(made):
    """A history is what was logged, or an error; nothing in between."""
    content = bytearray(made.path.read_bytes())
    [(root,)] = query(made.path, "SELECT rootpage FROM sqlite_master WHERE name = 'metrics'")
    content[(root - 1) * 4096 : root * 4096] = Random(7).randbytes(4096)
    made.path.write_bytes(content)
    found = made.run("report(problem=tried(lambda: report(points=points(arguments[0]))))", made.run_id)

    assert_contract(found["problem"], "StoreDamaged", made.path)


def test_a_damaged_log_of_the_database_is_not_taken_for_data(children):
    """Frames whose checksums are wrong were never committed; what came before them counts."""
    script = """
    run_id = begin()
    tracknb.flush()
    report(run_id=run_id)
    os.kill(os.getpid(), signal.SIGKILL)
    """
    child = children.start(script)
    run_id = reported(child.communicate(timeout=60)[0])["run_id"]
    wal = children.path.with_name("runs.db-wal")
    content = bytearray(wal.read_bytes())
    for place in range(len(content) * 3 // 4, len(content)):
        content[place] ^= 0x5A
    wal.write_bytes(content)
    found = children.run(
        "report(runs=len(tracknb.search_experiments()), problem=tried(tracknb.get_run, arguments[0]))", run_id
    )

    assert found["problem"] is None or found["problem"]["kind"] in ("NotFound", "StoreDamaged")
    assert integrity(children.path) == [("ok",)]


def test_an_empty_file_becomes_a_store(children):
    """What `touch` or an interrupted first start leaves is nobody's data."""
    children.path.touch()
    found = children.run("end(begin())")

    assert found["steps"] == list(range(20))


# -- what is not ours ---------------------------------------------------------------------------


def make_foreign(path, *, wal=False, version=0):
    connection = sqlite3.connect(path)
    if wal:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA wal_autocheckpoint=0")
    connection.execute("CREATE TABLE users (name TEXT)")
    connection.execute("CREATE TABLE runs (id INTEGER)")
    connection.execute(f"PRAGMA user_version={version}")
    connection.commit()
    connection.executemany("INSERT INTO users VALUES (?)", [("somebody",)] * 1_000)
    connection.commit()
    return connection


FOREIGN = {
    "a database": lambda path: make_foreign(path).close(),
    "a database with a version of its own": lambda path: make_foreign(path, version=7).close(),
    "a database in WAL mode": lambda path: make_foreign(path, wal=True).close(),
    "a text": lambda path: path.write_text("name,score\nann,1\n" * 100),
    "one byte": lambda path: path.write_bytes(b"x"),
    "fifteen bytes of a header": lambda path: path.write_bytes(b"SQLite format 3"),
    "a header and nothing else": lambda path: path.write_bytes(b"SQLite format 3\x00"),
    "an encrypted-looking file": lambda path: path.write_bytes(Random(3).randbytes(50_000)),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_a_file_of_somebody_else_is_refused_by_every_call_and_not_touched(children, what):
    FOREIGN[what](children.path)
    before, names, stamp = contents(children.folder), names_in(children.folder), children.path.stat().st_mtime_ns
    found = children.run(ALL_CALLS + "report(problems=all_calls(), again=all_calls())")

    for problem in found["problems"] + found["again"]:
        if problem is None or problem["kind"] != "NoActiveRun":
            assert_contract(problem, "StoreDamaged", children.path)
    assert contents(children.folder) == before
    assert names_in(children.folder) == names
    assert children.path.stat().st_mtime_ns == stamp


def test_a_point_for_a_file_of_somebody_else_is_refused_and_leaves_nothing_beside_it(children):
    """The shortest way to log is by the id of a run; it must not pass by the look at the file."""
    make_foreign(children.path).close()
    before = contents(children.folder)
    script = """
    problem = tried(TrackingClient().log_metric, "0" * 32, "loss", 1.0)
    report(problem=problem, again=tried(TrackingClient().log_metric, "0" * 32, "loss", 1.0), flush=tried(tracknb.flush))
    """
    found = children.run(script)

    assert_contract(found["problem"], "StoreDamaged", children.path)
    assert_contract(found["again"], "StoreDamaged", children.path)
    assert contents(children.folder) == before


HOLDER = """
import sqlite3
connection = sqlite3.connect(store)
connection.execute("PRAGMA journal_mode=WAL")
connection.execute("PRAGMA wal_autocheckpoint=0")
connection.execute("CREATE TABLE users (name TEXT)")
connection.execute("INSERT INTO users VALUES ('somebody')")
connection.commit()
report(ready=True)
sys.stdin.readline()
connection.execute("INSERT INTO users VALUES ('somebody else')")
connection.commit()
report(rows=connection.execute("SELECT count(*) FROM users").fetchone()[0])
sys.stdin.readline()
os._exit(0)
"""


def test_a_database_that_another_program_has_open_is_not_touched_nor_is_its_log(children):
    """All it holds is still in its WAL: the file itself looks empty."""
    holder = children.start(HOLDER, stdin=subprocess.PIPE)
    assert holder.stdout.readline().startswith("REPORT")
    before = contents(children.folder)
    names = names_in(children.folder)
    found = children.run(ALL_CALLS + "report(problems=all_calls())")
    after, names_after = contents(children.folder), names_in(children.folder)
    holder.stdin.write("\n")
    holder.stdin.flush()
    rows = reported(holder.stdout.readline())
    holder.stdin.write("\n")
    holder.stdin.flush()
    holder.wait()

    for problem in found["problems"]:
        if problem is None or problem["kind"] != "NoActiveRun":
            assert_contract(problem, "StoreDamaged", children.path)
    assert after == before
    assert names_after == names
    assert rows == {"rows": 2}


def test_a_database_whose_program_died_keeps_its_log(children):
    """Its WAL is not checkpointed, and its program may want to look at it."""
    holder = children.start(HOLDER, stdin=subprocess.PIPE)
    holder.stdout.readline()
    holder.kill()
    holder.wait()
    before = contents(children.folder)
    found = children.run(ALL_CALLS + "report(problems=all_calls())")

    for problem in found["problems"]:
        if problem is None or problem["kind"] != "NoActiveRun":
            assert_contract(problem, "StoreDamaged", children.path)
    assert "runs.db-wal" in before
    assert contents(children.folder) == before
    assert query(children.path, "SELECT count(*) FROM users") == [(1,)]


def test_a_database_with_a_half_done_transaction_of_another_program_is_not_rolled_back_by_us(children):
    """Its hot journal belongs to the program that wrote it."""
    script = """
    import sqlite3
    connection = sqlite3.connect(store)
    connection.execute("CREATE TABLE users (name TEXT)")
    connection.executemany("INSERT INTO users VALUES (?)", [("x" * 500,)] * 2_000)
    connection.commit()
    connection.execute("PRAGMA cache_size=5")
    connection.execute("PRAGMA cache_spill=ON")
    connection.execute("UPDATE users SET name = 'y'")
    os.kill(os.getpid(), signal.SIGKILL)
    """
    children.start(script).wait(timeout=60)
    before = contents(children.folder)
    found = children.run(ALL_CALLS + "report(problems=all_calls())")

    assert "runs.db-journal" in before
    for problem in found["problems"]:
        if problem is None or problem["kind"] != "NoActiveRun":
            assert problem is not None
            assert problem["kind"] in ("StoreDamaged", "StoreError")
    assert contents(children.folder) == before


@pytest.mark.parametrize("in_the_log", [False, True])
def test_a_newer_store_is_refused_by_every_call_and_not_touched(made, in_the_log):
    connection = sqlite3.connect(made.path)
    connection.execute("PRAGMA wal_autocheckpoint=0")
    connection.execute("PRAGMA user_version=9999")
    connection.execute("CREATE TABLE of_the_future (x)")
    connection.commit()
    if not in_the_log:
        connection.close()
    before = contents(made.folder)
    found = made.run(ALL_CALLS + "report(problems=all_calls())")

    assert ("runs.db-wal" in before and len(before["runs.db-wal"]) > 0) == in_the_log
    for problem in found["problems"]:
        if problem is None or problem["kind"] != "NoActiveRun":
            assert_contract(problem, "StoreTooNew", made.path, "pip install -U tracknb")
    assert contents(made.folder) == before
    connection.close()


# -- moved under an open process ----------------------------------------------------------------


GONE = {
    "deleted": "os.unlink(store)",
    "deleted with all that lay beside it": "[os.unlink(os.path.join(folder, n)) for n in os.listdir(folder)]",
    "moved": "os.rename(store, store + '.old')",
    "replaced by another store": "os.replace(other, store)",
    "replaced by a text": "os.unlink(store); open(store, 'w').write('mine')",
    "replaced by a copy of itself": "shutil.copy(store, other); os.replace(other, store)",
    "its folder moved": "os.rename(folder, folder + '-old')",
}


@pytest.mark.parametrize("what", GONE)
def test_a_store_that_is_gone_while_it_is_open_is_noticed_and_what_is_there_now_is_not_written(made, what):
    script = f"""
    import shutil
    folder = os.path.dirname(store)
    other = os.path.join(folder, "other.db")
    if "another store" in {what!r}:
        tracknb.set_tracking_uri(other)
        tracknb.set_experiment("other")
        close_stores()
        tracknb.set_tracking_uri(store)
    run_id = begin()
    tracknb.flush()
    {GONE[what]}
    before = open(store, "rb").read() if os.path.exists(store) else None
    problems = dict(
        param=tried(tracknb.log_param, "refused", 1),
        tag=tried(tracknb.set_tag, "refused", 1),
        experiment=tried(tracknb.set_experiment, "refused"),
        run=tried(tracknb.get_run, run_id),
        flush=tried(lambda: (log(20, 21), tracknb.flush())),
        end=tried(tracknb.end_run),
    )
    after = open(store, "rb").read() if os.path.exists(store) else None
    report(problems=problems, same=before == after, there=after is not None)
    os._exit(0)
    """
    found = made.run(script)

    for problem in found["problems"].values():
        assert_contract(problem, "StoreMoved", made.path)
    assert found["same"]
    assert found["there"] == what.startswith("replaced")


def test_a_store_that_comes_back_is_written_on_by_the_same_process(made):
    script = """
    run_id = begin()
    tracknb.flush()
    os.rename(store, store + ".away")
    problems = [tried(tracknb.log_param, "refused", 1), tried(lambda: (log(20, 30), tracknb.flush()))]
    os.rename(store + ".away", store)
    tracknb.log_param("after", 1)
    log(30, 40)
    end(run_id)
    report(problems=problems)
    """
    found = made.run(script)

    for problem in found["problems"]:
        assert_contract(problem, "StoreMoved", made.path)
    # The flush failed, not the points: they waited.
    assert found["steps"] == list(range(40))
    assert found["params"] == {"before": "1", "after": "1"}


def test_a_process_of_a_moved_store_begins_with_what_is_there_once_it_lets_go(made):
    """What the message says to do, in one process: nothing of the old store is in the new one."""
    script = """
    run_id = begin()
    tracknb.end_run()
    os.unlink(store)
    problem = tried(tracknb.set_experiment, "refused")
    close_stores()
    run_id = begin("fresh")
    end(run_id)
    report(problem=problem, experiments=sorted(e.name for e in tracknb.search_experiments()))
    """
    found = made.run(script)

    assert_contract(found["problem"], "StoreMoved", made.path)
    assert found["experiments"] == ["Default", "fresh"]
    assert found["steps"] == list(range(20))
    assert integrity(made.path) == [("ok",)]


# -- one store under several names --------------------------------------------------------------


SPELLINGS = {
    "a link to the file": ("link.db", "os.symlink(store, os.path.join(folder, 'link.db'))"),
    "a relative link to the file": ("link.db", "os.symlink('runs.db', os.path.join(folder, 'link.db'))"),
    "a link to the folder": ("../linked/runs.db", "os.symlink(folder, os.path.join(folder, '..', 'linked'))"),
    "dots": ("../store/./runs.db", "None"),
    "two slashes": ("//runs.db", "None"),
}


@pytest.mark.parametrize("first", ["the link", "the file"])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_one_store_under_two_names_in_one_process_is_one_store(children, spelling, first):
    """SQLite's own locks would fall if one name's descriptor closed under the other's feet."""
    name, make = SPELLINGS[spelling]
    script = f"""
    folder = os.path.dirname(store)
    second = folder + "/" + {name!r}
    if not "link" in {spelling!r} or {first!r} == "the file":
        tracknb.set_experiment("disk")
        close_stores()
    {make}
    names = [second, store] if {first!r} == "the link" else [store, second]
    here, there = TrackingClient(names[0]), TrackingClient(names[1])
    tracknb.set_tracking_uri(names[0])
    run_id = begin()
    for step in range(20, 200):
        (there if step % 2 else here).log_metric(run_id, "loss", step / 2, step=step)
        if step % 20 == 0:
            there.log_param(run_id, f"p{{step}}", step)
            here.set_tag(run_id, f"t{{step}}", step)
    seen = [len(client.get_metric_history(run_id, "loss")) for client in (here, there)]
    end(run_id)
    close_stores()
    ours = sorted(n for n in os.listdir(folder) if "runs-artifacts" not in n and "link-artifacts" not in n)
    report(seen=seen, files=ours)
    """
    found = children.run(script)

    assert found["seen"] == [200, 200]
    assert found["steps"] == list(range(200))
    assert len(found["params"]) == 10
    assert found["status"] == "FINISHED"
    assert found["files"] in (["runs.db"], ["link.db", "runs.db"])
    assert integrity(children.path) == [("ok",)]


def test_processes_that_use_a_link_and_the_file_share_one_log(children):
    """A WAL beside the link would be a second one, and the end of both."""
    link = children.folder / "link.db"
    script = """
    tracknb.set_experiment("disk")
    time.sleep(max(0, float(arguments[0]) - time.time()))
    with tracknb.start_run():
        for step in range(300):
            tracknb.log_metric("loss", step, step=step)
            if step % 30 == 0:
                tracknb.log_param(f"p{step}", step)
    """
    children.run("tracknb.search_experiments()")
    link.symlink_to("runs.db")
    start = time.time() + 1.5
    processes = [children.start(script, start, store=path) for path in (children.path, link) for _ in range(2)]
    problems = [process.communicate(timeout=60)[1] for process in processes]

    assert problems == [""] * 4
    assert query(children.path, "SELECT count(*) FROM metrics") == [(1_200,)]
    assert query(children.path, "SELECT count(*) FROM params") == [(40,)]
    assert not (children.folder / "link.db-wal").exists()
    assert integrity(children.path) == [("ok",)]


def test_a_link_to_nowhere_becomes_a_store_where_it_points(children):
    target = children.folder / "real" / "runs.db"
    target.parent.mkdir()
    children.path.symlink_to(target)
    found = children.run("end(begin())")

    assert found["steps"] == list(range(20))
    assert target.is_file()
    assert children.path.is_symlink()


def test_points_of_a_process_that_died_are_found_through_a_link_too(children):
    """The spool lies beside the name the process used, the next opener may come by another."""
    children.run("tracknb.set_experiment('disk')")
    (children.folder / "elsewhere").mkdir()
    link = children.folder / "elsewhere" / "link.db"
    link.symlink_to(children.path)
    child = children.start("report(run_id=begin()); os.kill(os.getpid(), signal.SIGKILL)", store=link)
    run_id = reported(child.communicate(timeout=60)[0])["run_id"]
    found = children.run("tracknb.get_run(arguments[0]); report(steps=[s for s, v in points(arguments[0])])", run_id)

    assert found["steps"] == list(range(20))
    shutil.rmtree(children.folder / "elsewhere")
