"""BGL309: a thread of a server whose error goes to stderr only."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from bglint.index.callers import import_aliases
from bglint.index.guards import Guard
from bglint.model import Finding, Frame
from bglint.rules.base import Candidate, Rule
from bglint.rules.threads._jobs import handed_over

if TYPE_CHECKING:
    import libcst as cst

    from bglint.index.facts import Scope
    from bglint.index.project import Project
    from bglint.source import Source

_THREADS = frozenset({"threading.Thread", "threading.Timer"})


class UnguardedThreadTarget(Rule):
    """Report threads of a server whose errors go to stderr only.

    ## What it does
    Reports `threading.Thread(target=f)` and `Timer(n, f)` in projects that import a web framework or server, where an
    exception can leave `f`. It is silent where `f` catches and keeps its errors, where that is unknown, and where the
    project sets `threading.excepthook`. This rule is off unless you select it.

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
    needs = frozenset({"threading"})

    def words(self, source: Source) -> frozenset[str]:
        """The triggers, and what this file calls them."""
        return self.triggers | {alias for name, alias in import_aliases(source.data) if name in self.triggers}

    def matches(self, call: ast.Call, scope: Scope) -> bool:
        """Whether a call makes a thread."""
        symbol = self.ctx.project.resolve(call.func, scope)
        return symbol is not None and not symbol.instance and symbol.name in _THREADS

    def visit_Call(self, node: cst.Call) -> None:
        """A call that makes a thread."""
        site = self.ctx.site(node)
        if isinstance(site, ast.Call) and self.matches(site, self.ctx.scope(site)):
            self.ctx.candidate(node, site)

    def judge(self, candidate: Candidate, project: Project) -> Finding | None:
        """Report it in a server, where an exception can leave the target."""
        call, scope = candidate.site, candidate.scope
        assert isinstance(call, ast.Call)
        target = handed_over(project, call, scope)
        verdict = project.guards.of_expression(target, scope) if target is not None else None
        if verdict is None or verdict.guard is not Guard.UNGUARDED or verdict.function is None:
            return None
        if verdict.function.is_async or not project.traits.is_server or project.traits.handles_thread_errors:
            return None
        chain = (
            Frame(scope.full_name, self.ctx.display_path, candidate.span.start.row),
            *(
                Frame(function.full_name, self.ctx.display(function.module), getattr(node, "lineno", function.row))
                for function, node in project.guards.path(verdict)
            ),
        )
        return self.finding(
            candidate,
            f"When `{verdict.function.name}` fails, the thread ends and its error goes to stderr only, not to logging",
            chain,
        )
