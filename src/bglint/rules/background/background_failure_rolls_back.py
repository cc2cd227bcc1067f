"""BGL110: a failing background task that takes a committed-looking row with it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from bglint.index import context as where
from bglint.index.background import queues, task_of
from bglint.index.catching import flow_of
from bglint.index.dependencies import Lease, commit_after_yield, is_commit, leases
from bglint.index.facts import dotted_text
from bglint.index.flow import nodes_of
from bglint.index.guards import Guard
from bglint.index.request_path import registrations
from bglint.model import Finding, Frame, Level
from bglint.rules.background._shared import QueueingRule, ends_dependencies_early

if TYPE_CHECKING:
    from bglint.index.facts import Scope
    from bglint.index.project import Project
    from bglint.rules.base import Candidate


_READING = frozenset({"get", "head", "options"})


class BackgroundFailureRollsBack(QueueingRule):
    """A failing background task rolls back what the request has written.

    ## What it does
    Reports `add_task(f, ...)` in a route that depends, itself or through other dependencies, on a generator which
    commits after its `yield`, where `f` is a function of your project that lets exceptions out, and the route does not
    commit itself. Only for FastAPI up to 0.105 and from 0.118 on, or where the version is unknown. Routes for GET and
    HEAD are taken to write nothing.

    ## Why is this bad?
    In these versions the dependency goes on after its `yield` when the background tasks have run, and an exception of
    theirs is raised at that `yield`. **The commit becomes a rollback although the client has seen its 200**: the order
    is confirmed and does not exist. It takes no database error for that; an e-mail that cannot be sent will do.

    ## Example
    ```python
    def get_db():
        with Session(engine) as session:
            yield session
            session.commit()  # skipped when a background task fails


    @app.post("/orders")
    def create(order: Order, tasks: BackgroundTasks, db: Session = Depends(get_db)):
        db.add(order)
        tasks.add_task(send_receipt, order.email)
        return {"status": "created"}
    ```

    ## Use instead
    Commit before the response, then queue:

    ```python
    @app.post("/orders")
    def create(order: Order, tasks: BackgroundTasks, db: Session = Depends(get_db)):
        db.add(order)
        db.commit()
        tasks.add_task(send_receipt, order.email)
        return {"status": "created"}
    ```

    From FastAPI 0.121 on, `Depends(get_db, scope="function")` ends the dependency before the response is sent. A task
    that catches its exceptions (`except Exception:`) cannot do harm either.

    ## Fix safety
    There is no automatic fix: where the transaction ends is a decision about your data.

    ## References
    - [FastAPI: Dependencies with yield](https://fastapi.tiangolo.com/tutorial/dependencies/dependencies-with-yield/)
    - [FastAPI: Dependencies with yield, exit code and background tasks](https://fastapi.tiangolo.com/advanced/advanced-dependencies/)
    """

    code, name = "BGL110", "background-failure-rolls-back"
    level = Level.ERROR

    def matches(self, call: ast.Call, scope: Scope) -> bool:
        """Whether a call queues a task whose failure undoes a commit."""
        return self._undone(call, scope) is not None

    def judge(self, candidate: Candidate, project: Project) -> Finding | None:
        """Report it with the dependency, where it commits and where the task can raise."""
        call, scope = candidate.site, candidate.scope
        assert isinstance(call, ast.Call)
        found = self._undone(call, scope)
        task = task_of(project, call, scope)
        if found is None or task is None:
            return None
        lease, commit = found
        provider = lease.provider
        row = getattr(commit, "lineno", provider.row)
        place = f"row {row}" if provider.module is self.ctx.module else f"{self.ctx.display(provider.module)}:{row}"
        message = (
            f"When background task `{dotted_text(task) or 'callable'}` fails, `{provider.name}` does not commit "
            f"({place}): what this request has written is rolled back although the client has seen success "
            "(FastAPI up to 0.105 and since 0.118); commit before queueing it"
        )
        chain = (
            Frame(scope.full_name, self.ctx.display_path, candidate.span.start.row),
            *(Frame(f.full_name, self.ctx.display(f.module), f.row) for f in lease.way),
            Frame(provider.full_name, self.ctx.display(provider.module), row),
        )
        return self.finding(candidate, message, chain)

    def _undone(self, call: ast.Call, scope: Scope) -> tuple[Lease, ast.AST] | None:
        project = self.ctx.project
        if ends_dependencies_early(self.ctx.settings):
            return None
        if not scope.is_function or not self._may_write(scope) or not queues(project, call, scope):
            return None
        task = task_of(project, call, scope)
        if task is None or project.guards.of_expression(task, scope).guard is not Guard.UNGUARDED:
            return None
        for lease in leases(scope, project):
            commit = None if lease.ends_early else commit_after_yield(lease.provider, project)
            if commit is not None:
                return None if self._commits(call, scope) else (lease, commit)
        return None

    def _may_write(self, function: Scope) -> bool:
        """Whether a function is a route that answers more than GET and HEAD."""
        return any(symbol.last not in _READING for symbol in registrations(function, self.ctx.project))

    def _commits(self, call: ast.Call, scope: Scope) -> bool:
        """Whether the route itself commits on every way that queues the task."""
        commits = [node for node in nodes_of(scope.body) if is_commit(node)]
        if not commits:
            return False
        flow = flow_of(scope, self.ctx.project)
        statement = where.statement_of(scope.module, call)
        if not any(point.node is statement for point in flow.reach([flow.entry], avoid=commits)):
            return True
        return flow.end not in flow.after(statement, avoid=commits)
