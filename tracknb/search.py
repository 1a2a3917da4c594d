"""What a filter and an order may say, for runs and for experiments.

A filter is comparisons joined by AND; beyond MLflow also OR, NOT and parentheses::

    filter     = either
    either     = both ("OR" both)*
    both       = one ("AND" one)*
    one        = "NOT" one | "(" either ")" | comparison
    comparison = name operator value
               | name ["NOT"] "IN" "(" value ("," value)* ")"
               | name "IS" ["NOT"] "NULL"
    name       = place "." key | attribute
    key        = (bare | `in back quotes` | "in double quotes" | 'in single quotes') ["." ("min" | "max" | "count")]
    operator   = "=" "==" "!=" "<>" "<" "<=" ">" ">=" "LIKE" "ILIKE"
    value      = number | 'text' | "text"

Places are ``metrics``, ``params``, ``tags``, ``datasets`` (by name, digest, context) and ``attributes``.
The first dot ends the place: ``tags.mlflow.runName`` is the tag ``mlflow.runName``. A
metric means its last value; ``metrics.loss.min`` its lowest, unless a metric has that
name. What a run lacks matches nothing, not even ``!=``. A param compared with a bare
number is compared as a number; one that is none, such as ``auto`` or ``0x10``, matches
nothing. LIKE tells A from a, ILIKE does not for A to Z; ``%`` is any text, ``_`` any
character, and a backslash a backslash. A text ends at the next quote of its kind.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from tracknb.errors import FilterError

Entity: TypeAlias = Literal["runs", "experiments"]
Place: TypeAlias = Literal["metrics", "params", "tags", "datasets", "attributes"]
Value: TypeAlias = "float | str | tuple[float | str, ...] | None"

MAX_LENGTH: Final = 1_000_000
MAX_DEPTH: Final = 50
# Each comparison is a look into an index; databases take seconds to plan more of them.
MAX_COMPARISONS: Final = 5_000
# SQLite refuses longer ones.
MAX_PATTERN: Final = 10_000
# Each column of an order is a join, and SQLite makes 64 of them, MySQL 61.
MAX_ORDERS: Final = 20


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison; ``value`` is a tuple for IN and None for IS [NOT] NULL."""

    place: Place
    key: str
    operator: str
    value: Value


