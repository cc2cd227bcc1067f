"""BGL207: tasks that are still pending after a wait, and that nobody looks at."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from bglint.index import context as where
from bglint.index.callers import last_name
from bglint.index.facts import dotted_text
from bglint.model import Finding, Level
from bglint.rules.base import CallRule, Candidate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bglint.index.facts import Scope
    from bglint.index.project import Project

_GROUPS = frozenset({"asyncio.TaskGroup", "anyio.create_task_group"})
_MAKERS = frozenset({"create_task", "ensure_future"})
_RUNNERS = frozenset({"asyncio_run", "run", "run_until_complete"})
# Reads of a name that neither keep its tasks nor do anything to them.
_COLLECTING = frozenset({"append", "add", "extend", "update"})


class AbandonedPendingTasks(CallRule):
    """Tasks that a wait with a timeout leaves behind are ignored.

    ## What it does
    Reports `asyncio.wait(...)` with a `timeout` or with `return_when=FIRST_COMPLETED` (or `FIRST_EXCEPTION`) whose
    second result, the pending tasks, is thrown away while nothing else refers to the tasks. Reports
    `asyncio.as_completed(..., timeout=...)` in a function that cancels nothing. A coroutine that is handed to
    `asyncio.run()` is not reported: what is still running is cancelled when it returns.

    ## Why is this bad?
    Unlike `wait_for`, neither of the two cancels anything when its time is up, and `asyncio.wait` does not even raise.
    The tasks that are not done **go on running** after the function has returned: they keep connections and locks, they
    may write results that nobody expects any more, and when they fail nobody sees it.

    ## Example
    ```python
    done, _ = await asyncio.wait([asyncio.create_task(ask(s)) for s in servers], timeout=2)
    return [task.result() for task in done]
    ```

    ## Use instead
    ```python
    tasks = [asyncio.create_task(ask(s)) for s in servers]
    done, pending = await asyncio.wait(tasks, timeout=2)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    return [task.result() for task in done]
    ```

    ## Fix safety
    There is no automatic fix: the tasks may have to be cancelled, awaited a little longer, or kept for later.

    ## References
    - [asyncio.wait](https://docs.python.org/3/library/asyncio-task.html#asyncio.wait)
    - [asyncio.as_completed](https://docs.python.org/3/library/asyncio-task.html#asyncio.as_completed)
    """

    code, name = "BGL207", "abandoned-pending-tasks"
    level = Level.WARNING
    triggers = frozenset({"wait", "as_completed"})
    needs = frozenset({"asyncio"})
    piece_needs = frozenset({"timeout", "return_when"})

    def matches(self, call: ast.Call, scope: Scope) -> bool:
        """Whether a call leaves tasks behind."""
        return scope.is_async and self._why(call, scope) is not None

    def judge(self, candidate: Candidate, project: Project) -> Finding | None:
        """Report it with what makes the wait end early, and where the tasks are lost."""
        assert isinstance(candidate.site, ast.Call)
        message = self._why(candidate.site, candidate.scope)
        return self.finding(candidate, message) if message is not None else None

    def _why(self, call: ast.Call, scope: Scope) -> str | None:
        timeout = where.argument(call, None, "timeout")
        return_when = where.argument(call, None, "return_when")
        first = dotted_text(return_when).rpartition(".")[2] if return_when is not None else ""
        by_time = timeout is not None and not (isinstance(timeout, ast.Constant) and timeout.value is None)
        if not by_time and first not in ("FIRST_COMPLETED", "FIRST_EXCEPTION"):
            return None
        called = self.ctx.project.resolve(call.func, scope)
        if called is None or called.name not in ("asyncio.wait", "asyncio.as_completed"):
            return None
        tasks = where.argument(call, 0, "fs")
        if tasks is None or self._in_group(call, scope):
            return None
        if called.name == "asyncio.as_completed":
            if not by_time or self._cancels(scope) or not self._is_left(tasks, call, scope) or self._is_main(scope):
                return None
            return (
                "When the timeout of `as_completed()` strikes, the tasks that are not done go on running, and nobody "
                "sees how they end; cancel them"
            )
        lost = _lost(call, scope)
        if lost is None or not self._is_left(tasks, call, scope) or self._is_main(scope):
            return None
        until = "the timeout" if by_time else "the first one"
        return f"Tasks that are not done after {until} go on running: {lost}; cancel or await them"

    def _in_group(self, call: ast.Call, scope: Scope) -> bool:
        """Whether the call stands in a task group, which awaits all of its tasks."""
        items = (item for node in where.withs_around(scope.module, call) for item in node.items)
        symbols = (self.ctx.project.resolve(item.context_expr, scope) for item in items)
        return any(symbol is not None and symbol.name.removesuffix("()") in _GROUPS for symbol in symbols)

    def _is_main(self, function: Scope) -> bool:
        """Whether a function is what a loop is run for: when it returns, all other tasks are cancelled."""
        project = self.ctx.project
        for call, scope in project.callers.calls_of(function) if function.is_async else ():
            around = scope.module.parents.get(call)
            if isinstance(around, ast.Call) and last_name(around.func) in _RUNNERS:
                symbol = project.resolve(call.func, scope)
                if symbol is not None and symbol.function is function:
                    return True
        return False

    def _cancels(self, scope: Scope) -> bool:
        return any(isinstance(call.func, ast.Attribute) and call.func.attr == "cancel" for call in scope.calls)

    def _is_left(self, tasks: ast.expr, call: ast.Call, scope: Scope) -> bool:
        """Whether nothing but the call gets at the tasks: made in it, or for local names used for nothing else."""
        if isinstance(tasks, (ast.List, ast.Set, ast.Tuple)):
            return bool(tasks.elts) and all(self._is_left(element, call, scope) for element in tasks.elts)
        if isinstance(tasks, ast.Starred):
            return self._is_left(tasks.value, call, scope)
        if isinstance(tasks, (ast.ListComp, ast.SetComp, ast.GeneratorExp)):
            return isinstance(tasks.elt, ast.Call)
        if isinstance(tasks, ast.Call):
            return self._makes(tasks, scope)
        return isinstance(tasks, ast.Name) and self._is_own(tasks.id, call, scope)

    def _makes(self, call: ast.Call, scope: Scope) -> bool:
        """Whether a call makes a task, or the coroutine of one."""
        if isinstance(call.func, ast.Attribute) and call.func.attr in _MAKERS:
            return True
        if isinstance(call.func, ast.Name) and call.func.id in _MAKERS:
            return True
        called = self.ctx.project.resolve(call.func, scope)
        return called is not None and called.function is not None and called.function.is_async

    def _is_own(self, name: str, call: ast.Call, scope: Scope) -> bool:
        """Whether a name is a local variable for tasks made here, used for nothing but to collect and await them."""
        bindings = scope.names.bindings.get(name, ()) if scope.is_function else ()
        values = [binding.value for binding in bindings]
        if not values or not all(value is not None and self._is_fresh(value, call, scope) for value in values):
            return False
        module = scope.module
        return all(_is_collecting(module.parents, node, call, module.ancestors(node)) for node in _reads(name, scope))

    def _is_fresh(self, value: ast.expr, call: ast.Call, scope: Scope) -> bool:
        if isinstance(value, (ast.List, ast.Set, ast.Tuple)):
            return all(isinstance(element, ast.Call) and self._makes(element, scope) for element in value.elts)
        if isinstance(value, ast.Call) and dotted_text(value.func) in ("list", "set") and not value.args:
            return True
        return not isinstance(value, ast.Name) and self._is_left(value, call, scope)


def _lost(call: ast.Call, scope: Scope) -> str | None:
    """How the pending tasks that a wait gives are thrown away; None where they are not."""
    parents = scope.module.parents
    awaited = parents.get(call)
    if not isinstance(awaited, ast.Await):
        return None
    around = parents.get(awaited)
    if isinstance(around, ast.Expr):
        return "what `asyncio.wait()` says about them is dropped"
    if isinstance(around, ast.Subscript) and isinstance(around.slice, ast.Constant) and around.slice.value == 0:
        return "only those that are done are taken"
    if isinstance(around, ast.Assign) and len(around.targets) == 1:
        target = around.targets[0]
        if isinstance(target, (ast.Tuple, ast.List)) and len(target.elts) == 2:
            second = target.elts[1]
            if isinstance(second, ast.Name) and scope.is_function and second.id not in scope.reads:
                return f"`{second.id}` is never looked at"
    return None


def _reads(name: str, scope: Scope) -> Iterator[ast.Name]:
    """Where a name is read in a function, nested ones included."""
    for node in ast.walk(scope.node):
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load):
            yield node


def _is_collecting(
    parents: dict[ast.AST, ast.AST], node: ast.Name, call: ast.Call, ancestors: Iterator[ast.AST]
) -> bool:
    """Whether a read of a name is the wait itself, ``tasks.append(...)``, or asks whether there are any."""
    if any(ancestor is call for ancestor in ancestors):
        return True
    parent = parents.get(node)
    if isinstance(parent, ast.Attribute) and parent.attr in _COLLECTING:
        return isinstance(parents.get(parent), ast.Call)
    if isinstance(parent, ast.UnaryOp) and isinstance(parent.op, ast.Not):
        return True
    if isinstance(parent, ast.Call) and dotted_text(parent.func) == "len":
        return True
    return isinstance(parent, ast.If) and parent.test is node
