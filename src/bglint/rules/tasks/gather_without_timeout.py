"""BGL209: background work that waits for a gather as long as it takes."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from bglint.index.callers import with_aliases
from bglint.index.context import is_awaited, withs_around
from bglint.model import Finding
from bglint.rules.base import CallRule, Candidate
from bglint.rules.tasks._awaitables import are_of_others, awaitables
from bglint.rules.tasks._cancelling import cancels_itself

if TYPE_CHECKING:
    from bglint.index.facts import Scope
    from bglint.index.project import Project
    from bglint.source import Source

_TIMEOUTS = frozenset(
    {
        "aiotools.timeout", "anyio.fail_after", "anyio.move_on_after", "async_timeout.timeout",
        "async_timeout.timeout_at", "asyncio.timeout", "asyncio.timeout_at", "asyncio.Timeout",
    }
)  # fmt: skip
# Awaitables that end by themselves.
_LIMITED = frozenset({"anyio.sleep", "asyncio.sleep", "asyncio.wait_for"})


class GatherWithoutTimeout(CallRule):
    """Report background work that awaits `gather` under no timeout.

    ## What it does
    Reports an awaited `asyncio.gather(...)` in an `async def` that runs in the background: queued with `add_task` or
    `BackgroundTask`, or wrapped in a task. It is silent inside `asyncio.timeout(...)` and its like, in `wait_for(...)`,
    and where each awaitable has a `wait_for` of its own. This rule is off unless you select it.

    ## Why is this bad?
    `gather` waits for its slowest awaitable. If one of them never answers, the background work never ends: a
    background task then keeps its response, and a server that shuts down, waiting; and no user is there to complain.

    ## Example
    ```python
    async def notify_all(users: list[User]) -> None:
        await asyncio.gather(*(notify(user) for user in users))


    @app.post("/publish")
    async def publish(tasks: BackgroundTasks):
        tasks.add_task(notify_all, await followers())
    ```

    ## Use instead
    ```python
    async def notify_all(users: list[User]) -> None:
        async with asyncio.timeout(60):
            await asyncio.gather(*(notify(user) for user in users))
    ```

    Before Python 3.11: `await asyncio.wait_for(asyncio.gather(...), 60)`.

    ## Fix safety
    There is no automatic fix: how long is too long is for you to say.

    ## References
    - [asyncio.timeout](https://docs.python.org/3/library/asyncio-task.html#asyncio.timeout)
    - [asyncio.wait_for](https://docs.python.org/3/library/asyncio-task.html#asyncio.wait_for)
    """

    code, name, default = "BGL209", "gather-without-timeout", False
    triggers = frozenset({"gather"})
    needs = frozenset({"asyncio"})
    piece_needs = frozenset({"await"})

    def words(self, source: Source) -> frozenset[str]:
        """The triggers, and what this file calls them."""
        return with_aliases(self.triggers, source.data)

    def matches(self, call: ast.Call, scope: Scope) -> bool:
        """Whether a call is an awaited gather without a timeout, in a function that may run in the background."""
        return scope.is_async and self._has_no_timeout(call, scope)

    def judge(self, candidate: Candidate, project: Project) -> Finding | None:
        """Report it where its function is proven to run in the background."""
        launch = project.launches.of(candidate.scope)
        if launch is None:
            return None
        place = f"`{launch.how}()` ({project.display(launch.path)}:{launch.row})"
        return self.finding(
            candidate,
            f"`{candidate.scope.name}` runs in the background, started by {place}, and this gather may keep it for "
            "ever: give it a timeout",
        )

    def _has_no_timeout(self, call: ast.Call, scope: Scope) -> bool:
        project = self.ctx.project
        if not is_awaited(scope.module, call):
            return False
        symbol = project.resolve(call.func, scope)
        if symbol is None or symbol.instance or symbol.name != "asyncio.gather":
            return False
        if cancels_itself(call, scope, project) or are_of_others(call, scope, project):
            return False
        managers = [item.context_expr for node in withs_around(scope.module, call) for item in node.items]
        entered = [project.resolve(m.func if isinstance(m, ast.Call) else m, scope) for m in managers]
        if any(manager is not None and manager.name in _TIMEOUTS for manager in entered):
            return False
        makers = [project.resolve(a.call.func, scope) if a.call else None for a in awaitables(call, scope, project)]
        return any(maker is None or maker.name not in _LIMITED for maker in makers)
