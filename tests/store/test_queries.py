"""The filter language means the same on SQLite, PostgreSQL and MariaDB: same data, same runs, same order.

Also what no filter may do: hang, crash, or show a database's own error.
"""

from __future__ import annotations

import base64
import json
import math
import time

import pytest

import tracknb
from tracknb.client import close_stores
from tracknb.errors import FilterError, InvalidValue

NAN, INF = math.nan, math.inf
# A bound that a slow machine keeps, and that a hang or a quadratic reading does not.
SECONDS = 20.0

# What a param ``lr`` may say, by the name of its run: as number, and as no number.
NUMBERS = {
    "plain": ("0.05", 0.05),
    "exponent": ("1e-3", 1e-3),
    "capital": ("5E-2", 5e-2),
    "blanks": (" 0.01 ", 0.01),
    "dot": (".025", 0.025),
    "end dot": ("2.", 2.0),
    "plus": ("+0.5", 0.5),
    "zeros": ("007", 7.0),
    "minus": ("-3", -3.0),
    "minus zero": ("-0", 0.0),
    "digits": ("0.0123456789012345678901234567890123456789", 0.012345678901234568),
    "whole digits": ("1234567890123456789012345678901234567890", 1.2345678901234568e39),
    "greatest": ("1.7976931348623155e+308", 1.7976931348623155e308),
    "too great": ("1e400", INF),
    "least": ("5e-324", 5e-324),
    "too small": ("1e-400", 0.0),
    "many zeros": ("0." + "0" * 350 + "1", 0.0),
    "third": (repr(1 / 3), 1 / 3),
}
NO_NUMBERS = {
    "word": "auto",
    "hexadecimal": "0x10",
    "nan": "nan",
    "inf": "inf",
    "minus inf": "-inf",
    "arabic": "٣",
    "fullwidth": "１",
    "underscore": "1_000",
    "comma": "0,1",
    "two dots": "0.1.2",
    "two signs": "--1",
    "sign": "-",
    "only dot": ".",
    "only exponent": "e5",
    "half exponent": "1e",
    "nothing": "",
    "blank": " ",
    "list": "[0.1]",
    "inner blank": "1 000",
    "true": "True",
    "huge exponent": "1e99999",
    "too many digits": "1" * 401,
    "backtracking": "1" * 399 + "x",
}
# What a tag ``note`` may say, by the name of its run.
NOTES = {
    "n small": "ridge",
    "n capital": "Ridge",
    "n all": "RIDGE",
    "n percent": "100% sure",
    "n underscore": "a_b",
    "n any": "axb",
    "n backslash": "a\\b",
    "n two": "a\\\\b",
    "n star": "a*b?[c]",
    "n bracket": "[x]",
    "n umlaut": "größe",
    "n capital umlaut": "GRÖSSE",
    "n eszett": "GRÖßE",
    "n japanese": "日本語",
    "n emoji": "🚕 taxi",
    "n quote": "it's",
    "n double": 'say "hi"',
    "n line": "two\nlines",
    "n empty": "",
    "n trailing": "ridge ",
    "n kelvin": "\u212aelvin",
}
# Last values of ``loss``, whose histories are these; ``low`` is lowest in the middle.
LOSSES = {
    "m one": [3.0, 1.0, 2.0],
    "m tie a": [0.5],
    "m tie b": [0.5, 0.5],
    "m nan": [NAN],
    "m nan last": [0.25, 4.0, NAN],
    "m inf": [1.0, INF],
    "m minus inf": [-INF, 5.0],
    "m negative": [-1.5],
    "m zero": [-0.0],
}
KEYS = ["a.b", "a b", "größe", "日本", "a/b-c", "order", "in", "0"]


@pytest.fixture(scope="module", params=["sqlite", "postgresql", "mysql"])
def queries(request, tmp_path_factory):
    """A store of each kind that holds all of the above, made once."""
    folder = tmp_path_factory.mktemp("queries")
    uri = f"sqlite:///{folder / 'runs.db'}"
    if request.param != "sqlite":
        uri = request.getfixturevalue(request.param).url()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TRACKNB_STATE_DIR", str(folder / "state"))
        environment.setenv("TRACKNB_ARTIFACT_ROOT", str(folder / "artifacts"))
        yield Queries(uri)
        close_stores()


