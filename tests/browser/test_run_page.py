"""The page of a run in a real JupyterLab: what it shows, what is changed there, what files hold."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys

import nbformat
import pytest

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=alert(1)>"
LOAD = "%load_ext tracknb\nimport time, tracknb"
TRAIN = """%%track_run --experiment nyc-taxi --name forest --tag stage=candidate --eval-set v1 --note "a *first* try"
for step, value in enumerate((3, 1, 2)):
    tracknb.log_metric("rmse", value, step=step)
for step in range(12):
    tracknb.log_metrics({"train_loss": 1 / (1 + step), "val_loss": 1.5 / (1 + step)}, step=step)
tracknb.log_param("model", "forest")
tracknb.log_text("fare,km\\n4.5,1\\n12.0,5\\n", "data/raw/january/rides.csv")
tracknb.log_text("plain words", "notes.txt")
import base64
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
import io
tracknb.log_stream(io.BytesIO(base64.b64decode(PNG)), "dot.png")
tracknb.log_text("<h1>Report</h1><script>parent.alert(1)</script><img src=https://evil.invalid/x onerror=alert(1)>", "report.html")
"""  # noqa: E501


def tags_of(lab, store):
    with sqlite3.connect(lab.folder / f"{store}.db") as connection:
        return dict(connection.execute("SELECT tags.key, tags.value FROM tags JOIN runs ON runs.id = tags.run"))


def run_each(lab_page, count):
    lab_page.wait_for_kernel()
    for number in range(count):
        lab_page.run_cell(number)
        lab_page.wait_until_done(number)


@pytest.fixture
def page(lab, lab_page, request):
    """The page of a run, made by `%track show last`, and the name of its store."""
    # A test that is done again needs a store of its own.
    store = re.sub(r"\W", "_", request.node.name)[:40] + f"_{getattr(request.node, 'execution_count', 1)}"
    cells = [f"{LOAD}\ntracknb.set_tracking_uri('{store}.db')", TRAIN, "%track show last"]
    lab_page.open(lab.write(f"{store}.ipynb", cells))
    run_each(lab_page, len(cells))
    view = lab_page.output(2)
    view.get_by_role("tab", name="Overview").wait_for(timeout=20_000)
    view.get_by_role("button", name="Edit the note").wait_for(timeout=20_000)
    yield view, lab_page, store
    assert lab_page.errors == []
    assert lab_page.foreign == []


def test_it_shows_each_label_and_value(page):
    view, _, _ = page
    rows = view.locator(".tnb-facts > div").evaluate_all(
        "rows => rows.map(row => [...row.children].map(cell => cell.innerText.trim()))"
    )
    facts = dict(rows)

    assert facts["Experiment"] == "nyc-taxi"
    assert facts["Status"] == "Finished"
    assert facts["Cell"] == "executed as [2]"
    assert facts["Source"].endswith(".ipynb")
    assert facts["Environment"].startswith("Python 3")
    assert facts["Evaluation set"] == "v1"
    assert {"Submitted by", "Start", "End", "Duration", "Run id"} <= set(facts)
    row = view.get_by_role("row").filter(has_text="rmse").first
    assert row.locator("td").all_inner_texts() == ["rmse", "2", "1", "3", "2", "3"]
    view.get_by_role("tab", name="Code").click()
    assert "%%track_run --experiment nyc-taxi" in view.get_by_role("tabpanel").inner_text()


def test_a_note_is_edited_in_place(page, lab):
    view, _, store = page
    assert view.locator(".tnb-markdown em").inner_text() == "first"

    view.get_by_role("button", name="Edit the note").click()
    view.get_by_label("Note, in Markdown").fill("lost")
    view.get_by_role("button", name="Cancel").click()
    assert tags_of(lab, store)["mlflow.note.content"] == "a *first* try"

    view.get_by_role("button", name="Edit the note").click()
    view.get_by_label("Note, in Markdown").fill(f"# Second\n\n{HOSTILE} **bold**")
    view.get_by_role("button", name="Set Note").click()
    view.locator(".tnb-markdown strong", has_text="bold").wait_for(timeout=10_000)
    assert tags_of(lab, store)["mlflow.note.content"] == f"# Second\n\n{HOSTILE} **bold**"
    assert HOSTILE in view.inner_text()
    assert view.locator("img").count() == 0


def test_tags_are_added_and_deleted(page, lab):
    view, _, store = page
    view.get_by_role("button", name="Add a tag").click()
    view.get_by_label("Key").fill("team")
    view.get_by_label("Value").fill("a")
    view.get_by_role("button", name="Create").click()
    view.locator(".tnb-tag", has_text="team: a").wait_for(timeout=10_000)
    assert tags_of(lab, store)["team"] == "a"

    view.get_by_role("button", name="Delete the tag team").click()
    view.locator(".tnb-tag", has_text="team: a").wait_for(state="detached", timeout=10_000)
    assert "team" not in tags_of(lab, store)

    assert "mlflow.user" not in view.inner_text()
    view.get_by_role("button", name=re.compile("Show .* tags of mlflow")).click()
    assert "mlflow.user" in view.inner_text()


def test_curves_tell_step_and_value_under_the_pointer(page):
    view, lab_page, _ = page
    view.get_by_role("tab", name="Curves").click()
    chart = view.locator(".tnb-chart", has=lab_page.page.get_by_role("heading", name="loss", exact=True))
    over = chart.locator(".u-over")
    over.scroll_into_view_if_needed()
    box = lab_page.steady_box(over)
    over.hover(position={"x": box["width"] * 6 / 11, "y": 20})

    tip = chart.locator(".tnb-tip")
    tip.wait_for(timeout=5_000)
    assert tip.inner_text().split() == ["step", "6", "train_loss", "0.1429", "val_loss", "0.2143"]

    view.get_by_label("X axis").select_option("relative")
    over.hover(position={"x": box["width"] / 2, "y": 30})
    assert re.match(r"[\d.]+ s", tip.inner_text())

    view.get_by_label("X axis").select_option("step")
    lab_page.page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 30)
    lab_page.page.mouse.down()
    lab_page.page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + 30, steps=4)
    lab_page.page.mouse.up()
    view.get_by_role("button", name="Reset zoom").click(timeout=5_000)
    assert view.get_by_role("button", name="Reset zoom").is_hidden()


def test_files_are_looked_into(page, tmp_path):
    view, lab_page, _ = page
    view.get_by_role("tab", name="Files").click()
    preview = view.get_by_role("region", name="Preview")
    for folder in ("data", "raw", "january"):
        view.get_by_role("treeitem", name=folder, exact=True).click()

    view.get_by_role("treeitem", name="rides.csv").click()
    preview.get_by_text("2 rows, 2 columns").wait_for(timeout=10_000)
    assert preview.locator("tbody tr").first.locator("td").all_inner_texts() == ["4.5", "1"]

    view.get_by_role("treeitem", name="notes.txt").click()
    preview.get_by_text("plain words").wait_for(timeout=10_000)
    with lab_page.page.expect_download() as download:
        preview.get_by_role("button", name="Download").click()
    download.value.save_as(tmp_path / "notes.txt")
    assert (tmp_path / "notes.txt").read_text() == "plain words"

    view.get_by_role("treeitem", name="dot.png").click()
    picture = preview.get_by_role("img", name="dot.png")
    picture.wait_for(timeout=10_000)
    lab_page.page.wait_for_timeout(300)
    assert picture.evaluate("image => image.naturalWidth") == 1

    view.get_by_role("treeitem", name="report.html").click()
    frame = preview.locator("iframe")
    frame.wait_for(timeout=10_000)
    lab_page.page.wait_for_timeout(1_000)
    assert frame.get_attribute("sandbox") == ""
    assert frame.content_frame.get_by_role("heading", name="Report").is_visible()


def test_hostile_texts_run_nothing(lab, lab_page):
    run = (
        f"with tracknb.start_run(run_name={HOSTILE!r}, tags={{'t': {HOSTILE!r}, 'mlflow.source.git.repoURL': "
        f"'javascript:alert(1)', 'mlflow.source.git.commit': 'abc'}}, "
        f"description={f'{HOSTILE} [x](javascript:alert(1)) ![y](https://evil.invalid/y.png)'!r}):\n"
        f"    tracknb.log_param('p', {HOSTILE!r})\n    tracknb.log_metric('a', 1)\n"
        f"    tracknb.log_text({HOSTILE!r}, '<b>x.csv')\n    tracknb.log_text('<script>alert(1)</script>', 'x.svg')"
    )
    cells = [
        f"{LOAD}\ntracknb.set_tracking_uri('hostile_page.db')\ntracknb.set_experiment({HOSTILE!r})",
        run,
        "%track show last",
    ]
    lab_page.open(lab.write("hostile_page.ipynb", cells))
    run_each(lab_page, len(cells))
    view = lab_page.output(2)
    view.get_by_role("tab", name="Files").click(timeout=20_000)
    for name in ("<b>x.csv", "x.svg"):
        view.get_by_role("treeitem", name=name).click()
        lab_page.page.wait_for_timeout(500)
    view.get_by_role("tab", name="Overview").click()
    lab_page.page.wait_for_timeout(500)

    assert HOSTILE in view.inner_text()
    assert view.locator("img[onerror], script, a[href^=javascript]").count() == 0
    assert lab_page.errors == []
    assert lab_page.foreign == []


def test_the_page_follows_a_run_while_its_cell_runs(lab, lab_page):
    """The second cell trains; the page above it asks over a subshell and grows."""
    opened = "run = tracknb.start_run(run_name='slow')\ntracknb.log_metric('loss', 9, step=0)\ntracknb.show('slow')"
    train = "for step in range(1, 14):\n    tracknb.log_metric('loss', 9 - step, step=step)\n    time.sleep(1)"
    cells = [f"{LOAD}\ntracknb.set_tracking_uri('follow.db')\ntracknb.set_experiment('e')", opened, train]
    lab_page.open(lab.write("follow.ipynb", cells))
    lab_page.run_all()
    view = lab_page.output(1)
    view.get_by_role("tab", name="Overview").wait_for(timeout=40_000)
    row = view.get_by_role("row").filter(has_text="loss").first

    def points():
        return int(row.locator("td").last.inner_text())

    lab_page.page.wait_for_timeout(4_000)
    early = points()
    view.get_by_role("button", name="Edit the note").click()
    view.get_by_label("Note, in Markdown").fill("half a wo")
    lab_page.page.wait_for_timeout(3_000)
    assert lab_page.is_busy(2)
    assert points() > early >= 1
    assert view.get_by_label("Note, in Markdown").input_value() == "half a wo"
    assert lab_page.errors == []


def test_a_saved_page_is_read_without_a_kernel(lab, lab_page):
    name = lab.write(
        "saved_page.ipynb", [f"{LOAD}\ntracknb.set_tracking_uri('saved_page.db')", TRAIN, "%track show last"]
    )
    command = [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute", "--inplace", name]
    subprocess.run(command, cwd=lab.folder, check=True, capture_output=True)
    notebook = lab.read(name)
    notebook.metadata.kernelspec = {"name": "gone", "display_name": "Gone", "language": "gone"}
    notebook.metadata.language_info = {"name": "gone"}
    nbformat.write(notebook, lab.folder / name)
    lab_page.open(name)
    lab_page.page.locator(".jp-Dialog").get_by_role("button", name="No Kernel").click(timeout=20_000)
    view = lab_page.output(2)
    view.get_by_role("tab", name="Overview").wait_for(timeout=20_000)

    assert view.locator(".tnb-markdown em").inner_text() == "first"
    assert view.get_by_role("button", name="Edit the note").count() == 0
    assert view.get_by_role("button", name="Add a tag").count() == 0
    view.get_by_role("tab", name="Curves").click()
    assert view.locator(".uplot").count() == 2
    view.get_by_role("tab", name="Files").click()
    view.get_by_role("treeitem", name="notes.txt").click()
    view.get_by_text("No kernel is running").wait_for(timeout=10_000)
    assert lab_page.errors == []
    assert lab_page.foreign == []


def test_a_view_further_down_leaves_the_looks_of_the_page_alone(lab, lab_page):
    """Each output brings the common rules along, and the last ones win where two weigh the same."""
    cells = [f"{LOAD}\ntracknb.set_tracking_uri('looks.db')", TRAIN, "%track show last", "%track runs nyc-taxi"]
    lab_page.open(lab.write("looks.ipynb", cells))
    run_each(lab_page, len(cells))
    tag = lab_page.output(2).locator(".tnb-tag", has_text="stage: candidate")
    tag.wait_for(timeout=20_000)
    lab_page.output(3).get_by_role("grid").wait_for(timeout=20_000)

    box, text = tag.bounding_box(), tag.locator("span").first.bounding_box()
    assert box["y"] <= text["y"]
    assert text["y"] + text["height"] <= box["y"] + box["height"]


def test_long_names_and_values_stay_in_their_places(lab, lab_page):
    long = "somebody knew a lot about this run " * 12
    run = (
        f"tracknb.set_experiment({long[:400]!r})\n"
        f"with tracknb.start_run(run_name={long[:400]!r}, tags={{'why': {long * 15!r}}}):\n"
        "    tracknb.log_metric('loss', 1)"
    )
    cells = [f"{LOAD}\ntracknb.set_tracking_uri('long_page.db')", run, "%track show last"]
    lab_page.open(lab.write("long_page.ipynb", cells))
    run_each(lab_page, len(cells))
    view = lab_page.output(2)
    facts = view.locator(".tnb-facts > div")
    facts.first.wait_for(timeout=20_000)

    for fact in facts.all():
        outer, inner = fact.bounding_box(), fact.locator("dd > *, dd").last.bounding_box()
        assert inner["x"] + inner["width"] <= outer["x"] + outer["width"] + 1
        assert outer["height"] <= 100
    assert view.locator(".tnb-pagehead").bounding_box()["height"] < 250
    assert view.locator(".tnb-tag").bounding_box()["height"] < 100


PROBE = """<svg xmlns='http://www.w3.org/2000/svg' width='40' height='40'><rect width='40' height='40'/><script>
document.documentElement.setAttribute('data-ran', 'yes');
fetch('URL/api/contents').then(answer => answer.text()).then(
  text => document.documentElement.setAttribute('data-read', text), () => undefined);
