"""What a piece of Python code says literally: values written under names, and the parameters among them."""

from __future__ import annotations

import ast
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

# -- under whichever name -----------------------------------------------------------------

# Lines of IPython's own: magics and shell commands.
_NO_PYTHON: Final = re.compile(r"^[ \t]*[%!].*$", re.MULTILINE)


# What is called with a key or a password.
LOGINS: Final = ("login", "authenticate", "set_password", "set_api_key", "set_token", "HTTPBasicAuth", "BasicAuth")


@dataclass(frozen=True, slots=True)
class Literal:
    """A text, or a whole number, and where in the encoded source it stands."""

    value: str
    begin: int
    end: int


def named(source: str, is_wanted: Callable[[str], bool]) -> Iterator[tuple[str, Literal]]:
    """Give what code assigns, passes or keys literally by names that are wanted; nothing if it cannot be parsed."""
    tree = _parsed(_NO_PYTHON.sub(lambda line: " " * len(line[0].encode(errors="surrogatepass")), source))
    if tree is None:
        return
    starts = [0]
    for line in re.split(r"(?<=\n)|(?<=\r)(?!\n)", source):
        starts.append(starts[-1] + len(line.encode(errors="surrogatepass")))
    for node in ast.walk(tree):
        for name, value in _named_values(node):
            if is_wanted(name):
                for part in _parts(value):
                    yield name, _literal(part, starts)


def _parsed(source: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            # What Python thinks of the user's escapes, it says when the cell runs.
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _literal(node: ast.Constant, starts: list[int]) -> Literal:
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    value = node.value.decode("latin-1") if isinstance(node.value, bytes) else str(node.value)
    return Literal(value, starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset)


def _named_values(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Give what a piece of code puts under a name: assignments, arguments, items of dictionaries."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            yield from _unpacked(target, node.value)
    elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)) and node.value is not None:
        yield from _unpacked(node.target, node.value)
    elif isinstance(node, ast.keyword) and node.arg is not None:
        yield node.arg, node.value
    elif isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield key.value, value
    elif isinstance(node, ast.Call) and _called(node) in LOGINS:
        # The last of what it is given, whatever that is called: `login("ada", "...")`, `wandb.login(key="...")`
        yield from (("password", value) for value in node.args[-1:])
        yield from (("password", given.value) for given in node.keywords if given.arg == "key")
    elif isinstance(node, ast.Call) and len(node.args) >= 2:
        # `os.environ.setdefault("HF_TOKEN", "...")`, `log_param("api_key", "...")`
        first = node.args[0]
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield first.value, node.args[1]
    elif isinstance(node, ast.arguments):
        both = [*node.posonlyargs, *node.args]
        for argument, default in zip(both[len(both) - len(node.defaults) :], node.defaults, strict=True):
            yield argument.arg, default
        for argument, given in zip(node.kwonlyargs, node.kw_defaults, strict=True):
            if given is not None:
                yield argument.arg, given


