"""Both sides, run once for all tests: each a process of its own, at the same time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.differential import behaviours as scripts
from tests.differential import data, environment, known_gaps, surface_names, wider
from tests.differential.corpus import CASES

SIDE: Final = Path(__file__).with_name("side.py")


@dataclass(frozen=True)
class Answers:
    """What each side answered to one order."""

    mlflow: dict[str, Any]
    tracknb: dict[str, Any]


def ask(order: dict[str, Any]) -> Answers:
    """Give an order to both sides and return their answers."""
    try:
        judge = environment.find()
    except FileNotFoundError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    pythons = {"mlflow": str(judge), "tracknb": sys.executable}

    def answer(name: str) -> dict[str, Any]:
        done = subprocess.run(
            [pythons[name], str(SIDE), name], input=json.dumps(order), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"the side of {name} broke:\n{done.stderr[-3000:]}"
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    with ThreadPoolExecutor() as pool:
        return Answers(*pool.map(answer, ("mlflow", "tracknb")))


@pytest.fixture(scope="session")
def searches() -> Answers:
    """The data of ``data.py`` built on both sides, and every search of it answered."""
    cases = [case.asdict() for case in (*CASES, *wider.CASES, *wider.STRICTER_CASES)]
    return ask({"data": data.description(), "cases": cases})


@pytest.fixture(scope="session")
def behaviours() -> Answers:
    """Every script of ``behaviours.py`` run on both sides."""
    return ask({"behaviours": list(scripts.NAMES)})


@pytest.fixture(scope="session")
def surface() -> Answers:
    """The signatures of both sides."""
    return ask({"surface": {"module": list(surface_names.FUNCTIONS), "client": list(surface_names.METHODS)}})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what ``known_gaps`` lists: it is expected to fail until the product has it."""
    reasons = known_gaps.reasons()
    for item in items:
        if isinstance(item, pytest.Function) and item.module.__name__.startswith("tests.differential."):
            parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
            reason = reasons.get(" ".join([item.originalname, *map(str, parameters)]))
            if reason is not None:
                item.add_marker(pytest.mark.xfail(strict=True, reason=reason))
