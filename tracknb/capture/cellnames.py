"""Which names the code of a cell reads from outside of it, and which it binds.

Code is what IPython makes of a cell. It is walked as it would run: a name that was surely
bound before is not read from outside. Where two ways are possible, more is read than less.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from types import CodeType
from typing import Final

# Cell magics whose body is Python that runs in the user's namespace.
_PYTHON_MAGICS: Final = frozenset(
    {"time", "timeit", "capture", "prun", "track_run", "memit", "mprun", "lprun", "snakeviz", "pyinstrument", "scalene"}
)
# Line magics whose line is, or ends with, Python.
_PYTHON_LINES: Final = frozenset({"time", "timeit", "prun", "memit", "lprun", "mprun"})
# Calls that may read any name.
_ANY_NAME: Final = frozenset({"exec", "eval", "globals", "locals", "vars", "dir", "get_ipython", "compile"})
# `{name}` and `$name` in the line of a magic or of a shell command.
_EXPANDED: Final = re.compile(r"\{([^{}]+)\}|\$(\w+)")
_BUILTIN_READS: Final = frozenset(dir(__builtins__) if not isinstance(__builtins__, dict) else __builtins__)


@dataclass(slots=True)
class CellNames:
    """What a cell does to names, as far as its text tells.

    Parameters
    ----------
    reads
        Names that may be read before the cell has surely bound them.
    binds
        Names that it binds or deletes whenever it runs to its end.
    may_bind
        Names that it binds or deletes on some ways.
    stores
        Names into whose object it writes: ``x`` of ``x.lr = 1`` and ``x["lr"] = 1``.
    attributes
        Names of attributes and modules that it speaks of, such as ``environ``.
    reads_all
        It may read any name, as ``exec`` of a text that nobody knows does.
    """

    reads: set[str] = field(default_factory=set)
    binds: set[str] = field(default_factory=set)
    may_bind: set[str] = field(default_factory=set)
    stores: set[str] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)
    reads_all: bool = False


def names_of(code: str) -> CellNames:
    """Return what the code of a cell does to names; code that cannot be read may read any name.

    Examples
    --------
    >>> found = names_of("total = sum(prices) * rate; rate = 2")
    >>> sorted(found.reads), sorted(found.binds)
    (['prices', 'rate'], ['rate', 'total'])
    """
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return CellNames(reads_all=True)
    walk = _Walk()
    try:
        walk.body(tree.body)
    except RecursionError:
        return CellNames(reads_all=True)
    names = walk.names
    names.binds = set(walk.bound)
    names.reads -= _BUILTIN_READS - names.binds - names.may_bind
    return names


def globals_of(code: CodeType) -> set[str]:
    """Return the names that a compiled function may look up outside of itself, with those of functions in it."""
    found = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found |= globals_of(constant)
    return found


class _Walk(ast.NodeVisitor):
    """One way through a cell; ``bound`` is what is surely bound where the walk stands."""

    def __init__(self) -> None:
        self.names = CellNames()
        self.bound: set[str] = set()
        # What the functions of this cell read, to be read when somebody speaks of them.
        self.bodies: dict[str, CellNames] = {}

    def body(self, statements: Sequence[ast.stmt]) -> None:
        for statement in statements:
            self.visit(statement)

    def read(self, name: str) -> None:
        if name not in self.bound:
            self.names.reads.add(name)
        if name in self.bodies:
            inside = self.bodies.pop(name)
            self.take(inside)
        if name in _ANY_NAME and name not in self.bound:
            self.names.reads_all = self.names.reads_all or name != "get_ipython"

    def bind(self, name: str) -> None:
        self.bound.add(name)
        self.names.may_bind.add(name)

    def take(self, inside: CellNames) -> None:
        """Do what a function's body does, now that it may be called."""
        for name in inside.reads:
            self.read(name)
        for name in inside.may_bind:
            self.names.may_bind.add(name)
        self.names.stores |= inside.stores
        self.names.attributes |= inside.attributes
        self.names.reads_all |= inside.reads_all

    def branch(self, *ways: Sequence[ast.stmt]) -> None:
        """Walk ways of which any may be gone: surely bound is what all of them bind."""
        before, after = set(self.bound), []
        for way in ways:
            self.bound = set(before)
            self.body(way)
            after.append(self.bound)
        self.bound = set.intersection(*after) if after else before

    # -- names ----------------------------------------------------------------------

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self.read(node.id)
        else:
            self.bind(node.id)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.names.attributes.add(node.attr)
        self._stored(node)
        self.visit(node.value)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self._stored(node)
        self.visit(node.value)
        self.visit(node.slice)

    def _stored(self, node: ast.Attribute | ast.Subscript) -> None:
        if not isinstance(node.ctx, ast.Load):
            root: ast.expr = node
            while isinstance(root, ast.Attribute | ast.Subscript | ast.Call):
                root = root.func if isinstance(root, ast.Call) else root.value
            if isinstance(root, ast.Name):
                self.names.stores.add(root.id)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.visit(node.value)
        if isinstance(node.target, ast.Name):
            self.read(node.target.id)
            self.bind(node.target.id)
        else:
            self.visit(node.target)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        for target in node.targets:
            self.visit(target)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.visit(node.annotation)
        if node.value is not None:
            self.visit(node.value)
            self.visit(node.target)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        self.visit(node.target)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.names.attributes.add(alias.name)
            self.bind(alias.asname or alias.name.split(".")[0])

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self.names.attributes.add(node.module or "")
        for alias in node.names:
            if alias.name != "*":
                self.names.attributes.add(alias.name)
                self.bind(alias.asname or alias.name)

    def visit_Delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            if isinstance(target, ast.Name):
                self.read(target.id)
                self.bind(target.id)
            else:
                self.visit(target)

    # -- functions and classes --------------------------------------------------------

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for part in (*node.decorator_list, *node.args.defaults, *(item for item in node.args.kw_defaults if item)):
            self.visit(part)
        for annotation in _annotations(node):
            self.visit(annotation)
        inside = _inside(node.body, _arguments(node.args))
        if node.decorator_list:
            # A decorator may call it at once, or keep it for somebody else to call.
            self.take(inside)
        else:
            self.bodies[node.name] = inside
        self.bind(node.name)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        for part in (*node.args.defaults, *(item for item in node.args.kw_defaults if item)):
            self.visit(part)
        self.take(_inside([ast.Expr(node.body)], _arguments(node.args)))

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for part in (*node.decorator_list, *node.bases, *(keyword.value for keyword in node.keywords)):
            self.visit(part)
        own = _Walk()
        own.bound = set()
        methods = CellNames()
        for statement in node.body:
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                inside = _inside(statement.body, _arguments(statement.args))
                _join(methods, inside)
                for part in (*statement.decorator_list, *statement.args.defaults, *_annotations(statement)):
                    own.visit(part)
                own.bind(statement.name)
            else:
                own.visit(statement)
        # The body runs now; its own names are the class's.
        for name in own.names.reads:
            self.read(name)
        self.names.stores |= own.names.stores - own.bound
        self.names.attributes |= own.names.attributes
        self.names.reads_all |= own.names.reads_all
        self.bodies[node.name] = methods
        self.bind(node.name)

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> None:
        outside, local = self.bound, set(self.bound)
        for generator in node.generators:
            self.bound = local
            self.visit(generator.iter)
            local |= _targets(generator.target)
            self.bound = local
            for condition in generator.ifs:
                self.visit(condition)
        parts = (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,)
        for part in parts:
            self.visit(part)
        self.bound = outside

    visit_ListComp = visit_SetComp = visit_GeneratorExp = visit_DictComp = _comprehension

    # -- ways ------------------------------------------------------------------------

    def visit_If(self, node: ast.If) -> None:
        self.visit(node.test)
        self.branch(node.body, node.orelse)

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        self.visit(node.iter)
        before = set(self.bound)
        self.visit(node.target)
        self.body(node.body)
        self.bound = before
        self.body(node.orelse)

    visit_AsyncFor = visit_For

    def visit_While(self, node: ast.While) -> None:
        self.visit(node.test)
        before = set(self.bound)
        self.body(node.body)
        self.bound = before
        self.body(node.orelse)

    def visit_Try(self, node: ast.Try | ast.TryStar) -> None:
        before = set(self.bound)
        self.body(node.body)
        self.body(node.orelse)
        whole = self.bound
        ends = [whole]
        for handler in node.handlers:
            self.bound = set(before)
            if handler.type is not None:
                self.visit(handler.type)
            if handler.name:
                self.bind(handler.name)
            self.body(handler.body)
            ends.append(self.bound)
        self.bound = set.intersection(*ends)
        self.body(node.finalbody)

    visit_TryStar = visit_Try

    def visit_Match(self, node: ast.Match) -> None:
        self.visit(node.subject)
        before = set(self.bound)
        for case in node.cases:
            self.bound = set(before)
            self.visit(case.pattern)
            if case.guard is not None:
                self.visit(case.guard)
            self.body(case.body)
        self.bound = before

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        if node.pattern is not None:
            self.visit(node.pattern)
        if node.name:
            self.bind(node.name)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        if node.name:
            self.bind(node.name)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self.visit(node.test)
        before = set(self.bound)
        for part in (node.body, node.orelse):
            self.bound = set(before)
            self.visit(part)
        self.bound = before

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        self.visit(node.values[0])
        before = set(self.bound)
        for value in node.values[1:]:
            self.visit(value)
        self.bound = before

    # -- magics and code in texts ------------------------------------------------------

    def visit_Call(self, node: ast.Call) -> None:
        called = node.func
        if isinstance(called, ast.Attribute) and _is_shell(called.value):
            self._magic(called.attr, [_text(item) for item in node.args])
            return
        if isinstance(called, ast.Name) and called.id in ("exec", "eval") and called.id not in self.bound:
            text = _text(node.args[0]) if node.args else None
            if text is not None:
                self._python(text)
                return
        self.visit(called)
        for item in node.args:
            self.visit(item)
        for keyword in node.keywords:
            self.visit(keyword.value)

    def _magic(self, kind: str, arguments: Sequence[str | None]) -> None:
        if kind in ("run_line_magic", "run_cell_magic") and len(arguments) >= 2 and arguments[0] is not None:
            name, line = arguments[0], arguments[1] or ""
            self._expansions(line)
            if name in _PYTHON_LINES and line.strip():
                # Options stand in front of the statement.
                self._python(re.sub(r"^(?:\s*-\w+\s*\d*\s)*", "", line).strip())
            if name == "run":
                self.names.reads_all |= "-i" in line.split()
            if kind == "run_cell_magic" and len(arguments) > 2 and arguments[2] is not None:
                if name in _PYTHON_MAGICS or name.startswith("python"):
                    self._python(arguments[2])
                else:
                    self._expansions(arguments[2])
        elif kind in ("system", "getoutput", "getoutput"):
            self._expansions(" ".join(item or "" for item in arguments))
        elif kind not in ("run_line_magic", "run_cell_magic"):
            # The shell itself is spoken of: whatever it holds may be meant.
            self.names.reads_all = True

    def _expansions(self, line: str) -> None:
        for braced, word in _EXPANDED.findall(line):
            self._python(braced or word)

    def _python(self, text: str) -> None:
        try:
            self.body(ast.parse(textwrap.dedent(text)).body)
        except (SyntaxError, ValueError):
            # No Python after all, or a magic within.
            self.names.reads |= set(re.findall(r"[A-Za-z_]\w*", text)) - self.bound


