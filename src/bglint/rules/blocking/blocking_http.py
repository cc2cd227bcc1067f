"""BGL401: synchronous HTTP on the event loop."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from bglint.index import data
from bglint.index.blocking import BlockingPath
from bglint.index.context import argument
from bglint.index.sinks import instead_of
from bglint.model import Applicability
from bglint.rules.base import Candidate, Refused, Rewrite
from bglint.rules.blocking._offload import NO_CALL, interleaves, move_helper, to_thread
from bglint.rules.blocking._shared import BlockingRule

if TYPE_CHECKING:
    from bglint.index.project import Project

_LIBRARIES = ("requests.", "httpx.", "urllib.", "urllib3.")
_STREAMS = frozenset({"urllib.request.urlopen", "urllib.request.OpenerDirector.open"})


class BlockingHttp(BlockingRule):
    """Report synchronous HTTP calls in async code, made directly or through sync helpers.

    ## What it does
    Finds calls of `requests` (functions and `Session`), `urllib.request`, `urllib3`, `http.client`, the synchronous
    half of `httpx` and clients built on them, that run inside an `async def`. A call of a sync helper counts when the
    helper reaches such a call, through any number of functions and files; the report shows the way there. Reading
    a property, `with`, `for`, subscripts and operators count as calls of the methods that they run.

    Silent: awaited clients (`httpx.AsyncClient`, aiohttp), sync functions by themselves (FastAPI runs a `def` route in
    a thread), and callables that are handed to `asyncio.to_thread`, `run_in_threadpool`, an executor or a thread.

    ## Why is this bad?
    All requests of a worker share one event loop. While `requests.get` waits for a slow peer, the loop waits too:
    with a call of one second, another request that needs nothing was measured to take 0.87 seconds; with the call
    in a thread, 0.03 to 0.05. A peer that never answers stops the whole process, health checks included.

    ## Example
    ```python
    import requests
    from fastapi import FastAPI

    app = FastAPI()

    @app.get("/rate/{currency}")
    async def rate(currency: str):
        return requests.get(f"https://rates.example/{currency}", timeout=5).json()
    ```

    ## Use instead
    ```python
    import asyncio

    import requests
    from fastapi import FastAPI

    app = FastAPI()

    @app.get("/rate/{currency}")
    async def rate(currency: str):
        return (await asyncio.to_thread(requests.get, f"https://rates.example/{currency}", timeout=5)).json()
    ```

    Or an async client (`httpx.AsyncClient`), or plain `def` for a route that awaits nothing.

    ## Fix safety
    The fix is safe for module-level functions (`requests.get(...)`): arguments are still evaluated in place, and
    results and exceptions stay the same. It is unsafe for `Session` and `Client` objects, which are not made for
    several threads, for helpers, whose use of thread-bound state is not known, where shared state is read before the
    call and written after it (other tasks now run in between), and for `urlopen`, whose body is still read on the
    loop.

    No fix is offered where `await` cannot stand (lambda, generator expression, class body, default), for a result
    used in `with`, for streamed responses, while a thread lock is held, and for helpers that need the loop's thread.

    ## References
    - [Python: running in threads](https://docs.python.org/3/library/asyncio-task.html#running-in-threads)
    - [FastAPI: concurrency and async / await](https://fastapi.tiangolo.com/async/)
    - [HTTPX: async support](https://www.python-httpx.org/async/)
    """

    code, name = "BGL401", "blocking-http"
    kind = "http"

    def direct(self, path: BlockingPath, candidate: Candidate) -> str:
        """What is wrong with a call that blocks by itself, in one sentence."""
        other = instead_of(path.sink.name)
        way_out = f"; use `{other}` or `asyncio.to_thread`" if other and other != "asyncio.to_thread" else ""
        return (
            f"{self.called(path, candidate)} blocks the event loop: every other request and task waits for its answer"
            f"{way_out}"
        )

    def rewrite(self, candidate: Candidate, project: Project) -> Rewrite | Refused | None:
        """Await it in a thread."""
        call = candidate.site
        if not isinstance(call, ast.Call):
            return NO_CALL
        path = self.path(call, candidate.scope)
        if path is None:
            return None
        if path.steps:
            return move_helper(self.ctx, path, candidate)
        stream = argument(call, None, "stream")
        if stream is not None and not (isinstance(stream, ast.Constant) and not stream.value):
            return Refused("the body of a streamed response would still be read on the event loop")
        if path.sink.name in _STREAMS and isinstance(self.ctx.module.parents.get(call), (ast.Attribute, ast.Call)):
            return Refused("the body would still be read on the event loop: move the whole exchange into a function")
        is_safe = (
            path.sink.name.startswith(_LIBRARIES)
            and path.sink.name not in _STREAMS
            and not data.is_class_name(path.sink.name.rpartition(".")[0])
            and not interleaves(self.ctx, candidate)
        )
        return to_thread(self.ctx, candidate, Applicability.SAFE if is_safe else Applicability.UNSAFE)
