"""What each database calls differently, as SQL functions that compile to its own words."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from tracknb.store.schema import VALUE_PREFIX

# A number as JSON writes it, but for exponents that PostgreSQL cannot convert.
_NUMBER = r"^-?(0|[1-9][0-9]{0,250})([.][0-9]+)?$|^-?[0-9]{1,8}([.][0-9]+)?[eE][-+]?([0-9]{1,2}|[12][0-9]{2})$"


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

    type = sa.Double()
    inherit_cache = True


def like(column: sa.ColumnElement[Any], pattern: str) -> sa.ColumnElement[bool]:
    """Return whether a text matches a pattern of ``%`` and ``_``, capitals told apart."""
    return matches(column, _glob(pattern), _plain(pattern))


def ilike(column: sa.ColumnElement[Any], pattern: str) -> sa.ColumnElement[bool]:
    """Return whether a text matches a pattern, capitals not told apart."""
    return matches_any_case(column, pattern, _plain(pattern))


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
    return f"lower({compiler.process(column, **kw)}) LIKE lower({compiler.process(pattern, **kw)})"


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
    # Inside out: json_type of what is no JSON is an error.
    return (
        f"CASE WHEN json_valid({text}) THEN "
        f"CASE WHEN json_type({text}) IN ('integer', 'real') THEN CAST({text} AS DOUBLE) END END"
    )


@compiles(as_number, "postgresql")
def _(element: Any, compiler: Any, **kw: Any) -> str:
    [text] = _arguments(element, compiler, **kw)
    return f"CASE WHEN {text} ~ '{_NUMBER}' THEN CAST({text} AS DOUBLE PRECISION) END"


@compiles(as_number)
def _(element: Any, compiler: Any, **kw: Any) -> str:
    [text] = _arguments(element, compiler, **kw)
    return f"CASE WHEN {text} REGEXP '{_NUMBER}' THEN CAST({text} AS DOUBLE) END"
