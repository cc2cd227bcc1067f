"""What the rules of the 1xx family share: which calls queue a background task, and what is queued behind it."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bglint.index import context as where

if TYPE_CHECKING:
    from bglint.index.facts import Scope
    from bglint.index.project import Project
    from bglint.index.symbols import Symbol

_TASKS = "starlette.background.BackgroundTasks"
_TASK = "starlette.background.BackgroundTask"


def queues(project: Project, call: ast.Call, scope: Scope) -> bool:
    """Whether a call hands a callable to Starlette to run after the response."""
    called = project.resolve(call.func, scope)
    if called is None or called.instance:
        return False
    return called.name in (_TASK, f"{_TASKS}.add_task") or _hands_on(project, called)


def _hands_on(project: Project, called: Symbol) -> bool:
    """Whether a subclass's own ``add_task`` queues the callable as it is, by ``super().add_task(func, ...)``."""
    function, owner = called.function, called.receiver
    if function is None or owner is None or function.name != "add_task" or len(function.parameters) < 2:
        return False
    task = function.parameters[1].arg
    if not any(base.name == _TASKS for base in project.resolver.mro(owner)):
        return False
    return any(
        isinstance(inner.func, ast.Attribute)
        and ast.unparse(inner.func) == "super().add_task"
        and isinstance(given := where.argument(inner, 0, "func"), ast.Name)
        and given.id == task
        for inner in function.calls
    )


@dataclass(frozen=True, slots=True)
class Queue:
    """What a function queues behind a task: how many tasks surely, and whether there may be more."""

    sure: int
    more: bool


def queued_after(call: ast.Call, scope: Scope) -> Queue:
    """The tasks that the same function queues behind ``call`` on the same object, or that the same list holds."""
    module = scope.module
    if not isinstance(call.func, ast.Attribute) or call.func.attr != "add_task":
        parent = module.parents.get(call)
        behind = parent.elts[parent.elts.index(call) + 1 :] if isinstance(parent, (ast.List, ast.Tuple)) else []
        return Queue(len(behind), any(isinstance(element, ast.Starred) for element in behind))
    receiver = ast.dump(call.func.value)
    sure, more = 0, where.in_loop(module, call)
    for other in scope.calls:
        func = other.func
        if not isinstance(func, ast.Attribute) or func.attr != "add_task" or ast.dump(func.value) != receiver:
            continue
        if _position(other) <= _position(call):
            continue
        after = where.runs_after(module, call, other)
        if after and _leaves_between(scope, call, other):
            after = None
        sure, more = sure + (after is True), more or after is None
    return Queue(sure, more)


def _position(node: ast.expr) -> tuple[int, int]:
    return node.end_lineno or 0, node.end_col_offset or 0


def _leaves_between(scope: Scope, first: ast.Call, second: ast.Call) -> bool:
    """Whether the function may end, or a loop go on, between two calls."""
    module = scope.module
    return any(
        isinstance(node, (ast.Return, ast.Raise, ast.Break, ast.Continue))
        and first.lineno <= node.lineno <= second.lineno
        and module.scope_of(node) is scope
        and where.runs_after(module, first, node) is not False
        for node in ast.walk(scope.node)
    )
