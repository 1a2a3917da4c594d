"""What a name, key, value or step may be.

Each function returns what is stored, or refuses by name. Nothing is cut, rounded or
replaced in silence. Limits are MLflow's or wider. What looks like a key or a password is
masked here, because everything that is logged comes through.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from tracknb.capture import secrets
from tracknb.entities import DatasetInput, InputTag
from tracknb.errors import InvalidValue

MAX_KEY: Final = 250
MAX_PARAM_VALUE: Final = 6_000
MAX_TAG_VALUE: Final = 8_000
MAX_EXPERIMENT_TAG_VALUE: Final = 20_000
MAX_NAME: Final = 500
MAX_DIGEST: Final = 64
MAX_DATASET_TEXT: Final = 4_000_000
MAX_INPUT_TAG_KEY: Final = 255
_KEY: Final = re.compile(r"[\w\-. :/]+\Z")
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
_INT64: Final = 1 << 63

# Keys that passed: a training loop logs the same few a million times.
_good_keys: set[tuple[str, str]] = set()


def as_key(key: Any, what: str) -> str:
    """Return a metric's, param's or tag's key; ``what`` names its kind in the message."""
    if type(key) is str and (what, key) in _good_keys:
        return key
    if not isinstance(key, str):
        raise InvalidValue(f"A {what} key is a text, not {key!r} ({type(key).__name__}). Nothing was logged.")
    if not key or len(key) > MAX_KEY:
        shown = f"'{key[:40]}…' has {len(key)}" if key else "'' has none"
        raise InvalidValue(f"A {what} key has 1 to {MAX_KEY} characters; {shown}. Nothing was logged.")
    if not _KEY.match(key):
        raise InvalidValue(
            f"The {what} key {key!r} holds a character that is refused. "
            "Use letters, digits, spaces and _ - . : / . Nothing was logged."
        )
    if posixpath.normpath(key) != key or key == "." or key.startswith(("..", "/")):
        raise InvalidValue(f"The {what} key {key!r} reads like a path with '..' or '//'. Nothing was logged.")
    if len(_good_keys) < 10_000:
        _good_keys.add((what, key))
    return key


def as_metric_value(key: str, value: Any) -> float:
    """Return a metric's value as a float; a real number of any library will do."""
    if type(value) is float:
        # No database keeps the sign of zero, so nothing does.
        return value + 0.0
    if isinstance(value, int):
        number = _exact_float(key, int(value))
    elif isinstance(value, (str, bytes)) or value is None:
        raise _no_number(key, value)
    else:
        number = _float_of(key, value)
    return number + 0.0


def _exact_float(key: str, value: int) -> float:
    try:
        number = float(value)
    except OverflowError:
        raise InvalidValue(
            f"The metric '{key}' cannot be a whole number of {value.bit_length()} bits: it is beyond a 64-bit float. "
            "Nothing was logged."
        ) from None
    if abs(value) > 1 << 53 and int(number) != value:
        raise InvalidValue(
            f"The metric '{key}' cannot be {value} exactly: a 64-bit float has 53 bits. Log float({value}) to round it."
        )
    return number


def _float_of(key: str, value: Any) -> float:
    # Arrays and tensors of one element say what they are by item().
    try:
        scalar = value.item() if hasattr(value, "item") else value
        if isinstance(scalar, complex):
            raise TypeError("complex")
        return float(scalar)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise _no_number(key, value) from None


def _no_number(key: str, value: Any) -> InvalidValue:
    shown = repr(value)
    shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
    return InvalidValue(
        f"The metric '{key}' needs one real number, not {shown} ({type(value).__name__}). Nothing was logged."
    )


def as_step(step: Any) -> int:
    """Return a step as a 64-bit whole number."""
    if type(step) is not int:
        try:
            number = int(step)
            same = bool(number == step)
        except (TypeError, ValueError, OverflowError):
            same = False
        if not same or isinstance(step, (str, bytes)):
            raise InvalidValue(f"A step is a whole number, not {step!r}. Nothing was logged.")
        step = number
    if not -_INT64 <= step < _INT64:
        raise InvalidValue(f"The step {step} is beyond 64 bits. Nothing was logged.")
    return int(step)


def as_timestamp(timestamp: Any) -> int:
    """Return a time in whole milliseconds since 1970."""
    try:
        number = int(timestamp)
    except (TypeError, ValueError, OverflowError):
        number = -1
    if not 0 <= number < _INT64 or isinstance(timestamp, (str, bytes)):
        raise InvalidValue(f"A timestamp is milliseconds since 1970, not {timestamp!r}. Nothing was logged.")
    return number


