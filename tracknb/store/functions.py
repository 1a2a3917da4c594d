"""What each database calls differently, as SQL functions that compile to its own words."""

from __future__ import annotations

import json
import math
import re
import string
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from tracknb.store.schema import VALUE_PREFIX, MetricValue

# A number as Python reads one, but for words, underscores and the digits of other scripts.
# The length and the exponent are bounded by what PostgreSQL's exact numbers can hold.
_NUMBER: Final = r"^ *[-+]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][-+]?[0-9]{1,4})? *$"
_NUMBER_LENGTH: Final = 400
_is_number: Final = re.compile(_NUMBER).fullmatch
_GREATEST: Final = "1.7976931348623157e308"
_LEAST: Final = "5e-324"
# SQLite counts variables, and some builds of it take 32,766 of them.
_MANY: Final = 100
# SQLite takes 1,000 conditions in a row and 100 open parentheses; many conditions become rows of rows.
_ROW: Final = 64
_JOINS: Final = 8


class matches(FunctionElement[bool]):
    """``LIKE`` that tells A from a: ``matches(column, pattern)``."""

    type = sa.Boolean()
    inherit_cache = True


class matches_any_case(FunctionElement[bool]):
    """``LIKE`` that does not tell A from a."""

    type = sa.Boolean()
    inherit_cache = True


class equals(FunctionElement[bool]):
    """A value of ``params`` or ``tags`` is this text, by their index."""

    type = sa.Boolean()
    inherit_cache = True


class as_number(FunctionElement[float]):
    """A text as a number; NULL where it is none, which compares with nothing."""

    type = MetricValue()
    inherit_cache = True


class _among_texts(FunctionElement[bool]):
    type = sa.Boolean()
    inherit_cache = True


class _among_numbers(FunctionElement[bool]):
    type = sa.Boolean()
    inherit_cache = True


class all_of(FunctionElement[bool]):
    """Conditions joined by AND, however many."""

    type = sa.Boolean()
    inherit_cache = True


class any_of(FunctionElement[bool]):
    """Conditions joined by OR, however many."""

    type = sa.Boolean()
    inherit_cache = True


def read_number(text: str | None) -> float | None:
    """Return a text as a number, as ``as_number`` does; SQLite calls it.

    Examples
    --------
    >>> [read_number(text) for text in ("1e-3", " .5", "0x10", "1_000", "nan")]
    [0.001, 0.5, None, None, None]
    """
    return float(text) if text and len(text) <= _NUMBER_LENGTH and _is_number(text) else None


def among(column: sa.ColumnElement[Any], values: Sequence[str | float]) -> sa.ColumnElement[bool]:
    """Return whether a column is one of these texts, or of these numbers, however many there are."""
    few = column.in_(values)
    if len(values) <= _MANY:
        return few
    if isinstance(values[0], str):
        return _among_texts(column, json.dumps(values), few, _array(values, sa.Text()))
    # JSON knows no infinities; and SQLite's own reading of numbers is not exact to the last digit.
    numbers = [value for value in values if not isinstance(value, str)]
    finite = [value for value in numbers if math.isfinite(value)]
    rest = [value for value in numbers if not math.isfinite(value)]
    texts = json.dumps([repr(value) for value in finite])
    found = _among_numbers(column, texts, column.in_(finite), _array(finite, sa.Double()))
    return sa.or_(found, column.in_(rest)) if rest else found


def like(column: sa.ColumnElement[Any], pattern: str) -> sa.ColumnElement[bool]:
    """Return whether a text matches a pattern of ``%`` and ``_``, capitals told apart."""
    return matches(column, _glob(pattern), _plain(pattern))


def ilike(column: sa.ColumnElement[Any], pattern: str) -> sa.ColumnElement[bool]:
    """Return whether a text matches a pattern, the letters A to Z not told from a to z.

    Other letters are: SQLite, and with it MLflow, knows no more.
    """
    return matches_any_case(column, pattern.translate(_LOWER), _plain(pattern.translate(_LOWER)))


def _array(values: Sequence[Any], kind: sa.types.TypeEngine[Any]) -> sa.BindParameter[Any]:
    return sa.bindparam(None, list(values), type_=postgresql.ARRAY(kind), unique=True)


_LOWER: Final = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def _glob(pattern: str) -> str:
    """Return a LIKE pattern as GLOB: SQLite's only match that tells A from a."""
    swapped = {"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"}
    return "".join(swapped.get(character, character) for character in pattern)


def _plain(pattern: str) -> str:
    # A backslash is a character like any other, as in SQLite.
    return pattern.replace("\\", "\\\\")


def _arguments(element: Any, compiler: Any, **kw: Any) -> list[str]:
    return [compiler.process(clause, **kw) for clause in element.clauses]


@compiles(matches, "sqlite")
def _(element: Any, compiler: Any, **kw: Any) -> str:
    column, glob = [compiler.process(clause, **kw) for clause in list(element.clauses)[:2]]
    return f"{column} GLOB {glob}"


@compiles(matches)
def _(element: Any, compiler: Any, **kw: Any) -> str:
    column, _, pattern = element.clauses
    return f"{compiler.process(column, **kw)} LIKE {compiler.process(pattern, **kw)}"


