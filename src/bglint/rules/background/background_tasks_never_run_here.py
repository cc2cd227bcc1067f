"""BGL108: background tasks of WebSocket routes, and those queued when a dependency is being closed."""

from __future__ import annotations

import ast
from collections.abc import Collection
from typing import TYPE_CHECKING, TypeAlias

from bglint.index import context as where
from bglint.index.background import TASKS
from bglint.index.callers import last_name
from bglint.index.catching import flow_of
from bglint.index.context import statement_of
from bglint.index.facts import dotted_text
from bglint.index.request_path import registrations
from bglint.model import Finding, Frame, Level
from bglint.rules.background._shared import (
    QueueingRule,
    dependency_calls,
    ends_dependencies_early,
    given_to_parameters,
    helpers_called,
    queues,
)
from bglint.rules.base import Candidate

if TYPE_CHECKING:
    from bglint.index.facts import Scope
    from bglint.index.project import Project
    from bglint.source import Source

_WEBSOCKET = frozenset({"websocket", "websocket_route"})
_Way: TypeAlias = "list[tuple[ast.Call, Scope]]"
_DEPTH = 3


class BackgroundTasksNeverRunHere(QueueingRule):
    """A background task is queued where nothing runs it.

    ## What it does
    Reports `tasks.add_task(...)` on the injected `BackgroundTasks`, and calls of a helper that queues a task on them,
    in two places:

    - in a WebSocket route
    - after the `yield` of a dependency, for FastAPI up to 0.105 and from 0.118 on, or an unknown version

    The version is that of the option `fastapi-version`, else the oldest that the project's dependencies allow, else the
    installed one. A dependency with `scope="function"` ends before the response and is not reported.

    ## Why is this bad?
    Background tasks belong to a response. A WebSocket route has none: FastAPI injects the object, and **drops what is
    queued on it**. A dependency goes on after its `yield` when the response has been sent and its tasks have run (but
    for FastAPI 0.106 to 0.117): what it queues then comes too late, and is dropped as well. Neither is logged.

    ## Example
    ```python
    @app.websocket("/chat")
    async def chat(socket: WebSocket, tasks: BackgroundTasks):
        await socket.accept()
        tasks.add_task(count_visit, "chat")
    ```

    ## Use instead
    Do it there and then, in a thread if it blocks:

    ```python
    @app.websocket("/chat")
    async def chat(socket: WebSocket):
        await socket.accept()
        await asyncio.to_thread(count_visit, "chat")
    ```

    In a dependency, queue the task before the `yield`, or call the function after it.

    ## Fix safety
    There is no automatic fix: calling the function instead makes the client wait for it.

    ## References
    - [FastAPI: WebSockets](https://fastapi.tiangolo.com/advanced/websockets/)
    - [FastAPI: Dependencies with yield](https://fastapi.tiangolo.com/tutorial/dependencies/dependencies-with-yield/)
    - [FastAPI: Background Tasks](https://fastapi.tiangolo.com/tutorial/background-tasks/)
    """

    code, name = "BGL108", "background-tasks-never-run-here"
    level = Level.ERROR

    def words(self, source: Source) -> frozenset[str]:
        """What queues a task, and helpers that may."""
        return super().words(source) | helpers_called(self.ctx.project, source.path)

    def matches(self, call: ast.Call, scope: Scope) -> bool:
        """Whether a call queues a task that nothing will run."""
        return self._harm(call, scope) is not None

    def judge(self, candidate: Candidate, project: Project) -> Finding | None:
        """Report where the task gets lost."""
        call = candidate.site
        assert isinstance(call, ast.Call)
        message = self._harm(call, candidate.scope)
        if message is None:
            return None
        way = self._queued_by(call, candidate.scope, _given_tasks(call))
        here = Frame(candidate.scope.full_name, self.ctx.display_path, candidate.span.start.row)
        frames = (Frame(f.full_name, self.ctx.display(f.module), c.lineno) for c, f in way)
        return self.finding(candidate, message, (here, *frames) if way else ())

    def _harm(self, call: ast.Call, scope: Scope) -> str | None:
        """Why nothing runs what a call queues, itself or in a helper; None where something may."""
        project = self.ctx.project
        func = call.func
        own = func.value.id if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name) else ""
        for name in (own, *sorted(_given_tasks(call))):
            owner = self._injected_into(name, scope)
            if owner is None:
                continue
            is_socket = any(symbol.last in _WEBSOCKET for symbol in registrations(owner, project))
            if not is_socket and (owner is not scope or not owner.yields):
                continue
            way = [] if name == own else self._queued_by(call, scope, {name})
            if not way and not (name == own and queues(project, call, scope)):
                continue
            return self._message(call, scope, way, owner if not is_socket else None)
        return None

    def _message(self, call: ast.Call, scope: Scope, way: _Way, dependency: Scope | None) -> str | None:
        queueing = way[-1][0] if way else call
        task = where.argument(queueing, 0, "func")
        name = f"`{dotted_text(task)}`" if task is not None and dotted_text(task) else ""
        never = f"{name or 'This background task'} never runs"
        if way:
            place = f"{self.ctx.display(way[-1][1].module)}:{queueing.lineno}"
            never = f"`{last_name(call.func)}()` queues {name or 'a task'} at {place}, which never runs"
        instead = "call the function" if way else "call it"
        if dependency is None:
            return f"{never}: FastAPI drops the background tasks of a WebSocket route; {instead} here instead"
        if ends_dependencies_early(self.ctx.settings) or not self._is_after_yield(call, dependency):
            return None
        depended = list(dependency_calls(self.ctx.project, dependency))
        if not depended or any(_ends_early(use) for use in depended):
            return None
        return (
            f"{never}: the dependency goes on after its `yield` when the background tasks have run (FastAPI up to "
            f"0.105 and since 0.118); queue it before the `yield`, or {instead} here"
        )

    def _queued_by(self, call: ast.Call, scope: Scope, names: Collection[str], depth: int = 0) -> _Way:
        """The calls by which a helper queues a task on what it is given: its own ones, the queueing one last."""
        project = self.ctx.project
        symbol = project.resolve(call.func, scope) if names and depth < _DEPTH else None
        function = symbol.function if symbol is not None else None
        if function is None:
            return []
        for parameter, given in given_to_parameters(project, call, function):
            if not (isinstance(given, ast.Name) and given.id in names) or _keeps(function, parameter):
                continue
            for inner in function.calls:
                func = inner.func
                if isinstance(func, ast.Attribute) and dotted_text(func.value) == parameter:
                    if queues(project, inner, function):
                        return [(inner, function)]
                elif way := self._queued_by(inner, function, {parameter}, depth + 1):
                    return [(inner, function), *way]
        return []

    def _injected_into(self, name: str, scope: Scope) -> Scope | None:
        """The function with the parameter that tasks are queued on, unless that function itself runs the tasks."""
        owner = next((s for s in scope.walk_up() if s.is_function and name in s.names.bindings), None)
        if owner is None or len(owner.names.bindings[name]) != 1:
            return None
        parameter = next((p for p in owner.parameters if p.arg == name), None)
        symbol = self.ctx.project.resolver.parameter(parameter, owner) if parameter is not None else None
        if symbol is None or symbol.name != TASKS:
            return None
        ran = any(
            isinstance(inner.func, ast.Name) and inner.func.id == name
            for inner, _ in owner.module.link(owner)
            if owner.row <= inner.lineno <= (getattr(owner.node, "end_lineno", 0) or 0)
        )
        return None if ran else owner

    def _is_after_yield(self, call: ast.Call, function: Scope) -> bool:
        """Whether a call can only be reached once the function has yielded."""
        flow = flow_of(function, self.ctx.project)
        module = function.module
        yields = {statement_of(module, node) for node in function.yields}
        here = statement_of(module, call)
        if here in yields:
            return False
        before = flow.reach([flow.entry], avoid=yields)
        return all(point.node is not here for point in before)


def _ends_early(use: ast.Call) -> bool:
    """Whether a ``Depends`` lets its dependency end before the response."""
    scope = where.argument(use, None, "scope")
    return isinstance(scope, ast.Constant) and scope.value == "function"


def _given_tasks(call: ast.Call) -> frozenset[str]:
    """The names that a call is given as they are."""
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    return frozenset(value.id for value in given if isinstance(value, ast.Name))


def _keeps(function: Scope, name: str) -> bool:
    """Whether a helper does more with the tasks it gets than to queue some, or to hand them to another helper."""
    function.module.link(function)
    parents = function.module.parents
    for node in ast.walk(function.node):
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load):
            parent = parents.get(node)
            if isinstance(parent, ast.Attribute):
                continue
            handed = parents.get(parent) if isinstance(parent, ast.keyword) else parent
            if not isinstance(handed, ast.Call) or handed.func is node or last_name(handed.func)[:1].isupper():
                return True
    return False
