"""BGL208: ``run_coroutine_threadsafe`` whose future is dropped, or waited for on the loop."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from bglint.index.context import argument, is_settled
from bglint.index.facts import dotted_text
from bglint.index.fate import lost_as
from bglint.index.origins import origins
from bglint.model import Finding, Level
from bglint.rules._logged import log_errors
from bglint.rules.base import Candidate, Refused, Rewrite, Rule
from bglint.rules.tasks._tasks import coroutine_of

if TYPE_CHECKING:
    import libcst as cst

    from bglint.index.facts import Scope
    from bglint.index.project import Project
    from bglint.source import Source

_SUBMIT = "asyncio.run_coroutine_threadsafe"
_WAITS = frozenset({"concurrent.futures.Future.result", "concurrent.futures.Future.exception"})
_THIS_LOOP = frozenset({"asyncio.get_event_loop", "asyncio.get_running_loop"})


class SameLoopDeadlock(Rule):
    """Report `run_coroutine_threadsafe` futures that are dropped, or waited for on the event loop.

    ## What it does
    Reports `asyncio.run_coroutine_threadsafe(...)` whose future is dropped or bound to a name that is never read, and
    `.result()` of such a future inside an `async def`. It is silent where the future is kept, returned, awaited through
    `asyncio.wrap_future` or given a done-callback, where the coroutine lets no exception out, and for `.result()` in
    a sync function: a worker thread is where that belongs.

    ## Why is this bad?
    `run_coroutine_threadsafe(coroutine, loop)` asks `loop` to run the coroutine, and `.result()` stops the calling
    thread until it has. If that thread is the loop's own, the coroutine can never start: **a deadlock** that ends only
    when the process is killed. If the loop belongs to another thread, this one still serves nothing meanwhile.

    A dropped future is the only place where an error of the coroutine goes: nothing is printed or logged when it fails.

    ## Example
    ```python
    async def refresh():
        loop = asyncio.get_running_loop()
        return asyncio.run_coroutine_threadsafe(load(), loop).result()
    ```

    ## Use instead
    ```python
    async def refresh():
        return await load()
    ```

    ## Fix safety
    For a dropped future the fix is safe: it gets a callback that logs its error, through `_log_errors`, a small
    function that is added to the module. There is no fix for `.result()` on the loop.

    ## References
    - [asyncio.run_coroutine_threadsafe](https://docs.python.org/3/library/asyncio-task.html#asyncio.run_coroutine_threadsafe)
    - [asyncio.wrap_future](https://docs.python.org/3/library/asyncio-future.html#asyncio.wrap_future)
    """

    code, name, level = "BGL208", "same-loop-deadlock", Level.ERROR
    triggers = frozenset({"run_coroutine_threadsafe"})
    needs = frozenset({"run_coroutine_threadsafe"})

    def words(self, source: Source) -> frozenset[str]:
        """The calls that submit a coroutine, and those that wait for it."""
        return frozenset({"run_coroutine_threadsafe", "result", "exception"})

    def matches(self, call: ast.Call, scope: Scope) -> bool:
        """Whether a call drops such a future, or waits for one on the loop."""
        return self._is_dropped(call, scope) or self._waits(call, scope)

    def visit_Call(self, node: cst.Call) -> None:
        """A future that is dropped, or waited for on the loop."""
        site = self.ctx.site(node)
        if isinstance(site, ast.Call):
            scope = self.ctx.scope(site)
            if self._is_dropped(site, scope):
                self.ctx.candidate(node, site, dropped=True)
            elif self._waits(site, scope):
                self.ctx.candidate(node, site, dropped=False)

    def judge(self, candidate: Candidate, project: Project) -> Finding | None:
        """Report it."""
        call, scope = candidate.site, candidate.scope
        assert isinstance(call, ast.Call)
        if candidate.data["dropped"]:
            given = coroutine_of(call)
            called = dotted_text(given.func) if isinstance(given, ast.Call) else ""
            what = f"`{called}()`" if called else "the coroutine"
            return self.finding(
                candidate, f"If {what} fails, nobody learns of it: the future that holds the error is dropped"
            )
        assert isinstance(call.func, ast.Attribute)
        if self._on_this_loop(call.func.value, scope):
            said = "waits for a coroutine on the very loop that it stops: a deadlock; await the coroutine"
        else:
            said = (
                "stops the event loop until the coroutine is done, for ever if it runs on this loop; use `await "
                "asyncio.wrap_future(...)`"
            )
        return self.finding(candidate, f"`{call.func.attr}()` {said}")

    def rewrite(self, candidate: Candidate, project: Project) -> Rewrite | Refused | None:
        """Have a dropped future log its error."""
        return log_errors(self.ctx, candidate) if candidate.data["dropped"] else None

    def _is_dropped(self, call: ast.Call, scope: Scope) -> bool:
        if not self._submits(call, scope) or lost_as(call, scope) is None:
            return False
        given = coroutine_of(call)
        return not isinstance(given, ast.Call) or self.ctx.project.guards.awaiting_raises_unseen(given, scope)

    def _submits(self, call: ast.Call, scope: Scope) -> bool:
        symbol = self.ctx.project.resolve(call.func, scope)
        return symbol is not None and symbol.name == _SUBMIT and not symbol.instance

    def _waits(self, call: ast.Call, scope: Scope) -> bool:
        """Whether a call in async code waits for a coroutine that was submitted to a loop."""
        if not scope.is_async or not isinstance(call.func, ast.Attribute):
            return False
        symbol = self.ctx.project.resolve(call.func, scope)
        if symbol is None or symbol.name not in _WAITS or is_settled(scope.module, call, call.func.value):
            return False
        made = origins(self.ctx.project, call.func.value, scope)
        return made is not None and all(self._submits(origin.call, origin.scope) for origin in made)

    def _on_this_loop(self, future: ast.expr, scope: Scope) -> bool:
        """Whether the loop that the coroutine was submitted to is proven to be the running one."""
        project = self.ctx.project
        for made in origins(project, future, scope) or ():
            loop = argument(made.call, 1, "loop")
            came_from = origins(project, loop, made.scope) if loop is not None and made.scope is scope else None
            if not came_from or any(not _is_this_loop(project, o.call, o.scope, scope) for o in came_from):
                return False
        return True


def _is_this_loop(project: Project, call: ast.Call, asked_in: Scope, scope: Scope) -> bool:
    symbol = project.resolve(call.func, asked_in)
    return asked_in is scope and symbol is not None and symbol.name in _THIS_LOOP