class Queries:
    """A store and what it is asked."""

    def __init__(self, uri):
        self.client = tracknb.MlflowClient(uri)
        self.experiment = self.client.create_experiment("queries")
        self.ids = {}
        for name, text in {**{name: text for name, (text, _) in NUMBERS.items()}, **NO_NUMBERS}.items():
            self.log(name, params={"lr": text})
        for name, text in NOTES.items():
            self.log(name, tags={"note": text})
        for name, numbers in LOSSES.items():
            self.log(name, metrics=points("loss", numbers))
        everywhere = dict.fromkeys(KEYS, "x")
        metrics = [point for place, key in enumerate(KEYS) for point in points(key, [float(place)])]
        self.log("keys", params=everywhere, tags=everywhere, metrics=[*metrics, *points("a.b.min", [-9.0])])

    def log(self, name, **logged):
        """Make a run, one second after the one before."""
        start = 1_000_000 + 1_000 * len(self.ids)
        run_id = self.client.create_run(self.experiment, run_name=name, start_time=start).info.run_id
        self.client.log_batch(run_id, **logged)
        self.client.set_terminated(run_id, end_time=start + 500)
        self.ids[name] = run_id

    def ordered(self, text, *order, names=None):
        """Return the names of the runs that a filter finds, in order; of these names only."""
        found = self.client.search_runs([self.experiment], text, max_results=1_000, order_by=list(order))
        return [run.info.run_name for run in found if names is None or run.info.run_name in names]

    def found(self, text):
        """Return the names of the runs that a filter finds."""
        started = time.monotonic()
        found = set(self.ordered(text))
        assert time.monotonic() - started < SECONDS
        return found


def points(key, numbers):
    return [tracknb.entities.Metric(key, value, 1_000 + step, step) for step, value in enumerate(numbers)]


def numbers_that(holds):
    return {name for name, (_, number) in NUMBERS.items() if holds(number)}


def notes_that(holds):
    return {name for name, text in NOTES.items() if holds(text)}


def test_every_text_reads_as_the_same_number_everywhere(queries):
    """Each is between its neighbours, to the last digit."""
    for name, (_, number) in NUMBERS.items():
        equal = numbers_that(lambda other, number=number: other == number)
        assert queries.found(f"params.lr = {number!r}") == equal, name
        assert queries.found(f"params.lr < {number!r}") == numbers_that(lambda other, number=number: other < number)
        assert queries.found(f"params.lr >= {number!r}") == numbers_that(lambda other, number=number: other >= number)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("params.lr < 0.1", lambda number: number < 0.1),
        ("params.lr > -1e9", lambda number: True),
        ("params.lr < -0.5", lambda number: number < -0.5),
        ("params.lr != 7", lambda number: number != 7),
        ("params.lr = .05", lambda number: number == 0.05),
        ("params.lr = 1e-3", lambda number: number == 1e-3),
        ("params.lr IN (7, 0.5)", lambda number: number in (7, 0.5)),
        ("params.lr NOT IN (7, 0.5)", lambda number: number not in (7, 0.5)),
        ("params.lr < inf", lambda number: number < INF),
        ("params.lr = inf", lambda number: number == INF),
        ("params.lr < nan", lambda number: False),
        ("params.lr = nan", lambda number: False),
        ("params.lr != nan", lambda number: True),
        ("params.lr NOT IN (nan)", lambda number: True),
        ("params.lr IN (nan, 7)", lambda number: number == 7),
        ("params.lr < 0.1 AND params.lr > 0.01", lambda number: 0.01 < number < 0.1),
    ],
)
def test_params_are_compared_as_numbers_and_what_is_none_matches_nothing(queries, text, holds):
    assert queries.found(text) == numbers_that(holds)


def test_what_is_no_number_is_left_to_not(queries):
    assert queries.found("NOT params.lr > -1e9 AND params.lr IS NOT NULL") == set(NO_NUMBERS)


