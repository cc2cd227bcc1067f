"""BGL309: a thread of a server whose error goes to stderr only."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from bglint.index.guards import Guard, Verdict
from bglint.index.handlers import has_logged
from bglint.model import Finding, Frame
from bglint.rules.base import Candidate
from bglint.rules.threads._jobs import ThreadRule, handed_over, run_by, thread_made, work_name

if TYPE_CHECKING:
    from bglint.index.facts import Scope
    from bglint.index.project import Project

_THREADS = frozenset({"threading.Thread", "threading.Timer"})


class UnguardedThreadTarget(ThreadRule):
    """Report threads of a server whose errors go to stderr only.

    ## What it does
    Reports `threading.Thread(target=f)`, `Timer(n, f)` and subclasses of `Thread` with a `run()` of their own, in
    projects that import a web framework or server, where an exception can leave `f` or `run`. It is silent where they
    catch and keep their errors or log them before they raise again, where that is unknown, and where the project sets
    `threading.excepthook`. This rule is off unless you select it.

    ## Why is this bad?
    An exception that leaves a thread's target ends the thread. `threading` prints a traceback to stderr and nothing
    else: it does not reach `logging`, so it is missing in the log files and in the error tracker, and the exit code
    stays 0. The consumer or the refresher is gone, and the server goes on.

    ## Example
    ```python
    def refresh() -> None:
        cache.update(load())


    threading.Thread(target=refresh).start()
    ```

    ## Use instead
    ```python
    def refresh() -> None:
        try:
            cache.update(load())
        except Exception:
            logger.exception("The cache was not refreshed")
    ```

    Or once for all threads of the process:

    ```python
    threading.excepthook = lambda args: logger.error("A thread failed", exc_info=args.exc_value)
    ```

    ## Fix safety
    There is no automatic fix: whether the thread should go on after an error is for you to say.

    ## References
    - [threading.excepthook](https://docs.python.org/3/library/threading.html#threading.excepthook)
    """

    code, name, default = "BGL309", "unguarded-thread-target", False
    triggers = frozenset({"Thread", "Timer"})

    def matches(self, call: ast.Call, scope: Scope) -> bool:
        """Whether a call makes a thread."""
        return thread_made(self.ctx.project, call, scope, _THREADS) is not None

    def judge(self, candidate: Candidate, project: Project) -> Finding | None:
        """Report it in a server, where an exception can leave the target."""
        call, scope = candidate.site, candidate.scope
        assert isinstance(call, ast.Call)
        verdict = self._verdict(call, scope)
        if verdict is None or verdict.guard is not Guard.UNGUARDED or verdict.function is None:
            return None
        if verdict.function.is_async or not project.traits.is_server or project.traits.handles_thread_errors:
            return None
        if has_logged(verdict.exposed, verdict.function):
            return None
        chain = (
            Frame(scope.full_name, self.ctx.display_path, candidate.span.start.row),
            *(
                Frame(function.full_name, self.ctx.display(function.module), getattr(node, "lineno", function.row))
                for function, node in project.guards.path(verdict)
            ),
        )
        name = work_name(verdict.function)
        message = f"When `{name}` fails, the thread ends and its error goes to stderr only, not to logging"
        return self.finding(candidate, message, chain)

    def _verdict(self, call: ast.Call, scope: Scope) -> Verdict | None:
        """Whether an exception can leave what a thread runs."""
        guards = self.ctx.project.guards
        target = handed_over(self.ctx.project, call, scope)
        if target is not None:
            return guards.of_expression(target, scope)
        work = run_by(self.ctx.project, call, scope)
        return guards.of_symbol(work) if work is not None else None
