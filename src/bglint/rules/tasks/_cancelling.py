"""Whether a function cancels the awaitables that it gives to ``asyncio.gather`` itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bglint.index.callers import last_name
from bglint.index.context import COMPREHENSIONS, statement_of, tries_around, within_function
from bglint.index.facts import dotted_text
from bglint.index.observers import COPIES

if TYPE_CHECKING:
    from bglint.index.facts import Scope
    from bglint.index.project import Project

_ENDINGS = frozenset({"asyncio.CancelledError", "builtins.KeyboardInterrupt", "builtins.SystemExit"})


def cancels_itself(gather: ast.Call, scope: Scope, project: Project) -> bool:
    """Whether the function has cancelled the tasks before, or does so when one of them fails."""
    names = subjects(gather)
    if not names:
        return False
    module = scope.module
    places = {id(node) for node in (*_run_on_failure(gather, scope, project), *_run_before(gather, scope))}
    return any(
        id(ancestor) in places
        for call in scope.calls
        if cancels(call, names, scope)
        for ancestor in module.ancestors(call)
    )


def _run_on_failure(gather: ast.Call, scope: Scope, project: Project) -> Iterator[ast.stmt]:
    """The statements that run when the gather raises: of ``finally`` blocks and of handlers of more than endings."""
    for around in tries_around(scope.module, gather):
        yield from around.finalbody
        for handler in around.handlers:
            symbol = project.resolve(handler.type, scope) if handler.type is not None else None
            if symbol is None or symbol.name not in _ENDINGS:
                yield from handler.body


def _run_before(gather: ast.Call, scope: Scope) -> Iterator[ast.stmt]:
    """The statements before the gather in the blocks around it, but those that lead elsewhere."""
    own = statement_of(scope.module, gather)
    inside: list[ast.AST] = [own, *(parent for _, parent in within_function(scope.module, own))]
    for parent in (*inside[1:], scope.node):
        for field in ("body", "orelse", "finalbody"):
            block = getattr(parent, field, None)
            if isinstance(block, list):
                position = next((i for i, statement in enumerate(block) if statement in inside), 0)
                yield from (s for s in block[:position] if not _leaves(s))


def _leaves(statement: ast.stmt) -> bool:
    body = statement.body if isinstance(statement, ast.If) else []
    return bool(body) and isinstance(body[-1], (ast.Return, ast.Raise, ast.Continue, ast.Break))


def subjects(gather: ast.Call) -> frozenset[str]:
    """The names under which existing awaitables, or collections of them, are given to ``gather``."""
    return frozenset(text for argument in gather.args for text in _subjects(argument))


def _subjects(node: ast.expr) -> Iterator[str]:
    if isinstance(node, (ast.Starred, ast.Subscript)):
        yield from _subjects(node.value)
    elif isinstance(node, COMPREHENSIONS):
        yield from (text for generator in node.generators for text in _subjects(generator.iter))
    elif isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        yield from (text for element in node.elts for text in _subjects(element))
    elif isinstance(node, ast.BinOp):
        yield from _subjects(node.left)
        yield from _subjects(node.right)
    elif isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute) and node.func.attr in ("copy", "keys", "values"):
            yield from _subjects(node.func.value)
        elif dotted_text(node.func) in COPIES:
            yield from (text for argument in node.args for text in _subjects(argument))
    elif text := dotted_text(node):
        yield text


def cancels(call: ast.Call, names: frozenset[str], scope: Scope) -> bool:
    """Whether a call cancels one of ``names``, what a loop takes out of them, or is a helper that does."""
    if "cancel" not in last_name(call.func):
        return False
    given = {text for argument in call.args for text in _subjects(argument)}
    if given & names:
        return True
    if not isinstance(call.func, ast.Attribute):
        return False
    receiver = dotted_text(call.func.value) or "".join(_subjects(call.func.value))
    if receiver in names or any(name.startswith(f"{receiver}.") for name in names):
        return True
    return any(
        isinstance(target, ast.Name) and target.id == receiver and set(_subjects(iterable)) & names
        for target, iterable in _loops_around(call, scope)
    )


def _loops_around(node: ast.AST, scope: Scope) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Target and iterable of every loop and comprehension around a node; of dictionaries' items, the value."""
    for parent in scope.module.ancestors(node):
        loops: list[ast.For | ast.AsyncFor | ast.comprehension] = []
        if isinstance(parent, (ast.For, ast.AsyncFor)):
            loops = [parent]
        elif isinstance(parent, COMPREHENSIONS):
            loops = list(parent.generators)
        for loop in loops:
            target, iterable = loop.target, loop.iter
            if isinstance(iterable, ast.Call) and isinstance(iterable.func, ast.Attribute):
                if iterable.func.attr == "items" and isinstance(target, ast.Tuple):
                    target, iterable = target.elts[-1], iterable.func.value
            yield target, iterable