def test_a_list_may_hold_texts_and_numbers(queries):
    assert queries.found("params.lr IN (7, 'auto', 'nan', 0.5)") == {"zeros", "plus", "word", "nan"}
    others = (set(NUMBERS) | set(NO_NUMBERS)) - {"zeros", "word"}
    assert queries.found("params.lr NOT IN ('auto', 7)") == others


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("tags.note LIKE 'ridge'", {"n small"}),
        ("tags.note LIKE 'R%'", {"n capital", "n all"}),
        ("tags.note LIKE '%dge'", {"n small", "n capital"}),
        ("tags.note LIKE 'r_dge'", {"n small"}),
        ("tags.note LIKE 'a_b'", {"n underscore", "n any", "n backslash"}),
        ("tags.note LIKE '100% s%'", {"n percent"}),
        ("tags.note LIKE 'a\\b'", {"n backslash"}),
        ("tags.note LIKE 'a\\\\b'", {"n two"}),
        ("tags.note LIKE '%\\%'", {"n backslash", "n two"}),
        ("tags.note LIKE 'a\\%'", {"n backslash", "n two"}),
        ("tags.note LIKE 'a*b?[c]'", {"n star"}),
        ("tags.note LIKE '[x]'", {"n bracket"}),
        ("tags.note LIKE '[%'", {"n bracket"}),
        ("tags.note LIKE 'gr__e'", {"n umlaut"}),
        ("tags.note LIKE '日%'", {"n japanese"}),
        ("tags.note LIKE '_本_'", {"n japanese"}),
        ("tags.note LIKE '_ taxi'", {"n emoji"}),
        ('tags.note LIKE "it\'s"', {"n quote"}),
        ("tags.note LIKE '%\"%'", {"n double"}),
        ("tags.note LIKE 'two%lines'", {"n line"}),
        ("tags.note LIKE 'two_lines'", {"n line"}),
        ("tags.note LIKE ''", {"n empty"}),
        ("tags.note LIKE '%'", set(NOTES)),
        ("tags.note LIKE 'ridge_'", {"n trailing"}),
        ("tags.note ILIKE 'ridge'", {"n small", "n capital", "n all"}),
        ("tags.note ILIKE 'R%E'", {"n small", "n capital", "n all"}),
        ("tags.note ILIKE 'A_B'", {"n underscore", "n any", "n backslash"}),
        ("tags.note ILIKE 'A\\B'", {"n backslash"}),
        ("tags.note ILIKE 'A*B?[C]'", {"n star"}),
        ("tags.note ILIKE 'GRöSSE'", set()),
        ("tags.note ILIKE 'grÖsse'", {"n capital umlaut"}),
        ("tags.note ILIKE 'GRößE'", {"n umlaut"}),
        ("tags.note ILIKE 'gr_sse'", {"n capital umlaut"}),
        ("tags.note ILIKE 'kelvin'", set()),
        ("tags.note ILIKE '日%'", {"n japanese"}),
        ("tags.note ILIKE '%SAY%'", {"n double"}),
        ("tags.note = 'ridge'", {"n small"}),
        ("tags.note = 'ridge '", {"n trailing"}),
        ("tags.note = ''", {"n empty"}),
        ("tags.note = 'größe'", {"n umlaut"}),
        ('tags.note = "it\'s"', {"n quote"}),
        ("tags.note = 'say \"hi\"'", {"n double"}),
        ("tags.note = 'a\\b'", {"n backslash"}),
        ("tags.note = 'two\nlines'", {"n line"}),
        ("tags.note IN ('ridge', 'Ridge', '🚕 taxi')", {"n small", "n capital", "n emoji"}),
        ("tags.note NOT IN ('ridge')", set(NOTES) - {"n small"}),
        ("tags.note != 'ridge'", set(NOTES) - {"n small"}),
        ("tags.note > 'ridge '", {"n emoji", "n line", "n say", "n japanese", "n kelvin"} | {"n double"} - {"n say"}),
    ],
)
def test_texts_are_matched_sign_for_sign(queries, text, names):
    assert queries.found(text) == names & set(NOTES)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("metrics.loss < 1", {"m tie a", "m tie b", "m minus inf", "m negative", "m zero"} - {"m minus inf"}),
        ("metrics.loss >= 0.5", {"m one", "m tie a", "m tie b", "m inf", "m minus inf"}),
        ("metrics.loss = 0", {"m zero"}),
        ("metrics.loss = inf", {"m inf"}),
        ("metrics.loss < inf", set(LOSSES) - {"m nan", "m nan last", "m inf"}),
        ("metrics.loss > -inf", set(LOSSES) - {"m nan", "m nan last"}),
        ("metrics.loss = nan", {"m nan", "m nan last"}),
        ("metrics.loss != nan", set(LOSSES) - {"m nan", "m nan last"}),
        ("metrics.loss != 2", set(LOSSES) - {"m one"}),
        ("metrics.loss < nan", set()),
        ("metrics.loss IN (2, 0.5)", {"m one", "m tie a", "m tie b"}),
        ("metrics.loss IN (2, nan)", {"m one", "m nan", "m nan last"}),
        ("metrics.loss IN (inf, 2)", {"m one", "m inf"}),
        ("metrics.loss NOT IN (2, 0.5)", set(LOSSES) - {"m one", "m tie a", "m tie b"}),
        ("metrics.loss NOT IN (2, nan)", set(LOSSES) - {"m one", "m nan", "m nan last"}),
        ("metrics.loss IS NOT NULL", set(LOSSES)),
        ("metrics.loss.min < 0.5", {"m nan last", "m minus inf", "m negative", "m zero"}),
        ("metrics.loss.min = -inf", {"m minus inf"}),
        ("metrics.loss.min IN (1, 0.25)", {"m one", "m nan last", "m inf"}),
        ("metrics.loss.min NOT IN (1, 0.25)", set(LOSSES) - {"m one", "m nan last", "m inf", "m nan"}),
        ("metrics.loss.min != nan", set(LOSSES) - {"m nan"}),
        ("metrics.loss.min IS NOT NULL", set(LOSSES) - {"m nan"}),
        ("metrics.loss.max > 3.5", {"m nan last", "m inf", "m minus inf"}),
        ("metrics.loss.max = inf", {"m inf"}),
        ("metrics.loss.max IS NULL AND metrics.loss IS NOT NULL", {"m nan"}),
        ("metrics.loss.count = 3", {"m one", "m nan last"}),
        ("metrics.loss.count > 1.5", {"m one", "m tie b", "m nan last", "m inf", "m minus inf"}),
        ("metrics.loss.count IN (1, 2.5)", {"m tie a", "m nan", "m negative", "m zero"}),
        ("metrics.loss.median < 1", set()),
        ("metrics.a.b.min = -9", {"keys"}),
        ("metrics.a.b.min = 0", set()),
        ("metrics.a.b.max = 0", {"keys"}),
        ("metrics.`loss`.min < 0", {"m minus inf", "m negative"}),
    ],
)
def test_metrics_are_compared_with_nan_infinities_and_their_aggregates(queries, text, names):
    assert queries.found(text) == names


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("quote", ["`", '"', "'"])
def test_a_key_may_stand_in_any_quotes(queries, key, quote):
    assert queries.found(f"params.{quote}{key}{quote} = 'x' and tags.{quote}{key}{quote} LIKE 'x'") == {"keys"}
    assert queries.found(f"metrics.{quote}{key}{quote} = {KEYS.index(key)}") == {"keys"}
    assert queries.ordered(f"params.{quote}{key}{quote} = 'x'", f"metrics.{quote}{key}{quote} DESC") == ["keys"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("tags.note = 'ridge' OR metrics.loss = 2", {"n small", "m one"}),
        ("tags.note = 'ridge' OR tags.note = 'Ridge' AND metrics.loss = 2", {"n small"}),
        ("(tags.note = 'ridge' OR tags.note = 'Ridge') AND metrics.loss = 2", set()),
        ("(((tags.note = 'ridge')))", {"n small"}),
        ("NOT (tags.note IS NULL OR tags.note != 'ridge')", {"n small"}),
        ("NOT NOT tags.note = 'ridge'", {"n small"}),
        ("NOT metrics.loss != 2 AND metrics.loss IS NOT NULL", {"m one"}),
        ("NOT params.lr > -1e9 AND NOT tags.note LIKE '%' AND metrics.loss IS NULL AND run_name != 'keys'", NO_NUMBERS),
        ("NOT metrics.loss < 100 AND metrics.loss IS NOT NULL", {"m nan", "m nan last", "m inf"}),
        ("params.none IS NULL AND tags.note = 'ridge'", {"n small"}),
        ("tags.none = 'x' OR NOT tags.none IS NULL", set()),
        ("run_name IN ('keys', 'm one')", {"keys", "m one"}),
        ("run_name NOT LIKE 'm%'", None),
        ("run_name LIKE 'm t%' OR run_name ILIKE 'KEYS'", {"m tie a", "m tie b", "keys"}),
        ("start_time < 1001500.5", {"plain", "exponent"}),
        ("start_time IN (1000000, 1002000)", {"plain", "capital"}),
        ("start_time NOT IN (1000000) AND start_time < 1002000.5", {"exponent", "capital"}),
        ("end_time < -inf", set()),
        ("start_time > nan", set()),
        ("start_time < inf AND run_name = 'keys'", {"keys"}),
        ("end_time != nan AND run_name = 'keys'", {"keys"}),
        ("start_time > 99999999999999999999", set()),
        ("end_time IS NULL", set()),
        ("status IN ('FINISHED') AND run_name = 'keys'", {"keys"}),
        ("status NOT IN ('FINISHED')", set()),
        ("user_id IS NOT NULL AND run_name = 'keys'", {"keys"}),
    ],
)
def test_comparisons_are_joined_as_they_read(queries, text, names):
    if names is None:
        with pytest.raises(FilterError):
            queries.found(text)
    else:
        assert queries.found(text) == set(names)