def _called(node: ast.Call) -> str:
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _unpacked(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    for part, item in _leaves(target, value):
        if isinstance(part, ast.Name):
            yield part.id, item
        elif isinstance(part, ast.Attribute):
            yield part.attr, item
        elif isinstance(part, ast.Subscript) and isinstance(part.slice, ast.Constant):
            yield str(part.slice.value), item


def _leaves(target: ast.expr, value: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Give each single target of an assignment with what it gets."""
    if not isinstance(target, (ast.Tuple, ast.List)):
        yield target, value
        return
    if not isinstance(value, (ast.Tuple, ast.List)) or len(value.elts) != len(target.elts):
        return
    # Behind a star nothing stands where it seems to.
    if not any(isinstance(part, ast.Starred) for part in (*target.elts, *value.elts)):
        for part, item in zip(target.elts, value.elts, strict=True):
            yield from _leaves(part, item)


def _parts(value: ast.expr) -> Iterator[ast.Constant]:
    """Give the literals that a value is put together from; not those that a call is asked with."""
    if isinstance(value, ast.Constant) and isinstance(value.value, (str, bytes, int)):
        if not isinstance(value.value, bool):
            yield value
    elif isinstance(value, ast.BinOp):
        yield from (*_parts(value.left), *_parts(value.right))
    elif isinstance(value, (ast.List, ast.Tuple, ast.Set)):
        for item in value.elts:
            yield from _parts(item)
    elif isinstance(value, (ast.Dict, ast.BoolOp)):
        for item in value.values:
            yield from _parts(item)
    elif isinstance(value, ast.IfExp):
        yield from (*_parts(value.body), *_parts(value.orelse))
    elif isinstance(value, ast.Call):
        if isinstance(value.func, ast.Attribute):
            yield from _parts(value.func.value)
        elif isinstance(value.func, ast.Name) and value.func.id in ("SecretStr", "str", "bytes"):
            for item in value.args:
                yield from _parts(item)


# -- parameters -----------------------------------------------------------------------------

# papermill's comment above the parameters that it writes into a notebook.
_INJECTED: Final = "# Parameters\n"


def parameters(code: str) -> dict[str, Any]:
    """Return the values that code assigns literally, once and on its top level.

    A literal is a number, a text, a bool, None, or a list, tuple, dictionary or set of
    such; it may carry an annotation, and several may be unpacked at once. A name that
    is bound again, also in a loop, a branch or by an import, is none, nor is one that begins
    with an underscore. Code that cannot be parsed has no parameters.

    Examples
    --------
    >>> parameters("lr, depth = 0.1, -3\\nfor epoch in range(9): pass\\nn = 1\\nn += 1")
    {'lr': 0.1, 'depth': -3}
    """
    tree = _parsed(code)
    if tree is None:
        return {}
    counted = Counter(_bound(tree))
    return {name: value for name, value in _assigned(tree) if counted[name] == 1 and not name.startswith("_")}


def bound_names(code: str) -> set[str]:
    """Return every name that code binds on its top level."""
    tree = _parsed(code)
    return set() if tree is None else set(_bound(tree))


def injected(source: str) -> dict[str, Any]:
    """Return the parameters of a cell as papermill writes it: its comment, then literals and nothing else.

    A cell that somebody wrote just so counts too: the kernel is not told of a cell's tags.
    """
    if not source.startswith(_INJECTED):
        return {}
    tree = _parsed(source)
    if tree is None or not all(isinstance(statement, ast.Assign) for statement in tree.body):
        return {}
    found = dict(_assigned(tree))
    return found if len(found) == len(tree.body) else {}


def _assigned(tree: ast.Module) -> Iterator[tuple[str, Any]]:
    for statement in tree.body:
        targets: list[ast.expr] = []
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            targets = [statement.target]
        for target in targets:
            assert isinstance(statement, (ast.Assign, ast.AnnAssign))
            assert statement.value is not None
            for part, value in _leaves(target, statement.value):
                if isinstance(part, ast.Name):
                    yield from _evaluated(part.id, value)


def _evaluated(name: str, value: ast.expr) -> Iterator[tuple[str, Any]]:
    # papermill writes these two numbers so.
    if isinstance(value, ast.Call) and ast.unparse(value) in ("float('nan')", "float('inf')", "float('-inf')"):
        yield name, float(ast.literal_eval(value.args[0]))
        return
    try:
        found = ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return
    if not isinstance(found, (bytes, complex, type(...))):
        yield name, found


_SCOPES: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_COMPREHENSIONS: Final = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Lambda)


def _bound(tree: ast.AST) -> Iterator[str]:
    """Give the names that a module binds, as often as it does; what functions keep to themselves is none."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, _SCOPES):
            yield node.name
            # What a function declares global it may bind whenever it is called.
            for inner in ast.walk(node):
                if isinstance(inner, ast.Global):
                    yield from inner.names
            continue
        if isinstance(node, _COMPREHENSIONS):
            yield from (item.target.id for item in ast.walk(node) if isinstance(item, ast.NamedExpr))
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, (ast.Store, ast.Del)):
            yield node.id
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).partition(".")[0]
        elif isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and node.name:
            yield node.name
        elif isinstance(node, ast.MatchMapping) and node.rest:
            yield node.rest
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
        yield from _bound(node)
