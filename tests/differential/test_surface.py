"""Every public call of MLflow's tracking is there, with its parameters in its order."""

from __future__ import annotations

from typing import Any

import pytest

from tests.differential.known_gaps import NOT_YET_THERE
from tests.differential.surface_names import FUNCTIONS, METHODS

CALLS = [("module", name) for name in FUNCTIONS] + [("client", name) for name in METHODS]
POSITIONAL = ("POSITIONAL_ONLY", "POSITIONAL_OR_KEYWORD")


def test_what_is_missing_is_listed_and_nothing_else(surface):
    missing = {
        f"{place}.{name}"
        for place, name in CALLS
        if surface.mlflow["surface"][place][name] is not None and surface.tracknb["surface"][place][name] is None
    }

    assert missing == set(NOT_YET_THERE)


@pytest.mark.parametrize("call", [f"{place}.{name}" for place, name in CALLS if f"{place}.{name}" not in NOT_YET_THERE])
def test_a_call_takes_mlflows_parameters(surface, call):
    place, name = call.split(".")
    theirs, ours = surface.mlflow["surface"][place][name], surface.tracknb["surface"][place][name]
    if theirs is None:
        pytest.skip(f"this MLflow has no {call}")

    assert missing_parameters(theirs, ours) == []
    ordered = [item for item, kind, _ in theirs if kind in POSITIONAL]
    assert [item for item, kind, _ in ours if kind in POSITIONAL][: len(ordered)] == ordered
    wanted = {item for item, _, has_default in ours if not has_default}
    assert wanted <= {item for item, _, has_default in theirs if not has_default}


def missing_parameters(theirs: list[list[Any]], ours: list[list[Any]]) -> list[str]:
    known = {item for item, _, _ in ours}
    return [item for item, kind, _ in theirs if item not in known and not kind.startswith("VAR_")]
