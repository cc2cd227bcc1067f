"""BGL204: a task that is kept, and that nobody looks at again."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bglint.index.callers import with_aliases
from bglint.index.context import TRIES, hands_on
from bglint.index.facts import dotted_text
from bglint.index.flow import nodes_of
from bglint.index.observers import ADDERS, forgets, forgets_here, observes
from bglint.model import Finding
from bglint.rules._logged import log_errors
from bglint.rules.base import Candidate, Refused, Rewrite, Rule
from bglint.rules.tasks._tasks import coroutine_of, makes_task, work_of

if TYPE_CHECKING:
    import libcst as cst

    from bglint.index.facts import Scope
    from bglint.index.project import Project
    from bglint.source import Source


class UnobservedTask(Rule):
    """Report tasks that are kept for good, and that nobody looks at.

    ## What it does
    Reports a task that is stored in an attribute (`self._task`, `app.state.worker`), a global variable or a container
    of that kind, when nothing in the project awaits it, passes it on or asks for its result, and it has no
    done-callback. Asking for `done()` and calling `cancel()` tell nothing about errors, nor does a callback that only
    takes the task out of a set while something else still keeps it. It is silent where the coroutine lets no exception
    out, and for tasks of a `TaskGroup`.

    ## Why is this bad?
    asyncio logs the error of a failed task when the task object is collected. A task that is kept is not collected, so
    its error is **never logged**: the consumer, the heartbeat or the cache refresh stops at its first error, and the
    application goes on without it, until somebody wonders why the queue is so long. A `cancel()` at shutdown even
    counts as having seen the error: then it is not logged at all.

    ## Example
    ```python
    class Worker:
        async def start(self) -> None:
            self._task = asyncio.create_task(self._consume())

        async def stop(self) -> None:
            self._task.cancel()
    ```

    ## Use instead
    ```python
    class Worker:
        async def start(self) -> None:
            self._task = asyncio.create_task(self._consume())
            self._task.add_done_callback(self._on_done)

        def _on_done(self, task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                logger.error("The consumer has died", exc_info=error)
    ```

    ## Fix safety
    Safe: the task gets a done-callback that logs its error, and nothing else changes. The fix calls `_log_errors`, a
    small function that is added to the module.

    ## References
    - [asyncio.Task](https://docs.python.org/3/library/asyncio-task.html#asyncio.Task)
    - [asyncio: Detect never-retrieved exceptions](https://docs.python.org/3/library/asyncio-dev.html#detect-never-retrieved-exceptions)
    """

    code, name = "BGL204", "unobserved-task"
    triggers = frozenset({"create_task", "ensure_future", "Task"})
    needs = frozenset({"create_task", "ensure_future", "asyncio"})

    def words(self, source: Source) -> frozenset[str]:
        """The triggers, and what this file calls them."""
        return with_aliases(self.triggers, source.data)

    def matches(self, call: ast.Call, scope: Scope) -> bool:
        """Whether a call makes a task that something keeps, and the function itself does not look at."""
        return bool(kept_by(call, scope)) and makes_task(self.ctx.project, call, scope)

    def visit_Call(self, node: cst.Call) -> None:
        """A call that makes a task which is kept."""
        site = self.ctx.site(node)
        if isinstance(site, ast.Call):
            scope = self.ctx.scope(site)
            holders = kept_by(site, scope)
            if holders and makes_task(self.ctx.project, site, scope):
                self.ctx.candidate(node, site, holders=holders)

    def judge(self, candidate: Candidate, project: Project) -> Finding | None:
        """Report it where the coroutine may fail and nobody in the project looks at what keeps the task."""
        call, scope = candidate.site, candidate.scope
        assert isinstance(call, ast.Call)
        holders: list[str] = candidate.data["holders"]
        given = coroutine_of(call)
        if isinstance(given, ast.Call):
            called = project.resolve(given.func, scope)
            work = called.function if called is not None else None
            if not project.guards.awaiting_raises_unseen(given, scope) or (work and _lets_go(work, holders)):
                return None
        if any(project.observers.of_name(holder, scope) for holder in holders):
            return None
        return self.finding(
            candidate,
            f"Nobody looks at {work_of(call)}: `{holders[0]}` keeps it, so when it fails, nothing is ever logged",
        )

    def rewrite(self, candidate: Candidate, project: Project) -> Rewrite | Refused | None:
        """Give the task a callback that logs its error."""
        return log_errors(self.ctx, candidate)


def _lets_go(work: Scope, holders: list[str]) -> bool:
    """Whether what the task runs takes itself out of what keeps it, however it ends: its error is logged then."""
    names = set(holders)
    for node in nodes_of(work.body):
        for last in node.finalbody if isinstance(node, TRIES) else ():  # type: ignore[union-attr]
            if isinstance(last, ast.Assign) and names.issuperset(map(dotted_text, last.targets)):
                return True
            if isinstance(last, ast.Expr) and isinstance(last.value, ast.Call) and forgets_here(last.value) in names:
                return True
    return False


def kept_by(call: ast.Call, scope: Scope) -> list[str]:
    """What keeps the value of ``call`` beyond its function; empty where nothing does, or somebody looks at it here."""
    parents = scope.module.parents
    value: ast.AST = call
    parent = parents.get(value)
    while parent is not None and isinstance(parent, (ast.IfExp, ast.BoolOp)) and hands_on(parent, value):
        value, parent = parent, parents.get(parent)
    if isinstance(parent, (ast.Assign, ast.AnnAssign)) and parent.value is value:
        targets = parent.targets if isinstance(parent, ast.Assign) else [parent.target]
        local = [t for t in targets if isinstance(t, ast.Name) and not _is_global(t.id, scope)]
        holders = [h for t in targets if t not in local for h in _holder(t, scope)]
        if len(holders) + len(local) < len(targets) or len(local) > 1:
            return []
        return _kept_through(local[0], scope, holders) if local else holders
    return list(_added(value, parent, scope)) if isinstance(value, ast.expr) else []


def _kept_through(name: ast.Name, scope: Scope, holders: list[str]) -> list[str]:
    """What keeps a task beside a local name for it; empty where a use of the name may show how the task ended."""
    if not scope.is_function or len(scope.names.bindings.get(name.id, ())) != 1:
        return []
    parents = scope.module.parents
    forgotten: set[str] = set()
    found = list(holders)
    for node in ast.walk(scope.node):
        if not isinstance(node, ast.Name) or node.id != name.id or not isinstance(node.ctx, ast.Load):
            continue
        parent = parents.get(node)
        if isinstance(parent, ast.Assign) and parent.value is node:
            held = [h for target in parent.targets for h in _holder(target, scope)]
            if len(held) < len(parent.targets):
                return []
            found.extend(held)
        elif added := list(_added(node, parent, scope)):
            found.extend(added)
        else:
            around = parents.get(parent) if isinstance(parent, ast.Attribute) else None
            if isinstance(around, ast.Call) and (container := forgets(around)) is not None:
                forgotten.add(container)
            elif observes(scope.module, node):
                return []
    return [holder for holder in found if holder not in forgotten]


def _added(node: ast.expr, parent: ast.AST | None, scope: Scope) -> Iterator[str]:
    """``self.tasks.append(node)``."""
    if isinstance(parent, ast.Call) and node in parent.args and isinstance(parent.func, ast.Attribute):
        if parent.func.attr in ADDERS:
            yield from _holder(parent.func.value, scope)


def _holder(target: ast.expr, scope: Scope) -> Iterator[str]:
    """The attribute (``self.task``) or global variable that a target is, or is an item of."""
    while isinstance(target, ast.Subscript):
        target = target.value
    text = dotted_text(target)
    keeps = isinstance(target, ast.Attribute) or (isinstance(target, ast.Name) and _is_global(target.id, scope))
    if keeps and text:
        yield text


def _is_global(name: str, scope: Scope) -> bool:
    """Whether a name, written or read in ``scope``, belongs to the module."""
    for owner in scope.walk_up():
        if name in owner.names.globals:
            return True
        if name in owner.names.bindings:
            return owner is scope.module
    return False
