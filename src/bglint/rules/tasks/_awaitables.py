"""What ``asyncio.gather`` is given, each awaitable followed through local names and lists to what makes it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bglint.index.facts import BindingKind, dotted_text
from bglint.index.observers import COPIES
from bglint.index.symbols import COROUTINE

if TYPE_CHECKING:
    from bglint.index.facts import Scope
    from bglint.index.project import Project

_COMPREHENSIONS = (ast.ListComp, ast.GeneratorExp, ast.SetComp)
_VIEWS = frozenset({"copy", "values"})
_ONE_MORE = frozenset({"add", "append", "insert"})
_WRAPPERS = frozenset(
    {"asyncio.AbstractEventLoop.create_task", "asyncio.create_task", "asyncio.ensure_future", "asyncio.shield"}
)
_DEEPEST = 5


@dataclass(frozen=True, slots=True)
class Awaitable:
    """One awaitable, or ``many`` alike: ``call`` makes it; None where that is not known."""

    call: ast.Call | None
    many: bool = False


def awaitables(gather: ast.Call, scope: Scope, project: Project) -> list[Awaitable]:
    """Everything that a call of ``gather`` waits for, in order."""
    return [found for argument in gather.args for found in _follow(argument, scope, project, 0)]


def at_least(found: list[Awaitable]) -> int:
    """How many awaitables there are; any number counts as two."""
    return sum(2 if awaitable.many else 1 for awaitable in found)


def _follow(node: ast.expr, scope: Scope, project: Project, depth: int) -> Iterator[Awaitable]:
    if depth > _DEEPEST:
        yield Awaitable(None, many=True)
    elif isinstance(node, ast.Starred):
        yield from _unpack(node.value, scope, project, depth + 1)
    elif isinstance(node, ast.Call):
        maker = project.resolve(node.func, scope)
        if maker is not None and maker.name in _WRAPPERS and node.args:
            yield from _follow(node.args[0], scope, project, depth + 1)
        elif maker is not None and maker.name == "asyncio.gather" and not node.keywords:
            for argument in node.args:
                yield from _follow(argument, scope, project, depth + 1)
        else:
            yield Awaitable(node)
    elif isinstance(node, ast.Name) and (value := _only_value(node.id, scope)) is not None:
        yield from _follow(value, scope, project, depth + 1)
    else:
        yield Awaitable(None)


def _unpack(node: ast.expr, scope: Scope, project: Project, depth: int) -> Iterator[Awaitable]:
    """What is in a collection."""
    if depth > _DEEPEST:
        yield Awaitable(None, many=True)
    elif isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        for element in node.elts:
            yield from _follow(element, scope, project, depth + 1)
    elif isinstance(node, _COMPREHENSIONS):
        for found in _follow(node.elt, scope, project, depth + 1):
            yield Awaitable(found.call, many=True)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        yield from _unpack(node.left, scope, project, depth + 1)
        yield from _unpack(node.right, scope, project, depth + 1)
    elif isinstance(node, ast.Call) and dotted_text(node.func) in COPIES and len(node.args) == 1:
        yield from _unpack(node.args[0], scope, project, depth + 1)
    elif isinstance(node, ast.Name):
        yield from _collected(node.id, scope, project, depth + 1)
    else:
        yield Awaitable(None, many=True)


def _collected(name: str, scope: Scope, project: Project, depth: int) -> Iterator[Awaitable]:
    """What a local list holds: what it is made of, and what the function adds to it."""
    values = _values(name, scope)
    if values is None:
        yield Awaitable(None, many=True)
        return
    for value in values:
        if not (isinstance(value, ast.Call) and dotted_text(value.func) in COPIES and not value.args):
            yield from _unpack(value, scope, project, depth)
    for call in scope.calls:
        if isinstance(call.func, ast.Attribute) and dotted_text(call.func.value) == name and call.args:
            if call.func.attr in _ONE_MORE:
                for found in _follow(call.args[-1], scope, project, depth):
                    yield Awaitable(found.call, many=True)
            elif call.func.attr == "extend":
                yield from _unpack(call.args[0], scope, project, depth)


def _values(name: str, scope: Scope) -> list[ast.expr] | None:
    """All values that a local variable is given; None where something else than an assignment gives it one."""
    bindings = scope.names.bindings.get(name, []) if scope.is_function else []
    values = [b.value for b in bindings if b.kind is BindingKind.VALUE and b.value is not None and not b.path]
    if not values or len(values) != len(bindings) or name in scope.names.globals | scope.names.nonlocals:
        return None
    added = (node for node in ast.walk(scope.node) if isinstance(node, ast.AugAssign))
    return [*values, *(node.value for node in added if dotted_text(node.target) == name)]


def _only_value(name: str, scope: Scope) -> ast.expr | None:
    values = _values(name, scope)
    return values[0] if values is not None and len(values) == 1 else None


def are_done(gather: ast.Call, scope: Scope, project: Project) -> bool:
    """Whether all that is given are tasks that ``asyncio.wait`` has found to be done."""
    for argument in gather.args:
        name = dotted_text(argument.value) if isinstance(argument, ast.Starred) else ""
        bindings = scope.names.bindings.get(name, [])
        if not bindings or any(b.path != (0,) or not _is_wait(b.value, scope, project) for b in bindings):
            return False
    return True


def _is_wait(node: ast.expr | None, scope: Scope, project: Project) -> bool:
    call = node.value if isinstance(node, ast.Await) else None
    called = project.resolve(call.func, scope) if isinstance(call, ast.Call) else None
    return called is not None and called.name == "asyncio.wait"


def are_shielded(gather: ast.Call, scope: Scope, project: Project) -> bool:
    """Whether every awaitable is shielded: it is meant to go on, whatever happens to the others."""
    return bool(gather.args) and all(_is_shielded(argument, scope, project) for argument in gather.args)


def _is_shielded(node: ast.expr, scope: Scope, project: Project) -> bool:
    if isinstance(node, ast.Starred):
        return isinstance(node.value, _COMPREHENSIONS) and _is_shielded(node.value.elt, scope, project)
    called = project.resolve(node.func, scope) if isinstance(node, ast.Call) else None
    return called is not None and called.name == "asyncio.shield"


def are_of_others(gather: ast.Call, scope: Scope, project: Project) -> bool:
    """Whether all that is given are tasks that somebody else keeps, and the function only waits for their end.

    One task that an attribute or container holds, or those of a collection that are not ``done()`` yet.
    """
    if not gather.args:
        return False
    return all(
        _picks_undone(argument.value, scope)
        if isinstance(argument, ast.Starred)
        else _is_kept(argument, scope, project)
        for argument in gather.args
    )


def are_called_back(gather: ast.Call, scope: Scope, project: Project) -> bool:
    """Whether all that is given are the tasks of containers that others keep, and a callback looks at each task."""
    containers = [_container(argument, scope) for argument in gather.args]
    return bool(containers) and all(c is not None and project.observers.by_callback(c, scope) for c in containers)


def _container(node: ast.expr, scope: Scope) -> ast.expr | None:
    """The attribute or global whose items ``*node`` is, through copies and a local name for one."""
    if isinstance(node, ast.Starred):
        return _container(node.value, scope)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _VIEWS:
        return _container(node.func.value, scope)
    if isinstance(node, ast.Call) and dotted_text(node.func) in COPIES and len(node.args) == 1:
        return _container(node.args[0], scope)
    if isinstance(node, ast.Name) and (value := _only_value(node.id, scope)) is not None:
        return _container(value, scope)
    if isinstance(node, ast.Name) and any(node.id in s.names.bindings for s in scope.walk_up() if s.is_function):
        return None
    return node if dotted_text(node) else None


def _is_kept(node: ast.expr, scope: Scope, project: Project) -> bool:
    if not isinstance(node, (ast.Attribute, ast.Subscript)):
        return False
    symbol = project.resolve(node, scope)
    return symbol is None or symbol.name != COROUTINE


def _picks_undone(node: ast.expr, scope: Scope) -> bool:
    """``[t for t in tasks if not t.done()]``, or a name for that."""
    made = _only_value(node.id, scope) if isinstance(node, ast.Name) else node
    if not isinstance(made, _COMPREHENSIONS) or not isinstance(made.elt, ast.Name):
        return False
    asked = (n for generator in made.generators for test in generator.ifs for n in ast.walk(test))
    return any(
        isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and dotted_text(n.func) == f"{made.elt.id}.done"
        for n in asked
    )
