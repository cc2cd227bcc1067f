"""Where a node stands: awaited, dropped, in a loop, under a ``try``. Pure questions over a linked module."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from bglint.index.facts import Module

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
LOOPS = (ast.For, ast.AsyncFor, ast.While)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
TRIES: tuple[type[ast.AST], ...] = (ast.Try, *((ast.TryStar,) if hasattr(ast, "TryStar") else ()))


def statement_of(module: Module, node: ast.AST) -> ast.stmt:
    """The innermost statement that holds ``node`` (or is it)."""
    if isinstance(node, ast.stmt):
        return node
    return next(a for a in module.ancestors(node) if isinstance(a, ast.stmt))


def within_function(module: Module, node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """(child, parent) pairs upwards from ``node``, ending at the innermost function, lambda or class."""
    child = node
    for parent in module.ancestors(node):
        if isinstance(parent, (*FUNCTIONS, ast.ClassDef)):
            return
        yield child, parent
        child = parent


def is_awaited(module: Module, node: ast.AST) -> bool:
    """Whether ``node`` is what an ``await`` waits for."""
    return isinstance(module.parents.get(node), ast.Await)


def is_dropped(module: Module, node: ast.AST) -> bool:
    """Whether the value of ``node`` is a statement of its own, used by nobody."""
    return isinstance(module.parents.get(node), ast.Expr)


def in_loop(module: Module, node: ast.AST) -> bool:
    """Whether ``node`` runs repeatedly: in a loop's body or a comprehension's element, in its own function."""
    for child, parent in within_function(module, node):
        if isinstance(parent, LOOPS) and child in parent.body:
            return True
        if isinstance(parent, COMPREHENSIONS) and not isinstance(child, ast.comprehension):
            return True
    return False


def tries_around(module: Module, node: ast.AST) -> Iterator[ast.Try]:
    """The ``try`` statements whose body (not handlers, else or finally) holds ``node``, innermost first."""
    for child, parent in within_function(module, node):
        if isinstance(parent, TRIES) and child in parent.body:  # type: ignore[attr-defined]
            yield parent  # type: ignore[misc]


def withs_around(module: Module, node: ast.AST) -> Iterator[ast.With | ast.AsyncWith]:
    """The ``with`` statements whose body holds ``node``, innermost first."""
    for child, parent in within_function(module, node):
        if isinstance(parent, (ast.With, ast.AsyncWith)) and child in parent.body:
            yield parent


def argument(call: ast.Call, position: int | None, name: str) -> ast.expr | None:
    """The argument given by position or keyword; None also where a star could hide it (see ``has_star``)."""
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    if position is None or any(isinstance(a, ast.Starred) for a in call.args[: position + 1]):
        return None
    return call.args[position] if position < len(call.args) else None


def has_star(call: ast.Call) -> bool:
    """Whether ``*args`` or ``**kwargs`` are passed."""
    return any(isinstance(a, ast.Starred) for a in call.args) or any(k.arg is None for k in call.keywords)


def hands_on(parent: ast.AST, child: ast.AST) -> bool:
    """Whether the value of ``parent`` is that of ``child``, or a container that holds it."""
    if isinstance(parent, ast.IfExp):
        return child is not parent.test
    if isinstance(parent, ast.BoolOp):
        return isinstance(parent.op, ast.Or) or child is parent.values[-1]
    if isinstance(parent, (ast.ListComp, ast.SetComp)):
        return child is parent.elt
    if isinstance(parent, ast.DictComp):
        return child is parent.value
    return isinstance(parent, (ast.Tuple, ast.List, ast.Set, ast.Dict, ast.Starred, ast.NamedExpr))


def names_read(node: ast.AST) -> frozenset[str]:
    """Every name that is read anywhere inside ``node``, nested functions included."""
    return frozenset(n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load))
