"""The line between a page and its kernel, spoken by a client of a real kernel as JupyterLab does it."""

from __future__ import annotations

import json
import time
import uuid

import pytest
from jupyter_client.manager import start_new_kernel

import tracknb
from tracknb import answers
from tracknb.capture import document
from tracknb.notebook import line
from tracknb.view.base import MIME

LOAD = "%load_ext tracknb\nimport os, time, tracknb"
TRAIN = """%%track_run --experiment nyc-taxi --name curve
step = 0
while not os.path.exists("stop"):
    tracknb.log_metric("loss", 1 / (1 + step), step=step)
    step += 1
    time.sleep(0.05)
"""
PATIENCE = 30


class Page:
    """An output on a screen: it opens a line to the kernel, over a subshell, and asks."""

    def __init__(self, client, view):
        self.client = client
        created = self._send("control", "create_subshell_request", {})
        reply = client.get_control_msg(timeout=PATIENCE)
        assert reply["parent_header"]["msg_id"] == created
        self.subshell = reply["content"]["subshell_id"]
        self.comm = uuid.uuid4().hex
        self.heard = []
        self.tell("comm_open", {"target_name": "tracknb.view", "data": {"view": view}})

    def _send(self, channel, kind, content, subshell=None):
        message = self.client.session.msg(kind, content)
        if subshell:
            message["header"]["subshell_id"] = subshell
        getattr(self.client, f"{channel}_channel").send(message)
        return message["header"]["msg_id"]

    def tell(self, kind, content):
        self._send("shell", kind, {"comm_id": self.comm, **content}, self.subshell)

    def say(self, data):
        """Say what asks for no answer, and wait until it was heard."""
        self.tell("comm_msg", {"data": data})
        self.ask({"ask": "nothing"})

    def ask(self, question):
        """Put a question and return what the kernel says to it."""
        number = uuid.uuid4().int % 10**6
        self.tell("comm_msg", {"data": {"id": number, "question": question}})
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            told = self.next()
            if told.get("id") == number:
                return told
        raise AssertionError(f"no answer to {question}")

    def next(self):
        """Return what comes next over this line."""
        while True:
            message = self.client.get_iopub_msg(timeout=PATIENCE)
            if message["msg_type"] == "comm_msg" and message["content"]["comm_id"] == self.comm:
                return message["content"]["data"]


