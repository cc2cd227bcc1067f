"""BGL107: a response that brings other background tasks than the injected ones."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bglint.index import context as where
from bglint.index.background import QUEUERS, TASK, TASKS, queues
from bglint.index.facts import BindingKind, dotted_text
from bglint.index.request_path import is_route
from bglint.model import Finding, Level
from bglint.rules.base import Candidate, Rule

if TYPE_CHECKING:
    import libcst as cst

    from bglint.index.facts import Module, Scope
    from bglint.index.project import Project
    from bglint.index.symbols import Symbol


class BackgroundTasksOverridden(Rule):
    """A returned response replaces the injected background tasks.

    ## What it does
    Reports a response with a `background=` of its own, returned by a route that queued tasks on its injected
    `BackgroundTasks` parameter before. A response without `background`, with `background=None`, or with the injected
    object itself is fine, and so is one whose tasks take the injected ones along.

    ## Why is this bad?
    FastAPI gives a response the injected tasks **only if it has none of its own**. Otherwise everything that was queued
    with `tasks.add_task(...)` is dropped: it never runs, and nothing is logged.

    ## Example
    ```python
    @app.get("/report")
    def report(tasks: BackgroundTasks):
        path = render()
        tasks.add_task(count_download, path)
        return FileResponse(path, background=BackgroundTask(os.remove, path))
    ```

    ## Use instead
    ```python
    @app.get("/report")
    def report(tasks: BackgroundTasks):
        path = render()
        tasks.add_task(count_download, path)
        tasks.add_task(os.remove, path)
        return FileResponse(path)
    ```

    ## Fix safety
    There is no automatic fix: in which order the tasks should run is for you to say.

    ## References
    - [FastAPI: Background Tasks](https://fastapi.tiangolo.com/tutorial/background-tasks/)
    - [Starlette: Background Tasks](https://www.starlette.io/background/)
    """

    code, name = "BGL107", "background-tasks-overridden"
    level = Level.ERROR
    triggers = frozenset({"background"})
    needs = frozenset({"add_task"})
    piece_needs = frozenset({"add_task"})
    statements = (ast.Return, ast.Assign)
    calls = False

    def matches_statement(self, statement: ast.stmt, scope: Scope) -> bool:
        """Whether a statement gives a response other tasks than the injected ones."""
        return self._overridden(statement, scope) is not None

    def visit_Return(self, node: cst.Return) -> None:
        """``return JSONResponse(..., background=...)``."""
        self._visit(node)

    def visit_Assign(self, node: cst.Assign) -> None:
        """``response = JSONResponse(..., background=...)`` and ``response.background = ...``."""
        self._visit(node)

    def _visit(self, node: cst.Return | cst.Assign) -> None:
        site = self.ctx.statement(node)
        if isinstance(site, (ast.Return, ast.Assign)) and self._overridden(site, self.ctx.scope(site)) is not None:
            value = site.value
            assert value is not None
            self.ctx.candidate(node, site, span=self.ctx.ast_span(value))

    def judge(self, candidate: Candidate, project: Project) -> Finding | None:
        """Report it with the parameter whose tasks are dropped."""
        found = self._overridden(candidate.site, candidate.scope)  # type: ignore[arg-type]
        if found is None:
            return None
        name, calls = found
        many = f"{len(calls)} tasks" if len(calls) > 1 else "task"
        message = (
            f"The {many} queued on `{name}` (row {calls[0].lineno}) never run{'' if len(calls) > 1 else 's'}: this "
            f"response has a `background` of its own; add that to `{name}` instead"
        )
        return self.finding(candidate, message)

    def _overridden(self, statement: ast.stmt, scope: Scope) -> tuple[str, list[ast.Call]] | None:
        """The injected tasks that a response drops: the parameter, and the calls that queue on it before."""
        given = self._background(statement, scope) if scope.is_function else None
        if given is None or not is_route(scope, self.ctx.project):
            return None
        names = [p.arg for p in scope.parameters if self._is_tasks(self.ctx.project.resolver.parameter(p, scope))]
        if not names or not self._is_other(given, scope, frozenset(names)):
            return None
        module = scope.module
        for name in names:
            calls = [
                call
                for call in scope.calls
                if isinstance(call.func, ast.Attribute)
                and isinstance(call.func.value, ast.Name)
                and call.func.value.id == name
                and queues(self.ctx.project, call, scope)
                and _both_run(call, statement, module)
            ]
            if calls and not _is_taken_along(scope, name):
                return name, calls
        return None

    def _background(self, statement: ast.stmt, scope: Scope) -> ast.expr | None:
        """What a statement gives the response that the function returns as its ``background``."""
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target = statement.targets[0]
            if isinstance(target, ast.Attribute) and target.attr == "background":
                return statement.value if self._is_returned(target.value, scope) else None
            if not self._is_returned(target, scope):
                return None
        elif not isinstance(statement, ast.Return):
            return None
        call = statement.value
        if not isinstance(call, ast.Call) or not any(keyword.arg == "background" for keyword in call.keywords):
            return None
        called = self.ctx.project.resolve(call.func, scope)
        if called is None or not self._is_response(called):
            return None
        return where.argument(call, None, "background")

    def _is_returned(self, target: ast.expr, scope: Scope) -> bool:
        if not isinstance(target, ast.Name):
            return False
        return any(isinstance(value, ast.Name) and value.id == target.id for value in scope.returns)

    def _is_response(self, called: Symbol) -> bool:
        if called.class_ is not None:
            order = self.ctx.project.resolver.mro(called.class_)
            return any(base.class_ is None and base.last.endswith("Response") for base in order)
        return not called.instance and called.last.endswith("Response") and called.function is None

    def _is_tasks(self, symbol: Symbol | None) -> bool:
        return symbol is not None and symbol.instance and symbol.name == TASKS

    def _is_other(self, value: ast.expr, scope: Scope, names: frozenset[str]) -> bool:
        """Whether a value is proven to be tasks of its own: made here, without the injected ones in them."""
        if isinstance(value, ast.Name) and value.id not in names:
            bindings = scope.names.bindings.get(value.id, [])
            if not bindings or any(b.kind is not BindingKind.VALUE or b.value is None for b in bindings):
                return False
            return all(self._is_other(b.value, scope, names) for b in bindings if b.value is not None)
        if not isinstance(value, ast.Call) or where.names_read(value) & names:
            return False
        called = self.ctx.project.resolve(value.func, scope)
        return called is not None and not called.instance and called.name in (TASK, TASKS)


def _both_run(call: ast.Call, statement: ast.stmt, module: Module) -> bool:
    """Whether a task may be queued, and the response made, in one and the same run."""
    first, second = (call, statement) if call.lineno <= statement.lineno else (statement, call)
    return where.runs_after(module, first, second) is not False


def _is_taken_along(scope: Scope, name: str) -> bool:
    """Whether the injected tasks are used in another way than to queue on them: ``await tasks()``, ``tasks.tasks``."""
    module = scope.module
    return any(_is_other_use(module.parents.get(node), node) for node in _reads(scope, name))


def _reads(scope: Scope, name: str) -> Iterator[ast.Name]:
    for node in ast.walk(scope.node):
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load):
            yield node


def _is_other_use(parent: ast.AST | None, node: ast.Name) -> bool:
    if isinstance(parent, ast.Attribute):
        return parent.attr != "add_task"
    if isinstance(parent, ast.Call) and node in parent.args:
        # A helper that is given them queues on them; other tasks run them.
        return dotted_text(parent.func).rpartition(".")[2] in QUEUERS
    return not isinstance(parent, ast.keyword)
