"""BGL102: a function that is called where it should be queued."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from bglint.index import context as where
from bglint.index.facts import dotted_text
from bglint.index.plain_results import gives_no_callable, is_async
from bglint.index.symbols import COROUTINE
from bglint.model import Applicability, Level, Location, Span
from bglint.rules.background._shared import REVEALED_BY_QUEUEING, HarmfulQueueingRule, queues
from bglint.rules.base import Candidate, Refused, Rewrite

if TYPE_CHECKING:
    from bglint.index.facts import Scope
    from bglint.index.project import Project
    from bglint.index.symbols import Symbol


class CalledBackgroundTask(HarmfulQueueingRule):
    """A function is called while it should be queued as a background task.

    ## What it does
    Reports `add_task(f(...))`, `add_task(await f(...))` and `BackgroundTask(f(...))` where the result of `f` is proven
    to be nothing that can be called: `f` is an `async def`, returns nothing, or returns a plain value. A coroutine that
    was put into a variable first is reported, too. Functions that return a function (factories, `partial`, decorators,
    classes with `__call__`) and those that bglint cannot read are not reported.

    ## Why is this bad?
    Starlette needs the function and its arguments, and calls it after the response. With parentheses, a sync `f` runs
    **before** the response, and blocks the event loop if the endpoint is async. What is queued is its result, and
    calling that fails with a `TypeError` (`the first argument must be callable`) after the client got its 200, and
    takes all tasks queued after it with it. An `async def` does not run at all: its coroutine is never awaited, and
    calling it is the same `TypeError`.

    ## Example
    ```python
    @app.post("/users")
    async def create(user: User, tasks: BackgroundTasks):
        tasks.add_task(send_welcome(user.email))
    ```

    ## Use instead
    ```python
    @app.post("/users")
    async def create(user: User, tasks: BackgroundTasks):
        tasks.add_task(send_welcome, user.email)
    ```

    ## Fix safety
    The fix takes the call apart: `add_task(f(x))` becomes `add_task(f, x)`. It is safe where `f` is a proven
    `async def` that is not awaited, because nothing ran before. For a sync function, and for `await f(x)`, it is
    unsafe: the function now runs after the response instead of before it.

    No fix is offered where more arguments follow, where a keyword argument is called `func`, where a comment would get
    lost, and where the call stands elsewhere.

    ## References
    - [FastAPI: Background Tasks](https://fastapi.tiangolo.com/tutorial/background-tasks/)
    - [Starlette: Background Tasks](https://www.starlette.io/background/)
    """

    code, name = "BGL102", "called-background-task"
    level = Level.ERROR
    reveals = REVEALED_BY_QUEUEING

    def harm(self, call: ast.Call, scope: Scope) -> str | None:
        """What is wrong with a call that queues a task; None unless it is proven."""
        task = where.argument(call, 0, "func")
        if not isinstance(task, (ast.Call, ast.Await, ast.Name)) or not queues(self.ctx.project, call, scope):
            return None
        if isinstance(task, ast.Name):
            symbol = self.ctx.project.resolve(task, scope)
            if symbol is None or not symbol.instance or symbol.name != COROUTINE:
                return None
            return f"`{task.id}` is a coroutine, not a function: {_NEVER_AWAITED}; queue the function and its arguments"
        inner = task.value if isinstance(task, ast.Await) else task
        called = self.ctx.project.resolve(inner.func, scope) if isinstance(inner, ast.Call) else None
        if called is None or not isinstance(inner, ast.Call):
            return None
        awaited = isinstance(task, ast.Await)
        if not gives_no_callable(self.ctx.project, called, awaited):
            return None
        name = dotted_text(inner.func) or "the function"
        instead = f"use `{self._queueing(call)}({name}{', ...' if inner.args or inner.keywords else ''})`"
        if is_async(called) and not awaited:
            return f"`{name}` is called instead of queued: {_NEVER_AWAITED}; {instead}"
        if called.class_ is not None:
            return f"`{name}` has no `__call__`: its instance fails with a TypeError when it is called as the task"
        if _is_generator(called):
            return f"`{name}` is called instead of queued: its generator fails with a TypeError when called as the task"
        return (
            f"`{name}` is called instead of queued: it runs before the response, and its result fails with a TypeError "
            f"when it is called as the task; {instead}"
        )

    def _queueing(self, call: ast.Call) -> str:
        return call.func.attr if isinstance(call.func, ast.Attribute) else dotted_text(call.func)

    def rewrite(self, candidate: Candidate, project: Project) -> Rewrite | Refused | None:
        """Hand over the function and its arguments."""
        call = candidate.site
        assert isinstance(call, ast.Call)
        task = where.argument(call, 0, "func")
        inner = task.value if isinstance(task, ast.Await) else task
        if not isinstance(inner, ast.Call) or task is None:
            return Refused("the call stands elsewhere")
        if len(call.args) + len(call.keywords) > 1:
            return Refused("the task is given arguments, too")
        if any(keyword.arg == "func" for keyword in inner.keywords):
            return Refused("`func` is the name of an argument of add_task, too")
        if isinstance(inner.func, ast.Call):
            return Refused("what is called is the result of a call itself")
        called = project.resolve(inner.func, candidate.scope)
        if called is None or called.class_ is not None or called.name in _STARTERS or _is_generator(called):
            return Refused("it is not a function that could be queued")
        if self.ctx.in_own_parentheses(candidate.node, task):
            return Refused("it stands in parentheses of its own")
        whole = self._span_of(call, task)
        text = self._taken_apart(inner, whole.start.column)
        if text is None or _has_comment(self.ctx.text(whole), text):
            return Refused("a comment in the call would be lost")
        safe = is_async(called) and not isinstance(task, ast.Await)
        applicability = Applicability.SAFE if safe else Applicability.UNSAFE
        return Rewrite(applicability, "Queue the function and its arguments", (self.ctx.replace(whole, text),))

    def _span_of(self, call: ast.Call, task: ast.expr) -> Span:
        """What the new arguments replace: the only argument, with its keyword."""
        place = self.ctx.ast_span(task)
        keyword = next(iter(call.keywords), None)
        if keyword is None:
            return place
        start = self.ctx.ast_span(keyword).start  # type: ignore[arg-type]
        return Span(Location(start.row, start.column), place.end)

    def _taken_apart(self, inner: ast.Call, column: int) -> str | None:
        """``f(x, y=1)`` as ``f, x, y=1``, on one row or one row each as it was."""
        given: list[ast.expr | ast.keyword] = [*inner.args, *inner.keywords]
        given.sort(key=lambda node: (node.lineno, node.col_offset))
        texts = [self.ctx.text(node) for node in (inner.func, *given)]  # type: ignore[arg-type]
        rows = [node.lineno for node in given]
        stacked = len(set(rows)) == len(rows) and bool(rows) and rows[0] > (inner.func.end_lineno or 0)
        if not stacked:
            return ", ".join(texts)
        row = self.ctx.ast_span(inner.func).start.row
        line = self.ctx.source.lines[row - 1]
        indentation = self.ctx.indentation(row)
        if line[: column - 1].strip():
            indentation = self.ctx.indentation(rows[0])
        return f",{self.ctx.source.newline}{indentation}".join(texts)


_NEVER_AWAITED = "its coroutine is never awaited, and calling it as the task fails with a TypeError"
# They need the running loop: queueing them would fail in another way.
_STARTERS = frozenset({"asyncio.create_task", "asyncio.ensure_future", "asyncio.gather"})


def _has_comment(before: str, after: str) -> bool:
    """Whether rewriting loses a comment: a ``#`` that is gone."""
    return before.count("#") != after.count("#")


def _is_generator(called: Symbol) -> bool:
    return called.function is not None and bool(called.function.yields)