@dataclass(frozen=True, slots=True)
class And:
    """All of these hold."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of these holds."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """This does not hold."""

    item: Node


Node: TypeAlias = "Comparison | And | Or | Not"


@dataclass(frozen=True, slots=True)
class Order:
    """One column of an order."""

    place: Place
    key: str
    descending: bool


_PLACES: Final[dict[str, Place]] = {
    "metrics": "metrics",
    "metric": "metrics",
    "params": "params",
    "param": "params",
    "parameters": "params",
    "parameter": "params",
    "tags": "tags",
    "tag": "tags",
    "datasets": "datasets",
    "dataset": "datasets",
    "attributes": "attributes",
    "attribute": "attributes",
    "attr": "attributes",
    "run": "attributes",
}
_PLACES_OF: Final = {
    "runs": ("metrics", "params", "tags", "datasets", "attributes"),
    "experiments": ("tags", "attributes"),
}
_DATASET_KEYS: Final = ("name", "digest", "context")
_NUMBERS: Final = {"start_time", "end_time", "creation_time", "last_update_time"}
_ATTRIBUTES: Final[dict[str, dict[str, str]]] = {
    "runs": {
        **{
            name: name for name in ("status", "start_time", "end_time", "run_id", "run_name", "user_id", "artifact_uri")
        },
        "run name": "run_name",
        "run_uuid": "run_id",
        "created": "start_time",
        "source_name": "source_name",
    },
    "experiments": {name: name for name in ("name", "experiment_id", "creation_time", "last_update_time")},
}
_TOKEN: Final = re.compile(
    r"""(?P<space>\s+)
      | (?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
      | (?P<text>'[^']*'|"[^"]*")
      | (?P<operator>==|!=|<>|<=|>=|=|<|>)
      | (?P<mark>[(),])
      | (?P<name>(?:`[^`]*`|[^\s=!<>(),'"`])(?:[^\s=!<>(),'"`]|(?<=\.)(?:`[^`]*`|"[^"]*"|'[^']*'))*)
    """,
    re.VERBOSE,
)
# What no database of ours can hold.
_IMPOSSIBLE: Final = re.compile("[\x00\ud800-\udfff]")
_JOINERS: Final = {"&&": "AND", "&": "AND", "||": "OR", "|": "OR"}
_WORDS: Final = {"and", "or", "not", "in", "is", "null", "like", "ilike"}
_NUMBER_WORDS: Final = {"nan": math.nan, "inf": math.inf, "+inf": math.inf, "-inf": -math.inf, "infinity": math.inf}


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int

    @property
    def word(self) -> str:
        return self.text.lower() if self.kind == "name" else ""


def parse_filter(text: str | None, *, entity: Entity = "runs") -> Node | None:
    """Return the tree of a filter; None for an empty one, which matches everything.

    Raises
    ------
    FilterError
        The filter cannot be read. The message marks the place.

    Examples
    --------
    >>> parse_filter("metrics.rmse < 4 and tags.stage = 'candidate'").items[0]
    Comparison(place='metrics', key='rmse', operator='<', value=4.0)
    """
    if text is None:
        return None
    if not isinstance(text, str):
        raise FilterError(f"A filter is a text, not {type(text).__name__}.", text=repr(text)[:60], start=0, end=1)
    tokens = _tokenize(text, "A filter")
    if not tokens:
        return None
    return _Parser(text, tokens, entity).whole()


def tag_is(tag: str, value: str) -> str:
    """Return the filter for runs whose tag has a value, whatever quotes are in it.

    Examples
    --------
    >>> print(tag_is("mlflow.source.name", "/work/Ada's run.ipynb"))
    tags.`mlflow.source.name` = "/work/Ada's run.ipynb"
    """
    quote = "'" if "'" not in value else '"'
    if quote not in value:
        return f"tags.`{tag}` = {quote}{value}{quote}"
    # A text with both quotes cannot be written; a pattern takes any letter in the place of one.
    return f'tags.`{tag}` LIKE "{value.replace(quote, "_")}"'


def tag_is_any(tag: str, values: Sequence[str]) -> str:
    """Return the filter for runs whose tag has one of some values, whatever quotes are in them.

    Examples
    --------
    >>> print(tag_is_any("mlflow.source.name", ["/work/a.ipynb", "/work/b.ipynb"]))
    (tags.`mlflow.source.name` = '/work/a.ipynb' OR tags.`mlflow.source.name` = '/work/b.ipynb')
    """
    return f"({' OR '.join(tag_is(tag, value) for value in values)})"


def parse_order(items: Sequence[str], *, entity: Entity = "runs") -> tuple[Order, ...]:
    """Return the columns of an order such as ``["metrics.rmse DESC", "start_time"]``; a text is one of them.

    Raises
    ------
    FilterError
        A column cannot be read. The message marks the place.
    """
    items = [items] if isinstance(items, str) else list(items)
    if len(items) > MAX_ORDERS:
        text = str(items[MAX_ORDERS])
        problem = f"An order may have {MAX_ORDERS} columns; this one has {len(items):,}. The first too many:"
        raise FilterError(problem, text=text, start=0, end=len(text))
    return tuple(_parse_one_order(item, entity) for item in items)


def _parse_one_order(item: str, entity: Entity) -> Order:
    if not isinstance(item, str):
        raise FilterError(
            f"A column of an order is a text, not {type(item).__name__}.", text=repr(item)[:60], start=0, end=1
        )
    tokens = _tokenize(item, "A column of an order")
    parser = _Parser(item, tokens, entity)
    if not tokens:
        raise FilterError("An order names a column, such as 'metrics.rmse DESC'.", text=item, start=0, end=1)
    place, key = parser.column()
    if place == "datasets":
        raise FilterError("Runs have no order by their datasets.", text=item, start=0, end=len(item))
    rest = tokens[parser.place :]
    if len(rest) > 1 or (rest and rest[0].word not in ("asc", "desc")):
        raise FilterError(
            f"After the column comes ASC or DESC, not '{_short(rest[0].text)}'.",
            text=item,
            start=rest[0].start,
            end=rest[-1].end,
        )
    return Order(place, key, bool(rest) and rest[0].word == "desc")


def _tokenize(text: str, what: str) -> list[_Token]:
    if len(text) > MAX_LENGTH:
        problem = f"{what} may have {MAX_LENGTH:,} characters; this one has {len(text):,}."
        raise FilterError(problem, text=text, start=MAX_LENGTH, end=len(text))
    impossible = _IMPOSSIBLE.search(text)
    if impossible is not None:
        name = "NUL" if impossible.group() == "\0" else f"U+{ord(impossible.group()):X}, half a character"
        raise FilterError(
            f"{what} cannot hold {name}: nothing that is stored does.",
            text=text,
            start=impossible.start(),
            end=impossible.end(),
        )
    tokens: list[_Token] = []
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            quote = text[place]
            closing = quote in "'\"`"
            problem = f"The {quote} is never closed." if closing else f"Nothing can begin with '{quote}'."
            hint = "" if quote not in "'\"" else _other_quote(quote)
            raise FilterError(problem, text=text, start=place, end=place + 1, hint=hint)
        kind = match.lastgroup or ""
        if kind != "space":
            tokens.append(_Token(kind, match.group(), place, match.end()))
        place = match.end()
    return tokens


class _Parser:
    """Reads tokens from left to right; ``place`` is the next one."""

    def __init__(self, text: str, tokens: Sequence[_Token], entity: Entity) -> None:
        self.text = text
        self.tokens = tokens
        self.entity = entity
        self.place = 0
        self.depth = 0
        self.comparisons = 0

    def whole(self) -> Node:
        node = self.either()
        if self.place < len(self.tokens):
            token = self.tokens[self.place]
            problem, hint = f"Comparisons are joined by AND or OR, not by '{_short(token.text)}'.", ""
            if token.text in _JOINERS:
                hint = f"Did you mean {_JOINERS[token.text]}?"
            elif token.text == ")":
                problem = "This ) closes nothing."
            elif token.kind == "text" and self.tokens[self.place - 1].kind == "text":
                hint = _other_quote(token.text[0])
            raise self.error(problem, token, hint)
        return node

    def either(self) -> Node:
        items = [self.both()]
        while self.accept("or"):
            items.append(self.both())
        return items[0] if len(items) == 1 else Or(tuple(items))

    def both(self) -> Node:
        items = [self.one()]
        while self.accept("and"):
            items.append(self.one())
        return items[0] if len(items) == 1 else And(tuple(items))

    def one(self) -> Node:
        # Each level costs Python frames here, and SQLite's reader has room for 100 things that are open.
        if self.depth >= MAX_DEPTH:
            raise self.error(f"A filter may be nested {MAX_DEPTH} levels deep.", self.next("a comparison"))
        self.depth += 1
        try:
            if self.accept("not"):
                return Not(self.one())
            if self.accept_mark("("):
                node = self.either()
                self.expect_mark(")")
                return node
            return self.comparison()
        finally:
            self.depth -= 1

    def comparison(self) -> Node:
        first = self.next("a comparison such as metrics.rmse < 4")
        self.place -= 1
        self.comparisons += 1
        if self.comparisons > MAX_COMPARISONS:
            raise self.error(
                f"A filter may have {MAX_COMPARISONS:,} comparisons; here begins one too many.",
                first,
                "Many values of one key stand in a list: params.model IN ('ridge', 'forest').",
            )
        place, key = self.column()
        shown = self.text[first.start : self.tokens[self.place - 1].end]
        token = self.next(f"an operator after {_short(shown)}, such as =")
        if place == "datasets" and (token.text in ("<", "<=", ">", ">=") or token.word == "is"):
            raise self.error(f"{_short(shown)} is compared by = != LIKE ILIKE IN or NOT IN.", token)
        if token.word == "is":
            negated = self.accept("not")
            null = self.next("NULL")
            if null.word != "null":
                raise self.error(f"After IS comes NULL or NOT NULL, not '{_short(null.text)}'.", null)
            return Comparison(place, key, "IS NOT NULL" if negated else "IS NULL", None)
        if token.word == "in" or (token.word == "not" and self.accept("in")):
            return Comparison(place, key, "IN" if token.word == "in" else "NOT IN", self.values(place, key, shown))
        if token.word in ("like", "ilike"):
            if place == "metrics" or key in _NUMBERS:
                raise self.error(f"{_short(shown)} is a number; {token.word.upper()} compares text.", token)
            value = self.value(place, key, shown, token.text, as_text=True)
            if isinstance(value, str) and len(value) > MAX_PATTERN:
                problem = f"A pattern of {token.word.upper()} may have {MAX_PATTERN:,} characters, not {len(value):,}."
                raise self.error(problem, self.tokens[self.place - 1])
            return Comparison(place, key, token.word.upper(), value)
        if token.kind != "operator":
            raise self.error(
                f"{_short(shown)} needs an operator, not '{_short(token.text)}'.",
                token,
                "Operators: = != < <= > >= LIKE ILIKE IN, NOT IN, IS NULL, IS NOT NULL.",
            )
        operator = {"==": "=", "<>": "!="}.get(token.text, token.text)
        return Comparison(place, key, operator, self.value(place, key, shown, token.text))

    def column(self) -> tuple[Place, str]:
        token = self.next("a name such as metrics.rmse")
        if token.kind not in ("name", "text") or token.word in _WORDS:
            raise self.error(
                f"A comparison begins with a name, not with {_short(token.text)}.",
                token,
                "Names: metrics.rmse, params.lr, tags.stage, status.",
            )
        prefix, dot, rest = _parts(token.text)
        place = _PLACES.get(prefix.lower()) if dot and token.kind == "name" else None
        if place is None and dot and token.kind == "name":
            near = difflib.get_close_matches(prefix.lower()[:60], _PLACES_OF[self.entity], n=1)
            raise self.error(
                f"There is no '{_short(prefix)}.' to filter by.",
                _Token("", prefix, token.start, token.start + len(prefix)),
                f"Did you mean '{near[0]}.'?" if near else f"There are: {self._known_places()}.",
            )
        if place is not None and place not in _PLACES_OF[self.entity]:
            raise self.error(f"Experiments have no {place}.", token, f"There are: {self._known_places()}.")
        if place is None or place == "attributes":
            return "attributes", self.attribute(token, _unquoted(rest if place else token.text))
        key = self.key(place, token, rest)
        if not key:
            raise self.error(f"After '{prefix}.' comes a key, such as {prefix}.rmse.", token)
        if place == "datasets" and key not in _DATASET_KEYS:
            near = difflib.get_close_matches(key, _DATASET_KEYS, n=1)
            hint = f"Did you mean '{prefix}.{near[0]}'?" if near else f"There are: {', '.join(_DATASET_KEYS)}."
            raise self.error(f"Datasets have no '{_short(key)}' to filter by.", token, hint)
        return place, key

    def key(self, place: Place, token: _Token, written: str) -> str:
        quote = written[:1]
        end = written.find(quote, 1) if quote and quote in "`\"'" else -1
        if end < 0 or end == len(written) - 1:
            return _unquoted(written)
        more = written[end + 1 :]
        if place != "metrics" or more not in (".min", ".max", ".count"):
            at = _Token("", more, token.end - len(more), token.end)
            hint = "Only .min, .max and .count of a metric may."
            raise self.error(f"Nothing such as '{_short(more)}' follows a key in quotes.", at, hint)
        return written[1:end] + more

    def attribute(self, token: _Token, name: str) -> str:
        known = _ATTRIBUTES[self.entity]
        found = known.get(name) or known.get(name.lower())
        if found is None:
            near = difflib.get_close_matches(name.lower()[:60], known, n=1)
            hint = f"There are: {', '.join(known)}, {self._known_places()}"
            if near:
                hint = f"Did you mean '{near[0]}'?"
            elif self.entity == "runs" and token.kind == "name" and name == token.text and name.isidentifier():
                hint = f"Did you mean 'metrics.{_short(name)}' or 'params.{_short(name)}'? {hint}"
            at = _Token("", name, max(token.start, token.end - len(name)), token.end)
            raise self.error(f"'{_short(name)}' is nothing to filter by.", at, hint)
        return found

    def _known_places(self) -> str:
        return ", ".join(f"{place}." for place in _PLACES_OF[self.entity])

    def values(self, place: Place, key: str, shown: str) -> tuple[float | str, ...]:
        self.expect_mark("(")
        values = [self.value(place, key, shown, "IN (")]
        while self.accept_mark(","):
            values.append(self.value(place, key, shown, ","))
        self.expect_mark(")")
        return tuple(values)

    def value(self, place: Place, key: str, shown: str, after: str, *, as_text: bool = False) -> float | str:
        token = self.next(f"a value after {_short(shown)} {after}")
        if token.kind == "text":
            if (place == "metrics" or key in _NUMBERS) and place in ("metrics", "attributes"):
                raise self.error(
                    f"{_short(shown)} needs a number after '{after}', not the text {_short(token.text)}",
                    token,
                    "Numbers stand bare: metrics.rmse < 4.",
                )
            return token.text[1:-1]
        number = _number(token)
        needs_number = place == "metrics" or (place == "attributes" and key in _NUMBERS)
        if number is not None and (needs_number or (place == "params" and not as_text)):
            return number
        if needs_number:
            raise self.error(
                f"{_short(shown)} needs a number after '{after}', not the word '{_short(token.text)}'",
                token,
                "Numbers stand bare (metrics.rmse < 4); text stands in quotes, after params. or tags.",
            )
        raise self.error(
            f"{_short(shown)} needs a text in quotes after '{after}', not {_short(token.text)}",
            token,
            f"Write '{_short(token.text)}' in single quotes.",
        )

    def next(self, expected: str) -> _Token:
        if self.place >= len(self.tokens):
            end = len(self.text)
            raise FilterError(f"The filter ends where {expected} is expected.", text=self.text, start=end, end=end + 1)
        token = self.tokens[self.place]
        self.place += 1
        return token

    def accept(self, word: str) -> bool:
        found = self.place < len(self.tokens) and self.tokens[self.place].word == word
        self.place += found
        return found

    def accept_mark(self, mark: str) -> bool:
        found = self.place < len(self.tokens) and self.tokens[self.place].text == mark
        self.place += found
        return found

    def expect_mark(self, mark: str) -> None:
        token = self.next(f"'{mark}'")
        if token.text != mark:
            raise self.error(f"Here comes '{mark}', not '{_short(token.text)}'.", token)

    def error(self, problem: str, token: _Token, hint: str = "") -> FilterError:
        return FilterError(problem, text=self.text, start=token.start, end=token.end, hint=hint)


def _number(token: _Token) -> float | None:
    if token.kind == "number":
        return float(token.text)
    return _NUMBER_WORDS.get(token.word)


def _parts(name: str) -> tuple[str, str, str]:
    """Return what stands before a name's first dot outside of quotes, the dot, and what follows."""
    end = name.index("`", 1) + 1 if name.startswith("`") else 0
    before, dot, rest = name[end:].partition(".")
    prefix = name[:end] + before
    return (_unquoted(prefix) if dot else prefix), dot, rest


def _unquoted(key: str) -> str:
    quoted = len(key) >= 2 and key[0] == key[-1] and key[0] in "`\"'"
    return key[1:-1] if quoted else key


def _other_quote(quote: str) -> str:
    other = '"' if quote == "'" else "'"
    return f"A text that holds {quote} stands in {other}."


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
