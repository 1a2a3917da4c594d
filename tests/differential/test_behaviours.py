"""The same small scripts see the same things under both modules."""

from __future__ import annotations

import pytest

from tests.differential import behaviours as scripts
from tests.differential import wider


@pytest.mark.parametrize("name", [name for name in scripts.NAMES if name not in wider.BEHAVIOURS])
def test_a_script_sees_what_it_sees_under_mlflow(behaviours, name):
    theirs, ours = behaviours.mlflow["behaviours"][name], behaviours.tracknb["behaviours"][name]

    assert "returned" in theirs, theirs
    assert ours == theirs


@pytest.mark.parametrize("name", wider.BEHAVIOURS)
def test_a_script_that_differs_on_purpose_runs_on_both_sides(behaviours, name):
    """Should both agree one day, the script belongs among the others."""
    theirs, ours = behaviours.mlflow["behaviours"][name], behaviours.tracknb["behaviours"][name]

    assert "returned" in theirs, theirs
    assert "returned" in ours, ours
    # MLflow orders columns by a set, which comes as ours by chance.
    assert ours != theirs or name == "the_order_of_columns_in_the_frame"
