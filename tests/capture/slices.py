"""Notebooks of the kind that people write, as the executions of their cells in order; the last one makes the number.

Run as a program, it executes lists of cells from its input, each in a process of its own, and
prints what their last cells showed.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile

from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

NOTEBOOKS: dict[str, list[str]] = {
    "aliases": [
        "import copy",
        "base = {'lr': 0.1, 'layers': [64, 32]}",
        "config = base",
        "frozen = copy.deepcopy(base)",
        "config['layers'].append(16)",
        "frozen['layers'].append(99)",
        "notes = 'tried three layers'",
        "size = len(notes)",
        "sum(base['layers']) * base['lr']",
    ],
    "pandas in place": [
        "import pandas as pd",
        "df = pd.DataFrame({'fare': [4.5, 12.0, 7.3, None], 'zone': list('abca')})",
        "df.describe()",
        "df.dropna(inplace=True)",
        "summary = df.groupby('zone').fare.mean()",
        "df.head()",
        "df['fare2'] = df['fare'] * 2",
        "df.loc[df.zone == 'a', 'fare2'] += 1",
        "counts = df.zone.value_counts()",
        "print(counts)",
        "df.fare2.sum()",
    ],
    "numpy views": [
        "import numpy as np",
        "grid = np.zeros((4, 4))",
        "row = grid[1]",
        "flat = grid.reshape(-1)",
        "copy = grid.copy()",
        "row[:] = 3",
        "flat[0] = 7",
        "copy[0, 0] = 100",
        "other = np.arange(10).sum()",
        "grid.sum()",
    ],
    "redefined and run again": [
        "lr = 0.5",
        "def step(x):\n    return x - lr * x",
        "x = 1.0",
        "x = step(x)",
        "lr = 0.1",
        "x = step(x)",
        "lr = 0.3",
        "history = []",
        "history.append(x)",
        "step(x)",
    ],
    "deleted and edited": [
        "scale = 10",
        "values = [1, 2, 3]",
        "scaled = [value * scale for value in values]",
        "scale = 1000",
        "del values",
        "unused = scale * 2",
        "sum(scaled)",
    ],
    "functions that other objects hold": [
        "import functools",
        "rate, bias, unit, unused = 1, 1, 1, 1",
        "def double(x):\n    return x * rate",
        "class Step:\n    def run(self, x):\n        return x + bias",
        "@functools.lru_cache\ndef convert(x):\n    return x * unit",
        "losses = {'double': double}",
        "steps = [Step()]",
        "del double, Step",
        "rate = 20",
        "bias = 300",
        "unit = 7",
        "unused = 4",
        "losses['double'](1) + steps[0].run(1) + convert(1)",
    ],
    "what classes hold": [
        "class Counter:\n    n, seen = 0, []\n    def inc(self):\n        Counter.n += 1; self.seen.append(self)",
        "class Loud(Counter):\n    word = 'go'\n    def say(self):\n        return self.word * Counter.n",
        "one, other, loud = Counter(), Counter(), Loud()",
        "one.inc()",
        "label = one.__class__.__name__",
        "for counter in (one, other):\n    counter.inc()",
        "size = len(label)",
        "Loud.word = 'stop'",
        "(loud.say(), len(other.seen))",
    ],
    "functions and classes": [
        "import math",
        "BIAS = 2",
        "def squash(value):\n    return math.tanh(value) + BIAS",
        "class Model:\n    rate = 0.5\n    def __init__(self):\n        self.weights = []\n    def fit(self, xs):\n"
        "        self.weights = [squash(x) * self.rate for x in xs]\n        return self",
        "model = Model()",
        "other = Model()",
        "model.fit([1, 2, 3])",
        "other.fit([9])",
        "Model.rate = 0.25",
        "model.fit([1, 2])",
        "BIAS = 3",
        "round(sum(model.weights), 6)",
    ],
    "magics": [
        "%matplotlib inline",
        "%%time\ntotal = sum(range(1000))",
        "%timeit -n1 -r1 total + 1",
        "%%capture shown\nprint(total)",
        "words = !echo one two",
        "name = 'unused'",
        "%time doubled = total * 2",
        "%who",
        "doubled + len(words[0])",
    ],
    "files": [
        "import json, pathlib",
        "pathlib.Path('settings.json').write_text(json.dumps({'depth': 3}))",
        "pathlib.Path('other.json').write_text('{}')",
        "%%writefile helper.py\ndef deepen(value):\n    return value + 1",
        "import helper",
        "with open('settings.json') as file:\n    settings = json.load(file)",
        "with open('log.txt', 'a') as file:\n    file.write('started')",
        "settings['depth'] = helper.deepen(settings['depth'])",
        "sorted(settings.items())",
    ],
    "random numbers": [
        "import random\nimport numpy as np",
        "random.seed(1)",
        "np.random.seed(0)",
        "noise = np.random.rand(3)",
        "unused = random.random()",
        "more = np.random.rand(2)",
        "rng = np.random.default_rng(5)",
        "rng.random(3)",
        "sample = rng.random(2)",
        "'a break'",
        "float(np.random.rand() + sample.sum())",
    ],
    "star imports and exec": [
        "from math import *",
        "from statistics import *",
        "exec('weight = 3\\nheight = 4')",
        "globals()['depth'] = 5",
        "spare = 1",
        "area = weight * height",
        "floor(sqrt(area)) + mean([1, 2, 3])",
    ],
    "a cell that fails half-way": [
        "rates = [0.1, 0.2]",
        "best = None",
        "rates.append(0.3)\nbest = max(rates)\nraise RuntimeError('stopped')",
        "label = 'after'",
        "worst = min(rates)",
        "print(label)",
        "best * 10",
    ],
    "a model on data": [
        "import numpy as np",
        "from sklearn.linear_model import Ridge",
        "from sklearn.preprocessing import StandardScaler",
        "rng = np.random.RandomState(0)\nX = rng.rand(40, 3)\ny = X @ [1.0, 2.0, 3.0]",
        "X.shape",
        "scaler = StandardScaler()",
        "scaled = scaler.fit_transform(X)",
        "model = Ridge(alpha=1.0)",
        "model.get_params()",
        "model.fit(scaled, y)",
        "model.set_params(alpha=0.1)",
        "model.fit(scaled, y)",
        "report = {'coef': model.coef_.tolist()}",
        "float(np.round(np.mean((model.predict(scaled) - y) ** 2), 12))",
    ],
    "what a cell showed": [
        "prices = [3, 4, 5]",
        "sum(prices)",
        "total = _",
        "len(prices)",
        "count = _",
        "prices = None",
        "total / count",
    ],
    "closures, generators, decorators": [
        "import functools",
        "def counter():\n    seen = []\n    def add(item):\n        seen.append(item)\n"
        "        return len(seen)\n    return add",
        "add = counter()",
        "idle = counter()",
        "add('a'); add('b');",
        "idle('z');",
        "def twice(function):\n    @functools.wraps(function)\n    def wrapped(*given):\n"
        "        return 2 * function(*given)\n    return wrapped",
        "@twice\ndef score(value):\n    return value + OFFSET",
        "OFFSET = 10",
        "numbers = (n * n for n in range(10))",
        "next(numbers); next(numbers);",
        "score(add('c')) + next(numbers)",
    ],
    "the process": [
        "import os, sys",
        "os.environ['RATE'] = '0.25'",
        "os.environ['OTHER'] = '9'",
        "os.makedirs('data', exist_ok=True)",
        "os.chdir('data')",
        "open('points.txt', 'w').write('1 2 3')",
        "unused = sys.version_info[0]",
        "points = [float(word) for word in open('points.txt').read().split()]",
        "sum(points) * float(os.environ['RATE'])",
    ],
}


def showed(shell: InteractiveShell, cells: list[str]) -> str:
    """What the last cell shows when the cells are run in a new shell, or the error that ended it."""
    shell.showtraceback = lambda *given, **named: None  # type: ignore[method-assign]
    result = None
    for cell in cells:
        result = shell.run_cell(cell, store_history=True)
    assert result is not None
    return repr(result.result) if result.success else "error"


def main() -> None:
    # So that each child finds the big packages loaded.
    for package in ("matplotlib", "pandas", "sklearn.linear_model"):
        importlib.import_module(package)

    # Made once: each child has a copy in which nothing has run yet.
    shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
    tasks = json.load(sys.stdin)
    answers = []
    for cells in tasks:
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(read)
            sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115 -- for the rest of the process
            with tempfile.TemporaryDirectory() as folder:
                os.chdir(folder)
                sys.path.insert(0, "")
                os.write(write, showed(shell, cells).encode())
                os.chdir("/")
            os._exit(0)
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            answers.append(pipe.read().decode())
        os.waitpid(child, 0)
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
