"""BGL109: an HTTPException that is raised when the response is already gone."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from bglint.index.background import Step
from bglint.index.callers import with_aliases
from bglint.index.catching import HTTP_EXCEPTION, ancestors, flow_of
from bglint.index.facts import dotted_text
from bglint.index.request_path import is_registrar, is_route
from bglint.model import Finding, Frame, Level
from bglint.rules.base import Candidate, Rule

if TYPE_CHECKING:
    from pathlib import Path

    import libcst as cst

    from bglint.index.facts import Scope
    from bglint.index.project import Project
    from bglint.source import Source

_MOST_CALLERS = 100


class HttpExceptionInBackgroundTask(Rule):
    """An `HTTPException` is raised in a background task.

    ## What it does
    Reports `raise HTTPException(...)` in a function that is queued with `add_task` or `BackgroundTask`, or that such a
    function calls, in this file or another one, where nothing on the way catches it. A function that a route or a
    dependency calls too is not reported: there the exception has its meaning.

    ## Why is this bad?
    `HTTPException` means "answer with this status", and a background task runs when the answer has been sent. The
    client keeps its 200. The exception handler does not run: the server logs
    `RuntimeError: Caught handled exception, but response already started`, and **the tasks queued behind are skipped**.

    ## Example
    ```python
    def import_rows(upload_id: int) -> None:
        rows = load(upload_id)
        if not rows:
            raise HTTPException(422, "No rows")


    @app.post("/imports/{upload_id}")
    def start(upload_id: int, tasks: BackgroundTasks):
        tasks.add_task(import_rows, upload_id)
    ```

    ## Use instead
    Check before the response what the client should know, and record in the task what goes wrong later:

    ```python
    def import_rows(upload_id: int) -> None:
        rows = load(upload_id)
        if not rows:
            logger.error("Upload %s has no rows", upload_id)
            return
    ```

    ## Fix safety
    There is no automatic fix: whether to log, to store a status, or to check before the response is for you to say.

    ## References
    - [FastAPI: Handling Errors](https://fastapi.tiangolo.com/tutorial/handling-errors/)
    - [FastAPI: Background Tasks](https://fastapi.tiangolo.com/tutorial/background-tasks/)
    """

    code, name = "BGL109", "http-exception-in-background-task"
    level = Level.ERROR
    triggers = frozenset({"HTTPException"})
    piece_needs = frozenset({"raise "})
    statements = (ast.Raise,)
    calls = False

    @classmethod
    def reaches(cls, path: Path, project: Project) -> bool:
        """Whether a file calls a subclass of it, in a project that queues background tasks."""
        if not project.callers.files_with(b"BackgroundTask", b"add_task"):
            return False
        return not project.callers.called(path).isdisjoint(name.encode() for name in project.traits.http_errors)

    def words(self, source: Source) -> frozenset[str]:
        """The class, its subclasses, what gives one, and what this file calls them."""
        known = self.triggers | self.ctx.project.traits.http_errors
        return with_aliases(known, source.data)

    def matches_statement(self, statement: ast.stmt, scope: Scope) -> bool:
        """Whether a ``raise`` sends an HTTPException out of a background task."""
        return isinstance(statement, ast.Raise) and self._way(statement, scope) != []

    def visit_Raise(self, node: cst.Raise) -> None:
        """A ``raise`` in a background task."""
        site = self.ctx.statement(node)
        if isinstance(site, ast.Raise) and site.exc is not None and self._way(site, self.ctx.scope(site)):
            self.ctx.candidate(node, site, span=self.ctx.ast_span(site.exc))

    def judge(self, candidate: Candidate, project: Project) -> Finding | None:
        """Report it with the way to the queueing call."""
        raised = candidate.site
        assert isinstance(raised, ast.Raise)
        way = self._way(raised, candidate.scope)
        if not way or raised.exc is None:
            return None
        queued = way[-1]
        place = f"{self.ctx.display(queued.scope.module)}:{queued.call.lineno}"
        name = dotted_text(raised.exc.func if isinstance(raised.exc, ast.Call) else raised.exc) or "HTTPException"
        message = (
            f"`{name}` reaches no client: this runs in the background task queued at {place}, after the response; "
            "the server logs a RuntimeError and skips the tasks queued after it"
        )
        here = Frame(candidate.scope.full_name, self.ctx.display_path, candidate.span.start.row)
        chain = (here, *(Frame(s.scope.full_name, self.ctx.display(s.scope.module), s.call.lineno) for s in way))
        return self.finding(candidate, message, chain)

    def _way(self, statement: ast.Raise, scope: Scope) -> list[Step]:
        """The calls that bring a ``raise`` into a background task; none unless it is proven to be wrong there."""
        project = self.ctx.project
        if not scope.is_function or statement.exc is None or is_route(scope, project):
            return []
        symbol = project.resolve(statement.exc, scope)
        if symbol is None or HTTP_EXCEPTION not in (ancestors(symbol, project) or ()):
            return []
        work = project.request_path.queued
        if scope not in work.exposing:
            return []
        flow = flow_of(scope, project)
        if statement not in flow.leaving(flow.reach([flow.entry])):
            return []
        return [] if _answers_requests(project, scope) else work.way_to(scope)


def _answers_requests(project: Project, function: Scope) -> bool:
    """Whether a route or a dependency calls a function, itself or through others; also where nobody can tell."""
    pending, seen = [function], {function}
    while pending:
        current = pending.pop()
        if is_route(current, project) or len(seen) > _MOST_CALLERS:
            return True
        for call, scope, is_call in project.request_path.references(current):
            if not is_call:
                symbol = project.resolve(call.func, scope)
                if symbol is not None and symbol.last not in ("add_task", "BackgroundTask") and is_registrar(symbol):
                    return True
            elif scope.is_function and scope not in seen:
                seen.add(scope)
                pending.append(scope)
    return False
