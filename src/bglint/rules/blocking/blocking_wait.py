"""BGL406: waiting for threads, processes, futures, queues and people on the event loop."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from bglint.index.blocking import BlockingPath
from bglint.index.context import argument, has_star, tries_around
from bglint.index.sinks import instead_of, waits_on_leaving
from bglint.model import Applicability, Span
from bglint.rules.base import Candidate, Refused, Rewrite
from bglint.rules.blocking._offload import NO_CALL, interleaves, move_helper, obstacle, to_thread
from bglint.rules.blocking._shared import BlockingRule

if TYPE_CHECKING:
    from bglint.index.facts import Module
    from bglint.index.project import Project

_RESULT = "concurrent.futures.Future.result"
_JOINS = frozenset({"threading.Thread.join", "threading.Timer.join", "multiprocessing.Process.join"})


class BlockingWait(BlockingRule):
    """Report waits for threads, processes, futures, queues, locks and people in async code.

    ## What it does
    Finds, inside an `async def`: `.result()` and `.exception()` of a `concurrent.futures` future,
    `concurrent.futures.wait` and `as_completed`, `.join()` of a thread, process or queue, `queue.Queue.get` and `put`
    (of a queue with a size), `acquire` of a thread lock or semaphore, `wait` of an event, condition or barrier,
    `executor.map` whose results are taken on the spot, leaving `with ThreadPoolExecutor()` while its jobs still run,
    and `input()`. A call of a sync helper counts when the helper reaches such a call; the report shows the way there.

    Silent: asyncio's own futures, tasks, queues, locks and events, `get_nowait`, `block=False`, `timeout=0`,
    `shutdown(wait=False)`, futures that are known to be done, and calls in threads.

    ## Why is this bad?
    The loop stands still until somebody else is done: while it waited one second, another request that needs nothing
    was measured to take 0.87 to 0.89 seconds. Where that somebody needs the loop to get on (a callback, a coroutine
    handed over with `run_coroutine_threadsafe`), both wait for ever; with a `join()` on the loop, a server survived
    SIGINT and SIGTERM.

    ## Example
    ```python
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor()

    async def report(day):
        return pool.submit(render, day).result()
    ```

    ## Use instead
    ```python
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor()

    async def report(day):
        return await asyncio.wrap_future(pool.submit(render, day))
    ```

    `asyncio.Queue`, `asyncio.Event` and `asyncio.Lock` wait without blocking, among coroutines of one loop.

    ## Fix safety
    `future.result()` becomes `await asyncio.wrap_future(future)`, which is safe: same result, same exceptions. A `join`
    with a timeout is awaited in a thread, which is safe too. Both are unsafe where shared state is read before the call
    and written after it, because other tasks now run in between, and where a handler around catches `CancelledError`,
    which asyncio defines anew. A helper is moved to a thread, which is unsafe.

    No fix is offered for a wait without a timeout other than `result()` (a thread of the pool would wait in its place),
    for locks (the thread that takes one has to give it back), where `await` cannot stand, while a thread lock is held,
    and for helpers that need the event loop's own thread.

    ## References
    - [Python: asyncio.wrap_future](https://docs.python.org/3/library/asyncio-future.html#asyncio.wrap_future)
    - [Python: running in threads](https://docs.python.org/3/library/asyncio-task.html#running-in-threads)
    - [Python: asyncio queues](https://docs.python.org/3/library/asyncio-queue.html)
    """

    code, name = "BGL406", "blocking-wait"
    kind = "wait"

    def direct(self, path: BlockingPath, candidate: Candidate) -> str:
        """What is wrong with a call that blocks by itself, in one sentence."""
        if waits_on_leaving(path.sink.name):
            return (
                f"Leaving `with {self.callee(candidate)}()` blocks the event loop until all its jobs are done: every "
                "other request and task waits with it; await the jobs in the `with`, or use `asyncio.to_thread`"
            )
        other = instead_of(path.sink.name)
        way_out = f"; use `{other}`" if other else ""
        return (
            f"{self.called(path, candidate)} blocks the event loop: every other request and task waits with it{way_out}"
        )

    def rewrite(self, candidate: Candidate, project: Project) -> Rewrite | Refused | None:
        """Await the future itself, a join with a timeout in a thread, or the helper in a thread."""
        call = candidate.site
        if not isinstance(call, ast.Call):
            return NO_CALL
        path = self.path(call, candidate.scope)
        if path is None:
            return None
        if path.steps:
            return move_helper(self.ctx, path, candidate)
        is_safe = not interleaves(self.ctx, candidate) and not _catches_cancellation(self.ctx.module, call)
        applicability = Applicability.SAFE if is_safe else Applicability.UNSAFE
        if path.sink.name == _RESULT:
            return self._wrap_future(call, candidate, applicability)
        if path.sink.name in _JOINS:
            if argument(call, 0, "timeout") is None or has_star(call):
                return Refused("without a timeout, a thread of the pool would wait for ever in its place")
            return to_thread(self.ctx, candidate, applicability)
        return Refused("what waits for it must be async itself")

    def _wrap_future(self, call: ast.Call, candidate: Candidate, applicability: Applicability) -> Rewrite | Refused:
        """``f.result()`` → ``await asyncio.wrap_future(f)``."""
        if call.args or call.keywords:
            return Refused("a result with a timeout: `asyncio.wait_for` would cancel the job when the time is up")
        assert isinstance(call.func, ast.Attribute)
        reason = obstacle(self.ctx, candidate)
        if reason is not None:
            return Refused(reason)
        whole, future = self.ctx.span(candidate.node), self.ctx.ast_span(call.func.value)
        around = self.ctx.text(Span(whole.start, future.start)) + self.ctx.text(Span(future.end, whole.end))
        if "#" in around:
            return Refused("a comment would be lost")
        name, imports = self.ctx.import_module("asyncio", candidate.scope)
        wrapped = f"await {name}.wrap_future({self.ctx.text(future)})"
        parent = type(self.ctx.parents.get(candidate.node)).__name__
        if parent in ("Attribute", "Subscript", "Call"):
            wrapped = f"({wrapped})"
        edits = (self.ctx.replace(whole, wrapped), *imports)
        return Rewrite(applicability, "Await the future: `await asyncio.wrap_future(...)`", edits)


def _catches_cancellation(module: Module, call: ast.Call) -> bool:
    """Whether a handler around names CancelledError, of which asyncio and concurrent.futures have one each."""
    return any(
        getattr(name, "attr", getattr(name, "id", "")) == "CancelledError"
        for statement in tries_around(module, call)
        for handler in statement.handlers
        if handler.type is not None
        for name in ast.walk(handler.type)
    )
