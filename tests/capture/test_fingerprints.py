"""A replay comes to the same letters in another process, and to others where a value is another one."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tracknb.capture.executions import DELETED, OTHERS
from tracknb.capture.recorder import Recorder

CELLS = [
    "import collections, dataclasses, datetime, decimal, enum, functools, math, pathlib, random, re\n"
    "import numpy as np, pandas as pd",
    "words = {'a', 'bb', 'ccc'}; nested = {'x': {('a', 1), ('b', 2)}, 'f': frozenset('hello'), 'none': {None, 'z'}}",
    "random.seed(3); np.random.seed(3)",
    "df = pd.DataFrame({'a': np.random.rand(100), 'b': list('abcde') * 20}); df['c'] = df.b.astype('category')\n"
    "fares = df.a; index = df.index; means = df.groupby('b').a.mean(); days = pd.date_range('2020', '2021')",
    "rng = np.random.default_rng(4); sample = rng.normal(size=50); own = random.Random(3); draw = random.random()",
    "class Model:\n    rate = 0.1\n    kinds = {'a', 'b'}\n    def fit(self, x):\n        if x in {'p', 'q'}: pass\n"
    "        self.w = [x] * 3\n        return self\n    @property\n    def two(self): return 2",
    "@dataclasses.dataclass\nclass Settings:\n    depth: int = 3\n"
    "    names: set = dataclasses.field(default_factory=set)",
    "model = Model().fit(3); settings = Settings(); settings.names |= {'a', 'b', 'zz'}; models = [Model(), model]",
    "def scale(x, *, by={'u', 'v'}):\n    def inner(y): return y in {'s', 't'}\n    return inner(x) + 1",
    "part = functools.partial(scale, 3); square = lambda z: z ** 2; counts = collections.Counter('hello')",
    "found = re.compile('x+'); price = decimal.Decimal('1.1'); day = datetime.date(2020, 1, 1)\n"
    "where = pathlib.Path('a')",
    "class Kind(enum.Enum):\n    TAXI = 1\nby_kind = {Kind.TAXI: 2}",
    "from sklearn.ensemble import RandomForestRegressor\n"
    "forest = RandomForestRegressor(3, random_state=1).fit(df[['a']], df.a)",
    "nan = float('nan'); single = np.float64(1.5); whole = np.int64(3); both = (1, 'a', {'k', 'l'}); text = 'melon'",
]
PROGRAM = """
import json, sys
from tests.capture.test_fingerprints import digests_of
print(json.dumps(digests_of(json.loads(sys.stdin.read()), __import__("__main__").__dict__)))
"""


def digests_of(cells, namespace=None):
    """What the cells gave, by name; the namespace is that of a module of its own."""
    namespace = {"__name__": "__main__", "__builtins__": __builtins__} if namespace is None else namespace
    recorder = Recorder(namespace, dict(namespace))
    found = {}
    for number, code in enumerate(cells, 1):
        recorder.begin(code, code, cell_id=str(number), execution_count=number, start_time=0)
        # Under a name of its own, as cells have: dataclasses call theirs <string>.
        exec(compile(code, f"cell {number}", "exec"), namespace)
        found |= recorder.end("FINISHED", 1).digests
    return found


def test_other_processes_come_to_the_same():
    """Each process hashes texts in another way, and puts objects elsewhere."""
    seen = []
    for seed in ("0", "1", "77"):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            input=json.dumps(CELLS),
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        seen.append(json.loads(done.stdout))

    assert seen[0] == seen[1] == seen[2]
    assert [name for name, digest in seen[0].items() if not digest] == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1", "x = 1.0"),
        ("x = 'a'", "x = b'a'"),
        ("x = {1, 2}", "x = frozenset({1, 2})"),
        ("x = [1, {'a'}]", "x = [1, {'b'}]"),
        ("def x():\n    return 2", "def x():\n    return 3"),
        ("def x():\n    return len('ab')", "def x():\n    return sum('ab')"),
        ("def x(a, *, b=1): pass", "def x(a, *, b=2): pass"),
        ("x = lambda: (lambda: 2)", "x = lambda: (lambda: 3)"),
        ("class x:\n    rate = 1", "class x:\n    rate = 2"),
        ("class x:\n    def fit(self): return 1", "class x:\n    def fit(self): return 2"),
        ("import math as x", "import random as x"),
        ("import random\nrandom.seed(3)\nx = random.Random(3)", "import random\nrandom.seed(4)\nx = random.Random(4)"),
    ],
)
def test_another_value_has_another_digest(one, other):
    then, now = digests_of([one]), digests_of([other])

    assert then["x"] != now["x"]
    assert digests_of([f"# moved down\n\n{one}"]) == then


def test_what_would_be_another_one_each_time_or_tells_a_secret_has_none():
    """A digest of a password lets others try words until one fits."""
    code = (
        "lines = (x for x in [1])\nclass Own: pass\nobjects = {Own(), Own()}\nlarge = 10 ** 5000\n"
        "password = 'melon'\nlogin = {'user': 'ada', 'password': 'melon'}\nheld = [login]\n"
        "place = 'postgresql://ada:melon17@db/taxi'"
    )
    found = digests_of([code])
    assert {name for name, digest in found.items() if digest} == {"Own"}


def test_a_name_that_is_gone_and_names_beyond_the_bound():
    assert digests_of(["x = 1", "del x"])["x"] == DELETED
    many = digests_of(["\n".join(f"name{number:03} = {number}" for number in range(120))])
    assert (len(many), many[OTHERS]) == (101, "")
