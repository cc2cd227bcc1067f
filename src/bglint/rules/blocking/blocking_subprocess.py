"""BGL403: waiting for another process on the event loop."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from bglint.index.blocking import BlockingPath
from bglint.index.context import argument, has_star
from bglint.model import Applicability
from bglint.rules.base import Candidate, Refused, Rewrite
from bglint.rules.blocking._offload import NO_CALL, interleaves, move_helper, to_thread
from bglint.rules.blocking._shared import BlockingRule

if TYPE_CHECKING:
    from bglint.index.project import Project

_OUTPUT_STAYS = frozenset({"os.popen", "subprocess.Popen.stdout.read", "subprocess.Popen.stderr.read"})


class BlockingSubprocess(BlockingRule):
    """Report calls that wait for another process in async code, made directly or through sync helpers.

    ## What it does
    Finds `subprocess.run`, `call`, `check_call`, `check_output` and `getoutput`, `Popen(...).wait()` and
    `.communicate()`, `os.system`, `os.popen`, `os.wait*` and `os.spawn*` that run inside an
    `async def`. A call of a sync helper counts when the helper reaches such a call, through any number of functions
    and files; the report shows the way there.

    Silent: `asyncio.create_subprocess_exec` and its `await process.wait()`, `Popen(...)` by itself (starting a process
    is quick), `WNOHANG`, `P_NOWAIT`, `timeout=0`, and calls in threads.

    ## Why is this bad?
    All requests of a worker share one event loop, and the loop waits while this call does: with an operation of one
    second, another request that needs nothing was measured to take 0.87 to 0.89 seconds; in a thread or a `def` route,
    0.03 to 0.05.
    A process that hangs takes the whole server with it.

    ## Example
    ```python
    import subprocess

    async def convert(path: str) -> bytes:
        return subprocess.run(["convert", path, "png:-"], capture_output=True, check=True).stdout
    ```

    ## Use instead
    ```python
    import asyncio

    async def convert(path: str) -> bytes:
        process = await asyncio.create_subprocess_exec("convert", path, "png:-", stdout=asyncio.subprocess.PIPE)
        output, _ = await process.communicate()
        return output
    ```

    Or, as the fix does, leave the call as it is and await it in a thread with `asyncio.to_thread`.

    ## Fix safety
    The fix awaits `asyncio.to_thread(subprocess.run, ...)`. It is safe for functions of `subprocess` and `os.system`:
    arguments are still evaluated in place, results and exceptions stay the same. It is unsafe for methods of a `Popen`,
    `os.wait*`, calls with `preexec_fn` or starred arguments, helpers, and where shared state is read before the call
    and written after it, because other tasks now run in between.

    No fix is offered where `await` cannot stand, while a thread lock is held, for helpers that need the event loop's
    own thread, and for `os.popen`, whose output would still be read on the loop.

    ## References
    - [Python: asyncio subprocesses](https://docs.python.org/3/library/asyncio-subprocess.html)
    - [AnyIO: run_process](https://anyio.readthedocs.io/en/stable/subprocesses.html)
    - [Python: running in threads](https://docs.python.org/3/library/asyncio-task.html#running-in-threads)
    """

    code, name = "BGL403", "blocking-subprocess"
    kind = "subprocess"

    def direct(self, path: BlockingPath, candidate: Candidate) -> str:
        """What is wrong with a call that blocks by itself, in one sentence."""
        other = (
            "asyncio.create_subprocess_shell" if path.sink.name.startswith("os.") else "asyncio.create_subprocess_exec"
        )
        return (
            f"{self.called(path, candidate)} blocks the event loop until the process ends: every other request and "
            f"task waits with it; use `{other}` or `anyio.run_process`"
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
        if path.sink.name == "os.popen":
            return Refused("its output would still be read on the event loop")
        is_safe = (
            path.sink.name.startswith(("subprocess.", "os.system"))
            and not path.sink.name.startswith("subprocess.Popen.")
            and argument(call, None, "preexec_fn") is None
            and not has_star(call)
            and not interleaves(self.ctx, candidate)
        )
        return to_thread(self.ctx, candidate, Applicability.SAFE if is_safe else Applicability.UNSAFE)
