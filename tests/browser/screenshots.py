"""Pictures of every view, to be looked at by people: ``python -m tests.browser.screenshots OUT [VIEW...]``.

Each view is drawn in light, dark and narrow over an ordinary store, and in light over each of the
other stores; ``side`` is JupyterLab's panel of runs. ``OUT/index.html`` shows all of them.
"""

from __future__ import annotations

import argparse
import html
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Browser
from playwright.sync_api import Error as BrowserError

from tests.browser import stores
from tests.browser.lab import Lab, LabPage, chromium, jupyter
from tests.browser.views import VIEWS, View, first_cell

_WIDE, _NARROW = 1400, 480
_HEIGHT = 1100
_SIDE = "side"


def main() -> int:
    """Draw what was asked for; the exit code is 1 if a view could not be drawn."""
    parser = argparse.ArgumentParser(prog="python -m tests.browser.screenshots", description=__doc__)
    parser.add_argument("out", type=Path, help="the folder of the pictures")
    parser.add_argument("views", nargs="*", help=f"some of: {', '.join(view.name for view in VIEWS)}, {_SIDE}")
    parser.add_argument("--store", action="append", help=f"some of: {', '.join(stores.STORES)}")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    chosen = [view for view in VIEWS if not options.views or view.name in options.views]
    problems: list[str] = []
    with tempfile.TemporaryDirectory() as home, chromium() as browser, jupyter(Path(home) / "lab") as lab:
        for name in options.store or stores.STORES:
            address = stores.make(name, Path(home))
            shown = [view for view in chosen if view.runs <= stores.RUNS.get(name, view.runs)]
            if shown:
                problems += draw(browser, lab, options.out, name, address, shown)
            if not options.views or _SIDE in options.views:
                with jupyter(Path(home) / f"{_SIDE} {name}", environment=_using(address)) as own:
                    problems += draw_side(browser, own, options.out, name)
    write_index(options.out)
    print("\n".join(problems), file=sys.stderr)
    return 1 if problems else 0


def _using(address: str) -> dict[str, str]:
    """Return an environment in which every notebook uses a store."""
    return os.environ | {"TRACKNB_TRACKING_URI": address}


def draw_side(browser: Browser, lab: Lab, out: Path, store: str) -> list[str]:
    """Draw JupyterLab's panel of runs over a store; returns what went wrong."""
    context = browser.new_context(viewport={"width": _WIDE, "height": _HEIGHT})
    page = LabPage(context.new_page(), lab)
    page.page.set_default_timeout(15_000)
    page.open(lab.write("side.ipynb", ["%load_ext tracknb"]))
    page.command("tracknb:show-runs")
    side = page.page.locator("#tracknb-runs")
    try:
        side.get_by_role("button", name="All", exact=True).click()
        page.page.wait_for_timeout(2_500)
        for tick in side.get_by_role("checkbox").all()[:2]:
            tick.check()
        for theme in ("light", "dark") if store == "plain" else ("light",):
            page.show(theme)
            page.page.screenshot(path=out / f"{_SIDE},-{store.replace(' ', '-')},-{theme}.png")
    except BrowserError as problem:
        page.errors.append(str(problem).splitlines()[0])
    context.close()
    return [f"{_SIDE}, {store}: {line}" for line in (*page.errors, *page.complaints, *page.foreign)]


def draw(browser: Browser, lab: Lab, out: Path, store: str, address: str, views: Sequence[View]) -> list[str]:
    """Draw the views of a store; returns what went wrong."""
    problems = []
    context = browser.new_context(viewport={"width": _WIDE, "height": _HEIGHT})
    page = LabPage(context.new_page(), lab)
    page.page.set_default_timeout(15_000)
    notebook = f"{store.replace(' ', '-').replace(',', '')}.ipynb"
    page.open(lab.write(notebook, [first_cell(address), *(view.cell for view in views)]))
    page.run_all()
    page.wait_until_done(len(views), 180)
    looks = [("light", _WIDE), ("dark", _WIDE), ("narrow", _NARROW)] if store == "plain" else [("light", _WIDE)]
    for number, view in enumerate(views, 1):
        try:
            element = page.output(number).locator(".tracknb-view").first
            element.evaluate("view => view.scrollIntoView({block: 'start'})")
            if view.then:
                view.then(page.output(number))
        except BrowserError as problem:
            problems.append(f"{view.name}, {store}: {str(problem).splitlines()[0]}")
    for look, width in looks:
        page.page.set_viewport_size({"width": width, "height": _HEIGHT})
        page.show("dark" if look == "dark" else "light")
        for number, view in enumerate(views, 1):
            try:
                output = page.output(number)
                output.evaluate("output => output.scrollIntoView({block: 'start'})")
                page.page.wait_for_timeout(400)
                output.screenshot(path=out / f"{view.name}, {store}, {look}.png".replace(" ", "-"))
            except BrowserError as problem:
                problems.append(f"{view.name}, {store}, {look}: {str(problem).splitlines()[0]}")
    problems += [f"{store}: {line}" for line in (*page.errors, *page.complaints, *page.foreign)]
    context.close()
    return problems


def write_index(out: Path) -> None:
    """Write the page that shows every picture of the folder."""
    pictures = sorted(out.glob("*.png"))
    figures = "".join(
        f"<figure><figcaption>{html.escape(path.stem.replace('-', ' '))}</figcaption>"
        f'<a href="{html.escape(path.name)}"><img src="{html.escape(path.name)}" loading="lazy"></a></figure>'
        for path in pictures
    )
    style = "body{font:14px sans-serif}figure{margin:16px 0}img{max-width:100%;border:1px solid #ccc}"
    (out / "index.html").write_text(
        f"<!doctype html><meta charset=utf-8><title>tracknb's views</title><style>{style}</style>{figures}",
        encoding="utf-8",
    )


if __name__ == "__main__":
    sys.exit(main())
