"""The text of a view's state; the front end reads the same corpus."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tracknb.view.state import ViewState, read_state, write_state

CORPUS = json.loads((Path(__file__).parents[1] / "data" / "view_states.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: ascii(case["text"]))
def test_a_text_reads_as_in_the_front_end(case):
    state = read_state(case["text"])

    assert state == ViewState(case["view"], case["parts"], case["note"])
    if case.get("same"):
        assert write_state(case["view"], case["parts"]) == case["text"]
    if case["view"]:
        assert read_state(write_state(case["view"], case["parts"])).parts == case["parts"]


def test_what_is_too_long_is_not_read():
    assert read_state("runs?q=" + "x" * 4_000) == ViewState(
        None, {}, "The view is too long to be one of tracknb and was not used."
    )