@pytest.mark.parametrize(
    ("order", "names"),
    [
        (
            "metrics.loss",
            ["m negative", "m zero", "m tie b", "m tie a", "m one", "m minus inf", "m inf", "m nan last", "m nan"],
        ),
        (
            "metrics.loss DESC",
            ["m inf", "m minus inf", "m one", "m tie b", "m tie a", "m zero", "m negative", "m nan last", "m nan"],
        ),
        (
            "metrics.loss.min",
            ["m minus inf", "m negative", "m zero", "m nan last", "m tie b", "m tie a", "m inf", "m one", "m nan"],
        ),
        (
            "metrics.loss.max DESC",
            ["m inf", "m minus inf", "m nan last", "m one", "m tie b", "m tie a", "m zero", "m negative", "m nan"],
        ),
        (
            "metrics.loss.count DESC",
            ["m nan last", "m one", "m minus inf", "m inf", "m tie b", "m zero", "m negative", "m nan", "m tie a"],
        ),
    ],
)
def test_an_order_puts_nan_after_numbers_and_breaks_ties_by_time(queries, order, names):
    """Runs without the metric come after those with NaN, the newest first."""
    found = queries.ordered("", order)

    assert found[: len(names)] == names
    assert found[len(names) :] == [name for name in reversed(queries.ids) if name not in LOSSES]


