"""Every view for people who see, point or type otherwise: axe, keys, themes, zoom, narrow pages."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser import stores
from tests.browser.lab import LabPage
from tests.browser.views import VIEWS, first_cell

pytestmark = pytest.mark.browser

AXE = Path(__file__).parents[2] / "labextension/node_modules/axe-core/axe.min.js"
NAMES = [view.name for view in VIEWS]
# What is wrong with the views, apart from the notebook around them.
RUN_AXE = """async view => (await axe.run(view, {resultTypes: ['violations']})).violations.map(
  found => ({id: found.id, impact: found.impact, help: found.help,
             nodes: found.nodes.map(node => node.html.slice(0, 160) + '  ' + node.failureSummary.slice(0, 240))}))"""
# What Tab should reach: what is shown, can be used, and is not one of a group that arrow keys go through.
CONTROLS = """view => [...view.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex]')]
  .filter(item => item.tabIndex >= 0 && !item.disabled && item.checkVisibility({visibilityProperty: true}))
  // Of radio buttons only the chosen one is reached by Tab; arrows lead to the others.
  .filter(item => item.type !== 'radio' || item.checked)"""
NAME_OF = """item => (item.getAttribute('aria-label') || item.textContent || item.title || item.placeholder ||
  [...(item.labels ?? [])].map(label => label.textContent).join(' ') || '').trim()"""


@pytest.fixture(scope="module")
def views(browser, lab, tmp_path_factory) -> Iterator[LabPage]:
    """One notebook in which every view of an ordinary store is shown."""
    address = stores.make("plain", tmp_path_factory.mktemp("stores"))
    context = browser.new_context(viewport={"width": 1400, "height": 1100})
    page = LabPage(context.new_page(), lab)
    page.page.set_default_timeout(8_000)
    page.open(lab.write("views.ipynb", [first_cell(address), *(view.cell for view in VIEWS)]))
    page.run_all()
    page.wait_until_done(len(VIEWS), 120)
    for number, view in enumerate(VIEWS, 1):
        shown(page, number).wait_for(timeout=20_000)
        if view.then:
            view.then(page.output(number))
    yield page
    context.close()


def shown(page, number):
    return page.output(number).locator(".tracknb-view").first


def bring(page, name):
    """Scroll to a view and return it."""
    view = shown(page, NAMES.index(name) + 1)
    view.evaluate("view => view.scrollIntoView({block: 'start'})")
    page.page.wait_for_timeout(200)
    return view


@pytest.fixture(scope="module")
def axe(views):
    if not AXE.exists():
        message = "axe-core is not there: run `npm install` in labextension"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    views.page.add_script_tag(path=AXE)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(views, axe, name, theme):
    """Contrast is among the rules, so each theme is looked at."""
    if views.page.locator("body").get_attribute("data-jp-theme-light") != str(theme == "light").lower():
        views.show(theme)

    found: list[dict[str, Any]] = bring(views, name).evaluate(RUN_AXE)

    serious = [problem for problem in found if problem["impact"] in ("serious", "critical")]
    assert serious == []


@pytest.mark.parametrize("name", NAMES)
def test_every_control_has_a_name(views, name):
    view = bring(views, name)

    unnamed = view.evaluate(
        f"view => ({CONTROLS})(view).filter(item => !({NAME_OF})(item)).map(item => item.outerHTML.slice(0, 200))"
    )
    assert unnamed == []


@pytest.mark.parametrize("name", NAMES)
def test_tab_reaches_every_control_and_leaves_again(views, name):
    view = bring(views, name)
    count = view.evaluate(
        f"""view => {{ const controls = ({CONTROLS})(view); controls.forEach((item, i) => item.dataset.control = i);
               const start = document.createElement('span'); start.tabIndex = -1; start.id = 'tab-start';
               view.before(start); start.focus(); return controls.length; }}"""
    )
    reached = set()
    for _ in range(count + 5):
        views.page.keyboard.press("Tab")
        now = views.page.evaluate("document.activeElement?.dataset.control")
        inside = view.evaluate("view => view.contains(document.activeElement)")
        if now is not None and inside:
            reached.add(int(now))
        elif reached:
            break
    missed = view.evaluate(
        """(view, reached) => { document.getElementById('tab-start').remove();
             return [...view.querySelectorAll('[data-control]')]
               .filter(item => !reached.includes(+item.dataset.control))
               .map(item => item.outerHTML.slice(0, 200)); }""",
        sorted(reached),
    )
    assert missed == []
    assert not view.evaluate("view => view.contains(document.activeElement)")


@pytest.mark.parametrize("name", NAMES)
def test_keys_pressed_in_a_view_do_not_reach_the_notebook(views, name):
    """In the notebook d d deletes a cell, a and b insert one, x cuts, m makes Markdown of it."""
    view = bring(views, name)
    # One control of each kind; two of a kind hear keys alike.
    count = view.evaluate(
        f"""view => {{ const kindOf = item => item.tagName + item.type + item.role;
               const kinds = new Map(({CONTROLS})(view).map(item => [kindOf(item), item]));
               [...kinds.values()].forEach((item, i) => item.dataset.kind = i); return kinds.size; }}"""
    )
    before = cells_of(views)

    for number in range(count):
        for key in ("d", "d", "a", "b", "x", "m", "z", "Shift+M", "0", "0", "j", "k"):
            views.page.evaluate("number => document.querySelector(`[data-kind='${number}']`)?.focus()", number)
            views.page.keyboard.press(key)
    views.page.wait_for_timeout(200)
    after = cells_of(views)
    # What was typed into a filter, or chosen, goes again.
    view.evaluate(
        """view => { document.activeElement?.blur();
             for (const item of view.querySelectorAll('[data-kind]')) { delete item.dataset.kind; }
             for (const input of view.querySelectorAll('input[type=search], input[type=text], textarea')) {
               if (input.value) { input.value = ''; input.dispatchEvent(new Event('input', {bubbles: true})); } } }"""
    )

    assert after == before


def cells_of(page):
    return page.page.evaluate(
        "[...window.jupyterapp.shell.currentWidget.content.model.cells]"
        ".map(cell => [cell.type, cell.sharedModel.source])"
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_view_follows_the_theme_while_it_is_shown(views, name):
    view = bring(views, name)
    colors = {}
    for theme in ("dark", "light"):
        views.show(theme)
        colors[theme] = view.evaluate(
            "view => [getComputedStyle(view).backgroundColor, getComputedStyle(view).color, "
            "view.classList.contains('tnb-dark')]"
        )

    assert brightness(colors["light"][0]) > 200 > 128 > brightness(colors["light"][1])
    assert brightness(colors["dark"][0]) < 64 < 128 < brightness(colors["dark"][1])
    assert [colors["light"][2], colors["dark"][2]] == [False, True]


def brightness(color):
    numbers = [float(part) for part in color[color.index("(") + 1 : -1].split(",")[:3]]
    return sum(numbers) / 3


# A window half as wide shows what a window of full width shows at 200 %.
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("width", "case"), [(700, "zoomed to 200 %"), (480, "narrow")])
def test_a_view_fits_where_there_is_little_room(views, name, width, case):
    """Tables and charts scroll in themselves; nothing sticks out of the output."""
    views.page.set_viewport_size({"width": width, "height": 800})
    try:
        views.page.wait_for_timeout(400)
        view = bring(views, name)
        sticking_out = view.evaluate(
            """view => { const limit = view.parentElement.getBoundingClientRect().right + 1;
                 const clipped = item => item.parentElement !== view.parentElement &&
                   (getComputedStyle(item.parentElement).overflowX !== 'visible' || clipped(item.parentElement));
                 const box = item => item.getBoundingClientRect();
                 return [...view.querySelectorAll('*')]
                   .filter(item => box(item).width && box(item).right > limit && !clipped(item))
                   .map(item => item.outerHTML.slice(0, 200)); }"""
        )
        assert sticking_out == []
        assert view.evaluate("view => view.scrollWidth <= view.clientWidth + 1")
    finally:
        views.page.set_viewport_size({"width": 1400, "height": 1100})


def test_nothing_of_all_this_was_complained_about(views):
    assert views.errors == []
    assert views.foreign == []
    assert [line for line in views.complaints if "tracknb" in line.lower()] == []
