"""Where a cancellation ends: which ``except`` clause of a coroutine takes it, and what the coroutine does then."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from bglint.index.callers import last_name
from bglint.index.catching import CANCELLED, caught_types, flow_of, named_types
from bglint.index.context import TRIES, names_read
from bglint.index.facts import Scope, dotted_text
from bglint.index.flow import Flow, Point, nodes_of, parts_of, truth
from bglint.index.symbols import COROUTINE

if TYPE_CHECKING:
    from bglint.index.project import Project

_BASE = "builtins.BaseException"
_CANCELLING = frozenset({CANCELLED, _BASE})
# Calls that await all they are given, and nothing else.
_GATHERING = frozenset({"gather", "shield", "wait", "wait_for"})
_TIMEOUTS = frozenset({"fail_after", "move_on_after", "timeout", "timeout_at"})
# Methods that clean up: a cancellation in the middle of that is mostly the second one.
_CLOSING = frozenset(
    {"__aexit__", "aclose", "cleanup", "close", "disconnect", "shutdown", "stop", "terminate", "wait_closed"}
)
# Whoever asks these knows whose cancellation it is.
_ASKING = frozenset({"cancelling", "uncancel", "cancelled"})
# Methods that keep an exception for later.
_KEEPING = frozenset({"add", "append", "put", "put_nowait", "set_exception"})


def cancelling_handler(node: ast.Try, scope: Scope, project: Project) -> ast.ExceptHandler | None:
    """The clause of a ``try`` that takes a cancellation; None where there is none."""
    for handler in node.handlers:
        types = caught_types(handler, scope, project)
        if types is not None and types & _CANCELLING:
            return handler
    return None


def suppresses_cancellation(node: ast.With | ast.AsyncWith, scope: Scope, project: Project) -> bool:
    """Whether a ``with`` is a ``suppress()`` of cancellations."""
    types = caught_types(node, scope, project)
    return types is not None and bool(types & _CANCELLING)


def goes_on_after(node: ast.Try | ast.With | ast.AsyncWith, scope: Scope, project: Project) -> ast.AST | None:
    """The first await that a coroutine can get to after it swallowed a cancellation in ``node``.

    None where it raises, returns or ends instead, and where the cancellation is not its own: that of a task which it
    cancelled itself, or awaits for somebody.
    """
    if not any(awaits(statement) for statement in nodes_of(node.body)):
        return None
    handler = cancelling_handler(node, scope, project) if isinstance(node, TRIES) else None  # type: ignore[arg-type]
    if isinstance(node, TRIES) and handler is None:
        return None
    types = caught_types(handler or node, scope, project) or frozenset()  # type: ignore[arg-type]
    if awaits_others(node, types, scope, project):
        return None
    if _is_cleaning_up(node, scope) or (handler is not None and _is_meant(handler, node, scope)):
        return None
    flow = flow_of(scope, project, _Asked(handler.name if handler is not None else None, scope, project))
    starts = flow.points(handler) if handler is not None else _behind(flow, node)  # type: ignore[arg-type]
    # Whatever it raises ends it, if nobody swallows that, too. What a handler or a finally awaits is cleaning up.
    raises = {n for n in nodes_of(scope.body) if isinstance(n, ast.Raise)}
    cleaning = set(_cleaning(node, scope))
    found = [point.node for point in flow.reach(starts, avoid=raises, failing=False) if point.node is not None]
    going_on = [n for n in found if n not in cleaning and awaits(n)]
    return min(going_on, key=lambda n: n.lineno, default=None)


def _is_cleaning_up(node: ast.AST, scope: Scope) -> bool:
    """Whether a statement stands in an ``except`` clause or a ``finally``: a second cancellation must not stop it."""
    child = node
    for around in scope.module.ancestors(node):
        if around is scope.node:
            return False
        if isinstance(around, ast.ExceptHandler):
            return True
        if isinstance(around, TRIES) and child in around.finalbody:  # type: ignore[attr-defined]
            return True
        child = around
    return False


def _is_meant(handler: ast.ExceptHandler, node: ast.AST, scope: Scope) -> bool:
    """Whether a handler shows that its author knows what it swallows.

    It asks whose cancellation it is, decides on some condition to end after all, or keeps the exception, or the fact,
    for later.
    """
    inner = list(nodes_of(handler.body))
    if any(isinstance(n, ast.If) and any(isinstance(j, _JUMPS) for j in nodes_of([n])) for n in inner):
        return True
    if any(last_name(call.func) in _ASKING for call in scope.calls if _is_in(call, handler, scope)):
        return True
    if handler.name and any(
        isinstance(call.func, ast.Attribute) and call.func.attr in _KEEPING and handler.name in names_read(call)
        for call in scope.calls
        if _is_in(call, handler, scope)
    ):
        return True
    assigned = {
        target.id for n in inner if isinstance(n, ast.Assign) for target in n.targets if isinstance(target, ast.Name)
    }
    return bool(assigned) and any(
        isinstance(part, ast.Name) and part.id in assigned and isinstance(part.ctx, ast.Load)
        for n in nodes_of(scope.body)
        if n not in inner and n.lineno > handler.lineno
        for part in parts_of(n)
    )


def awaits(node: ast.AST) -> bool:
    """Whether a point of a coroutine can be cancelled: it awaits, or is an ``async for`` or ``async with``."""
    return isinstance(node, (ast.AsyncFor, ast.AsyncWith)) or any(isinstance(p, ast.Await) for p in parts_of(node))


def awaits_others(
    node: ast.Try | ast.With | ast.AsyncWith, types: frozenset[str], scope: Scope, project: Project
) -> bool:
    """Whether ``node`` awaits only tasks that the function cancelled or others may cancel, and what cleans up."""
    awaited = [part for statement in nodes_of(node.body) for part in parts_of(statement) if isinstance(part, ast.Await)]
    if not awaited or any(isinstance(n, ast.AsyncFor) or _enters(n) for n in nodes_of(node.body)):
        return False
    cancels = any(
        last_name(call.func) == "cancel" and isinstance(call.func, ast.Attribute) and _row(call) <= _end(node)
        for call in scope.calls
    )
    for await_ in awaited:
        if _closes(await_.value):
            continue
        tasks = list(_tasks(await_.value))
        if not tasks:
            return False
        if cancels:
            continue
        # Without a cancel in sight, they may be tasks that another method cancels, for whoever names CancelledError.
        if _BASE in types:
            return False
        symbols = [project.resolve(task, scope) for task in tasks]
        if any(symbol is not None and symbol.name == COROUTINE for symbol in symbols):
            return False
    return True


def _closes(value: ast.expr) -> bool:
    """Whether what is awaited cleans up: ``x.close()``, perhaps ``wait_for(x.close(), 5)``."""
    while isinstance(value, ast.Call) and last_name(value.func) in _GATHERING and value.args:
        value = value.args[0]
    return isinstance(value, ast.Call) and last_name(value.func) in _CLOSING


def _enters(node: ast.AST) -> bool:
    """Whether a statement is an ``async with`` of anything but a timeout."""
    return isinstance(node, ast.AsyncWith) and not all(
        isinstance(item.context_expr, ast.Call) and last_name(item.context_expr.func) in _TIMEOUTS
        for item in node.items
    )


def _tasks(value: ast.expr) -> Iterator[ast.expr]:
    """The names that an awaited expression awaits; none where it awaits the call of a coroutine function."""
    if isinstance(value, (ast.Name, ast.Attribute, ast.Subscript)):
        yield value
    elif isinstance(value, ast.Starred):
        yield from _tasks(value.value)
    elif isinstance(value, (ast.List, ast.Tuple, ast.Set)):
        for element in value.elts:
            yield from _tasks(element)
    elif isinstance(value, ast.Call) and last_name(value.func) in _GATHERING:
        for argument in value.args:
            yield from _tasks(argument)
    elif isinstance(value, ast.Call) and last_name(value.func) in ("list", "tuple", "set", "values"):
        yield from _tasks(value.func.value if isinstance(value.func, ast.Attribute) else next(iter(value.args), value))


class _Asked:
    """What conditions are when the caught exception is a cancellation: ``isinstance(e, CancelledError)`` is true."""

    def __init__(self, name: str | None, scope: Scope, project: Project) -> None:
        self.name = name
        self.scope = scope
        self.project = project

    def __call__(self, test: ast.expr) -> bool | None:
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            inner = self(test.operand)
            return None if inner is None else not inner
        if self.name and isinstance(test, ast.Call) and len(test.args) == 2:
            if dotted_text(test.func) == "isinstance" and dotted_text(test.args[0]) == self.name:
                types = named_types(test.args[1], self.scope, self.project)
                return bool(types & _CANCELLING) if types is not None else None
        return truth(test)


def _behind(flow: Flow, node: ast.With | ast.AsyncWith) -> Iterable[Point]:
    """The points right behind a ``with``: where its body goes on to when it has done, or failed."""
    inside = {*nodes_of(node.body), node}
    for point in (p for n in nodes_of(node.body) for p in flow.points(n)):
        ways = point.raised if isinstance(point.node, _JUMPS) else [*point.normal, *point.raised]
        for following in ways:
            if following.node not in inside and not isinstance(following.node, ast.ExceptHandler):
                if following is not flow.escape:
                    yield following


_JUMPS = (ast.Return, ast.Break, ast.Continue, ast.Raise)


def _cleaning(node: ast.AST, scope: Scope) -> Iterator[ast.AST]:
    """The statements in the handlers and ``finally`` blocks of a ``try`` and, for ``finally``, of those around it."""
    if isinstance(node, TRIES):
        yield from nodes_of([s for handler in node.handlers for s in handler.body])  # type: ignore[attr-defined]
    for around in (node, *scope.module.ancestors(node)):
        if around is scope.node:
            return
        if isinstance(around, TRIES):
            yield from nodes_of(around.finalbody)  # type: ignore[attr-defined]


def _is_in(node: ast.AST, around: ast.AST, scope: Scope) -> bool:
    return any(ancestor is around for ancestor in scope.module.ancestors(node))


def _row(node: ast.expr) -> int:
    return node.lineno


def _end(node: ast.stmt) -> int:
    return node.end_lineno or node.lineno