def test_a_metric_of_the_whole_name_comes_before_an_aggregate_in_an_order(queries):
    assert queries.ordered("", "metrics.a.b.min")[0] == "keys"


def test_texts_are_ordered_by_their_signs(queries):
    """By code point, as Python does, on every database; what is equal by time."""
    expected = sorted(NOTES, key=NOTES.__getitem__)
    assert queries.ordered("tags.note LIKE '%'", "tags.note") == expected
    assert queries.ordered("tags.note LIKE '%'", "tags.note DESC") == expected[::-1]
    params = {**{name: text for name, (text, _) in NUMBERS.items()}, **NO_NUMBERS}
    assert queries.ordered("params.lr IS NOT NULL", "params.lr ASC") == sorted(params, key=params.__getitem__)


def test_a_second_column_breaks_ties(queries):
    assert queries.ordered("metrics.loss = 0.5", "metrics.loss", "run_name") == ["m tie a", "m tie b"]
    assert queries.ordered("metrics.loss = 0.5", "metrics.loss", "run_name DESC") == ["m tie b", "m tie a"]
    assert queries.ordered("metrics.loss = 0.5", "params.none", "tags.none DESC", "start_time") == [
        "m tie a",
        "m tie b",
    ]


def test_a_text_is_an_order_of_one_column(queries):
    found = queries.client.search_runs([queries.experiment], "metrics.loss = 0.5", order_by="run_name")

    assert [run.info.run_name for run in found] == ["m tie a", "m tie b"]


