"""The wheel in a new environment: one `pip install`, and JupyterLab has everything."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.lab import LabPage, jupyter
from tests.browser.test_panel import LOAD, QUICK

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
# The front end's share, which every page loads; and all of it.
MOST_FRONT_END = 200_000
MOST_BYTES = 650_000


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel as it would be uploaded."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, cwd=folder)
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_is_small_and_holds_what_jupyter_looks_for(wheel):
    entries = zipfile.ZipFile(wheel).infolist()
    names = [entry.filename for entry in entries]
    ours = [name.partition(".data/data/")[2] for name in names if ".data/data/" in name]
    assert "etc/jupyter/jupyter_server_config.d/tracknb.json" in ours
    assert "share/jupyter/labextensions/tracknb/package.json" in ours
    assert "share/jupyter/labextensions/tracknb/schemas/tracknb/panel.json" in ours
    assert sum(name.endswith("views.js") for name in names) == 1
    assert sum(entry.compress_size for entry in entries if entry.filename.endswith(".js")) <= MOST_FRONT_END
    assert wheel.stat().st_size <= MOST_BYTES


def test_one_installation_is_all_it_takes(wheel, browser, tmp_path):
    place = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
    python = place / ("Scripts" if os.name == "nt" else "bin") / "python"
    packages = [str(wheel), "jupyterlab", "ipykernel"]
    subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True, capture_output=True)
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("JUPYTER", "PYTHON")) and not name.endswith("TRACKING_URI")
    }
    clean["PATH"] = f"{python.parent}{os.pathsep}{clean['PATH']}"
    with jupyter(tmp_path / "home", python=str(python), environment=clean) as lab:
        context = browser.new_context(viewport={"width": 1400, "height": 1000})
        page = LabPage(context.new_page(), lab)
        page.open(lab.write("first.ipynb", [LOAD, QUICK + "\ntime.sleep(6)", "tracknb.dashboard().save('all.html')"]))
        page.wait_for_kernel()
        page.command("tracknb:show-runs")
        side = page.page.locator("#tracknb-runs")
        side.get_by_text("No runs yet").wait_for(timeout=15_000)
        page.run_cell(0)
        page.wait_until_done(0)
        page.run_cell(1)
        expect(side.locator(".tnb-sidename")).to_have_text(["quick"], timeout=15_000)
        expect(page.page.locator(".tracknb-status button")).to_contain_text("quick")
        page.wait_until_done(1)
        expect(page.output(1).locator(".tracknb-view").first).to_be_visible()
        # Saved pages hold the script that lies among JupyterLab's files.
        page.run_cell(2)
        page.wait_until_done(2)
        assert "tracknbViews" in (lab.folder / "all.html").read_text()
        assert (page.errors, page.complaints, page.foreign) == ([], [], [])
        context.close()
