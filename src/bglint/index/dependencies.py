"""What FastAPI's dependencies lend to an endpoint: values that a generator yields, and takes back after the response.

A dependency is found by ``Depends`` in a default, in ``Annotated`` (aliases followed) or in the decorator's list, and
through the parameters of other dependencies, functions or classes.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from bglint.index.callers import last_name
from bglint.index.catching import flow_of
from bglint.index.context import argument, statement_of, withs_around
from bglint.index.flow import parts_of

if TYPE_CHECKING:
    from bglint.index.facts import Scope
    from bglint.index.project import Project

DEPENDS = frozenset({"fastapi.Depends", "fastapi.Security"})
_DEPTH = 6
_COMMITTING = frozenset({"commit"})
# ``with session.begin():`` commits when it is left.
_TRANSACTIONS = frozenset({"atomic", "begin", "begin_nested", "in_transaction", "transaction"})
_CLOSING = frozenset({"aclose", "close", "dispose", "release", "putconn", "remove", "disconnect", "shutdown", "quit"})


@dataclass(frozen=True, slots=True)
class Lease:
    """A value that the generator ``provider`` lends to a function.

    ``parameter`` is the function's own parameter that gets it (or an object that holds it); empty where it stays with
    another dependency. ``ends_early`` for ``Depends(..., scope="function")``. ``way`` are the dependencies between.
    """

    provider: Scope
    parameter: str
    ends_early: bool
    way: tuple[Scope, ...] = ()


@lru_cache(maxsize=1)  # several rules ask about one function; what is kept here keeps its project
def leases(function: Scope, project: Project) -> tuple[Lease, ...]:
    """Everything that is lent to a function, by its own dependencies and by theirs."""
    return tuple(_leases(function, project, frozenset({function})))


def _leases(function: Scope, project: Project, seen: frozenset[Scope]) -> Iterator[Lease]:
    for parameter, call, scope in _dependencies(function, project):
        provider = _provider(function, parameter, call, scope, project)
        if provider is None or provider in seen or len(seen) > _DEPTH:
            continue
        early = argument(call, None, "scope")
        ends_early = isinstance(early, ast.Constant) and early.value == "function"
        if provider.yields and not project.resolver.is_context_manager(provider):
            yield Lease(provider, parameter, ends_early)
        for lease in _leases(provider, project, seen | {provider}):
            held = parameter if lease.parameter and _holds(provider, lease.parameter) else ""
            yield replace(lease, parameter=held, way=(provider, *lease.way))


def _dependencies(function: Scope, project: Project) -> Iterator[tuple[str, ast.Call, Scope]]:
    """The ``Depends`` of a function's parameters (with their names) and decorators, and where they are written."""
    outer = function.parent or function
    for parameter in function.parameters:
        default = function.defaults.get(parameter.arg)
        if isinstance(default, ast.Call) and _is_depends(default, outer, project):
            yield parameter.arg, default, outer
        elif parameter.annotation is not None:
            for call, scope in _in_annotation(parameter.annotation, outer, project):
                yield parameter.arg, call, scope
    for decorator in function.decorators:
        listed = argument(decorator, None, "dependencies") if isinstance(decorator, ast.Call) else None
        for element in listed.elts if isinstance(listed, (ast.List, ast.Tuple)) else ():
            if isinstance(element, ast.Call) and _is_depends(element, outer, project):
                yield "", element, outer


def _in_annotation(node: ast.expr, scope: Scope, project: Project) -> Iterator[tuple[ast.Call, Scope]]:
    for _ in range(_DEPTH):
        if not isinstance(node, (ast.Name, ast.Attribute)):
            break
        place = project.resolver.place(node, scope)
        if place is None or place[0].value is None:
            return
        node, scope = place[0].value, place[1]
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Tuple):
        for extra in node.slice.elts[1:]:
            if isinstance(extra, ast.Call) and _is_depends(extra, scope, project):
                yield extra, scope


def _is_depends(call: ast.Call, scope: Scope, project: Project) -> bool:
    symbol = project.resolve(call.func, scope)
    return symbol is not None and symbol.name in DEPENDS