# -- large, deep and hostile -------------------------------------------------------


def long_list(texts, *more):
    return ", ".join([*texts, *more])


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (
            f"tags.note IN ({long_list(repr(f'v{n}') for n in range(70_000))}, 'größe', '🚕 taxi')",
            {"n umlaut", "n emoji"},
        ),
        (
            f"tags.note NOT IN ({long_list(repr(f'v{n}') for n in range(70_000))}, 'größe')",
            set(NOTES) - {"n umlaut"},
        ),
        (f"metrics.loss IN ({long_list(map(str, range(100_000)))}, 0.5, inf, nan)", set(LOSSES) - {"m negative"}),
        (f"params.lr IN ({long_list(map(str, range(3, 100_000)))}, 0.012345678901234568)", {"zeros", "digits"}),
        (f"params.lr IN ({long_list(map(str, range(3, 100_000)))}, 'auto')", {"zeros", "word"}),
        (f"start_time IN ({long_list(map(str, range(900_000, 1_000_001)))})", {"plain"}),
        (f"metrics.loss.count IN ({long_list(map(str, range(3, 100_000)))})", {"m one", "m nan last"}),
        (f"run_name IN ({long_list(repr(f'v{n}') for n in range(70_000))}, 'keys')", {"keys"}),
        (" OR ".join(["tags.note = 'ridge'"] * 5_000), {"n small"}),
        (" OR ".join([*(f"params.p{n} = '{n}'" for n in range(4_999)), "metrics.loss = 2"]), {"m one"}),
        (" AND ".join(["metrics.loss < 1e9"] * 1_000 + ["metrics.loss = 2"]), {"m one"}),
        (" OR ".join([*(f"metrics.loss.max = {n + 10}" for n in range(1_000)), "metrics.loss = 2"]), {"m one"}),
        (
            " OR ".join(f"metrics.loss = {n} OR metrics.loss = nan" for n in [2, *range(9, 2_000)]),
            {"m one", "m nan", "m nan last"},
        ),
        (" AND ".join(["(metrics.loss < 9 AND metrics.loss != 7)"] * 500 + ["run_name = 'm one'"]), {"m one"}),
        (" AND ".join([*(f"metrics.loss != {n + 9}" for n in range(1_000)), "metrics.loss = 2"]), {"m one"}),
        ("NOT " * 48 + "metrics.loss = 2", {"m one"}),
        ("NOT (" * 24 + "metrics.loss = 2" + ")" * 24, {"m one"}),
        ("NOT (metrics.loss = 9 OR NOT (metrics.loss = 2 AND " * 12 + "metrics.loss < 9" + "))" * 12, {"m one"}),
        ("(metrics.loss = 9 OR (metrics.loss = 2 AND " * 24 + "metrics.loss < 9" + "))" * 24, {"m one"}),
        ("(" * 49 + "metrics.loss = 2" + ")" * 49, {"m one"}),
        (f"tags.note = '{'x' * 999_000}'", set()),
        (f"tags.`{'x' * 999_000}` = 'x'", set()),
        (f"metrics.{'x' * 999_000} < 1", set()),
        (f"params.lr < 0.{'0' * 999_000}", None),
        (f"params.lr > {'9' * 999_000}", set()),
        (f"tags.note LIKE '{'%a' * 4_000}%b'", set()),
        (f"tags.note ILIKE '{'_%' * 4_000}[[[['", set()),
        (" " * 999_000 + "metrics.loss = 2", {"m one"}),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_a_large_filter_is_answered_in_bounded_time(queries, text, names):
    assert queries.found(text) == (numbers_that(lambda number: number < 0) if names is None else names)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("metrics.a = 1 and " * 60_000, "may have 1,000,000 characters"),
        ("(" * 10_000 + "metrics.a = 1" + ")" * 10_000, "nested 50 levels deep"),
        ("NOT " * 10_000 + "metrics.a = 1", "nested 50 levels deep"),
        (" or ".join(["metrics.a = 1"] * 50_000), "5,000 comparisons"),
        (f"tags.a LIKE '{'%' * 100_000}'", "may have 10,000 characters"),
        ("'" * 999_999, "never closed"),
        ("`" * 999_999, "never closed"),
        ("." * 999_999, "to filter by"),
        ("a" * 999_999, "nothing to filter by"),
        ("metrcs" * 100_000 + ".a = 1", "to filter by"),
        ("1" * 999_999, "begins with a name"),
        ("-" * 999_999, "nothing to filter by"),
        ("metrics.a" + "." * 900_000, "expected"),
        ("metrics.`a" * 90_000, "follows a key in quotes"),
        ("tags.a = 'x\0y'", "cannot hold NUL"),
        ("tags.`x\0y` = 'x'", "cannot hold NUL"),
        ("tags.a = '\ud800'", "U+D800, half a character"),
        ("metrics.\udfff < 1", "U+DFFF, half a character"),
        ("metrics.a < 1\0", "cannot hold NUL"),
    ],
    ids=lambda value: value[:20].encode("ascii", "backslashreplace").decode(),
)
def test_what_is_too_much_or_impossible_is_said(queries, text, part):
    started = time.monotonic()
    with pytest.raises(FilterError) as caught:
        queries.client.search_runs([queries.experiment], text)

    assert part in str(caught.value)
    assert len(str(caught.value)) < 1_000
    str(caught.value).encode()
    assert time.monotonic() - started < SECONDS


