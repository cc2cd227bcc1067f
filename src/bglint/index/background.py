"""Background tasks: which calls queue one, which callable that is, and what of the project runs in it."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from bglint.index import context as where
from bglint.index.callers import calls_in
from bglint.index.guards import Guard
from bglint.index.symbols import PARTIAL, Symbol

if TYPE_CHECKING:
    from bglint.index.facts import Scope
    from bglint.index.project import Project

TASKS = "starlette.background.BackgroundTasks"
TASK = "starlette.background.BackgroundTask"
QUEUERS = frozenset({"add_task", "BackgroundTask"})
_MOST_FUNCTIONS = 500


def queues(project: Project, call: ast.Call, scope: Scope) -> bool:
    """Whether a call hands a callable to Starlette to run after the response."""
    called = project.resolve(call.func, scope)
    if called is None or called.instance:
        return False
    return called.name in (TASK, f"{TASKS}.add_task") or _hands_on(project, called)


def _hands_on(project: Project, called: Symbol) -> bool:
    """Whether a subclass's own ``add_task`` queues the callable as it is, by ``super().add_task(func, ...)``."""
    function, owner = called.function, called.receiver
    if function is None or owner is None or function.name != "add_task" or len(function.parameters) < 2:
        return False
    task = function.parameters[1].arg
    if not any(base.name == TASKS for base in project.resolver.mro(owner)):
        return False
    return any(
        isinstance(inner.func, ast.Attribute)
        and ast.unparse(inner.func) == "super().add_task"
        and isinstance(given := where.argument(inner, 0, "func"), ast.Name)
        and given.id == task
        for inner in function.calls
    )


def task_of(project: Project, call: ast.Call, scope: Scope) -> ast.expr | None:
    """What a queueing call will call: its first argument, or a later one where that only runs it (``to_thread``)."""
    position, task = 0, where.argument(call, 0, "func")
    while task is not None and (run := project.guards.runs_argument(task, scope)) is not None:
        position += 1 + run[0]
        handed = where.argument(call, position, run[1])
        if handed is None:
            break
        task = handed
    return task


def function_behind(project: Project, task: ast.expr, scope: Scope) -> Scope | None:
    """The project function that runs when a callable is called: partials and callable instances are looked through."""
    symbol = project.resolve(task, scope)
    while symbol is not None and symbol.instance and symbol.name == PARTIAL:
        symbol = symbol.item
    if symbol is not None and symbol.instance and symbol.class_ is not None:
        symbol = project.resolver.class_member(symbol, "__call__")
    return symbol.function if symbol is not None else None


@dataclass(frozen=True, slots=True)
class Step:
    """A call that makes a function run in a background task, in the function ``scope`` (or module).

    ``queued`` for the call that queues it.
    """

    call: ast.Call
    scope: Scope
    queued: bool


class QueuedWork:
    """What runs in the background tasks of a project; remembers its answers."""

    def __init__(self, project: Project) -> None:
        self.project = project

    @cached_property
    def tasks(self) -> dict[Scope, Step]:
        """The functions that are queued, each with the first call that does."""
        found: dict[Scope, Step] = {}
        callers = self.project.callers
        for path in sorted(callers.near(callers.files_with(b"BackgroundTask", b"add_task"))):
            module = self.project.module_at(path)
            for call, scope in calls_in(module, QUEUERS) if module is not None else ():
                task = task_of(self.project, call, scope) if queues(self.project, call, scope) else None
                function = function_behind(self.project, task, scope) if task is not None else None
                if function is not None:
                    found.setdefault(function, Step(call, scope, True))
        return found

    @cached_property
    def exposing(self) -> dict[Scope, Step]:
        """The functions whose exceptions get out of a background task: the queued ones and what they call."""
        found = {function: step for function, step in self.tasks.items() if not self._is_guarded(function)}
        pending = list(found)
        while pending and len(found) < _MOST_FUNCTIONS:
            caller = pending.pop(0)
            for call in caller.calls:
                symbol = self.project.resolve(call.func, caller)
                function = symbol.function if symbol is not None else None
                if function is None or function in found or self._is_guarded(function):
                    continue
                if not any(
                    self.project.guards.guards(node, caller) for node in where.tries_around(caller.module, call)
                ):
                    found[function] = Step(call, caller, False)
                    pending.append(function)
        return found

    def way_to(self, function: Scope) -> list[Step]:
        """The calls by which a function of ``exposing`` is reached, its own one first, the queueing one last."""
        steps = [self.exposing[function]]
        while not steps[-1].queued:
            steps.append(self.exposing[steps[-1].scope])
        return steps

    def _is_guarded(self, function: Scope) -> bool:
        return self.project.guards.of_function(function).guard is Guard.GUARDED