def _provider(function: Scope, parameter: str, call: ast.Call, scope: Scope, project: Project) -> Scope | None:
    """The project function that runs for a ``Depends``: for a class its constructor, for an instance ``__call__``."""
    given = argument(call, 0, "dependency")
    if given is not None:
        symbol = project.resolve(given, scope)
    else:  # Depends() of what the parameter is annotated with
        own = next((p for p in function.parameters if p.arg == parameter), None)
        annotated = own.annotation if own is not None else None
        if isinstance(annotated, ast.Subscript) and isinstance(annotated.slice, ast.Tuple):
            annotated = annotated.slice.elts[0]
        symbol = project.resolve(annotated, function.parent or function) if annotated is not None else None
    if symbol is not None and symbol.class_ is not None:
        symbol = project.resolver.class_member(symbol, "__call__" if symbol.instance else "__init__")
    return symbol.function if symbol is not None else None


def _holds(provider: Scope, parameter: str) -> bool:
    """Whether what a dependency gives holds one of its own parameters: on ``self``, or in what it makes of it."""
    if provider.name == "__init__":
        values = [b.value for bindings in provider.names.attributes.values() for b in bindings]
        return any(isinstance(value, ast.Name) and value.id == parameter for value in values)
    given = [*provider.returns, *(y.value for y in provider.yields)]
    return any(_is_or_holds(value, parameter) for value in given if value is not None)


def _is_or_holds(value: ast.expr, name: str) -> bool:
    if isinstance(value, ast.Name):
        return value.id == name
    if isinstance(value, ast.Call) and last_name(value.func)[:1].isupper():
        return any(isinstance(a, ast.Name) and a.id == name for a in (*value.args, *(k.value for k in value.keywords)))
    return False


# -- what happens after the yield ------------------------------------------------------------------------------------


def commit_after_yield(provider: Scope, project: Project, depth: int = 0) -> ast.AST | None:
    """What commits, after a generator's ``yield``, only if nothing was raised there; None where nothing does."""
    for node in provider.yields:
        manager = _manager_that_commits(provider, node, project, depth)
        if manager is not None:
            return manager
        flow = flow_of(provider, project)
        statement = statement_of(provider.module, node)
        failed = {point.node for point in flow.after_failing(statement, failing=False)}
        for point in flow.after(statement, failing=False):
            if point.node is not None and point.node not in failed and is_commit(point.node):
                return point.node
    return None


def is_commit(node: ast.AST) -> bool:
    """Whether a statement commits, or is the ``with`` of a transaction that does when it is left."""
    if isinstance(node, (ast.With, ast.AsyncWith)) and any(_begins(item.context_expr) for item in node.items):
        return True
    return any(isinstance(part, ast.Call) and last_name(part.func) in _COMMITTING for part in parts_of(node))


def _begins(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _TRANSACTIONS


def _manager_that_commits(provider: Scope, node: ast.AST, project: Project, depth: int) -> ast.AST | None:
    for around in withs_around(provider.module, node):
        for item in around.items:
            if _begins(item.context_expr):
                return around
            manager = _manager(item.context_expr, provider, project)
            if manager is not None and depth < _DEPTH and commit_after_yield(manager, project, depth + 1) is not None:
                return around
    return None


def _manager(node: ast.expr, scope: Scope, project: Project) -> Scope | None:
    """The project's generator behind ``with f():``."""
    symbol = project.resolve(node.func, scope) if isinstance(node, ast.Call) else None
    function = symbol.function if symbol is not None else None
    return function if function is not None and project.resolver.is_context_manager(function) else None


def closes(provider: Scope) -> bool:
    """Whether a generator closes what it yields: by a ``with`` around the ``yield``, or by a call after it."""
    for node in provider.yields:
        value = node.value
        if not isinstance(value, ast.Name):
            continue
        if any(_binds(around, value.id) for around in withs_around(provider.module, node)):
            return True
        if any(
            isinstance(call.func, ast.Attribute)
            and call.func.attr in _CLOSING
            and call.lineno > node.lineno
            and any(isinstance(part, ast.Name) and part.id == value.id for part in ast.walk(call))
            for call in provider.calls
        ):
            return True
    return False


def _binds(node: ast.With | ast.AsyncWith, name: str) -> bool:
    """Whether a ``with`` enters the value called ``name``."""
    return any(
        isinstance(part, ast.Name) and part.id == name
        for item in node.items
        for part in (item.optional_vars, item.context_expr)
    )