_DURATION: Final = re.compile(r"\s*(?:(\d+)d)?\s*(?:(\d+)h)?\s*(?:(\d+)m)?\s*(?:(\d+)s)?\s*\Z")


def as_duration_ms(text: str) -> int:
    """Return a length of time such as ``30d`` or ``1d12h`` in milliseconds."""
    found = _DURATION.match(text) if isinstance(text, str) else None
    if found is None or not any(found.groups()):
        raise InvalidValue(f"A length of time is written like '30d', '12h' or '1d12h30m', not {text!r}.")
    days, hours, minutes, seconds = (int(number or 0) for number in found.groups())
    return (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000


def as_param_value(key: str, value: Any) -> str:
    """Return a param's value as the text that is stored."""
    return _text("param", key, value, MAX_PARAM_VALUE)


def as_tag_value(key: str, value: Any) -> str:
    """Return a tag's value as the text that is stored."""
    return _text("tag", key, value, MAX_TAG_VALUE)


def as_experiment_tag_value(key: str, value: Any) -> str:
    """Return an experiment tag's value as the text that is stored."""
    return _text("experiment tag", key, value, MAX_EXPERIMENT_TAG_VALUE)


def as_params(params: Mapping[str, Any]) -> dict[str, str]:
    """Return parameters as they are stored."""
    return {as_key(key, "param"): as_param_value(key, value) for key, value in params.items()}


def as_tags(tags: Mapping[str, Any]) -> dict[str, str]:
    """Return tags as they are stored."""
    return {as_key(key, "tag"): as_tag_value(key, value) for key, value in tags.items()}


def as_input(dataset_input: DatasetInput) -> DatasetInput:
    """Return a run's use of a dataset as it is stored."""
    data = dataset_input.dataset
    clean: dict[str, Any] = {}
    for field, limit in (("name", MAX_NAME), ("digest", MAX_DIGEST), ("source_type", MAX_DIGEST)):
        clean[field] = _text("dataset's", field, getattr(data, field), limit)
        if not getattr(data, field):
            raise InvalidValue(f"A dataset has a {field}; this one's is empty. Nothing was logged.")
    for field in ("source", "schema", "profile"):
        if getattr(data, field):
            clean[field] = _text("dataset's", field, getattr(data, field), MAX_DATASET_TEXT)
    tags = []
    for tag in dataset_input.tags:
        if not tag.key or len(tag.key) > MAX_INPUT_TAG_KEY:
            raise InvalidValue(
                f"A dataset's tag has a key of 1 to {MAX_INPUT_TAG_KEY} characters, not {tag.key[:40]!r}. "
                "Nothing was logged."
            )
        _storable("dataset's tag", "key", tag.key)
        tags.append(InputTag(tag.key, _text("dataset's tag", tag.key, tag.value, MAX_TAG_VALUE)))
    return replace(dataset_input, dataset=replace(data, **clean), tags=tags)


def as_run_name(name: Any) -> str:
    """Return a run's name."""
    return _name("run", name)


def as_user(name: str) -> str:
    """Return the name of who ran something."""
    if len(name) > MAX_NAME:
        raise InvalidValue(f"A user's name has at most {MAX_NAME} characters; this one has {len(name)}.")
    return name


def as_experiment_name(name: Any) -> str:
    """Return an experiment's name."""
    return _name("experiment", name)


def _name(what: str, name: Any) -> str:
    if not isinstance(name, str) or not name.strip():
        raise InvalidValue(
            f"The name of an {what} is a text with at least one letter, not {name!r}.".replace("an run", "a run")
        )
    if len(name) > MAX_NAME:
        raise InvalidValue(f"The name of the {what} has {len(name)} characters; at most {MAX_NAME} fit.")
    return secrets.masked(what, "name", _storable(what, "name", name))


def _text(what: str, key: str, value: Any, limit: int) -> str:
    text = value if isinstance(value, str) else str(value)
    if len(text) > limit:
        raise InvalidValue(
            f"The {what} '{key}' has {len(text):,} characters; at most {limit:,} fit. "
            "Nothing was logged. Keep long texts with log_text."
        )
    clean = secrets.masked(what, key, _storable(what, key, text))
    # A mask can be longer than what it hides.
    return clean if len(clean) <= limit else clean[:limit]


def _storable(what: str, key: str, text: str) -> str:
    if _UNSTORABLE.search(text):
        raise InvalidValue(
            f"The {what} '{key}' holds a NUL or half of a surrogate pair, which databases refuse. Nothing was logged."
        )
    return text
