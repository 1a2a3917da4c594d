"""Which way is up: whether less or more of a metric is better, as far as anybody says.

An experiment's tags say it; without them the metric's name is asked, which may not know.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

DIRECTION_TAG: Final = "tracknb.direction."
_LOWER: Final = re.compile(
    r"(?:^|[_/ .-])(?:loss|error|err|rmse|mae|mse|mape|perplexity|logloss|nll)(?:$|[_/ .-])", re.I
)
_HIGHER: Final = re.compile(
    r"(?:^|[_/ .-])(?:acc|accuracy|auc|roc_auc|f1|r2|score|precision|recall|map|iou|bleu)(?:$|[_/ .-])", re.I
)


def directions_of(tags: Mapping[str, str], metrics: Iterable[str]) -> dict[str, str]:
    """Return ``lower`` or ``higher`` for each metric of which that is known."""
    found = {}
    for key in metrics:
        told = tags.get(f"{DIRECTION_TAG}{key}")
        if told in ("lower", "higher"):
            found[key] = told
        elif _LOWER.search(key):
            found[key] = "lower"
        elif _HIGHER.search(key):
            found[key] = "higher"
    return found
