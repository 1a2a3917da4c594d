"""A store in which every text is an attack: nothing of it may become more than text."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.browser import stores
from tests.browser.lab import LabPage
from tests.browser.views import VIEWS, first_cell

pytestmark = pytest.mark.browser

# Elements made from data, in the page and in every frame and shadow of it; and links that run something.
MADE_FROM_DATA = """() => { const found = [];
  const look = root => { for (const item of root.querySelectorAll('*')) {
    const names = item.closest('.jp-OutputArea') ? item.getAttributeNames() : [];
    const evil = item.hasAttribute('data-evil') || names.some(name => /^on|^data-commandlinker/.test(name));
    const address = item.getAttribute('href') ?? item.getAttribute('src') ?? '';
    if (evil || /^\\s*(javascript|vbscript|data:text)/i.test(address)) found.push(item.outerHTML.slice(0, 200));
    if (item.shadowRoot) look(item.shadowRoot); } };
  look(document); return found; }"""


@pytest.fixture(scope="module")
def executed(lab, tmp_path_factory):
    """The notebook with every view of the hostile store, executed without a browser."""
    address = stores.make("hostile", tmp_path_factory.mktemp("stores"))
    name = lab.write("attack.ipynb", [first_cell(address), *(view.cell for view in VIEWS)])
    command = [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute", "--output", "attacked.ipynb", name]
    subprocess.run(command, cwd=lab.folder, check=True, capture_output=True)
    return lab.folder / "attacked.ipynb"


def check(page):
    assert page.page.evaluate(MADE_FROM_DATA) == []
    assert page.errors == []
    assert page.foreign == []
    assert page.page.title() != "evil"


def test_no_view_makes_anything_of_hostile_texts(browser, lab, executed):
    """Each is shown, pointed at, and what can be opened in it is opened."""
    context = browser.new_context(viewport={"width": 1400, "height": 1100})
    page = LabPage(context.new_page(), lab)
    page.page.set_default_timeout(8_000)
    page.open("attack.ipynb")
    page.run_all()
    page.wait_until_done(len(VIEWS), 120)
    for number, view in enumerate(VIEWS, 1):
        output = page.output(number)
        element = output.locator(".tracknb-view").first
        element.evaluate("view => view.scrollIntoView({block: 'start'})")
        if view.then:
            view.then(output)
        page.page.wait_for_timeout(300)
        for place in output.locator(".uplot, .tnb-row .tnb-cell").all()[:6]:
            if place.is_visible():
                place.hover(force=True)
        for fold in output.locator("summary, [role=tab]").all()[:12]:
            if fold.is_visible():
                fold.click(force=True)
                page.page.wait_for_timeout(150)

        check(page)
        sizes = element.evaluate("view => [view.scrollWidth - view.clientWidth, view.getBoundingClientRect().height]")
        assert sizes[0] <= 1, f"{view.name} is wider than its output"
        assert sizes[1] < 4_000, f"{view.name} is {sizes[1]} pixels high"
    assert page.complaints == []
    context.close()


def test_the_saved_notebook_of_hostile_texts_is_harmless_untrusted(lab, lab_page, executed):
    lab_page.open(executed.name)
    lab_page.page.wait_for_timeout(2_000)
    for number in range(1, len(VIEWS) + 1):
        lab_page.cell(number).evaluate("cell => cell.scrollIntoView()")
        lab_page.page.wait_for_timeout(200)

    check(lab_page)


@pytest.mark.parametrize("scripts", ["on", "off"])
def test_the_exported_page_of_hostile_texts_is_harmless(browser, lab, executed, scripts):
    subprocess.run(
        [sys.executable, "-m", "nbconvert", "--to", "html", executed.name],
        cwd=lab.folder,
        check=True,
        capture_output=True,
    )
    context = browser.new_context(java_script_enabled=scripts == "on")
    page = LabPage(context.new_page(), lab)
    page.page.route("http://**", lambda route: route.abort())
    page.page.route("https://**", lambda route: route.abort())
    page.page.goto(executed.with_suffix(".html").as_uri(), wait_until="domcontentloaded")
    page.page.wait_for_timeout(1_000)

    assert page.page.locator("[data-evil], img[onerror], svg[onload], iframe[srcdoc]").count() == 0
    assert page.page.locator(".jp-OutputArea a[href^='javascript'], .jp-OutputArea script[data-evil]").count() == 0
    # The page of nbconvert asks for its own libraries; what is in the data asks for nothing.
    assert [address for address in page.foreign if "evil" in address] == []
    assert [error for error in page.errors if "dialog" in error] == []
    context.close()
