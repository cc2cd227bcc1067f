"""Endings: does a function surely return? Not proven for one with a loop that may go on for ever, a wait without a
timeout, or a call of something that only its caller knows; what it calls in the project counts as its own.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bglint.index import data
from bglint.index.context import FUNCTIONS, LOOPS, argument, has_star
from bglint.index.facts import Scope, dotted_text

if TYPE_CHECKING:
    from bglint.index.project import Project

_ENDLESS = frozenset({"itertools.count", "itertools.cycle"})
_NESTED = (*FUNCTIONS, ast.ClassDef)
_MOST_FUNCTIONS = 500


class Endings:
    """Answers for one project; remembers its answers."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._known: dict[Scope, bool] = {}
        self._callees: dict[Scope, list[Scope] | None] = {}

    def ends(self, function: Scope) -> bool:
        """Whether a call of a sync function is proven to return."""
        if function not in self._known:
            self._known[function] = self._search(function)
        return self._known[function]

    def _search(self, start: Scope) -> bool:
        """Whether neither the function nor anything it leads to may go on for ever."""
        seen = {start}
        pending = [start]
        while pending:
            function = pending.pop()
            if function not in self._callees:
                self._callees[function] = self._called_by(function)
            called = self._callees[function]
            if called is None or len(seen) > _MOST_FUNCTIONS:
                return False
            pending.extend(set(called) - seen)
            seen.update(called)
        return True

    def _called_by(self, function: Scope) -> list[Scope] | None:
        """The project functions that a function runs; None where its own code may go on for ever."""
        if function.is_async or function.yields:
            return None
        loops = (node for node in within(function.body) if isinstance(node, LOOPS))
        if any(self._may_be_endless(loop, function) for loop in loops):
            return None
        found: list[Scope] = []
        for call in function.calls:
            symbol = self.project.resolve(call.func, function)
            if symbol is None:
                # A callable that was passed in may do anything; an unknown method is taken for an ordinary one.
                if isinstance(call.func, ast.Name) and _is_local(call.func.id, function):
                    return None
            elif symbol.function is not None:
                if not symbol.function.is_async and not symbol.function.yields:
                    found.append(symbol.function)
            elif waits(symbol.name, call):
                return None
        return found

    def _may_be_endless(self, loop: ast.For | ast.AsyncFor | ast.While, scope: Scope) -> bool:
        if isinstance(loop, ast.While):
            if isinstance(loop.test, ast.Constant):
                return bool(loop.test.value) and not has_exit(loop)
            return _is_flag(loop)
        if isinstance(loop.iter, ast.Call):
            symbol = self.project.resolve(loop.iter.func, scope)
            if symbol is not None and symbol.name in _ENDLESS:
                return not has_exit(loop)
            if symbol is not None and symbol.name == "builtins.iter" and len(loop.iter.args) == 2:
                return True  # iter(queue.get, None): until somebody sends the last value
        return isinstance(loop, ast.AsyncFor)


def waits(name: str, call: ast.Call) -> bool:
    """Whether a call of ``name``, as its arguments are, waits as long as it takes."""
    position: int | None = data.load("waits.toml")["calls"].get(name)
    if position is None or has_star(call):
        return False
    timeout = argument(call, position if position >= 0 else None, "timeout")
    block = argument(call, 0 if name.endswith(".get") and position == 1 else None, "block")
    if isinstance(block, ast.Constant) and block.value is False:
        return False
    return timeout is None or (isinstance(timeout, ast.Constant) and timeout.value is None)


def has_exit(loop: ast.For | ast.AsyncFor | ast.While) -> bool:
    """Whether a loop holds a ``break`` of its own, a ``return`` or a ``raise``."""
    pending: list[tuple[ast.AST, bool]] = [(statement, True) for statement in loop.body]
    while pending:
        node, own = pending.pop()
        if isinstance(node, (ast.Return, ast.Raise)) or (own and isinstance(node, ast.Break)):
            return True
        if not isinstance(node, (*_NESTED, ast.expr)):
            inner = own and not isinstance(node, LOOPS)
            pending.extend((child, inner) for child in ast.iter_child_nodes(node))
    return False


def within(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """The statements (and handlers) in a body, nested functions and classes left out."""
    pending: list[ast.AST] = list(body)
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, (*_NESTED, ast.expr)):
            pending.extend(ast.iter_child_nodes(node))


def _is_flag(loop: ast.While) -> bool:
    """Whether a loop goes on until somebody else sets a flag: ``while self.running``, ``while not stop.is_set()``."""
    test = loop.test
    while isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        test = test.operand
    if isinstance(test, ast.Call):
        return isinstance(test.func, ast.Attribute) and test.func.attr in ("is_alive", "is_set", "wait")
    return isinstance(test, ast.Attribute) and not _is_changed(dotted_text(test), loop)


def _is_changed(text: str, loop: ast.While) -> bool:
    """Whether the loop itself assigns to ``text``, or calls a method of it."""
    for statement in loop.body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Attribute) and dotted_text(node) == text and isinstance(node.ctx, ast.Store):
                return True
            if isinstance(node, ast.Call) and dotted_text(node.func).rpartition(".")[0] == text:
                return True
    return False


def _is_local(name: str, scope: Scope) -> bool:
    return any(name in owner.names.bindings for owner in scope.walk_up() if owner.is_function)
