"""BGL105: a background task that an exception throws away before it can run."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from bglint.index import context as where
from bglint.index.background import queues
from bglint.index.catching import Catching, flow_of
from bglint.index.facts import dotted_text
from bglint.index.flow import nodes_of, surely_raises
from bglint.index.request_path import is_route
from bglint.model import Finding, Level
from bglint.rules.background._shared import QueueingRule

if TYPE_CHECKING:
    from bglint.index.facts import Scope
    from bglint.index.project import Project
    from bglint.rules.base import Candidate


class BackgroundTaskLostOnRaise(QueueingRule):
    """An exception raised after `add_task` throws the task away.

    ## What it does
    Reports `tasks.add_task(...)` where the same function can go on to a `raise` whose exception leaves it. Only `raise`
    statements count, not calls that might fail. A `raise` that is caught in the function, that stands in another branch
    or behind a `return`, or in an `except` clause of the `try` that the `add_task` stands in, is not reported.

    ## Why is this bad?
    Background tasks belong to the response that the endpoint returns. When an exception leaves the endpoint instead,
    `HTTPException` included, another response is sent, and **every task queued so far is dropped**: it never runs and
    nothing is logged. The classic victim is the audit entry for a failed login, queued one line above the
    `raise HTTPException(401)`.

    ## Example
    ```python
    @app.post("/login")
    def login(credentials: Credentials, tasks: BackgroundTasks):
        if not check(credentials):
            tasks.add_task(record_failure, credentials.name)  # never runs
            raise HTTPException(401)
    ```

    ## Use instead
    Return the response that the tasks go with:

    ```python
    @app.post("/login")
    def login(credentials: Credentials, tasks: BackgroundTasks):
        if not check(credentials):
            tasks.add_task(record_failure, credentials.name)
            return JSONResponse({"detail": "Wrong name or password"}, status_code=401)
    ```

    Where the task should run only if all goes well, queue it after the last check. Where it must run in any case,
    call it before the `raise`.

    ## Fix safety
    There is no automatic fix: only you know whether the task should run when the request fails.

    ## References
    - [FastAPI: Background Tasks](https://fastapi.tiangolo.com/tutorial/background-tasks/)
    - [FastAPI: Handling Errors](https://fastapi.tiangolo.com/tutorial/handling-errors/)
    """

    code, name = "BGL105", "background-task-lost-on-raise"
    level = Level.WARNING
    triggers = frozenset({"add_task"})
    piece_needs = frozenset({"raise"})

    def matches(self, call: ast.Call, scope: Scope) -> bool:
        """Whether a call queues a task that a later raise drops."""
        return self._raises(call, scope) != []

    def judge(self, candidate: Candidate, project: Project) -> Finding | None:
        """Report it with the first raise that drops it."""
        assert isinstance(candidate.site, ast.Call)
        raises = self._raises(candidate.site, candidate.scope)
        if not raises:
            return None
        task = where.argument(candidate.site, 0, "func")
        name = dotted_text(task) if task is not None else ""
        what = f"Background task `{name}`" if name else "This background task"
        raised = raises[0].exc
        kind = _class_name(raised)
        more = f" (and on {len(raises) - 1} more)" if len(raises) > 1 else ""
        exception = f"the `{kind}`" if kind else "the exception"
        message = (
            f"{what} never runs when {exception} is raised on row {raises[0].lineno}{more}: tasks are dropped with the "
            "response they belong to; queue it after the last check, or return the error response"
        )
        return self.finding(candidate, message)

    def _raises(self, call: ast.Call, scope: Scope) -> list[ast.Raise]:
        """The raises, in source order, that can come after a call and leave the function with its tasks."""
        func = call.func
        if not (isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name)):
            return []
        if all(func.value.id != parameter.arg for parameter in scope.parameters):
            return []
        if not any(isinstance(node, ast.Raise) for node in nodes_of(scope.body)):
            return []
        if not queues(self.ctx.project, call, scope):
            return []
        module = scope.module
        handlers = {handler for node in where.tries_around(module, call) for handler in node.handlers}
        flow = flow_of(scope, self.ctx.project)
        statement = where.statement_of(module, call)
        raises = flow.leaving(flow.after(statement, avoid=handlers))
        return [] if raises and self._is_caught_by_callers(scope, raises) else raises

    def _is_caught_by_callers(self, function: Scope, raises: list[ast.Raise]) -> bool:
        """Whether the function is a helper whose callers may catch what it raises."""
        project = self.ctx.project
        if is_route(function, project):
            return False
        catches = Catching(project, function)
        return any(
            catches(handler, raised) is not False
            for call, scope in project.callers.calls_of(function)
            for node in where.tries_around(scope.module, call)
            for handler in node.handlers
            if not surely_raises(handler.body)
            for raised in raises
        )


def _class_name(raised: ast.expr | None) -> str:
    """How a ``raise`` names its class; empty where it does not."""
    name = dotted_text(raised.func if isinstance(raised, ast.Call) else raised) if raised is not None else ""
    return name if name.rpartition(".")[2][:1].isupper() else ""
