"""BGL206: an event loop is started where one is running."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from bglint.index.linking import statements_in
from bglint.rules.base import Candidate
from bglint.rules.blocking._shared import BlockingRule

if TYPE_CHECKING:
    from bglint.index.blocking import BlockingPath, Step
    from bglint.index.facts import Scope


class NestedEventLoop(BlockingRule):
    """Report event loops that are started on a running one.

    ## What it does
    Finds `asyncio.run(...)`, `loop.run_until_complete(...)` and other calls that start an event loop, such as
    `uvicorn.run`, where they run inside an `async def`. A call of a sync helper counts when the helper makes such a
    call, through any number of functions and files; the report shows the way there.

    Silent: functions that first ask whether a loop is running, or may have returned before; sync functions by
    themselves, and callables that are handed to a thread.

    ## Why is this bad?
    A thread can run one event loop at a time. The call raises `RuntimeError` whenever it is reached, and the coroutine
    that it was given never runs. In a sync function that is hard to see: the same helper works in a script, and fails
    in the first route that calls it.

    ## Example
    ```python
    import asyncio


    def load_settings():
        return asyncio.run(fetch_settings())


    @app.get("/settings")
    async def settings():
        return load_settings()
    ```

    ## Use instead
    ```python
    @app.get("/settings")
    async def settings():
        return await fetch_settings()
    ```

    Where the helper cannot become async, run it in a thread, which has no loop yet: `await
    asyncio.to_thread(load_settings)`.

    ## Fix safety
    There is no automatic fix: every function on the way has to become async.

    ## References
    - [asyncio.run](https://docs.python.org/3/library/asyncio-runner.html#asyncio.run)
    - [loop.run_until_complete](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.run_until_complete)
    """

    code, name = "BGL206", "nested-event-loop"
    kind = "loop"

    def path(self, site: ast.expr, scope: Scope) -> BlockingPath | None:
        """How the expression starts a loop; None where a helper on the way may have returned before."""
        path = super().path(site, scope)
        return None if path is None or any(map(self._may_return_before, path.steps)) else path

    def direct(self, path: BlockingPath, candidate: Candidate) -> str:
        """What is wrong with a call that starts a loop by itself, in one sentence."""
        return (
            f"{self.called(path, candidate)} raises RuntimeError here, because this code already runs on an event "
            "loop; await the coroutine instead"
        )

    def through_helpers(self, path: BlockingPath, candidate: Candidate) -> str:
        """What is wrong with a call of a helper, in one sentence."""
        sink = path.steps[-1]
        where = f"{self.ctx.display_file(sink.function.path)}:{sink.row}"
        return (
            f"{self.subject(path, candidate)} raises RuntimeError here: it reaches `{path.sink.name}()` ({where}), and "
            "this code already runs on an event loop"
        )

    def _may_return_before(self, step: Step) -> bool:
        """Whether a function may return above the call: what leads it there may not hold where a loop is running."""
        function = self.ctx.project.function_at(step.function)
        return function is not None and any(
            isinstance(node, ast.Return) and owner is function and node.lineno < step.row
            for statement in function.body
            for node, owner in statements_in(statement, function)
        )