INJECTIONS = [
    "'; DROP TABLE runs; --",
    "' OR '1'='1",
    '" OR ""="',
    "') OR 1=1 --",
    "x' UNION SELECT run_id FROM runs --",
    "\\' OR 1=1 -- ",
    "\\",
    "%s %(x)s :x ? $1 {0}",
    "/* x */",
    "$$; DROP TABLE runs; $$",
    "1; ATTACH DATABASE 'x' AS y",
    "SLEEP(20)",
    "pg_sleep(20)",
    "`",
    "%c0%27 OR 1=1",
    "\n; DROP TABLE runs",
]


@pytest.mark.parametrize("text", INJECTIONS)
def test_sql_in_any_position_is_a_text_or_refused(queries, text):
    """Nothing is found that should not be, nothing is lost, and no database says a word."""
    started = time.monotonic()
    quote = next((quote for quote in "'\"" if quote not in text), None)
    if quote is not None:
        for query in ("tags.note = {}", "params.lr IN ({}, 'x')", "run_name LIKE {}", "run_id != {} AND run_id = 'x'"):
            assert queries.found(query.format(f"{quote}{text}{quote}")) == set(), query
    for mark in "`\"'":
        if mark not in text:
            for place in ("metrics.{} < 1", "params.{} < 1", "tags.{} = 'x'", "metrics.{}.min < 1"):
                assert queries.found(place.format(f"{mark}{text}{mark}")) == set(), place
            assert len(queries.ordered("", f"params.{mark}{text}{mark} DESC")) == len(queries.ids)
    for unquoted in (text, f"metrics.loss < {text}", f"metrics.loss {text}", f"status = 'x' {text}", f"tags.{text} = "):
        with pytest.raises(FilterError):
            queries.client.search_runs([queries.experiment], unquoted)
    for order in (text, f"metrics.loss {text}", f"metrics.loss, {text}"):
        with pytest.raises(FilterError):
            queries.client.search_runs([queries.experiment], order_by=[order])
    with pytest.raises(InvalidValue, match="no page token"):
        queries.client.search_runs([queries.experiment], page_token=text)
    with pytest.raises(InvalidValue):
        queries.client.search_runs([text])
    assert (
        queries.client.search_experiments(filter_string=f"tags.x = {quote}{text}{quote}" if quote else "name = ''")
        == []
    )
    assert len(queries.ordered("")) == len(queries.ids)
    assert time.monotonic() - started < SECONDS


