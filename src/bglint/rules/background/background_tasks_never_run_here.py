"""BGL108: background tasks of WebSocket routes, and those queued when a dependency is being closed."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from bglint.index import context as where
from bglint.index.background import TASKS
from bglint.index.catching import flow_of
from bglint.index.context import statement_of
from bglint.index.facts import dotted_text
from bglint.index.request_path import registrations
from bglint.model import Finding, Level
from bglint.rules.background._shared import QueueingRule, dependency_calls, ends_dependencies_early, queues
from bglint.rules.base import Candidate

if TYPE_CHECKING:
    from bglint.index.facts import Scope
    from bglint.index.project import Project

_WEBSOCKET = frozenset({"websocket", "websocket_route"})


class BackgroundTasksNeverRunHere(QueueingRule):
    """A background task is queued where nothing runs it.

    ## What it does
    Reports `tasks.add_task(...)` on the injected `BackgroundTasks` in two places:

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

    def matches(self, call: ast.Call, scope: Scope) -> bool:
        """Whether a call queues a task that nothing will run."""
        return self._harm(call, scope) is not None

    def judge(self, candidate: Candidate, project: Project) -> Finding | None:
        """Report where the task gets lost."""
        assert isinstance(candidate.site, ast.Call)
        message = self._harm(candidate.site, candidate.scope)
        return self.finding(candidate, message) if message is not None else None

    def _harm(self, call: ast.Call, scope: Scope) -> str | None:
        project = self.ctx.project
        owner = self._injected_into(call, scope)
        if owner is None:
            return None
        is_socket = any(symbol.last in _WEBSOCKET for symbol in registrations(owner, project))
        if not is_socket and (owner is not scope or not owner.yields):
            return None
        if not queues(project, call, scope):
            return None
        task = where.argument(call, 0, "func")
        name = f"`{dotted_text(task)}`" if task is not None and dotted_text(task) else "This background task"
        if is_socket:
            return f"{name} never runs: FastAPI drops the background tasks of a WebSocket route; call it here instead"
        if ends_dependencies_early(self.ctx.settings) or not self._is_after_yield(call, owner):
            return None
        depended = list(dependency_calls(project, owner))
        if not depended or any(_ends_early(use) for use in depended):
            return None
        return (
            f"{name} never runs: the dependency goes on after its `yield` when the background tasks have run (FastAPI "
            "up to 0.105 and since 0.118); queue it before the `yield`, or call it here"
        )

    def _injected_into(self, call: ast.Call, scope: Scope) -> Scope | None:
        """The function whose parameter a task is queued on, unless that function itself runs or hands on the tasks."""
        func = call.func
        if not (isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name)):
            return None
        name = func.value.id
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
