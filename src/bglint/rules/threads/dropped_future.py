"""BGL302: the future of a job in a pool is dropped, and its error with it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bglint.index import context as where
from bglint.index.background import function_behind
from bglint.index.callers import last_name
from bglint.index.facts import dotted_text
from bglint.index.fate import lost_as
from bglint.index.guards import Guard
from bglint.index.linking import scopes_within
from bglint.model import Finding, Level
from bglint.rules._logged import log_errors
from bglint.rules.base import CallRule, Candidate, Refused, Rewrite
from bglint.rules.threads._jobs import SUBMITS, submitted_callable

if TYPE_CHECKING:
    from bglint.index.facts import Scope
    from bglint.index.project import Project

_IN_EXECUTOR = "asyncio.AbstractEventLoop.run_in_executor"
_MAPS = frozenset(
    f"concurrent.futures.{executor}.map"
    for executor in ("Executor", "InterpreterPoolExecutor", "ProcessPoolExecutor", "ThreadPoolExecutor")
)


class DroppedFuture(CallRule):
    """Report jobs of a pool whose future is dropped.

    ## What it does
    Reports `executor.submit(...)` and `loop.run_in_executor(...)` whose future is dropped or bound to a name that is
    never read, and `executor.map(...)` that nobody iterates over. It is silent where the future is stored, returned,
    awaited or given a callback, and where the submitted function lets no exception out.

    ## Why is this bad?
    The future is the only place where the error of a job goes. When the job fails and its future was dropped,
    **nothing is printed anywhere**: no log, no traceback, not even on stderr. The same holds for `executor.map`, which
    runs all jobs and raises the first error only while you iterate over its results. The future of `run_in_executor`
    is an asyncio one, whose error is logged only once it is garbage-collected.

    ## Example
    ```python
    def publish(report: Report) -> None:
        executor.submit(upload, report)
    ```

    ## Use instead
    ```python
    def publish(report: Report) -> None:
        executor.submit(upload, report).add_done_callback(log_error)


    def log_error(future: Future[None]) -> None:
        if not future.cancelled() and (error := future.exception()) is not None:
            logger.error("Upload failed", exc_info=error)
    ```

    ## Fix safety
    Safe: the future gets a callback that logs its error, and nothing else changes. The fix calls `_log_errors`, a small
    function that is added to the module. For `executor.map` there is no fix: to iterate is to wait, and to raise.

    ## References
    - [Executor.submit](https://docs.python.org/3/library/concurrent.futures.html#concurrent.futures.Executor.submit)
    - [Future.add_done_callback](https://docs.python.org/3/library/concurrent.futures.html#concurrent.futures.Future.add_done_callback)
    """

    code, name, level = "BGL302", "dropped-future", Level.ERROR
    triggers = frozenset({"submit", "run_in_executor", "map"})
    needs = frozenset({".submit(", ".run_in_executor(", ".map("})
    piece_needs = needs

    def matches(self, call: ast.Call, scope: Scope) -> bool:
        """Whether a call starts jobs of which nobody hears again."""
        return isinstance(call.func, ast.Attribute) and lost_as(call, scope) is not None and self._starts(call, scope)

    def judge(self, candidate: Candidate, project: Project) -> Finding | None:
        """Report it unless the job lets no exception out."""
        call, scope = candidate.site, candidate.scope
        assert isinstance(call, ast.Call)
        job = _job(project, call, scope)
        guard = project.guards.of_expression(job, scope).guard if job is not None else Guard.GUARDED
        if job is None or guard is Guard.GUARDED or (guard is Guard.UNKNOWN and _is_guarded_method(project, job)):
            return None
        function = function_behind(project, job, scope)
        if function is not None and function.is_async:
            return None  # it does not run at all: BGL307
        name = dotted_text(job)
        what = f"`{name}()`" if name else "the job"
        if self._is_map(call):
            said = "the error comes out only while somebody iterates over the results, and nobody does"
        elif last_name(call.func) == "submit":
            said = "nothing is printed anywhere: the future that holds the error is dropped"
        else:
            said = "nobody handles it: the future that holds the error is dropped, and logged only when it is collected"
        return self.finding(candidate, f"If {what} fails, {said}")

    def rewrite(self, candidate: Candidate, project: Project) -> Rewrite | Refused | None:
        """Have the future log its error."""
        assert isinstance(candidate.site, ast.Call)
        if self._is_map(candidate.site):
            return Refused("to iterate over the results is to wait for them")
        return log_errors(self.ctx, candidate)

    def _starts(self, call: ast.Call, scope: Scope) -> bool:
        symbol = self.ctx.project.resolve(call.func, scope)
        return symbol is not None and not symbol.instance and symbol.name in (SUBMITS | _MAPS | {_IN_EXECUTOR})

    def _is_map(self, call: ast.Call) -> bool:
        return last_name(call.func) == "map"


def _job(project: Project, call: ast.Call, scope: Scope) -> ast.expr | None:
    """The callable that runs in the pool."""
    if last_name(call.func) == "run_in_executor":
        return where.argument(call, 1, "func")
    return submitted_callable(project, call, scope)


def _is_guarded_method(project: Project, job: ast.expr) -> bool:
    """Whether a method of something unknown is guarded, whichever of the project's classes that is of."""
    if not isinstance(job, ast.Attribute):
        return False
    methods = list(_methods_named(project, job.attr))
    return bool(methods) and all(project.guards.of_function(m).guard is Guard.GUARDED for m in methods)


def _methods_named(project: Project, name: str) -> Iterator[Scope]:
    definition = f"def {name}(".encode()
    for path in sorted(project.callers.mentioning(name)):
        module = project.module_at(path) if definition in project.callers.data(path) else None
        for statement in module.tree.body if module is not None else ():
            for scope in scopes_within(module, statement):  # type: ignore[arg-type]
                if scope.name == name and scope.owner is not None:
                    yield scope
