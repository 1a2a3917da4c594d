"""Every example in a docstring runs, in a store of its own."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import tracknb

MODULES = [
    module.name
    for module in pkgutil.walk_packages(tracknb.__path__, "tracknb.")
    if not module.name.endswith(".__main__")
]


def examples():
    finder = doctest.DocTestFinder(exclude_empty=True)
    for name in MODULES:
        for example in finder.find(importlib.import_module(name), name):
            if example.examples:
                yield pytest.param(example, id=example.name)


@pytest.mark.parametrize("example", list(examples()))
def test_the_example_gives_what_it_shows(example, store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE).run(example)
    assert outcome.failed == 0
