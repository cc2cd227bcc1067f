"""BGL402: ``time.sleep`` on the event loop."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from bglint.index.blocking import BlockingPath
from bglint.model import Applicability
from bglint.rules.base import Candidate, Refused, Rewrite
from bglint.rules.blocking._offload import NO_CALL, await_instead, interleaves, move_helper
from bglint.rules.blocking._shared import BlockingRule

if TYPE_CHECKING:
    from bglint.index.project import Project


class BlockingSleep(BlockingRule):
    """Report `time.sleep` in async code, made directly or through sync helpers.

    ## What it does
    Finds `time.sleep(...)` that runs inside an `async def`, under whatever name it was imported. A call of a sync
    helper counts when the helper sleeps, through any number of functions and files; the report shows the way there.

    Silent: `asyncio.sleep`, `time.sleep(0)`, sync functions by themselves, and callables that are handed to
    `asyncio.to_thread`, `run_in_threadpool`, an executor or a thread.

    ## Why is this bad?
    `time.sleep` stops the thread, and the event loop with it: no other request, task or timeout makes progress.
    During a sleep of one second, another request that needs nothing was measured to take 0.87 to 0.89 seconds; with
    `asyncio.sleep`, 0.03 to 0.05.

    ## Example
    ```python
    import time

    async def wait_for_job(job):
        while not job.done:
            time.sleep(1)
    ```

    ## Use instead
    ```python
    import asyncio

    async def wait_for_job(job):
        while not job.done:
            await asyncio.sleep(1)
    ```

    ## Fix safety
    `time.sleep(x)` becomes `await asyncio.sleep(x)`, which is safe: it waits as long. It is unsafe where shared state
    is read before the sleep and written after it, because other tasks now run in between, and for a helper that
    sleeps, which is moved to a thread with `asyncio.to_thread`. The `time` import stays, even where it is unused now.

    No fix is offered where `await` cannot stand (lambda, generator expression, class body, default), while a thread
    lock is held, in files that use trio, and for helpers that need the event loop's own thread.

    ## References
    - [Python: asyncio.sleep](https://docs.python.org/3/library/asyncio-task.html#asyncio.sleep)
    - [Python: running blocking code](https://docs.python.org/3/library/asyncio-dev.html#running-blocking-code)
    """

    code, name = "BGL402", "blocking-sleep"
    kind = "sleep"

    def direct(self, path: BlockingPath, candidate: Candidate) -> str:
        """What is wrong with a call that blocks by itself, in one sentence."""
        return (
            f"{self.called(path, candidate)} blocks the event loop: every other request and task sleeps with it; "
            "use `await asyncio.sleep(...)`"
        )

    def rewrite(self, candidate: Candidate, project: Project) -> Rewrite | Refused | None:
        """Await asyncio's sleep instead, or the helper in a thread."""
        call = candidate.site
        if not isinstance(call, ast.Call):
            return NO_CALL
        path = self.path(call, candidate.scope)
        if path is None:
            return None
        if path.steps:
            return move_helper(self.ctx, path, candidate)
        symbol = project.resolve(call.func, candidate.scope)
        if path.sink.name != "time.sleep" or symbol is None or symbol.name != "time.sleep" or not call.args:
            return Refused("it is not a plain call of time.sleep")
        applicability = Applicability.UNSAFE if interleaves(self.ctx, candidate) else Applicability.SAFE
        return await_instead(self.ctx, candidate, "sleep", applicability)
