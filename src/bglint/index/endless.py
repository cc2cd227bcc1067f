"""Endless work: the loop in a function, or in what it calls, that nothing in the code ever leaves."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bglint.index.catching import CANCELLED, caught_types, flow_of
from bglint.index.context import tries_around
from bglint.index.flow import nodes_of, truth

if TYPE_CHECKING:
    from bglint.index.facts import Scope
    from bglint.index.project import Project

_DEPTH = 5
# Calls that end the process, and so the loop.
_EXITS = frozenset({"builtins.exit", "builtins.quit", "os._exit", "os.abort", "os.kill", "sys.exit"})
# What says nothing about how a loop ends when it is caught around it: failures of any kind, and the end of all.
_NOT_EXPECTED = frozenset({CANCELLED, "builtins.BaseException", "builtins.Exception", "builtins.KeyboardInterrupt"})


@dataclass(frozen=True, slots=True)
class EndlessLoop:
    """A loop without a way out, and the calls that lead to it from the function that was asked about."""

    loop: ast.While
    function: Scope
    calls: tuple[tuple[Scope, ast.Call], ...] = ()


def endless_loop(function: Scope, project: Project) -> EndlessLoop | None:
    """The first endless loop that a call of a function can get into; None where there is none to be seen."""
    return _search(function, project, (), {function})


def _search(
    function: Scope, project: Project, calls: tuple[tuple[Scope, ast.Call], ...], seen: set[Scope]
) -> EndlessLoop | None:
    if function.yields:
        return None  # a generator is stopped by whoever iterates over it
    function.module.link(function)
    loops = [node for node in nodes_of(function.body) if isinstance(node, ast.While) and truth(node.test) is True]
    if loops:
        flow = flow_of(function, project)
        for loop in sorted(loops, key=lambda node: node.lineno):
            if flow.points(loop) and not flow.can_end(loop) and not _ends(loop, function, project):
                return EndlessLoop(loop, function, calls)
    if len(calls) >= _DEPTH:
        return None
    for call in function.calls:
        called = _runs(call, function, project)
        if called is not None and called not in seen:
            seen.add(called)
            found = _search(called, project, (*calls, (function, call)), seen)
            if found is not None:
                return found
    return None


def _ends(loop: ast.While, scope: Scope, project: Project) -> bool:
    """Whether a loop ends the process, or by an exception that the function expects around it."""
    expected = (
        caught_types(handler, scope, project) for node in tries_around(scope.module, loop) for handler in node.handlers
    )
    if any(types is None or not types & _NOT_EXPECTED for types in expected):
        return True
    inside = set(nodes_of(loop.body))
    return any(
        (symbol := project.resolve(call.func, scope)) is not None and symbol.name in _EXITS
        for call in scope.calls
        if any(node in inside for node in scope.module.ancestors(call))
    )


def _runs(call: ast.Call, scope: Scope, project: Project) -> Scope | None:
    """The project function whose body runs to its end before a call's own statement does."""
    symbol = project.resolve(call.func, scope)
    function = symbol.function if symbol is not None else None
    if function is None or function.yields:
        return None
    awaited = isinstance(scope.module.parents.get(call), ast.Await)
    return function if awaited or not function.is_async else None
