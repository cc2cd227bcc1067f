"""BGL101: a background task that lets exceptions out."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from bglint.index import context as where
from bglint.index.background import task_of
from bglint.index.facts import dotted_text
from bglint.index.guards import Guard, Verdict
from bglint.index.symbols import PARTIAL
from bglint.model import Applicability, Finding, Frame, Level
from bglint.rules.background._shared import Queue, QueueingRule, queued_after, queues
from bglint.rules.base import Candidate, Refused, Rewrite

if TYPE_CHECKING:
    from bglint.index.facts import Scope
    from bglint.index.project import Project
    from bglint.index.symbols import Symbol
    from bglint.model import Edit


class UnguardedBackgroundTask(QueueingRule):
    """An exception can leave a FastAPI or Starlette background task.

    ## What it does
    Reports `add_task(f, ...)` and `BackgroundTask(f, ...)` where `f` is a function of your project from which an
    exception can get out. A function is fine if everything in it that can fail lies in a `try` that ends in
    `except Exception:` and does not raise again, if a decorator does that around it, if it is wrapped in such a guard
    where it is queued, or if there is nothing in it that can fail. Functions are followed into other files; what cannot
    be read (libraries, dynamic code) is not reported.

    ## Why is this bad?
    Background tasks run after the response is sent, one after the other, with nobody around them:

    - The client has its 200 already, so it will not retry.
    - The server logs `Exception in ASGI application` with a traceback that does not say which request it belongs to.
      An exception handler registered for the exception is not called, or its response is thrown away.
    - **Every task queued after the failing one is skipped**, however unrelated it is.
    - A dependency that commits after its `yield` rolls back instead (FastAPI up to 0.105 and from 0.118 on).

    ## Example
    ```python
    def send_receipt(order_id: int) -> None:
        smtp.send(render(order_id))


    @app.post("/orders")
    def order(tasks: BackgroundTasks):
        tasks.add_task(send_receipt, 1)  # fails: the next one never runs
        tasks.add_task(update_stock, 1)
    ```

    ## Use instead
    ```python
    def send_receipt(order_id: int) -> None:
        try:
            smtp.send(render(order_id))
        except Exception:
            logger.exception("No receipt for order %s", order_id)
    ```

    A decorator that does the same serves all tasks. Name it in the configuration, `guards = ["app.tasks.logged"]`, if
    it lives where bglint cannot read it. Work that must not get lost belongs in a queue that retries.

    ## Fix safety
    The fix wraps the callable where it is queued, `add_task(_guarded(f), ...)`, and adds `_guarded` to the module: it
    logs the traceback and lets cancellation through. With `guard = "app.tasks:guarded"` in the configuration your own
    function is imported instead. The fix is unsafe because what comes after a failure changes: later tasks run,
    dependencies commit, and `TestClient` no longer raises the task's exception.

    ## References
    - [FastAPI: Background Tasks](https://fastapi.tiangolo.com/tutorial/background-tasks/)
    - [Starlette: Background Tasks](https://www.starlette.io/background/)
    - [FastAPI: Dependencies with yield](https://fastapi.tiangolo.com/tutorial/dependencies/dependencies-with-yield/)
    """

    code, name = "BGL101", "unguarded-background-task"
    level = Level.WARNING

    def matches(self, call: ast.Call, scope: Scope) -> bool:
        """Whether a call queues a task that lets exceptions out."""
        return self._verdict(call, scope) is not None

    def judge(self, candidate: Candidate, project: Project) -> Finding | None:
        """Report it: which callable, where it can raise, and what is skipped then."""
        call, scope = candidate.site, candidate.scope
        assert isinstance(call, ast.Call)
        found = self._verdict(call, scope)
        if found is None:
            return None
        task, verdict = found
        function, exposed = verdict.function, verdict.exposed
        assert function is not None
        row = getattr(exposed, "lineno", function.row)
        here = function.module is self.ctx.module
        place = f"row {row}" if here else f"{self.ctx.display(function.module)}:{row}"
        name = called_name(task, project.resolve(task.func, scope) if isinstance(task, ast.Call) else None)
        message = f"Background task `{name}` can raise at {place}, {_harm(queued_after(call, scope))}"
        chain = tuple(
            Frame(step.full_name, self.ctx.display(step.module), getattr(node, "lineno", step.row))
            for step, node in project.guards.path(verdict)
        )
        return self.finding(candidate, message, chain)

    def _verdict(self, call: ast.Call, scope: Scope) -> tuple[ast.expr, Verdict] | None:
        """The callable that a call queues and the verdict on it; None unless it is proven to be unguarded."""
        if not queues(self.ctx.project, call, scope):
            return None
        task = task_of(self.ctx.project, call, scope)
        if task is None:
            return None
        verdict = self.ctx.project.guards.of_expression(task, scope)
        return (task, verdict) if verdict.guard is Guard.UNGUARDED else None

    def rewrite(self, candidate: Candidate, project: Project) -> Rewrite | Refused | None:
        """Wrap the callable in a guard where it is queued."""
        assert isinstance(candidate.site, ast.Call)
        task = task_of(project, candidate.site, candidate.scope)
        if task is None:
            return None
        guard = self._guard(candidate)
        if isinstance(guard, Refused):
            return guard
        name, edits = guard
        site = self.ctx.replace(task, f"{name}({self.ctx.text(task)})")
        return Rewrite(Applicability.UNSAFE, f"Wrap the callable in `{name}`", (site, *edits))

    def _guard(self, candidate: Candidate) -> tuple[str, tuple[Edit, ...]] | Refused:
        """How to write the guard at the site, and the edits that it needs: the configured one, else a helper."""
        from bglint.rules.context import names_visible

        module, scope = self.ctx.module, candidate.scope
        avoid = names_visible(scope)
        # What runs while the module is imported needs its guard to be defined above it.
        runs_on_import = not any(s.is_function for s in scope.walk_up())
        before = where.statement_of(module, candidate.site).lineno if runs_on_import else None
        if not self.ctx.settings.guard:
            from bglint.fix.helpers import GUARD, helper

            plan = helper(module.tree, self.ctx.source.text, GUARD, avoid=avoid, before=before)
            return plan.name, plan.edits
        home, _, name = self.ctx.settings.guard.partition(":")
        if home == module.name:
            if name in avoid:
                return Refused(f"`{name}` means something else here")
            return (name, ()) if name in module.names.bindings else Refused(f"there is no `{name}` in this module")
        if imports(self.ctx.project, home, module.name):
            return Refused(f"`{home}` imports this module: importing it here would be a circle")
        from bglint.fix.imports import import_from

        wanted = import_from(module.tree, self.ctx.source.text, home, name, avoid=avoid, before=before)
        return wanted.name, (wanted.edit,) if wanted.edit is not None else ()


def called_name(task: ast.expr, maker: Symbol | None) -> str:
    """How the message calls a callable: as it is written, without arguments. ``maker`` is what makes it, if a call."""
    if isinstance(task, ast.Call):
        if maker is not None and maker.name == PARTIAL and task.args:
            return called_name(task.args[0], None)
        return f"{dotted_text(task.func) or 'callable'}(...)"
    return "lambda" if isinstance(task, ast.Lambda) else dotted_text(task) or ast.unparse(task)


def _harm(queue: Queue) -> str:
    if queue.sure:
        some = f"at least {queue.sure}" if queue.more else f"the {queue.sure}"
        return f"which skips {some} task{'s' if queue.sure > 1 else ''} queued after it"
    if queue.more:
        return "which skips the tasks queued after it"
    return "after the response is sent: only the server's log shows it"


def imports(project: Project, importer: str, wanted: str) -> bool:
    """Whether a project module imports ``wanted`` at its top level, itself or through others."""
    pending, seen = [importer], set()
    while pending:
        module = project.module(pending.pop())
        if module is None or module.name in seen:
            continue
        if module.name == wanted:
            return True
        seen.add(module.name)
        for bindings in module.names.bindings.values():
            targets = [binding.target for binding in bindings if binding.target]
            pending += [part for target in targets for part in (target, target.rpartition(".")[0]) if part]
        pending += module.names.stars
    return False
