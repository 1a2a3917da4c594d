"""Stores to look at: an ordinary one, and each kind of extreme.

Every store has one experiment to look at, whose id is `EXPERIMENT`.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tests.benchmarks.stores import fill_ours
from tracknb import MlflowClient
from tracknb.entities import Metric

EXPERIMENT: Final = "1"
_BEGIN_MS: Final = 1_760_000_000_000
_HOUR_MS: Final = 3_600_000
_EVALUATION_SET: Final = "mlflow.backstage.evaluation_set"
_EVIL: Final = "http://evil.example"
# Whatever would become an element out of these carries `data-evil`, and whatever would run opens a dialog.
HOSTILE: Final[Mapping[str, str]] = {
    "script": "<script data-evil>alert('script')</script>",
    "image": "<img data-evil src=x onerror=alert('image')>",
    "svg": "<svg data-evil onload=alert('svg')><a xlink:href='javascript:alert(1)'>x</a></svg>",
    "attribute": "\"'><img data-evil src=x onerror=alert('attribute')><a x='",
    "style": "</style></script></textarea></title><script data-evil>alert('style')</script>",
    "comment": "--><script data-evil>alert('comment')</script>]]>",
    "frame": "<iframe data-evil srcdoc='<script>parent.alert(1)</script>'></iframe>",
    "link": f"[click](javascript:alert('link')) ![beacon]({_EVIL}/x.png) <a data-evil href=javascript:alert(1)>x</a>",
    "address": "javascript:alert('address')",
    "command": "<button data-evil data-commandlinker-command='runmenu:run-all'>x</button>",
    "formula": f'=HYPERLINK("{_EVIL}","x")',
    "plus": "+1+cmd|' /C calc'!A0",
    "minus": "-2+3",
    "at": "@SUM(1,1)",
    "template": "{{constructor.constructor('alert(1)')()}} ${alert(1)} %(x)s <%= 1 %>",
    "direction": "\u202egnp.exe\u202c \u2066isolated\u2069 \u200fmark",
    "control": "bell\x07 escape\x1b[31mred backspace\x08 delete\x7f c1\x9b",
    "lines": "one\ntwo\r\nthree\tfour\u2028five\u2029six",
    "emoji": "👩‍🔬🔥🇩🇪 z̶̡̛a̷l̸g̵o̶",
    "right to left": "שלום עולם مرحبا بالعالم",
    "proto": "__proto__",
    "constructor": "constructor",
    "long": "W" * 10_000,
    "long words": "many words " * 900,
}
MARKDOWN: Final = "\n\n".join(
    [
        *(text for text in HOSTILE.values() if len(text) < 1_000),
        "# Heading {onclick=alert(1)}",
        f"![x]({_EVIL}/beacon.png)",
        f'<img src="{_EVIL}/beacon.png" data-evil>',
        "[a](data:text/html,<script>alert(1)</script>)",
        "[b](vbscript:alert(1))",
        "<div style='position:fixed;inset:0' data-evil>over all</div>",
        "[ref]\n\n[ref]: javascript:alert(1)",
        "```html\n<script data-evil>alert('fence')</script>\n```",
        "| a | b |\n|---|---|\n| <img data-evil src=x onerror=alert(1)> | =1+1 |",
    ]
)


def make(name: str, folder: Path) -> str:
    """Make one of the `STORES` and return its address."""
    path = folder / f"{name.replace(' ', '-')}.db"
    client = MlflowClient(f"sqlite:///{path}")
    STORES[name](client, path)
    return f"sqlite:///{path}"


def _curve(client: MlflowClient, run_id: str, key: str, values: list[float], begin: int) -> None:
    points = [Metric(key, value, begin + 1_000 * step, step) for step, value in enumerate(values)]
    client.log_batch(run_id, metrics=points)


def _run(client: MlflowClient, number: int, *, points: int = 40, experiment: str = EXPERIMENT, **more: str) -> str:
    """Make a run as people make them: a few params, curves, tags, files."""
    begin = _BEGIN_MS + number * _HOUR_MS
    model = ("linear", "forest", "boosting")[number % 3]
    tags = {
        "stage": ("candidate", "final")[number % 2],
        "team": "mobility",
        _EVALUATION_SET: ("v1", "v2")[number // 12 % 2],
        "mlflow.user": ("ana", "ben", "chris")[number % 3],
        **more,
    }
    run = client.create_run(experiment, start_time=begin, tags=tags, run_name=f"{model}-{number}")
    run_id = run.info.run_id
    rate = (0.1, 0.03, 0.01, 0.003)[number % 4]
    client.log_batch(
        run_id, params={"model": model, "lr": str(rate), "depth": str(4 + number % 5), "seed": str(number)}
    )
    wave = [0.02 * math.sin(step * (1 + number)) for step in range(points)]
    _curve(client, run_id, "train_loss", [1 / (1 + rate * 40 * step) + wave[step] for step in range(points)], begin)
    _curve(
        client, run_id, "val_loss", [1.2 / (1 + rate * 30 * step) + wave[-1 - step] for step in range(points)], begin
    )
    _curve(client, run_id, "rmse", [6 - rate * 10 - number * 0.05 + 3 / (1 + step) for step in range(points)], begin)
    _curve(client, run_id, "accuracy", [1 - 1 / (2 + rate * 50 * step) for step in range(points)], begin)
    status = "FAILED" if number % 11 == 7 else "FINISHED"
    client.set_terminated(run_id, status, begin + (number + 1) * 60_000)
    return run_id


def _plain(client: MlflowClient, path: Path) -> None:
    client.create_experiment("nyc-taxi", tags={"mlflow.note.content": "Fares of **taxis** in New York."})
    client.create_experiment("digits", tags={"owner": "ana"})
    for number in range(3):
        _run(client, number, experiment="2")
    for number in range(24):
        run_id = _run(client, number)
    client.set_tag(
        run_id, "mlflow.note.content", "# Boosting\n\nA *deeper* tree, see [the paper](https://example.org)."
    )
    client.log_text(run_id, "epoch,loss\n0,0.9\n1,0.4\n", "curves/loss.csv")
    client.log_text(run_id, "Trained on the whole of May.\n", "readme.txt")
    client.log_dict(run_id, {"trees": 300, "depth": [4, 6, 8]}, "config.json")
    parent = _run(client, 24)
    for number in range(25, 28):
        _run(client, number, **{"mlflow.parentRunId": parent})


def _empty(client: MlflowClient, path: Path) -> None:
    client.create_experiment("nyc-taxi")


def _one(client: MlflowClient, path: Path) -> None:
    client.create_experiment("nyc-taxi")
    _run(client, 5)


def _many(client: MlflowClient, path: Path, count: int = 10_000) -> None:
    client.create_experiment("nyc-taxi")
    fill_ours(path, EXPERIMENT, count, params=20, metrics=20)


def _gaps(client: MlflowClient, path: Path) -> None:
    """Curves with holes, with no finite value, and with values far apart."""
    client.create_experiment("nyc-taxi")
    nan, infinite = math.nan, math.inf
    steps = range(40)
    for number in range(4):
        run_id = _run(client, number)
        begin = _BEGIN_MS + number * _HOUR_MS
        _curve(client, run_id, "holes", [nan if step % 5 == number else math.sin(step / 4) for step in steps], begin)
        _curve(client, run_id, "diverged", [10.0**step if step < 30 else infinite for step in steps], begin)
        _curve(client, run_id, "lost", [1.0 if step < 3 else nan for step in steps], begin)
        _curve(client, run_id, "never", [nan] * 40, begin)
        _curve(client, run_id, "minus", [-infinite, *(-(2.0**step) for step in range(39))], begin)
        _curve(client, run_id, "constant", [0.25] * 40, begin)
        _curve(client, run_id, "tiny", [1e-300 * (step + 1) for step in steps], begin)
        _curve(client, run_id, "huge", [1e300 * (1 + step / 40) for step in steps], begin)
        _curve(client, run_id, "single", [0.5], begin)


def _long(client: MlflowClient, path: Path) -> None:
    """Names as long as the rules let them be."""
    name = "a rather long name that somebody made of everything they knew about the run "
    client.create_experiment((name * 7)[:480], tags={"mlflow.note.content": name * 40})
    for number in range(6):
        run_id = _run(client, number, **{("tag-" + "key" * 80)[:240]: name * 20, "mlflow.note.content": name * 40})
        client.update_run(run_id, name=(name * 7)[: 480 - number])
        client.log_batch(run_id, params={"param_" + "x" * 240: "value " * 900, "no_break": "x" * 5_000})
        _curve(client, run_id, "metric_" + "m" * 240, [1 / (1 + step) for step in range(20)], _BEGIN_MS)


def _hostile(client: MlflowClient, path: Path) -> None:
    """Every text that can be stored is an attack. What our own checks refuse is written past them."""
    client.create_experiment(HOSTILE["image"], tags={"mlflow.note.content": MARKDOWN, "owner": HOSTILE["image"]})
    for number, (kind, text) in enumerate(HOSTILE.items()):
        sets = {_EVALUATION_SET: text[:400], "mlflow.user": text[:400], "mlflow.source.name": text[:400]}
        run_id = _run(client, number, points=8, **sets)
        tags = {"kind": kind, "hostile": text[:8_000], "mlflow.note.content": MARKDOWN}
        client.log_batch(run_id, params={"kind": kind, "hostile": text[:6_000]}, tags=tags)
        client.set_tag(run_id, "tracknb.source.cell", text[:8_000])
    for kind, text in HOSTILE.items():
        client.log_batch(run_id, params={f"key {kind}": text[:6_000]}, tags={f"key {kind}": text[:8_000]})
        client.log_metric(run_id, f"key {kind}", 1.5, step=0)
        client.log_metric(run_id, f"key {kind}", 2.5, step=1)
    page = "<script data-evil>parent.alert(1);top.document.title='evil'</script><img data-evil src=x onerror=alert(1)>"
    client.log_text(run_id, page, "page.html")
    client.log_text(run_id, f"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'>{page}</svg>", "picture.svg")
    client.log_text(run_id, "\n".join(["=1+1,@x", *(f'"{text[:200]}",1' for text in HOSTILE.values())]), "table.csv")
    client.log_text(run_id, MARKDOWN, "note.md")
    client.log_dict(run_id, {text[:200]: text[:200] for text in HOSTILE.values()}, "data.json")
    client.log_text(run_id, page, "<img data-evil src=x onerror=alert('file')>.txt")
    connection = sqlite3.connect(path)
    for number, text in enumerate(HOSTILE.values(), 1):
        connection.execute("UPDATE runs SET name = ? WHERE id = ?", (text, number))
    for kind, text in HOSTILE.items():
        for table in ("params", "tags"):
            connection.execute(f"UPDATE {table} SET key = ? WHERE key = ?", (text, f"key {kind}"))
        connection.execute("UPDATE metric_keys SET name = ? WHERE name = ?", (text, f"key {kind}"))
    connection.commit()
    connection.close()


# How many runs the stores have in which a view could miss some.
RUNS: Final[Mapping[str, int]] = {"empty": 0, "one run": 1}
STORES: Final[Mapping[str, Callable[[MlflowClient, Path], None]]] = {
    "plain": _plain,
    "empty": _empty,
    "one run": _one,
    "10,000 runs": _many,
    "gaps": _gaps,
    "long names": _long,
    "hostile": _hostile,
}