@compiles(matches_any_case, "sqlite")
def _(element: Any, compiler: Any, **kw: Any) -> str:
    column, pattern, _ = element.clauses
    return f"{compiler.process(column, **kw)} LIKE {compiler.process(pattern, **kw)}"


@compiles(matches_any_case, "postgresql")
def _(element: Any, compiler: Any, **kw: Any) -> str:
    column, _, pattern = element.clauses
    return f"{compiler.process(column, **kw)} ILIKE {compiler.process(pattern, **kw)}"


@compiles(matches_any_case)
def _(element: Any, compiler: Any, **kw: Any) -> str:
    column, _, pattern = element.clauses
    # MySQL's lower() knows the capitals of every script.
    text = compiler.process(column, **kw)
    for capital in string.ascii_uppercase:
        text = f"replace({text}, '{capital}', '{capital.lower()}')"
    return f"{text} LIKE {compiler.process(pattern, **kw)}"


@compiles(equals)
def _(element: Any, compiler: Any, **kw: Any) -> str:
    column, value = _arguments(element, compiler, **kw)
    return f"{column} = {value}"


@compiles(equals, "postgresql")
def _(element: Any, compiler: Any, **kw: Any) -> str:
    column, value = _arguments(element, compiler, **kw)
    return f"(left({column}, {VALUE_PREFIX}) = left({value}, {VALUE_PREFIX}) AND {column} = {value})"


@compiles(as_number, "sqlite")
def _(element: Any, compiler: Any, **kw: Any) -> str:
    [text] = _arguments(element, compiler, **kw)
    return f"tracknb_number({text})"


@compiles(as_number, "postgresql")
def _(element: Any, compiler: Any, **kw: Any) -> str:
    [text] = _arguments(element, compiler, **kw)
    # What DOUBLE PRECISION cannot hold is an error there, so it goes through NUMERIC.
    number = f"CAST({text} AS NUMERIC)"
    return (
        f"CASE WHEN char_length({text}) <= {_NUMBER_LENGTH} AND {text} ~ '{_NUMBER}' THEN CASE "
        f"WHEN {number} > {_GREATEST} THEN CAST('Infinity' AS DOUBLE PRECISION) "
        f"WHEN {number} < -{_GREATEST} THEN CAST('-Infinity' AS DOUBLE PRECISION) "
        f"WHEN abs({number}) < {_LEAST} THEN 0.0 "
        f"ELSE CAST({number} AS DOUBLE PRECISION) END END"
    )


@compiles(as_number)
def _(element: Any, compiler: Any, **kw: Any) -> str:
    [text] = _arguments(element, compiler, **kw)
    return (
        f"CASE WHEN char_length({text}) <= {_NUMBER_LENGTH} AND {text} REGEXP '{_NUMBER}' "
        f"THEN CAST({text} AS DOUBLE) END"
    )


@compiles(_among_texts, "sqlite")
def _(element: Any, compiler: Any, **kw: Any) -> str:
    column, values = [compiler.process(clause, **kw) for clause in list(element.clauses)[:2]]
    return f"{column} IN (SELECT value FROM json_each({values}))"


@compiles(_among_numbers, "sqlite")
def _(element: Any, compiler: Any, **kw: Any) -> str:
    column, values = [compiler.process(clause, **kw) for clause in list(element.clauses)[:2]]
    return f"{column} IN (SELECT tracknb_number(value) FROM json_each({values}))"


@compiles(_among_texts, "postgresql")
@compiles(_among_numbers, "postgresql")
def _(element: Any, compiler: Any, **kw: Any) -> str:
    column, _, _, values = element.clauses
    # An array is read once; the rows of a subquery might be read again for every row beside them.
    return f"{compiler.process(column, **kw)} = ANY ({compiler.process(values, **kw)})"


@compiles(_among_texts)
@compiles(_among_numbers)
def _(element: Any, compiler: Any, **kw: Any) -> str:
    # MySQL's driver writes values into the statement itself.
    return f"{compiler.process(list(element.clauses)[2], **kw)}"


@compiles(all_of)
def _(element: Any, compiler: Any, **kw: Any) -> str:
    return _joined(element, compiler, " AND ", **kw)


@compiles(all_of, "postgresql")
def _(element: Any, compiler: Any, **kw: Any) -> str:
    # It makes each of a few looks into an index a join, and would plan the order of 1,000 joins for minutes.
    test = " IS TRUE" if len(element.clauses) > _JOINS else ""
    return _joined(element, compiler, f"{test} AND ", test=test, **kw)


@compiles(any_of)
def _(element: Any, compiler: Any, **kw: Any) -> str:
    return _joined(element, compiler, " OR ", **kw)


def _joined(element: Any, compiler: Any, word: str, *, test: str = "", **kw: Any) -> str:
    parts = []
    for clause in element.clauses:
        text = compiler.process(clause, **kw)
        parts.append(text if isinstance(clause, (all_of, any_of)) else f"({text})")
    while len(parts) > 1:
        parts = [f"({word.join(parts[place : place + _ROW])}{test})" for place in range(0, len(parts), _ROW)]
    return parts[0]