@pytest.fixture
def kernel(store, tmp_path, monkeypatch):
    """A client of a kernel with tracknb loaded."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(tmp_path))
    client.execute_interactive(LOAD, timeout=PATIENCE)
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def shown_payload(client):
    """Return the payload of the next output with one."""
    while True:
        message = client.get_iopub_msg(timeout=PATIENCE)
        data = message["content"].get("data", {})
        if message["msg_type"] in ("display_data", "update_display_data") and MIME in data:
            return data[MIME]


def steps_of(message):
    [run] = message["runs"]
    return [step for series in run["append"] for step in series["x"]]


def test_a_page_joins_a_running_cell_and_misses_no_point(kernel, tmp_path):
    kernel.execute(TRAIN)
    payload = shown_payload(kernel)
    time.sleep(0.5)
    page = Page(kernel, payload["view"])
    joined = page.ask({"ask": "panel", "runs": []})["answer"]
    steps = list(joined["payload"]["runs"][0]["series"][0]["x"])
    for _ in range(4):
        steps += steps_of(page.next()["push"])

    assert payload["live"] is joined["live"] is True
    assert steps == list(range(len(steps)))

    (tmp_path / "stop").touch()
    while (told := page.next())["push"]["type"] != "over":
        steps += steps_of(told["push"])
    final = page.ask({"ask": "panel", "runs": []})["answer"]["bundle"]
    [series] = final[MIME]["runs"][0]["series"]
    assert final[MIME]["runs"][0]["status"] == "FINISHED"
    assert series["count"] >= len(steps)
    assert "live" not in final[MIME]


def test_a_page_that_says_that_it_leaves_is_sent_nothing_more(kernel):
    """Its comm is closed when the cell has ended; until then each point would be sent for nobody."""
    kernel.execute(TRAIN)
    view = shown_payload(kernel)["view"]
    leaving, staying = Page(kernel, view), Page(kernel, view)
    for page in (leaving, staying):
        page.ask({"ask": "panel", "runs": []})
    leaving.tell("comm_msg", {"data": {"left": True}})
    staying.ask({"ask": "panel", "runs": []})
    time.sleep(0.5)

    senders = []
    while len(senders) < 12:
        message = kernel.get_iopub_msg(timeout=PATIENCE)
        if message["msg_type"] == "comm_msg" and "push" in message["content"]["data"]:
            senders.append(message["content"]["comm_id"])
    assert leaving.comm not in senders[4:]
    assert staying.comm in senders[4:]


def test_a_panel_that_this_kernel_does_not_hold_comes_from_the_store(kernel):
    kernel.execute_interactive(
        "with tracknb.start_run(run_name='one') as run:\n    tracknb.log_metric('loss', 1)\nprint(run.info.run_id)",
        timeout=PATIENCE,
    )
    [run_id] = ids_in_store(kernel)

    told = Page(kernel, "unknown").ask({"ask": "panel", "runs": [run_id]})["answer"]["bundle"]

    assert [run["name"] for run in told[MIME]["runs"]] == ["one"]


def test_what_a_page_says_is_no_execution(kernel):
    """Matplotlib shows and closes all figures after one, also those that the cell beside is still drawing."""
    count = "executed = []\nget_ipython().events.register('post_execute', lambda: executed.append(1))"
    kernel.execute_interactive(count, timeout=PATIENCE)
    page = Page(kernel, "unknown")
    page.say({"notebook": None})
    page.ask({"ask": "nothing"})

    told = []
    kernel.execute_interactive("print(len(executed))", timeout=PATIENCE, output_hook=told.append)

    # Its own registration is told after the cell that made it.
    assert [item["content"]["text"] for item in told if item["msg_type"] == "stream"] == ["1\n"]


def ids_in_store(client):
    answers = []
    client.execute_interactive(
        "print(*tracknb.search_runs().run_id)",
        timeout=PATIENCE,
        output_hook=lambda message: answers.append(message["content"].get("text", "")),
    )
    return "".join(answers).split()


@pytest.mark.parametrize(
    ("question", "part"),
    [
        ({"ask": "nonsense"}, "Nobody here can answer 'nonsense'"),
        ({"ask": "run"}, "needs a text as 'id'"),
        ({"ask": "run", "id": "0" * 32}, "0" * 32),
        ({"ask": ["run"]}, "Nobody here can answer"),
    ],
)
def test_a_question_that_makes_no_sense_is_told_so_on_the_page(kernel, question, part):
    page = Page(kernel, None)

    assert part in page.ask(question)["error"]
    # The line still works.
    assert "error" in page.ask(question)


class Comm:
    """A comm that sends what UTF-8 can hold, and refuses the rest before it is sent."""

    def __init__(self):
        self.sent = []

    def send(self, data, buffers=None):
        json.dumps(data, ensure_ascii=False, allow_nan=False).encode()
        self.sent.append(data)


def test_a_page_is_told_when_its_answer_cannot_be_sent(monkeypatch):
    """It would wait in vain, and then take the kernel for busy."""
    monkeypatch.setattr(answers, "answer", lambda asked, view_id: answers.Answer({"name": "\ud800"}))
    comm = Comm()

    line.Page(comm).reply(7, {"ask": "run", "id": "a"}, None)

    (told,) = comm.sent
    assert told["id"] == 7
    assert told["error"].startswith("tracknb could not answer. UnicodeEncodeError")


def test_half_a_letter_in_a_question_is_answered():
    comm = Comm()

    line.Page(comm).reply(8, {"ask": "\ud800"}, None)

    assert [told["id"] for told in comm.sent] == [8]
    assert "Nobody here can answer" in comm.sent[0]["error"]


def execute(client, source, cell_id):
    """Run a cell as JupyterLab does, which tells the id of the cell; returns its number in the brackets."""
    content = {"code": source, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
    message = client.session.msg("execute_request", content, metadata={"cellId": cell_id})
    client.shell_channel.send(message)
    while True:
        reply = client.get_shell_msg(timeout=PATIENCE)
        if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
            return reply["content"]["execution_count"]


def test_a_cell_that_a_page_says_was_edited_is_told_of(kernel, tmp_path):
    """What R127 asks for: the notebook need not be saved."""
    train = "%%track_run --experiment taxi\ntracknb.log_metric('loss', lr)"
    count = execute(kernel, "lr = 0.1", "lr")
    page = Page(kernel, None)
    cells = [["lr", document.digest("lr = 0.1")], ["train", document.digest(train)]]
    page.say({"notebook": {"cells": cells, "before": ""}})
    execute(kernel, train, "train")
    page.say({"notebook": {"cells": [["lr", document.digest("lr = 0.2")], cells[1]], "before": ""}})
    execute(kernel, train, "train")
    page.say({"notebook": {"cells": "all", "before": 3}})
    page.say({"notebook": cells})
    page.say({"notebook": {"cells": cells[1:]}})
    execute(kernel, train, "train")

    tracknb.set_tracking_uri(str(tmp_path / "tracknb.db"))
    runs = tracknb.search_runs(experiment_names=["taxi"], output_format="list", order_by=["start_time ASC"])
    assert [(run.data.tags["tracknb.grade"], run.data.tags.get("tracknb.hidden_state")) for run in runs] == [
        ("clean", None),
        (
            "stale name",
            f"lr came from an older version of the cell [{count}]. Run the cell [{count}] again, then this one.",
        ),
        (
            "stale name",
            f"lr came from the cell [{count}], which is no longer in the notebook. "
            "Put its code back (%track code shows it), then run this cell again.",
        ),
    ]


def test_what_a_page_that_left_said_no_longer_counts(kernel, tmp_path):
    train = "%%track_run --experiment taxi\ntracknb.log_metric('loss', lr)"
    execute(kernel, "lr = 0.1", "lr")
    page = Page(kernel, None)
    page.say({"notebook": {"cells": [["lr", 1], ["train", document.digest(train)]]}})
    page.say({"left": True})
    execute(kernel, train, "train")

    tracknb.set_tracking_uri(str(tmp_path / "tracknb.db"))
    [run] = tracknb.search_runs(experiment_names=["taxi"], output_format="list")
    assert run.data.tags["tracknb.grade"] == "clean"