def token(value):
    return base64.b64encode(value if isinstance(value, bytes) else json.dumps(value).encode()).decode()


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "\0",
        "\ud800",
        "é",
        "=" * 1_000_000,
        token({"offset": -1}),
        token({"offset": 10**30}),
        token({"offset": "0; DROP TABLE runs"}),
        token({"offset": 0.5}),
        token({"offset": True}),
        token({"offset": None}),
        token({}),
        token([]),
        token("offset"),
        token(b"[" * 100_000),
        token(b'{"offset": ' + b"9" * 5_000 + b"}"),
        token(b"\xff"),
        7,
    ],
    ids=lambda text: ascii(text)[:30],
)
def test_a_page_token_that_is_none_is_refused(queries, text):
    for search in (
        lambda: queries.client.search_runs([queries.experiment], page_token=text),
        lambda: queries.client.search_experiments(page_token=text),
    ):
        with pytest.raises(InvalidValue, match="is no page token"):
            search()


def test_a_page_far_behind_the_last_is_empty(queries):
    assert queries.client.search_runs([queries.experiment], page_token=token({"offset": 10**15})) == []


@pytest.mark.parametrize(
    ("order", "part"),
    [
        (["start_time"] * 10_000, "may have 20 columns"),
        (["metrics.`" + "x" * 999_999], "may have 1,000,000 characters"),
        ([7], "is a text, not int"),
        ([None], "is a text, not NoneType"),
        ([""], "names a column"),
        (["metrics.a\0"], "cannot hold NUL"),
        (["params.\ud800"], "U+D800"),
        (["(" * 10_000], "begins with a name"),
        (["metrics.a DESC " * 10_000], "After the column comes ASC or DESC"),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_an_order_that_is_none_is_said(queries, order, part):
    with pytest.raises(FilterError) as caught:
        queries.client.search_runs([queries.experiment], order_by=order)
    assert part in str(caught.value)


def test_an_order_of_many_metrics_is_answered(queries):
    order = [f"metrics.m{n}" for n in range(18)]
    assert queries.ordered("metrics.loss = 0.5", *order, "run_name") == ["m tie a", "m tie b"]


def test_experiments_are_searched_alike(queries):
    client = queries.client
    for name, tags in {"q größe": {"team": "A"}, "q GRÖSSE": {"team": "a"}, "q 7": {"n": "7"}}.items():
        if client.get_experiment_by_name(name) is None:
            client.create_experiment(name, tags=tags)

    def found(text, *order):
        return [item.name for item in client.search_experiments(filter_string=text, order_by=[*order, "name"])]

    many = long_list(repr(str(number)) for number in range(50_000))
    assert found("name LIKE 'q g%'") == ["q größe"]
    assert found("name ILIKE 'Q G%'") == ["q GRÖSSE", "q größe"]
    assert found("tags.team IN ('A', 'a')", "tags.team DESC") == ["q GRÖSSE", "q größe"]
    assert found("tags.team = 'A' OR NOT (tags.n IS NULL)") == ["q 7", "q größe"]
    assert found(f"experiment_id IN ({many}) AND name = 'q 7'") == ["q 7"]
    assert found("experiment_id IN ('٣', '99999999999999999999', 'x', '-1', '')") == []
    assert found(f"experiment_id = '000{queries.experiment}'") == ["queries"]
    assert found("creation_time > 0 AND creation_time < inf AND name = 'q 7'") == ["q 7"]
    assert found("creation_time = nan OR last_update_time < nan") == []
    assert found(f"name IN ({long_list(repr(f'v{n}') for n in range(50_000))}, 'q 7')") == ["q 7"]


def test_many_experiments_may_be_named(queries):
    ids = [*map(str, range(1_000_000, 1_100_000)), queries.experiment]

    assert [run.info.run_name for run in queries.client.search_runs(ids, "metrics.loss = 2")] == ["m one"]


def test_every_refusal_is_ours(queries):
    """Whatever is cut out of a filter that can be read, what is left is answered or refused in words."""
    whole = (
        "metrics.`a b`.min <= -1.5e3 AND (params.\"x\" NOT IN ('a', 2) OR NOT tags.c ILIKE '%d_') AND end_time IS NULL"
    )
    refused = 0
    for start in range(0, len(whole), 3):
        for length in (1, 2, 5, 13, 40):
            try:
                queries.client.search_runs([queries.experiment], whole[:start] + whole[start + length :])
            except FilterError:
                refused += 1
    assert refused > 50