def _inside(body: Sequence[ast.stmt], arguments: Iterable[str]) -> CellNames:
    """Return what a function's body reads and binds outside of it."""
    walk = _Walk()
    outer: set[str] = set()
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Global):
                outer |= set(node.names)
    own = set(arguments) | (_bound_in(body) - outer)
    walk.bound = set(own)
    walk.body(body)
    for name in list(walk.bodies):
        walk.read(name)
    found = walk.names
    found.reads -= own
    found.may_bind = found.may_bind & outer
    found.stores -= own
    return found


def _bound_in(body: Sequence[ast.stmt]) -> set[str]:
    """Return the names that are local to a function because it binds them somewhere."""
    found: set[str] = set()
    waiting: list[ast.AST] = list(body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
            continue
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            found.add(node.name)
        elif isinstance(node, ast.Lambda):
            continue
        waiting.extend(ast.iter_child_nodes(node))
    return found


def _join(one: CellNames, other: CellNames) -> None:
    one.reads |= other.reads
    one.may_bind |= other.may_bind
    one.stores |= other.stores
    one.attributes |= other.attributes
    one.reads_all |= other.reads_all


def _arguments(arguments: ast.arguments) -> set[str]:
    found = {item.arg for item in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
    return found | {item.arg for item in (arguments.vararg, arguments.kwarg) if item is not None}


def _annotations(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.expr]:
    given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
    found = [item.annotation for item in given if item is not None and item.annotation is not None]
    return [*found, node.returns] if node.returns is not None else found


def _targets(target: ast.expr) -> set[str]:
    return {node.id for node in ast.walk(target) if isinstance(node, ast.Name)}


def _is_shell(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "get_ipython"


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