try { localStorage.setItem('evil', '1'); document.documentElement.setAttribute('data-stored', '1'); } catch { }
</script></svg>"""


def test_a_picture_opened_in_its_own_tab_reads_nothing_of_jupyter(lab, lab_page):
    """An SVG runs its scripts there. They must be nobody's: with Jupyter's origin they could run code."""
    probe = PROBE.replace("URL", lab.url)
    run = f"with tracknb.start_run():\n    tracknb.log_text({probe!r}, 'probe.svg')"
    cells = [f"{LOAD}\ntracknb.set_tracking_uri('svg.db')", run, "%track show last"]
    lab_page.open(lab.write("svg.ipynb", cells))
    run_each(lab_page, len(cells))
    view = lab_page.output(2)
    view.get_by_role("tab", name="Files").click(timeout=20_000)
    view.get_by_role("treeitem", name="probe.svg").click()
    picture = view.get_by_role("img", name="probe.svg")
    picture.wait_for(timeout=10_000)
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 40

    tab = lab_page.page.context.new_page()
    tab.goto(picture.get_attribute("src"))
    tab.wait_for_timeout(1_000)
    root = tab.locator("svg").first
    assert tab.evaluate("origin") == "null"
    assert root.get_attribute("data-read") is None
    assert root.get_attribute("data-stored") is None
    assert lab_page.page.evaluate("localStorage.getItem('evil')") is None
    assert lab_page.errors == []
